#!/usr/bin/env bash
# ruptures' Gaussian cost never lets two samples be more alike than exp(-0.01), nor, but for itself,
# tells 0.001 from 0.1 widths apart.
#
# Version: ruptures 1.1.10.
# Input: eight numbers on a line, two of them 0.001 apart and one far away.
# Seen: `CostRbf` multiplies squared distances by gamma and then cuts them at 0.01 from below, so that
# the Gram matrix holds 0.99005 for every pair nearer than a tenth of the width; the diagonal is 1.
# Expected: exp(-gamma d^2), as the documentation of the cost writes it: 1 - 1.1e-10 for the first two.
# Matters here: a Gram matrix taken from it is not a Gaussian kernel; the difference is a multiple of
# the identity near a cluster of like samples.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from ruptures.costs import CostRbf

signal = np.array([0.0, 0.001, 5.0, 5.2, 9.0, 100.0, 100.1, 1000.0])[:, np.newaxis]
cost = CostRbf().fit(signal)
right = np.exp(-cost.gamma * (signal - signal.T) ** 2)
print("ruptures:", cost.gram[0, 1], "formula:", right[0, 1])
assert right[0, 1] > 1 - 1e-9
assert np.isclose(cost.gram[0, 1], np.exp(-0.01), rtol=1e-12)
assert len(set(cost.gram[0, 1:5].round(12))) == 1  # distances from 0.001 to 9: all the same
assert np.allclose(cost.gram[0, 5], right[0, 5])  # far enough apart: as the formula says
PYTHON
