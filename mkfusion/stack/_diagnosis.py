"""What a kernel between training samples cannot tell, and what it tells of them alone."""

from __future__ import annotations

import warnings

import numpy as np

from mkfusion._types import Floats
from mkfusion.stack._look import SUSPICIOUS, VANISHING, few_samples
from mkfusion.stack._stack import KernelStack

# No more than so many kernels are looked at.
_KERNELS = 1000
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
    some = few_samples(n)
    for k, (varying, own) in enumerate(stack._shares().tolist()):
        name = stack.names[k] if varying < VANISHING or own > SUSPICIOUS else ""
        if varying < VANISHING:
            warnings.warn(
                f"Kernel {name!r} is nearly constant: what differs between samples is "
                f"{varying:.2g} of k(x, x); expected at least {VANISHING:g}, or a kernel machine "
                "learns next to nothing from it. Its width or offset does not fit the unit of the "
                "samples: scale the columns (StandardScaler), or use RBFKernel(), whose default "
                'gamma="median" is learned from the samples, where "rbf" takes 1 / n_features.',
                DegenerateKernelWarning,
                stacklevel=stacklevel + 1,
            )
        elif targets is not None and m > 1 and own > SUSPICIOUS:
            block = np.asarray(stack.block(k, some, some), dtype=np.float64)
            t = aligned_by(block, targets[some])
            if own < _IDENTITY and (t > _BY_CHANCE or n < _ENOUGH):
                continue
            warnings.warn(
                f"Kernel {name!r} is nearly a multiple of the identity: that each sample is like "
                f"itself is {own:.0%} of its squared norm once centred (expected at most "
                f"{SUSPICIOUS:.0%}), and what different samples share is aligned with the target "
                f"at t = {t:.1f} (by chance: up to {_BY_CHANCE:.1f}). Such a kernel separates any "
                "training samples, and learned weights favour it even if it is noise. Drop it, "
                'lower C, or learn weights by KernelCombiner("unbiased_alignment"), which does '
                "not count the diagonal.",
                DegenerateKernelWarning,
                stacklevel=stacklevel + 1,
            )


def aligned_by(block: Floats, targets: Floats) -> float:
    """Return Student's t of the alignment with a target of a kernel without its diagonal.

    It is the test of Székely and Rizzo, Journal of Multivariate Analysis 117 (2013), of distance
    correlation in high dimension, which holds where kernels are nearly the identity.

    Parameters
    ----------
    block : ndarray of shape (b, b)
    targets : ndarray of shape (b, n_targets)

    Returns
    -------
    float
    """
    b = len(block)
    centred = targets - targets.mean(axis=0)
    shared, wanted = _centre(block), _centre(centred @ centred.T)
    norms = np.sqrt(float((shared**2).sum()) * float((wanted**2).sum()))
    if norms == 0.0:
        return 0.0
    most = 1.0 - 1e-12
    r = min(max(float((shared * wanted).sum()) / norms, -most), most)
    return float(r * np.sqrt((b * (b - 3) / 2 - 1) / (1.0 - r**2)))


def _centre(block: Floats) -> Floats:
    """Return the U-centred matrix, of unit size, of a symmetric one (b, b)."""
    b = len(block)
    centred = block / max(float(np.abs(np.diagonal(block)).mean()), _TINY)
    np.fill_diagonal(centred, 0.0)
    sums = centred.sum(axis=1)
    means = sums / (b - 2) - sums.sum() / (2 * (b - 1) * (b - 2))
    centred -= means[:, np.newaxis] + means
    np.fill_diagonal(centred, 0.0)
    return centred
