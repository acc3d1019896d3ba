"""The kernel weights of EasyMKL."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from mkfusion.kernels import KernelStack

Floats = NDArray[np.float64]

# Relative gap that is asked for, and above which users are told: weights are as accurate as its
# square root.
_GAP, _LARGEST_GAP = 1e-10, 1e-6


def easymkl_weights(stack: KernelStack, signs: Floats, lam: float) -> Floats:
    """Return the squared distance that each kernel sees between the classes.

    For each task, weights g over the samples that sum to one in either class minimise

        (1 - lam) g'Y (sum_k K_k) Y g + lam g'g

    and kernel k gets the sum over the tasks of ``g'Y K_k Y g``.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric and positive semi-definite.
    signs : ndarray of shape (n_tasks, n)
        Labels -1 and 1: the diagonals of Y.
    lam : float
        In (0, 1].

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for all that is rounding.

    Raises
    ------
    ValueError
        If `lam` is lost in the rounding of the kernels.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the relative gap of a task stays above 1e-6.
    """
    # Imported where they are needed: they bring Numba with them.
    from mkfusion.mkl._hard_margin import HardMargin
    from mkfusion.solvers import one_blas_thread

    n, _, m = stack.shape
    composite = stack.combine(np.full(m, 1.0 - lam))
    top = float(np.diagonal(composite).max())
    least = n * np.finfo(np.float64).eps * top
    if lam < least:
        raise ValueError(
            f"lam is {lam:g}; expected at least {least:.2g} with kernels whose sum reaches "
            f"{top:.2g} on the diagonal. Bring the kernels to one scale."
        )
    composite.flat[:: n + 1] += lam
    tasks = [HardMargin(y) for y in signs]
    with one_blas_thread():
        largest = max(task.find(composite, _GAP) for task in tasks)
    if largest > _LARGEST_GAP:
        warnings.warn(
            f"EasyMKL's problem was solved to the relative gap {largest:.2g}; expected "
            f"{_LARGEST_GAP:g}. Raise lam, or bring the kernels to one scale.",
            ConvergenceWarning,
            stacklevel=4,
        )
    points = np.array([task.nearest for task in tasks])
    distances = stack._storage.quadratic(points)
    # What rounding makes of the sum of zero that a constant kernel sees: |points| sums to two.
    noise = 4.0 * len(tasks) * np.finfo(stack.dtype).eps * np.abs(stack.diagonal()).max(axis=1)
    return np.where(distances > noise, distances, 0.0)
