"""What a kernel between training samples cannot tell, and what it tells of them alone."""

from __future__ import annotations

import warnings

import numpy as np

from mkfusion._types import Floats
from mkfusion.stack._stack import KernelStack

# Kernels are looked at between so many samples, evenly spaced, and no more than so many kernels.
_SAMPLES = 128
_KERNELS = 1000
# 1 - k(x, z) / k(x, x) on average: below it, similarities are equal in four digits, 1.0000, and a
# kernel machine with C = 1 needs more than ten thousand samples to reach its margin.
_VANISHING = 5e-5
# The share of a multiple of the identity in a centred kernel's squared norm, above which it is
# nearly one, whatever else it says; and from where on it is suspicious. Kernels of texts and
# strings reach 0.8 and are useful: these are told from noise by the target.
_IDENTITY, _SUSPICIOUS = 0.95, 0.5
# Student's t at 1 %, one-sided, with many degrees of freedom.
_BY_CHANCE = 2.33
# Among fewer samples that test tells too little; there only what is nearly the identity counts.
_ENOUGH = 50


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
    some = np.unique(np.linspace(0, n - 1, min(n, _SAMPLES)).astype(np.intp))
    for k, name in enumerate(stack.names):
        block = np.asarray(stack.block(k, some, some), dtype=np.float64)
        varying, own, shared = shares(block, n)
        if varying < _VANISHING:
            warnings.warn(
                f"Kernel {name!r} is nearly constant: what differs between samples is "
                f"{varying:.2g} of k(x, x); expected at least {_VANISHING:g}, or a kernel machine "
                "learns next to nothing from it. Its width or offset does not fit the unit of the "
                "samples: scale the columns (StandardScaler), or use RBFKernel(), whose default "
                'gamma="median" is learned from the samples, where "rbf" takes 1 / n_features.',
                DegenerateKernelWarning,
                stacklevel=stacklevel + 1,
            )
        elif targets is not None and m > 1 and own > _SUSPICIOUS:
            t = aligned_by(shared, targets[some])
            if own < _IDENTITY and (t > _BY_CHANCE or n < _ENOUGH):
                continue
            warnings.warn(
                f"Kernel {name!r} is nearly a multiple of the identity: that each sample is like "
                f"itself is {own:.0%} of its squared norm once centred (expected at most "
                f"{_SUSPICIOUS:.0%}), and what different samples share is aligned with the target "
                f"at t = {t:.1f} (by chance: up to {_BY_CHANCE:.1f}). Such a kernel separates any "
                "training samples, and learned weights favour it even if it is noise. Drop it, "
                'lower C, or learn weights by KernelCombiner("unbiased_alignment"), which does '
                "not count the diagonal.",
                DegenerateKernelWarning,
                stacklevel=stacklevel + 1,
            )


def aligned_by(shared: Floats, targets: Floats) -> float:
    """Return Student's t of the alignment with a target of a kernel without its diagonal.

    It is the test of Székely and Rizzo, Journal of Multivariate Analysis 117 (2013), of distance
    correlation in high dimension, which holds where kernels are nearly the identity.

    Parameters
    ----------
    shared : ndarray of shape (b, b)
        U-centred, with zeros on the diagonal.
    targets : ndarray of shape (b, n_targets)

    Returns
    -------
    float
    """
    b = len(shared)
    centred = targets - targets.mean(axis=0)
    _, wanted = _centre(centred @ centred.T)
    norms = np.sqrt(float((shared**2).sum()) * float((wanted**2).sum()))
    if norms == 0.0:
        return 0.0
    most = 1.0 - 1e-12
    r = min(max(float((shared * wanted).sum()) / norms, -most), most)
    return float(r * np.sqrt((b * (b - 3) / 2 - 1) / (1.0 - r**2)))


def shares(block: Floats, n: int) -> tuple[float, float, Floats]:
    """Return how much of a kernel differs between samples, and how much of that is their own.

    Parameters
    ----------
    block : ndarray of shape (b, b)
        Between some of n samples, at least 4.
    n : int

    Returns
    -------
    varying : float
        The mean of k(x, x) - k(x, z) between different samples, which is what centring leaves of
        the diagonal, divided by the mean of the diagonal. 1 for a kernel of zeros.
    own : float
        The share of the identity in the squared norm of the centred kernel between all n samples,
        c^2 / (c^2 + (n - 1) r^2) where the diagonal has the mean c, and r^2 is the mean square off
        the diagonal.
    shared : ndarray of shape (b, b)
        What different samples share: U-centred, with zeros on the diagonal.
    """
    b = len(block)
    diagonal = np.diagonal(block)
    scale = float(np.abs(diagonal).mean())
    if scale == 0.0:
        return 1.0, 0.0, block
    mean, shared = _centre(block / scale)
    c = float(diagonal.mean()) / scale - mean
    r2 = float((shared**2).sum()) / (b * (b - 3))
    return c, c**2 / (c**2 + (n - 1) * r2) if c > 0.0 else 0.0, shared


def _centre(block: Floats) -> tuple[float, Floats]:
    """Return the mean off the diagonal, and the U-centred matrix, of a symmetric one (b, b)."""
    b = len(block)
    centred = block.copy()
    np.fill_diagonal(centred, 0.0)
    sums = centred.sum(axis=1)
    means = sums / (b - 2) - sums.sum() / (2 * (b - 1) * (b - 2))
    centred -= means[:, np.newaxis] + means
    np.fill_diagonal(centred, 0.0)
    return float(sums.sum()) / (b * (b - 1)), centred
