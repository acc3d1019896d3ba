"""What a method says of the samples that it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._sigmoids import class_chances, class_logits
from mkfusion._types import Floats
from mkfusion.compare._data import refusals
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._survival import survival_chances, survival_risks
from mkfusion.inspection import answers_of
from mkfusion.report import HeldOut


def held_out(
    model: Any,
    outer: FoldData,
    within: Sequence[tuple[Any, FoldData]],
    sees: str,
    kinds: tuple[type[Exception], ...],
) -> HeldOut:
    """Return what a fitted model says of the test samples of a fold.

    The probabilities of a classifier that has none are made of its decision values, by the sigmoid
    or softmax that fits those of samples held out within the training samples best, whose models
    have learned with the same values of all parameters.

    Parameters
    ----------
    model : fitted classifier or regressor
    outer : FoldData
    within : sequence of (model, FoldData) pairs
        The models of the inner folds.
    sees : str
        What they are given.
    kinds : tuple of exceptions
        What they may raise to say that they are not for these samples.

    Returns
    -------
    HeldOut

    Raises
    ------
    RefusalError
        If they do.
    """
    test, rows = outer.part(sees).test, outer.rows.test
    if outer.setting.follow_up is not None:
        with refusals(*kinds):
            risk = survival_risks(model, test, len(rows))
            chances = survival_chances(model, test, len(rows), outer.setting.follow_up.times)
        return HeldOut(rows, risk, chances)
    with refusals(*kinds):
        predicted = np.asarray(model.predict(test))
        told = model.predict_proba(test) if hasattr(model, "predict_proba") else None
    if not outer.setting.classes:
        return HeldOut(rows, predicted.astype(np.float64).ravel(), None)
    every = np.unique(outer.samples.y)
    if told is None:
        with refusals(*kinds):
            decisions = _decisions(model, test)
            known = [
                (_decisions(one, part.test), part.y_test)
                for one, part in ((one, data.part(sees)) for one, data in within)
                if np.array_equal(one.classes_, model.classes_)
            ]
        told = _calibrated(decisions, model.classes_, known)
    if told is None:
        return HeldOut(rows, predicted, None)
    found = np.zeros((len(rows), len(every)))
    found[:, np.searchsorted(every, model.classes_)] = told
    return HeldOut(rows, predicted, found)


def _decisions(model: Any, X: Any) -> Floats:
    """Return decision values, of shape (n_samples, 1 or n_classes); of what has none its labels."""
    if hasattr(model, "decision_function"):
        values = answers_of(model, X, "decision_function").astype(np.float64)
        return values.reshape(len(values), -1)
    chosen = np.asarray(model.predict(X))[:, np.newaxis] == model.classes_
    return chosen.astype(np.float64)[:, 1:] if len(model.classes_) == 2 else chosen.astype(float)


def _calibrated(
    decisions: Floats, classes: NDArray[Any], within: Sequence[tuple[Floats, NDArray[Any]]]
) -> Floats | None:
    """Return probabilities; None where the inner folds do not know all of the classes."""
    if not within:
        return None
    known, true = (np.concatenate(parts) for parts in zip(*within, strict=True))
    if len(np.unique(true)) < len(classes):
        return None
    return class_chances(class_logits(known, np.searchsorted(classes, true)), decisions)
