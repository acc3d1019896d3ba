#!/usr/bin/env bash
# NeuroKit's correlation dimension of a signal in volts is 0.
#
# Version: NeuroKit2 0.3.0.
# Input: 600 normal numbers, and the same times 1e-6 and 1e3, `fractal_correlation` with its defaults.
# Seen: 1.65, 0 and 1.92. The radii of the default do not scale with the signal: for small signals they
# are all nearly alike and hold every pair, and a line through that is flat.
# Expected: a dimension is a slope of logarithms and has no unit. With radii in standard deviations,
# `radius="nolds"`, the three are the same, and so are slopes of correlation sums counted below.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    neurokit2==0.3.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
env/bin/python - <<'PYTHON'
import neurokit2
import numpy as np
from scipy.spatial.distance import pdist

signal = np.random.default_rng(0).normal(size=600)
units = (1.0, 1e-6, 1e3)


def counted(values):
    """Slope of the share of pairs within r over r, from 0.1 to 0.5 deviations, two values a point."""
    distances = pdist(np.column_stack([values[:-1], values[1:]]))
    radii = values.std(ddof=1) * np.geomspace(0.1, 0.5, 40)
    return np.polyfit(np.log(radii), np.log([(distances < r).mean() for r in radii]), 1)[0]


default = [float(neurokit2.fractal_correlation(unit * signal)[0]) for unit in units]
scaled = [float(neurokit2.fractal_correlation(unit * signal, radius="nolds")[0]) for unit in units]
right = [counted(unit * signal) for unit in units]
print("default:", default, "radii in deviations:", scaled, "counted:", right)
assert np.ptp(right) < 1e-6 and np.ptp(scaled) < 1e-6 and abs(right[0] - scaled[0]) < 0.05
assert default[0] > 1.5
assert default[1] < 0.01
assert default[2] > default[0] + 0.2
PYTHON
