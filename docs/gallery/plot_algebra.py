"""
Kernel algebra, and one kernel for every machine
================================================

Kernels are added, multiplied, scaled and raised to powers like numbers. What comes out is a kernel
again, and any kernel machine of scikit-learn takes it; the sum whose weights multiple kernel
learning has found is one too. We recognise activities from two sensors of a smart watch, and
handwritten digits from six descriptions of them.
"""

# %%
# Two sensors in one expression
# -----------------------------
# ``on`` binds a kernel to a modality. The product of two such kernels compares two windows by both
# sensors at once, which is tensor fusion; their sum lets either speak for itself.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    CompositeKernel,
    LinearKernel,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_basic_motions, load_mfeat

signals, activity = load_basic_motions(return_X_y=True)
windows = Modalities(
    accel=signals["accelerometer"].mean(axis=2), gyro=signals["gyroscope"].mean(axis=2)
)
accel, gyro = RBFKernel().on("accel"), RBFKernel().on("gyro")
expressions = {
    "accel": accel,
    "gyro": gyro,
    "accel + gyro": accel + gyro,
    "accel * gyro": accel * gyro,
    "(accel + 1) * (gyro + 1)": (accel + 1) * (gyro + 1),
    "0.5 * accel**2 + gyro": 0.5 * accel**2 + gyro,
}
for name, kernel in expressions.items():
    scores = cross_val_score(SVC(kernel=kernel, C=10), windows, activity, cv=5)
    print(f"{name:26s} accuracy {scores.mean():.2f}")

# %%
# The widths of the RBF kernels were learned from each training fold. To search them instead, call
# them by their names: a part goes by its modality, or by its kind as in `make_pipeline`.

kernel = accel * gyro + LinearKernel().on("accel")
print([name for name in kernel.get_params() if name.endswith("gamma")])
search = GridSearchCV(
    SVC(kernel=accel * gyro, C=10),
    {"kernel__accel__gamma": ["median", 0.1, 1.0], "kernel__gyro__gamma": ["median", 0.01]},
    cv=5,
).fit(windows, activity)
print(search.best_params_, f"accuracy {search.best_score_:.2f}")

# %%
# The Gram matrices, with windows sorted by activity. The product is large only where both sensors
# agree.

by_activity = windows[np.argsort(activity, kind="stable")]


def show_gram(ax, gram, title, classes):
    """Draw a Gram matrix of samples sorted by class, all classes of one size."""
    ax.imshow(gram)
    ax.set(title=title, xticks=[], yticks=[])
    if ax is axes[0]:
        size = len(gram) / len(classes)
        ax.set_yticks(size * (np.arange(len(classes)) + 0.5), classes)


fig, axes = plt.subplots(1, 4, figsize=(12, 3), layout="constrained")
names = ["accel", "gyro", "accel + gyro", "accel * gyro"]
for ax, name in zip(axes, names, strict=True):
    show_gram(ax, expressions[name](by_activity), name, np.unique(activity))

# %%
# A kernel that was learned
# -------------------------
# Multiple kernel learning weighs the six descriptions of the digits. `CompositeKernel` makes one
# kernel of the fitted pipeline, with its kernels, their normalisation and its weights.

views, digit = load_mfeat(return_X_y=True)
some = np.isin(digit, [3, 5, 8, 9]) & (np.arange(len(digit)) % 4 == 0)
X = np.hstack([views[name][some] for name in views.names])
y = digit[some]
stops = np.cumsum([views[name].shape[1] for name in views.names])
columns = [slice(*ends) for ends in zip([0, *stops[:-1]], stops, strict=True)]
entries = [(name, RBFKernel(), part) for name, part in zip(views.names, columns, strict=True)]

X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
learned = make_pipeline(ColumnKernelizer(entries), MKLClassifier(C=10, p=2)).fit(X_train, y_train)
composite = CompositeKernel.from_pipeline(learned)
for name, weight in zip(composite.kernel_names_, composite.weights, strict=True):
    print(f"{name:8s} weight {weight:.2f}")

# %%
# It goes into any machine as it is, and is the same in copies of it, in a grid search for example.
# (What a machine learns by itself it learns from the training samples alone; that these have seen
# the weights before is to be remembered where scores matter.)

gaussian_process = GaussianProcessClassifier(kernel=10.0 * composite)
components = make_pipeline(KernelPCA(10, kernel=composite), LogisticRegression())
for machine in (SVC(kernel=composite, C=10), gaussian_process, components):
    accuracy = machine.fit(X_train, y_train).score(X_test, y_test)
    print(f"{type(machine).__name__:26s} accuracy {accuracy:.2f}")
clusters = SpectralClustering(4, affinity=composite, random_state=0).fit_predict(X)
print(f"SpectralClustering         adjusted Rand index {adjusted_rand_score(y, clusters):.2f}")

# %%
# Gram matrices of two descriptions and of the composite, samples sorted by digit, and all samples
# by the first two kernel principal components.

by_digit = X[np.argsort(y, kind="stable")]
grams = {
    "mor": RBFKernel().on(columns[5])(by_digit),
    "kar": RBFKernel().on(columns[2])(by_digit),
    "composite": composite(by_digit),
}
fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for ax, (name, gram) in zip(axes, grams.items(), strict=False):
    show_gram(ax, gram, name, np.unique(y))
points = KernelPCA(2, kernel=composite).fit(X_train).transform(X)
for number in np.unique(y):
    axes[3].scatter(*points[y == number].T, s=8, label=number)
axes[3].set(title="kernel PCA", xticks=[], yticks=[])
axes[3].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
