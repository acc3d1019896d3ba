"""
Photographs: colour, texture and shape
======================================

What is in a picture? Its colours, its texture and its shapes each say something, and none says all:
the oldest use of multiple kernel learning. We tell eight photographs by small squares of them.
"""

# %%
# The squares
# -----------
# Thirty squares of 24 x 24 pixels of each photograph. Six of them come from the same fifth of it,
# and look alike; they stay together in cross-validation. All samples of a class come from one
# photograph, so that a score says how well *other parts of these photographs* are recognised, and
# nothing of cats in photographs that were never seen.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, ImageKernel, MKLClassifier, Modalities, compare_fusion
from mkfusion.datasets import load_photographs

photographs = load_photographs()
images, y, groups = photographs.data["image"], photographs.target, photographs.group
figure, axes = plt.subplots(8, 1, figsize=(8, 5), layout="constrained")
for ax, name in zip(axes, photographs.target_names, strict=True):
    ax.imshow(np.concatenate(list(images[y == name][::2]), axis=1))
    ax.set(xticks=[], yticks=[])
    ax.set_ylabel(name, rotation=0, ha="right", va="center")

# %%
# Kernels of images
# -----------------
# :class:`~mkfusion.ImageKernel` counts what is in an image and its quarters (a spatial pyramid):
# colours, local binary patterns or the orientations of edges. It compares the counts by their
# intersection or by a chi-squared kernel. The three features are three modalities of one picture.

X = Modalities(color=images, texture=images, shape=images)
kernels = {
    "color": ImageKernel("color", levels=0, kernel="chi2"),
    "texture": ImageKernel("texture", levels=0, kernel="chi2"),
    "shape": ImageKernel("gradients", levels=2),
}
order = np.argsort(y, kind="stable")
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for ax, (name, kernel) in zip(axes, kernels.items(), strict=True):
    ax.imshow(kernel(images[order]))
    ax.set(title=name, xticks=[], yticks=[])

# %%
# Alone, joined and fused
# -----------------------
# A chi-squared kernel of all counts joined is the product of the three, an exponential of a sum.
# The sum of the kernels weighs all alike; L1 and L2 learn the weights.

cv = StratifiedGroupKFold(5)


def accuracy(entries, p=np.inf, per_class=False):
    machine = MKLClassifier(C=10.0, p=p, per_class_weights=per_class)
    model = make_pipeline(ColumnKernelizer(entries), machine)
    return cross_val_score(model, X, y, groups=groups, cv=cv).mean()


each = [(name, kernel, name) for name, kernel in kernels.items()]
chi2 = [ImageKernel(k.feature, levels=k.levels, kernel="chi2") for k in kernels.values()]
for entry in each:
    print(f"{entry[0]:22}{accuracy([entry]):.2f}")
print(f"{'joined':22}{accuracy([('joined', chi2[0] * chi2[1] * chi2[2], 'color')]):.2f}")
for name, p, per_class in (
    ("sum", np.inf, False),
    ("L1", 1.0, False),
    ("L2", 2.0, False),
    ("L2, for each class", 2.0, True),
):
    print(f"{name:22}{accuracy(each, p, per_class):.2f}")

# %%
# What each class is known by
# ---------------------------
# With ``per_class_weights`` each "this photograph or another" learns weights of its own. They say
# how the machine mixes its kernels; what a modality is worth is asked below, on held-out samples.

model = MKLClassifier(C=10.0, p=2.0, per_class_weights=True)
model.fit(ColumnKernelizer(each).fit_transform(X), y)
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
picture = ax.imshow(model.weights_, cmap="Blues", vmin=0.0, aspect="auto")
ax.set_xticks(range(3), kernels)
ax.set_yticks(range(8), model.classes_)
figure.colorbar(picture, label="weight of the kernel")

# %%
# Does fusing help?
# -----------------
# Parameters are chosen within the training folds, and the verdict goes by squares of parts of the
# photographs that no machine has seen. (``fast`` and few methods are for this page only.)

result = compare_fusion(
    X,
    y,
    groups=groups,
    kernels=kernels,
    methods=["late_mean", "uniform", "l1_mkl", "lp_mkl"],
    fast=True,
    verbose=False,
)
print(result)
plt.show()
