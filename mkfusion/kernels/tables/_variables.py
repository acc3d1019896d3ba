"""The kernel of one variable, and its mean over the variables of a table.

A variable's kernel k_v is a similarity between two values, and phi_v its feature map. A missing
cell is mapped to the mean of phi_v over the training samples whose value is present (the *mean
embedding* of the variable), so that with t, t' running over these n_v values

    k_v(x, missing) = 1/n_v sum_t k_v(x, t),    k_v(missing, missing) = 1/n_v^2 sum_tt' k_v(t, t').

These are inner products, so any pattern of gaps leaves the kernel positive semi-definite. The
same holds for the zero vector in place of the mean.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.data import Column, UnknownCategoriesWarning, as_numbers

# So many pairs at a time: a block of them stays in a core's cache through all variables.
_PAIRS_AT_ONCE = 2**16
# Of what training did not have, in messages
_COLUMNS_SHOWN, _CATEGORIES_SHOWN = 3, 3
_NANOSECONDS_OF_A_DAY = 86_400.0 * 10**9


class Variable(Protocol):
    """The kernel of one variable, learned from its present training values.

    Attributes
    ----------
    mean_norm : float
        k_v(missing, missing) of the mean embedding.
    """

    mean_norm: float

    def encode(self, column: Column) -> tuple[Floats, dict[Hashable, int]]:
        """Return codes (n,), NaN where cells are missing, and those of unseen categories."""
        ...

    def norms(self, codes: Floats) -> Floats:
        """Return k_v(x, x) of codes (n,)."""
        ...

    def means(self, codes: Floats) -> Floats:
        """Return the mean of k_v(x, t) over the training values t, of codes (n,)."""
        ...

    def compare(self, x: FloatArray, z: FloatArray, norms: FloatArray, out: FloatArray) -> None:
        """Write k_v between codes (r, 1) with norms (r, 1) and codes (c,) into out (r, c)."""
        ...


class Graded:
    """Numbers or ranks: max(0, r - |x - z|) / r, where r is the range of the training values.

    Parameters
    ----------
    column : Column
        Training values, not all equal.
    """

    def __init__(self, column: Column) -> None:
        self.ranks: dict[Hashable, int] | None = None
        self.per_day = 1.0  # what times are counted in
        if column.kind == "ordinal" and column.levels is not None:
            self.ranks = {level: rank for rank, level in enumerate(column.levels)}
        values = self._numbers(column)[~column.missing]
        self.low = float(values.min())
        self.range = float(values.max()) - self.low
        if not np.isfinite(self.range):
            raise ValueError(
                f"column {shown(column.name)} has the range from {values.min():.6g} to "
                f"{values.max():.6g}, which is too large for a number."
            )
        self._sorted = np.sort((values - self.low) / self.range)
        self._sums = np.concatenate([[0.0], np.cumsum(self._sorted)])
        self.mean_norm = float(self.means(self._sorted).mean())

    def encode(self, column: Column) -> tuple[Floats, dict[Hashable, int]]:
        return (self._numbers(column) - self.low) / self.range, {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Models of version 0.1.0 have learned times in nanoseconds, and say nothing of it.
        vars(self).update({"per_day": _NANOSECONDS_OF_A_DAY, **state})

    def _numbers(self, column: Column) -> Floats:
        if self.ranks is None:
            numbers = as_numbers(column)
            return numbers * self.per_day if column.kind == "time" else numbers
        ranks = np.full(len(column.values), np.nan)
        try:
            ranks[~column.missing] = [self.ranks[level] for level in column.present]
        except KeyError as error:
            raise ValueError(
                f"column {shown(column.name)} contains the level {shown(error.args[0])}; "
                f"expected the levels of training, {shown(list(self.ranks))}."
            ) from error
        return ranks

    def norms(self, codes: Floats) -> Floats:
        return np.ones(len(codes))

    def means(self, codes: Floats) -> Floats:
        # Of the sorted training values t, those below x and less than a range away add 1 - x + t,
        # those above 1 + x - t.
        first, middle, last = (np.searchsorted(self._sorted, codes + d) for d in (-1.0, 0.0, 1.0))
        below = (middle - first) * (1.0 - codes) + self._sums[middle] - self._sums[first]
        above = (last - middle) * (1.0 + codes) - self._sums[last] + self._sums[middle]
        return (below + above) / len(self._sorted)

    def compare(self, x: FloatArray, z: FloatArray, norms: FloatArray, out: FloatArray) -> None:
        np.subtract(x, z, out=out)
        np.abs(out, out=out)
        np.subtract(1.0, out, out=out)
        np.maximum(out, 0.0, out=out)


class Nominal:
    """Categories: w(P(x)) if x = z and 0 otherwise, P being a category's share in training.

    A category that training did not have has the share 0.

    Parameters
    ----------
    column : Column
        Training values.
    weight : callable, default=None
        w, from shares (n_categories,) to non-negative numbers; 1 by default.
    """

    def __init__(self, column: Column, weight: Callable[[Floats], Floats] | None = None) -> None:
        self.codes: dict[Hashable, int] = {}
        self.per_day = 1.0  # what times are counted in
        codes, self.codes = self.encode(column)
        self.shares = np.bincount(codes[~column.missing].astype(np.intp)) / len(column.present)
        self.weighted = weight is not None
        # The last one is of unseen categories.
        shares = np.append(self.shares, 0.0)
        self._weights = np.ones(len(shares)) if weight is None else weight(shares)
        self._means = self._weights * shares
        self.mean_norm = float(self._means @ shares)

    def __getstate__(self) -> dict[str, Any]:
        # Formats for models turn keys into strings, booleans too: categories go by their order.
        return {**vars(self), "codes": list(self.codes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        codes = {value: code for code, value in enumerate(state["codes"])}
        vars(self).update({"per_day": _NANOSECONDS_OF_A_DAY, **state}, codes=codes)

    def encode(self, column: Column) -> tuple[Floats, dict[Hashable, int]]:
        unseen: dict[Hashable, int] = {}
        codes = np.full(len(column.values), np.nan)
        present = column.present
        if column.kind == "time" and self.per_day != 1.0:
            present = np.rint(present * self.per_day).astype(np.int64)
        try:
            codes[~column.missing] = [
                self.codes[value]
                if value in self.codes
                else unseen.setdefault(value, len(self.codes) + len(unseen))
                for value in present.tolist()
            ]
        except TypeError as error:
            raise TypeError(
                f"column {shown(column.name)}: {error}; a cell of this argument must be a category "
                "that can be hashed, such as a string or a number."
            ) from error
        return codes, unseen

    def norms(self, codes: Floats) -> Floats:
        return self._weights[self._index(codes)]

    def means(self, codes: Floats) -> Floats:
        return self._means[self._index(codes)]

    def compare(self, x: FloatArray, z: FloatArray, norms: FloatArray, out: FloatArray) -> None:
        np.equal(x, z, out=out)
        if self.weighted:
            out *= norms

    def _index(self, codes: Floats) -> NDArray[np.intp]:
        return np.minimum(codes, len(self.codes)).astype(np.intp)


def graded_or_constant(column: Column) -> Graded | Nominal:
    """Learn the kernel of numbers or levels: one without a range is left with equality.

    Parameters
    ----------
    column : Column
        Training values.

    Returns
    -------
    Graded or Nominal
    """
    values = column.present if column.kind == "ordinal" else as_numbers(column)[~column.missing]
    return Nominal(column) if (values == values[0]).all() else Graded(column)


class Cells:
    """The prepared cells of some samples, variable by variable.

    Parameters
    ----------
    codes : ndarray of shape (n_variables, n_samples)
        NaN where cells are missing.
    norms : ndarray of shape (n_variables, n_samples)
        k_v(x, x).
    means : ndarray of shape (n_variables, n_samples)
        k_v(x, missing).
    unseen : list of n_variables dicts
        The codes of the categories that training did not have.
    """

    def __init__(
        self,
        codes: FloatArray,
        norms: FloatArray,
        means: FloatArray,
        unseen: list[dict[Hashable, int]],
    ) -> None:
        self.codes = codes
        self.norms = norms
        self.means = means
        self.unseen = unseen

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_variables)``."""
        return self.codes.shape[1], self.codes.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.codes.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Cells:
        """Return some of the samples, by an index array, a mask or a slice."""
        rows = key[0] if isinstance(key, tuple) else key  # scikit-learn asks for [rows, ...]
        return Cells(self.codes[:, rows], self.norms[:, rows], self.means[:, rows], self.unseen)

    def codes_as_in(self, samples: Cells) -> FloatArray:
        """Return codes in which unseen categories have the codes that others gave them."""
        if self.unseen is samples.unseen:
            return self.codes
        codes = self.codes
        for v, (own, known) in enumerate(zip(self.unseen, samples.unseen, strict=True)):
            if own and known:
                codes = codes.copy() if codes is self.codes else codes
                first = min(own.values())
                new = codes[v] >= first
                # -1 is nobody's code.
                renamed = np.array([known.get(value, -1) for value in own], dtype=codes.dtype)
                codes[v, new] = renamed[(codes[v, new] - first).astype(np.intp)]
        return codes


