"""
One kernel of many, for any kernel machine
==========================================

Scikit-learn's kernel machines take one Gram matrix. :class:`~mkfusion.KernelCombiner` makes it of
many: it learns how much each modality counts, in a step before the machine, whichever that is. The
example compares its weightings where some modalities say the same and others say nothing.
"""

# %%
# Eight modalities
# ----------------
# Handwritten numerals in six descriptions, of which we take 400 samples. Two more modalities test
# the weightings: one repeats the Karhunen-Loève coefficients, with a little noise, and one is
# nothing but noise. Each gets one kernel; normalisation brings all of them to one scale, without
# which weights mean little.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import ColumnKernelizer, KernelCombiner, MKLClassifier, Modalities, RBFKernel
from mkfusion.datasets import load_mfeat

numerals, digits = load_mfeat(return_X_y=True)
rng = np.random.default_rng(0)
chosen = rng.permutation(len(digits))[:400]
chosen = chosen[np.argsort(digits[chosen], kind="stable")]
views = {name: numerals[name][chosen] for name in numerals.names}
views["kar again"] = views["kar"] + 0.3 * rng.normal(size=views["kar"].shape)
views["noise"] = rng.normal(size=(len(chosen), 30))
X, y = Modalities(**views), digits[chosen]

kernelizer = ColumnKernelizer(
    [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in X.names]
)
stack = kernelizer.fit_transform(X)
print(stack)

# %%
# What counts
# -----------
# ``"uniform"`` is the mean. ``"alignment"`` asks every kernel on its own whether it looks like the
# classes, ``"alignf"`` which sum of them does most, and ``"easymkl"`` how far apart each sees the
# classes where all of them together find it hardest. An :class:`~mkfusion.MKLClassifier` learns
# the weights together with a support vector machine.

weightings = {
    "uniform": "uniform",
    "alignment": "alignment",
    "alignf": "alignf",
    "easymkl": "easymkl",
    "MKL, p=1": MKLClassifier(C=10.0),
}
combiners = {name: KernelCombiner(w).fit(stack, y) for name, w in weightings.items()}
weights = np.array([combiner.weights_ for combiner in combiners.values()])

figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
image = ax.imshow(weights, cmap="Blues", vmin=0.0, vmax=0.5, aspect="auto")
for (row, column), weight in np.ndenumerate(weights):
    colour = "white" if weight > 0.3 else "black"
    ax.text(column, row, f"{weight:.2f}", ha="center", va="center", color=colour)
ax.set_xticks(range(len(X.names)), X.names)
ax.set_yticks(range(len(weightings)), weightings)
ax.set_title("kernel weights")

# %%
# "alignment" knows nothing of what kernels have in common: what is said twice counts twice.
# "alignf" needs only one of the two, and like multiple kernel learning gives the noise nothing.
# Exact copies would share the weight of one.
#
# One Gram matrix
# ---------------
# `transform` returns the weighted sum. Samples are sorted by digit: the more the blocks on the
# diagonal stand out, the more the kernel knows. To the noise all pairs of samples are about equally
# similar, which takes contrast from the mean.

shown = ("uniform", "alignf", "easymkl")
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
starts = np.flatnonzero(np.diff(y, prepend=-1))
middles = (starts + np.append(starts[1:], len(y))) / 2
for ax, name in zip(axes, shown, strict=True):
    gram = combiners[name].transform(stack)
    image = ax.imshow(gram, vmin=0.0, vmax=np.quantile(gram, 0.99))
    ax.set_xticks(middles, range(10))
    ax.set_yticks(middles, range(10))
    ax.set_title(name)
    figure.colorbar(image, ax=ax, shrink=0.8)

# %%
# Any machine
# -----------
# In a pipeline the weights are learned from the training fold only, and the weighting is one more
# parameter to search.

pipeline = make_pipeline(kernelizer, KernelCombiner(), SVC(kernel="precomputed", C=10.0))
folds = StratifiedKFold(5, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, {"kernelcombiner__weighting": list(weightings.values())}, cv=folds)
search.fit(X, y)
for name, score in zip(weightings, search.cv_results_["mean_test_score"], strict=True):
    print(f"{name:>10}: accuracy {score:.3f}")

best_view = {
    name: cross_val_score(
        make_pipeline(StandardScaler(), SVC(C=10.0)), views[name], y, cv=folds
    ).mean()
    for name in numerals.names
}
name = max(best_view, key=best_view.__getitem__)
print(f"best single modality, {name}: {best_view[name]:.3f}")

# %%
# Machines that know no classes take the same matrix. Here the weights come from 100 labelled
# samples, and the clusters from all 400.

labelled = rng.permutation(len(y))[:100]
few = stack[np.ix_(labelled, labelled)]
for name in ("uniform", "alignment", "alignf"):
    combiner = KernelCombiner(weightings[name]).fit(few, y[labelled])
    gram = KernelCombiner(combiner.weights_).fit_transform(stack)
    clusters = SpectralClustering(10, affinity="precomputed", random_state=0).fit_predict(gram)
    print(f"{name:>10}: adjusted Rand index {adjusted_rand_score(y, clusters):.3f}")
