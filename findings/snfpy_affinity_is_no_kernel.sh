#!/usr/bin/env bash
# snfpy's affinity matrix is indefinite, and its diagonal is not constant.
#
# Version: snfpy 0.2.2 (with scikit-learn 1.5.2; it does not run with 1.6 or later).
# Input: 60 samples of five standard normal columns, `snf.make_affinity(X)` with its defaults.
# Seen: diagonal entries that differ more than twofold, and a negative eigenvalue of -0.01 beside a
# largest of 1.6: each pair has its own width (the mean distance to the neighbours), and the normal
# density's factor 1 / width is kept.
# Expected by whoever passes it to a kernel machine: positive semi-definite, with a constant diagonal.
# The fused network of `snf.snf` is positive definite on the same samples.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    snfpy==0.2.2 scikit-learn==1.5.2 numpy==1.26.4 scipy==1.13.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
import snf

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
affinity = snf.make_affinity(X)
eigenvalues = np.linalg.eigvalsh(affinity)
print("eigenvalues", eigenvalues[0], eigenvalues[-1], "diagonal", np.diag(affinity)[:4])
assert np.allclose(affinity, affinity.T)
assert eigenvalues[0] < -1e-3
diagonal = np.diag(affinity)
assert diagonal.max() > 2 * diagonal.min()
fused = snf.snf([affinity, snf.make_affinity(rng.normal(size=(60, 4)))])
assert np.linalg.eigvalsh((fused + fused.T) / 2)[0] > 0
PYTHON
