"""
Gram matrices that were computed before
=======================================

Some kernels take so long that their matrix is computed once, perhaps on another machine. What is
left of the samples then is their ids: :class:`~mkfusion.PrecomputedKernel` looks rows and columns
up by them, so that whatever splits the samples, however often, finds the right ones.
"""

# %%
# Compute once
# ------------
# 80 recordings of four activities by two sensors. How well two recordings can be aligned in time is
# a question that costs a lot for each pair, so we ask it once, for each sensor and two widths of
# the kernel. The widths are fixed: one that is learned from all recordings would know those that
# are held out later. Each matrix goes into a file.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    GlobalAlignmentKernel,
    MKLClassifier,
    PrecomputedKernel,
    RBFKernel,
)
from mkfusion.datasets import load_basic_motions

motions = load_basic_motions()
recordings = np.array([f"recording {i:02}" for i in range(len(motions.target))])
folder = Path(tempfile.mkdtemp())
files = {}
for sensor in motions.data.names:
    for width in (20.0, 80.0):
        kernel = GlobalAlignmentKernel(sigma=width, triangular=20).fit(motions.data[sensor])
        files[f"{sensor}, {width:g}"] = folder / f"{sensor} {width:g}.npy"
        np.save(files[f"{sensor}, {width:g}"], kernel(motions.data[sensor]))

# %%
# Look up
# -------
# From here on there are no signals, only a table: which recording it was, and how much the hand
# turned. It is shuffled, as tables are. The matrices stay in their files, of which only what is
# asked for is read; copies of the kernels share them.

turning = motions.data["gyroscope"].std(axis=2).mean(axis=1)
shuffled = np.random.default_rng(0).permutation(len(recordings))
X = pd.DataFrame({"recording": recordings, "turning": turning}).iloc[shuffled]
y = motions.target[shuffled]
print(X.head())

alignments = [
    PrecomputedKernel(np.load(file, mmap_mode="r"), ids=recordings, name=name)
    for name, file in files.items()
]
kernelizer = ColumnKernelizer(
    [("alignment", alignments, "recording"), ("turning", RBFKernel(), ["turning"])]
)
stack = kernelizer.fit_transform(X)
print(*stack.names, sep="\n")

# %%
# The rows of the stack are those of the table. Sorted by activity they show the classes.

order = np.argsort(y, kind="stable")
names, sizes = np.unique(y, return_counts=True)
ends = np.cumsum(sizes)
shown = ["alignment:accelerometer, 80", "alignment:gyroscope, 80", "turning:rbf"]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for ax, name in zip(axes, shown, strict=True):
    image = ax.imshow(stack.gram(name)[np.ix_(order, order)], vmin=0, vmax=1)
    for end in ends[:-1]:
        ax.axhline(end - 0.5, color="white", linewidth=0.8)
        ax.axvline(end - 0.5, color="white", linewidth=0.8)
    ax.set(title=name, xticks=ends - sizes / 2, yticks=[])
    ax.set_xticklabels(names, rotation=30)
figure.colorbar(image, ax=axes, shrink=0.8)

# %%
# Any meta-estimator
# ------------------
# A search inside cross-validation, over a stack of classifiers that cross-validates for itself:
# three levels of splits, each of which finds its recordings by their ids. (With 60 recordings to
# learn from, the further levels cost more than they bring.)

fused = make_pipeline(kernelizer, MKLClassifier(C=10.0))
turned = make_pipeline(ColumnKernelizer(kernelizer.kernels[1:]), MKLClassifier(C=10.0))
stacked = StackingClassifier(
    [("fused", fused), ("turned", turned)], final_estimator=LogisticRegression(), cv=3
)
search = GridSearchCV(stacked, {"fused__mklclassifier__p": [1.0, 2.0]}, cv=3)
scores = {
    "how much the hand turned": cross_val_score(turned, X, y, cv=4),
    "alignments with that": cross_val_score(fused, X, y, cv=4),
    "both stacked, p searched": cross_val_score(search, X, y, cv=4),
}
for name, score in scores.items():
    print(f"{name:26}{score.mean():.3f}")

for name, weight in zip(stack.names, fused.fit(X, y)[-1].weights_, strict=True):
    print(f"{name:30}{weight:.2f}")

# %%
# Slices of the matrix itself do not get that far: a stack of classifiers does not know that its
# input has samples along both axes.

gram = np.load(files["accelerometer, 80"])[np.ix_(shuffled, shuffled)]
machine = SVC(kernel="precomputed")
print(f"one machine: {cross_val_score(machine, gram, y, cv=4).mean():.3f}")
try:
    cross_val_score(StackingClassifier([("svc", machine)]), gram, y, cv=4, error_score="raise")
except ValueError as error:
    print("a stack of it:", error)

# %%
# An id that the matrix does not have is an error, not a guess.

try:
    kernelizer.transform(X.replace("recording 07", "recording 99"))
except ValueError as error:
    print(error)

plt.show()
