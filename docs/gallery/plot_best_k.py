"""
Which sensor axes are enough: the best k modalities, proven
===========================================================

A smart watch has an accelerometer and a gyroscope, of three axes each. Which of the six signals
does one need to tell activities apart, how sure is that, and what would the next one add? Every
axis is a modality here; every choice of so many gets a lower bound, so that the best one is proven
to be the best, and those that are as good are told.
"""

# %%
# The recordings
# --------------
# 80 windows of ten seconds of a student who plays badminton, runs, stands or walks. Each axis gets
# a kernel on its power spectrum.

import matplotlib.pyplot as plt
from sklearn.model_selection import StratifiedShuffleSplit

from mkfusion import (
    ColumnKernelizer,
    MKLClassifier,
    Modalities,
    ModalitySelector,
    PowerSpectrumKernel,
)
from mkfusion.datasets import load_basic_motions
from mkfusion.inspection import ModalityPathDisplay, modality_path

motions = load_basic_motions()
y = motions.target
axes = {
    f"{sensor} {axis}": motions.data[sensor][:, [k]]
    for sensor in motions.data.names
    for k, axis in enumerate("xyz")
}
X = Modalities(**axes)
kernelizer = ColumnKernelizer([(name, PowerSpectrumKernel(segment=25), name) for name in axes])
stack = kernelizer.fit_transform(X)
print(stack.names)

# %%
# The best two
# ------------
# The objective of the best pair, the bound of all fifteen, and the pairs that are at most 1 % worse
# (maybe none): these are as good a choice, for all that these samples can say.

machine = MKLClassifier(C=10)
selector = ModalitySelector(2, estimator=machine).fit(stack, y)
print(selector.modalities_)
print(f"no other pair is better by more than {selector.gap_:.2%}")
for other in selector.runners_up_:
    print(f"{other.objective / selector.objective_ - 1:.2%} worse: {other.names}")

# %%
# How many are enough?
# --------------------
# :func:`~mkfusion.inspection.modality_path` chooses one, two, three ... in every split again, and
# scores what was held out. The cheapest choice within one standard error of the best is enough. A
# gyroscope draws more current than an accelerometer: say three times as much. With many examples
# one axis is nearly enough, so splits learn from 16 windows, four of each activity.

costs = {name: 3.0 if name.startswith("gyro") else 1.0 for name in axes}
cv = StratifiedShuffleSplit(n_splits=10, train_size=16, random_state=0)
path = modality_path(stack, y, estimator=machine, costs=costs, cv=cv)
print(path)
path.to_frame().round(3)

# %%
# The picture: held-out accuracy with its standard error over what the choice costs; the band is one
# standard error below the best.

ModalityPathDisplay(path).plot()
plt.show()

# %%
# What the proof says, and what it does not
# -----------------------------------------
# It is about the training objective: no other pair reaches a lower one. Whether the same pair is
# the best of other recordings the column ``chosen in splits`` tells: how often splits, of far fewer
# windows, chose what all samples chose.
