"""
Regression and novelties with learned kernel weights
====================================================

:class:`~mkfusion.MKLRegressor` learns kernel weights together with a support vector regression or a
kernel ridge regression; :class:`~mkfusion.MKLNoveltyDetector` with a one-class machine. Both come
with the same certificate as the classifier.
"""

# %%
# Which measurements predict how diabetes progresses? Two modalities, the body and the blood; each
# training fold chooses its kernels' widths and weights.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import ColumnKernelizer, MKLNoveltyDetector, MKLRegressor, RBFKernel
from mkfusion.datasets import load_mfeat

X, y = load_diabetes(return_X_y=True, as_frame=True)
body, blood = ["age", "sex", "bmi", "bp"], list(X.columns[4:])
rbf = make_pipeline(StandardScaler(), RBFKernel())
kernels = {"body": [("body", rbf, body)], "blood": [("blood", rbf, blood)]}
kernels["both"] = kernels["body"] + kernels["blood"]
folds = KFold(5, shuffle=True, random_state=0)
for loss, C in (("epsilon_insensitive", 30.0), ("squared_error", 0.5)):
    for name, entries in kernels.items():
        model = make_pipeline(
            ColumnKernelizer(entries), MKLRegressor(C=C, p=2, loss=loss, epsilon=10)
        )
        scores = cross_val_score(model, X, y, cv=folds)
        print(f"{loss:<20} {name:<6} R2 {scores.mean():.2f} (folds {scores.std():.2f} apart)")

# %%
# Both modalities together explain more than either. The weights at the end, the certified gap, and
# the composite kernel, its samples in the order of the target:

model.fit(X, y)
regressor = model[-1]
print(dict(zip(regressor.kernel_names_, regressor.weights_.round(2).tolist(), strict=True)))
print(f"relative duality gap {regressor.duality_gap_:.1e}")
order = np.argsort(y.to_numpy())
composite = model[0].transform(X).combine(regressor.weights_)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.imshow(composite[np.ix_(order, order)])
left.set(title="Composite kernel", xlabel="patients by progression", ylabel="patients")
right.plot(y, model.predict(X), ".")
right.axline((150, 150), slope=1, color="grey")
right.set(title="In the training samples", xlabel="progression", ylabel="predicted")
plt.show()

# %%
# A novelty detector sees one class only: handwritten zeros, in three descriptions. How well does it
# tell other digits apart? The kernels are wide: with the median width and 64 columns, a hundred
# zeros fill so little of the space that a third of the new zeros count as novel.

digits, label = load_mfeat(return_X_y=True)
zeros = np.flatnonzero(label == 0)
known, held_out = train_test_split(zeros, train_size=100, random_state=0)
others = np.random.default_rng(0).choice(np.flatnonzero(label != 0), 300, replace=False)
wide = make_pipeline(StandardScaler(), RBFKernel(gamma=0.001))
names = ["fou", "kar", "zer"]
for chosen in ([name] for name in names):
    detector = make_pipeline(
        ColumnKernelizer([(name, wide, name) for name in chosen]), MKLNoveltyDetector(nu=0.05)
    ).fit(digits[known])
    false = (detector.predict(digits[held_out]) == -1).mean()
    found = (detector.predict(digits[others]) == -1).mean()
    print(f"{chosen[0]}: {found:.0%} of the others found, {false:.0%} false alarms")
detector = make_pipeline(
    ColumnKernelizer([(name, wide, name) for name in names]), MKLNoveltyDetector(nu=0.05)
).fit(digits[known])
false = (detector.predict(digits[held_out]) == -1).mean()
found = (detector.predict(digits[others]) == -1).mean()
print(f"all, weights {detector[-1].weights_.round(2)}: {found:.0%} found, {false:.0%} false alarms")

# %%
# `nu` bounds the outliers among the training samples only; new samples of the class are refused
# somewhat more often. Together the descriptions find all that each finds, with as few false alarms
# as the best of them. Scores of zeros that the detector has not seen, and of other digits:

figure, axes = plt.subplots(layout="constrained")
bins = np.linspace(-0.6, 0.6, 60) * abs(detector[-1].offset_)
for rows, name in ((held_out, "zeros"), (others, "other digits")):
    axes.hist(
        detector.decision_function(digits[rows]), bins=bins, density=True, alpha=0.6, label=name
    )
axes.axvline(0.0, color="black")
axes.set(xlabel="decision value", ylabel="density", title="Inside the class is right of the line")
axes.legend()
plt.show()
