"""How good predictions on samples that were not seen are: discrimination, calibration, errors."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.data import one_target
from mkfusion.inspection._arguments import check_level, count_samples
from mkfusion.inspection._display import as_frame
from mkfusion.inspection._estimates import (
    NOTHING,
    Estimate,
    Sampling,
    area_under_roc,
    average_precision,
    linear_recalibration,
    logistic_recalibration,
    thinned,
)

# Points of a curve at most, and samples in a group of a calibration curve at least.
_CURVE_POINTS = 80
_PER_BIN, _MOST_BINS = 12, 10
# Probabilities of 0 and 1 have no logit, and no logarithm.
_LEAST = 1e-6
_EPSILON = float(np.finfo(np.float64).eps)


class Measure(NamedTuple):
    """A measure of performance.

    Attributes
    ----------
    value, low, high : float
        With its confidence interval, which stays within the measure's range; NaN where there is
        none.
    nothing : float
        What knowing nothing has: the shares of the classes, or the mean of the target.
    best : float
        What perfect predictions have.

    Examples
    --------
    >>> from mkfusion.inspection import regression_performance
    >>> r2 = regression_performance([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0]).measures["r2"]
    >>> float(r2.value), float(r2.nothing), float(r2.best)
    (0.8, 0.0, 1.0)
    """

    value: float
    low: float
    high: float
    nothing: float
    best: float


def measures_frame(measures: Mapping[str, Measure]) -> Any:
    """Return measures as a pandas DataFrame, a row for each.

    Parameters
    ----------
    measures : mapping of str to Measure

    Returns
    -------
    pandas.DataFrame of shape (n_measures, 5)

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    rows = list(measures.values())
    columns = {name: [getattr(row, name) for row in rows] for name in Measure._fields}
    return as_frame(columns, list(measures), "measure")


