#!/usr/bin/env bash
# GraKeL's shortest-path kernel raises KeyError for a graph whose dictionary has a node without neighbours.
#
# Version: GraKeL 0.1.11.
# Input: a graph as a dictionary of neighbours, one labelled node with an empty list, beside a path of
# two nodes; `ShortestPath().fit_transform`.
# Seen: KeyError: 0, which names neither graph nor node. The same two graphs as adjacency matrices pass.
# Expected: the same matrix for both forms of the same graphs, as the documentation offers both.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    GraKeL==0.1.11 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from grakel import Graph
from grakel.kernels import ShortestPath

pair = {0: "c", 1: "c"}
by_matrices = [
    Graph(np.zeros((1, 1)), node_labels={0: "c"}),
    Graph(np.array([[0.0, 1.0], [1.0, 0.0]]), node_labels=pair),
]
by_neighbours = [
    Graph({0: []}, node_labels={0: "c"}),
    Graph({0: [1], 1: [0]}, node_labels=pair),
]
gram = ShortestPath().fit_transform(by_matrices)
print("adjacency matrices", gram)
assert np.isfinite(gram).all() and gram[1, 1] > 0
try:
    found = ShortestPath().fit_transform(by_neighbours)
except KeyError as error:
    print("neighbours: KeyError", error)
    assert error.args == (0,)
else:
    raise SystemExit(f"it has changed: {found}")
PYTHON
