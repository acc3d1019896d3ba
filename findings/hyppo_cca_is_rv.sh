#!/usr/bin/env bash
# hyppo's statistic of canonical correlation is the RV coefficient, and depends on units.
#
# Version: hyppo 0.5.2.
# Input: 60 samples of two tables of two columns that depend linearly, and the same with one column in
# thousandths.
# Seen: `CCA().statistic(x, y)` equals `RV().statistic(x, y)` to the last digits, 0.10, and 0.17 after the
# change of unit: traces of covariances, without an inverse of any. (That the number is not a canonical
# correlation is known there as issue 413.)
# Expected: the maximum over all weights that the documentation writes, the first canonical correlation:
# 0.88 by orthonormal bases of both tables, in every unit.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    hyppo==0.5.2 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from hyppo.independence import CCA, RV

rng = np.random.default_rng(0)
x = rng.normal(size=(60, 2)) * [1.0, 4.0]
y = x * [2.0, 0.5] + rng.normal(size=(60, 2)) * [1.0, 4.0]


def canonical(a, b):
    bases = [np.linalg.qr(v - v.mean(axis=0))[0] for v in (a, b)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)[0]


for name, table in (("units", x), ("thousandths", x * [1.0, 1e-3])):
    print(name, CCA().statistic(table, y), RV().statistic(table, y), "right:", canonical(table, y))
    assert np.isclose(CCA().statistic(table, y), RV().statistic(table, y), rtol=1e-12)
    assert np.isclose(canonical(table, y), canonical(x, y))
    assert CCA().statistic(table, y) < canonical(table, y) - 0.1
assert abs(CCA().statistic(x * [1.0, 1e-3], y) - CCA().statistic(x, y)) > 0.05
PYTHON
