"""The picture of a model without its interactions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mkfusion.inspection._draw import axes_of
from mkfusion.inspection._emap import AdditiveProjection, emap

__all__ = ["EmapDisplay"]


class EmapDisplay:
    """What a model says against what it would say without interactions.

    Samples on the diagonal need no interactions between modalities.

    Parameters
    ----------
    projection : AdditiveProjection
        Outcome of :func:`emap`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    emap : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import EmapDisplay
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
    >>> y = X[:, 0] ^ X[:, 1]
    >>> model = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> parts = [("a", [0]), ("b", [1])]
    >>> display = EmapDisplay.from_estimator(model, X, y, modalities=parts, random_state=0)
    >>> display.ax_.get_xlabel()
    'predict_proba without interactions'
    """

    def __init__(self, projection: AdditiveProjection) -> None:
        self.projection = projection

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **options: Any
    ) -> Self:
        """Project a fitted model, and draw it.

        Parameters
        ----------
        estimator : fitted classifier or regressor
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`emap`.

        Returns
        -------
        EmapDisplay
        """
        return cls(emap(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        EmapDisplay
        """
        ax = axes_of(ax, "EmapDisplay", 5.0)
        found = self.projection
        both = [found.projection, found.responses]
        if found.responses.shape[1] == 2 and found.response_method != "decision_function":
            both = [values[:, 1:] for values in both]  # the other column says the same
        x, y = both
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, color="grey", lw=1, zorder=0)
        if found.y is None or found.response_method == "predict":
            ax.scatter(x, y, s=12, alpha=0.6)
        else:
            classes = np.unique(found.y)
            for k, label in enumerate(classes):
                if x.shape[1] == 1:  # two classes
                    some, column = found.y == label, 0
                    text = str(label)
                else:
                    some, column = slice(None), k
                    text = f"response for {label}"
                ax.scatter(x[some, column], y[some, column], s=12, alpha=0.6, label=text)
            ax.legend(fontsize="small")
        ax.set(
            xlabel=f"{found.response_method} without interactions",
            ylabel=f"{found.response_method} of the model",
        )
        if found.scores:
            low, high = found.gap_interval
            ax.set_title(
                f"{found.scoring} {found.scores['projection']:.3f} without, "
                f"{found.scores['model']:.3f} with interactions\n"
                f"gap {found.gap:.3f} [{low:.3f}, {high:.3f}]",
                fontsize="medium",
            )
        self.ax_, self.figure_ = ax, ax.figure
        return self
