"""
Signals: stretched, shifted, or seen as frequencies
===================================================

Two recordings of the same movement never agree step by step: one is faster, the other begins later,
and they may not even be equally long. The kernels of this page differ in what they overlook. We
compare them on the accelerometer and the gyroscope of a smart watch, with very few examples to
learn from, and let multiple kernel learning choose.
"""

# %%
# The recordings
# --------------
# 80 windows of ten seconds, in which a student plays badminton, runs, stands or walks. Each sensor
# has three channels: an array (n_samples, n_channels, n_timesteps) for each.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import (
    CoherenceKernel,
    ColumnKernelizer,
    CovarianceKernel,
    CrossCorrelationKernel,
    DegenerateKernelWarning,
    GlobalAlignmentKernel,
    MKLClassifier,
    Modalities,
    PowerSpectrumKernel,
    SoftDTWKernel,
)
from mkfusion.datasets import load_basic_motions

motions = load_basic_motions()
X, y = motions.data, motions.target
print(X)

# %%
# Six kernels
# -----------
# - :class:`~mkfusion.GlobalAlignmentKernel` stretches time, and sums over all ways to do it;
#   :class:`~mkfusion.SoftDTWKernel` turns the cost of the best ways into a distance. The latter is
#   not positive semi-definite by itself: ``project_psd`` makes it so.
# - :class:`~mkfusion.CrossCorrelationKernel` shifts one signal along the other.
# - :class:`~mkfusion.PowerSpectrumKernel` and :class:`~mkfusion.CoherenceKernel` look at
#   frequencies: how strong they are in each channel, or how far two channels share them.
# - :class:`~mkfusion.CovarianceKernel` asks how strongly channels vary, and which go together.
#
# Their matrices between accelerometer recordings, sorted by activity (lines in between):

kernels = {
    "global alignment": GlobalAlignmentKernel(),
    "soft DTW": SoftDTWKernel(project_psd="clip"),
    "cross-correlation": CrossCorrelationKernel(),
    "power spectrum": PowerSpectrumKernel(segment=25),
    "coherence": CoherenceKernel(segment=16),
    "covariance": CovarianceKernel(),
}
order = np.argsort(y, kind="stable")
borders = np.flatnonzero(np.diff(np.unique(y[order], return_inverse=True)[1])) + 0.5
centers = [np.flatnonzero(y[order] == name).mean() for name in motions.target_names]

figure, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
for ax, (name, kernel) in zip(axes.flat, kernels.items(), strict=True):
    gram = kernel.fit(X["accelerometer"])(X["accelerometer"])[np.ix_(order, order)]
    off_diagonal = gram[~np.eye(len(gram), dtype=bool)]
    image = ax.imshow(gram, vmin=off_diagonal.min(), vmax=np.quantile(off_diagonal, 0.98))
    for border in borders:
        ax.axhline(border, color="white", linewidth=0.8)
        ax.axvline(border, color="white", linewidth=0.8)
    ax.set(title=name, yticks=[])
    ax.set_xticks(centers, motions.target_names, fontsize=8)
    figure.colorbar(image, ax=ax, shrink=0.8)

# %%
# Learning from eight windows
# ---------------------------
# Two windows of each activity to learn from, 72 to test on, in five random draws. All that kernels
# learn, such as their widths, they learn from the eight. The last column is the same with
# recordings that were cut to 50 to 100 time steps at random: a list of arrays, which all of these
# kernels take.

rng = np.random.default_rng(0)
lengths = rng.integers(50, 101, size=len(y))
cut = Modalities(
    {name: [x[:, :n] for x, n in zip(X[name], lengths, strict=True)] for name in X.names}
)


def accuracy(entries, data, p=1.0):
    model = make_pipeline(ColumnKernelizer(entries), MKLClassifier(C=10.0, p=p))
    cv = StratifiedShuffleSplit(5, train_size=8, random_state=0)
    return cross_val_score(model, data, y, cv=cv).mean()


print(f"{'':20}{'accelerometer':>15}{'gyroscope':>12}{'accelerometer, cut':>21}")
for name, kernel in kernels.items():
    scores = [
        accuracy([(modality, kernel, modality)], data)
        for modality, data in (("accelerometer", X), ("gyroscope", X), ("accelerometer", cut))
    ]
    print(f"{name:20}{scores[0]:15.2f}{scores[1]:12.2f}{scores[2]:21.2f}")

# %%
# Matching two recordings step by step does not help much here: eight are too few to find a similar
# one among. An activity has its frequencies, though, and the power spectrum needs to see hardly
# anything else. Which kernel is right is rarely known beforehand: multiple kernel learning weighs
# twelve at once, six for each sensor.
#
# A :class:`~mkfusion.DegenerateKernelWarning` says of cross-correlation that it is nearly a
# multiple of the identity: hardly any two windows agree step by step, which earns a kernel weight
# even if it is noise. The table above says that this one is not.

warnings.simplefilter("ignore", DegenerateKernelWarning)
everything = [(modality, list(kernels.values()), modality) for modality in X.names]
print(f"all kernels, p = 2: {accuracy(everything, X, p=2.0):.2f}")
print(f"all kernels, p = 2, recordings cut: {accuracy(everything, cut, p=2.0):.2f}")

kernelizer = ColumnKernelizer(everything)
model = MKLClassifier(C=10.0, p=2.0).fit(kernelizer.fit_transform(X), y)
positions = np.arange(len(kernels))
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
for k, modality in enumerate(X.names):
    weights = model.weights_[k * len(kernels) : (k + 1) * len(kernels)]
    ax.bar(positions + 0.4 * k - 0.2, weights, width=0.38, label=modality)
ax.set_xticks(positions, kernels)
ax.set(ylabel="weight", title="What the machine listens to")
ax.legend()
plt.show()
