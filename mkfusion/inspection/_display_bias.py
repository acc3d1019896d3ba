"""The picture of modalities that a model ignores."""

from __future__ import annotations

from typing import Any, Self

from mkfusion.inspection._bias import UnimodalBias, unimodal_bias
from mkfusion.inspection._draw import axes_of, draw_intervals

__all__ = ["UnimodalBiasDisplay"]


class UnimodalBiasDisplay:
    """What is lost without each modality, and whether the model uses it.

    Parameters
    ----------
    bias : UnimodalBias
        Outcome of :func:`unimodal_bias`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    unimodal_bias : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import UnimodalBiasDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = X[:, 0] > 0
    >>> display = UnimodalBiasDisplay.from_estimator(
    ...     DecisionTreeClassifier(max_depth=1).fit(X, y), X, y, modalities=[("a", [0]), ("b", [1])]
    ... )
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['a: uses', 'b: ignores']
    """

    def __init__(self, bias: UnimodalBias) -> None:
        self.bias = bias

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **options: Any
    ) -> Self:
        """Find out which modalities a model ignores, and draw it.

        Parameters
        ----------
        estimator : fitted classifier or regressor
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Held-out samples.
        y : array-like of shape (n_samples,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`unimodal_bias`.

        Returns
        -------
        UnimodalBiasDisplay
        """
        return cls(unimodal_bias(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the losses; within the grey band they do not matter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        UnimodalBiasDisplay
        """
        found = self.bias
        ax = axes_of(ax, "UnimodalBiasDisplay", 1.2 + 0.4 * len(found.modality_names))
        pairs = zip(found.modality_names, found.verdicts, strict=True)
        names = [f"{name}: {verdict}" for name, verdict in pairs]
        label = f"loss of {found.scoring} when permuted"
        ax.axvspan(-found.margin, found.margin, color="0.9", zorder=0)
        draw_intervals(ax, names, found.losses, found.intervals, label)
        self.ax_, self.figure_ = ax, ax.figure
        return self
