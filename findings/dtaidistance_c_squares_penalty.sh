#!/usr/bin/env bash
# dtaidistance's C code squares the penalty of warping where its Python code does not.
#
# Version: dtaidistance 2.5.1.
# Input: two series of 10 and 14 normal numbers, `penalty=0.3` with `inner_dist="euclidean"`.
# Seen: `distance` and `distance_matrix` say 10.0, `distance_fast` and `distance_matrix_fast` 9.0: there
# each step that is no match costs 0.09, although differences are not squared. With the default inner
# distance all agree.
# Expected: one number. The recursion written out below gives that of the Python code.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    dtaidistance==2.5.1 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from dtaidistance import dtw

rng = np.random.default_rng(0)
first, second = rng.normal(size=10), rng.normal(size=14)


def warped(penalty):
    """Cheapest sum of absolute differences, where each step off the diagonal costs more."""
    cost = np.full((len(first) + 1, len(second) + 1), np.inf)
    cost[0, 0] = 0.0
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            aside = min(cost[i - 1, j], cost[i, j - 1]) + penalty
            cost[i, j] = abs(a - b) + min(cost[i - 1, j - 1], aside)
    return cost[-1, -1]


asked = {"penalty": 0.3, "inner_dist": "euclidean"}
slow, fast = dtw.distance(first, second, **asked), dtw.distance_fast(first, second, **asked)
print("Python:", slow, "C:", fast, "recursion:", warped(0.3), "of 0.3 squared:", warped(0.09))
assert np.isclose(slow, warped(0.3))
assert np.isclose(dtw.distance_matrix([first, second], **asked)[0, 1], slow)
assert np.isclose(fast, warped(0.09)) and slow - fast > 0.5
assert np.isclose(dtw.distance_matrix_fast([first, second], **asked)[0, 1], fast)
plain = [f(first, second, penalty=0.3) for f in (dtw.distance, dtw.distance_fast)]
assert np.isclose(*plain)
PYTHON
