"""What estimators on modalities do with samples that lack some, and columns that are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from mkfusion._compat import num_samples
from mkfusion._types import Floats, Indices
from mkfusion.data import (
    Known,
    View,
    about,
    in_two_dimensions,
    known_parts,
    read_again,
    read_known,
    refuse_empty,
)
from mkfusion.kernels.kernelizer._missing import Imputer
from mkfusion.stack import FactorView

# Relative deviations of columns below it are rounding errors.
_ROUNDING = 1e-12


class _Scaling(NamedTuple):
    """What makes columns of features of the same length."""

    mean: Floats
    scale: Floats

    def __call__(self, matrix: Floats) -> Floats:
        """Return features (n, n_columns) of mean square 1 in a row; gaps are at the mean."""
        return np.nan_to_num((matrix - self.mean) * self.scale, copy=False, nan=0.0)


class TableImputer:
    """Predict the columns of modalities that samples lack: ``missing="impute"`` for tables.

    As :class:`~mkfusion.ColumnKernelizer` does it, with the linear kernel of scaled columns for
    each modality: a ridge regression, for each pattern of what samples have, on the training
    samples that have the modality. Gaps in rows that are there are taken for the mean in these
    regressions, and stay gaps.

    Parameters
    ----------
    names : list of n_modalities str
    known : Known
        Training samples.

    Raises
    ------
    ValueError
        If a modality is not columns of numbers, or a prediction has no samples to learn from.
    """

    def __init__(self, names: Sequence[str], known: Known) -> None:
        self._names = names
        self._widths = [-1] * len(names)
        matrices = self._read(known.parts)
        self._widths = [matrix.shape[1] for matrix in matrices]
        self._scalings = [_learn_scaling(matrix) for matrix in matrices]
        pairs = list(zip(self._scalings, matrices, strict=True))
        # What predictions are sums of: without gaps
        self._donors = [np.where(np.isnan(m), scaling.mean, m) for scaling, m in pairs]
        self._features = [scaling(matrix) for scaling, matrix in pairs]
        self._wrap = [_Wrap.of(part) for part in known.parts]
        views = [FactorView(Z, Z) for Z in self._features]
        self._imputer = Imputer(views, np.arange(len(names)), known.present, names)

    def complete(self, known: Known, *, training: bool = False) -> list[Any]:
        """Return samples of all modalities, those predicted that are lacking.

        Parameters
        ----------
        known : Known
            Any samples.
        training : bool, default=False
            Whether they are those that this was made of.

        Returns
        -------
        list of n_modalities samples
            Of the form that they had, except that numbers of tables with predictions are float64.
        """
        if known.present.all():
            return known.parts
        matrices = self._read(known.parts)
        if training:
            members = self._imputer.members()
        else:
            views = [
                FactorView(scaling(matrix), Z)
                for scaling, matrix, Z in zip(self._scalings, matrices, self._features, strict=True)
            ]
            members = self._imputer.members(views, known.present)
        found = []
        for k, (part, one) in enumerate(zip(known.parts, members, strict=True)):
            there = known.present[:, k]
            if not there.all():
                table = np.empty((len(there), self._widths[k]))
                table[there] = matrices[k]
                table[~there] = one.weights @ self._donors[k][one.donors]
                part = self._wrap[k](table)
            found.append(part)
        return found

    def _read(self, parts: Sequence[Any]) -> list[Floats]:
        """Return the modalities' columns as arrays (n_present, n_columns), with gaps as NaN."""
        found = []
        for name, part, width in zip(self._names, parts, self._widths, strict=True):
            with about(name):
                matrix = np.empty((0, width)) if part is None else _as_matrix(part)
                if width not in (-1, matrix.shape[1]):
                    raise ValueError(f"it has {matrix.shape[1]} columns; expected {width}.")
            found.append(matrix)
        return found


