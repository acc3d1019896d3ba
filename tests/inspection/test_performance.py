"""Measures and their intervals: those of scikit-learn, statsmodels and numerical derivatives."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import binomtest, norm, t as student
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from mkfusion.inspection import classification_performance, regression_performance


def classes(n=60, repeats=3, seed=0, ties=False):
    """Two classes, predicted several times; each sample again much as before."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    latent = 1.6 * y + rng.normal(size=n) + 0.5 * rng.normal(size=(repeats, n))
    p = 1 / (1 + np.exp(-(1.3 * latent - 0.8)))
    rows = np.tile(np.arange(n), repeats)
    p = p.ravel().round(1).clip(0.05, 0.95) if ties else p.ravel()
    return y[rows], p, rows


def jackknife_variance(metric, weights, units):
    """The infinitesimal jackknife, with numerical derivatives by the weight of each unit."""
    step, found = 1e-4, []
    for unit in np.unique(units):
        up, down = (weights * (1 + sign * step * (units == unit)) for sign in (1, -1))
        found.append((metric(up) - metric(down)) / (2 * step))
    n = len(found)
    return n / (n - 1) * np.sum(np.square(found))


MEASURES = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "brier": metrics.brier_score_loss,
    "log_loss": metrics.log_loss,
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("name", MEASURES)
def test_values_and_variances_are_those_of_scikit_learns_metrics(name, grouped, ties):
    y, p, rows = classes(ties=ties)
    groups = rows // 4 if grouped else None
    found = classification_performance(
        y, p >= 0.5, p, samples=rows, groups=groups, classes=[0, 1], n_train=40
    ).measures[name]

    def metric(weights):
        told = p >= 0.5 if "accuracy" in name else p
        return MEASURES[name](y, told, sample_weight=weights)

    weights, units = np.full(len(y), 1 / 3), rows // 4 if grouped else rows
    assert found.value == pytest.approx(metric(weights))
    variance = jackknife_variance(metric, weights, units)
    factor = 1 + 60 / 40
    z = student.ppf(0.975, 14) if grouped else norm.ppf(0.975)
    if name == "log_loss":
        half = z * np.sqrt(factor * variance) / found.value
        wanted = found.value * np.exp([-half, half])
    else:
        size = found.value * (1 - found.value) / variance
        size = (size if name == "brier" else min(size, 60)) / factor
        # statsmodels knows the normal quantile only
        tail = 2 * norm.sf(z)
        wanted = proportion_confint(found.value * size, size, tail, method="wilson")
    np.testing.assert_allclose([found.low, found.high], wanted, rtol=1e-5)


def test_with_one_prediction_a_sample_accuracy_has_wilsons_interval():
    y, p, _ = classes(repeats=1)
    right = int(((p >= 0.5) == y).sum())
    found = classification_performance(y, p >= 0.5, classes=[0, 1]).measures["accuracy"]
    wanted = proportion_confint(right, 60, method="wilson")
    # samples are drawn, n - 1 of them free
    assert found.value == right / 60
    assert found.nothing == pytest.approx(max(y.mean(), 1 - y.mean()))
    np.testing.assert_allclose([found.low, found.high], wanted, rtol=0.01)


def test_area_has_the_variance_of_delong():
    y, p, _ = classes(n=100, repeats=1)
    events, others = p[y == 1], p[y == 0]
    above = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    area = above.mean()
    m, n = above.shape
    # its components, with the divisors that the jackknife has for both
    s10, s01 = above.mean(axis=1).var(), above.mean(axis=0).var()
    variance = (s10 / m + s01 / n) * (m + n) / (m + n - 1)
    size = min(area * (1 - area) / variance, 100)
    found = classification_performance(y, probability=p).measures["roc_auc"]
    wanted = proportion_confint(area * size, size, method="wilson")
    np.testing.assert_allclose(found[:3], [area, *wanted])


@pytest.mark.parametrize("grouped", [False, True])
def test_recalibration_is_that_of_statsmodels(grouped):
    y, p, rows = classes()
    units = rows // 4 if grouped else rows
    found = classification_performance(
        y, probability=p, samples=rows, groups=units if grouped else None
    ).measures
    logits, ones = np.log(p / (1 - p)), np.ones(len(y))
    z = student.ppf(0.975, 14) if grouped else norm.ppf(0.975)
    n_units = len(np.unique(units))
    robust = {"cov_type": "cluster", "cov_kwds": {"groups": units, "use_correction": False}}
    family = sm.families.Binomial()
    large = sm.GLM(y, ones, family=family, offset=logits).fit(**robust, tol=1e-12)
    both = sm.GLM(y, np.column_stack([ones, logits]), family=family).fit(**robust, tol=1e-12)
    for name, value, error in [
        ("calibration_intercept", large.params[0], large.bse[0]),
        ("calibration_slope", both.params[1], both.bse[1]),
    ]:
        half = z * error * np.sqrt(n_units / (n_units - 1))
        np.testing.assert_allclose(found[name][:3], [value, value - half, value + half], rtol=1e-5)


