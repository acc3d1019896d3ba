"""Kernels on tables of categories."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion.kernels._gamma import check_number
from mkfusion.kernels.tables._cells import Column
from mkfusion.kernels.tables._tables import TableKernel
from mkfusion.kernels.tables._variables import Nominal, Variable

__all__ = ["FrequencyKernel", "OverlapKernel"]


class OverlapKernel(TableKernel):
    """The share of columns in which two samples have the same category.

    ``k(x, z) = 1/d sum_v [x_v = z_v]`` over the d columns, whatever their dtype: strings, numbers,
    booleans, categoricals or any other hashable objects. The training samples need not have had a
    category: it equals itself.

    *Missing cells* (None, NaN, NaT, pandas' NA) are no category of their own. A missing cell is
    the mean over the training samples that have the column, so that with P_v(x) the share of x
    among them::

        k_v(x, missing)       = P_v(x),
        k_v(missing, missing) = sum_c P_v(c)^2,

    the probabilities that a training sample has x, and that two of them have the same category.
    This keeps the kernel positive semi-definite. A sample may be all gaps; a column without any
    training value is left out. Where being missing says something, fill the gaps with a category.

    Parameters
    ----------
    missing : {"mean", "zero", "error"}, default="mean"
        What missing cells are: the mean above, 0 (equal to nothing, not to each other either), or
        refused.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Raises
    ------
    ValueError, TypeError
        If a cell is missing with ``missing="error"``, or is not hashable.

    See Also
    --------
    FrequencyKernel : Rare categories count more.
    ClinicalKernel : Categories beside numbers and ordered levels.

    Examples
    --------
    >>> from mkfusion import OverlapKernel
    >>> X = [["red", "small"], ["red", "large"], ["blue", "large"]]
    >>> OverlapKernel().fit(X)(X)
    array([[1. , 0.5, 0. ],
           [0.5, 1. , 0.5],
           [0. , 0.5, 1. ]])
    """

    _name = "overlap"

    def __init__(self, *, missing: str = "mean") -> None:
        self.missing = missing

    def _learn(self, X: Any, columns: list[Column]) -> list[Variable]:
        return [Nominal(column) for column in columns]


class FrequencyKernel(TableKernel):
    """Equal categories, of which the rare ones count more.

    The univariate kernel of Belanche and Villegas [1]_ ::

        k_v(x, z) = h(P_v(x)) if x = z, else 0,    h(p) = (1 - p^alpha)^(1 / alpha),

    with P_v(x) the share of the training samples that have the category x, and its mean over the
    d columns. To share what everyone has says nothing, so a category of all training samples
    counts 0; one that they did not have counts 1. Samples then differ in k(x, x), which
    ``normalize="cosine"`` of a kernelizer, the default, takes out again.

    *Missing cells* (None, NaN, NaT, pandas' NA) are no category of their own. A missing cell is
    the mean embedding of the training samples that have the column::

        k_v(x, missing)       = P_v(x) h(P_v(x)),
        k_v(missing, missing) = sum_c P_v(c)^2 h(P_v(c)),

    which keeps the kernel positive semi-definite. A sample may be all gaps; a column without any
    training value is left out.

    Parameters
    ----------
    alpha : float, default=1.0
        Positive. Below 1 h falls quickly, and only rare categories count; the larger alpha, the
        more common ones count in full.
    missing : {"mean", "zero", "error"}, default="mean"
        What missing cells are: the mean above, 0 (equal to nothing, not to each other either), or
        refused.

    Attributes
    ----------
    frequencies_ : list of `n_features_in_` dicts
        From the categories of a column to their shares P_v, of those that are not missing; empty
        where a column had no value.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Raises
    ------
    ValueError, TypeError
        If alpha is not a positive number, or a cell is missing with ``missing="error"`` or not
        hashable.

    See Also
    --------
    OverlapKernel : All categories count the same.
    ClinicalKernel : Categories beside numbers and ordered levels.

    References
    ----------
    .. [1] Belanche and Villegas, "Kernel functions for categorical variables with application to
       problems in the life sciences", Artificial Intelligence Research and Development, 2013.

    Examples
    --------
    >>> from mkfusion import FrequencyKernel
    >>> X = [["A"], ["A"], ["A"], ["B"]]
    >>> kernel = FrequencyKernel().fit(X)
    >>> kernel.frequencies_
    [{'A': 0.75, 'B': 0.25}]
    >>> kernel([["A"], ["B"]])
    array([[0.25, 0.  ],
           [0.  , 0.75]])
    """

    _name = "frequency"

    def __init__(self, *, alpha: float = 1.0, missing: str = "mean") -> None:
        self.alpha = alpha
        self.missing = missing

    def _learn(self, X: Any, columns: list[Column]) -> list[Variable]:
        alpha = check_number(self.alpha, "alpha", positive=True)

        def weight(shares: NDArray[np.float64]) -> NDArray[np.float64]:
            return (1.0 - shares**alpha) ** (1.0 / alpha)

        variables = [Nominal(column, weight) for column in columns]
        self.frequencies_: list[dict[Hashable, float]] = [{} for _ in range(self.n_features_in_)]
        for j, variable in zip(self._used, variables, strict=True):
            shares = variable.shares.tolist()
            self.frequencies_[j] = dict(zip(variable.codes, shares, strict=True))
        return list(variables)
