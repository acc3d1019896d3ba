#!/usr/bin/env bash
# scikit-bio's McIntosh evenness is 1 for the most uneven community and least for the most even one.
#
# Version: scikit-bio 0.7.4.
# Input: 100 individuals of four species: 25 of each; 40, 30, 20, 10; and 97 with one each of the others.
# Seen: `mcintosh_e` is 0.52, 0.56 and 1. As its page says, it divides the root of summed squares, large where
# one species prevails, by its largest possible value.
# Expected: an evenness is 1 where all species are equally frequent, and falls with dominance, as
# `pielou_e` and `simpson_e` of the same package do on the same counts. McIntosh's own
# (N - U) / (N - N / sqrt(S)) gives 1, 0.90 and 0.06.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-bio==0.7.4 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
from skbio.diversity.alpha import mcintosh_e, pielou_e, simpson_e

communities = np.array([[25, 25, 25, 25], [40, 30, 20, 10], [97, 1, 1, 1]])


def by_mcintosh(counts):
    n, root = counts.sum(), np.sqrt((counts**2).sum())
    return (n - root) / (n - n / np.sqrt(len(counts)))


for measure in (mcintosh_e, pielou_e, simpson_e, by_mcintosh):
    name, values = measure.__name__, [float(measure(counts)) for counts in communities]
    print(name, values)
    if name == "mcintosh_e":
        assert values[0] < values[1] < values[2] and np.isclose(values[2], 1)
    else:
        assert values[0] > values[1] > values[2] and np.isclose(values[0], 1)
PYTHON
