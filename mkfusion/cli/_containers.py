"""Files of other packages that hold several tables of the same samples."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.sparse import issparse

from mkfusion import Modalities
from mkfusion.cli._errors import UsageError, close_names, listed, need, note

# What stands beside the arrays of a file of arrays, one number or text for each sample.
_VALUES = "values"


class Part(NamedTuple):
    """A table of a file.

    Attributes
    ----------
    name : str
    frame : DataFrame
        With the rows' numbers as its index.
    keys : pandas.Index or None
        What the file calls its rows. None for numbers from 1, the same rows in all tables.
    aside : bool
        Whether it is what is known of the samples, which is not learned from without a word.
    """

    name: str
    frame: pd.DataFrame
    keys: Any
    aside: bool = False


def read_container(path: str, ids: Sequence[str], target: str) -> list[Part]:
    """Read the tables of a file of another package.

    Parameters
    ----------
    path : str
    ids : sequence of str
        Columns that may name samples: of xarray, dimensions.
    target : str
        Name of the target, which tells which arrays are of samples.

    Returns
    -------
    list of Part

    Raises
    ------
    UsageError
        If its package is not installed, it cannot be read, or holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(
            f"{path!r} is a folder; expected a file"
            if file.exists()
            else f"there is no file {path!r}"
        )
    ending = file.suffix.lower() if not path.lower().endswith(".fif.gz") else ".fif"
    parts = _READERS[ending](path, ids, target)
    empty = [part.name for part in parts if not len(part.frame)]
    if empty or not parts:
        raise UsageError(f"{path!r} has no samples")
    return parts


@contextmanager
def _reading(path: str, what: str) -> Iterator[None]:
    """Take whatever a package says of a file for something that is wrong with the file.

    What it warns of is for those who call it: names of files, and what it calls itself.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UsageError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # anyone's bytes can fail in any way
        raise UsageError(
            f"{path!r} cannot be read as {what}: {error or type(error).__name__}"
        ) from error


def _stem(path: str) -> str:
    return Path(path).name.partition(".")[0]


def _plain(data: Any, name: str) -> pd.DataFrame:
    """Return a modality as a table: a column of each number of a sample."""
    if hasattr(data, "columns"):
        return data.reset_index(drop=True)
    values = data.toarray() if issparse(data) else np.asarray(data)
    places = [np.arange(1, size + 1).astype(str) for size in values.shape[1:]]
    columns = [name]
    for some in places:
        columns = [f"{one}_{place}" for one in columns for place in some]
    return pd.DataFrame(values.reshape(len(values), -1), columns=columns)


# ------------------------------------------------------------------------------- single cells


def _unique_genes(adata: Any, path: str) -> Any:
    if not adata.var_names.is_unique:
        n_repeated = len(set(adata.var_names[adata.var_names.duplicated()]))
        adata.var_names_make_unique()
        note(f"{path!r}: {n_repeated} names of columns are there twice, and get numbers")
    return adata


def _matrix(X: Modalities, name: str, adata: Any) -> pd.DataFrame:
    """Return a modality of numbers as a table with names."""
    data = X[name]
    if issparse(data):
        return pd.DataFrame(data.toarray(), columns=adata.var_names.astype(str))
    return _plain(data, name)


def _of_anndata(path: str, ids: Sequence[str], target: str) -> list[Part]:
    need("reading .h5ad", "anndata", extra="omics")
    import anndata

    with _reading(path, "AnnData"):
        adata = _unique_genes(anndata.read_h5ad(path), path)
        X = Modalities.from_anndata(
            adata, name=_stem(path), obs=list(adata.obs.columns), obsm=list(adata.obsm)
        )
        parts = [
            Part(name, _matrix(X, name, adata), X.index, name == "obs" or name in adata.obsm)
            for name in X.names
        ]
    return parts


def _of_mudata(path: str, ids: Sequence[str], target: str) -> list[Part]:
    need("reading .h5mu", "mudata", extra="omics")
    import mudata

    with _reading(path, "MuData"):
        mdata = mudata.read_h5mu(path)
        for adata in mdata.mod.values():
            _unique_genes(adata, path)
        X = Modalities.from_mudata(mdata, obs=list(mdata.obs.columns))
        parts = []
        for name, there in zip(X.names, X.present().T, strict=True):
            rows = np.flatnonzero(there)
            frame = _matrix(X[rows], name, mdata.mod.get(name))
            parts.append(Part(name, frame, X.index[rows], name == "obs"))
    return parts


# ------------------------------------------------------------------------------- recordings


def _of_mne(path: str, ids: Sequence[str], target: str) -> list[Part]:
    need("reading .fif", "mne", extra="eeg")
    import mne

    with _reading(path, "MNE's Epochs"):
        epochs = mne.read_epochs(path, preload=True, verbose="error")
        X = Modalities.from_mne(epochs)
        names = {code: name for name, code in epochs.event_id.items()}
        known = {} if epochs.metadata is None else dict(epochs.metadata.items())
        events = [names.get(code, str(code)) for code in epochs.events[:, 2]]
        aside = pd.DataFrame({"event": events} | known).reset_index(drop=True)
        types = epochs.get_channel_types()
        bad = epochs.info["bads"]
        parts = [Part("metadata", aside, None, True)]
        for name in X.names:
            channels = [
                one
                for one, kind in zip(epochs.ch_names, types, strict=True)
                if kind == name and one not in bad
            ]
            columns = [f"{one} {1000 * t:.6g} ms" for one in channels for t in epochs.times]
            values = X[name].reshape(len(X), -1)
            parts.append(Part(name, pd.DataFrame(values, columns=columns), None))
    return parts


def _of_xarray(path: str, ids: Sequence[str], target: str) -> list[Part]:
    need("reading .nc", "xarray", extra="xarray")
    import xarray

    with _reading(path, "a Dataset of xarray"), xarray.open_dataset(path) as dataset:
        dim = _dimension(dataset, ids, target, path)
        single = [
            str(name)  # as all names are in such files
            for name, one in dataset.variables.items()
            if one.dims == (dim,) and name != dim
        ]
        X = Modalities.from_xarray(dataset, dim=dim, table=single)
        index = None if X.index is None else X.index.rename(None)
        parts = []
        for name in X.names:
            frame = _plain(X[name], name)
            aside = name == "table"
            if aside and index is not None and dim in ids:
                frame.insert(0, dim, index)
            parts.append(Part(name, frame, index, aside))
    return parts


def _dimension(dataset: Any, ids: Sequence[str], target: str, path: str) -> str:
    """Return the dimension of samples: the one that --id names, or that of the target."""
    for name in ids:
        if name in dataset.sizes:
            return name
    if target in dataset.variables and len(dataset[target].dims) == 1:
        return str(dataset[target].dims[0])
    several = [set(one.dims) for one in dataset.data_vars.values() if one.ndim > 1]
    common = set.intersection(*several) if several else set()
    if len(common) == 1:
        return str(next(iter(common)))
    raise UsageError(
        f"{path!r} has the dimensions {listed(list(dataset.sizes), 12)}; expected --id to name "
        "that of the samples"
    )


# ------------------------------------------------------------------------------- plain arrays


def _of_matlab(path: str, ids: Sequence[str], target: str) -> list[Part]:
    try:
        with _reading(path, "a MAT file"):
            held = loadmat(path, squeeze_me=False, chars_as_strings=True)
    except UsageError as error:
        if isinstance(error.__cause__, NotImplementedError):
            raise UsageError(
                f"{path!r} is a MAT file of version 7.3, which is another format; expected one "
                "that save(..., '-v7') of MATLAB writes"
            ) from error
        raise
    arrays = {name: _of_cells(one) for name, one in held.items() if not name.startswith("__")}
    return _of_arrays(path, arrays, target)


def _of_cells(array: Any) -> Any:
    """Return MATLAB's cell arrays of texts, and its vectors, in one dimension."""
    if issparse(array):
        return array.toarray()
    array = np.asarray(array)
    if array.dtype.kind == "U":
        array = np.char.rstrip(array)  # texts of one length
    if array.ndim == 2 and 1 in array.shape and max(array.shape) > 1:
        array = array.ravel()
    if array.dtype == object and array.ndim == 1:
        items = [np.asarray(one).ravel() for one in array]
        if all(len(one) <= 1 for one in items):
            return np.array([one[0] if len(one) else None for one in items], dtype=object)
    return array


