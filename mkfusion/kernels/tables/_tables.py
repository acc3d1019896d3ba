"""Kernels on tables of categories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from mkfusion._compat import num_samples
from mkfusion._messages import shown
from mkfusion._types import FloatArray
from mkfusion.data import Column, Columns, as_plain, read_columns, resolve_columns
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._parameters import check_number
from mkfusion.kernels.tables._variables import (
    Cells,
    Graded,
    Nominal,
    Variable,
    graded_or_constant,
    mean_similarity,
    prepare_cells,
    warn_of_unseen,
)

_MISSING = ("mean", "zero", "error")


class TableKernel(Kernel):
    """The mean of kernels on single columns, which have an answer for missing cells."""

    missing: str

    @abstractmethod
    def _learn_columns(self, X: Any, columns: list[Column]) -> list[Variable]:
        """Return the kernel of each column, learned from its training values."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Cells:
        if self.missing not in list(_MISSING):
            raise ValueError(
                f'missing is {shown(self.missing)}; expected "mean", "zero" or "error".'
            )
        X, columns = self._read(X, reset=True)
        # There is nothing to learn about a column without a value: it is left out.
        self._used = [j for j, column in enumerate(columns) if len(column.present)]
        if not self._used:
            raise ValueError("every cell of X is missing; expected values to learn from.")
        self._variables = self._learn_columns(X, [columns[j] for j in self._used])
        return self._cells(X, columns)

    def _prepare(self, X: Any) -> Cells:
        X, columns = self._read(X, reset=False)
        cells = self._cells(X, columns)
        used = [columns[j] for j in self._used]
        warn_of_unseen(self._variables, used, cells)
        return cells

    def _read(self, X: Any, *, reset: bool) -> tuple[Any, list[Column]]:
        X = as_plain(X)
        if hasattr(X, "columns"):
            if num_samples(X) == 0:
                raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}); expected some.")
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            # As they are: NumPy would turn the numbers in lists of mixed rows into strings.
            dtype = None if hasattr(X, "dtype") else object
            X = validate_data(self, X, reset=reset, dtype=dtype, ensure_all_finite=False)
        columns = read_columns(X)
        if self.missing == "error":
            for column in columns:
                if column.missing.any():
                    raise ValueError(
                        f"X has {column.missing.sum()} missing cells (NaN) in column "
                        f'{shown(column.name)}; with missing="error" expected none. "mean" and '
                        '"zero" have the kernel handle them.'
                    )
        return X, columns

    def _cells(self, X: Any, columns: list[Column]) -> Cells:
        single = getattr(X, "dtype", None) == np.float32
        return prepare_cells(
            self._variables,
            [columns[j] for j in self._used],
            embed=self.missing == "mean",
            dtype=np.float32 if single else np.float64,
        )

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return mean_similarity(self._variables, samples, samples if others is None else others)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return samples.norms.mean(axis=0, dtype=np.float64)

    def _is_psd(self) -> bool:
        return True


