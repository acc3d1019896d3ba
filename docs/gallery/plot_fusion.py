"""
Early, late and gated fusion
============================

Before kernels are fused, the plain ways to fuse deserve their best: one classifier on all features
(:class:`~mkfusion.EarlyFusionClassifier`), one per modality and a rule that combines them
(:class:`~mkfusion.LateFusionClassifier`), weights that depend on the sample
(:class:`~mkfusion.GatedFusionClassifier`), and one modality that the others correct
(:class:`~mkfusion.ModalityShiftClassifier`).
"""

# %%
# Four descriptions of numerals
# -----------------------------
# Handwritten numerals in four descriptions, of 6 to 240 features: profiles, Karhunen-Loève
# coefficients, pixels and shape. We take 300 of the 2000, and add a fifth modality that is nothing
# but noise: in practice, nobody tells us which one that is. The classifier is logistic regression
# on scaled features, everywhere.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    EarlyFusionClassifier,
    GatedFusionClassifier,
    LateFusionClassifier,
    Modalities,
    ModalityShiftClassifier,
)
from mkfusion.datasets import load_mfeat

numerals, digits = load_mfeat(return_X_y=True)
rng = np.random.default_rng(0)
chosen = rng.permutation(len(digits))[:300]
views = {name: numerals[name][chosen] for name in ("fac", "kar", "pix", "mor")}
views["noise"] = rng.normal(size=(300, 100))
X, y = Modalities(**views), digits[chosen]
print(X)

# %%
# The same folds for all
# ----------------------
# Whatever a fusion learns about its modalities, it learns within the training part: weights,
# stacking and gates from predictions out of fold.

one = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
strong = LogisticRegression(C=10.0)  # block scaling makes features small
models = {f"{name} alone": LateFusionClassifier([(name, one, name)]) for name in X.names} | {
    "early": EarlyFusionClassifier(strong),
    "early, blocks not scaled": EarlyFusionClassifier(
        LogisticRegression(C=0.1), block_scaling=False
    ),
    "late, mean": LateFusionClassifier(estimator=one),
    "late, learned weights": LateFusionClassifier(estimator=one, weighting="learned", cv=3),
    "late, OGR": LateFusionClassifier(estimator=one, weighting="ogr", cv=3),
    "late, product": LateFusionClassifier(estimator=one, combine="product"),
    "late, vote": LateFusionClassifier(estimator=one, combine="vote"),
    "late, stack": LateFusionClassifier(estimator=one, combine="stack", cv=3),
    "gated": GatedFusionClassifier(estimator=one, cv=3),
    "shift of pix": ModalityShiftClassifier("pix", one, cv=3),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = {}
for name, model in models.items():
    scoring = {"accuracy": "accuracy"}
    if hasattr(model, "predict_proba"):
        scoring["log loss"] = "neg_log_loss"
    scores[name] = cross_validate(model, X, y, cv=folds, scoring=scoring)

figure, axes = plt.subplots(1, 2, figsize=(10, 5.5), sharey=True, layout="constrained")
rows = np.arange(len(models))[::-1]
for ax, measure, sign in zip(axes, ("accuracy", "log loss"), (1, -1), strict=True):
    for row, (name, score) in zip(rows, scores.items(), strict=True):
        folds_of = sign * score.get(f"test_{measure}", np.full(5, np.nan))
        colour = "0.5" if name.endswith("alone") else "C0"
        ax.plot([folds_of.min(), folds_of.max()], [row, row], color=colour, alpha=0.5)
        ax.plot(folds_of, np.full(5, row), ".", color=colour, alpha=0.5)
        ax.plot(folds_of.mean(), row, "o", color=colour)
        if measure == "accuracy":
            print(f"{name:>24}: accuracy {folds_of.mean():.3f}")
    ax.set_xlabel(f"{measure}, 5 folds and their mean")
axes[0].set_yticks(rows, models)
axes[0].set_xlim(0.65, 1.01)
axes[1].set_xlim(0.0, 1.1)

# %%
# (The noise alone, at 0.1, is left of the picture.) The best fusions beat the best single modality,
# but not by more than folds differ among each other: three hundred samples cannot rank them, and
# some fusions do not beat it at all. Probabilities tell more. A mean of five is too cautious for
# all it knows; learned weights, stacking and gates mend that, and accuracy need not follow.
#
# Who remembers, and who knows
# ----------------------------
# Let the noise have a nearest neighbour for its classifier. In training it is always right. What is
# learned out of fold is not deceived.

nearest = KNeighborsClassifier(n_neighbors=1)
experts = [(name, nearest if name == "noise" else one, name) for name in X.names]
weightings = {
    name: LateFusionClassifier(experts, weighting=name, cv=3).fit(X, y)
    for name in ("uniform", "learned", "ogr")
}
print(f"noise in training: {weightings['ogr'].estimators_[-1].score(X['noise'], y):.2f}")
print(f"noise out of fold: {weightings['ogr'].modality_scores_['noise']:.2f}")
gated = GatedFusionClassifier(experts, cv=3).fit(X, y)

figure, ax = plt.subplots(figsize=(7.5, 3), layout="constrained")
shown = {name: fusion.weights_ for name, fusion in weightings.items()} | {"gated": gated.weights_}
for shift, (name, weights) in zip((-0.3, -0.1, 0.1, 0.3), shown.items(), strict=True):
    ax.bar(np.arange(len(weights)) + shift, weights, width=0.2, label=name)
ax.set_xticks(range(len(X.names)), X.names)
ax.set_ylabel("weight")
ax.legend()

# %%
# The noise gets nothing of what is learned. OGR likes the six features of "mor", which know less
# but overfit least; learned weights ask only what the mixture says out of fold, and settle on the
# best. The gate's weights differ between samples; the bars are their means.
#
# Where nobody is always right
# ----------------------------
# These numerals leave a gate little to do: the same descriptions are good for all of them. It pays
# where the better modality changes from sample to sample, and something tells which it is. Here,
# half of the samples have got somebody else's pixels, and half somebody else's profiles; a
# third modality, "quality", is a noisy sign of which. Experts that learn from so much that is wrong
# need a strong penalty.

swapped = rng.permutation(len(y)) % 2 == 0
other = rng.permutation(len(y))
broken = Modalities(
    pix=np.where(swapped[:, np.newaxis], X["pix"][other], X["pix"]),
    fac=np.where(swapped[:, np.newaxis], X["fac"], X["fac"][other]),
    quality=(swapped + 0.3 * rng.normal(size=len(y)))[:, np.newaxis],
)
both = [("pix", "pix"), ("fac", "fac")]
careful = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
for name, model in {
    "pix alone": LateFusionClassifier(estimator=careful, modalities=both[:1]),
    "fac alone": LateFusionClassifier(estimator=careful, modalities=both[1:]),
    "early": EarlyFusionClassifier(LogisticRegression(C=1.0)),
    "late, learned weights": LateFusionClassifier(
        estimator=careful, modalities=both, weighting="learned", cv=3
    ),
    "gated by quality": GatedFusionClassifier(
        estimator=careful, modalities=both, gate_on=[("quality", "quality")], cv=3
    ),
}.items():
    found = cross_validate(model, broken, y, cv=folds)["test_score"]
    print(f"{name:>24}: accuracy {found.mean():.3f}, {found.min():.3f} to {found.max():.3f}")
