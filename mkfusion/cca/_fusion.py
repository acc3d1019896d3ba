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

from mkfusion._compat import Interval, Options, check_feature_names_in, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.cca._analysis import MultisetCCA
from mkfusion.cca._reading import as_numbers, read_analysis
from mkfusion.cca._solver import Table, standardize
from mkfusion.data import MISSING, Modalities, about, blaming, read_samples, remember_features
from mkfusion.kernels import SampleCompletion, complete_samples

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
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; shared features are the sum of the scores that there are, scaled to variance one as
        the whole sum is, and private features of what is missing are 0, their mean; or its columns
        are predicted from the other modalities by ridge regression. Only training samples that have
        all modalities say how these go together: it is learned from them alone.

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
        "missing": [Options(str, set(MISSING))],
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
        missing: str = "error",
    ) -> None:
        self.n_components = n_components
        self.n_private = n_private
        self.parts = parts
        self.regularisation = regularisation
        self.scale = scale
        self.modalities = modalities
        self.missing = missing

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
        X, completion = self._complete(X)
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
        scores = [
            (table.samples * table.deviation) @ weights
            for table, weights in zip(tables, shared, strict=True)
        ]
        remember_features(self, samples.X)
        self._completion = completion
        self.cca_ = cca
        self._parts = parts
        self._shared_weights = shared
        self._covariances = np.einsum("uik,vik->kuv", scores, scores) / (len(scores[0]) - 1)
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

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        names = self.cca_.modality_names_
        known = self._completion.read(self, X)
        present = known.present
        data = []
        for v, (part, mean) in enumerate(zip(known.parts, self.cca_.means_, strict=True)):
            centred = np.zeros((len(present), len(mean)))
            if part is not None:
                with about(names[v]), blaming(part):
                    columns = as_numbers(self, part, len(mean), self.cca_._column_names[v])
                centred[known.rows(v)] = columns - mean
            data.append(centred)
        found = []
        for part in self._parts:
            if part == SHARED:
                weighed = zip(data, self._shared_weights, strict=True)
                total = np.sum([one @ weights for one, weights in weighed], axis=0)
                found.append(total / self._spread(present))
            else:
                found.append(data[names.index(part)] @ self.private_weights_[part])
        return np.hstack(found)

    def _complete(self, X: Any) -> tuple[Any, SampleCompletion]:
        """Return the training samples that have everything, and how others are completed."""
        asked = self.modalities
        if asked is None and not isinstance(X, Modalities):
            asked = [("X", slice(None))]  # refused by the analysis, which says why
        samples = read_samples(X, asked)
        if self.missing == "error":
            for name, part in zip(samples.names, samples.parts, strict=True):
                with about(name), blaming(part):
                    as_numbers(self, part)
            return X, SampleCompletion("error", samples.views, None)
        completion, rows = complete_samples(self.missing, samples.views, samples.parts)
        return safe_indexing(samples.X, rows), completion

    def _spread(self, present: Mask) -> Floats:
        """Return standard deviations (n_samples, k) of sums of the scores that samples have.

        In the training samples: shared features are of variance one, whatever they are made of.
        """
        each = present.astype(np.float64)
        return np.sqrt(np.einsum("iu,kuv,iv->ik", each, self._covariances, each))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the features, such as ``"shared0"`` and ``"gyro__private0"``.

        Parameters
        ----------
        input_features : array-like of shape (n_features,), default=None
            Ignored, but checked against the features of `fit`.

        Returns
        -------
        ndarray of shape (n_features_out,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
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
