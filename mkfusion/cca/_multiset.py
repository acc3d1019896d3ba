"""Canonical correlation analysis of several modalities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from mkfusion.cca._linear import LinearAnalysis
from mkfusion.cca._solve import Solution, solve_maxvar, solve_sumcor

__all__ = ["MultisetCCA"]

Floats = NDArray[np.float64]


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
