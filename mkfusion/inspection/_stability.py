"""Stability of kernel weights: which of them another draw of the samples would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._compat import safe_indexing
from mkfusion._drawing import axes_of
from mkfusion._repeated import Once, heard
from mkfusion._types import Floats, Indices
from mkfusion.data import read_target
from mkfusion.inspection._arguments import (
    check_count,
    check_jobs,
    check_level,
    count_samples,
    group_codes,
)
from mkfusion.inspection._display import as_frame, check_outcome, draw_intervals
from mkfusion.inspection._intervals import bootstrap_rows, percentiles
from mkfusion.inspection._responses import check_is_estimator
from mkfusion.stack import KernelStack

# A weight that is a smaller share of the largest one is none.
_SELECTED = 1e-6
# Draws until one has all classes.
_MAX_DRAWS = 100


@dataclass(frozen=True, eq=False, repr=False)
class WeightStability:
    """Outcome of :func:`weight_stability`.

    Parameters
    ----------
    kernel_names : list of n_kernels str
    weights : ndarray of shape (n_kernels,) or (n_classes, n_kernels)
        With all samples; a row for each class where classes have weights of their own.
    draws : ndarray of shape (n_bootstraps, n_kernels) or (n_bootstraps, n_classes, n_kernels)
        Weights with bootstrapped samples.
    intervals : ndarray of shape (n_kernels, 2) or (n_classes, n_kernels, 2)
        Of the weights.
    selection_frequencies : ndarray of shape (n_kernels,) or (n_classes, n_kernels)
        Share of the draws in which the kernel has any weight.
    confidence_level : float
        Of the intervals.
    classes : ndarray of shape (n_classes,) or None
        What the rows of weights are of; None where one vector is for all.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import MKLClassifier
    >>> from mkfusion.inspection import weight_stability
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> grams = np.stack([np.outer(x, x) for x in X.T], axis=-1)
    >>> y = X[:, 0] > 0
    >>> outcome = weight_stability(MKLClassifier(), grams, y, n_bootstraps=10, random_state=0)
    >>> float(outcome.selection_frequencies[0])
    1.0
    """

    kernel_names: list[str]
    weights: Floats
    draws: Floats
    intervals: Floats
    selection_frequencies: Floats
    confidence_level: float
    classes: NDArray[Any] | None = None

    def __repr__(self) -> str:
        rows = zip(self._rows(), self.weights.flat, self.selection_frequencies.flat, strict=True)
        shown = "; ".join(f"{name}: {weight:.3f} ({share:.0%})" for name, weight, share in rows)
        return f"<WeightStability: {shown}>"

    def _rows(self) -> list[str]:
        if self.classes is None:
            return self.kernel_names
        return [f"{label}, {name}" for label in self.classes for name in self.kernel_names]

    def to_frame(self) -> Any:
        """Return the weights as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_kernels, 4) or (n_classes * n_kernels, 5)
            With columns weight, low, high and selection_frequency, and class before them where
            each has its own.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        n_kernels = len(self.kernel_names)
        of_class = {} if self.classes is None else {"class": np.repeat(self.classes, n_kernels)}
        low, high = self.intervals.reshape(-1, 2).T
        return as_frame(
            {
                **of_class,
                "weight": self.weights.ravel(),
                "low": low,
                "high": high,
                "selection_frequency": self.selection_frequencies.ravel(),
            },
            self.kernel_names * (self.weights.size // n_kernels),
            "kernel",
        )


def weight_stability(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    n_bootstraps: int = 100,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> WeightStability:
    """Fit a model that weights kernels again and again, to bootstrapped samples.

    It tells how far weights can be trusted as weights; they do not tell how important kernels are.
    Where p = 1 chooses between kernels that are alike, which one it takes is chance: the share of
    the draws in which a kernel has any weight says how much.

    Parameters
    ----------
    estimator : estimator
        With `weights_` and `kernel_names_` after fit, such as
        :class:`~mkfusion.MKLClassifier`, or a pipeline with such a step. It is cloned. Classes
        with weights of their own (``per_class_weights=True``) are told of one by one.
    X : Modalities, KernelStack, ndarray, sparse matrix or DataFrame of shape (n_samples, ...)
        Training samples, or their kernels (n_samples, n_samples, n_kernels).
    y : array-like of shape (n_samples,)
        Target.
    n_bootstraps : int, default=100
        Draws of the samples, with replacement; draws that lack a class are drawn again.
    confidence_level : float, default=0.95
        Of the percentile intervals.
    groups : array-like of shape (n_samples,), default=None
        Draw whole groups, such as all samples of one subject.
    n_jobs : int, default=None
        Fits at the same time. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws the samples.

    Returns
    -------
    WeightStability

    Raises
    ------
    TypeError, ValueError
        If the estimator has no weights, or they differ in number between draws.

    See Also
    --------
    WeightStabilityDisplay : Draws the outcome.
    shapley_values : What modalities are worth, which weights do not tell.

    Notes
    -----
    Weights are compared as they are learned, under the same norm. They depend on how kernels are
    scaled: normalised kernels have comparable ones.

    **Weights are not importance.** A weight says how large a part of the function lies in its
    kernel, which the training samples decide. A kernel of little weight is not one that says
    little, if another says the same. Nor is one of much weight one that says much: a kernel whose
    Gram matrix is nearly a multiple of the identity, such as one of many columns of noise,
    separates any training samples, and gets weight for it. A stable weight is no sign of worth
    either. What modalities are worth for new samples is told by :func:`modality_importance` and
    :func:`shapley_values`.

    References
    ----------
    Efron and Tibshirani, "An introduction to the bootstrap" (1993).

    Meinshausen and Bühlmann, "Stability selection", JRSS B 72 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from mkfusion import ColumnKernelizer, MKLClassifier
    >>> from mkfusion.inspection import weight_stability
    >>> X = np.random.default_rng(0).normal(size=(80, 2))
    >>> y = X[:, 0] > 0
    >>> kernels = [("signal", "rbf", [0]), ("noise", "rbf", [1])]
    >>> model = make_pipeline(ColumnKernelizer(kernels), MKLClassifier())
    >>> weight_stability(model, X, y, n_bootstraps=20, random_state=0).weights.round(1)
    array([1., 0.])
    """
    check_count("n_bootstraps", n_bootstraps, 1)
    check_level(confidence_level)
    check_jobs(n_jobs)
    check_is_estimator(estimator)
    pairwise = isinstance(X, KernelStack) or get_tags(estimator).input_tags.pairwise
    if pairwise and isinstance(X, list | tuple):
        X = KernelStack(X)
    n = count_samples("X", X, 2)
    target = read_target(X, y)
    codes = group_codes(groups, X)
    once = Once()
    with once.listening():
        names, weights, classes = _fitted_weights(estimator, X, target, None, pairwise)
    rows = _draws(n, n_bootstraps, codes, target, is_classifier(estimator), random_state)
    drawn = Parallel(n_jobs=n_jobs)(
        delayed(heard)(_fitted_weights, estimator, X, target, some, pairwise) for some in rows
    )
    found = list(once.outcomes(drawn))
    for other, _, _ in found:
        if len(other) != len(names):
            raise ValueError(
                f"A draw of the samples has the kernels {other}; expected {names}, as with all of "
                "them."
            )
    draws = np.stack([one for _, one, _ in found])
    low, high = percentiles(np.moveaxis(draws, 0, -1), confidence_level)
    largest = draws.max(axis=-1, keepdims=True)
    return WeightStability(
        kernel_names=names,
        weights=weights,
        draws=draws,
        intervals=np.stack([low, high], axis=-1),
        selection_frequencies=(draws > _SELECTED * largest).mean(axis=0),
        confidence_level=confidence_level,
        classes=classes,
    )


def _draws(
    n: int, count: int, groups: Indices | None, y: NDArray[Any], classes: bool, random_state: Any
) -> list[Indices]:
    rng = check_random_state(random_state)
    n_classes = len(np.unique(y)) if classes else 1
    draws = []
    for _ in range(count):
        for rows in bootstrap_rows(n, _MAX_DRAWS, groups, rng):
            if not classes or len(np.unique(y[rows])) == n_classes:
                draws.append(rows)
                break
        else:
            raise ValueError(
                f"{_MAX_DRAWS} draws of the samples in a row lacked a class; expected more samples "
                "(or groups) of each."
            )
    return draws


def _fitted_weights(
    estimator: Any, X: Any, y: NDArray[Any], rows: Indices | None, pairwise: bool
) -> tuple[list[str], Floats, NDArray[Any] | None]:
    """Return the kernels' names and weights, and the classes that have their own."""
    if rows is not None:
        X = X[np.ix_(rows, rows)] if pairwise else safe_indexing(X, rows)
        y = y[rows]
    fitted = clone(estimator).fit(X, y)
    fitted = getattr(fitted, "best_estimator_", fitted)
    steps = [step for _, step in fitted.steps] if isinstance(fitted, Pipeline) else [fitted]
    for step in reversed(steps):
        if hasattr(step, "weights_") and hasattr(step, "kernel_names_"):
            weights = np.asarray(step.weights_, dtype=np.float64)
            return list(step.kernel_names_), weights, step.classes_ if weights.ndim == 2 else None
    raise TypeError(
        f"{type(estimator).__name__} has no weights_ and kernel_names_ after fit; expected an "
        "estimator that weights kernels, or a pipeline with such a step."
    )


class WeightStabilityDisplay:
    """Kernel weights, with intervals and how often each kernel is selected.

    Weights tell how the function is made, not what modalities are worth: see
    :func:`weight_stability`.

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
        check_outcome("stability", stability, WeightStability, "weight_stability")
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

        Raises
        ------
        TypeError, ValueError
            As :func:`weight_stability`.
        ImportError
            If matplotlib is not installed.
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

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        found = self.stability
        names = found._rows()
        ax = axes_of(ax, "WeightStabilityDisplay", 1.2 + 0.35 * len(names))
        label = "kernel weight (which is not importance)"
        draw_intervals(ax, names, found.weights.ravel(), found.intervals.reshape(-1, 2), label)
        for k, share in enumerate(found.selection_frequencies.flat):
            ax.annotate(f"{share:.0%}", (1.01, k), xycoords=("axes fraction", "data"), va="center")
        ax.set_title("right: share of draws with any weight", fontsize="medium", loc="right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
