"""
Recordings: from one long file to an honest comparison
======================================================

Sensors record for minutes or days. To learn from that, recordings are cut into windows, and here
most mistakes are made: windows that overlap, or come from the same person, land in training and
test alike. This page cuts the recordings of a smart watch, compares its two sensors, and finds
where one activity ends and the next begins.
"""

# %%
# The recordings
# --------------
# Ten people did seven exercises for the shoulder, one set of some twenty repetitions each. The
# watch has an accelerometer and a gyroscope: arrays (n_channels, n_steps) at 12.5 Hz.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import (
    AlignmentDisplay,
    ColumnKernelizer,
    CovarianceKernel,
    ExpectedAlignmentDisplay,
    GlobalAlignmentKernel,
    MKLClassifier,
    PowerSpectrumKernel,
    RBFKernel,
    change_points,
    compare_fusion,
    cut_windows,
)
from mkfusion.datasets import load_exercises

sets = load_exercises()
figure, axes = plt.subplots(2, 1, figsize=(9, 4), sharex=True, layout="constrained")
times = np.arange(sets.recordings[1]["gyroscope"].shape[1]) / sets.rate
for ax, (name, values) in zip(axes, sets.recordings[1].items(), strict=True):
    ax.plot(times, values.T, linewidth=0.8)
    ax.set_ylabel(name)
axes[0].set_title(sets.target[1])
axes[1].set_xlabel("seconds")

# %%
# Windows
# -------
# :func:`~mkfusion.cut_windows` takes recordings as they are. Each sensor keeps its own rate; a
# window takes the label that holds for most of it; and ``groups`` says whose it is.

windows = cut_windows(
    sets.recordings,
    length=8.0,
    step=4.0,
    rate=sets.rate,
    labels=sets.target,
    groups=sets.subject,
)
print(windows.data)
print(len(np.unique(windows.groups)), "people")

# %%
# What folds must not do
# ----------------------
# Neighbouring windows overlap by half, and random folds put one of them in training and the other
# in the test. Folds by person ask what one wants to know: does it work for somebody new?

kernels = {name: CovarianceKernel() + PowerSpectrumKernel() for name in windows.data.names}
model = make_pipeline(
    ColumnKernelizer([(name, kernel, name) for name, kernel in kernels.items()]),
    MKLClassifier(C=10.0, p=2.0),
)
X, y = windows.data, windows.target
shuffled = StratifiedKFold(3, shuffle=True, random_state=0)
by_person = StratifiedGroupKFold(3, shuffle=True, random_state=0)
print(f"random folds:    {cross_val_score(model, X, y, cv=shuffled).mean():.2f}")
honest = cross_val_score(model, X, y, cv=by_person, groups=windows.groups)
print(f"folds by person: {honest.mean():.2f}")

# %%
# Does the second sensor help?
# ----------------------------
# The same windows and groups go into :func:`~mkfusion.compare_fusion`. (``fast``, three exercises
# that are alike and few methods are for this page only.)

alike = np.isin(y, ["abduction", "forward elevation", "upright row"])
result = compare_fusion(
    X[alike],
    y[alike],
    groups=windows.groups[alike],
    kernels=kernels,
    methods=["late_mean", "uniform"],
    fast=True,
    verbose=False,
)
print(result)

# %%
# The same movement, faster
# -------------------------
# Two people raise their arms at different speeds. :func:`~mkfusion.alignment_path` stretches time
# until they agree as well as they can; what belongs together is joined by lines.

ours = np.flatnonzero(y == "abduction")
first, second = ours[0], ours[windows.groups[ours] != windows.groups[ours[0]]][0]
one, other = X["accelerometer"][first], X["accelerometer"][second]
AlignmentDisplay.from_signals(one, other).plot()

# %%
# A kernel of stretched signals sums over all alignments. How often it matches two time steps, at
# the left those of the first person and at the top those of the second, says how sure that one best
# path is. With the width that the kernel takes by itself nearly all paths count, which is smooth to
# learn from; with an eighth of it the kernel follows the movement.

usual = GlobalAlignmentKernel().fit([one, other])
narrow = GlobalAlignmentKernel(sigma=usual.sigma_ / 8).fit([one, other])
ExpectedAlignmentDisplay.from_kernel(usual, one, other).plot()
ExpectedAlignmentDisplay.from_kernel(narrow, one, other).plot()

# %%
# Where does one exercise end?
# ----------------------------
# One person's sets, end to end, are one long file without labels. It is cut into windows of two
# seconds without overlap, and :func:`~mkfusion.change_points` looks for the segments that are most
# alike within, by the kernels of both sensors together: exact, by dynamic programming. How many
# there are it finds itself; the best six are asked for too. The dashed lines are where sets were
# joined, which it does not know: it misses two, where one exercise resembles the next.

mine = np.flatnonzero(sets.subject == 2)
day = {
    name: np.concatenate([sets.recordings[i][name] for i in mine], axis=1)
    for name in windows.data.names
}
pieces = cut_windows(day, length=2.0, rate=sets.rate, n_blocks=1)


def levels_and_spread(signals):
    return np.concatenate([signals.mean(axis=2), np.log(signals.std(axis=2))], axis=1)


grams = [RBFKernel()(levels_and_spread(pieces.data[name])) for name in pieces.data.names]
found = change_points(grams)
joints = np.cumsum([sets.recordings[i]["gyroscope"].shape[1] for i in mine])[:-1] / sets.rate
print("joined at ", joints.round(0).astype(int))
print("changes at", pieces.times[found.changes, 0].astype(int))
six = change_points(grams, n_changes=len(joints))
print("best six at", pieces.times[six.changes, 0].astype(int))

figure, axes = plt.subplots(2, 1, figsize=(9, 4), sharex=True, layout="constrained")
for ax, (name, values) in zip(axes, day.items(), strict=True):
    ax.plot(np.arange(values.shape[1]) / sets.rate, values.T, linewidth=0.5)
    for start in pieces.times[found.changes, 0]:
        ax.axvline(start, color="black")
    for joint in joints:
        ax.axvline(joint, color="red", linestyle="--")
    ax.set_ylabel(name)
axes[1].set_xlabel("seconds")
plt.show()
