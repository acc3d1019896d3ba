"""Change points: where a sequence of samples becomes another, seen by a composite kernel."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from mkfusion._compat import Interval, validate_params
from mkfusion._types import Floats, Indices
from mkfusion.solvers import best_segmentations
from mkfusion.stack import GRAM_RTOL, as_stack, asymmetry

# Slopes are learned from the largest models, whose changes are all of noise.
_LARGEST_MODELS = 0.6
_FEWEST_MODELS = 10
_SAMPLES_OF_A_CHANGE, _MOST_CHANGES = 10, 100


class Segmentation(NamedTuple):
    """Outcome of :func:`change_points`.

    Attributes
    ----------
    changes : ndarray of int, shape (n_changes,)
        The first sample of each segment but the first.
    segments : ndarray of int, shape (n,)
        Which segment a sample is in, from 0 on.
    costs : ndarray of shape (max_changes + 1,)
        The least cost with 0, 1, ... changes.
    criterion : ndarray of shape (max_changes + 1,)
        What was least at the number chosen; equal to `costs` where it was given.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import LinearKernel, change_points
    >>> x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> found = change_points([LinearKernel()(x)], n_changes=1)
    >>> found.changes, found.segments
    (array([3]), array([0, 0, 0, 1, 1, 1]))
    """

    changes: Indices
    segments: Indices
    costs: Floats
    criterion: Floats


@validate_params(
    {
        "n_changes": [Interval(Integral, 0, None, closed="left"), None],
        "penalty": [Interval(Real, 0, None, closed="left"), None],
        "max_changes": [Interval(Integral, 1, None, closed="left"), None],
        "min_size": [Interval(Integral, 1, None, closed="left")],
        "weights": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def change_points(
    kernels: Any,
    *,
    n_changes: int | None = None,
    penalty: float | None = None,
    max_changes: int | None = None,
    min_size: int = 2,
    weights: Any = None,
) -> Segmentation:
    """Find where a sequence of samples changes, by what all modalities say of it.

    The segments are those with the least scatter in the space of the composite kernel K, the
    weighted sum of the kernels: with the segments T of a segmentation, ::

        cost = sum_T ( sum_(i in T) K_ii - 1 / |T| sum_(i, j in T) K_ij ).

    A change of the mean, of the spread or of anything else that the kernel sees is a change: with
    a Gaussian kernel, any of the distribution [1]_. Dynamic programming finds the exact optimum for
    each number of changes [2]_, in time proportional to their number and n^2.

    How many there are is given, or chosen: with `penalty`, by the least ``cost + penalty *
    n_changes``; without, by the slope heuristic [1]_, which learns from how the cost falls in
    segmentations with far too many changes what a change in noise is worth, and asks for twice as
    much. It needs some hundred samples, that are not much alike when they are neighbours:
    windows that overlap have changes too many.

    Parameters
    ----------
    kernels : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n) or (n, n, \
            n_kernels), or KernelStack
        Positive semi-definite, between samples in order of time, such as the windows of one
        recording. Kernels of a larger scale count more: make them by a :class:`Kernelizer` with
        ``normalize="cosine"`` or "trace".
    n_changes : int, default=None
        How many there are.
    penalty : float, default=None
        Non-negative: the price of a change in units of the composite kernel.
    max_changes : int, default=None
        Most changes to try where `n_changes` is not given. None is n / 10, at least 10 and at most
        100, where so many segments fit.
    min_size : int, default=2
        Least number of samples in a segment.
    weights : array-like of shape (n_kernels,), default=None
        Of the kernels, not negative, such as `weights_` of a fitted model. None is their mean.

    Returns
    -------
    segmentation : Segmentation
        Named tuple of `changes`, `segments`, `costs` and `criterion`.

    Raises
    ------
    ValueError
        If kernels are not square, symmetric and finite, both `n_changes` and `penalty` are given,
        there is no place for so many segments, or too few samples to choose the number.

    See Also
    --------
    cut_windows : From recordings to samples.

    References
    ----------
    .. [1] Arlot, Celisse and Harchaoui, "A kernel multiple change-point algorithm via model
       selection", JMLR 20, 2019.
    .. [2] Harchaoui and Cappe, "Retrospective multiple change-point estimation with kernels",
       SSP 2007.

    Examples
    --------
    The mean of one sensor changes, and the spread of another.

    >>> import numpy as np
    >>> from mkfusion import RBFKernel, change_points
    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.normal(size=(2, 120, 1))
    >>> one[40:] += 3.0
    >>> other[80:] *= 6.0
    >>> found = change_points([RBFKernel()(one), RBFKernel()(other)])
    >>> found.changes
    array([40, 80])
    >>> np.bincount(found.segments)
    array([40, 40, 40])
    """
    if n_changes is not None and penalty is not None:
        raise ValueError("n_changes and penalty are both given; expected one of them, or none.")
    K = _composite(kernels, weights)
    n = len(K)
    room = n // min_size - 1
    if room < 0:
        raise ValueError(f"kernels has {n} samples; expected at least min_size={min_size}.")
    most = _most_changes(n_changes, max_changes, n, room)
    costs, befores = best_segmentations(K, most + 1, min_size)
    # Rounding errors may leave a scatter of nothing below 0.
    least = np.maximum(costs[:, n], 0.0)
    if n_changes is not None:
        criterion, chosen = least, most
    elif penalty is not None:
        criterion = least + penalty * np.arange(most + 1)
        chosen = int(np.argmin(criterion))
    else:
        criterion = _by_slopes(least, n)
        chosen = int(np.argmin(criterion))
    changes = np.empty(chosen, dtype=np.intp)
    end = n
    for k in range(chosen, 0, -1):
        end = changes[k - 1] = befores[k, end]
    return Segmentation(changes, np.searchsorted(changes, np.arange(n), "right"), least, criterion)


def _composite(kernels: Any, weights: Any) -> Floats:
    """Return the weighted sum of kernels (n, n)."""
    stack = as_stack(kernels, None, "kernels")
    n_rows, n_columns, m = stack.shape
    if n_rows != n_columns:
        raise ValueError(f"kernels has shape {stack.shape}; expected square ones.")
    d = np.full(m, 1.0 / m) if weights is None else weights
    K: Floats = np.asarray(stack.combine(d), dtype=np.float64)
    if not np.any(d):
        raise ValueError("weights is zero for every kernel; expected a positive weight.")
    apart = np.abs(K - K.T)
    if apart.max() > GRAM_RTOL[stack.dtype] * np.abs(K).max():
        i, j = map(int, np.unravel_index(np.argmax(apart), K.shape))
        raise asymmetry("the composite kernel", i, j, K[i, j], K[j, i])
    return K


def _most_changes(n_changes: int | None, max_changes: int | None, n: int, room: int) -> int:
    if n_changes is not None:
        if n_changes > room:
            raise ValueError(
                f"n_changes is {n_changes}; expected at most {room}, for which {n} samples have "
                "place."
            )
        return int(n_changes)
    if max_changes is not None:
        if max_changes > room:
            raise ValueError(
                f"max_changes is {max_changes}; expected at most {room}, for which {n} samples "
                "have place."
            )
        return int(max_changes)
    return min(room, _MOST_CHANGES, max(_FEWEST_MODELS, n // _SAMPLES_OF_A_CHANGE))


def _by_slopes(costs: Floats, n: int) -> Floats:
    """Return the costs with the penalty of the slope heuristic.

    In noise the cost falls by ``s_1 log binom(n - 1, D - 1) + s_2 D`` for D segments; twice that
    is the penalty.
    """
    if len(costs) <= _FEWEST_MODELS:
        raise ValueError(
            f"{n} samples have place for {len(costs) - 1} changes; expected at least "
            f"{_FEWEST_MODELS} to learn from what a change is worth. Give n_changes or penalty."
        )
    D = np.arange(1, len(costs) + 1)
    choices = gammaln(n) - gammaln(D) - gammaln(n - D + 1)
    shape = np.stack([choices, D], axis=1)
    large = D >= _LARGEST_MODELS * len(D)
    design = np.column_stack([shape[large], np.ones(large.sum())])
    slopes = np.linalg.lstsq(design, costs[large], rcond=None)[0][:2]
    criterion: Floats = costs - 2.0 * shape @ slopes
    return criterion
