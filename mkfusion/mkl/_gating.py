"""What gates see of a sample: a few features, from kernels with training samples."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular, svd
from sklearn.utils.extmath import svd_flip

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.stack import KernelStack, kernel_indices

# Training samples that gating features are expanded in: many times the components that a gate has
# a use for, and few enough for prediction to stay cheap.
_MOST_LANDMARKS = 100
# Shares of the mean of k(x, x), and of the largest component's standard deviation, that are
# rounding noise after a factorisation.
_PIVOT_FLOOR, _COMPONENT_FLOOR = 1e-8, 1e-5


class GatingFeatures(NamedTuple):
    """Principal components of the mean of some kernels, expanded in a few training samples.

    Attributes
    ----------
    kernels : ndarray of shape (n_kernels,)
        Weights of the kernels in the mean.
    landmarks : ndarray of shape (n_landmarks,)
        Training samples.
    expansion : ndarray of shape (n_landmarks, n_components)
    offset : ndarray of shape (n_components,)
    """

    kernels: Floats
    landmarks: Indices
    expansion: Floats
    offset: Floats

    def of(self, stack: KernelStack) -> Floats:
        """Return the features (n_samples, n_components) of the samples in the rows."""
        block = stack.combine(self.kernels, cols=self.landmarks)
        features: Floats = block @ self.expansion - self.offset
        return features


def learn_features(
    stack: KernelStack, kernels: Floats, n_components: int, weights: Floats
) -> GatingFeatures:
    """Learn gating features of training samples.

    The features are centred, and divided by the standard deviation of the first: a linear function
    of all of them has, up to that factor, the norm of its coefficients in the kernel's space.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
    kernels : ndarray of shape (n_kernels,)
        Weights of the kernels.
    n_components : int
        Most components to keep.
    weights : ndarray of shape (n,)
        Non-negative weights of the samples.
    """
    K = stack.combine(kernels)
    landmarks, F = _spanning_samples(K, weights)
    if not landmarks.size:  # a kernel of zeros; LAPACK does not like to be asked for nothing
        return GatingFeatures(kernels, landmarks, np.empty((0, 0)), np.empty(0))
    share = weights / weights.sum()
    mean = share @ F
    spread = np.sqrt(share)[:, np.newaxis] * (F - mean)
    U, deviations, axes = svd(spread, full_matrices=False)
    # Signs would not matter, were it not for random starts.
    _, axes = svd_flip(U, axes)
    floor = _COMPONENT_FLOOR * max(
        deviations.max(initial=0.0), np.sqrt(max(share @ np.diagonal(K), 0.0))
    )
    kept = np.flatnonzero(deviations > floor)[:n_components]
    scale = deviations[0] if kept.size else 1.0
    # What is the factor for the landmarks undoes their kernel: features are F = K[:, landmarks] A.
    A = solve_triangular(F[landmarks], axes[kept].T / scale, lower=True, trans="T")
    return GatingFeatures(kernels, landmarks, A, axes[kept] @ mean / scale)


def _spanning_samples(K: Floats, weights: Floats) -> tuple[Indices, Floats]:
    """Factorise K greedily: samples, and F (n, n_chosen) lower triangular on these, K about F F'.

    The next sample is the one that explains most of what is left of the kernel between all samples
    (not the one with most left of k(x, x): that is the same for all in many kernels, and the order
    of the samples would decide).
    """
    left = K.copy()
    floor = _PIVOT_FLOOR * float(np.mean(np.diagonal(K)))
    chosen: list[int] = []
    columns: list[Floats] = []
    while len(chosen) < min(_MOST_LANDMARKS, len(K)):
        diagonal = np.diagonal(left)
        usable = (diagonal > floor) & (weights > 0.0)
        if not usable.any():
            break
        explained = np.einsum("ij,ij,i->j", left, left, weights)
        i = int(np.argmax(np.where(usable, explained / np.where(usable, diagonal, 1.0), -np.inf)))
        column = left[:, i] / np.sqrt(left[i, i])
        # Exactly triangular, whatever rounding leaves at samples already explained
        column[chosen] = 0.0
        left -= np.outer(column, column)
        chosen.append(i)
        columns.append(column)
    F = np.column_stack(columns) if columns else np.zeros((len(K), 0))
    return np.array(chosen, dtype=np.intp), F


def kernels_of(which: Any, names: list[str], argument: str) -> Indices:
    """Return the kernels (s,) that indices, names or modalities' names mean."""
    wanted: list[Any] = []
    for one in [which] if isinstance(which, str | Integral) else list(which):
        one = str(one) if isinstance(one, str) else one  # NumPy's strings too
        # ColumnKernelizer names kernels "modality:kernel".
        own = [name for name in names if isinstance(one, str) and name.startswith(f"{one}:")]
        wanted += own if own and one not in names else [one]
    try:
        return kernel_indices(wanted, names)
    except (ValueError, TypeError, IndexError) as error:
        raise type(error)(
            f"{argument} is {shown(which)}; expected kernels of the stack: {error}"
        ) from error