def test_predictions_that_are_calibrated_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 2, size=20_000)
    y = (rng.random(len(p)) < p).astype(int)
    extreme = p**2 / (p**2 + (1 - p) ** 2)  # twice the logit
    found = classification_performance(y, probability=p).measures
    worse = classification_performance(y, probability=extreme).measures
    assert found["calibration_slope"].low < 1 < found["calibration_slope"].high
    assert found["calibration_intercept"].low < 0 < found["calibration_intercept"].high
    half = np.divide(found["calibration_slope"][:3], 2)
    np.testing.assert_allclose(worse["calibration_slope"][:3], half, rtol=1e-3)
    curve = classification_performance(y, probability=p).calibration_curve()
    assert (np.abs(curve[:, 0] - curve[:, 1]) < 0.04).all() and curve[:, 4].sum() == len(y)
    assert ((curve[:, 2] < curve[:, 0]) & (curve[:, 0] < curve[:, 3])).sum() >= 8


@pytest.mark.parametrize("grouped", [False, True])
def test_numbers_are_those_of_scikit_learn_and_statsmodels(grouped):
    rng = np.random.default_rng(1)
    rows = np.tile(np.arange(50), 2)
    y = rng.normal(3, 2, size=50)[rows]
    predicted = 1 + 0.6 * y + rng.normal(size=100)
    units = rows // 5 if grouped else rows
    groups = units if grouped else None
    found = regression_performance(y, predicted, samples=rows, groups=groups).measures
    n_units = len(np.unique(units))
    z = student.ppf(0.975, n_units - 1) if grouped else norm.ppf(0.975)
    weights = np.full(100, 0.5)
    for name, metric in [
        ("r2", metrics.r2_score),
        ("rmse", lambda *a, **k: np.sqrt(metrics.mean_squared_error(*a, **k))),
        ("mae", metrics.mean_absolute_error),
    ]:
        value = metric(y, predicted)
        variance = jackknife_variance(
            lambda w, metric=metric: metric(y, predicted, sample_weight=w), weights, units
        )
        size = 1 - value if name == "r2" else value
        ends = size * np.exp(np.array([-1, 1]) * z * np.sqrt(variance) / size)
        wanted = 1 - ends[::-1] if name == "r2" else ends
        np.testing.assert_allclose(found[name][:3], [value, *wanted], rtol=1e-5)
    fit = sm.OLS(y, sm.add_constant(predicted)).fit(
        cov_type="cluster", cov_kwds={"groups": units, "use_correction": False}
    )
    half = z * fit.bse[1] * np.sqrt(n_units / (n_units - 1))
    slope = fit.params[1]
    np.testing.assert_allclose(found["calibration_slope"][:3], [slope, slope - half, slope + half])
    mean = sm.OLS(y - predicted, np.ones(100)).fit(
        cov_type="cluster", cov_kwds={"groups": units, "use_correction": False}
    )
    half = z * mean.bse[0] * np.sqrt(n_units / (n_units - 1))
    wanted = [mean.params[0], mean.params[0] - half, mean.params[0] + half]
    np.testing.assert_allclose(found["calibration_intercept"][:3], wanted)
    assert found["rmse"].nothing == pytest.approx(y.std())
    assert found["mae"].nothing == pytest.approx(np.abs(y - np.median(y)).mean(), rel=0.02)


def test_repeating_every_prediction_changes_nothing():
    y, p, _ = classes(repeats=1)
    once = classification_performance(y, probability=p)
    again = classification_performance(
        np.tile(y, 4), probability=np.tile(p, 4), samples=np.tile(np.arange(60), 4)
    )
    np.testing.assert_allclose(once.to_frame(), again.to_frame(), rtol=1e-6)
    np.testing.assert_allclose(once.confusion, again.confusion)
    np.testing.assert_allclose(once.roc_curve(), again.roc_curve(), atol=1e-12)
    single = regression_performance(y, p).to_frame()
    double = regression_performance(np.tile(y, 2), np.tile(p, 2), samples=np.tile(np.arange(60), 2))
    np.testing.assert_allclose(single, double.to_frame(), rtol=1e-9)


