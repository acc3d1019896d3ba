"""
Gates: kernel weights that depend on the sample
===============================================

Kernel weights say how much of the function lies in a modality, for all samples alike. Where a
sensor serves one group of samples and misleads about another, no such weights are right.
:class:`~mkfusion.LocalizedMKLClassifier` gives each sample weights of its own. The example shows a
problem that it was made for, and then, on data that were not, what it costs.
"""

# %%
# Two sensors that take turns
# ---------------------------
# Samples lie in two clusters in the plane. In the left one the first reading has the sign of the
# class, and the second the opposite sign; in the right one it is the other way round. The readings
# alone do not tell the clusters apart, and one can prove that *every* linear rule on both of them,
# so every machine on any weighted sum of their linear kernels, is right for half of the samples.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    KernelCombiner,
    LocalizedMKLClassifier,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_mfeat, load_sonar


def two_clusters(n, seed):
    rng = np.random.default_rng(seed)
    y, right = rng.choice([-1, 1], n), rng.choice([False, True], n)
    truth, lie = y * rng.uniform(0.5, 1.5, n), -y * rng.uniform(0.5, 1.5, n)
    centres = np.where(right, 1.0, -1.0)[:, np.newaxis] * [1.5, 0.5]
    return Modalities(
        first=np.where(right, lie, truth)[:, np.newaxis],
        second=np.where(right, truth, lie)[:, np.newaxis],
        position=centres + rng.normal(scale=0.5, size=(n, 2)),
    ), y


X, y = two_clusters(200, seed=0)
X_test, y_test = two_clusters(4000, seed=1)
kernelizer = ColumnKernelizer(
    [(name, "linear", name) for name in ("first", "second", "position")], normalize="trace"
)
stack = kernelizer.fit_transform(X)
test_stack = kernelizer.transform(X_test)

sensors, test_sensors = stack.select([0, 1]), test_stack.select([0, 1])
best = 0.0
for weight in np.linspace(0.0, 1.0, 21):
    pair = np.array([weight, 1.0 - weight])
    svc = SVC(kernel="precomputed", C=10.0).fit(sensors.combine(pair), y)
    best = max(best, svc.score(test_sensors.combine(pair), y_test))
print(f"best of 21 global weightings (chosen on the test set!): {best:.3f}")

# %%
# The position decides which sensor to believe: its kernel gates the two others, and is not part of
# the machine. The problem is not convex, so there are several starts; what each reached is kept.

model = LocalizedMKLClassifier(
    gating="softmax", gating_kernel="position", gating_only=True, random_state=0
).fit(stack, y)
print(f"gated: {model.score(test_stack, y_test):.3f}")
print("objective at the end of each start:", model.start_objectives_.round(2))

grid = np.linspace(-3.5, 3.5, 61)
plane = np.array([(u, v) for v in grid for u in grid])
nothing = np.zeros((len(plane), 1))
there = kernelizer.transform(Modalities(first=nothing, second=nothing, position=plane))
gate = model.gate(there)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
for k, ax in enumerate(axes):
    image = ax.pcolormesh(
        grid, grid, gate[:, k].reshape(61, 61), cmap="PuOr", vmin=0.0, vmax=1.0, shading="gouraud"
    )
    for label, marker in ((-1, "o"), (1, "^")):
        shown = y == label
        at = X["position"][shown]
        ax.scatter(
            *at.T, s=18, marker=marker, c="white", edgecolors="black", label=f"class {label}"
        )
    ax.set_title(f"gate of the {X.names[k]} sensor")
    ax.set_xlabel("position")
axes[0].legend(loc="upper left")
figure.colorbar(image, ax=axes)

# %%
# Gates are not the only way. A machine on *products* of kernels, position times sensor, can express
# the same rule, and is convex. Gates say more plainly what they do.

position, first, second = (stack.gram(k) for k in (2, 0, 1))
products = [(1.0 + position) * reading for reading in (first, second)]
position, first, second = (test_stack.gram(k) for k in (2, 0, 1))
test_products = [(1.0 + position) * reading for reading in (first, second)]
interaction = MKLClassifier(C=1.0).fit(products, y)
print(f"products of kernels: {interaction.score(test_products, y_test):.3f}")

# %%
# The gated kernel, samples sorted by cluster and class: what one cluster says no longer reaches the
# other, and within each the classes are two blocks.

order = np.lexsort((y, X["position"][:, 0] > 0))
eta = model.gate(stack)
gated = sum(np.outer(eta[:, k], eta[:, k]) * stack.gram(k) for k in (0, 1))
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for ax, gram, title in (
    (axes[0], sensors.combine([0.5, 0.5]), "mean of the sensors"),
    (axes[1], gated, "gated sensors"),
):
    image = ax.imshow(gram[np.ix_(order, order)], cmap="RdBu", vmin=-2.0, vmax=2.0)
    ax.set_title(title)
figure.colorbar(image, ax=axes)

# %%
# Data that nobody made for it
# ----------------------------
# Sonar returns, three ranges of frequencies as modalities; and numerals in six descriptions, 300 of
# them. Both kinds of gates see all kernels. The penalty on the gates is chosen by cross-validation
# within the training folds.

returns, materials = load_sonar(return_X_y=True)
bands = returns["bands"]
numerals, digits = load_mfeat(return_X_y=True)
chosen = np.random.default_rng(0).permutation(len(digits))[:300]
problems = {
    "sonar": (
        ColumnKernelizer([(f"from {i}", RBFKernel(), slice(i, i + 20)) for i in (0, 20, 40)]),
        bands,
        materials,
        5,
    ),
    "numerals": (
        ColumnKernelizer(
            [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in numerals.names]
        ),
        numerals[chosen],
        digits[chosen],
        3,
    ),
}
gated_models = {
    gating: GridSearchCV(
        LocalizedMKLClassifier(C=10.0, gating=gating, n_init=1),
        {"gating_ridge": [0.1, 10.0]},
        cv=3,
    )
    for gating in ("sigmoid", "softmax")
}
models = {
    "uniform": make_pipeline(KernelCombiner(), SVC(kernel="precomputed", C=10.0)),
    "MKL, p=2": MKLClassifier(C=10.0, p=2.0),
    **gated_models,
}
for problem, (kernels, samples, labels, n_folds) in problems.items():
    folds = RepeatedStratifiedKFold(n_splits=n_folds, n_repeats=1, random_state=0)
    for name, machine in models.items():
        scores = cross_val_score(make_pipeline(kernels, machine), samples, labels, cv=folds)
        error = scores.std(ddof=1) / np.sqrt(len(scores))
        print(f"{problem:>8}, {name:>8}: accuracy {scores.mean():.3f} (standard error {error:.3f})")

# %%
# Gates do no better than weights that are the same for all samples: here all modalities help for
# all samples. On the numerals softmax gates do worse, since they make kernels compete: the
# composite of m equal kernels at uniform gates is one of them divided by m, so choosing one lowers
# the objective even where sharing would predict better. Gates are for data where one has a reason
# to believe that modalities take turns, and even then worth a comparison.
