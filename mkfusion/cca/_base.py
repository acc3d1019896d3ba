"""What the canonical analyses share: reading modalities, solving, scoring."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from mkfusion._views import View
from mkfusion.cca._blocks import Block
from mkfusion.cca._inputs import named_errors, read_again, read_modalities, read_pair
from mkfusion.cca._solve import Solution

__all__ = ["CanonicalAnalysis", "Whitened", "mean_correlations"]

Floats = NDArray[np.float64]


class Whitened(NamedTuple):
    """A modality's whitened training samples, and what its kind of analysis knows of them."""

    block: Block
    details: Any


class CanonicalAnalysis(TransformerMixin, BaseEstimator, ABC):
    """Directions in each modality whose scores go together."""

    n_components: int | None
    regularisation: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "regularisation": [Interval(Real, 0, 1, closed="both"), "array-like"],
    }

    _views: list[View] | None
    modality_names_: list[str]
    canonical_correlations_: Floats

    @abstractmethod
    def _asked(self, X: Any) -> Any:
        """Return which modalities X holds, as pairs (name, columns); None if it is one itself."""

    @abstractmethod
    def _whiten(self, data: Any, v: int, c: float) -> Whitened:
        """Return the whitened training samples of modality v."""

    @abstractmethod
    def _solve(self, blocks: Sequence[Floats], k: int) -> Solution:
        """Return k components."""

    @abstractmethod
    def _keep(self, whitened: Sequence[Whitened], directions: Sequence[Floats]) -> None:
        """Set the fitted attributes of the modalities.

        Along the directions (r_v, k) the scores have unit variance; their signs are chosen here.
        """

    @abstractmethod
    def _project(self, data: Any, v: int) -> Floats:
        """Return the scores (n_samples, k) of any samples of modality v."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            All modalities, or the first of two.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The second modality, where X is the first. Ignored where X holds all of them.

        Returns
        -------
        self : object
            Fitted analysis.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities are not there or not finite numbers, or
            there are fewer components than were asked for.

        Warns
        -----
        UserWarning
            If canonical correlations are 1 whatever the data: two modalities without regularisation
            have more independent columns together than there are samples.
        """
        self._learn(X, y)
        return self

    def _learn(self, X: Any, y: Any) -> tuple[list[Floats], list[Floats]]:
        """Fit, and return each modality's whitened training samples (n, r_v), and directions."""
        self._validate_params()
        asked = self._asked(X)
        read = read_pair(self, X, y) if asked is None else read_modalities(self, X, asked)
        ridges = self._ridges(len(read.data))
        whitened = []
        for v, (data, c) in enumerate(zip(read.data, ridges, strict=True)):
            with named_errors(read.names[v] if read.views is not None else ""):
                whitened.append(self._whiten(data, v, c))
        blocks = [one.block.H for one in whitened]
        k = self._count(read.names, [block.shape[1] for block in blocks])
        solution = self._solve(blocks, k)
        _warn_of_certainty(read.names, blocks, ridges)
        scores = [H @ D for H, D in zip(blocks, solution.directions, strict=True)]
        norms = [np.linalg.norm(score, axis=0) for score in scores]
        # Only now: nothing is kept of a fit that fails.
        self._views = read.views
        read.remember()
        self.modality_names_ = read.names
        self.canonical_correlations_ = mean_correlations(scores)
        self._keep(
            whitened,
            [D / norm for D, norm in zip(solution.directions, norms, strict=True)],
        )
        self._keep_solution(solution, scores)
        return blocks, solution.directions

    def _keep_solution(self, solution: Solution, scores: Sequence[Floats]) -> None:
        """Set the fitted attributes of the components."""
        self.objective_ = solution.objective

    def _ridges(self, n_views: int) -> list[float]:
        """Return the regularisation of each modality."""
        given = self.regularisation
        ridges = [given] * n_views if isinstance(given, Real) else list(given)
        if len(ridges) != n_views or not all(
            isinstance(c, Real) and 0.0 <= float(c) <= 1.0 for c in ridges
        ):
            raise ValueError(
                f"regularisation is {given!r}; expected a number in [0, 1], or one for each of the "
                f"{n_views} modalities."
            )
        return [float(c) for c in ridges]

    def _count(self, names: Sequence[str], ranks: Sequence[int]) -> int:
        """Return how many components to find."""
        most = min(ranks)
        if most == 0:
            raise ValueError(
                f"{names[ranks.index(0)]!r} does not vary over the training samples; expected a "
                "modality that does."
            )
        k = most if self.n_components is None else self.n_components
        if not 1 <= k <= most:
            shown = ", ".join(f"{name}: {r}" for name, r in zip(names, ranks, strict=True))
            raise ValueError(
                f"n_components is {self.n_components}; expected at most {most}, the smallest "
                f"number of independent columns of a modality ({shown})."
            )
        return k

    def transform(self, X: Any, y: Any = None) -> Any:
        """Return the scores of samples in the shared space.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Samples of the second modality, where `fit` was given it as y.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities * n_components), or (n_samples, n_components)
            The scores of all modalities side by side, or of X alone where the second modality was
            y; with `y`, a tuple of both, as scikit-learn's own CCA returns it.
        """
        check_is_fitted(self)
        scores = self._scores(X, y)
        if self._views is not None:
            return np.hstack(scores)
        return scores[0] if len(scores) == 1 else tuple(scores)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, and return the scores of the training samples.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            As in `fit`.
        **fit_params : dict
            There are none.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities * n_components), or tuple
            As `transform`.
        """
        return self.fit(X, y, **fit_params).transform(X, y)

    def transform_modality(self, data: Any, name: str) -> Floats:
        """Return the scores of samples of which one modality is known.

        Parameters
        ----------
        data : array-like or DataFrame of shape (n_samples, n_columns), or what a kernel takes
            The modality's own samples.
        name : str
            One of `modality_names_`; "X" and "y" where `fit` was given two arrays.

        Returns
        -------
        ndarray of shape (n_samples, n_components)

        Raises
        ------
        ValueError
            If there is no such modality.
        """
        check_is_fitted(self)
        if name not in self.modality_names_:
            raise ValueError(f"name is {name!r}; expected one of {self.modality_names_}.")
        with named_errors(name):
            return self._project(data, self.modality_names_.index(name))

    def correlations(self, X: Any, y: Any = None) -> Floats:
        """Return how well the components hold on any samples.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_components,)
            Correlation between the scores of two modalities, the mean over their pairs if there
            are more; 0 for scores that do not vary.
        """
        check_is_fitted(self)
        scores = self._scores(X, y)
        if len(scores) == 1:
            raise ValueError("y is None; expected the second modality, as in fit.")
        return mean_correlations(scores)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of `correlations`, for searches of parameters.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            As in `fit`.

        Returns
        -------
        float
        """
        return float(self.correlations(X, y).mean())

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the columns of `transform`, such as ``"gyro__cca0"``.

        Parameters
        ----------
        input_features : array-like of shape (n_features,), default=None
            Ignored, but checked against the features of `fit`.

        Returns
        -------
        ndarray of shape (n_features_out,)
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        kind = type(self).__name__.lower()
        components = [f"{kind}{j}" for j in range(len(self.canonical_correlations_))]
        if self._views is None:
            return np.array(components, dtype=object)
        names = [f"{name}__{one}" for name in self.modality_names_ for one in components]
        return np.array(names, dtype=object)

    def _scores(self, X: Any, y: Any) -> list[Floats]:
        """Return the scores (n_samples, k) of the modalities that are given."""
        data = read_again(self, X, y, self._views)
        scores = []
        for v, one in enumerate(data):
            with named_errors(self.modality_names_[v] if self._views is not None else ""):
                scores.append(self._project(one, v))
        return scores


