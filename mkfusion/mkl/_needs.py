"""What a fit will take, said before it begins."""

from __future__ import annotations

import warnings
from time import perf_counter

import numpy as np

from mkfusion.solvers import (
    MANY_KERNELS,
    MANY_SAMPLES,
    Cox,
    Loss,
    Squared,
    bytes_of_rows,
    few_features,
    free_memory,
)
from mkfusion.stack import KernelStack

# Vectors of all samples that are kept for each kernel, and for each kernel and task.
_OF_KERNEL, _OF_TASK = 3, 3
# Matrices between all samples that a linear system takes.
_OF_SYSTEM = 3
# Bytes that are not worth looking how many are free: that takes a fiftieth of a fit of 100 samples.
_NEGLIGIBLE = 2**24
# A fit on demand computes about so many times the values of all kernels between all samples.
_PASSES = 4.0
# Values whose time is taken: a few first, and more where these take no time.
_FEW, _MORE, _NO_TIME = (1, 256), (32, 4096), 1e-2
# Seconds that are worth a warning.
_LONG = 1800.0
# Kernels that differ in size by so much are named where a fit did not reach its gap.
_UNEVEN = 1e4


def weigh(
    name: str, stack: KernelStack, n_tasks: int, loss: Loss, cache: int, *, verbose: bool
) -> None:
    """Refuse a fit that needs more memory than there is, and say what a long one will take.

    Parameters
    ----------
    name : str
        What the estimator is called.
    stack : KernelStack of shape (n, n, m)
    n_tasks : int
        Tasks that share weights.
    loss : Loss
    cache : int
        Bytes for rows of composite kernels.
    verbose : bool
        Whether to print what the fit will take in any case.

    Raises
    ------
    MemoryError
        With the sizes, and what to do.
    """
    if loss.separable and few_features(stack) is not None:  # what they take is there already
        return
    n, _, m = stack.shape
    whole = isinstance(loss, Squared | Cox)
    needed = _OF_SYSTEM * 8 * n * n if whole else min(cache, bytes_of_rows(n))
    needed += 8 * n * min(m, MANY_KERNELS) * (_OF_KERNEL + _OF_TASK * n_tasks)
    free = free_memory() if needed > _NEGLIGIBLE else np.inf
    sizes = f"{n} samples and {m} kernels"
    if needed > free:
        features = (
            "NystroemKernels approximates kernels by features, in memory that grows with the "
            "samples and not with their square."
        )
        if isinstance(loss, Cox):
            advice = (
                "The partial likelihood solves a linear system of all samples at risk: take fewer."
            )
        elif whole:
            advice = (
                "The squared loss solves a linear system of all samples: "
                f'loss="epsilon_insensitive" needs no more than cache_size, and {features}'
            )
        else:
            advice = f"Lower cache_size ({cache / 2**20:.0f} MB); or {features}"
        raise MemoryError(
            f"{name} on {sizes} needs {_gib(needed)} of memory, of which {_gib(free)} are free. "
            f"{advice}"
        )
    if stack.in_memory or n < MANY_SAMPLES or m > MANY_KERNELS:
        return
    seconds = _PASSES * n * n * m * _seconds_per_value(stack)
    told = f"{sizes} on demand: about {_duration(seconds)} and {_gib(needed)} of memory"
    if verbose:
        print(f"[MKL] {told}")
    if seconds > _LONG:
        warnings.warn(
            f"{name} is fitted to {told}. NystroemKernels takes less of both; max_time ends a fit "
            "before.",
            UserWarning,
            stacklevel=5,
        )


def _seconds_per_value(stack: KernelStack) -> float:
    """Return how long a value of one of the kernels takes, by some of them."""
    n, _, m = stack.shape
    weights = np.ones(m)
    for r, c in (_FEW, _MORE):
        shape = min(r, n), min(c, n)
        out = np.empty(shape)
        rows, cols = (np.linspace(0, n - 1, size).astype(np.intp) for size in shape)
        stack.combine_into(weights, rows, cols, out)  # compiles what is to be compiled
        start = perf_counter()
        stack.combine_into(weights, rows, cols, out)
        seconds = perf_counter() - start
        if seconds > _NO_TIME:
            break
    return seconds / (out.size * m)


def _gib(n_bytes: float) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"


def _duration(seconds: float) -> str:
    if seconds < 90.0:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60.0:.0f} minutes" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} hours"


def uneven(stack: KernelStack) -> str:
    """Return a last sentence on the largest and smallest kernel, if they differ by very much."""
    if stack.shape[2] > MANY_KERNELS:
        return ""
    sizes = stack.diagonal().mean(axis=1)
    used = np.flatnonzero(sizes > 0.0)
    if not used.size:
        return ""
    least, most = used[sizes[used].argmin()], used[sizes[used].argmax()]
    ratio = sizes[most] / sizes[least]
    if ratio < _UNEVEN:
        return ""
    return (
        f" Kernel {stack.names[most]!r} is {ratio:.1g} times as large as {stack.names[least]!r}, "
        "by the mean of k(x, x)."
    )
