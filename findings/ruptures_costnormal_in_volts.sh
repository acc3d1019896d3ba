#!/usr/bin/env bash
# ruptures' normal cost does not find a change of variance in a signal of small units.
#
# Version: ruptures 1.1.10.
# Input: 100 normal numbers of deviation 1 and 100 of deviation 5, `Dynp(model="normal")` for one change;
# the same in millionths, as EEG comes in volts.
# Seen: the change is at 100 in units and at 145 in millionths. 1e-6 is added to each variance, which is
# then all that there is; a warning tells of the addition, in both cases alike.
# Expected: the likelihood of a normal signal changes by a constant with the unit, the best change point
# not at all: the formula without the addition says 100 twice, and so does
# `CostNormal(add_small_diag=False)`.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import warnings

import numpy as np
import ruptures

rng = np.random.default_rng(0)
in_units = np.concatenate([rng.normal(size=100), 5 * rng.normal(size=100)])


def by_formula(signal):
    cuts = range(5, 196)
    return min(cuts, key=lambda k: sum(len(s) * np.log(s.var()) for s in (signal[:k], signal[k:])))


found, right, bare = [], [], []
for signal in (in_units, 1e-6 * in_units):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        search = ruptures.Dynp(model="normal", min_size=5, jump=1).fit(signal)
    found.append(search.predict(n_bkps=1)[0])
    right.append(by_formula(signal))
    cost = ruptures.costs.CostNormal(add_small_diag=False)
    search = ruptures.Dynp(custom_cost=cost, min_size=5, jump=1).fit(signal)
    bare.append(search.predict(n_bkps=1)[0])
    print("ruptures:", found[-1], "formula:", right[-1], "bare:", bare[-1], "warnings:", len(said))
assert right == bare == [100, 100]
assert found[0] == 100
assert abs(found[1] - 100) > 20
PYTHON
