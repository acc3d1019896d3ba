"""
Does fusing help? Three data sets, three answers
================================================

:func:`~mkfusion.compare.compare_fusion` trains every modality alone and many ways of fusing them,
on the same folds of a nested cross-validation, and tests whether the modalities say what the others
do not. It says whether fusion helps, which modality carries it, and whether modalities interact or
only add up: by how much, and how sure that is. Often it is undecided, and then it says so.
"""

# %%
# Where it helps
# --------------
# How diabetes of 442 patients progresses in a year, from what a physician sees (age, sex, body
# mass, blood pressure) and from six values of the blood. ``fast=True`` draws folds once and tries
# fewer values of what is tuned, here and below, to keep the example short.

from sklearn.datasets import load_breast_cancer, load_diabetes

from mkfusion.compare import compare_fusion
from mkfusion.datasets import load_basic_motions

X, y = load_diabetes(return_X_y=True, as_frame=True)
modalities = [("body", ["age", "sex", "bmi", "bp"]), ("blood", slice("s1", "s6"))]
diabetes = compare_fusion(X, y, modalities, task="regression", fast=True)
print(diabetes)

# %%
# Points are folds, squares means, bars their intervals. The dashed line is the best single
# modality. It is not the one with the best test scores, which would be the luckiest as well: it is
# chosen within the training samples of each fold, and so is the best fusion method that the verdict
# is on.

diabetes.plot()

# %%
# Information comes first: neither says all that the other says, and each adds to the other.

print(diabetes.to_frame("information").round(3))

# %%
# The verdict is on one comparison that was planned. Each method on its own is one of ten, and five
# folds are few for so many: with Holm's correction none of them is sure.

print(diabetes.to_frame("comparisons")[["method", "difference", "p_value", "p_adjusted"]][:11])

# %%
# Which modality carries it? What all of them have above knowing nothing is shared among them by
# their Shapley values. *Alone* is what a modality has without the others, *last* what it adds to
# them: body and blood each add something to the other, but less than they have alone, so some of
# what they say is the same.

print(diabetes.to_frame("contributions").round(3))

# %%
# Do they interact? Blood may mean something else in another body: ``p_value`` tests it. A machine
# on the kernels and their products can use that; its *projection* is what is left of it without
# interactions.

print(diabetes.to_frame("interactions").round(3).T)

# %%
# Where it is undecided
# ---------------------
# Cells of 569 breast tumours under the microscope: ten measurements of the nuclei by their mean, by
# their standard error, and by the worst of them. The worst tells nearly everything. Fusion gains
# half a percent, which may as well be chance.

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
modalities = [("mean", slice(0, 10)), ("error", slice(10, 20)), ("worst", slice(20, 30))]
simple = ["early", "uniform", "alignment", "l1_mkl", "lp_mkl", "products"]
cancer = compare_fusion(X, y == 0, modalities, methods=simple, fast=True)
print(cancer)
cancer.plot()

# %%
# All three have much alone, and hardly anything is left for the one that is added last: they say
# the same. So does the alignment of their kernels, which is about all samples, and not a score.

print(cancer.to_frame("contributions").round(3))
print(cancer.alignment_.to_frame().round(2))

# %%
# Where one sensor suffices
# -------------------------
# Four activities, seen by the accelerometer and the gyroscope of a smart watch. The accelerometer
# makes no error: there is nothing to gain, and the comparison says that it cannot know.

X, y = load_basic_motions(return_X_y=True)
motions = compare_fusion(X, y, methods=["early", "uniform", "l1_mkl", "products"], fast=True)
print(motions)
print(motions.to_frame("contributions").round(3))

# %%
# For a paper
# -----------
# ``to_html(path)`` writes all of this, with tables, a paragraph on methods and its references, into
# one file that needs nothing else; `to_markdown` into text.

report = motions.to_markdown()
print(report[report.index("## Methods") :])
