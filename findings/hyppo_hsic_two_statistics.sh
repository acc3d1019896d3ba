#!/usr/bin/env bash
# hyppo's HSIC tests by permutation with another statistic than the one it returns elsewhere.
#
# Version: hyppo 0.5.2.
# Input: `Hsic().statistic(x, y)` beside `Hsic().test(x, y, auto=False).stat`, x of larger units than y.
# Seen: 0.74 and 0.04. Before the permutations the kernels are handed on as if they were distances,
# without being turned into 1 - k; the ones on their diagonal then enter the row sums.
# Expected: one statistic, the one that is documented.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    hyppo==0.5.2 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from hyppo.independence import Hsic

rng = np.random.default_rng(0)
x = rng.normal(size=(100, 1))
y = x + 0.3 * rng.normal(size=(100, 1))
by_itself = Hsic().statistic(1000 * x, y)
by_chi2 = Hsic().test(1000 * x, y).stat
by_permutation = Hsic().test(1000 * x, y, reps=50, auto=False).stat
print("statistic:", by_itself, "fast test:", by_chi2, "permutation test:", by_permutation)
assert np.isclose(by_itself, by_chi2)
assert by_itself > 0.6
assert by_permutation < 0.2
PYTHON