def test_curves_pass_through_those_of_scikit_learn():
    y, p, _ = classes(repeats=1)
    found = classification_performance(y, probability=p)
    false, true, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose(found.roc_curve()[:, :2], np.column_stack([false, true]))
    precision, recall, _ = metrics.precision_recall_curve(y, p)
    ours = found.precision_recall_curve()
    np.testing.assert_allclose(ours[::-1, 0], recall[:-1])
    np.testing.assert_allclose(ours[::-1, 1], precision[:-1])
    for curve in (found.roc_curve()[1:], ours):
        assert (curve[:, 2] <= curve[:, 1]).all() and (curve[:, 1] <= curve[:, 3]).all()
        assert curve[:, 1:].min() >= 0 and curve[:, 1:].max() <= 1


def test_several_classes_are_taken_one_against_the_rest():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "c"])[rng.integers(0, 3, size=90)]
    chances = rng.dirichlet(np.ones(3), size=90)
    chances[np.arange(90), np.searchsorted(["a", "b", "c"], y)] += 0.4
    chances /= chances.sum(axis=1, keepdims=True)
    found = classification_performance(y, probability=chances)
    predicted = found.classes[chances.argmax(axis=1)]
    np.testing.assert_array_equal(found.confusion, metrics.confusion_matrix(y, predicted))
    sensitivity = metrics.recall_score(y, predicted, average=None)
    precision = metrics.precision_score(y, predicted, average=None)
    for c, label in enumerate("abc"):
        alone = classification_performance(y == label, predicted == label, chances[:, c]).by_class[
            1
        ]
        for name, measure in found.by_class[c].items():
            np.testing.assert_allclose(measure, alone[name])
        assert found.by_class[c]["sensitivity"].value == pytest.approx(sensitivity[c])
        assert found.by_class[c]["precision"].value == pytest.approx(precision[c])
        area = metrics.roc_auc_score(y == label, chances[:, c])
        assert found.by_class[c]["roc_auc"].value == pytest.approx(area)
    one_hot = np.array(y)[:, None] == found.classes
    squares = ((chances - one_hot) ** 2).sum(axis=1)
    assert found.measures["brier"].value == pytest.approx(squares.mean())
    shares = one_hot.mean(axis=0)
    assert found.measures["brier"].nothing == pytest.approx(((one_hot - shares) ** 2).sum(1).mean())
    assert found.measures["log_loss"].nothing == pytest.approx(metrics.log_loss(y, [shares] * 90))
    assert "roc_auc" not in found.measures


@pytest.mark.parametrize("n", [6, 20, 200])
@pytest.mark.parametrize("kind", ["perfect", "useless", "wrong", "constant"])
def test_intervals_stay_in_range_and_have_a_width(kind, n):
    y = np.arange(n) % 2
    p = {"perfect": y * 1.0, "wrong": 1.0 - y, "constant": np.full(n, 0.5)}.get(kind)
    if p is None:
        p = np.random.default_rng(0).random(n)
    found = classification_performance(y, probability=p, n_train=n)
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "average_precision", "brier"):
        value, low, high, nothing, best = found.measures[name]
        assert 0 <= low <= value <= high <= 1, name
        assert high - low > 1e-3 or name == "brier"
        assert np.isfinite(nothing) and best in (0, 1)
    if kind == "perfect":
        assert found.measures["accuracy"].low < 1 - 1 / n
    if kind != "useless":
        assert np.isnan(found.measures["calibration_slope"].value)
    exact = regression_performance(y, y * 1.0).measures
    assert exact["r2"].value == 1 and exact["rmse"].value == 0
    flat = regression_performance(y, np.full(n, 0.5)).measures
    assert flat["r2"].value == pytest.approx(0) and flat["r2"].high <= 1
    assert np.isnan(flat["calibration_slope"].value)


def test_labels_alone_have_accuracy_and_a_table():
    found = classification_performance(["x", "y", "y", "x"], ["x", "y", "x", "x"])
    assert list(found.measures) == ["accuracy", "balanced_accuracy"]
    np.testing.assert_array_equal(found.confusion, [[2, 0], [1, 1]])
    with pytest.raises(ValueError, match="no probabilities"):
        found.roc_curve()


