#!/usr/bin/env bash
# cca-zoo's MCCA and GCCA lose the correlation when one column is written in millionths.
#
# Version: cca-zoo 4.0.1.
# Input: two views of 200 samples with a common factor, no shrinkage, and the same views with one noise
# column multiplied by 1e6 (microvolts for volts).
# Seen: the canonical correlation falls from 0.8 to below 0.35, in MCCA and in GCCA.
# Expected: canonical correlations do not depend on units of columns without regularisation; the QR
# way of a textbook (orthonormal bases of both views, singular values of their product) gives the
# same 0.8 for both.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    cca-zoo==4.0.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from cca_zoo.linear import GCCA, MCCA

rng = np.random.default_rng(0)
factor = rng.normal(size=200)
first, second = rng.normal(size=(200, 4)), rng.normal(size=(200, 5))
first[:, 0] += 2 * factor
second[:, 0] += 2 * factor
rescaled = first * [1.0, 1e6, 1.0, 1.0]


def canonical(a, b):
    """First canonical correlation, by QR decompositions of standardised columns."""
    bases = [np.linalg.qr((v - v.mean(0)) / v.std(0))[0] for v in (a, b)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)[0]


right = canonical(first, second)
assert np.isclose(right, canonical(rescaled, second))
for method in (MCCA, GCCA):
    scores = [
        float(np.ravel(method(n_components=1).fit([view, second]).score([view, second]))[0])
        for view in (first, rescaled)
    ]
    print(method.__name__, scores, "right:", right)
    assert abs(scores[0] - right) < 0.01
    assert scores[1] < right - 0.3
PYTHON
