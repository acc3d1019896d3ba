"""Whether modalities interact, or only add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mkfusion._types import Floats
from mkfusion.inspection._display import as_frame
from mkfusion.inspection._score_tests import (
    centre,
    permuted_scores,
    relative,
    sign_matrix,
    signed,
    smallest_rank,
)
from mkfusion.inspection._tested_samples import (
    TestedSamples,
    tested_samples,
)
from mkfusion.inspection._whitening import Whitened, whiten_classes
from mkfusion.solvers import one_blas_thread


@dataclass(frozen=True, eq=False, repr=False)
class InteractionInformation:
    """Outcome of :func:`interaction_information`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    pvalue : float
        Of "y is a sum of functions of one modality each", on the scale of log-odds for classes.
    sign_pvalue : float
        By signs of the residuals.
    permutation_pvalue : float or None
        By permutations of the samples; None for classes, whose test is by signs alone.
    n_samples : int
        How many were looked at.
    n_groups : int
        `n_samples` if there are no groups.
    n_lacking : int
        How many samples lack a modality, or several.
    warnings : tuple of str
        What limits the answer, in sentences.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import interaction_information
    >>> a, b = np.random.default_rng(0).normal(size=(2, 60))
    >>> found = interaction_information([np.outer(a, a), np.outer(b, b)], a * b, random_state=0)
    >>> found.pvalue < 0.05
    True
    """

    modality_names: list[str]
    pvalue: float
    sign_pvalue: float
    permutation_pvalue: float | None
    n_samples: int
    n_groups: int
    n_lacking: int
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.modality_names)
        return "\n".join([f"{names} only add up: p = {self.pvalue:.3g}", *self.warnings])

    def __repr__(self) -> str:
        names = ", ".join(self.modality_names)
        return f"<InteractionInformation of {names}: p = {self.pvalue:.3g}>"

    def to_frame(self) -> Any:
        """Return the p-values as a table.

        Returns
        -------
        pandas.DataFrame of shape (3, 1)
            With column pvalue and rows signs, permutations (NaN for classes) and both.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        permutations = np.nan if self.permutation_pvalue is None else self.permutation_pvalue
        values = [self.sign_pvalue, permutations, self.pvalue]
        return as_frame({"pvalue": values}, ["signs", "permutations", "both"], "test")


def interaction_information(
    kernels_or_X: Any,
    y: ArrayLike,
    *,
    modalities: Any = None,
    groups: ArrayLike | None = None,
    present: ArrayLike | None = None,
    task: str = "auto",
    n_signs: int = 1999,
    n_permutations: int = 999,
    max_samples: int = 1500,
    random_state: Any = None,
) -> InteractionInformation:
    """Test whether modalities interact: whether what one says depends on another.

    Parameters
    ----------
    kernels_or_X : KernelStack, list of ndarray of shape (n, n), ndarray of shape \
            (n, n, n_kernels), Modalities, or DataFrame or array of shape (n, n_features)
        Gram matrices between the samples, or raw samples, as for :func:`added_information`.
    y : array-like of shape (n,)
        Numbers, or class labels.
    modalities : mapping from str to kernels, or list of (name, columns) pairs, default=None
        As for :func:`added_information`.
    groups : array-like of shape (n,), default=None
        Samples of one group, such as a subject, may be alike in y for reasons of their own.
    present : array-like of shape (n, n_modalities), default=None
        For kernels: which samples have which modality.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is.
    n_signs : int, default=1999
        Signs of the residuals that are drawn.
    n_permutations : int, default=999
        Permutations that are drawn.
    max_samples : int, default=1500
        Of more samples a random part is tested, of whole groups.
    random_state : int, RandomState instance or None, default=None
        Draws signs and permutations. The same seed gives the same p-values.

    Returns
    -------
    InteractionInformation

    Raises
    ------
    ValueError, TypeError
        As :func:`added_information`.

    See Also
    --------
    added_information : Whether each modality says what the others do not.
    emap : What the interactions of a fitted model are good for.

    Notes
    -----
    The null model has the kernels of all modalities, with a variance for each: y, or its log-odds,
    is a sum of functions of one modality. Its whitened residuals are compared with the sum of the
    products of two modalities' kernels, by random signs. For numbers there is a guard: each
    modality in turn is held while the others are permuted, and the largest of these p-values counts
    too; for classes it would make the test too careful. Of several classes, every two are compared
    on their own samples: log-odds that add up do so between two classes, not between one and the
    rest.

    Whether things add up depends on the scale: what is a sum on one may interact on another, such
    as its logarithm. Interactions of three modalities without any of two are not looked for.

    References
    ----------
    Li and Cui, "Gene-centric gene-gene interaction: a model-based kernel machine method", Annals of
    Applied Statistics 6 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Modalities
    >>> from mkfusion.inspection import interaction_information
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(dose=rng.normal(size=(80, 2)), gene=rng.normal(size=(80, 2)))
    >>> noise = 0.5 * rng.normal(size=80)
    >>> additive, multiplied = X["dose"][:, 0] + X["gene"][:, 0], X["dose"][:, 0] * X["gene"][:, 0]
    >>> interaction_information(X, additive + noise, random_state=0).pvalue < 0.05
    False
    >>> interaction_information(X, multiplied + noise, random_state=0).pvalue < 0.05
    True
    """
    with one_blas_thread():
        tested = tested_samples(
            kernels_or_X,
            y,
            modalities=modalities,
            groups=groups,
            present=present,
            task=task,
            n_signs=n_signs,
            n_permutations=n_permutations,
            max_samples=max_samples,
            random_state=random_state,
        )
        return _interaction_information(tested)


