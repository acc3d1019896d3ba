#!/usr/bin/env bash
# pyitlib finds no information in a variable coded -1 and 1: to it, -1 means "missing".
#
# Version: pyitlib 0.3.1.
# Input: 200 draws of 0 or 1, and the same as -1 and 1, as classes and signs are coded.
# Seen: the entropy is 0.99 bits of the first coding and 0 of the second, and so is the mutual information
# of the variable with itself: the default `fill_value=-1` drops all samples with a -1, without a word.
# Expected: entropy does not depend on names of values. `fill_value=None` gives 0.99 for both.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyitlib==0.3.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from pyitlib import discrete_random_variable as drv

bits = np.random.default_rng(0).integers(0, 2, 200)
signs = 2 * bits - 1
share = bits.mean()
right = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
found = [float(f) for v in (bits, signs) for f in (drv.entropy(v), drv.information_mutual(v, v))]
told = float(drv.entropy(signs, fill_value=None))
print("0 and 1:", found[:2], "-1 and 1:", found[2:], "fill_value=None:", told, "formula:", right)
assert np.allclose(found[:2], right) and np.isclose(told, right)
assert found[2:] == [0.0, 0.0]
PYTHON
