#!/usr/bin/env bash
# POT's Gromov-Wasserstein distance of two shapes is 100 times larger when they are measured in metres.
#
# Version: POT 0.9.7.post1.
# Input: 25 points and the same points turned, jittered and shuffled; their distances in a unit of the
# points' spread, and times 1e-5, as distances between cells are in metres. Defaults otherwise.
# Seen: the second result, divided by 1e-10, is 0.51, and 0.0052 in the first unit. The search stops once
# the loss moves by less than `tol_abs=1e-9`, which a small unit makes true at once; nothing is said.
# Expected: both are squares of lengths, so the second is 1e-10 times the first. The plan of the first, put
# into the formula with the second distances, gives just that.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    POT==0.9.7.post1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
import ot

rng = np.random.default_rng(0)
points = rng.normal(size=(25, 3))
turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
order = rng.permutation(25)
moved = (points @ turn + 0.05 * rng.normal(size=(25, 3)))[order]
first, second = ot.dist(points, points, "euclidean"), ot.dist(moved, moved, "euclidean")
share = np.full(25, 1 / 25)


def loss(plan, a, b):
    """Mean squared difference of distances, over pairs of pairs that the plan couples."""
    differences = (a[:, np.newaxis, :, np.newaxis] - b[np.newaxis, :, np.newaxis, :]) ** 2
    return np.einsum("ijkl,ij,kl->", differences, plan, plan)


plan = ot.gromov_wasserstein(first, second, share, share)
plain = ot.gromov_wasserstein2(first, second, share, share)
small = ot.gromov_wasserstein2(1e-5 * first, 1e-5 * second, share, share)
possible = loss(plan, 1e-5 * first, 1e-5 * second)
print("in units:", plain, "in metres, times 1e10:", 1e10 * small, "possible:", 1e10 * possible)
assert np.isclose(loss(plan, first, second), plain)
assert np.isclose(1e10 * possible, plain)
assert small > 10 * possible
PYTHON
