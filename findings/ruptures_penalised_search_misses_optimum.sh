#!/usr/bin/env bash
# ruptures' kernel change point search with a penalty does not return the cheapest segmentation.
#
# Version: ruptures 1.1.10.
# Input: twenty normal numbers, Gaussian kernel of gamma 0.5, penalty 0.5, segments of one or more.
# Seen: `KernelCPD.predict(pen=0.5)` makes seven segments, at a cost with penalties of 5.612.
# Expected: the minimum, as dynamic programming without pruning finds it: eight segments, 5.592, which
# its own `predict(n_bkps=7)` returns as well.
# Matters here: an oracle of penalised change points must be asked for numbers of changes instead.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    ruptures==1.1.10 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import numpy as np
import ruptures

penalty = 0.5
signal = np.random.default_rng(104).normal(size=(20, 1))
gram = np.exp(-0.5 * (signal - signal.T) ** 2)


def scatter(start, end):
    block = gram[start:end, start:end]
    return np.trace(block) - block.sum() / (end - start)


def cost(ends):
    return sum(scatter(a, b) + penalty for a, b in zip([0, *ends[:-1]], ends))


# Bellman's recursion over all last segments
best = [0.0]
for end in range(1, len(signal) + 1):
    best.append(min(best[start] + scatter(start, end) + penalty for start in range(end)))

search = ruptures.KernelCPD(kernel="rbf", params={"gamma": 0.5}, min_size=1).fit(signal)
penalised, counted = search.predict(pen=penalty), search.predict(n_bkps=7)
print("pen=0.5:", cost(penalised), "n_bkps=7:", cost(counted), "minimum:", best[-1])
assert np.isclose(cost(counted), best[-1])
assert cost(penalised) > best[-1] + 0.01
PYTHON
