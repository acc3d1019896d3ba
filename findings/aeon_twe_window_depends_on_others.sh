#!/usr/bin/env bash
# aeon's distance of two series by time warp edits changes when a third, longer one is asked for as well.
#
# Version: aeon 1.6.0.
# Input: two series of 19 points, `twe_pairwise_distance` with `window=0.05`, with a series of 22 beside
# them and without.
# Seen: 32.2 alone and 21.0 beside the longer one. If lengths differ, the band is laid out for series that
# were padded by a point before, so that a twentieth of 20 points is one step and of 19 none.
# Expected: the distance of two series is that of `twe_distance`, 32.2, whoever else is in the list.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    aeon==1.6.0 numpy==2.3.5 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from aeon.distances import twe_distance, twe_pairwise_distance

rng = np.random.default_rng(0)
first, second, third = (rng.normal(size=(1, n)) for n in (19, 19, 22))
for window in (0.05, None):
    single = twe_distance(first, second, window=window)
    pair = twe_pairwise_distance([first, second], window=window)[0, 1]
    beside = twe_pairwise_distance([first, second, third], window=window)[0, 1]
    print("window", window, "single", single, "pair", pair, "beside a third", beside)
    assert np.isclose(single, pair)
    if window is None:
        assert np.isclose(single, beside)
    else:
        assert beside < single - 5
PYTHON
