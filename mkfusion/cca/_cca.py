"""Canonical correlation analysis of two modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion.cca._linear import LinearAnalysis
from mkfusion.cca._solve import Solution, solve_pair

__all__ = ["CCA"]


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
