#!/usr/bin/env bash
# pyRiemann's mean_covariance returns the unweighted Riemannian mean, whatever metric and weights it gets.
#
# Version: pyRiemann 0.12.
# Input: ten covariance matrices, `mean_covariance(matrices, metric="euclid")`, and the same with weights.
# Seen: the mean of the metric "riemann" without weights in both cases: the old name of `gmean`, deprecated
# but still there, hands on its own defaults in place of the arguments. The warning tells only of the name.
# Expected: the arithmetic mean, weighted or not, as `gmean` returns it with the same arguments.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyriemann==0.12 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
from pyriemann.geometry.mean import gmean, mean_covariance

warnings.simplefilter("ignore")  # of the name
rng = np.random.default_rng(0)
signals = rng.normal(size=(10, 3, 20))
matrices = signals @ signals.transpose(0, 2, 1) / 20
weights = rng.uniform(size=10)
riemannian = gmean(matrices, metric="riemann")
for given in (None, weights):
    right = np.average(matrices, axis=0, weights=given)
    found = mean_covariance(matrices, metric="euclid", sample_weight=given)
    new = gmean(matrices, metric="euclid", sample_weight=given)
    print("mean_covariance off by", abs(found - right).max(), "gmean by", abs(new - right).max())
    assert np.allclose(new, right)
    assert np.allclose(found, riemannian) and abs(found - right).max() > 0.05
PYTHON
