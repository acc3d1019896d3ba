"""Additive projections of kernel machines, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches

from mkfusion._compat import safe_indexing
from mkfusion._types import Floats, Indices
from mkfusion.inspection._responses import respond
from mkfusion.inspection._samples import ModalitySamples
from mkfusion.kernels import ColumnKernelizer, InteractionKernels
from mkfusion.stack import KernelStack

# From kernels of shape (n_rows, n_train) each to responses (n_rows, n_outputs).
Respond = Callable[[list[Floats]], Floats]
# From rows to their kernels with the training samples.
Block = Callable[[Indices], list[Floats]]

# What rounding may do to responses: shares of their range, and of their size.
_SAME = 1e-6
_ROUNDING = 1e-11
# Combinations of samples to check a model at.
_N_CHECKS = 128
# Numbers in the kernels of one batch.
_MOST_VALUES = 2**22


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
    """Project with references from the chosen rows only, and kernels of some rows at a time."""
    rest = _mean_rows(block, chosen, batch_size)
    parts = []
    for batch in gen_batches(n, batch_size):
        kernels = block(np.arange(batch.start, batch.stop))
        means = [np.repeat(mean, len(one), axis=0) for one, mean in zip(kernels, rest, strict=True)]
        parts.append([respond(_take(kernels, means, owners, m)) for m in range(n_modalities)])
    return projection_and_effects(np.concatenate(parts, axis=1), chosen)


def projection_and_effects(means: Floats, chosen: Indices) -> tuple[Floats, Floats]:
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
        if not equal_up_to_rounding((1.0 - step) * a + step * b, middle):
            return False
    return True


def equal_up_to_rounding(responses: Floats, others: Floats) -> bool:
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


class KernelModel(NamedTuple):
    """A model as a function of kernels that look at one modality each.

    Attributes
    ----------
    respond : callable
        From kernels (n_rows, n_train) to responses (n_rows, n_outputs).
    block : callable
        From rows to their kernels with the training samples.
    owners : list of int
        Which modality each kernel looks at.
    parts : ModalitySamples
        The samples.
    """

    respond: Respond
    block: Block
    owners: list[int]
    parts: ModalitySamples

    def project(self, chosen: Indices, batch_size: int) -> tuple[Floats, Floats]:
        """Return the projection and the modalities' effects, with references from these samples."""
        n_values = sum(one.size for one in self.block(np.zeros(1, dtype=np.intp)))
        size = min(batch_size, max(1, _MOST_VALUES // n_values))
        n_modalities = len(self.parts.names)
        return project_blocks(
            self.respond, self.block, len(self.parts), self.owners, n_modalities, chosen, size
        )

    def is_exact(self, estimator: Any, name: str) -> bool:
        """Whether the model is what it seems to be by its structure, at random combinations."""
        rng = np.random.RandomState(0)
        n, n_modalities = len(self.parts), len(self.parts.names)
        # Of few samples some are taken again: the others that they meet are different.
        rows = np.resize(rng.permutation(n), _N_CHECKS)
        kernels = self.block(rows)
        met = rng.randint(_N_CHECKS, size=(n_modalities + 1, _N_CHECKS))
        combined = self.parts.recombine(list(rows[met[:-1]]), rows[met[-1]])
        responses = respond(estimator, combined, name)
        own = self.respond(
            [one[met[owner]] for one, owner in zip(kernels, self.owners, strict=True)]
        )
        return equal_up_to_rounding(responses, own) and is_multiaffine(
            self.respond, kernels, self.owners, n_modalities, rng
        )


def kernel_model(estimator: Any, parts: ModalitySamples, name: str) -> KernelModel | None:
    """Return a pipeline as a function of its kernels, None where it has no such structure.

    A :class:`~mkfusion.ColumnKernelizer` with entries of one modality each, then products of its
    kernels, then what makes kernels of kernels, then a kernel machine. That its responses are
    affine in the kernels of each modality is not checked.
    """
    model = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(model, Pipeline) or name not in ("decision_function", "predict"):
        return None
    steps = [step for _, step in model.steps if step not in (None, "passthrough")]
    kernelizer, between, machine = steps[0], steps[1:-1], steps[-1]
    if not isinstance(kernelizer, ColumnKernelizer) or kernelizer.missing != "error":
        return None
    # Gates weigh the kernels of each sample by its kernels.
    if not hasattr(machine, "dual_coef_") or hasattr(machine, "gate"):
        return None
    if not all(hasattr(step, "kernel_names_") for step in between):
        return None
    homes = _modality_of_each_kernel(kernelizer, parts)
    if homes is None:
        return None
    names: list[str] = kernelizer.kernel_names_
    products: list[tuple[int, ...]] = [(k,) for k in range(len(homes))]
    if between and isinstance(between[0], InteractionKernels):
        names, products = between[0].kernel_names_, between[0].factors_
        between = between[1:]
    # Kernels of the same modality meet in the same sample: their product is a kernel of it.
    terms = [
        [tuple(k for k in product if homes[k] == m) for m in sorted({homes[k] for k in product})]
        for product in products
    ]
    pieces = list(dict.fromkeys(piece for term in terms for piece in term))

    def block(rows: Indices) -> list[Floats]:
        stack = kernelizer.transform(safe_indexing(parts.X, rows)).materialize()
        grams = [np.asarray(stack.gram(k), dtype=np.float64) for k in range(len(homes))]
        return [reduce(np.multiply, [grams[k] for k in piece]) for piece in pieces]

    def response(kernels: Sequence[Floats]) -> Floats:
        of = dict(zip(pieces, kernels, strict=True))
        grams = [reduce(np.multiply, [of[piece] for piece in term]) for term in terms]
        X: Any = KernelStack(grams, names=names)
        for step in between:
            X = step.transform(X)
        return respond(machine, X, name)

    return KernelModel(response, block, [homes[piece[0]] for piece in pieces], parts)


def _modality_of_each_kernel(
    kernelizer: ColumnKernelizer, parts: ModalitySamples
) -> list[int] | None:
    """Return the modality of each kernel, None where a kernel looks at anything else."""
    homes: list[int] = []
    for seen in kernelizer.columns_seen(parts.X):
        found = [m for m, places in enumerate(parts.places) if set(seen) <= set(places)]
        if len(found) != 1:
            return None
        homes += found
    return homes
