"""Whether modalities interact: a machine on products of kernels, with and without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from mkfusion import KernelStack
from mkfusion._types import Floats
from mkfusion.compare._statistics import PairedTest, paired_test, verdict
from mkfusion.compare._within import Within
from mkfusion.inspection import project_kernels, scored_answers

if TYPE_CHECKING:
    from mkfusion.compare._records import Conditions


INTERACTING = ("interactions help", "no evidence that they do", "interactions hurt")


class Interactions(NamedTuple):
    """A machine that may use interactions beside what is left of it without them.

    Attributes
    ----------
    test : PairedTest
        Of the differences: the machine's held-out score less that of its additive projection.
    verdict : {"interactions help", "no evidence that they do", "interactions hurt"}
    model, projection : ndarray of shape (n_folds,)
        Held-out scores by the first metric.
    """

    test: PairedTest
    verdict: str
    model: Floats
    projection: Floats


def part_with(model: Any, within: Within) -> dict[str, float]:
    """Score a machine on the test samples of a fold, and then without its interactions.

    Parameters
    ----------
    model : fitted classifier or regressor
        Takes stacks of one kernel of each modality, in each of which its decision function or
        prediction is affine.
    within : Within

    Returns
    -------
    dict
        Scores of "model" and "projection".
    """
    part = within.part("alone")
    n, _, m = part.test.shape
    name = "decision_function" if is_classifier(model) else "predict"

    def respond(grams: list[Floats]) -> Floats:
        return np.asarray(getattr(model, name)(KernelStack(grams))).reshape(len(grams[0]), -1)

    grams = [part.test.gram(k) for k in range(m)]
    projection, _ = project_kernels(respond, grams, range(m), m)
    # Both in the same way, so that nothing but the responses makes a difference.
    return {
        key: within.score(scored_answers(model, values, name), np.arange(n), part.y_test)
        for key, values in (("model", respond(grams)), ("projection", projection))
    }


def gap_of(found: list[dict[str, float]], conditions: Conditions) -> Interactions:
    """Test the difference over the folds.

    Parameters
    ----------
    found : list of n_folds dict
        What `part_with` returned.
    conditions : Conditions

    Returns
    -------
    Interactions
    """
    model, projection = (np.array([one[key] for one in found]) for key in ("model", "projection"))
    ratio, alpha = conditions.test_to_train, conditions.alpha
    test = paired_test(conditions.test, model - projection, ratio, 1 - alpha)
    words = verdict(test.difference, test.p_value, alpha, INTERACTING)
    return Interactions(test, words, model, projection)