def _interaction_information(tested: TestedSamples) -> InteractionInformation:
    warnings = tested.warnings
    by_permutations = None
    if tested.classes is None:
        kernels = tested.centred()
        whitened = tested.whiten(kernels)[0]
        T = sign_matrix(whitened, _products(kernels), tested.groups, tested.draws.signs.shape[1])
        by_permutations = _guard(whitened, kernels, tested)
    else:
        T = _pairs_of_classes(tested)
        if len(tested.classes) > 2 and tested.classes.dtype.kind in "iuf":
            warnings = (
                *warnings,
                "If the classes of y are ordered: interactions are on the scale of log-odds of "
                "pairs of classes, not on that of the order.",
            )
    by_signs = smallest_rank([signed(T, tested.draws.signs)])
    n_samples, n_groups, n_lacking = tested.counts
    return InteractionInformation(
        list(tested.names),
        by_signs if by_permutations is None else max(by_signs, by_permutations),
        by_signs,
        by_permutations,
        n_samples,
        n_groups,
        n_lacking,
        warnings,
    )


def _products(kernels: Sequence[Floats]) -> Floats:
    """Return the sum of the products of two kernels each, centred."""
    return centre(np.sum([A * B for A, B in combinations(kernels, 2)], axis=0))


def _pairs_of_classes(tested: TestedSamples) -> Floats:
    """Return the sign matrix, the sum of those of all pairs of classes."""
    assert tested.classes is not None
    n_groups = tested.draws.signs.shape[1]
    total = np.zeros((n_groups, n_groups))
    for a, b in combinations(range(len(tested.classes)), 2):
        rows = np.flatnonzero((tested.y == a) | (tested.y == b))
        kernels = tested.centred(rows)
        nulls = [C for C in [*kernels, *tested.between_groups(rows)] if C.any()]
        positive = (tested.y[rows] == b).astype(np.float64)
        whitened = whiten_classes(positive, nulls, dispersed=False)
        total += sign_matrix(whitened, _products(kernels), tested.groups[rows], n_groups)
    return total


def _guard(whitened: Whitened, kernels: Sequence[Floats], tested: TestedSamples) -> float:
    """Return the largest p-value of permuting all modalities but one."""
    rows = tested.draws.rows
    pvalues = []
    for m, anchor in enumerate(kernels):
        others = [C for j, C in enumerate(kernels) if j != m]
        scores, expected = permuted_scores([whitened], np.sum(others, axis=0), rows, [anchor])
        if len(others) > 1:
            more = permuted_scores([whitened], _products(others), rows, [None])
            scores, expected = scores + more[0], expected + more[1]
        pvalues.append(smallest_rank(list(relative(scores, expected))))
    return max(pvalues)
