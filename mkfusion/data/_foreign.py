"""Containers of other packages, opened: AnnData, MuData, MNE's Epochs, xarray's Datasets.

None of these packages is imported: the objects are asked for what they have. All four give
modalities whose rows are the container's samples in its own order, and the samples' ids, and
nothing else. Targets, groups and weights stay where they are, as columns of the container: a row
is left out of both or of none, and no argument here has to say what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse, vstack

from mkfusion._messages import shown

# MNE's channel types -> what its SI units are multiplied by, as `get_data(units=...)` does: signals
# of 1e-6 have squared distances of 1e-12, next to which whatever a kernel adds counts.
_MICRO, _FEMTO = 1e6, 1e15
_SCALES = {
    **dict.fromkeys(("eeg", "eog", "ecg", "emg", "bio", "seeg", "ecog", "dbs", "gsr"), _MICRO),
    **dict.fromkeys(("hbo", "hbr"), _MICRO),
    **dict.fromkeys(("mag", "ref_meg"), _FEMTO),
    "grad": _FEMTO / 100,  # T/m -> fT/cm
    "csd": 1e3,
}
# What drives or accompanies a recording. Trigger channels are the target itself.
_NO_SIGNALS = frozenset({"stim", "misc", "syst", "ias", "exci", "chpi"})
_MOST_NAMES = 12


class Opened(NamedTuple):
    """What is in a container.

    Attributes
    ----------
    data : dict of str to data
        Its modalities.
    ids : pandas.Index or None
        Of the samples.
    """

    data: dict[str, Any]
    ids: Any


def open_anndata(
    adata: Any, name: str, layer: str | None, obs: Sequence[str], obsm: Sequence[str]
) -> Opened:
    """Open AnnData, as `Modalities.from_anndata` documents."""
    if hasattr(adata, "obs_names") and hasattr(adata, "mod"):
        raise TypeError("adata is a MuData; expected AnnData: Modalities.from_mudata takes it.")
    _expect(adata, "adata", "AnnData", ("obs_names", "var_names", "layers", "obsm"))
    ids = _sample_ids(adata, "adata")
    parts: list[tuple[str, Any]] = []
    matrix = _matrix(adata, "adata", layer)
    if matrix is not None:
        parts.append((name, _as_frame(matrix, ids, adata.var_names)))
    parts += _columns_of(adata.obs, "obs", obs, "adata.obs")
    for key in _listed_names(obsm, "obsm", adata.obsm, "adata.obsm"):
        parts.append((key, _embedding(adata.obsm[key], key, ids)))
    return _opened(parts, ids, "adata has no X; expected layer=, obs= or obsm= to say what to take")


def open_mudata(mdata: Any, layers: Mapping[str, str] | None, obs: Sequence[str]) -> Opened:
    """Open MuData, as `Modalities.from_mudata` documents."""
    if hasattr(mdata, "obs_names") and not hasattr(mdata, "mod"):
        raise TypeError("mdata is AnnData; expected MuData: Modalities.from_anndata takes it.")
    _expect(mdata, "mdata", "MuData", ("mod", "obs_names", "obs"))
    if getattr(mdata, "axis", 0) != 0:
        raise ValueError(
            f"mdata has axis={mdata.axis}: its modalities share variables; expected modalities of "
            "the same samples, axis=0."
        )
    ids = _sample_ids(mdata, "mdata")
    if layers is not None and not isinstance(layers, Mapping):
        raise TypeError(
            f"layers is {shown(layers)}; expected a mapping from modalities to their layers, such "
            'as {"rna": "counts"}.'
        )
    layers = dict(layers or {})
    _listed_names(list(layers), "layers", mdata.mod, "mdata.mod")
    parts: list[tuple[str, Any]] = []
    for name, adata in mdata.mod.items():
        where = f"mdata[{name!r}]"
        if hasattr(adata, "mod"):
            raise TypeError(f"{where} is a MuData; expected AnnData in every modality.")
        own = _sample_ids(adata, where)
        unknown = own[~own.isin(ids)]
        if len(unknown):
            raise ValueError(
                f"{where} has {shown(unknown[0])} in obs_names, and mdata has not "
                f"({len(unknown)} such); expected mdata.update() after changes of modalities."
            )
        matrix = _matrix(adata, where, layers.get(name))
        if matrix is not None:
            parts.append((name, _in_order(matrix, own, ids, adata.var_names)))
    parts += _columns_of(mdata.obs, "obs", obs, "mdata.obs")
    return _opened(parts, ids, "mdata has no modality with data; expected some")


def open_mne(epochs: Any, metadata: Sequence[str]) -> Opened:
    """Open MNE's Epochs, as `Modalities.from_mne` documents."""
    _expect(epochs, "epochs", "MNE's Epochs", ("get_data", "get_channel_types", "events"))
    if hasattr(epochs, "freqs"):
        raise TypeError(
            f"epochs is {type(epochs).__name__}, of powers; expected Epochs of signals, or "
            "Modalities(power=np.log(epochs.get_data()))."
        )
    try:
        n_epochs = len(epochs)
    except RuntimeError as error:
        raise ValueError(
            "epochs has not been searched for bad ones yet, which drops events; expected "
            "epochs.load_data() or epochs.drop_bad() before."
        ) from error
    if n_epochs == 0:
        raise ValueError("epochs has no samples; expected some that were not dropped.")
    types = epochs.get_channel_types()
    bad = set(epochs.info["bads"])
    parts: list[tuple[str, Any]] = []
    for kind in dict.fromkeys(types):
        picks = [
            i
            for i, (name, one) in enumerate(zip(epochs.ch_names, types, strict=True))
            if one == kind and name not in bad
        ]
        if picks and kind not in _NO_SIGNALS:
            parts.append((kind, epochs.get_data(picks=picks) * _SCALES.get(kind, 1.0)))
    if epochs.metadata is None and len(metadata):
        raise ValueError(f"metadata is {shown(metadata)}, and epochs.metadata is None.")
    table = [] if epochs.metadata is None else epochs.metadata
    tables = _columns_of(table, "metadata", metadata, "epochs.metadata")
    ids = tables[0][1].index if tables else None
    return _opened(parts + tables, ids, f"epochs has no good channel of signals among {types}")


