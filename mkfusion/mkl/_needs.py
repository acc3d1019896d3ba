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
# Matrices between all samples that gated machines hold: the composite, one to gate kernels in, and
# another in which features are learned, or two kernels, the last and the next, that are computed.
_OF_GATES, _OF_GATES_ON_DEMAND = 3, 4
# Gates that are tried from each start, about, and how often kernels are computed for each.
_TRIALS, _PASSES_OF_TRIAL = 25, 2
# Seconds, about, that a trial takes for each value of each kernel once it is computed.
_SECONDS_OF_GATING = 2e-8
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
    features = (
        "NystroemKernels approximates kernels by features, in memory that grows with the "
        "samples and not with their square."
    )
    if isinstance(loss, Cox):
        advice = "The partial likelihood solves a linear system of all samples at risk: take fewer."
    elif whole:
        advice = (
            "The squared loss solves a linear system of all samples: "
            f'loss="epsilon_insensitive" needs no more than cache_size, and {features}'
        )
    else:
        advice = f"Lower cache_size ({cache / 2**20:.0f} MB); or {features}"
    _refuse_too_much(name, stack, needed, advice)
    if stack.in_memory or n < MANY_SAMPLES or m > MANY_KERNELS:
        return
    seconds = _PASSES * n * n * m * _seconds_per_value(stack)
    said = _said("MKL", stack, seconds, needed, verbose=verbose)
    if seconds > _LONG:
        warnings.warn(
            f"{name} is fitted to {said}. NystroemKernels takes less of both; max_time ends a fit "
            "before.",
            UserWarning,
            stacklevel=5,
        )


def weigh_gated(name: str, stack: KernelStack, n_tasks: int, n_init: int, *, verbose: bool) -> None:
    """Refuse gated machines that need more memory than there is, and say what long ones will take.

    Parameters
    ----------
    name : str
        What the estimator is called.
    stack : KernelStack of shape (n, n, m)
    n_tasks : int
        Tasks that share gates.
    n_init : int
        Starts.
    verbose : bool
        Whether to print what the fit will take in any case.

    Raises
    ------
    MemoryError
        With the sizes, and what to do.
    """
    n, _, m = stack.shape
    matrices = _OF_GATES if stack.in_memory else _OF_GATES_ON_DEMAND
    needed = 8 * n * (matrices * n + m + _OF_TASK * n_tasks)
    fewer = "MKLClassifier, whose weights are the same for all samples, takes less"
    advice = f"Gated machines hold whole matrices between all samples: take fewer; or {fewer}."
    _refuse_too_much(name, stack, needed, advice)
    if n < MANY_SAMPLES:
        return
    seconds_per_value = _SECONDS_OF_GATING
    if not stack.in_memory:
        seconds_per_value += _PASSES_OF_TRIAL * _seconds_per_value(stack)
    seconds = n_init * _TRIALS * n * n * m * seconds_per_value
    said = _said("LMKL", stack, seconds, needed, verbose=verbose)
    if seconds > _LONG:
        warnings.warn(
            f"{name} is fitted to {said}. {fewer} of both; max_time ends a fit before.",
            UserWarning,
            stacklevel=3,
        )


def _refuse_too_much(name: str, stack: KernelStack, needed: float, advice: str) -> None:
    """Refuse to need more bytes than are free."""
    free = free_memory() if needed > _NEGLIGIBLE else np.inf
    if needed > free:
        raise MemoryError(
            f"{name} on {_sizes(stack)} needs {_gib(needed)} of memory, of which {_gib(free)} are "
            f"free. {advice}"
        )


def _said(tag: str, stack: KernelStack, seconds: float, needed: float, *, verbose: bool) -> str:
    """Return what a fit will take, and print it if that is asked for."""
    place = "in memory" if stack.in_memory else "on demand"
    said = f"{_sizes(stack)} {place}: about {_duration(seconds)} and {_gib(needed)} of memory"
    if verbose:
        print(f"[{tag}] {said}")
    return said


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


def _sizes(stack: KernelStack) -> str:
    return f"{stack.shape[0]} samples and {stack.shape[2]} kernels"


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
