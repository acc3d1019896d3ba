"""
More samples than Gram matrices have room for
=============================================

A kernel on n samples is n² numbers: 8 MB for 1,000 samples, 3.2 GB for 20,000. A
:class:`~mkfusion.KernelStack` need not hold them. This page fits the same model on six descriptions
of handwritten digits with the matrices in memory, in a file, approximated by a few of their
columns, and replaced by random features, and compares what is lost with what is saved.
"""

# %%
# The data, and the exact answer
# ------------------------------
# Half of the 2,000 digits are for training. Each description gets an RBF kernel of median width.

import tempfile
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    KernelStack,
    LinearKernel,
    MKLClassifier,
    NystroemKernels,
    RBFKernel,
)
from mkfusion.datasets import load_mfeat

X, y = load_mfeat(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
n, m = len(X_train), len(X.names)

kernelizer = ColumnKernelizer(
    [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in X.names]
)
train, test = kernelizer.fit_transform(X_train), kernelizer.transform(X_test)
MKLClassifier().fit(train[:60, :60], y_train[:60])  # the first fit compiles

results = {}


def fit(name, train, test, numbers):
    """Fit on a stack, and note accuracy, time and memory."""
    start = perf_counter()
    model = MKLClassifier(C=10, p=2).fit(train, y_train)
    seconds = perf_counter() - start
    results[name] = model.score(test, y_test), seconds, 8e-6 * numbers
    print("{:28s} accuracy {:.3f}   fit {:5.2f} s   {:7.2f} MB".format(name, *results[name]))
    return model


exact = fit("in memory", train.materialize(), test, m * n * n)

# %%
# In a file
# ---------
# Kernels that are expensive, or that several people use, are computed once and kept. `save` writes
# some rows at a time, so that the stack need not fit into memory then either; `load` opens the file
# and reads nothing. A fit reads what it needs: all of it up to 2 GB, beyond that what it takes to
# find and to certify the support vectors. The answer is the same.

path = Path(tempfile.mkdtemp()) / "digits.npy"
train.save(path)
stored = KernelStack.load(path)
print(stored)
model = fit("in a file", stored, test, numbers=0)
print(f"objective {model.objective_:.3f}, in memory {exact.objective_:.3f}")

# %%
# Arrays that NumPy mapped itself, ``KernelStack(np.load(file, mmap_mode="r"))`` or a list of such
# arrays, one for each kernel, are left in their files too.
#
# A few columns of each kernel
# ----------------------------
# :class:`~mkfusion.NystroemKernels` looks at the columns of a few landmarks, and stops when what
# they leave unexplained is a given share of the kernel's trace. The kernels of the kernelizer are
# computed on demand, so that no other column ever is.

for tol in (0.5, 0.3, 0.2, 0.1):
    nystroem = NystroemKernels(tol, random_state=0)
    low = nystroem.fit_transform(train)
    model = fit(f"Nyström, tol={tol}", low, nystroem.transform(test), n * nystroem.ranks_.sum())
print("landmarks of", dict(zip(X.names, nystroem.ranks_.tolist(), strict=True)))

# %%
# How much worse can the model be for it? Its objective is at least that of the exact problem, and
# above it by at most half the difference of two norms: of the quadratic forms of its dual variables
# with the exact kernels, and with the approximate ones. That takes one look at the support vectors.

beta = np.zeros((10, n))
beta[:, model.support_] = model.dual_coef_
forms = [sum(stack.quadratic(b) for b in beta) for stack in (train, low)]
most = 0.5 * (np.linalg.norm(forms[0]) - np.linalg.norm(forms[1]))
print(
    f"objective {model.objective_:.1f}, at most {most:.1f} too high; exact {exact.objective_:.1f}"
)

# %%
# Random features
# ---------------
# An RBF kernel is about the inner product of random cosines. A pipeline that ends in a linear
# kernel stays what it is, features: no Gram matrix is made of them either. They know nothing of the
# data, and need more numbers than landmarks do for the same accuracy.

gammas = [kernel.kernel.gamma_ for kernel in kernelizer.kernels_]
for n_components in (10, 30, 100, 300):
    cosines = ColumnKernelizer(
        [
            (
                name,
                make_pipeline(
                    StandardScaler(),
                    RBFSampler(gamma=gamma, n_components=n_components, random_state=0),
                    LinearKernel(),
                ),
                name,
            )
            for name, gamma in zip(X.names, gammas, strict=True)
        ]
    )
    features = cosines.fit_transform(X_train)
    name = f"{n_components} random features"
    fit(name, features, cosines.transform(X_test), n * m * n_components)

# %%
# Features of any origin make a stack by :meth:`KernelStack.from_features`, sparse ones too.
#
# Which rank, and what it costs
# -----------------------------
# Which error is possible with a rank is known from the eigenvalues. Landmarks need about twice the
# rank, for a simple description (`mor`, six numbers) as for a rich one (`kar`). What is left out
# says little of the classes: without a third of the trace, in a twentieth of the memory, the
# accuracy is the same.

figure, axes = plt.subplot_mosaic([["rank", "accuracy"], ["exact", "low"]], figsize=(9, 8.5))
ranks = [1, 3, 10, 30, 100, 300]
found = [NystroemKernels(0, rank=rank, random_state=0).fit(train).residuals_ for rank in ranks]
for k, name in enumerate(X.names):
    if name not in ("mor", "fac", "kar"):
        continue
    (line,) = axes["rank"].plot(ranks, np.array(found)[:, k], "o-", label=name)
    values = np.linalg.eigvalsh(train.gram(k))[::-1]
    best = 1 - np.cumsum(values)[: ranks[-1]] / values.sum()
    axes["rank"].plot(np.arange(len(best)) + 1, best, ":", color=line.get_color())
axes["rank"].set(
    xscale="log",
    xlabel="landmarks",
    ylabel="share of the trace left",
    title="Rank and residual (dotted: best possible)",
)
axes["rank"].legend()

for label, marker in (("Nyström", "o-"), ("random", "s-")):
    some = [values for name, values in results.items() if label in name]
    axes["accuracy"].plot([s[2] for s in some], [s[0] for s in some], marker, label=label)
accuracy, _, memory = results["in memory"]
axes["accuracy"].plot([memory], [accuracy], "k*", markersize=12, label="exact")
axes["accuracy"].set(
    xscale="log", xlabel="MB kept for training", ylabel="test accuracy", title="What it costs"
)
axes["accuracy"].legend()

by_class = np.argsort(y_train, kind="stable")
low = NystroemKernels(0.5, random_state=0).fit_transform(train)
for place, stack, title in (("exact", train, "fac, exact"), ("low", low, "fac, half of its trace")):
    gram = stack.select("fac:rbf")[np.ix_(by_class, by_class)].gram(0)
    axes[place].imshow(gram, vmin=0, vmax=1)
    axes[place].set(title=title, xticks=[], yticks=[], xlabel="training digits, sorted by class")
figure.tight_layout()
plt.show()