def open_xarray(
    dataset: Any, dim: str, variables: Sequence[str] | None, table: Sequence[str]
) -> Opened:
    """Open an xarray Dataset, as `Modalities.from_xarray` documents."""
    _expect(dataset, "dataset", "an xarray Dataset", ("data_vars", "coords", "sizes"))
    if dim not in dataset.sizes:
        raise ValueError(
            f"dim is {shown(dim)}; expected the dimension of the samples, one of "
            f"{_some(dataset.sizes)}."
        )
    if dataset.sizes[dim] == 0:
        raise ValueError("dataset has no samples; expected some.")
    ids = dataset[dim].to_index() if dim in dataset.coords else None
    if ids is not None:
        _check_unique(ids, f"the coordinate {dim!r} of dataset")
    there = {name: one for name, one in dataset.variables.items() if dim in one.dims}
    several = [name for name, one in there.items() if one.ndim > 1]
    if variables is None:
        variables = [str(name) for name in several if name in dataset.data_vars]
    wanted = _listed_names(variables, "variables", several, f"dimension {dim!r} and others")
    parts: list[tuple[str, Any]] = []
    for name in wanted:
        array = dataset[name].transpose(dim, ...)
        labels = array[array.dims[1]].to_index() if array.dims[1] in array.coords else None
        named = array.ndim == 2 and labels is not None and labels.inferred_type == "string"
        values = np.asarray(array.values)
        parts.append((name, _as_frame(values, ids, labels) if named else values))
    single = [name for name, one in there.items() if one.dims == (dim,) and name != dim]
    columns = _listed_names(table, "table", single, f"dimension {dim!r} alone")
    if columns:
        cells = {name: np.asarray(dataset[name].values) for name in columns}
        parts.append(("table", _frame(cells, ids)))
    return _opened(
        parts, ids, f"dataset has no variable of dimension {dim!r} and others, which is a modality"
    )


# --------------------------------------------------------------------------------------- pieces


def _frame(data: Any, index: Any, columns: Any = None) -> Any:
    import pandas as pd

    return pd.DataFrame(data, index=index, columns=columns, copy=False)


def _expect(given: Any, argument: str, what: str, attributes: tuple[str, ...]) -> None:
    if not all(hasattr(given, name) for name in attributes):
        raise TypeError(f"{argument} is a {type(given).__name__}; expected {what}.")


