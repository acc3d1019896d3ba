"""What a kernel between training samples cannot tell, and what it tells of them alone."""

from __future__ import annotations

import math
import warnings

import numpy as np

from mkfusion._types import Floats, Indices, Mask
from mkfusion.stack._look import SUSPICIOUS, VANISHING, few_samples
from mkfusion.stack._stack import KernelStack

# No more than so many kernels are looked at.
_KERNELS = 1000
# Of several kernels so many are named.
_MOST_NAMED = 3
# The share of a multiple of the identity in a centred kernel's squared norm, above which it is
# nearly one, whatever else it says.
_IDENTITY = 0.95
# Student's t at 1 %, one-sided, with many degrees of freedom.
_BY_CHANCE = 2.33
# Among fewer samples that test tells too little; there only what is nearly the identity counts.
_ENOUGH = 50
_TINY = float(np.finfo(float).tiny)


class DegenerateKernelWarning(UserWarning):
    """A kernel says nothing of the samples, or nothing but that each is like itself.

    The first is a kernel of ones: what differs between samples vanishes beside k(x, x), as with a
    width far too large for the samples' unit. The second is nearly a multiple of the identity once
    centred, as with a width far too small, or with many columns of noise: it separates any
    training samples, so that learned weights favour it, and says little of new ones.

    Parameters
    ----------
    message : str
        The kernel, what was seen and what to do.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from mkfusion import DegenerateKernelWarning, MKLClassifier
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DegenerateKernelWarning)
    ...     try:
    ...         MKLClassifier().fit([np.ones((6, 6))], [0, 1, 0, 1, 0, 1])
    ...     except DegenerateKernelWarning as warning:
    ...         print(str(warning).split(":")[0])
    Kernel 'kernel0' is nearly constant
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


def warn_degenerate(stack: KernelStack, targets: Floats | None, *, stacklevel: int) -> None:
    """Warn of kernels between training samples that are nearly constant or nearly the identity.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Gram matrices.
    targets : ndarray of shape (n, n_targets) or None
        What weights are learned from that a kernel like the identity attracts; None if they are
        not.
    stacklevel : int
        As seen from who calls.
    """
    n, _, m = stack.shape
    if n < 4 or m > _KERNELS:
        return
    shares = np.maximum(stack._shares(), 0.0)  # rounding errors apart
    constant = shares[:, 0] < VANISHING
    if constant.any():
        warnings.warn(
            f"{_named(stack, constant)} nearly constant: what differs between samples is "
            f"{_up_to(shares[constant, 0])} of k(x, x); expected at least {VANISHING:g}, or a "
            "kernel machine learns next to nothing from it. Its width or offset does not fit the "
            "unit of the samples: scale the columns (StandardScaler), or use RBFKernel(), whose "
            'default gamma="median" is learned from the samples, where "rbf" takes 1 / n_features.',
            DegenerateKernelWarning,
            stacklevel=stacklevel + 1,
        )
    suspicious = ~constant & (shares[:, 1] > SUSPICIOUS)
    if targets is None or m == 1 or not suspicious.any():
        return
    t = _alignments(stack, np.flatnonzero(suspicious), targets)
    useful = (t > _BY_CHANCE) | (n < _ENOUGH)
    own = suspicious & ((shares[:, 1] >= _IDENTITY) | ~useful)
    if own.any():
        warnings.warn(
            f"{_named(stack, own)} nearly a multiple of the identity: that each sample is like "
            f"itself is {_up_to(shares[own, 1], '.0%')} of its squared norm once centred (expected "
            f"at most {SUSPICIOUS:.0%}), and what different samples share is aligned with the "
            f"target at t = {_up_to(t[own], '.1f')} (by chance: up to {_BY_CHANCE:.1f}). Such a "
            "kernel separates any training samples, and learned weights favour it even if it is "
            'noise. Drop it, lower C, or learn weights by KernelCombiner("unbiased_alignment"), '
            "which does not count the diagonal.",
            DegenerateKernelWarning,
            stacklevel=stacklevel + 1,
        )


def _named(stack: KernelStack, which: Mask) -> str:
    """Return the subject of a sentence on some kernels, with its verb."""
    names = [repr(stack.names[k]) for k in np.flatnonzero(which)[:_MOST_NAMED]]
    more = int(which.sum()) - len(names)
    if more:
        return f"Kernels {', '.join(names)} and {more} more are"
    if len(names) > 1:
        return f"Kernels {', '.join(names[:-1])} and {names[-1]} are"
    return f"Kernel {names[0]} is"


def _up_to(values: Floats, form: str = ".2g") -> str:
    """Return what one kernel has, or the least and most of several, if these differ in print."""
    ends = [format(float(end), form) for end in (values.min(), values.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _alignments(stack: KernelStack, which: Indices, targets: Floats) -> Floats:
    """Return Student's t of `aligned_by` of some kernels (m,); nan for the others."""
    some = few_samples(stack.shape[0])
    found = np.full(stack.shape[2], np.nan)
    centred = targets[some] - targets[some].mean(axis=0)
    wanted = u_centred(centred @ centred.T)
    for k in which:
        block = np.asarray(stack.block(int(k), some, some), dtype=np.float64)
        found[k] = aligned_by(block, wanted)
    return found


def aligned_by(block: Floats, wanted: Floats) -> float:
    """Return Student's t of the alignment with a target of a kernel without its diagonal.

    It is the test of Székely and Rizzo, Journal of Multivariate Analysis 117 (2013), of distance
    correlation in high dimension, which holds where kernels are nearly the identity.

    Parameters
    ----------
    block : ndarray of shape (b, b)
    wanted : ndarray of shape (b, b)
        The target's products, `u_centred`.

    Returns
    -------
    float
    """
    b = len(block)
    shared = u_centred(block)
    norms = math.sqrt(np.vdot(shared, shared) * np.vdot(wanted, wanted))
    if norms == 0.0:
        return 0.0
    most = 1.0 - 1e-12
    r = min(max(float(np.vdot(shared, wanted)) / norms, -most), most)
    return r * math.sqrt((b * (b - 3) / 2 - 1) / (1.0 - r**2))


def u_centred(block: Floats) -> Floats:
    """Return the U-centred matrix, of unit size, of a symmetric one (b, b)."""
    b = len(block)
    centred = block / max(float(np.abs(block.diagonal()).mean()), _TINY)
    np.fill_diagonal(centred, 0.0)
    sums = centred.sum(axis=1)
    means = sums / (b - 2) - sums.sum() / (2 * (b - 1) * (b - 2))
    centred -= means[:, np.newaxis]
    centred -= means
    np.fill_diagonal(centred, 0.0)
    return centred
