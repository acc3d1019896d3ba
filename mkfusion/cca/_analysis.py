"""Canonical correlation analysis of several modalities."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, StrOptions
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.cca._reading import (
    PAIR,
    as_numbers,
    read_analysis,
    read_analysis_again,
    refuse_constant,
)
from mkfusion.cca._solver import (
    Block,
    Solution,
    Table,
    solve_maxvar,
    solve_pair,
    solve_sumcor,
    standardize,
    whiten,
)
from mkfusion.cca._space import REMEDY, LinearSpace, SharedSpace
from mkfusion.data import (
    Modalities,
    about,
    blaming,
    column_names,
    read_again,
    remember_features,
    take_views,
)


class Whitened(NamedTuple):
    """A modality's whitened training samples, and what its kind of analysis knows of them."""

    block: Block
    details: Any


class CanonicalAnalysis(SharedSpace):
    """Directions in each modality whose scores go together."""

    n_components: int | None
    regularisation: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "regularisation": [Interval(Real, 0, 1, closed="both"), "array-like"],
    }

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

    def _n_components(self) -> int:
        return len(self.canonical_correlations_)

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
        samples = read_analysis(self, X, y, self._asked(X))
        names = samples.names or list(PAIR)
        ridges = self._ridges(len(samples.parts))
        whitened = []
        for v, (data, c) in enumerate(zip(samples.parts, ridges, strict=True)):
            with about(names[v] if samples.views else ""), blaming(data, REMEDY):
                whitened.append(self._whiten(data, v, c))
        blocks = [one.block.H for one in whitened]
        k = self._count(names, [block.shape[1] for block in blocks])
        solution = self._solve(blocks, k)
        _warn_of_certainty(names, blocks, ridges)
        scores = [H @ D for H, D in zip(blocks, solution.directions, strict=True)]
        norms = [np.linalg.norm(score, axis=0) for score in scores]
        # Only now: nothing is kept of a fit that fails.
        remember_features(self, samples.X)
        self._views = samples.views
        self.modality_names_ = names
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
                f"regularisation is {shown(given)}; expected a number in [0, 1], or one for each "
                f"of the {n_views} modalities."
            )
        return [float(c) for c in ridges]

    def _count(self, names: Sequence[str], ranks: Sequence[int]) -> int:
        """Return how many components to find."""
        refuse_constant(names, ranks)
        most = min(ranks)
        k = most if self.n_components is None else self.n_components
        if not 1 <= k <= most:
            some = ", ".join(f"{name}: {r}" for name, r in zip(names, ranks, strict=True))
            raise ValueError(
                f"n_components is {self.n_components}; expected at most {most}, the smallest "
                f"number of independent columns of a modality ({some})."
            )
        return k

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

        Raises
        ------
        ValueError, TypeError
            If `y` is lacking where the modalities are X and y, or the samples are not like those
            of `fit`.
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

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return float(self.correlations(X, y).mean())


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


class _Columns(NamedTuple):
    """A modality's columns, their names if they have any, and whether they came as one in 1-D."""

    table: Table
    names: list[str] | None
    flat: bool


