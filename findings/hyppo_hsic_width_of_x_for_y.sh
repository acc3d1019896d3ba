#!/usr/bin/env bash
# hyppo's HSIC measures y with the width of x, and misses a dependence when units differ.
#
# Version: hyppo 0.5.2.
# Input: 100 draws of x and y = x + noise (correlation 0.96), once more with x in thousandths.
# Seen: the statistic falls from 0.87 to 0.01. The Gaussian kernel's width is the median distance of x,
# and the kernel of y gets it as well: with x small, y's kernel is nearly the identity. So the
# statistic changes when x and y change places.
# Expected: a median width for each variable, as the reference that it implements has: the same
# statistic in every unit, and symmetric.
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
from hyppo.tools import compute_kern

rng = np.random.default_rng(0)
x = rng.normal(size=(100, 1))
y = x + 0.3 * rng.normal(size=(100, 1))
plain, small = Hsic().statistic(x, y), Hsic().statistic(x / 1000, y)
swapped = Hsic().statistic(y, x / 1000)
print("x:", plain, "x in thousandths:", small, "changed places:", swapped)
assert plain > 0.8
assert small < 0.1
assert abs(small - swapped) > 0.05
other = compute_kern(x / 1000, y)[1]
assert np.median(other[~np.eye(100, dtype=bool)]) < 1e-3  # of y, which did not change
PYTHON
