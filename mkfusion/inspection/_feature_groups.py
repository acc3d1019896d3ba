"""The features of one modality: what they are called, which are alike, and shuffled ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, hstack, issparse
from sklearn.utils import check_random_state

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import as_numbers, as_table, column_names, read_columns

# Rounds of assigning columns to groups.
_MOST_ROUNDS = 50
# A column whose variance is a smaller share of its mean square does not vary.
_CONSTANT = 1e-20


class ModalityTable:
    """Samples of one modality as features that can be shuffled among them.

    Parameters
    ----------
    data : DataFrame, sparse matrix, or array of shape (n_samples, n_features) or \
            (n_samples, n_channels, n_timesteps)
        Of signals, the channels are the features.
    name : str
        What the user calls the modality.

    Raises
    ------
    TypeError
        If it has no columns or channels.
    """

    def __init__(self, data: Any, name: str) -> None:
        shape = getattr(data, "shape", ())
        if len(shape) == 1 and hasattr(data, "to_frame"):
            data = data.to_frame()
        elif len(shape) not in (2, 3):
            raise TypeError(
                f"modality {name!r} is {shown(type(data).__name__)}"
                + (f" of shape {shape}" if shape else "")
                + "; expected a table or an array of signals, whose columns or channels are "
                "features."
            )
        self.data = data if len(data.shape) == 3 else as_table(data)
        names = column_names(self.data)
        what = "channel" if len(self.data.shape) == 3 else "column"
        self.names = (
            [f"{what} {j}" for j in range(self.data.shape[1])]
            if names is None
            else [" ".join(one) if isinstance(one, tuple) else str(one) for one in names]
        )

    def __len__(self) -> int:
        return int(num_samples(self.data))

    def rows(self, rows: Indices) -> Any:
        """Return some of the samples."""
        return safe_indexing(self.data, rows)

    def numbers(self) -> Floats:
        """Return what features are numbers of.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            NaN where cells are missing, and for all that are no numbers: categories and channels.
        """
        data = self.data
        if issparse(data):
            return np.asarray(data.toarray(), dtype=np.float64)
        if len(data.shape) == 3:
            return np.full(data.shape[:2], np.nan)
        if not hasattr(data, "columns") and data.dtype.kind in "biuf":
            return np.asarray(data, dtype=np.float64)
        found = np.full(data.shape, np.nan)
        for j, column in enumerate(read_columns(data)):
            if column.kind in ("numeric", "time"):
                found[:, j] = as_numbers(column)
        return found

    def known(self) -> Mask:
        """Return which cells are there (n_samples, n_features)."""
        data = self.data
        if issparse(data):
            return np.ones(data.shape, dtype=bool)
        if not hasattr(data, "columns") and data.dtype.kind in "biuf":
            gaps = np.isnan(data) if data.dtype.kind == "f" else np.zeros(data.shape, dtype=bool)
            return np.asarray(~(gaps.all(axis=2) if gaps.ndim == 3 else gaps))
        return np.column_stack([~column.missing for column in read_columns(data)])

    def observations(self) -> Floats:
        """Return by what features are alike: (n_observations, n_features)."""
        if len(self.data.shape) != 3:
            return self.numbers()
        steps = np.asarray(self.data, dtype=np.float64).transpose(0, 2, 1)
        return steps.reshape(-1, steps.shape[2])


def shuffled(samples: Any, known: Mask, columns: list[int], rng: Any) -> Any:
    """Return samples some of whose columns, together, are from other samples.

    Missing cells stay where they are: columns are shuffled among the samples that have all of them.

    Parameters
    ----------
    samples : samples of the kind of `ModalityTable.data`
    known : ndarray of shape (n_samples, n_features)
    columns : list of int
    rng : RandomState

    Returns
    -------
    samples of the same kind
    """
    there = np.flatnonzero(known[:, columns].all(axis=1))
    order = np.arange(len(known))
    order[there] = rng.permutation(there)
    if issparse(samples):
        table: Any = csc_array(samples)
        rest = np.setdiff1d(np.arange(table.shape[1]), columns)
        parts = [table[:, columns].tocsr()[order], table[:, rest].tocsr()]
        places = np.argsort(np.concatenate([np.asarray(columns, dtype=np.intp), rest]))
        return hstack(parts).tocsc()[:, places].tocsr()
    if hasattr(samples, "iloc"):
        mixed = samples.copy()
        for j in columns:  # one by one: each keeps its dtype
            mixed.isetitem(j, samples.iloc[order, j].array)
        return mixed
    if hasattr(samples, "with_columns"):  # polars
        names = [samples.columns[j] for j in columns]
        return samples.with_columns(safe_indexing(samples, order).select(names).get_columns())
    mixed = samples.copy()
    mixed[:, columns] = samples[order][:, columns]
    return mixed


class Groups(NamedTuple):
    """Features that are alike, together.

    Attributes
    ----------
    members : list of n_groups lists of int
        Those most like what the group has in common first.
    coherences : ndarray of shape (n_groups,)
        Mean squared correlation of the members with what they have in common; 1 for one alone.
    """

    members: list[list[int]]
    coherences: Floats


def group_columns(observations: Floats, max_groups: int, random_state: Any) -> Groups:
    """Bring columns together that say the same, up or down.

    Diametrical clustering (Dhillon, Marcotte and Roshan, Bioinformatics 19, 2003): each column goes
    to the direction with which its squared correlation is largest, and each direction to the
    leading singular vector of its columns. Its work grows with columns times groups.

    Parameters
    ----------
    observations : ndarray of shape (n_observations, n_features)
        NaN counts as the mean.
    max_groups : int
        So many columns or fewer stay alone.
    random_state : int or RandomState
        Draws where the directions start.

    Returns
    -------
    Groups
    """
    d = observations.shape[1]
    if d <= max_groups:
        return Groups([[j] for j in range(d)], np.ones(d))
    units = unit_columns(observations)
    # Nothing is like what does not vary: what is no number stays alone, constants are together.
    still = ~units.any(axis=0)
    names = still & ~np.isfinite(observations).any(axis=0)
    lonely = [[j] for j in np.flatnonzero(names).tolist()]
    lonely += [some] if (some := np.flatnonzero(still & ~names).tolist()) else []
    moving = np.flatnonzero(~still)
    count = min(max(1, max_groups - len(lonely)), len(moving))
    members, coherences = _diametrical(units[:, moving], count, check_random_state(random_state))
    return Groups(
        [moving[own].tolist() for own in members] + lonely,
        np.array(coherences + [1.0 if len(own) == 1 else 0.0 for own in lonely]),
    )


def _diametrical(units: Floats, count: int, rng: Any) -> tuple[list[Indices], list[float]]:
    """Return which columns of length one are together, and how alike they are."""
    members: list[Indices] = []
    coherences: list[float] = []
    if not count:
        return members, coherences
    centres = _distant_columns(units, count, rng)
    labels = np.full(units.shape[1], -1)
    for _ in range(_MOST_ROUNDS):
        found = ((centres.T @ units) ** 2).argmax(axis=0)
        if (found == labels).all():
            break
        labels = found
        for g in range(count):
            some = units[:, labels == g]
            # One step of the power method: each round goes on from the one before.
            turned = some @ (some.T @ centres[:, g])
            size = np.linalg.norm(turned)
            centres[:, g] = turned / size if size > 0 else centres[:, g]
    alike = (centres.T @ units) ** 2
    for g in range(count):
        own = np.flatnonzero(labels == g)
        if len(own):
            members.append(own[np.argsort(-alike[g, own], kind="stable")])
            coherences.append(float(alike[g, own].mean()) if len(own) > 1 else 1.0)
    return members, coherences


def unit_columns(table: Floats) -> Floats:
    """Return centred columns of length one, of which inner products are correlations.

    Parameters
    ----------
    table : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (n, d)
        Zero where a column does not vary; NaN counts as the mean.
    """
    known = np.isfinite(table)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, table, 0.0)
    mean = filled.sum(axis=0) / count
    centred = np.where(known, table - mean, 0.0)
    size = np.sqrt((centred**2).sum(axis=0))
    varies = size**2 > _CONSTANT * np.maximum((filled**2).sum(axis=0), np.finfo(float).tiny)
    return np.divide(centred, size, out=np.zeros_like(centred), where=varies)


def _distant_columns(units: Floats, count: int, rng: Any) -> Floats:
    """Return columns that are unlike each other, drawn as k-means++ draws its first centres."""
    first = int(rng.randint(units.shape[1]))
    chosen = [first]
    left = 1.0 - (units[:, first] @ units) ** 2
    for _ in range(count - 1):
        weights = np.maximum(left, 0.0)
        total = weights.sum()
        one = int(rng.choice(len(weights), p=weights / total if total > 0 else None))
        chosen.append(one)
        left = np.minimum(left, 1.0 - (units[:, one] @ units) ** 2)
    return units[:, chosen].copy()