class ClinicalKernel(TableKernel):
    """The clinical kernel of a table of numbers, ordered levels and categories.

    It is the mean over the d columns of::

        (r_v - |x_v - z_v|) / r_v    of numbers and of the ranks of ordered levels,
        1 if x_v = z_v, else 0       of categories,

    where r_v is the range of the training values [1]_: Gower's similarity [2]_ as a kernel, which
    is 1 between equal samples. The unit of a column does not matter, a monotone transformation
    does: take logarithms of skewed measurements.

    - Booleans, strings and unordered categoricals are categories, which the training samples need
      not have had; ordered categoricals are levels; dates and durations count as numbers of
      days, and so does a column of objects that are all dates, durations, or numbers (decimals
      among them), whatever library holds them. Dates with a time zone are compared by their
      instant, those without as if they were UTC.
    - A new value may lie outside the training range. The first line is then read as
      ``max(0, r_v - |x_v - z_v|) / r_v``: the same within the range, never negative, and positive
      semi-definite on the whole line, as it is a triangular function.
    - A column that is constant in training is compared like a category.
    - *Missing cells* (None, NaN, NaT, pandas' NA) are not imputed: a missing cell is mapped to the
      mean of the column's feature map over the n_v training samples that have it, so that with
      these samples' values t and t'::

          k_v(x, missing)       = sum_t k_v(x, t) / n_v,
          k_v(missing, missing) = sum_tt' k_v(t, t') / n_v^2.

      As an inner product it stays positive semi-definite for any gaps, which Gower's own way (to
      leave a pair's missing columns out of its mean) does not. A sample may be all gaps. A column
      without any training value is left out, as if it were not there.

    Parameters
    ----------
    categorical_features : str, int, list, slice, boolean mask or callable, default=None
        Columns of numbers that are names of categories: their positions or names, as in
        :class:`~mkfusion.ColumnKernelizer`. None: as the dtypes say.
    missing : {"mean", "zero", "error"}, default="mean"
        What missing cells are: the mean embedding above, 0 (similar to nothing, not to each other
        either), or refused.

    Attributes
    ----------
    kinds_ : ndarray of str of shape (`n_features_in_`,)
        "numeric", "time", "ordinal" or "nominal"; "empty" where a column had no value.
    ranges_ : ndarray of shape (`n_features_in_`,), float64
        r_v, in days for times; NaN for categories.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Raises
    ------
    ValueError, TypeError
        At fit and at evaluation, if a number is infinite, a level is not one of training's, or a
        cell is missing with ``missing="error"``.

    See Also
    --------
    OverlapKernel : The share of equal categories.
    FrequencyKernel : Categories of which rare ones count more.

    References
    ----------
    .. [1] Daemen and De Moor, "Development of a kernel function for clinical data", EMBC 2009;
       Daemen et al., "Improved modeling of clinical data with kernel methods", Artificial
       Intelligence in Medicine 54, 2012.
    .. [2] Gower, "A general coefficient of similarity and some of its properties", Biometrics 27,
       1971.

    Examples
    --------
    >>> import pandas as pd
    >>> from mkfusion import ClinicalKernel
    >>> X = pd.DataFrame(
    ...     {
    ...         "age": [40.0, 60.0, None],
    ...         "grade": pd.Categorical(["I", "III", "II"], ["I", "II", "III"], ordered=True),
    ...         "smoker": ["yes", "no", "no"],
    ...     }
    ... )
    >>> kernel = ClinicalKernel().fit(X)
    >>> print(*kernel.kinds_)
    numeric ordinal nominal
    >>> kernel(X).round(2)
    array([[1.  , 0.  , 0.33],
           [0.  , 1.  , 0.67],
           [0.33, 0.67, 0.83]])
    """

    def __init__(self, *, categorical_features: Any = None, missing: str = "mean") -> None:
        self.categorical_features = categorical_features
        self.missing = missing

    def _learn_columns(self, X: Any, columns: list[Column]) -> list[Variable]:
        names = self._positions_of_categories(X)
        self.kinds_ = np.full(self.n_features_in_, "empty", dtype=object)
        self.ranges_ = np.full(self.n_features_in_, np.nan)
        variables: list[Variable] = []
        for j, column in zip(self._used, columns, strict=True):
            self.kinds_[j] = "nominal" if j in names else column.kind
            if self.kinds_[j] == "nominal":
                variables.append(Nominal(column))
                continue
            variable = graded_or_constant(column)
            self.ranges_[j] = variable.range if isinstance(variable, Graded) else 0.0
            variables.append(variable)
        return variables

    def _positions_of_categories(self, X: Any) -> list[int]:
        if self.categorical_features is None:
            return []
        found = resolve_columns(X, self.categorical_features, "categorical_features")
        assert isinstance(found, Columns)  # X is no Modalities
        return [found.positions] if isinstance(found.positions, int) else found.positions


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

    def __init__(self, *, missing: str = "mean") -> None:
        self.missing = missing

    def _learn_columns(self, X: Any, columns: list[Column]) -> list[Variable]:
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

    def __init__(self, *, alpha: float = 1.0, missing: str = "mean") -> None:
        self.alpha = alpha
        self.missing = missing

    def _learn_columns(self, X: Any, columns: list[Column]) -> list[Variable]:
        alpha = check_number(self.alpha, "alpha", positive=True)

        def weight(shares: NDArray[np.float64]) -> NDArray[np.float64]:
            return (1.0 - shares**alpha) ** (1.0 / alpha)

        variables = [Nominal(column, weight) for column in columns]
        self.frequencies_: list[dict[Hashable, float]] = [{} for _ in range(self.n_features_in_)]
        for j, variable in zip(self._used, variables, strict=True):
            shares = variable.shares.tolist()
            self.frequencies_[j] = dict(zip(variable.codes, shares, strict=True))
        return list(variables)