class _Wrap(NamedTuple):
    """The form that a modality's samples have.

    Attributes
    ----------
    frame : type or None
        Of a table whose columns have names.
    columns : list
        Their names.
    one : bool
        Whether samples are in one dimension.
    """

    frame: Any
    columns: list[Any]
    one: bool

    @classmethod
    def of(cls, part: Any) -> _Wrap:
        """Return the form of some samples."""
        columns = list(getattr(part, "columns", []))
        return cls(type(part) if columns else None, columns, getattr(part, "ndim", 2) == 1)

    def __call__(self, table: Floats) -> Any:
        """Return columns (n_samples, n_columns) in this form."""
        if self.frame is not None:
            return self.frame(dict(zip(self.columns, table.T, strict=True)))
        return table[:, 0] if self.one else table


def _as_matrix(part: Any) -> Floats:
    part = in_two_dimensions(part)
    try:
        if issparse(part):
            raise TypeError("it is sparse")
        matrix = np.asarray(part, dtype=np.float64)
        if matrix.ndim != 2:
            raise ValueError(f"it has shape {matrix.shape}")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"missing='impute' predicts columns of numbers from columns of numbers: {error}. "
            "missing='marginalise' goes by what samples have, and "
            "ColumnKernelizer(missing='impute') predicts modalities of any type."
        ) from error
    return matrix


def _learn_scaling(matrix: Floats) -> _Scaling:
    there = ~np.isnan(matrix)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, matrix, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(there, matrix - mean, 0.0) ** 2).sum(axis=0) / count)
    # Columns that do not vary say nothing; rounding may say that they do.
    varies = deviation > _ROUNDING * np.abs(mean)
    scale = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
    return _Scaling(mean, scale / np.sqrt(max(1, int(np.count_nonzero(varies)))))


class SampleCompletion(NamedTuple):
    """How samples are completed, as `missing` said in fit.

    Attributes
    ----------
    missing : {"error", "marginalise", "impute"}
    views : list of View
        The modalities of the training samples.
    imputer : TableImputer or None
        With "impute".
    """

    missing: str
    views: list[View]
    imputer: TableImputer | None

    def read(self, estimator: Any, X: Any) -> Known:
        """Return what there is of any samples: everything, but for "marginalise".

        With "error", what may be lacking is left to the estimators: some take it.
        """
        if self.missing == "error":
            return everything(read_again(estimator, X, self.views))
        known = read_known(estimator, X, self.views)
        refuse_empty([view.name for view in self.views], known.present, training=False)
        return known if self.imputer is None else everything(self.imputer.complete(known))


def everything(parts: Sequence[Any]) -> Known:
    """Return samples of which none is taken to lack anything."""
    return Known(list(parts), np.ones((num_samples(parts[0]), len(parts)), dtype=bool))


def complete_training(
    missing: str, views: list[View], parts: Sequence[Any]
) -> tuple[SampleCompletion, Known]:
    """Return how samples are completed, and what there is of the training samples."""
    if missing == "error":
        return SampleCompletion(missing, views, None), everything(parts)
    names = [view.name for view in views]
    known = known_parts(parts, num_samples(parts[0]))
    refuse_empty(names, known.present, training=True)
    if missing == "marginalise":
        return SampleCompletion(missing, views, None), known
    imputer = TableImputer(names, known)
    completed = everything(imputer.complete(known, training=True))
    return SampleCompletion(missing, views, imputer), completed


def complete_samples(
    missing: str, views: list[View], parts: Sequence[Any]
) -> tuple[SampleCompletion, Indices]:
    """Return how samples are completed, and which of the training samples have everything.

    For what learns how modalities go together: predictions of one from others would pass for it.
    """
    names = [view.name for view in views]
    known = known_parts(parts, num_samples(parts[0]))
    refuse_empty(names, known.present, training=True)
    rows = np.flatnonzero(known.present.all(axis=1))
    if len(rows) < 2:
        raise ValueError(
            f"{len(rows)} of {len(known.present)} training samples have all of {names}; expected "
            "at least 2, to learn how these go together."
        )
    imputer = TableImputer(names, known) if missing == "impute" else None
    return SampleCompletion(missing, views, imputer), rows
