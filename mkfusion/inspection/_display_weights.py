"""The picture of kernel weights."""

from __future__ import annotations

from typing import Any, Self

from mkfusion.inspection._draw import axes_of, draw_intervals
from mkfusion.inspection._stability import WeightStability, weight_stability

__all__ = ["WeightStabilityDisplay"]


class WeightStabilityDisplay:
    """Kernel weights, with intervals and how often each kernel is selected.

    Parameters
    ----------
    stability : WeightStability
        Outcome of :func:`weight_stability`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    weight_stability : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import MKLClassifier
    >>> from mkfusion.inspection import WeightStabilityDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> grams = np.stack([np.outer(x, x) for x in X.T], axis=-1)
    >>> display = WeightStabilityDisplay.from_estimator(
    ...     MKLClassifier(), grams, X[:, 0] > 0, n_bootstraps=20, random_state=0
    ... )
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['kernel0', 'kernel1']
    """

    def __init__(self, stability: WeightStability) -> None:
        self.stability = stability

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **options: Any
    ) -> Self:
        """Bootstrap the weights, and draw them.

        Parameters
        ----------
        estimator : estimator
            That weights kernels.
        X : Modalities, KernelStack, ndarray, sparse matrix or DataFrame of shape (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`weight_stability`.

        Returns
        -------
        WeightStabilityDisplay
        """
        return cls(weight_stability(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        WeightStabilityDisplay
        """
        found = self.stability
        ax = axes_of(ax, "WeightStabilityDisplay", 1.2 + 0.35 * len(found.kernel_names))
        draw_intervals(ax, found.kernel_names, found.weights, found.intervals, "kernel weight")
        for k, share in enumerate(found.selection_frequencies):
            ax.annotate(f"{share:.0%}", (1.01, k), xycoords=("axes fraction", "data"), va="center")
        ax.set_title("right: share of draws with any weight", fontsize="medium", loc="right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