def prepare_cells(
    variables: Sequence[Variable], columns: Sequence[Column], embed: bool, dtype: Any
) -> Cells:
    """Prepare samples.

    Parameters
    ----------
    variables : sequence of n_variables Variable
    columns : sequence of n_variables Column
    embed : bool
        Whether missing cells are the mean of the training values; otherwise they are 0.
    dtype : numpy dtype
        float32 or float64.

    Returns
    -------
    Cells of shape (n_samples, n_variables)
    """
    shape = (len(variables), len(columns[0].values))
    codes = np.empty(shape)
    norms, means = np.empty(shape), np.zeros(shape)
    unseen = []
    for v, (variable, column) in enumerate(zip(variables, columns, strict=True)):
        codes[v], new = variable.encode(column)
        unseen.append(new)
        there = ~column.missing
        norms[v] = means[v] = variable.mean_norm if embed else 0.0
        norms[v, there] = variable.norms(codes[v, there])
        if embed:
            means[v, there] = variable.means(codes[v, there])
    return Cells(codes.astype(dtype), norms.astype(dtype), means.astype(dtype), unseen)


def warn_of_unseen(variables: Sequence[Variable], columns: Sequence[Column], cells: Cells) -> None:
    """Say which columns have categories that training did not have, and name some of these.

    Parameters
    ----------
    variables : sequence of n_variables Variable
    columns : sequence of n_variables Column
        Of names of categories; others may be constant in training only.
    cells : Cells of shape (n_samples, n_variables)
        Of these columns.
    """
    told = []
    for variable, column, codes, unseen in zip(
        variables, columns, cells.codes, cells.unseen, strict=True
    ):
        if unseen and column.kind == "nominal" and isinstance(variable, Nominal):
            count = int((codes >= len(variable.codes)).sum())
            some = shown(list(unseen)[:_CATEGORIES_SHOWN])
            told.append(f"column {shown(column.name)} has some in {count} cells, such as {some}")
    if told:
        others = len(told) - _COLUMNS_SHOWN
        more = f"; and {others} columns more" if others > 0 else ""
        warnings.warn(
            "Samples have categories that training did not have, which are like none of "
            f"these: {'; '.join(told[:_COLUMNS_SHOWN])}{more}.",
            UnknownCategoriesWarning,
            stacklevel=2,
        )


