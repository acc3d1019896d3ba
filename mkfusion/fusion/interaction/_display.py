"""Plot of how the effect of one column depends on another."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.fusion.interaction._model import BaseInteraction

_FEW = 3  # values of a column that are shown all


class InteractionDisplay:
    """Predictions along one column, at some levels of another.

    Lines that are parallel say that the columns do not interact. Of a classifier these would be
    the log-odds: its probabilities are bent by themselves.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        Of column a, along the horizontal axis.
    levels : ndarray of shape (n_levels,)
        Of column b.
    level_names : list of n_levels str
        What the levels are.
    predicted : ndarray of shape (n_levels, n_points)
        Expected targets, or probabilities of the second class.
    lower : ndarray of shape (n_levels, n_points) or None
        Lower end of the confidence band; None if the model has no inference.
    upper : ndarray of shape (n_levels, n_points) or None
        Its upper end.
    observed : ndarray of shape (n_samples,)
        Column a of the samples, for the marks below.
    names : tuple of (str, str)
        Of columns a and b.
    response : str
        What is predicted.
    conclusion : str
        What the model's test of the interaction says, for the title; may be empty.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        One for each level.
    bands_ : list of matplotlib PolyCollection
        One for each level, if there are bands.

    See Also
    --------
    InteractionRegressor, InteractionClassifier

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import InteractionDisplay, InteractionRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> model = InteractionRegressor().fit(X[["bmi", "bp"]], y)
    >>> display = InteractionDisplay.from_estimator(model, X[["bmi", "bp"]], "bmi", "bp")
    >>> display.levels.round(1)
    array([ 80.8,  94.6, 108.5])
    >>> display.conclusion
    'The effect of bmi depends on bp (F(1, 438) = 5.85, p = 0.016).'
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if args:
            raise TypeError(
                f"{cls.__name__} is given {shown(args[0])}; expected numbers by their names, as "
                f"{cls.__name__}.from_estimator(model, X, a, b) finds them."
            )
        return super().__new__(cls)

    def __init__(
        self,
        *,
        values: Floats,
        levels: Floats,
        level_names: list[str],
        predicted: Floats,
        lower: Floats | None,
        upper: Floats | None,
        observed: Floats,
        names: tuple[str, str],
        response: str,
        conclusion: str,
    ) -> None:
        self.values = values
        self.levels = levels
        self.level_names = level_names
        self.predicted = predicted
        self.lower = lower
        self.upper = upper
        self.observed = observed
        self.names = names
        self.response = response
        self.conclusion = conclusion

    # What tools show for a call of the class
    __new__.__wrapped__ = __init__  # type: ignore[attr-defined]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        a: str,
        b: str,
        *,
        n_points: int = 100,
        confidence: float = 0.95,
        ax: Any = None,
    ) -> Self:
        """Predict along column a at levels of column b, and plot it.

        The levels are the mean of b and one standard deviation below and above, or its values if
        there are three or fewer. All other columns are at their mean. Samples are not mixed with
        the model: the line is what it says about a typical sample, within the range of a.

        Parameters
        ----------
        estimator : InteractionRegressor or InteractionClassifier
            Fitted.
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            Samples that means, deviations and ranges are taken of.
        a : str
            Column along the horizontal axis: a modality of one column, or a column's name.
        b : str
            Column whose levels are lines.
        n_points : int, default=100
            Points along the axis.
        confidence : float, default=0.95
            Of the bands: of the expected target, not of targets.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        InteractionDisplay

        Raises
        ------
        TypeError
            If it is another estimator.
        ValueError
            If a and b are not two columns.
        ImportError
            If matplotlib is not installed.
        """
        if not isinstance(estimator, BaseInteraction):
            raise TypeError(
                f"estimator is a {type(estimator).__name__}; expected a fitted "
                "InteractionRegressor or InteractionClassifier."
            )
        check_is_fitted(estimator)
        columns = estimator._read(X)
        first, second = _column(estimator, a), _column(estimator, b)
        if first == second:
            raise ValueError(f"a={shown(a)} and b={shown(b)} are the same column; expected two.")
        values = np.linspace(columns[:, first].min(), columns[:, first].max(), n_points)
        levels, level_names = _levels(columns[:, second])
        named = estimator._layout.levels_of(second)
        if named is not None and len(named) == 2:
            level_names = [str(named[int(value)]) for value in levels]
        grid = np.tile(columns.mean(axis=0), (len(levels) * n_points, 1))
        grid[:, first] = np.tile(values, len(levels))
        grid[:, second] = np.repeat(levels, n_points)
        fitted = estimator._fitted_values(grid)
        curves, conclusion = [fitted], ""
        if hasattr(estimator, "inference_"):
            reach = estimator._errors(grid) * estimator.inference_.critical(confidence)
            curves += [fitted - reach, fitted + reach]
            if estimator.form != "additive":
                conclusion = str(estimator.test_interaction(a, b, confidence=confidence))
        response = "expected target"
        if is_classifier(estimator):
            curves = [expit(curve) for curve in curves]
            response = f"probability of {estimator.classes_[1]}"
        predicted, *band = (curve.reshape(len(levels), n_points) for curve in curves)
        lower, upper = band or (None, None)
        display = cls(
            values=values,
            levels=levels,
            level_names=level_names,
            predicted=predicted,
            lower=lower,
            upper=upper,
            observed=columns[:, first],
            names=(a, b),
            response=response,
            conclusion=conclusion,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw lines, confidence bands, and marks for the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        self : InteractionDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_of(ax, type(self).__name__, 4.8)
        from matplotlib import colormaps

        colours = colormaps["viridis"](np.linspace(0.05, 0.8, len(self.levels)))
        styles = ["-", "--", "-."]
        self.lines_, self.bands_ = [], []
        for i, name in enumerate(self.level_names):
            (line,) = ax.plot(
                self.values,
                self.predicted[i],
                color=colours[i],
                linestyle=styles[i % len(styles)],
                label=f"{self.names[1]} = {name}",
            )
            self.lines_.append(line)
            if self.lower is not None and self.upper is not None:
                band = ax.fill_between(
                    self.values, self.lower[i], self.upper[i], color=colours[i], alpha=0.2, lw=0
                )
                self.bands_.append(band)
        ax.plot(
            self.observed,
            np.zeros_like(self.observed),
            "|",
            color="black",
            alpha=0.3,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )
        ax.set(xlabel=self.names[0], ylabel=self.response)
        if self.conclusion:
            ax.set_title(self.conclusion, fontsize="medium", wrap=True)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _column(estimator: BaseInteraction, name: str) -> int:
    found = np.flatnonzero(estimator._columns_of(name))
    if len(found) != 1:
        layout = estimator._layout
        raise ValueError(
            f"modality {name!r} has {len(found)} columns; expected the name of one of them: "
            f"{[layout.columns[j] for j in found[:20]]}."
        )
    return int(found[0])


def _levels(values: Floats) -> tuple[Floats, list[str]]:
    """Return a few values that stand for all, and their names."""
    different = np.unique(values)
    if len(different) <= _FEW:
        return different, [f"{value:.3g}" for value in different]
    mean, deviation = values.mean(), values.std()
    levels = mean + deviation * np.array([-1.0, 0.0, 1.0])
    kinds = ("mean - SD", "mean", "mean + SD")
    return levels, [f"{v:.3g} ({kind})" for v, kind in zip(levels, kinds, strict=True)]
