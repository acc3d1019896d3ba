"""
What does each modality give, and do they interact?
===================================================

A fused model that scores well leaves questions open: which modality carries it, whether one of them
is ignored, whether they interact or only add up. We ask them of models of handwritten numerals,
which are described in three ways: by Fourier coefficients of their outlines, by Zernike moments,
and by six numbers on their form, such as how many holes there are.
"""

# %%
# A model to ask
# --------------
# One kernel for each description, weights learned from 300 numerals, and all questions about
# predictions asked of 400 others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import ColumnKernelizer, InteractionKernels, MKLClassifier, Modalities, RBFKernel
from mkfusion.datasets import load_mfeat
from mkfusion.inspection import (
    EmapDisplay,
    KernelAlignmentDisplay,
    ModalityImportanceDisplay,
    PartialInformationDisplay,
    UnimodalBiasDisplay,
    WeightStabilityDisplay,
    emap,
)

digits, y = load_mfeat(return_X_y=True)
X = Modalities(outline=digits["fou"], moments=digits["zer"], form=digits["mor"])
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, test_size=400, stratify=y, random_state=0
)

kernelizer = ColumnKernelizer(
    [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in X.names]
)
model = make_pipeline(kernelizer, MKLClassifier(C=10, p=1.5)).fit(X_train, y_train)
print(f"accuracy {model.score(X_test, y_test):.3f}")

# %%
# Before the model: do the descriptions say the same?
# ---------------------------------------------------
# Centred alignment compares the kernels with each other, and with the kernel that a perfect
# description would have, in the last column.

KernelAlignmentDisplay.from_stack(kernelizer.fit_transform(X_train), y_train, names=X.names)

# %%
# Which modality carries the model?
# ---------------------------------
# *Permutation* asks the model that we have: what it loses if a description is that of another
# numeral. *Shapley values* ask what the descriptions can do, by refitting to all subsets of
# them; they sum to the accuracy above that of guessing.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
ModalityImportanceDisplay.from_estimator(model, X_test, y_test, random_state=0, ax=left)
shapley = ModalityImportanceDisplay.from_estimator(
    model, X_train, y_train, method="shapley", random_state=0, ax=right
).importance
print(shapley.to_frame().round(3))
for names, score in shapley.subset_scores.items():
    print(f"{score:.3f}  {' + '.join(names) or 'guessing'}")

# %%
# Is one of them ignored?
# -----------------------
# In the grey band a loss would not matter.

ignored = UnimodalBiasDisplay.from_estimator(model, X_test, y_test, random_state=0)
print(ignored.bias)

# %%
# Do they interact?
# -----------------
# A sum of kernels that look at one modality each is a sum of functions of one modality each: there
# is no interaction to find, and :func:`~mkfusion.inspection.emap` knows it without trying all pairs
# of samples.

print(emap(model, X_test, y_test, random_state=0))

# %%
# With products of kernels, which compare two descriptions at once, the same machine might well have
# learned some. Its projection onto sums, the mean over all 400³ combinations of descriptions, has a
# closed form as well. It is shown against the model itself: the model does not add up, and yet that
# hardly shows in the score.

products = make_pipeline(kernelizer, InteractionKernels(), MKLClassifier(C=10, p=1.5))
products.fit(X_train, y_train)
shown = EmapDisplay.from_estimator(products, X_test, y_test, random_state=0)
print(shown.projection)
print(f"additive share of its responses: {shown.projection.variance_explained:.3f}")

# %%
# What two of them say about one question
# ---------------------------------------
# Partial information decomposes what the moments and the form tell of a 6 from a 9, which are the
# same but for a turn, and of a 0 from a 1. The estimate is a classifier's, out of fold.

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for ax, pair in zip(axes, [(6, 9), (0, 1)], strict=True):
    rows = np.isin(y, pair)
    PartialInformationDisplay.from_samples(
        X[rows]["moments"],
        X[rows]["form"],
        y[rows],
        estimator=make_pipeline(StandardScaler(), LogisticRegression()),
        names=("moments", "form"),
        random_state=0,
        ax=ax,
    )

# %%
# Are the weights stable?
# -----------------------
# With other samples, would the weights be others? They say how large a part of the function lies in
# which kernel, which is no measure of what a description is worth: Shapley values, above, are one.

WeightStabilityDisplay.from_estimator(model, X_train, y_train, n_bootstraps=30, random_state=0)