class LinearAnalysis(LinearSpace, CanonicalAnalysis):
    """An analysis whose scores are weighted sums of columns."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CanonicalAnalysis._parameter_constraints,
        **LinearSpace._parameter_constraints,
    }

    def _whiten(self, data: Any, v: int, c: float) -> Whitened:
        table = standardize(as_numbers(self, data), self.scale)
        block = whiten(table.samples, c, table.rounding)
        W = block.W / table.deviation[:, np.newaxis]
        return Whitened(
            Block(block.H, W), _Columns(table, column_names(data), np.asarray(data).ndim == 1)
        )

    def _keep(self, whitened: Sequence[Whitened], directions: Sequence[Floats]) -> None:
        tables = [one.details.table for one in whitened]
        loadings = [
            _loadings(table.samples, one.block.H @ direction)
            for table, one, direction in zip(tables, whitened, directions, strict=True)
        ]
        # The column with the largest loading, of the first modality, has a positive one.
        largest = np.abs(loadings[0]).argmax(axis=0)
        signs = np.where(loadings[0][largest, np.arange(len(largest))] < 0.0, -1.0, 1.0)
        self._column_names = [one.details.names for one in whitened]
        self.means_ = [table.mean for table in tables]
        self.weights_ = [
            one.block.W @ (direction * signs)
            for one, direction in zip(whitened, directions, strict=True)
        ]
        self.loadings_ = [loading * signs for loading in loadings]
        self.explained_variance_ratio_ = np.stack(
            [
                _explained(table.samples, loading)
                for table, loading in zip(tables, loadings, strict=True)
            ]
        )


def _loadings(samples: Floats, scores: Floats) -> Floats:
    """Return the correlations (p, k) of centred columns with scores (n, k) of unit length."""
    norms = np.linalg.norm(samples, axis=0)
    loadings: Floats = samples.T @ scores / np.where(norms > 0.0, norms, 1.0)[:, np.newaxis]
    return np.clip(loadings, -1.0, 1.0)


def _explained(samples: Floats, loadings: Floats) -> Floats:
    """Return the share (k,) of the variance of columns that each score explains."""
    variances = np.einsum("ij,ij->j", samples, samples)
    shares: Floats = variances @ loadings**2 / variances.sum()
    return shares


class CCA(LinearAnalysis):
    """Canonical correlation analysis of two modalities, with a ridge (closed form).

    Finds weights a and b that maximise a'S_xy b where

        a'((1 - c) S_x + c I) a = 1,    b'((1 - c) S_y + c I) b = 1,

    and then further pairs, orthogonal to those before in the same products. c = 0 is canonical
    correlation analysis, c = 1 is partial least squares (the singular vectors of the
    cross-covariance), and between them is Vinod's canonical ridge.

    Parameters
    ----------
    n_components : int or None, default=2
        Pairs of weights to find; None for as many as there are.
    regularisation : float or list of two floats, default=0.0
        c in [0, 1], for each modality if there are two.
    scale : bool, default=True
        Whether to divide each column by its standard deviation first. Without regularisation this
        changes nothing but the rounding.
    modalities : list of two (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None for the two
        modalities of X if it is `Modalities`; otherwise they are X and y.

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (n_components,)
        Correlations between the scores of the training samples. They are larger than those of new
        samples, see the notes, and decrease for c = 0 only.
    objective_ : ndarray of shape (n_components,)
        a'S_xy b, in decreasing order: the canonical correlations for c = 0, covariances for c = 1.
    weights_ : list of two ndarray of shape (n_columns, n_components)
        Scores are ``(samples - means_[v]) @ weights_[v]``; those of the training samples have
        variance one.
    means_ : list of two ndarray of shape (n_columns,)
        Means of the columns.
    coef_ : ndarray of shape (n_columns of the second, n_columns of the first)
        What `predict` multiplies the first modality by, less its means.
    loadings_ : list of two ndarray of shape (n_columns, n_components)
        Correlations of each column with the scores of its own modality: what to read, since weights
        of correlated columns say little.
    explained_variance_ratio_ : ndarray of shape (2, n_components)
        Share of a modality's variance (after `scale`) that each of its own scores explains.
    modality_names_ : list of two str
        "X" and "y" where these are the modalities.
    n_features_in_ : int
        Number of columns or modalities of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    MultisetCCA : More than two modalities.
    KernelCCA : Relations that are not linear, or of what has no columns.
    CCAFusion : Shared and private features for a classifier.
    canonical_permutation_test : Whether there is a correlation at all.
    cross_validated_correlations : How large it is for new samples.

    Notes
    -----
    Each modality is whitened by a thin singular value decomposition, and one more, of what is
    between the whitened ones, gives all pairs. That holds for any number of samples and columns,
    and for columns that depend on each other. The signs make the largest loading of the first
    modality positive in every component.

    Canonical correlations of the samples that the weights were fitted to are biased upwards, the
    more so the more columns there are for a sample; they are exactly 1 for any data where two
    modalities have together as many independent columns as there are samples. `fit` warns of that
    case. Report `cross_validated_correlations`, and choose c by a search:
    ``GridSearchCV(CCA(), {"regularisation": [0.01, 0.1, 0.5]})`` scores by the mean correlation of
    held-out samples.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28 (1936).

    Vinod, "Canonical ridge and econometrics of joint production", Journal of Econometrics 4 (1976).

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from mkfusion import CCA, Modalities
    >>> exercise, body = load_linnerud(return_X_y=True)
    >>> cca = CCA().fit(exercise, body)
    >>> cca.canonical_correlations_.round(3)
    array([0.796, 0.201])
    >>> scores, others = cca.transform(exercise, body)
    >>> scores.shape
    (20, 2)
    >>> X = Modalities(exercise=exercise, body=body)
    >>> CCA(n_components=1).fit(X).get_feature_names_out()
    array(['exercise__cca0', 'body__cca0'], dtype=object)
    """

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        regularisation: float | Sequence[float] = 0.0,
        scale: bool = True,
        modalities: list[tuple[str, Any]] | None = None,
    ) -> None:
        self.n_components = n_components
        self.regularisation = regularisation
        self.scale = scale
        self.modalities = modalities

    def _asked(self, X: Any) -> Any:
        asked = self._all_or_given(X)
        if asked is not None and len(asked) != 2:
            raise ValueError(
                f"modalities are {[name for name, *_ in asked]}; expected two. Name two of them in "
                "modalities=[(name, columns), (name, columns)], or use MultisetCCA for more."
            )
        return asked

    def _solve(self, blocks: Sequence[NDArray[np.float64]], k: int) -> Solution:
        return solve_pair(blocks, k)

    def _keep(self, whitened: Sequence[Whitened], directions: Sequence[Floats]) -> None:
        super()._keep(whitened, directions)
        block, table = whitened[0].block, whitened[1].details.table
        scores = block.H @ directions[0] * np.sqrt(len(block.H) - 1.0)
        slopes = lstsq(scores, table.samples * table.deviation)[0]
        self._flat_target = whitened[1].details.flat
        self.coef_ = (block.W @ directions[0] @ slopes).T

    def predict(self, X: Any) -> Floats:
        """Return what the first modality says of the columns of the second.

        It is the regression of these columns on the scores of the first modality, by least squares
        in the training samples. With all components and without regularisation it is that on the
        columns of the first modality; fewer components are reduced-rank regression.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`, of which `Modalities` may lack the second one.

        Returns
        -------
        ndarray of shape (n_samples, n_targets), or (n_samples,)
            In the units of the second modality; one-dimensional where that was.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take.

        See Also
        --------
        predict_modality : How far that holds for new samples.
        """
        check_is_fitted(self)
        if not self._views:
            data = read_analysis_again(self, X, None, [])[0]
        elif isinstance(X, Modalities):
            data = take_views(X, self._views[:1])[0]
        else:
            data = read_again(self, X, self._views[:1])[0]
        with about(self.modality_names_[0] if self._views else ""), blaming(data, REMEDY):
            samples = as_numbers(self, data, len(self.means_[0]), self._column_names[0])
        said: Floats = (samples - self.means_[0]) @ self.coef_.T + self.means_[1]
        return said[:, 0] if self._flat_target else said


class MultisetCCA(LinearAnalysis):
    """Canonical correlation analysis of two or more modalities.

    Each component has one vector of weights w_v for each modality, of unit length in
    w_v'((1 - c) S_v + c I) w_v. With the matrix R of their products w_u'S_uv w_v, ones on its
    diagonal, they maximise

    - "maxvar": the largest eigenvalue of R. Without regularisation R is the correlation matrix of
      the scores, and its first principal component is the shared variate of generalised canonical
      correlation analysis (GCCA);
    - "sumcor": the sum of R over all pairs of modalities.

    For two modalities both are :class:`~mkfusion.CCA`, for any c.

    Parameters
    ----------
    n_components : int or None, default=2
        Components to find; None for as many as the modality with the fewest independent columns
        allows.
    method : {"maxvar", "sumcor"}, default="maxvar"
        "maxvar" is an eigenvalue problem, and modalities that share nothing with the others get a
        small part in it (`shares_`); "sumcor" counts all pairs alike.
    regularisation : float or list of floats, default=0.0
        c in [0, 1], for each modality if it is a list: 0 for correlations, 1 for covariances
        (partial least squares).
    scale : bool, default=True
        Whether to divide each column by its standard deviation first. Without regularisation this
        changes nothing but the rounding.
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None for all modalities
        of X, which is `Modalities` then.
    tol : float, default=1e-8
        "sumcor" stops where no entry of the unit vectors moves further; it says also which relative
        gap counts as none.
    max_iter : int, default=1000
        Most passes of "sumcor" over the modalities.

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (n_components,)
        Correlations between the scores of the training samples, the mean over pairs of modalities.
        They are larger than those of new samples.
    pairwise_correlations_ : ndarray of shape (n_components, n_modalities, n_modalities)
        The correlations that they are the means of.
    objective_ : ndarray of shape (n_components,)
        The largest eigenvalue of R, or the sum of R over pairs.
    gap_ : ndarray of shape (n_components,)
        How far the objective can be below the largest possible one after the components before, as
        a share of the latter: 0 is proved optimal. Always 0 for "maxvar".
    shares_ : ndarray of shape (n_modalities, n_components)
        Entries of the leading eigenvector of R for "maxvar": how much each modality takes part;
        all alike for "sumcor". The squares of a component sum to one.
    n_iter_ : int
        Most passes over the modalities for any component.
    weights_ : list of n_modalities ndarray of shape (n_columns, n_components)
        Scores are ``(samples - means_[v]) @ weights_[v]``; those of the training samples have
        variance one.
    means_ : list of n_modalities ndarray of shape (n_columns,)
        Means of the columns.
    loadings_ : list of n_modalities ndarray of shape (n_columns, n_components)
        Correlations of each column with the scores of its own modality.
    explained_variance_ratio_ : ndarray of shape (n_modalities, n_components)
        Share of a modality's variance (after `scale`) that each of its own scores explains.
    modality_names_ : list of str
        The modalities in their order.
    n_features_in_ : int
        Number of columns or modalities of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice for "sumcor".

    See Also
    --------
    CCA : Two modalities.
    CCAFusion : Shared and private features for a classifier.

    Notes
    -----
    What other libraries call MCCA maximises the same sum as "sumcor", but bounds the sum of the
    modalities' variances instead of each of them. That eigenvalue problem is the one of "maxvar":
    their weights differ by a factor for each modality and component only.

    "maxvar" components are orthogonal over all modalities together, "sumcor" components within each
    modality. "sumcor" is not convex: it starts from the solution of "maxvar", never falls below it
    in the first component, and `gap_` proves how good it is. In our experience it is 0.

    References
    ----------
    Kettenring, "Canonical analysis of several sets of variables", Biometrika 58 (1971).

    Carroll, "Generalization of canonical correlation analysis to three or more sets of variables",
    Proceedings of the 76th Annual Convention of the APA (1968).

    Examples
    --------
    >>> from mkfusion import MultisetCCA
    >>> from mkfusion.datasets import load_mfeat
    >>> X, y = load_mfeat(return_X_y=True)
    >>> views = [(name, name) for name in ("fou", "kar", "zer")]
    >>> cca = MultisetCCA(modalities=views, regularisation=0.1).fit(X[::4])
    >>> cca.transform(X).shape
    (2000, 6)
    >>> cca.correlations(X[1::4]).round(2)
    array([0.91, 0.82])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearAnalysis._parameter_constraints,
        "method": [StrOptions({"maxvar", "sumcor"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        method: str = "maxvar",
        regularisation: float | Sequence[float] = 0.0,
        scale: bool = True,
        modalities: list[tuple[str, Any]] | None = None,
        tol: float = 1e-8,
        max_iter: int = 1000,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.regularisation = regularisation
        self.scale = scale
        self.modalities = modalities
        self.tol = tol
        self.max_iter = max_iter

    def _asked(self, X: Any) -> Any:
        asked = self._all_or_given(X)
        if asked is None:
            raise ValueError(
                f"modalities is None and X is a {type(X).__name__}; expected Modalities as X, or "
                "modalities=[(name, columns), ...] to say which columns are which modality."
            )
        if len(asked) < 2:
            raise ValueError(
                f"modalities are {[name for name, *_ in asked]}; expected at least two."
            )
        return asked

    def _solve(self, blocks: Sequence[Floats], k: int) -> Solution:
        if self.method == "maxvar":
            return solve_maxvar(blocks, k)
        solution = solve_sumcor(blocks, k, self.tol, self.max_iter)
        if not solution.converged:
            warnings.warn(
                f"MultisetCCA did not settle within max_iter={self.max_iter} passes; the relative "
                f"gaps are {np.array2string(solution.gap, precision=2)}. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return solution

    def _keep_solution(self, solution: Solution, scores: Sequence[Floats]) -> None:
        super()._keep_solution(solution, scores)
        units = np.stack([score / np.linalg.norm(score, axis=0) for score in scores])
        self.pairwise_correlations_ = np.clip(np.einsum("unk,vnk->kuv", units, units), -1.0, 1.0)
        self.gap_ = solution.gap
        self.shares_ = solution.shares
        self.n_iter_ = solution.n_iter