def mean_similarity(variables: Sequence[Variable], samples: Cells, others: Cells) -> FloatArray:
    """Return the mean over the variables of their kernels.

    Parameters
    ----------
    variables : sequence of n_variables Variable
    samples, others : Cells of shape (n_samples, n_variables) or (n_others, n_variables)

    Returns
    -------
    ndarray of shape (n_samples, n_others)
    """
    n_rows, n_cols = len(samples), len(others)
    z_codes = others.codes_as_in(samples)
    dtype = np.result_type(samples.dtype, others.dtype)
    total = np.zeros((n_rows, n_cols), dtype=dtype)
    x_gaps, z_gaps = np.isnan(samples.codes), np.isnan(z_codes)
    batches = list(gen_batches(n_rows, max(1, _PAIRS_AT_ONCE // max(1, n_cols)))) if n_rows else []
    for batch in batches:
        block = total[batch]
        values = np.empty_like(block)
        for v, variable in enumerate(variables):
            x_norms = samples.norms[v, batch, np.newaxis]
            variable.compare(samples.codes[v, batch, np.newaxis], z_codes[v], x_norms, values)
            # Between two gaps the second line stands: both means are the norm of the embedding.
            values[x_gaps[v, batch]] = others.means[v]
            np.copyto(values, samples.means[v, batch, np.newaxis], where=z_gaps[v])
            block += values
    total /= len(variables)
    return total