def test_a_class_that_is_not_there_has_no_measures():
    found = classification_performance([0, 1, 0, 1], [0, 1, 1, 2], classes=[0, 1, 2])
    assert np.isnan(found.by_class[2]["sensitivity"].value)
    assert found.by_class[2]["precision"].value == 0
    assert found.measures["balanced_accuracy"].value == 0.5
    assert found.measures["balanced_accuracy"].nothing == 0.5


def test_groups_widen_the_interval_where_their_samples_are_alike():
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(12), 10)
    y = np.tile([0, 1], 60)
    right = (rng.random(12) < 0.7)[subject]
    told = np.where(right, y, 1 - y)
    alone, grouped = (
        classification_performance(y, told, groups=groups).measures["accuracy"]
        for groups in (None, subject)
    )
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_intervals_hold_what_training_on_other_samples_gives():
    """Linear discriminants of ten features of which two count, by five folds of 50 samples."""
    rng = np.random.default_rng(0)
    shift = np.array([1.0, 0.6] + [0.0] * 8)

    def draw(n):
        y = np.arange(n) % 2
        return rng.normal(size=(n, 10)) + np.outer(y, shift), y

    def predict(X, y, new):
        means = [X[y == c].mean(axis=0) for c in (0, 1)]
        within = np.cov((X - np.where(y[:, None], means[1], means[0])).T) + 0.1 * np.eye(10)
        direction = np.linalg.solve(within, means[1] - means[0])
        return 1 / (1 + np.exp(-(new - (means[0] + means[1]) / 2) @ direction))

    X_new, y_new = draw(4000)
    trained = [predict(*draw(40), X_new) for _ in range(200)]
    truth = {
        "accuracy": np.mean([((p >= 0.5) == y_new).mean() for p in trained]),
        "brier": np.mean([((p - y_new) ** 2).mean() for p in trained]),
    }
    held = {name: np.zeros(2) for name in truth}
    for _ in range(200):
        X, y = draw(50)
        p = np.empty(50)
        for fold in range(5):
            test = np.arange(50) % 10 // 2 == fold
            p[test] = predict(X[~test], y[~test], X[test])
        for k, n_train in enumerate((40, None)):
            found = classification_performance(y, probability=p, n_train=n_train).measures
            for name in truth:
                held[name][k] += found[name].low <= truth[name] <= found[name].high
    for name, (allowing, fixed) in held.items():
        assert binomtest(int(allowing), 200, 0.95, alternative="less").pvalue > 0.01, name
        assert allowing > fixed, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicted": None}, "predicted and probability are None"),
        ({"predicted": [0, 1, 1]}, "predicted has 3 values and y 4"),
        ({"predicted": [0, 1, 1, 2], "classes": [0, 1]}, "predicted holds 2"),
        ({"y": [0, 0, 0, 0], "predicted": [0] * 4}, "classes are"),
        ({"classes": [0, 0]}, "different labels"),
        ({"probability": [0.1, 0.2]}, r"shape \(2,\); expected \(4, 2\)"),
        ({"probability": [0.1, 0.2, 1.3, 0]}, "no probabilities"),
        ({"probability": [0.1, 0.2, np.nan, 0]}, "no probabilities"),
        ({"samples": [0, 0, 1, 1]}, "y differs between predictions of the same sample"),
        ({"samples": [0, 1, 2, 2], "y": [0, 1, 1, 1], "groups": [0, 0, 1, 2]}, "groups differs"),
        ({"n_train": 0}, "n_train is 0"),
        ({"confidence_level": 95}, "confidence_level is 95"),
    ],
)
def test_refusals(change, message):
    given = {"y": [0, 1, 0, 1], "predicted": [0, 1, 1, 0], "probability": None} | change
    with pytest.raises(ValueError, match=message):
        classification_performance(**given)


def test_numbers_are_refused_where_they_are_none():
    with pytest.raises(ValueError, match="y is no column of numbers"):
        regression_performance(["a", "b"], [1, 2])
    with pytest.raises(ValueError, match="predicted holds NaN"):
        regression_performance([1, 2], [1, np.nan])


def test_frames():
    y, p, rows = classes()
    found = classification_performance(y, probability=p, samples=rows)
    frame = found.to_frame()
    assert isinstance(frame, pd.DataFrame) and list(frame.columns)[:3] == ["value", "low", "high"]
    assert frame.loc["accuracy", "value"] == found.measures["accuracy"].value
    assert "accuracy=" in repr(found) and "n_samples=60" in repr(found)
