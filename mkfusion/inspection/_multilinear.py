"""Means of a kernel machine over all combinations of samples, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.utils import gen_batches

from mkfusion._types import Floats, Indices

# From kernels of shape (n_rows, n_train) each to responses (n_rows, n_outputs).
Respond = Callable[[list[Floats]], Floats]
# From rows to their kernels with the training samples.
Block = Callable[[Indices], list[Floats]]

# What rounding may do to responses: shares of their range, and of their size.
_SAME = 1e-6
_ROUNDING = 1e-11


def project_kernels(
    respond: Respond, grams: Sequence[Floats], owners: Sequence[int], n_modalities: int
) -> tuple[Floats, Floats]:
    """Project a kernel machine onto sums of functions of one modality each.

    The response must be affine in the kernels of each modality while those of the others stay as
    they are. Its mean over all n^M combinations of samples in which one modality is given is then
    the response to the mean rows of the other modalities' kernels.

    Parameters
    ----------
    respond : callable
        From a list of arrays (n_rows, n_train), one for each kernel, to (n_rows, n_outputs).
    grams : list of arrays of shape (n_samples, n_train)
        Kernels between samples and the training samples.
    owners : list of int
        Which modality each kernel looks at.
    n_modalities : int

    Returns
    -------
    projection : ndarray of shape (n_samples, n_outputs)
    effects : ndarray of shape (n_modalities, n_samples, n_outputs)
        What each modality contributes to the projection, of mean zero over the samples.
    """

    def block(rows: Indices) -> list[Floats]:
        return [gram[rows] for gram in grams]

    every = np.arange(len(grams[0]))
    return project_blocks(respond, block, len(every), owners, n_modalities, every, len(every))


def project_blocks(
    respond: Respond,
    block: Block,
    n: int,
    owners: Sequence[int],
    n_modalities: int,
    chosen: Indices,
    batch_size: int,
) -> tuple[Floats, Floats]:
    """Do the same with references from the chosen rows, and kernels of some rows at a time."""
    rest = _mean_rows(block, chosen, batch_size)
    parts = []
    for batch in gen_batches(n, batch_size):
        kernels = block(np.arange(batch.start, batch.stop))
        means = [np.repeat(mean, len(one), axis=0) for one, mean in zip(kernels, rest, strict=True)]
        parts.append([respond(_take(kernels, means, owners, m)) for m in range(n_modalities)])
    return assembled(np.concatenate(parts, axis=1), chosen)


def assembled(means: Floats, chosen: Indices) -> tuple[Floats, Floats]:
    """Return projection and effects.

    Parameters
    ----------
    means : ndarray of shape (n_modalities, n_samples, n_outputs)
        Each sample's mean response with the other modalities of the references.
    chosen : ndarray of shape (n_references,)
        Which samples these are.
    """
    # The mean over the references themselves: exact for additive models.
    overall = means[:, chosen].mean(axis=(0, 1))
    projection = means.sum(axis=0) - (len(means) - 1) * overall
    return projection, means - means.mean(axis=1, keepdims=True)


def is_multiaffine(
    respond: Respond,
    kernels: list[Floats],
    owners: Sequence[int],
    n_modalities: int,
    rng: np.random.RandomState,
) -> bool:
    """Whether responses are affine in each modality's kernels, where these rows meet.

    Parameters
    ----------
    respond : callable
    kernels : list of arrays of shape (n_rows, n_train)
    owners : list of int
    n_modalities : int
    rng : RandomState
    """
    n = len(kernels[0])

    def anywhere() -> list[Floats]:
        """Return rows between one of each modality and its mean row: often one of them."""
        rows = rng.randint(n, size=(n_modalities, n))
        steps = np.clip(rng.uniform(-0.5, 1.5, size=(n_modalities, n, 1)), 0.0, 1.0)
        return [
            one[rows[owner]] + steps[owner] * (one.mean(axis=0) - one[rows[owner]])
            for one, owner in zip(kernels, owners, strict=True)
        ]

    for m in range(n_modalities):
        others, start, end = anywhere(), anywhere(), anywhere()
        step = rng.uniform(size=(n, 1))
        between = [(1.0 - step) * a + step * b for a, b in zip(start, end, strict=True)]
        a, b, middle = (respond(_take(some, others, owners, m)) for some in (start, end, between))
        if not agree((1.0 - step) * a + step * b, middle):
            return False
    return True


def agree(responses: Floats, others: Floats) -> bool:
    """Whether responses of the same shape differ by rounding only."""
    allowed = _SAME * np.ptp(responses, axis=0).max() + _ROUNDING * np.abs(responses).max()
    return bool(np.abs(responses - others).max() <= allowed)


def _mean_rows(block: Block, chosen: Indices, batch_size: int) -> list[Floats]:
    """Return the mean row (1, n_train) of each kernel over these samples."""
    sums: list[Floats] = []
    for batch in gen_batches(len(chosen), batch_size):
        some = [one.sum(axis=0, keepdims=True) for one in block(chosen[batch])]
        sums = [a + b for a, b in zip(sums, some, strict=True)] if sums else some
    return [one / len(chosen) for one in sums]


def _take(
    kernels: Sequence[Floats], others: Sequence[Floats], owners: Sequence[int], m: int
) -> list[Floats]:
    """Return the kernels of one modality, and the others from elsewhere."""
    return [
        one if owner == m else other
        for one, other, owner in zip(kernels, others, owners, strict=True)
    ]
