"""Features that modalities share, and features that each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lstsq, svd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, check_feature_names_in
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.cca._analysis import MultisetCCA
from mkfusion.cca._reading import as_numbers, read_analysis
from mkfusion.cca._solver import Table, standardize
from mkfusion.data import about, read_again, remember_features

SHARED = "shared"


class _Private(NamedTuple):
    """Features that a modality has alone.

    Attributes
    ----------
    weights : ndarray of shape (p, q)
        They are ``(samples - mean) @ weights``.
    shared_variance : float
        Share of the modality's variance that its scores explain.
    """

    weights: Floats
    shared_variance: float


class CCAFusion(TransformerMixin, BaseEstimator):
    """Split modalities into what they share and what each has alone, as features for any model.

    The shared part is the variate of :class:`~mkfusion.MultisetCCA` ("maxvar"): for each component
    the sum of the modalities' scores, weighed by their shares. The private part of a modality is
    what its own scores do not explain of it, the residuals of a regression of its columns on them,
    by principal components. For two modalities A and B these are: shared, unique to A, unique to B.

    Parameters
    ----------
    n_components : int or None, default=2
        Shared components; None for as many as there can be.
    n_private : int or None, default=None
        Most principal components of each private part; None for all.
    parts : list of str or None, default=None
        What `transform` returns: "shared", and modalities' names for their private parts, in the
        order that they are listed in. None for everything.
    regularisation : float or list of floats, default=0.1
        c in [0, 1], for each modality if it is a list: 0 for correlations, 1 for covariances.
    scale : bool, default=True
        Whether to divide each column by its standard deviation first.
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None for all modalities
        of X, which is `Modalities` then.

    Attributes
    ----------
    cca_ : MultisetCCA
        Fitted.
    shared_variance_ratio_ : ndarray of shape (n_modalities,)
        Share of each modality's variance (after `scale`) that its own scores explain in the
        training samples. The rest is private.
    private_weights_ : dict of str to ndarray of shape (n_columns, n_private)
        Private features are ``(samples - mean) @ weights``, by modality, of the parts asked for.
    n_features_in_ : int
        Number of columns or modalities of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    MultisetCCA : The shared space itself.

    Notes
    -----
    Shared features have variance one in the training samples, private ones the variance of the
    (scaled) columns that they come from: put a ``StandardScaler`` behind where a model minds.

    Private features are uncorrelated with their modality's scores in the training samples. Without
    regularisation those of two modalities have no correlation with the other's scores either, and
    between themselves they have the canonical correlations from ``n_components + 1`` on: what is
    private is so as far as the number of components goes.

    Liang, Zadeh and Morency call this fission. Which parts a task needs is a question that a grid
    search over `parts` answers: ``[["shared"], ["fou"], ["shared", "fou"], None]``.

    References
    ----------
    Carroll, "Generalization of canonical correlation analysis to three or more sets of variables",
    Proceedings of the 76th Annual Convention of the APA (1968).

    Liang, Zadeh and Morency, "Foundations and trends in multimodal machine learning", ACM Computing
    Surveys 56 (2024), section 3.3.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mkfusion import CCAFusion
    >>> from mkfusion.datasets import load_mfeat
    >>> X, y = load_mfeat(return_X_y=True)
    >>> fusion = CCAFusion(3, n_private=2, modalities=[("fou", "fou"), ("zer", "zer")])
    >>> fusion.fit(X[::4]).get_feature_names_out()
    array(['shared0', 'shared1', 'shared2', 'fou__private0', 'fou__private1',
           'zer__private0', 'zer__private1'], dtype=object)
    >>> model = make_pipeline(fusion, StandardScaler(), LogisticRegression())
    >>> round(model.fit(X[::4], y[::4]).score(X[1::4], y[1::4]), 1)
    0.7
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_private": [Interval(Integral, 1, None, closed="left"), None],
        "parts": [list, tuple, None],
        **{
            name: MultisetCCA._parameter_constraints[name]
            for name in ("n_components", "regularisation", "scale", "modalities")
        },
    }

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        n_private: int | None = None,
        parts: list[str] | None = None,
        regularisation: float | Sequence[float] = 0.1,
        scale: bool = True,
        modalities: list[tuple[str, Any]] | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_private = n_private
        self.parts = parts
        self.regularisation = regularisation
        self.scale = scale
        self.modalities = modalities

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the shared components, and what each modality has besides.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or modalities are not there or not finite numbers.
        """
        self._validate_params()
        cca = MultisetCCA(
            self.n_components,
            regularisation=self.regularisation,
            scale=self.scale,
            modalities=self.modalities,
        ).fit(X)
        names = cca.modality_names_
        parts = self._checked_parts(names)
        samples = read_analysis(self, X, None, cca._asked(X))
        tables = [standardize(as_numbers(self, one), self.scale) for one in samples.parts]
        private = [
            _private(table, weights, self.n_private)
            for table, weights in zip(tables, cca.weights_, strict=True)
        ]
        shared = [weights * share for weights, share in zip(cca.weights_, cca.shares_, strict=True)]
        scores = sum(
            (table.samples * table.deviation) @ weights
            for table, weights in zip(tables, shared, strict=True)
        )
        spread = np.std(scores, axis=0, ddof=1)
        remember_features(self, samples.X)
        self.cca_ = cca
        self._parts = parts
        # Of variance one, as the scores are that they sum.
        self._shared_weights = [weights / spread for weights in shared]
        self.shared_variance_ratio_ = np.array([one.shared_variance for one in private])
        self.private_weights_ = {
            name: one.weights for name, one in zip(names, private, strict=True) if name in parts
        }
        return self

    def _checked_parts(self, names: Sequence[str]) -> list[str]:
        """Return the parts asked for."""
        if SHARED in names:
            raise ValueError(
                f'modalities are {list(names)}; expected none with the name "{SHARED}".'
            )
        known = [SHARED, *names]
        parts = known if self.parts is None else list(self.parts)
        if not parts or len(set(parts)) < len(parts) or not set(parts) <= set(known):
            raise ValueError(f"parts is {shown(self.parts)}; expected some of {known}, each once.")
        return parts

    def transform(self, X: Any) -> Floats:
        """Return the features of samples.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The parts side by side.
        """
        check_is_fitted(self)
        names = self.cca_.modality_names_
        data = []
        for v, one in enumerate(read_again(self, X, self.cca_._views)):
            mean = self.cca_.means_[v]
            with about(names[v]):
                data.append(as_numbers(self, one, len(mean), self.cca_._column_names[v]) - mean)
        found = []
        for part in self._parts:
            if part == SHARED:
                weighed = zip(data, self._shared_weights, strict=True)
                found.append(np.sum([one @ weights for one, weights in weighed], axis=0))
            else:
                found.append(data[names.index(part)] @ self.private_weights_[part])
        return np.hstack(found)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the features, such as ``"shared0"`` and ``"gyro__private0"``.

        Parameters
        ----------
        input_features : array-like of shape (n_features,), default=None
            Ignored, but checked against the features of `fit`.

        Returns
        -------
        ndarray of shape (n_features_out,)
        """
        check_is_fitted(self)
        check_feature_names_in(self, input_features, generate_names=False)
        names = []
        for part in self._parts:
            if part == SHARED:
                count = len(self.cca_.objective_)
                names += [f"{SHARED}{j}" for j in range(count)]
            else:
                count = self.private_weights_[part].shape[1]
                names += [f"{part}__private{j}" for j in range(count)]
        return np.array(names, dtype=object)


def _private(table: Table, weights: Floats, n_private: int | None) -> _Private:
    """Return principal components of what scores do not explain of their modality.

    Parameters
    ----------
    table : Table of shape (n, p)
    weights : ndarray of shape (p, k)
        Of the scores, for samples that are only centred.
    n_private : int or None
        Most principal components.
    """
    samples, deviation = table.samples, table.deviation
    scores = (samples * deviation) @ weights
    coefficients = lstsq(scores, samples, check_finite=False)[0]
    residuals = samples - scores @ coefficients
    _, d, Vt = svd(residuals, full_matrices=False, check_finite=False)
    total = float(np.einsum("ij,ij->", samples, samples))
    rank = int(np.count_nonzero(d > max(samples.shape) * table.rounding))
    axes = Vt[: rank if n_private is None else min(rank, n_private)].T
    return _Private(
        axes / deviation[:, np.newaxis] - weights @ (coefficients @ axes),
        1.0 - float(d @ d) / total,
    )
