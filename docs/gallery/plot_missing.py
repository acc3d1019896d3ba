"""
Samples that lack a modality
============================

Sensors fail, patients miss an appointment, and a model trained with two instruments meets a user
who has one. We describe handwritten digits in three ways, take away more and more of the
descriptions, and ask what is left of the accuracy: with kernels over what two samples both have
(``missing="marginalise"``), with the missing description predicted from the others
(``missing="impute"``), with complete samples only, and with a model for each description.
"""

# %%
# What is missing
# ---------------
# A row of NaN says that a sample lacks a description; in a list, so does None.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    MissingModalityWarning,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_mfeat

# "marginalise" where few training samples lack a description: what it costs is measured here.
warnings.simplefilter("ignore", MissingModalityWarning)

views, digit = load_mfeat(return_X_y=True)
NAMES = ["fou", "kar", "zer"]
rng = np.random.default_rng(0)
order = rng.permutation(len(digit))
train, test = order[:300], order[300:1000]


def take_away(rows, rate):
    """Return some digits, of which each description is missing at a rate, but one is left."""
    missing = rng.random((len(rows), len(NAMES))) < rate
    missing[np.arange(len(rows)), rng.integers(len(NAMES), size=len(rows))] = False
    parts = {name: views[name][rows] for name in NAMES}
    for part, gone in zip(parts.values(), missing.T, strict=True):
        part[gone] = np.nan
    return Modalities(parts)


X_train, X_test = take_away(train, 0.6), take_away(test, 0.6)
print(X_train)
there = X_train.present()
for name, share in zip(NAMES, there.mean(axis=0), strict=True):
    print(f"{share:4.0%} of the samples have {name}")
print(f"{there.all(axis=1).mean():4.0%} have all of them")


def model(missing, names=NAMES, normalize="cosine"):
    scaled = make_pipeline(StandardScaler(), RBFKernel())
    kernels = [(name, scaled, name) for name in names]
    kernelizer = ColumnKernelizer(kernels, missing=missing, normalize=normalize)
    return make_pipeline(kernelizer, MKLClassifier(C=10, p=2))


# %%
# By default missing descriptions are an error, which names them.

try:
    model("error").fit(X_train, digit[train])
except ValueError as error:
    print(error)

# %%
# More and more is missing
# ------------------------
# From training and from test samples alike. What does it compare with? A model that learns from
# complete samples only; and one model for each description, of which each test sample takes the one
# for the best description that it has (``kar``, then ``zer``, then ``fou``).

rates = [0.0, 0.2, 0.4, 0.6, 0.8]
methods = ["impute", "marginalise", "complete samples", "best description"]
accuracy = {method: [] for method in methods}
for rate in rates:
    X_train, X_test = take_away(train, rate), take_away(test, rate)
    there, there_test = X_train.present(), X_test.present()
    for missing in ("impute", "marginalise"):
        fitted = model(missing).fit(X_train, digit[train])
        accuracy[missing].append(fitted.score(X_test, digit[test]))
    whole = there.all(axis=1)
    fitted = model("marginalise").fit(X_train[whole], digit[train][whole])
    accuracy["complete samples"].append(fitted.score(X_test, digit[test]))
    guess = np.empty(len(test))
    for name in ("fou", "zer", "kar"):  # the better ones last: they have the last word
        has, has_test = there[:, NAMES.index(name)], there_test[:, NAMES.index(name)]
        alone = model("error", [name]).fit(X_train[has], digit[train][has])
        guess[has_test] = alone.predict(X_test[has_test])
    accuracy["best description"].append(np.mean(guess == digit[test]))

print(f"{'missing at rate':20s}", *(f"{rate:5.1f}" for rate in rates))
for method, values in accuracy.items():
    print(f"{method:20s}", *(f"{value:5.2f}" for value in values))

# %%
# Both ways lose little while descriptions are missing here and there, where leaving out incomplete
# samples soon costs most of the training set. To predict descriptions is a little better than to do
# without (an accuracy here is good to about 0.01). It does not help for ever: when most samples
# have one description only, fusion has nothing to fuse, and one model for each description, the
# simplest way of all, does as well as "impute" and better than "marginalise".
#
# How well can they be predicted?
# -------------------------------
# `imputation_scores_` says it: the cosine between the true and the predicted features of training
# samples, each left out in turn, less their mean. 1 would be perfect, 0 is what the mean says.

for rate in (0.0, 0.6):
    kernelizer = model("impute")[0].fit(take_away(train, rate))
    shown = {name: round(score, 2) for name, score in kernelizer.imputation_scores_.items()}
    print(f"missing at rate {rate}: {shown}")

# %%
# Trained with three, predicting with one
# ---------------------------------------
# Co-learning: all descriptions in training, one at predict (a modality that is absent altogether
# is missing in all samples). The part of a model that is left under "marginalise" was not made to
# stand alone, and does worse than a model of the one description. Kernels that are centred put what
# is missing at the mean of the training samples, which is far better for one of the descriptions
# and no better for the others. With "impute" it does about as well as the model of the one
# description, no better: what is predicted from a description holds nothing that it does not hold
# itself. What is gained is one model for whatever there is.

complete = views[train]
fitted = {
    "impute": model("impute"),
    "marginalise": model("marginalise"),
    "marginalise, centred": model("marginalise", normalize="center"),
}
for one in fitted.values():
    one.fit(complete, digit[train])
print(" " * 5, "alone", *fitted, sep="  ")
for name in NAMES:
    single = Modalities({name: views[name][test]})
    alone = model("error", [name]).fit(complete, digit[train]).score(single, digit[test])
    scores = [f"{one.score(single, digit[test]):{len(key)}.2f}" for key, one in fitted.items()]
    print(f"{name:5s}", f"{alone:5.2f}", *scores, sep="  ")

# %%
# Gram matrices
# -------------
# The mean of the three kernels between training samples sorted by digit, when nothing is missing
# and when descriptions are missing at a rate of 0.6. Two samples that have no description in common
# get 0 under "marginalise": the dark cells in the blocks of the digits. "impute" fills them, with
# values that are nearer to the mean than the true ones.

by_digit = train[np.argsort(digit[train], kind="stable")]
X_gappy = take_away(by_digit, 0.6)
grams = {
    "nothing missing": model("error")[0].fit_transform(views[by_digit]),
    "marginalise": model("marginalise")[0].fit_transform(X_gappy),
    "impute": model("impute")[0].fit_transform(X_gappy),
}
fig, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
for method, values in accuracy.items():
    axes[0].plot(rates, values, marker="o", label=method)
axes[0].set(xlabel="rate of missing descriptions", ylabel="accuracy", ylim=(0, 1))
axes[0].legend(fontsize="small")
for ax, (name, stack) in zip(axes[1:], grams.items(), strict=True):
    ax.imshow(stack.combine([1 / 3] * 3), vmin=0, vmax=1)
    ticks = [np.mean(np.flatnonzero(digit[by_digit] == one)) for one in range(10)]
    ax.set(title=name, xticks=[], yticks=ticks, yticklabels=range(10))
plt.show()
