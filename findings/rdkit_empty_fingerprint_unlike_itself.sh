#!/usr/bin/env bash
# RDKit's similarities of a fingerprint without bits to itself are 0, not 1.
#
# Version: RDKit 2026.9.1.
# Input: an `ExplicitBitVect` of 64 bits of which none is set.
# Seen: Tanimoto, Dice and cosine similarity of it to itself are 0.0, so the diagonal of a Gram matrix
# holds a 0; dividing by its root (the cosine normalisation of kernels) is then 0 / 0.
# Expected: two equal sets are alike: 1, as in the usual convention for two empty sets.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    rdkit==2026.9.1
cd "$work"
env/bin/python - <<'PYTHON'
from rdkit.DataStructs import (
    CosineSimilarity,
    DiceSimilarity,
    ExplicitBitVect,
    TanimotoSimilarity,
)

empty, one = ExplicitBitVect(64), ExplicitBitVect(64)
one.SetBit(5)
for similarity in (TanimotoSimilarity, DiceSimilarity, CosineSimilarity):
    print(similarity.__name__, similarity(empty, empty), similarity(one, one))
    assert similarity(empty, empty) == 0.0
    assert similarity(one, one) == 1.0
PYTHON