class _Performance:
    """What both kinds have in common."""

    measures: dict[str, Measure]
    n_samples: int
    confidence_level: float

    def to_frame(self) -> Any:
        """Return the measures as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame of shape (n_measures, 5)
            Columns value, low, high, nothing, best.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return measures_frame(self.measures)

    def __repr__(self) -> str:
        said = ", ".join(
            f"{name}={one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
            for name, one in self.measures.items()
        )
        return f"{type(self).__name__}(n_samples={self.n_samples}, {said})"


class ClassificationPerformance(_Performance):
    """How good predicted classes are; :func:`classification_performance` makes it.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    codes, called : ndarray of shape (n_predictions,)
        Places of the true and the predicted labels among them.
    probability : ndarray of shape (n_predictions, n_classes) or None
        Of each class.
    sampling : Sampling
        Which predictions depend on each other.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Of two, the second is the positive one.
    measures : dict of str to Measure
        accuracy, balanced_accuracy; where there are probabilities log_loss and brier; and for two
        classes roc_auc, average_precision, calibration_intercept and calibration_slope.
    by_class : list of n_classes dict of str to Measure
        sensitivity (the share of the class that is found) and precision (the share of what is
        called so that is); where there are probabilities, also roc_auc, average_precision,
        calibration_intercept and calibration_slope of the class against the rest.
    confusion : ndarray of shape (n_classes, n_classes)
        How many samples of each class (rows) are called what (columns); a sample that was predicted
        several times counts once, in parts.
    n_samples : int
    confidence_level : float

    See Also
    --------
    classification_performance : Makes one.

    Examples
    --------
    >>> from mkfusion.inspection import classification_performance
    >>> found = classification_performance(["no", "no", "yes", "yes"], ["no", "yes", "yes", "yes"])
    >>> found.confusion
    array([[1., 1.],
           [0., 2.]])
    >>> print(found.measures["accuracy"].value, found.measures["accuracy"].nothing)
    0.75 0.5
    """

    def __init__(
        self,
        classes: NDArray[Any],
        codes: NDArray[np.intp],
        called: NDArray[np.intp],
        probability: Floats | None,
        sampling: Sampling,
    ) -> None:
        self.classes = classes
        self.n_samples, self.confidence_level = sampling.n_samples, sampling.level
        self._codes, self._called = codes, called
        self._probability, self._sampling = probability, sampling
        k, weights = len(classes), sampling.weights
        flat = np.bincount(codes * k + called, weights, minlength=k * k)
        self.confusion: Floats = flat.astype(np.float64).reshape(k, k)
        self._shares = self.confusion.sum(axis=1) / weights.sum()
        self.by_class = [self._one_class(c) for c in range(k)]
        self.measures = self._overall()

    def _overall(self) -> dict[str, Measure]:
        sampling, shares = self._sampling, self._shares
        right = (self._codes == self._called).astype(np.float64)
        there = np.flatnonzero(shares > 0)
        found = {
            "accuracy": Measure(*sampling.mean(right), float(shares.max()), 1.0),
            "balanced_accuracy": Measure(*self._balanced(right, there), 1 / len(there), 1.0),
        }
        probability = self._probability
        if probability is None:
            return found
        given = np.clip(probability[np.arange(len(right)), self._codes], _EPSILON, 1.0)
        losses = -np.log(given)
        total = sampling.weights.sum()
        mean = float(sampling.weights @ losses / total)
        entropy = float(-shares[there] @ np.log(shares[there]))
        loss = sampling.positive(mean, (losses - mean) / total)
        found["log_loss"] = Measure(*loss, entropy, 0.0)
        # Of two classes as it was defined for events; of several its sum over all classes.
        errors = ((probability - np.eye(len(shares))[self._codes]) ** 2).sum(axis=1) / 2
        scale = 1.0 if len(shares) == 2 else 2.0
        brier = Estimate(*(scale * one for one in sampling.mean(np.clip(errors, 0.0, 1.0))))
        found["brier"] = Measure(*brier, float(scale * (1 - shares @ shares) / 2), 0.0)
        if len(shares) == 2:
            of_events = self.by_class[1]
            found |= {name: of_events[name] for name in of_events if name not in _BY_LABEL}
        return found

    def _balanced(self, right: Floats, there: NDArray[np.intp]) -> Estimate:
        """Return the mean of the sensitivities of the classes that there are."""
        sampling = self._sampling
        influence, values = np.zeros(len(right)), []
        for c in there:
            of_class = self._codes == c
            total = sampling.weights[of_class].sum()
            values.append(float(sampling.weights[of_class] @ right[of_class] / total))
            influence += of_class * (right - values[-1]) / total / len(there)
        n_units = len(there) * min(sampling.n_units(self._codes == c) for c in there)
        n_units = min(n_units, sampling.n_units())
        return sampling.bounded(float(np.mean(values)), influence, n_units, sampling.n_samples)

    def _one_class(self, c: int) -> dict[str, Measure]:
        """Return the measures of one class against the rest."""
        sampling, share = self._sampling, float(self._shares[c])
        positive, called = self._codes == c, self._called == c
        events, taken = positive.astype(np.float64), called.astype(np.float64)
        found = {
            "sensitivity": Measure(*sampling.mean(taken, positive), np.nan, 1.0),
            "precision": Measure(*sampling.mean(events, called), share, 1.0),
        }
        if self._probability is None:
            return found
        scores = self._probability[:, c]
        logits = logit(np.clip(scores, _LEAST, 1 - _LEAST))
        intercept, slope = logistic_recalibration(sampling, positive, logits)
        return found | {
            "roc_auc": Measure(*area_under_roc(sampling, positive, scores), 0.5, 1.0),
            "average_precision": Measure(
                *average_precision(sampling, positive, scores), share, 1.0
            ),
            "calibration_intercept": Measure(*intercept, 0.0, 0.0),
            "calibration_slope": Measure(*slope, np.nan, 1.0),
        }

    def _scores_of(self, label: Any) -> tuple[Mask, Floats]:
        """Return which samples are of a class, and its probabilities."""
        if self._probability is None:
            raise ValueError("There are no probabilities; expected some for a curve.")
        if label is None and len(self.classes) == 2:
            label = self.classes[1]
        where = np.flatnonzero(self.classes == label)
        if label is None or len(where) != 1:
            raise ValueError(
                f"label is {shown(label)}; expected one of {shown(self.classes.tolist())}."
            )
        return self._codes == where[0], self._probability[:, where[0]]

    def _scores_of_both(self, label: Any) -> tuple[Mask, Floats]:
        """Return the same where there are samples of the class, and others."""
        positive, scores = self._scores_of(label)
        if positive.all() or not positive.any():
            raise ValueError("All samples are of one class; expected two or more for a curve.")
        return positive, scores

    def roc_curve(self, label: Any = None) -> Floats:
        """Return the ROC curve of a class against the rest.

        Parameters
        ----------
        label : class label, default=None
            None is the second of two.

        Returns
        -------
        ndarray of shape (n_points, 4)
            At thresholds from high to low: the share of the others that is called so, the share of
            the class that is found, and the latter's interval at that threshold.

        Raises
        ------
        ValueError
            If there is no such class, there are no probabilities, or all samples are of one class.
        """
        positive, scores = self._scores_of_both(label)
        sampling, points = self._sampling, [[0.0, 0.0, 0.0, 0.0]]
        for cut in _cuts(scores):
            called = (scores >= cut).astype(np.float64)
            weights = sampling.weights[~positive]
            wrong = float(weights @ called[~positive] / weights.sum())
            points.append([wrong, *sampling.mean(called, positive)])
        return np.array(points)

    def precision_recall_curve(self, label: Any = None) -> Floats:
        """Return the precision at every share of a class that is found.

        Parameters
        ----------
        label : class label, default=None
            None is the second of two.

        Returns
        -------
        ndarray of shape (n_points, 4)
            At thresholds from high to low: the share of the class that is found, the share of those
            called so that are of the class, and the latter's interval at that threshold.

        Raises
        ------
        ValueError
            As :meth:`roc_curve`.
        """
        positive, scores = self._scores_of_both(label)
        sampling, weights = self._sampling, self._sampling.weights
        points = []
        for cut in _cuts(scores):
            called = scores >= cut
            recall = float(weights[called & positive].sum() / weights[positive].sum())
            points.append([recall, *sampling.mean(positive.astype(np.float64), called)])
        return np.array(points)

    def calibration_curve(self, label: Any = None) -> Floats:
        """Return how often a class occurred where its probability was about so much.

        Parameters
        ----------
        label : class label, default=None
            None is the second of two.

        Returns
        -------
        ndarray of shape (n_bins, 5)
            In up to 10 groups of about as many predictions each, by rising probability: its mean,
            the share that is of the class and its interval, and the number of samples.

        Raises
        ------
        ValueError
            If there is no such class, or there are no probabilities.
        """
        positive, scores = self._scores_of(label)
        events = positive.astype(np.float64)
        return _calibration(self._sampling, events, scores, self._sampling.mean)


# What needs no probabilities.
_BY_LABEL = ("sensitivity", "precision")


class RegressionPerformance(_Performance):
    """How good predicted numbers are; :func:`regression_performance` makes it.

    Parameters
    ----------
    y, predicted : ndarray of shape (n_predictions,)
        True and predicted numbers.
    sampling : Sampling
        Which predictions depend on each other.

    Attributes
    ----------
    measures : dict of str to Measure
        r2, rmse, mae, calibration_intercept (mean of the target less that of the predictions) and
        calibration_slope (of the regression of the target on the predictions: below 1 where these
        are too extreme).
    n_samples : int
    confidence_level : float

    See Also
    --------
    regression_performance : Makes one.

    Examples
    --------
    >>> from mkfusion.inspection import regression_performance
    >>> found = regression_performance([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.0, 3.5])
    >>> print(round(found.measures["r2"].value, 2), round(found.measures["mae"].value, 2))
    0.9 0.25
    """

    def __init__(self, y: Floats, predicted: Floats, sampling: Sampling) -> None:
        self.n_samples, self.confidence_level = sampling.n_samples, sampling.level
        self._y, self._predicted, self._sampling = y, predicted, sampling
        weights, total = sampling.weights, sampling.weights.sum()
        errors = y - predicted
        square, size = (float(weights @ one / total) for one in (errors**2, np.abs(errors)))
        deviations = (y - weights @ y / total) ** 2
        spread = float(weights @ deviations / total)
        root = np.sqrt(square)
        by_square = (errors**2 - square) / total
        rmse = sampling.positive(root, by_square / (2 * root) if root > 0 else by_square)
        absolute = np.abs(y - _median(y, weights))
        r2 = NOTHING
        if spread > 0:
            ratio = square / spread
            by_spread = (deviations - spread) / total
            left = sampling.positive(ratio, by_square / spread - ratio / spread * by_spread)
            r2 = Estimate(1 - ratio, 1 - left.high, 1 - left.low)
        intercept, slope = linear_recalibration(sampling, y, predicted)
        self.measures = {
            "r2": Measure(*r2, 0.0, 1.0),
            "rmse": Measure(*rmse, float(np.sqrt(spread)), 0.0),
            "mae": Measure(
                *sampling.positive(size, (np.abs(errors) - size) / total),
                float(weights @ absolute / total),
                0.0,
            ),
            "calibration_intercept": Measure(*intercept, 0.0, 0.0),
            "calibration_slope": Measure(*slope, np.nan, 1.0),
        }

    def calibration_curve(self) -> Floats:
        """Return the mean of the target where the prediction was about so much.

        Returns
        -------
        ndarray of shape (n_bins, 5)
            In up to 10 groups of about as many predictions each, by rising prediction: its mean,
            the mean of the target and its interval, and the number of samples.
        """
        sampling = self._sampling

        def mean(values: Floats, among: Mask) -> Estimate:
            total = sampling.weights[among].sum()
            value = float(sampling.weights[among] @ values[among] / total)
            return sampling.free(value, among * (values - value) / total, among)

        return _calibration(sampling, self._y, self._predicted, mean)


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _cuts(scores: Floats) -> Floats:
    """Return thresholds from high to low, all different ones or many."""
    different = np.unique(scores)[::-1]
    return different[thinned(different, _CURVE_POINTS)]


def _calibration(sampling: Sampling, values: Floats, scores: Floats, mean: Any) -> Floats:
    n_bins = int(np.clip(sampling.n_samples // _PER_BIN, 2, _MOST_BINS))
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, n_bins + 1)))
    place = np.searchsorted(edges[1:-1], scores, side="left") if len(edges) > 2 else 0 * scores
    rows = []
    for one in np.unique(place):
        among = place == one
        weights = sampling.weights[among]
        centre = float(weights @ scores[among] / weights.sum())
        rows.append([centre, *mean(values, among), len(np.unique(sampling.samples[among]))])
    return np.array(rows)


def classification_performance(
    y: ArrayLike,
    predicted: ArrayLike | None = None,
    probability: ArrayLike | None = None,
    *,
    classes: ArrayLike | None = None,
    samples: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_train: float | None = None,
    confidence_level: float = 0.95,
) -> ClassificationPerformance:
    """Tell how good predicted classes, and their probabilities, are on samples not seen.

    Parameters
    ----------
    y : array-like of shape (n_predictions,)
        True labels.
    predicted : array-like of shape (n_predictions,), default=None
        Predicted labels; None is the most probable ones.
    probability : array-like of shape (n_predictions,) or (n_predictions, n_classes), default=None
        Of the second of two classes, or of each. None is that there are none.
    classes : array-like of shape (n_classes,), default=None
        Labels in the order of the columns of `probability`. None is those of `y` and `predicted`,
        sorted.
    samples : array-like of shape (n_predictions,), default=None
        Which sample each prediction is of, if some are predicted several times, as by repeated
        cross-validation: each sample counts once. None is that all are different ones.
    groups : array-like of shape (n_predictions,), default=None
        Subjects or the like, whose samples depend on each other.
    n_train : float, default=None
        If predictions are of cross-validation: how many samples the models were trained on.
        Intervals then allow for training on others. None is that they are of one model.
    confidence_level : float, default=0.95
        Of intervals.

    Returns
    -------
    ClassificationPerformance
        With `measures`, `by_class`, `confusion`, curves and `to_frame()`.

    Raises
    ------
    ValueError
        If a parameter is not one of those above.

    See Also
    --------
    regression_performance : The same for numbers.
    mkfusion.compare_fusion : Compares methods, and keeps their predictions.

    Notes
    -----
    **Intervals** are of the infinitesimal jackknife over samples, or groups: the variance is the
    sum, over these, of the squares of how the measure changes with their weight. For means, areas
    and Brier scores they are Wilson's at the effective sample size, for errors those of the
    logarithm, so that they stay within the range, and have a width where no error was made.

    **Cross-validation.** Models share training samples, so that intervals from predictions alone
    are too short for the question how a method does on other data of the same size. With `n_train`
    the variance is multiplied by ``1 + n_samples / n_train``, which is the correction of Nadeau and
    Bengio (2003) for as many folds as it takes.

    **Areas** are of all predictions together. If they are of several models, as in
    cross-validation, they compare what different models say; those within each fold may be a little
    larger.

    References
    ----------
    Efron, "Nonparametric estimates of standard error: the jackknife, the bootstrap and other
    methods", Biometrika 68 (1981). Wilson, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22 (1927). Nadeau and
    Bengio, "Inference for the generalization error", Machine Learning 52 (2003).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mkfusion.inspection import classification_performance
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression())
    >>> probability = cross_val_predict(model, X[:, :3], y, cv=5, method="predict_proba")
    >>> found = classification_performance(y, probability=probability, n_train=len(y) * 4 / 5)
    >>> accuracy = found.measures["accuracy"]
    >>> print(f"{accuracy.value:.2f}, where knowing nothing has {accuracy.nothing:.2f}")
    0.89, where knowing nothing has 0.63
    """
    labels = one_target(y)
    n = count_samples("y", labels, 2)
    names = None if predicted is None else _of_length("predicted", one_target(predicted), n)
    if names is None and probability is None:
        raise ValueError("predicted and probability are None; expected one of them at least.")
    if classes is None:
        order = np.unique(labels if names is None else np.concatenate([labels, names]))
    else:
        order = np.asarray(classes)
        if order.ndim != 1 or len(np.unique(order)) != len(order):
            raise ValueError(f"classes is {shown(classes)}; expected different labels.")
    if len(order) < 2:
        raise ValueError(f"classes are {shown(order.tolist())}; expected two or more.")
    given = None if probability is None else _probabilities(probability, n, len(order))
    codes = _codes("y", labels, order)
    if names is not None:
        called = _codes("predicted", names, order)
    else:
        assert given is not None
        called = given.argmax(axis=1)
    sampling = _sampling(n, samples, groups, n_train, confidence_level)
    _check_alike(sampling, codes, "y")
    return ClassificationPerformance(order, codes, called, given, sampling)


def regression_performance(
    y: ArrayLike,
    predicted: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_train: float | None = None,
    confidence_level: float = 0.95,
) -> RegressionPerformance:
    """Tell how good predicted numbers are on samples not seen.

    Parameters
    ----------
    y : array-like of shape (n_predictions,)
        True numbers.
    predicted : array-like of shape (n_predictions,)
        Predicted ones.
    samples : array-like of shape (n_predictions,), default=None
        Which sample each prediction is of, if some are predicted several times. None is that all
        are different ones.
    groups : array-like of shape (n_predictions,), default=None
        Subjects or the like, whose samples depend on each other.
    n_train : float, default=None
        If predictions are of cross-validation: how many samples the models were trained on. None is
        that they are of one model.
    confidence_level : float, default=0.95
        Of intervals.

    Returns
    -------
    RegressionPerformance
        With `measures`, `calibration_curve()` and `to_frame()`.

    Raises
    ------
    ValueError
        If a parameter is not one of those above.

    See Also
    --------
    classification_performance : The same for classes, with notes on intervals.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.model_selection import cross_val_predict
    >>> from mkfusion.inspection import regression_performance
    >>> X, y = load_diabetes(return_X_y=True)
    >>> predicted = cross_val_predict(RidgeCV(), X, y, cv=5)
    >>> found = regression_performance(y, predicted, n_train=len(y) * 4 / 5)
    >>> print(f"R2 {found.measures['r2'].value:.2f}, error {found.measures['rmse'].value:.0f}")
    R2 0.49, error 55
    """
    target = _numbers("y", y)
    n = count_samples("y", target, 2)
    values = _of_length("predicted", _numbers("predicted", predicted), n)
    sampling = _sampling(n, samples, groups, n_train, confidence_level)
    _check_alike(sampling, target, "y")
    return RegressionPerformance(target, values, sampling)


def _numbers(name: str, values: Any) -> Floats:
    try:
        found = one_target(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no column of numbers: {error}") from error
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity; expected finite numbers.")
    return found


def _of_length(name: str, values: NDArray[Any], n: int) -> NDArray[Any]:
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} values and y {n}; expected as many.")
    return values


def _codes(name: str, labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    places: Mapping[Any, int] = {label: c for c, label in enumerate(classes.tolist())}
    unknown = [label for label in dict.fromkeys(labels.tolist()) if label not in places]
    if unknown:
        raise ValueError(
            f"{name} holds {shown(unknown[0])}; expected one of {shown(classes.tolist())}."
        )
    return np.array([places[label] for label in labels.tolist()], dtype=np.intp)


def _probabilities(given: Any, n: int, n_classes: int) -> Floats:
    found = np.asarray(given, dtype=np.float64)
    if found.ndim == 1 and n_classes == 2:
        found = np.column_stack([1 - found, found])
    if found.shape != (n, n_classes):
        raise ValueError(
            f"probability has shape {np.shape(given)}; expected ({n}, {n_classes}), a column for "
            "each class."
        )
    sums = found.sum(axis=1)
    # Single precision, or sums of many
    if not np.isfinite(found).all() or found.min() < -1e-9 or np.abs(sums - 1).max() > 1e-4:
        raise ValueError(
            "probability holds rows that are no probabilities; expected numbers between 0 and 1 "
            "whose sum is 1."
        )
    return np.clip(found, 0.0, 1.0) / np.clip(found, 0.0, 1.0).sum(axis=1, keepdims=True)


def _sampling(n: int, samples: Any, groups: Any, n_train: Any, confidence_level: Any) -> Sampling:
    check_level(confidence_level)
    which = np.arange(n) if samples is None else _of_length("samples", one_target(samples), n)
    labels = None if groups is None else _of_length("groups", one_target(groups), n)
    if n_train is not None and not (isinstance(n_train, Real) and float(n_train) > 0):
        raise ValueError(f"n_train is {shown(n_train)}; expected a positive number, or None.")
    n_samples = len(np.unique(which))
    factor = 1.0 if n_train is None else 1.0 + n_samples / float(n_train)
    sampling = Sampling(which, labels, factor, float(confidence_level))
    if labels is not None:
        _check_alike(sampling, sampling.codes, "groups")
    return sampling


def _check_alike(sampling: Sampling, values: NDArray[Any], name: str) -> None:
    """Refuse values that differ between predictions of the same sample."""
    first = np.zeros(sampling.n_samples, dtype=np.intp)
    first[sampling.samples[::-1]] = np.arange(len(values))[::-1]
    if (values[first[sampling.samples]] != values).any():
        raise ValueError(
            f"{name} differs between predictions of the same sample; expected samples to have one "
            "value each."
        )
