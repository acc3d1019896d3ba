"""Models whose means over all combinations of samples their kernels give in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from mkfusion._compat import safe_indexing
from mkfusion._types import Floats, Indices
from mkfusion.data import Columns, column_names, resolve_columns
from mkfusion.inspection._answers import respond
from mkfusion.inspection._multilinear import Block, Respond, agree, is_multiaffine, project_blocks
from mkfusion.inspection._samples import Parts, as_list
from mkfusion.kernels import ColumnKernelizer, InteractionKernels
from mkfusion.stack import KernelStack

# Combinations of samples to check a model at.
_N_CHECKS = 128
# Numbers in the kernels of one batch.
_MOST_VALUES = 2**22


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
    parts : Parts
        The samples.
    """

    respond: Respond
    block: Block
    owners: list[int]
    parts: Parts

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
        said = respond(estimator, self.parts.mix(list(rows[met[:-1]]), rows[met[-1]]), name)
        own = self.respond(
            [one[met[owner]] for one, owner in zip(kernels, self.owners, strict=True)]
        )
        return agree(said, own) and is_multiaffine(
            self.respond, kernels, self.owners, n_modalities, rng
        )


def kernel_model(estimator: Any, parts: Parts, name: str) -> KernelModel | None:
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
    homes = _homes(kernelizer, parts)
    if homes is None:
        return None
    names: list[str] = kernelizer.kernel_names_
    products: list[tuple[int, ...]] = [(k,) for k in range(len(homes))]
    if between and isinstance(between[0], InteractionKernels):
        names, products = between[0].kernel_names_, between[0]._factors
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

    def answer(kernels: Sequence[Floats]) -> Floats:
        of = dict(zip(pieces, kernels, strict=True))
        grams = [reduce(np.multiply, [of[piece] for piece in term]) for term in terms]
        X: Any = KernelStack(grams, names=names)
        for step in between:
            X = step.transform(X)
        return respond(machine, X, name)

    return KernelModel(answer, block, [homes[piece[0]] for piece in pieces], parts)


def _homes(kernelizer: ColumnKernelizer, parts: Parts) -> list[int] | None:
    """Return the modality of each kernel, None where a kernel looks at anything else."""
    homes: list[int] = []
    for entry in kernelizer._entries:
        columns = entry.columns
        if isinstance(columns, str):
            seen: set[Any] = {columns}
        else:
            # Columns that have names are found by them, whatever they were asked for by.
            named = columns.names is not None and column_names(parts.X) is not None
            asked = columns.names if named else columns.positions
            found = resolve_columns(parts.X, asked, entry.name)
            assert isinstance(found, Columns)
            seen = set(as_list(found.positions))
        found_in = [m for m, places in enumerate(parts.places) if seen <= set(places)]
        if len(found_in) != 1:
            return None
        homes += found_in * len(entry.specs)
    return homes
