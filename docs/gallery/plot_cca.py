"""
What two modalities share, and how to be sure of it
===================================================

Canonical correlation analysis finds the combinations of columns of one modality that go with
combinations of columns of another. It always finds some: this page shows first how large
correlations of nothing are, and then what holds in two descriptions of handwritten digits.
"""

# %%
# Correlations of nothing
# -----------------------
# Two modalities of pure noise, ten times. The correlation of the samples that the weights were
# fitted to grows with the number of columns until it is 1; that of held-out samples stays around 0,
# where the truth is. A permutation test is not fooled either: its p-values are anywhere between 0
# and 1.

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    CCA,
    CCAFusion,
    KernelCCA,
    Modalities,
    MultisetCCA,
    canonical_permutation_test,
    cross_validated_correlations,
)
from mkfusion.datasets import load_mfeat

rng = np.random.default_rng(0)
splits = ShuffleSplit(10, test_size=0.25, random_state=0)
cca = CCA(n_components=1)
rows = []
for n_samples, n_columns in [(1000, 5), (100, 5), (100, 10), (100, 20), (100, 35)]:
    repeated = []
    for _ in range(10):
        A, B = rng.normal(size=(2, n_samples, n_columns))
        found = cross_validated_correlations(cca, A, B, cv=splits)
        test = canonical_permutation_test(cca, A, B, n_permutations=100, random_state=0)
        repeated.append((found.training.mean(), found.held_out.mean(), test.p_values[0]))
    rows.append((n_samples, f"{n_columns} + {n_columns}", *np.mean(repeated, axis=0)))
names = ["samples", "columns", "in-sample", "held out", "mean p-value"]
print(pd.DataFrame(rows, columns=names).round(2).to_string(index=False))

# %%
# With more columns than samples all canonical correlations are 1, for any data. `fit` warns of that
# rather than to report them as a discovery.
#
# Two descriptions of digits
# --------------------------
# Fourier coefficients of the outlines, which do not change when a digit is turned, and the pixels
# themselves: 76 and 240 columns. We take 250 digits, fewer than columns, and look at how much
# regularisation the correlations of held-out digits want: 0 would be canonical correlation
# analysis, 1 is partial least squares.

X, y = load_mfeat(return_X_y=True)
views = Modalities(fourier=X["fou"], pixels=X["pix"])
order = rng.permutation(len(y))
few, others = views[order[:250]], views[order[250:]]

search = GridSearchCV(
    CCA(n_components=5),
    {"regularisation": [0.001, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0]},
    cv=ShuffleSplit(5, test_size=0.3, random_state=0),
    return_train_score=True,
).fit(few)
curve = pd.DataFrame(search.cv_results_)
ridges = curve["param_regularisation"].astype(float)

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.semilogx(ridges, curve["mean_train_score"], marker="o", label="in-sample")
ax.semilogx(ridges, curve["mean_test_score"], marker="o", label="held out")
ax.set(xlabel="regularisation", ylabel="mean correlation of 5 components", ylim=(0, 1.05))
ax.legend(frameon=False)

# %%
# What the search chose, on 1,750 digits that it has never seen. The permutation test says how many
# of the components are there at all.

cca = search.best_estimator_
test = canonical_permutation_test(cca, few, n_permutations=300, random_state=0)
print(f"regularisation {cca.regularisation}")
print(
    pd.DataFrame(
        {
            "in-sample": cca.canonical_correlations_,
            "new digits": cca.correlations(others),
            "p-value": test.p_values,
        }
    ).round(3)
)

# %%
# What the components are
# -----------------------
# Weights of columns that are correlated say little: a column's weight can have either sign. Its
# *loading*, the correlation with the score, is what to read. For pixels it is a picture: digits
# with ink where it is red have high scores.

fig, axes = plt.subplots(1, 5, figsize=(9, 2.4), layout="constrained")
for j, ax in enumerate(axes):
    image = ax.imshow(cca.loadings_[1][:, j].reshape(16, 15), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=f"component {j + 1}", xticks=[], yticks=[])
fig.colorbar(image, ax=axes, label="loading")
shares = pd.DataFrame(cca.explained_variance_ratio_, index=cca.modality_names_)
print("share of each modality's variance that a component explains")
print(shares.round(3))

# %%
# In the plane of two components, a digit's Fourier description and its pixels lie close together,
# and digits of a kind come together although no label was used.

fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, name in zip(axes, views.names, strict=True):
    scores = cca.transform_modality(others[name], name)
    ax.scatter(*scores[:, :2].T, c=y[order[250:]], cmap="tab10", s=6)
    ax.set(title=name, xlabel="component 1")
handles = ax.collections[0].legend_elements()
axes[0].set_ylabel("component 2")
ax.legend(*handles, ncols=2, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")

# %%
# More than two modalities
# ------------------------
# :class:`~mkfusion.MultisetCCA` takes any number. Its "maxvar" says how much each modality takes
# part in a component (`shares_`), and its "sumcor", which is not a convex problem, proves how far
# from the optimum it can be at most (`gap_`).

six = X[order[:1000]]
for method in ("maxvar", "sumcor"):
    start = time.perf_counter()
    multi = MultisetCCA(n_components=3, method=method, regularisation=0.1).fit(six)
    seconds = time.perf_counter() - start
    held_out = multi.correlations(X[order[1000:]]).round(2)
    print(f"{method}: new digits {held_out}, gap {multi.gap_.max():.0e}, {seconds:.1f} s")
    if method == "maxvar":
        print(pd.DataFrame(multi.shares_, index=multi.modality_names_).round(2).T)

# %%
# Relations that are not lines
# ----------------------------
# :class:`~mkfusion.KernelCCA` looks for functions of any shape, and at modalities without columns.
# Its in-sample correlations say even less than those of CCA.

train, new = views[order[:700]], views[order[1000:]]
kernel = KernelCCA(n_components=5, regularisation=0.001).fit(train)
linear = CCA(n_components=5, regularisation=0.1).fit(train)
print(
    pd.DataFrame(
        {
            "linear, in-sample": linear.canonical_correlations_,
            "linear, new": linear.correlations(new),
            "kernel, in-sample": kernel.canonical_correlations_,
            "kernel, new": kernel.correlations(new),
        }
    ).round(2)
)

# %%
# Shared and private, for a classifier
# ------------------------------------
# :class:`~mkfusion.CCAFusion` splits modalities into what they share and what each has alone. Which
# of it tells the digits apart? A grid search over the parts is the answer.

parts = [["shared"], ["fourier"], ["pixels"], ["shared", "fourier"], ["shared", "pixels"], None]
fusion = make_pipeline(
    CCAFusion(n_components=9, n_private=20), StandardScaler(), LogisticRegression(C=0.1)
)
search = GridSearchCV(
    fusion,
    {"ccafusion__parts": parts},
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
).fit(train, y[order[:700]])
table = pd.DataFrame(
    {
        "parts": ["everything" if part is None else " + ".join(part) for part in parts],
        "accuracy": search.cv_results_["mean_test_score"].round(3),
    }
)
print(table.to_string(index=False))
print(f"best parts on new digits: {search.score(new, y[order[1000:]]):.3f}")

plt.show()
