"""What fusion does with samples that lack a modality, in training and later."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mkfusion._compat import Options
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import MISSING, listed


class TakesMissing:
    """A fusion with the parameter `missing`."""

    missing: str

    _missing_constraints: ClassVar[dict[str, list[Any]]] = {"missing": [Options(str, set(MISSING))]}


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
