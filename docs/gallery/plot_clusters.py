"""
Clusters that several modalities agree on
=========================================

Without a target nothing says which modality matters: what is left is what they agree on. The
example finds four handwritten digits in six descriptions of them, in two ways, and looks at each
description's part in the consensus.
"""

# %%
# Six descriptions
# ----------------

import numpy as np
from sklearn.metrics import adjusted_rand_score

from mkfusion import ColumnKernelizer, KernelCombiner, MultipleKernelKMeans
from mkfusion.datasets import load_mfeat
from mkfusion.inspection import KernelProjectionDisplay

numerals, digits = load_mfeat(return_X_y=True)
chosen = np.flatnonzero(digits < 4)[::4]
X, y = numerals[chosen], digits[chosen]
stack = ColumnKernelizer([(name, "auto", name) for name in X.names]).fit_transform(X)

# %%
# Weights that make clusters tight
# --------------------------------
# :class:`~mkfusion.MultipleKernelKMeans` learns weights together with the clusters: a kernel gets
# the more, the less of its variance is left within them. Each description on its own is the
# baseline. The digits are only looked at to score the clusters.


def agreement(kernels):
    model = MultipleKernelKMeans(4, random_state=0).fit(kernels)
    return model, adjusted_rand_score(y, model.labels_)


for k, name in enumerate(X.names):
    print(f"{name} alone: adjusted Rand index {agreement(stack.gram(k))[1]:.2f}")
model, score = agreement(stack)
print(f"learned weights: {score:.2f}")
print({name: float(weight.round(2)) for name, weight in zip(X.names, model.weights_, strict=True)})

# %%
# The six columns of "mor" are the easiest to cut, into clusters that are not quite the digits, and
# the weights follow them. That is the criterion, not an accident of the search.
#
# A consensus first
# -----------------
# ``KernelCombiner("statis")`` weighs kernels by how much they have in common with the others, and
# asks nothing of clusters. Its one Gram matrix is for any method.

combiner = KernelCombiner("statis")
agreed = combiner.fit_transform(stack)
model, score = agreement(agreed)
print(f"consensus: {score:.2f}")

# %%
# What it looks like, with the clusters as colours, and how much of each axis is whose:

KernelProjectionDisplay.from_kernels(stack, weights=combiner.weights_, labels=model.labels_)