def _of_numpy(path: str, ids: Sequence[str], target: str) -> list[Part]:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path!r} cannot be read as arrays of numbers and texts that numpy.savez has written: "
            f"{error}"
        ) from error
    return _of_arrays(path, arrays, target)


def _of_arrays(path: str, arrays: Mapping[str, NDArray[Any]], target: str) -> list[Part]:
    """Take arrays of several columns for modalities, and those of one for values of samples."""
    lengths = {
        name: len(one)
        for name, one in arrays.items()
        if one.ndim > 0 and one.dtype.names is None and one.size
    }
    if target in lengths:
        n_samples = lengths[target]
    else:
        sizes = {length for name, length in lengths.items() if arrays[name].ndim > 1}
        if len(sizes) != 1:
            raise UsageError(
                f"{path!r} has no array {target!r}, and others have {listed(sorted(sizes), 12)} "
                f"rows; {close_names(target, arrays)}"
            )
        n_samples = sizes.pop()
    others = [name for name in arrays if lengths.get(name) != n_samples]
    if others:
        note(
            f"{path!r}: {listed(others)} {'are' if len(others) > 1 else 'is'} left out: expected "
            f"arrays of {n_samples} rows"
        )
    kept = {
        name: one.astype(str) if one.dtype.kind == "S" else one
        for name, one in arrays.items()
        if name not in others
    }
    values = {name: one.ravel() for name, one in kept.items() if one.size == n_samples}
    parts = [Part(_VALUES, pd.DataFrame(values), None, True)] if values else []
    parts += [Part(name, _plain(kept[name], name), None) for name in kept if name not in values]
    return parts


_READERS: dict[str, Callable[[str, Sequence[str], str], list[Part]]] = {
    ".h5ad": _of_anndata,
    ".h5mu": _of_mudata,
    ".fif": _of_mne,
    ".nc": _of_xarray,
    ".mat": _of_matlab,
    ".npz": _of_numpy,
}