def mean_correlations(scores: Sequence[Floats]) -> Floats:
    """Return the correlations (k,) of columns of equal place, the mean over pairs of arrays."""
    units = []
    for score in scores:
        centred = score - score.mean(axis=0)
        norms = np.linalg.norm(centred, axis=0)
        still = norms <= 1e-12 * np.linalg.norm(score, axis=0)
        units.append(np.where(still, 0.0, centred / np.where(still, 1.0, norms)))
    pairs = [np.einsum("ik,ik->k", a, b) for a, b in combinations(units, 2)]
    mean: Floats = np.clip(np.mean(pairs, axis=0), -1.0, 1.0)
    return mean


def _warn_of_certainty(
    names: Sequence[str], blocks: Sequence[Floats], ridges: Sequence[float]
) -> None:
    """Warn of correlations that are 1 for any data: columns that fill the space of samples."""
    dimensions = len(blocks[0]) - 1
    for u, v in combinations(range(len(blocks)), 2):
        excess = blocks[u].shape[1] + blocks[v].shape[1] - dimensions
        if ridges[u] == ridges[v] == 0.0 and excess > 0:
            warnings.warn(
                f"{names[u]!r} and {names[v]!r} have {blocks[u].shape[1]} and "
                f"{blocks[v].shape[1]} independent columns for {dimensions + 1} samples: "
                f"{excess} canonical correlations between them are 1 whatever the data. Expected "
                "regularisation > 0, or fewer columns.",
                UserWarning,
                stacklevel=4,
            )
