#!/usr/bin/env bash
# scikit-bio's PCoA of few dimensions says that they explain more than everything.
#
# Version: scikit-bio 0.7.4.
# Input: four samples whose distances are no Euclidean ones (as Bray-Curtis distances often are), and
# `pcoa(distances, dimensions=2)`.
# Seen: `proportion_explained` is [0.80, 0.62], which sums to 1.42: the divisor is the trace of the
# centred matrix, in which negative eigenvalues count against the positive ones. With all dimensions
# the same two axes explain [0.56, 0.44].
# Expected: the same proportions however many axes are asked for, and never more than 1 in total.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-bio==0.7.4 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
from skbio import DistanceMatrix
from skbio.stats.ordination import pcoa

warnings.simplefilter("ignore")  # its own, of negative eigenvalues, in both calls
distances = DistanceMatrix(
    [[0, 1, 1, 1.9], [1, 0, 1.9, 1], [1, 1.9, 0, 0.1], [1.9, 1, 0.1, 0]], list("abcd")
)
few = pcoa(distances, dimensions=2).proportion_explained.to_numpy()
every = pcoa(distances).proportion_explained.to_numpy()
print("two dimensions:", few, "all:", every)
assert np.isclose(every.sum(), 1)
assert few.sum() > 1.4
PYTHON
