#!/usr/bin/env bash
# GraKeL's kernel of ordered dags gives a graph another similarity to itself beside other graphs.
#
# Version: GraKeL 0.1.11.
# Input: `OddSth().fit_transform` of the labelled path a-b-c alone, and in a list with the path a-b-c-a,
# before and after it.
# Seen: the short path's similarity to itself is 21 alone, 21 before and 38 after the other; that between
# the two is 27 or 77, by the order of the list alone.
# Expected: 21. Rooted at each of its nodes the path has the trees a and c twice, b(c) and b(a) once and
# three of three nodes once; frequencies squared times sizes are 4 + 4 + 2 + 2 + 3 * 3.
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
from grakel.kernels import OddSth


def path(labels):
    adjacency = np.eye(len(labels), k=1) + np.eye(len(labels), k=-1)
    return Graph(adjacency, node_labels=dict(enumerate(labels)))


alone = OddSth().fit_transform([path("abc")])[0, 0]
before = OddSth().fit_transform([path("abc"), path("abca")])
after = OddSth().fit_transform([path("abca"), path("abc")])
print("alone", alone, "before", before.tolist(), "after", after.tolist())
assert alone == before[0, 0] == 21
assert after[1, 1] > 30
assert after[0, 1] > 2 * before[0, 1]
PYTHON
