#!/usr/bin/env bash
# GraKeL's normalised kernels put NaN into the row and column of a graph without edges.
#
# Version: GraKeL 0.1.11.
# Input: two graphs of two nodes, one with an edge and one without; `ShortestPath(normalize=True)`.
# Seen: [[nan, nan], [nan, 1]]: the edgeless graph has no path, k(x, x) = 0, and the normalisation
# divides by its root. Nothing is raised; scikit-learn's SVC refuses the matrix later.
# Expected: 0 beside others and 1 on the diagonal, or an error that names the graph.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    GraKeL==0.1.11 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
from grakel import Graph
from grakel.kernels import ShortestPath

warnings.simplefilter("ignore")  # NumPy's, of 0 / 0
labels = {0: "a", 1: "a"}
edgeless = Graph(np.zeros((2, 2)), node_labels=labels)
joined = Graph(np.array([[0.0, 1.0], [1.0, 0.0]]), node_labels=labels)
plain = ShortestPath().fit_transform([edgeless, joined])
gram = ShortestPath(normalize=True).fit_transform([edgeless, joined])
print(plain, gram)
assert np.isfinite(plain).all() and plain[0, 0] == 0
assert np.isnan(gram[0]).all() and np.isnan(gram[:, 0]).all() and gram[1, 1] == 1
PYTHON
