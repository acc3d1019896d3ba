#!/usr/bin/env bash
# hyppo's HSIC takes a random_state and does not use it.
#
# Version: hyppo 0.5.2.
# Input: `Hsic().test(x, y, reps=40, auto=False, random_state=0)`, six times on the same 25 samples.
# Seen: several different p-values: the permutations get random_state=None whatever is given. Dcorr,
# of the same package, returns one p-value.
# Expected: the same p-value six times.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    hyppo==0.5.2 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from hyppo.independence import Dcorr, Hsic

rng = np.random.default_rng(0)
x = rng.normal(size=(25, 1))
y = 0.4 * x + rng.normal(size=(25, 1))
asked = {"reps": 40, "auto": False, "random_state": 0}
of_hsic = {float(Hsic().test(x, y, **asked).pvalue) for _ in range(6)}
of_dcorr = {float(Dcorr().test(x, y, **asked).pvalue) for _ in range(6)}
print("HSIC:", sorted(of_hsic), "Dcorr:", sorted(of_dcorr))
assert len(of_hsic) > 1
assert len(of_dcorr) == 1
PYTHON