def _sample_ids(container: Any, where: str) -> Any:
    """Return the names of the samples of AnnData or MuData that is in memory."""
    lazy = not hasattr(container.obs, "iloc") or not hasattr(container.obs, "reindex")
    if getattr(container, "isbacked", False) or lazy:
        raise TypeError(f"{where} is on disk (backed); expected it in memory: {where}.to_memory().")
    if len(container.obs_names) == 0:
        raise ValueError(f"{where} has no samples; expected some.")
    _check_unique(container.obs_names, f"{where}.obs_names")
    return container.obs_names


def _check_unique(ids: Any, where: str) -> None:
    if not ids.is_unique:
        repeated = ids[ids.duplicated()].unique()
        raise ValueError(
            f"{where} has {shown(repeated[0])} more than once ({len(repeated)} such ids); expected "
            "each sample once."
        )


def _matrix(adata: Any, where: str, layer: str | None) -> Any:
    """Return X or a layer as an array or a CSR matrix, not as a view; None if there is none."""
    if layer is None:
        values = adata.X
    else:
        named = [key for key in adata.layers if key is not None]  # newer AnnData: None is X
        (key,) = _listed_names([layer], "layer", named, f"{where}.layers")
        values = adata.layers[key]
    if values is None or values.shape[1] == 0:
        return None
    if not adata.var_names.is_unique:
        repeated = adata.var_names[adata.var_names.duplicated()]
        raise ValueError(
            f"{where}.var_names has {shown(repeated[0])} more than once ({len(set(repeated))} such "
            f"names); expected each column once: {where}.var_names_make_unique()."
        )
    return _plain(values)


def _plain(values: Any) -> csr_matrix | NDArray[Any]:
    return csr_matrix(values) if issparse(values) else np.asarray(values)


def _as_frame(matrix: Any, ids: Any, columns: Any) -> Any:
    """Return an array with names of rows and columns, and a sparse matrix as it is.

    pandas would hold each column of a sparse matrix on its own: minutes for 20,000 genes.
    """
    return matrix if issparse(matrix) else _frame(matrix, ids, columns)


def _in_order(matrix: Any, own: Any, ids: Any, columns: Any) -> Any:
    """Return rows by their ids in another order, of NaN where there is none."""
    if own.equals(ids):
        return _as_frame(matrix, ids, columns)
    if not issparse(matrix):
        return _frame(matrix, own, columns).reindex(ids)
    rows = own.get_indexer(ids)
    if (rows < 0).any():
        nothing = csr_matrix(np.full((1, matrix.shape[1]), np.nan))
        matrix = vstack([matrix, nothing], format="csr")  # row -1, the last one
    return matrix[rows]


def _embedding(values: Any, key: str, ids: Any) -> Any:
    """Return what is in `obsm` as a table, a CSR matrix, or an array of 3 or more dimensions."""
    if hasattr(values, "columns"):
        return _frame(values, None)
    try:
        values = _plain(values)
    except ValueError:  # ragged ones of Awkward Array
        values = np.empty(0, dtype=object)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"adata.obsm[{key!r}] holds no numbers; expected an array of numbers.")
    if values.ndim > 2:
        return values
    return _as_frame(values, ids, [f"{key}_{j + 1}" for j in range(values.shape[1])])


def _columns_of(
    table: Any, argument: str, asked: Sequence[str], where: str
) -> list[tuple[str, Any]]:
    """Return the columns that were asked for as a modality named after the argument."""
    names = _listed_names(asked, argument, getattr(table, "columns", ()), where)
    return [(argument, _frame(table[names], None))] if names else []


def _listed_names(asked: Any, argument: str, there: Iterable[Any], where: str) -> list[str]:
    """Return names that were asked for, each of which is there."""
    if isinstance(asked, str) or not isinstance(asked, Sequence):
        raise TypeError(f"{argument} is {shown(asked)}; expected a list of names.")
    known = list(there)
    for name in asked:
        if name not in known:
            raise ValueError(
                f"{argument} has {shown(name)}, which is not in {where}; there are {_some(known)}."
            )
    return list(dict.fromkeys(asked))


def _some(names: Iterable[Any]) -> str:
    listed = list(map(str, names))
    more = "" if len(listed) <= _MOST_NAMES else f" and {len(listed) - _MOST_NAMES} more"
    return f"{listed[:_MOST_NAMES]}{more}"


def _opened(parts: Sequence[tuple[str, Any]], ids: Any, nothing: str) -> Opened:
    if not parts:
        raise ValueError(f"{nothing}.")
    names = [name for name, _ in parts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"two modalities have the name {shown(name)}; expected different ones."
            )
    return Opened(dict(parts), ids)
