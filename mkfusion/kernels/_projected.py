"""The nearest positive semi-definite kernel of one that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.kernels._kernel import Kernel

# Eigenvalues below this share of the largest are rounding errors, for each of them.
_ROUNDING = np.finfo(np.float64).eps


class ProjectedKernel(Kernel):
    """A mixin with the parameter `project_psd`, left of a kernel that is not always PSD.

    With the eigenvalues l and eigenvectors V of the kernel K between training samples, and those of
    positive eigenvalues l+ and V+:

    - "clip": K becomes V+ diag(l+) V+', the nearest positive semi-definite matrix, and a new sample
      is projected onto the same space: its values k with the training samples become k V+ V+'.
      These are inner products of the features k V+ diag(l+)^(-1/2), which are what samples are
      prepared to.
    - "shift": K becomes K + s I, s = max(0, -min l). A new sample keeps its values: the shift is
      noise that each sample has for itself.

    Where no eigenvalue is negative but by rounding, nothing is changed, of new samples neither.

    References
    ----------
    Chen, Garcia, Gupta, Rahimi and Cazzanti, "Similarity-based classification: concepts and
    algorithms", JMLR 10, 2009.
    """

    project_psd: bool | str
    negative_share_: float

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        self._projection = self._check_projection()
        samples = super()._fit_prepare(X, y)
        self.shift_ = 0.0
        if self._projection is None:
            return samples
        block = super()._evaluate(samples)  # type: ignore[safe-super]
        gram = block.astype(np.float64, copy=False)
        if self._projection == "shift":
            values = eigvalsh(gram)
            self.negative_share_ = _share_of_negative(values, block.dtype)
            self.shift_ = max(0.0, -float(values[0]))
            return samples
        values, vectors = eigh(gram)
        self.negative_share_ = _share_of_negative(values, block.dtype)
        if self.negative_share_ == 0.0:
            self._projection = None
            return samples
        kept = values > len(gram) * _ROUNDING * np.abs(values).max()
        self._train = samples
        self._map = vectors[:, kept] / np.sqrt(values[kept])
        features = vectors[:, kept] * np.sqrt(values[kept])
        return features.astype(block.dtype, copy=False)

    def _prepare(self, X: Any) -> Any:
        samples = super()._prepare(X)
        if self._projection != "clip":
            return samples
        values = super()._evaluate(samples, self._train)  # type: ignore[safe-super]
        return (values @ self._map).astype(values.dtype, copy=False)

    def _features(self, samples: Any) -> Any:
        return samples if self._projection == "clip" else super()._features(samples)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        if self._projection == "clip":
            return samples @ (samples if others is None else others).T
        values: FloatArray = super()._evaluate(samples, others)  # type: ignore[safe-super]
        if self._projection == "shift" and others is None:
            values[np.diag_indices(len(values))] += self.shift_
        return values

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        if self._projection == "clip":
            return np.einsum("ij,ij->i", samples, samples, dtype=np.float64)
        diagonal: NDArray[np.float64] = super()._diagonal(samples)
        return diagonal + self.shift_ if self._projection == "shift" else diagonal

    def _is_psd(self) -> bool:
        return self.project_psd is not False or super()._is_psd()

    def _has_own_noise(self) -> bool:
        return self._projection == "shift" or super()._has_own_noise()

    def _check_projection(self) -> str | None:
        """Return "clip", "shift" or None."""
        if self.project_psd is False:
            return None
        if self.project_psd is True:
            return "clip"
        if isinstance(self.project_psd, str) and self.project_psd in ("clip", "shift"):
            return self.project_psd
        raise ValueError(
            f'project_psd is {shown(self.project_psd)}; expected True, False, "clip" or "shift".'
        )


def _share_of_negative(values: Floats, dtype: np.dtype[Any]) -> float:
    """Return the sum of the negative eigenvalues by that of all, without their signs."""
    sizes = np.abs(values)
    rounding = len(values) * np.finfo(dtype).eps * sizes.max()
    negative = sizes[values < -rounding]
    return float(negative.sum() / sizes.sum()) if negative.size else 0.0
