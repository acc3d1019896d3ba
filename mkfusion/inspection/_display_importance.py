"""The picture of what modalities are worth."""

from __future__ import annotations

from typing import Any, Self

from mkfusion.inspection._draw import axes_of, draw_intervals
from mkfusion.inspection._importance import ModalityImportance, modality_importance
from mkfusion.inspection._shapley import shapley_values

__all__ = ["ModalityImportanceDisplay"]

_LABELS = {
    "permutation": "loss of {} when permuted",
    "ablation": "loss of {} when left out",
    "shapley": "Shapley value in {}",
}


class ModalityImportanceDisplay:
    """Importance of modalities, with intervals.

    Parameters
    ----------
    importance : ModalityImportance
        Outcome of :func:`modality_importance` or :func:`shapley_values`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    modality_importance : The numbers.
    shapley_values : Others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import ModalityImportanceDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> y = X[:, 0] + X[:, 1]
    >>> display = ModalityImportanceDisplay.from_estimator(
    ...     LinearRegression().fit(X, y), X, y, modalities=[("a", [0, 1]), ("b", [2])]
    ... )
    >>> display.ax_.get_xlabel()
    'loss of R² when permuted'
    """

    def __init__(self, importance: ModalityImportance) -> None:
        self.importance = importance

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        method: str = "permutation",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Measure the importance of modalities, and draw it.

        Parameters
        ----------
        estimator : classifier or regressor
            Fitted for "permutation".
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Target.
        method : {"permutation", "ablation", "shapley"}, default="permutation"
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`modality_importance` or :func:`shapley_values`.

        Returns
        -------
        ModalityImportanceDisplay
        """
        if method == "shapley":
            return cls(shapley_values(estimator, X, y, **options)).plot(ax=ax)
        return cls(modality_importance(estimator, X, y, method=method, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the importances.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        ModalityImportanceDisplay
        """
        found = self.importance
        ax = axes_of(ax, "ModalityImportanceDisplay", 1.2 + 0.4 * len(found.modality_names))
        label = _LABELS[found.method].format(found.scoring)
        draw_intervals(ax, found.modality_names, found.importances, found.intervals, label)
        ax.set_title(f"{found.scoring} of all modalities: {found.score:.3f}", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
