"""Averages of a model over recombined samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from mkfusion.inspection._answers import respond
from mkfusion.inspection._multilinear import assembled
from mkfusion.inspection._samples import Parts

__all__ = ["Projector", "respond_in_batches"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Projector:
    """Averages of a model over combinations of samples."""

    def __init__(
        self, estimator: Any, parts: Parts, name: str, batch_size: int, n_jobs: int | None
    ) -> None:
        self.estimator = estimator
        self.parts = parts
        self.name = name
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def project(self, chosen: Rows, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        """Return the projection and the modalities' effects, with references from these samples."""
        n_modalities = len(self.parts.names)
        references = [chosen] * n_modalities
        if n_modalities > 2:
            references = [rng.permutation(chosen) for _ in range(n_modalities)]
        means = np.stack([self._means(m, references) for m in range(n_modalities)])
        return assembled(means, chosen)

    def _means(self, m: int, references: Sequence[Rows]) -> Floats:
        """Return each sample's mean response with the other modalities of all references."""
        n, size = len(self.parts), len(references[0])

        def responses(batch: slice) -> tuple[Rows, Floats]:
            samples, which = np.divmod(np.arange(batch.start, batch.stop), size)
            rows = [samples if k == m else one[which] for k, one in enumerate(references)]
            rest = references[0][which]
            return samples, respond(self.estimator, self.parts.mix(rows, rest), self.name)

        total: Floats | None = None
        for samples, values in Parallel(
            n_jobs=self.n_jobs, prefer="threads", return_as="generator"
        )(delayed(responses)(batch) for batch in gen_batches(n * size, self.batch_size)):
            if total is None:
                total = np.zeros((n, values.shape[1]))
            np.add.at(total, samples, values)
        assert total is not None
        return total / size


def respond_in_batches(estimator: Any, X: Any, name: str, batch_size: int) -> Floats:
    n = _num_samples(X)
    return np.concatenate(
        [
            respond(estimator, _safe_indexing(X, np.arange(batch.start, batch.stop)), name)
            for batch in gen_batches(n, batch_size)
        ]
    )
