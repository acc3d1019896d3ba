"""Several views of the same samples, as one object that scikit-learn can split."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any, NoReturn, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mkfusion._compat import each_column, num_samples, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Mask
from mkfusion.data._containers import as_plain
from mkfusion.data._foreign import Opened, open_anndata, open_mne, open_mudata, open_xarray
from mkfusion.data._kinds import is_missing, missing_cells
from mkfusion.data._row_labels import align, check_labels, names_rows_best, row_index

_RowKey = slice | Sequence[int] | Sequence[bool] | NDArray[Any]


class Modalities:
    """Aligned samples of several modalities.

    Sample i is row or item i of every modality. `train_test_split`, `cross_val_score` and
    `GridSearchCV` take it as `X`; a :class:`~mkfusion.ColumnKernelizer` finds its modalities
    by name. It holds references to what it is given, and never changes it.

    Parameters
    ----------
    modalities : mapping from str to data, default=None
        For names that are not Python identifiers.
    **named : data
        Arrays of any dimension (n_samples, ...), DataFrames (pandas, polars; tables of Arrow
        become those of pandas), sparse matrices, or
        lists of anything: texts, graphs, series of different lengths; or None for a modality that
        no sample has.

    Attributes
    ----------
    names : list of str
        The modalities in their order.
    shape : tuple of int
        ``(n_samples, n_modalities)``.
    index : pandas.Index or None
        The ids of the samples, where pandas tables among the modalities, or the container that they
        come from, have some.

    Raises
    ------
    ValueError
        If there is no modality, or they differ in the number of samples, or in the index of their
        rows; or a table has columns of one name.
    TypeError
        If one of them is not a collection of samples.

    Notes
    -----
    The rows of pandas DataFrames and Series have labels. Those of the same ids in another order, or
    of other ids, are refused; :meth:`aligned` brings them together. Row numbers 0 to n - 1 beside
    ids say nothing, and neither does what has no index.

    A sample lacks a modality where its item in a list or an array of objects is None (or NaN, or
    an array of NaN), where its row of numbers is NaN throughout, and so are all channels of its
    series. A row with some numbers is there: its gaps are left to the kernel. Masked cells of
    `numpy.ma` are gaps, too: arrays with some are copied, with NaN in them. What is done about
    missing modalities is said to :class:`~mkfusion.ColumnKernelizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Modalities
    >>> X = Modalities(accel=np.ones((3, 2)), notes=["calm", "loud", "calm"])
    >>> X
    Modalities with 3 samples
      accel  ndarray  (3, 2)
      notes  list     3 items
    >>> X[[0, 2]]["notes"]
    ['calm', 'calm']
    >>> Modalities(accel=np.ones((3, 2)), notes=["calm", None, "calm"]).present()
    array([[ True,  True],
           [ True, False],
           [ True,  True]])
    """

    # Iterating would be over samples for NumPy and over names for readers: neither is guessed.
    __iter__ = None
    # Whose index is the ids; those that were pickled by earlier versions have none.
    _labelled: str | None = None
    # The ids of a container that was opened, of which arrays keep none.
    _ids: Any = None

    def __init__(self, modalities: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        given = _given(modalities, named)
        self._data = {name: _check_modality(name, data) for name, data in given.items()}
        lengths = {name: num_samples(data) for name, data in self._held.items()}
        if not lengths:
            raise ValueError(
                f"modalities {self.names} are all None; expected data for at least one of them."
            )
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"modalities have different numbers of samples: {_listed(lengths)}; expected the "
                "same samples in every modality."
            )
        self._n_samples: int = next(iter(lengths.values()))
        indexes = {name: row_index(data) for name, data in self._held.items()}
        check_labels({name: index for name, index in indexes.items() if index is not None})
        self._labelled = names_rows_best(self._held)

    @classmethod
    def aligned(
        cls, modalities: Mapping[str, Any] | None = None, /, *, join: str = "inner", **named: Any
    ) -> Modalities:
        """Bring tables together whose rows are in any order, by their labels.

        Parameters
        ----------
        modalities : mapping from str to data, default=None
            For names that are not Python identifiers.
        join : {"inner", "outer"}, default="inner"
            Whether the samples are those that all modalities have, or those that any has. With
            "outer", samples lack the modalities in which they are not: their row is NaN there.
        **named : pandas DataFrame or Series
            With the ids of samples as the index, each once.

        Returns
        -------
        Modalities
            Samples in the order of the first modality, then those that only the second has in its
            order, and so on. Columns keep their dtypes, but integers are floats, and booleans
            objects, where rows are absent. The ids are its `index`.

        Raises
        ------
        TypeError
            If a modality has no index.
        ValueError
            If ids are missing, or there more than once, or no sample has all modalities.

        Examples
        --------
        >>> import pandas as pd
        >>> from mkfusion import Modalities
        >>> rna = pd.DataFrame({"g1": [1, 2, 3]}, index=["p1", "p2", "p3"])
        >>> notes = pd.Series(["calm", "loud"], index=["p3", "p1"])
        >>> Modalities.aligned(rna=rna, notes=notes)["notes"].tolist()
        ['loud', 'calm']
        >>> X = Modalities.aligned(rna=rna, notes=notes, join="outer")
        >>> X.present()
        array([[ True,  True],
               [ True, False],
               [ True,  True]])
        >>> y = pd.Series({"p1": "ill", "p2": "well", "p3": "ill"})
        >>> y.loc[X.index].tolist()
        ['ill', 'well', 'ill']
        """
        if join not in ("inner", "outer"):
            raise ValueError(f'join is {shown(join)}; expected "inner" or "outer".')
        given = _given(modalities, named)
        return cls(align(given, join))

    @classmethod
    def from_anndata(
        cls,
        adata: Any,
        *,
        name: str = "X",
        layer: str | None = None,
        obs: Sequence[str] = (),
        obsm: Sequence[str] = (),
    ) -> Modalities:
        """Take the modalities of an AnnData object, with its observations as samples.

        Targets and groups stay columns of `adata.obs`: ``y = adata.obs["diagnosis"]``.

        Parameters
        ----------
        adata : anndata.AnnData
            In memory. A view will do.
        name : str, default="X"
            What to call the modality of `X`.
        layer : str, default=None
            The layer to take in place of `X`.
        obs : list of str, default=()
            Columns of `adata.obs` that together are the modality "obs". No others are learned from.
        obsm : list of str, default=()
            Keys of `adata.obsm`, each of which is a modality.

        Returns
        -------
        Modalities
            Samples in the order of `adata.obs_names`, which are the `index`. Dense matrices are
            DataFrames, sparse ones are in CSR format; neither is copied unless `adata` is a view.

        Raises
        ------
        TypeError
            If it is no AnnData, or is on disk.
        ValueError
            If names of samples are there twice, or something is asked for that is not there.
        """
        return cls._opened(open_anndata(adata, name, layer, obs, obsm))

    @classmethod
    def from_mudata(
        cls, mdata: Any, *, layers: Mapping[str, str] | None = None, obs: Sequence[str] = ()
    ) -> Modalities:
        """Take the modalities of a MuData object, with its observations as samples.

        Targets and groups stay columns of `mdata.obs`: ``y = mdata.obs["diagnosis"]``.

        Parameters
        ----------
        mdata : mudata.MuData
            In memory, of modalities of the same samples (``axis=0``), in each of them in any order.
        layers : mapping from str to str, default=None
            The layers to take in place of `X`, by modality.
        obs : list of str, default=()
            Columns of `mdata.obs` that together are the modality "obs". No others are learned from.

        Returns
        -------
        Modalities
            Samples in the order of `mdata.obs_names`, which are the `index`. They lack the
            modalities in which they are not: their row is NaN there.

        Raises
        ------
        TypeError
            If it is no MuData, or is on disk.
        ValueError
            If names of samples are there twice, a modality has samples that `mdata` does not know,
            or something is asked for that is not there.
        """
        return cls._opened(open_mudata(mdata, layers, obs))

    @classmethod
    def from_mne(cls, epochs: Any, *, metadata: Sequence[str] = ()) -> Modalities:
        """Take the channels of MNE's Epochs as modalities, one of each type.

        Targets stay where they are: ``y = epochs.events[:, 2]``, or a column of `epochs.metadata`.

        Parameters
        ----------
        epochs : mne.BaseEpochs
            Those that are bad must have been dropped.
        metadata : list of str, default=()
            Columns of `epochs.metadata` that together are the modality "metadata".

        Returns
        -------
        Modalities
            Arrays (n_epochs, n_channels, n_times), as the kernels of signals take them, without bad
            channels and those of triggers and the like. In MNE's units for showing: µV (EEG, EOG,
            ECG, EMG, intracranial), fT (magnetometers), fT/cm (gradiometers), mV/m² (current source
            density), µM (haemoglobin), µS (skin); other types as they are stored.

        Raises
        ------
        TypeError
            If it is anything else than epochs of signals.
        ValueError
            If bad epochs have not been dropped, none is left, or something is asked for that is not
            there.
        """
        return cls._opened(open_mne(epochs, metadata))

    @classmethod
    def from_xarray(
        cls,
        dataset: Any,
        *,
        dim: str,
        variables: Sequence[str] | None = None,
        table: Sequence[str] = (),
    ) -> Modalities:
        """Take the variables of an xarray Dataset as modalities, aligned along a dimension.

        Targets and groups stay variables: ``y = dataset["diagnosis"].to_series()``.

        Parameters
        ----------
        dataset : xarray.Dataset
        dim : str
            The dimension of the samples. Its coordinate, if there is one, holds their ids.
        variables : list of str, default=None
            Those that are modalities. None for all that have `dim` and another dimension.
        table : list of str, default=()
            Variables and coordinates along `dim` alone that together are the modality "table".

        Returns
        -------
        Modalities
            Arrays with `dim` first and the other dimensions in their order. What has two, the other
            with a coordinate of texts, is a DataFrame. Samples whose values are all NaN, as
            `xarray.merge` leaves them where a variable has none, lack a modality.

        Raises
        ------
        TypeError
            If it is no Dataset.
        ValueError
            If ids are there twice, or something is asked for that is not there.
        """
        return cls._opened(open_xarray(dataset, dim, variables, table))

    @classmethod
    def _opened(cls, opened: Opened) -> Modalities:
        made = cls(opened.data)
        made._ids = opened.ids
        return made

    @property
    def index(self) -> Any:
        """The ids of the samples: of the pandas tables among the modalities, or of a container.

        None where there are none. ``y.loc[X.index]`` is the target of the samples.
        """
        if self._ids is not None:
            return self._ids
        return None if self._labelled is None else row_index(self._data[self._labelled])

    @property
    def _held(self) -> dict[str, Any]:
        """The modalities of which there are data."""
        return {name: data for name, data in self._data.items() if data is not None}

    @property
    def names(self) -> list[str]:
        """The modalities in their order."""
        return list(self._data)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_modalities)``."""
        return self._n_samples, len(self._data)

    def __len__(self) -> int:
        return self._n_samples

    def __contains__(self, name: object) -> bool:
        return name in self._data

    @overload
    def __getitem__(self, key: str) -> Any: ...

    @overload
    def __getitem__(self, key: _RowKey | tuple[_RowKey, EllipsisType]) -> Modalities: ...

    def __getitem__(self, key: Any) -> Any:
        """Return one modality's data by its name, or some of the samples of all modalities.

        Samples are chosen by an index array, a boolean mask or a slice.
        """
        if isinstance(key, str):
            if key not in self._data:
                raise KeyError(f"There is no modality {shown(key)}; there are {self.names}.")
            return self._data[key]
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]  # how scikit-learn indexes what has a shape
        if not isinstance(key, slice):
            key = self._check_rows(key)
        held = {name: safe_indexing(data, key) for name, data in self._held.items()}
        chosen = Modalities.__new__(Modalities)
        chosen._data = {name: held.get(name) for name in self._data}
        chosen._n_samples = num_samples(next(iter(held.values())))
        chosen._labelled = self._labelled
        chosen._ids = None if self._ids is None else self._ids[key]
        return chosen

    def present(self) -> Mask:
        """Return which samples have which modalities.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities), dtype=bool
            Columns in the order of `names`.
        """
        columns = [
            np.zeros(len(self), dtype=bool) if data is None else present_samples(data)
            for data in self._data.values()
        ]
        return np.stack(columns, axis=1)

    def _check_rows(self, key: Any) -> NDArray[np.intp]:
        rows = np.asarray(key)
        if rows.ndim == 1 and rows.size == 0:
            return np.empty(0, dtype=np.intp)
        if rows.ndim != 1 or rows.dtype.kind not in "iub":
            raise IndexError(
                f"Samples are indexed by {shown(key)}; expected a slice, or integers or booleans "
                "in one "
                f"dimension (or the name of a modality: {self.names})."
            )
        if rows.dtype.kind == "b":
            if len(rows) != self._n_samples:
                raise IndexError(
                    f"The mask has length {len(rows)}; there are {self._n_samples} samples."
                )
            return np.flatnonzero(rows)
        outside = (rows < -self._n_samples) | (rows >= self._n_samples)
        if outside.any():
            raise IndexError(
                f"Sample {rows[outside][0]} is out of range; there are {self._n_samples}."
            )
        return np.where(rows < 0, rows + self._n_samples, rows).astype(np.intp)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "Modalities cannot be made into one array of numbers; put a ColumnKernelizer in front "
            "of the estimator, in a Pipeline. What makes an array of samples before it hands them "
            "on, as OneVsOneClassifier and BaggingClassifier do, takes an array of all columns, "
            "and modalities by their positions."
        )

    def __repr__(self) -> str:
        rows = [(name, _kind(data), _extent(data)) for name, data in self._data.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        lines = [f"  {name:<{widths[0]}}  {kind:<{widths[1]}}  {size}" for name, kind, size in rows]
        return "\n".join([f"Modalities with {self._n_samples} samples", *lines])


def _given(modalities: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return modalities that were given in a mapping, by keywords, or both."""
    if modalities is not None and not isinstance(modalities, Mapping):
        raise TypeError(
            f"modalities is a {type(modalities).__name__}; expected named modalities, as in "
            'Modalities(accel=A, gyro=G) or Modalities({"left hand": L}).'
        )
    given = dict(modalities or {})
    repeated = sorted(given.keys() & named.keys())
    if repeated:
        raise ValueError(f"modalities {repeated} are given twice.")
    given |= named
    if not given:
        raise ValueError("modalities is empty; expected at least one, Modalities(accel=A).")
    return given


def _check_modality(name: Any, data: Any) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"modalities has the key {name!r}; expected strings.")
    if data is None:
        return None
    data = as_plain(data, f"modality {name!r}")
    if issparse(data):
        return data.tocsr()  # some formats cannot be indexed
    if isinstance(data, str | bytes | Mapping | set | Modalities) or not hasattr(
        data, "__getitem__"
    ):
        raise TypeError(
            f"modality {name!r} is a {type(data).__name__}; expected an array, a DataFrame, a "
            "sparse matrix or a list, with one row or item per sample."
        )
    if np.ndim(data) == 0 if isinstance(data, np.ndarray) else not hasattr(data, "__len__"):
        raise TypeError(
            f"modality {name!r} is a single value; expected one row or item per sample."
        )
    if hasattr(data, "columns") and len(set(data.columns)) < len(data.columns):
        # scikit-learn takes such tables up to 1.8 and refuses them since, without saying which.
        repeated = next(one for one, n in Counter(data.columns).items() if n > 1)
        raise ValueError(
            f"modality {name!r} has the column {repeated!r} more than once; expected names of "
            "columns that differ, as in table.loc[:, ~table.columns.duplicated()]."
        )
    return data


def _kind(data: Any) -> str:
    return "None" if data is None else type(data).__name__


def _extent(data: Any) -> str:
    if data is None:
        return "no sample has it"
    return str(tuple(data.shape)) if hasattr(data, "shape") else f"{len(data)} items"


def _listed(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {length}" for name, length in lengths.items())


def _holds_plain_numbers(table: Any) -> bool:
    return all(isinstance(one, np.dtype) and one.kind in "iuf" for one in set(table.dtypes))


def present_samples(data: Any) -> Mask:
    """Return which samples are there, as :class:`Modalities` documents.

    Parameters
    ----------
    data : array, DataFrame, Series, sparse matrix or list of n_samples items

    Returns
    -------
    ndarray of shape (n_samples,), dtype=bool
    """
    n_samples = num_samples(data)
    if issparse(data):
        cells = data.tocoo()
        n_gaps = np.bincount(cells.row[missing_cells(cells.data)], minlength=n_samples)
        return np.asarray(n_gaps < max(1, data.shape[1]))
    if hasattr(data, "iloc") and hasattr(data, "columns") and _holds_plain_numbers(data):
        data = np.asarray(data)  # at once: column by column wide tables take seconds
    if hasattr(data, "columns"):
        present = np.zeros(n_samples, dtype=bool)
        for column in each_column(data):
            gaps = missing_cells(np.asarray(column), inside=True)
            # Cells of polars that hold several values come in two dimensions.
            present |= ~gaps if gaps.ndim == 1 else ~gaps.all(axis=tuple(range(1, gaps.ndim)))
        return present | (data.shape[1] == 0)
    if isinstance(data, np.ndarray) or hasattr(data, "to_numpy"):
        gaps = missing_cells(np.asarray(data), inside=True)
        gaps = gaps.reshape(n_samples, math.prod(gaps.shape[1:]))  # -1 is not for 0 samples
        return np.any(~gaps, axis=1) | (gaps.shape[1] == 0)
    if isinstance(data, list | tuple):
        return np.fromiter((not is_missing(item) for item in data), dtype=bool, count=n_samples)
    return np.ones(n_samples, dtype=bool)  # a collection of some other kind: nothing is known
