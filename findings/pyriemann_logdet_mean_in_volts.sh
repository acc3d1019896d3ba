#!/usr/bin/env bash
# pyRiemann's log-det mean of covariances in volts is another matrix than the one in microvolts.
#
# Version: pyRiemann 0.12.
# Input: ten covariance matrices of four channels, and the same matrices times 1e-12.
# Seen: `gmean(..., metric="logdet")` of the second is off by a third after scaling back: the
# iteration stops when the matrix moves by less than 1e-8, whatever the matrix's size, and so at once,
# without a warning. Fixed points of other metrics stop alike ("wasserstein"); "riemann" does not.
# Expected: the log-det divergence does not change with units, nor does its mean: 1e-12 times the first.
# The equation of the mean, mean((M + C) / 2)^-1 = M^-1, holds for the first and not for the second.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyriemann==0.12 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from pyriemann.geometry.mean import gmean

rng = np.random.default_rng(0)
signals = rng.normal(size=(10, 4, 20)) * rng.uniform(0.5, 3, size=(10, 4, 1))
in_units = signals @ signals.transpose(0, 2, 1) / 20
in_volts = 1e-12 * in_units


def off(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def misses_its_equation(mean, matrices):
    return off(np.linalg.inv(np.linalg.inv((mean + matrices) / 2).mean(axis=0)), mean)


for metric in ("logdet", "wasserstein", "riemann"):
    one, other = (gmean(c, metric=metric) for c in (in_units, in_volts))
    print(metric, "off by", off(1e12 * other, one))
    if metric == "logdet":
        errors = misses_its_equation(one, in_units), misses_its_equation(other, in_volts)
        print("error of the equation of the mean:", errors)
        assert errors[0] < 1e-4 and errors[1] > 0.05
        assert off(1e12 * other, one) > 0.3
    else:
        assert (off(1e12 * other, one) > 1e-3) == (metric == "wasserstein")
PYTHON
