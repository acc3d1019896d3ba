#!/usr/bin/env bash
# pyRiemann's Riemannian kernel of one sample depends on which samples it comes with.
#
# Version: pyRiemann 0.12.
# Input: eight covariance matrices; `kernel_riemann(X, Y)` with its default reference point.
# Seen: the reference is the mean of X, that is of the batch that is asked for. The row of sample 0 is
# another one in a batch of four than alone; alone, where the reference is the sample itself, it is 0
# throughout.
# Expected: k(x, y) to be a function of x and y, or the reference to be required: a machine trained on
# such a kernel answers differently to a batch and to its samples one by one.
# The Euclidean and log-Euclidean kernels of the package do not depend on the batch.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyriemann==0.12 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from pyriemann.utils.kernel import kernel_euclid, kernel_riemann

rng = np.random.default_rng(0)
signals = rng.normal(size=(8, 3, 10))
matrices = signals @ signals.transpose(0, 2, 1)
train, test = matrices[4:], matrices[:4]
together, alone = kernel_riemann(test, train)[0], kernel_riemann(test[:1], train)[0]
print("in a batch of four:", together, "alone:", alone)
assert np.abs(alone).max() < 1e-9
assert np.abs(together).max() > 0.1
assert np.allclose(kernel_euclid(test, train)[0], kernel_euclid(test[:1], train)[0])
fixed = [kernel_riemann(batch, train, Cref=np.eye(3))[0] for batch in (test, test[:1])]
assert np.allclose(*fixed)
PYTHON
