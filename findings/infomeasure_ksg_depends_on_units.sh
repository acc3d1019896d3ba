#!/usr/bin/env bash
# infomeasure's nearest-neighbour mutual information falls to 0 when one variable changes its unit.
#
# Version: infomeasure 0.6.3.
# Input: 300 draws of x and x + noise, and the same x in millionths, as EEG comes in volts.
# Seen: `mutual_information(x, y, approach="ksg")` is 0.33 nats, and 0.00 with 1e-6 * x: the
# neighbours in the joint space are those of y alone, as neither variable is scaled.
# Expected: mutual information does not depend on units; scikit-learn's estimator, with the same
# neighbours, scales both columns first, and says the same twice.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    infomeasure==0.6.3 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from infomeasure import mutual_information

rng = np.random.default_rng(0)
x = rng.normal(size=300)
y = x + rng.normal(size=300)
in_units, in_millionths = (mutual_information(v, y, approach="ksg") for v in (x, 1e-6 * x))
print(in_units, in_millionths)
assert in_units > 0.25  # -log(1 - 1/2) / 2 = 0.35 in truth
assert in_millionths < 0.05
PYTHON
