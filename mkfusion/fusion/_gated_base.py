"""What both gated fusions share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from mkfusion._views import resolve_views, take_views
from mkfusion.fusion._blocks import Blocks, Entry, join, read_entries
from mkfusion.fusion._experts import ExpertFusion, Reading
from mkfusion.fusion._gating import fit_gate
from mkfusion.fusion._inputs import read_again
from mkfusion.fusion._weighting import log_chances

__all__ = ["GatedFusion"]

_Array = NDArray[np.float64]


class GatedFusion(ExpertFusion):
    """Weight what one estimator per modality says for each sample."""

    gate_on: list[Any] | None
    alpha: float
    max_iter: int
    tol: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ExpertFusion._parameter_constraints,
        "gate_on": [list, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit every modality's estimator, and the gate to what they say out of fold.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimators and the gate. All estimators
            must take it.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that keeps groups together.

        Returns
        -------
        self : object
            Fitted fusion.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities or columns are not there, or an
            estimator cannot be fitted; the message says of which modality.
        """
        reading = self._read(X, y, sample_weight)
        entries = self._gate_entries(reading)
        gate_views = resolve_views(reading.X, [(e.name, e.columns) for e in entries])
        blocks = Blocks(entries, scaled=True)
        features = join(
            blocks.fit(take_views(reading.X, gate_views), reading.targets.given, reading.weights)
        )
        fitted, held_out = self._fit_experts(
            reading, groups, held_out=True, calibrate=getattr(self, "calibrate", None)
        )
        assert held_out is not None
        rows = held_out.rows
        if not reading.share[rows].any():
            raise ValueError("sample_weight is 0 for all samples that cv holds out.")
        codes = reading.targets.codes[rows]
        said = held_out.responses
        if reading.targets.classes is None:
            chances, residuals = None, said[:, :, 0] - codes[:, np.newaxis]
        else:
            chances, residuals = log_chances(said[np.arange(len(rows)), :, codes]), None
        gate, path = fit_gate(
            features[rows],
            chances,
            residuals,
            reading.share[rows],
            alpha=self.alpha,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        self._keep(reading, fitted)
        self._gate_views, self._blocks, self._gate = gate_views, blocks, gate
        self._sparse = issparse(features)
        self.objectives_ = path
        self.n_iter_ = len(path) - 1
        self.weights_ = reading.share @ gate.weights(features) / reading.share.sum()
        return self

    def _gate_entries(self, reading: Reading) -> list[Entry]:
        """Return what the gate sees: modalities, and what makes features of them."""
        of_experts = {
            view.name: view.columns if isinstance(view.columns, str) else view.columns.positions
            for view in reading.views
        }
        if self.gate_on is None:
            return [Entry(name, None, columns) for name, columns in of_experts.items()]
        given = []
        for entry in self.gate_on:
            if isinstance(entry, str):
                if entry not in of_experts:
                    raise ValueError(
                        f"gate_on asks for the unknown modality {entry!r}; expected some of "
                        f"{list(of_experts)}, or (name, columns)."
                    )
                entry = (entry, of_experts[entry])
            given.append(entry)
        return read_entries(given, "gate_on")

    def gate(self, X: Any) -> _Array:
        """Return each modality's weight for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities)
            Non-negative, rows of sum 1; in the order of `modality_names_`.
        """
        check_is_fitted(self)
        blocks = self._blocks.transform(read_again(self, X, self._gate_views))
        return self._gate.weights(join(blocks, self._sparse))

    def _mixed(self, X: Any) -> _Array:
        """Return the weighted mean of what the experts say, of shape (n_samples, n_outputs)."""
        said = self._responses(self._parts(X))
        return np.einsum("ikc,ik->ic", said, self.gate(X))
