"""What fusion does with samples that lack a modality, in training and later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mkfusion._compat import Options, num_samples
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import (
    MISSING,
    Known,
    View,
    known_parts,
    listed,
    read_again,
    read_known,
    refuse_empty,
)
from mkfusion.kernels import TableImputer


class TakesMissing:
    """A fusion with the parameter `missing`."""

    missing: str

    _missing_constraints: ClassVar[dict[str, list[Any]]] = {"missing": [Options(str, set(MISSING))]}


class Completion(NamedTuple):
    """How samples are completed, as `missing` said in fit.

    Attributes
    ----------
    missing : {"error", "marginalise", "impute"}
    views : list of View
        The modalities of the training samples.
    imputer : TableImputer or None
        With "impute".
    """

    missing: str
    views: list[View]
    imputer: TableImputer | None

    def read(self, estimator: Any, X: Any) -> Known:
        """Return what there is of any samples: everything, but for "marginalise".

        With "error", what may be lacking is left to the estimators: some take it.
        """
        if self.missing == "error":
            return everything(read_again(estimator, X, self.views))
        known = read_known(estimator, X, self.views)
        refuse_empty([view.name for view in self.views], known.present, training=False)
        return known if self.imputer is None else everything(self.imputer.complete(known))


def everything(parts: Sequence[Any]) -> Known:
    """Return samples of which none is taken to lack anything."""
    return Known(list(parts), np.ones((num_samples(parts[0]), len(parts)), dtype=bool))


def complete_training(
    missing: str, views: list[View], parts: Sequence[Any]
) -> tuple[Completion, Known]:
    """Return how samples are completed, and what there is of the training samples."""
    if missing == "error":
        return Completion(missing, views, None), everything(parts)
    names = [view.name for view in views]
    known = known_parts(parts, num_samples(parts[0]))
    refuse_empty(names, known.present, training=True)
    if missing == "marginalise":
        return Completion(missing, views, None), known
    imputer = TableImputer(names, known)
    completed = everything(imputer.complete(known, training=True))
    return Completion(missing, views, imputer), completed


def positions(present: Mask) -> Indices:
    """Return where each sample stands among those present, (n,); -1 for those that are not."""
    return np.where(present, np.cumsum(present) - 1, -1)


def renormalised(weights: Floats, present: Mask) -> Floats:
    """Return weights of what each sample has, rows of sum 1.

    Parameters
    ----------
    weights : ndarray of shape (n_modalities,)
    present : ndarray of shape (n_samples, n_modalities), dtype=bool

    Returns
    -------
    ndarray of shape (n_samples, n_modalities)
        Equal ones where all that a sample has is of weight 0.
    """
    left = np.where(present, weights, 0.0)
    left[~left.any(axis=1)] = present[~left.any(axis=1)]
    return left / left.sum(axis=1, keepdims=True)


def refuse_nan(said: Any, name: str) -> None:
    """Refuse answers that are no numbers: a class would be made of them."""
    answers = np.asarray(said)
    if answers.dtype.kind != "f":
        return
    unknown = np.flatnonzero(np.isnan(answers.reshape(len(answers), -1)).any(axis=1))
    if len(unknown):
        raise ValueError(
            f"{name} answers NaN for {len(unknown)} of {len(answers)} samples: {listed(unknown)}; "
            "expected numbers. Does it take samples with gaps?"
        )


def refuse_lacking(name: str, present: Mask, why: str) -> None:
    """Refuse samples that lack a modality that nothing can do without."""
    lacking = np.flatnonzero(~present)
    if len(lacking):
        raise ValueError(
            f"modality {shown(name)} is missing (None, or NaN throughout) in {len(lacking)} of "
            f"{len(present)} samples: {listed(lacking)}; {why}"
        )
