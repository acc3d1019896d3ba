"""
A clinical table with mixed columns and gaps
============================================

A patient's record mixes numbers, grades and names, and has gaps. The kernels of this page take such
a table as it is: no encoding, no scaling, no imputation. We look at 442 diabetes patients, of whom
we want to know whose disease progresses faster than the median within a year.
"""

# %%
# The table
# ---------
# Scikit-learn ships the measurements in their own units. We restore what a record would have: the
# sex is a name, and the body mass index is noted as a class, whose levels have an order. Then we
# knock out a fifth of the cells.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from mkfusion import ClinicalKernel, ColumnKernelizer, FrequencyKernel, MKLClassifier, OverlapKernel

diabetes = load_diabetes(as_frame=True, scaled=False)
complete = diabetes.data.assign(
    sex=diabetes.data["sex"].map({1.0: "first", 2.0: "second"}),
    bmi=pd.cut(
        diabetes.data["bmi"], [0, 18.5, 25, 30, 99], labels=["under", "normal", "over", "obese"]
    ),
)
y = (diabetes.target > diabetes.target.median()).to_numpy()


def with_gaps(share, seed):
    return complete.mask(np.random.default_rng(seed).random(complete.shape) < share)


X = with_gaps(0.2, seed=0)
print(X.head())

# %%
# A kernel for it
# ---------------
# :class:`~mkfusion.ClinicalKernel` compares numbers and grades by their distance relative to the
# training range, and names by equality; a missing cell is as similar to a value as that value is to
# the training samples on average.

kernel = ClinicalKernel().fit(X)
print(*(f"{name}: {kind}" for name, kind in zip(X.columns, kernel.kinds_, strict=True)))

# %%
# Its matrix, with the patients sorted by progression, the slow half before the line. What all
# patients have in common is taken out by centring, which no kernel machine with an intercept
# notices: the two halves are similar within themselves.

by_progression = np.argsort(diabetes.target, kind="stable")
centred = ColumnKernelizer([("record", kernel, slice(None))], normalize="center")
gram = centred.fit_transform(X.iloc[by_progression]).gram(0)

fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
limit = np.quantile(np.abs(gram), 0.95)
image = ax.imshow(gram, cmap="RdBu_r", vmin=-limit, vmax=limit)
half = np.count_nonzero(~y)
ax.axhline(half - 0.5, color="black", lw=1)
ax.axvline(half - 0.5, color="black", lw=1)
ax.set(title="ClinicalKernel, centred", xlabel="slow to fast patients", ylabel="slow to fast")
fig.colorbar(image, label="similarity")
within, between = gram[:half, :half].mean(), gram[:half, half:].mean()
print(f"mean similarity within a half {within:+.4f}, between them {between:+.4f}")

# %%
# Against imputation
# ------------------
# The usual way is to fill the gaps first: with means, and with the most frequent names and levels.
# We give what comes out of that to the same kernel, and to a Gaussian one after scaling. All of it
# learns from the training folds only. Without gaps the first two are the same.

levels = list(complete["bmi"].cat.categories)
codes = make_pipeline(
    SimpleImputer(strategy="most_frequent"),
    OrdinalEncoder(categories=[["first", "second"], levels]),
)
imputed = make_column_transformer((codes, ["sex", "bmi"]), remainder=SimpleImputer())
models = {
    "ClinicalKernel": SVC(kernel=ClinicalKernel()),
    "imputation, ClinicalKernel": make_pipeline(imputed, SVC(kernel=ClinicalKernel())),
    "imputation, RBF": make_pipeline(imputed, StandardScaler(), SVC()),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
shares = [0.0, 0.2, 0.4]
curves = {
    name: [
        np.mean(
            [
                cross_val_score(model, with_gaps(share, seed), y, cv=folds, scoring="roc_auc")
                for seed in range(2)
            ]
        )
        for share in shares
    ]
    for name, model in models.items()
}
print(pd.DataFrame(curves, index=pd.Index(shares, name="missing")).round(3))

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for name, curve in curves.items():
    ax.plot(shares, curve, marker="o", label=name)
ax.set(xlabel="share of missing cells", ylabel="area under the ROC curve", xticks=shares)
ax.legend(frameon=False)

# %%
# A kernel for each part of the record
# -------------------------------------
# They are weighed by :class:`~mkfusion.MKLClassifier`. (Which part is worth most is another
# question, which weights do not answer: see :func:`mkfusion.inspection.shapley_values`.) With
# ``"auto"`` the kernelizer looks at the columns and says what it takes.

parts = {
    "person": ["age", "sex"],
    "body": ["bmi", "bp"],
    "blood": ["s1", "s2", "s3", "s4", "s5", "s6"],
}
kernelizer = ColumnKernelizer(
    [(name, "auto", columns) for name, columns in parts.items()], verbose=True
)
model = make_pipeline(kernelizer, MKLClassifier(p=1.5)).fit(X, y)
for name, weight in zip(model[-1].kernel_names_, model[-1].weights_, strict=True):
    print(f"{name:18} {weight:.2f}")

# %%
# Only categories
# ---------------
# For categories alone there are :class:`~mkfusion.OverlapKernel`, the share of equal ones, and
# :class:`~mkfusion.FrequencyKernel`, in which a rare category that two patients share counts more
# than a common one.

names = X[["sex", "bmi"]].dropna()
print(names["bmi"].value_counts(normalize=True).round(2).to_dict())
pairs = pd.DataFrame({"sex": "first", "bmi": ["normal", "obese"]})
for kernel in (OverlapKernel(), FrequencyKernel()):
    normal, obese = kernel.fit(names).diag(pairs)
    print(f"{kernel}: {normal:.2f} between two of normal weight, {obese:.2f} between two obese")

plt.show()
