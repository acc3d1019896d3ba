"""Samples as modalities that can be recombined, each from another row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csc_array, hstack, issparse

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._types import Indices
from mkfusion.data import Modalities, read_samples
from mkfusion.inspection._arguments import count_samples


class ModalitySamples:
    """Samples as modalities that can be recombined, in the form that an estimator takes.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    modalities : list of (name, columns) pairs, or None
        As for `resolve_views`.
    """

    def __init__(self, X: Any, modalities: Any) -> None:
        count_samples("X", X, 2)
        samples = read_samples(X, modalities)
        self.X, self.names = samples.X, samples.names
        places = [view.where for view in samples.views]
        # Names of modalities, or positions of columns.
        self.places: list[list[Any]] = [
            place if isinstance(place, list) else [place] for place in places
        ]
        if len(self.names) < 2:
            raise ValueError(
                f"modalities are {self.names}; expected two or more, or there is nothing to tell "
                "apart."
            )
        everything = [place for places in self.places for place in places]
        twice = sorted({place for place in everything if everything.count(place) > 1})
        if twice:
            raise ValueError(f"modalities share {twice}; expected each in one modality only.")
        if hasattr(self.X, "columns") and not hasattr(self.X, "iloc"):
            raise TypeError(
                f"X is a {type(X).__module__} DataFrame; expected one of pandas, an array, a "
                "sparse matrix or Modalities."
            )

    def __len__(self) -> int:
        return int(num_samples(self.X))

    def recombine(self, rows: Sequence[Indices], rest: Indices) -> Any:
        """Return samples made of the modalities of several samples each.

        Parameters
        ----------
        rows : sequence of n_modalities arrays of shape (n,)
            Which sample each modality is taken from.
        rest : ndarray of shape (n,)
            Which sample everything is taken from that belongs to no modality.

        Returns
        -------
        samples of the kind and the columns of X
        """
        X = self.X
        if isinstance(X, Modalities):
            source = {place[0]: some for place, some in zip(self.places, rows, strict=True)}
            return Modalities(
                {
                    name: None
                    if X[name] is None
                    else safe_indexing(X[name], source.get(name, rest))
                    for name in X.names
                }
            )
        if issparse(X):
            return self._recombined_sparse(rows, rest)
        mixed = X.iloc[rest].copy() if hasattr(X, "iloc") else X[rest]
        for places, some in zip(self.places, rows, strict=True):
            if hasattr(X, "iloc"):
                for j in places:  # one by one: each keeps its dtype
                    mixed.isetitem(j, X.iloc[some, j].array)
            else:
                mixed[:, places] = X[np.ix_(some, places)]
        return mixed

    def _recombined_sparse(self, rows: Sequence[Indices], rest: Indices) -> Any:
        columns: Any = csc_array(self.X)
        others = self.others()
        blocks = [columns[:, j].tocsr()[some] for j, some in zip(self.places, rows, strict=True)]
        blocks.append(columns[:, others].tocsr()[rest])
        order = np.concatenate([*map(np.asarray, self.places), np.asarray(others)]).astype(np.intp)
        return hstack(blocks).tocsc()[:, np.argsort(order)].tocsr()

    def others(self) -> list[Any]:
        """Return the modalities or columns that belong to none of the modalities."""
        named = {place for places in self.places for place in places}
        whole = self.X.names if isinstance(self.X, Modalities) else range(self.X.shape[1])
        return [place for place in whole if place not in named]
