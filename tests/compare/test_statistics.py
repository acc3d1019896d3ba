"""Tests, intervals and corrections agree with independent ways of reckoning them."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import get_scorer, get_scorer_names, log_loss, mean_squared_error
from sklearn.tree import DecisionTreeClassifier

from mkfusion import Modalities
from mkfusion.compare import compare_fusion
from mkfusion.compare._evaluate import means
from mkfusion.compare._statistics import (
    corrected_t_test,
    fold_loss,
    knowing_nothing,
    mean_interval,
    samples_needed,
    state,
)
from mkfusion.inspection import difference_bounds, holm, score_bounds
from mkfusion.report import HeldOut, PairedTest


def plain_corrected_t(differences, n_train, n_test):
    """Nadeau and Bengio (2003), section 4, word for word, one-sided."""
    k = len(differences)
    mean = sum(differences) / k
    variance = sum((d - mean) ** 2 for d in differences) / (k - 1)
    error = ((1 / k + n_test / n_train) * variance) ** 0.5
    return mean / error, 1 - stats.t.cdf(mean / error, k - 1), error


@pytest.mark.parametrize("seed", range(5))
def test_corrected_t_test_is_the_papers(seed):
    d = np.random.default_rng(seed).normal(0.3, 1.0, size=25)
    found = corrected_t_test(d, 1 / 4)
    t, p, error = plain_corrected_t(d.tolist(), 80, 20)
    assert found.statistic == pytest.approx(t)
    assert found.p_value == pytest.approx(p)
    assert found.standard_error == pytest.approx(error)
    assert found.difference == pytest.approx(d.mean())
    # With 25 folds 2.57 standard errors are found four times in five.
    assert found.detectable / error == pytest.approx(1.7109 + 0.8569, abs=1e-3)


def test_corrected_t_test_without_correction_is_scipys():
    d = np.random.default_rng(0).normal(size=12)
    found = corrected_t_test(d, 0.0, alpha=0.1)
    wanted = stats.ttest_1samp(d, 0.0, alternative="greater")
    assert found.p_value == pytest.approx(wanted.pvalue)
    two_sided = stats.ttest_1samp(d, 0.0)
    for ends, level in (
        ((found.low, found.high), 0.8),
        ((found.low_wide, found.high_wide), 0.9),
    ):
        interval = two_sided.confidence_interval(level)
        assert ends == pytest.approx((interval.low, interval.high))


def test_interval_ends_where_the_test_changes_its_mind():
    d = np.random.default_rng(1).normal(size=8)
    found = corrected_t_test(d, 0.2)
    assert corrected_t_test(d - found.low, 0.2).p_value == pytest.approx(0.05)
    assert corrected_t_test(found.high - d, 0.2).p_value == pytest.approx(0.05)
    assert mean_interval(d, 0.2) == pytest.approx(
        (found.difference, found.low_wide, found.high_wide)
    )


def test_the_detectable_effect_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 60))
    errors = np.array([corrected_t_test(row, 0.0).standard_error for row in noise])
    # By the mean of the standard errors: whoever plans has another draw than whoever tests.
    effect = (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * errors.mean()
    assert corrected_t_test(noise[0], 0.0).detectable == pytest.approx(
        effect * errors[0] / errors.mean(), rel=0.02
    )
    found = np.mean([corrected_t_test(row + effect, 0.0).p_value < 0.05 for row in noise])
    assert found == pytest.approx(0.8, abs=0.025)


def test_samples_that_the_effect_seen_needs():
    d = np.random.default_rng(0).normal(0.2, 1.0, size=25)
    found = corrected_t_test(d, 0.25)
    needed = samples_needed(100, found)
    # Standard errors shrink with the root of the samples: then it is detectable.
    assert found.detectable * np.sqrt(100 / needed) == pytest.approx(found.difference, rel=0.01)
    assert samples_needed(100, corrected_t_test(-np.abs(d), 0.25)) == np.inf


SCORES = [1.0, 1.0, 0.4, 1.0, 0.9]


def test_intervals_of_bounded_scores_stay_in_their_range():
    half = mean_interval(SCORES, 0.25)[2] - np.mean(SCORES)
    assert np.mean(SCORES) + half > 1.0
    mean, low, high = mean_interval(SCORES, 0.25, bounds=score_bounds("accuracy"))
    assert (mean, low, high) == pytest.approx((0.86, 0.86 - half, 1.0))
    losses = [0.0, -1.0, 0.0]
    assert mean_interval(losses, 0.5, bounds=score_bounds("neg_mean_absolute_error"))[2] == 0.0
    found = corrected_t_test([1.0, -0.4, 1.0], 0.5, bounds=difference_bounds("roc_auc"))
    plain = corrected_t_test([1.0, -0.4, 1.0], 0.5)
    assert (found.low, found.high, found.low_wide, found.high_wide) == (-1.0, 1.0, -1.0, 1.0)
    assert plain.low < -1.0 < 1.0 < plain.high
    assert (found.p_value, found.statistic) == (plain.p_value, plain.statistic)
    alike = corrected_t_test([0.1] * 3, 0.5, bounds=difference_bounds("accuracy"))
    assert (alike.low, alike.high) == (-1.0, 1.0)


def test_scores_beyond_a_range_have_another_one():
    """A user's own score may have the name of one of scikit-learn's."""
    scores = [1.0, 3.0, 2.0]
    assert mean_interval(scores, 0.5, bounds=score_bounds("accuracy")) == mean_interval(scores, 0.5)


@pytest.mark.parametrize("name", get_scorer_names())
def test_bounds_hold_for_the_scores_of_scikit_learn(name):
    """Of good, bad and constant predictions."""
    y = np.tile([0, 1], 10)
    X = np.random.default_rng(0).uniform(0.1, 0.9, size=(20, 3))
    X[:, 0], X[:, 1] = 0.8 * y + 0.1, 0.9 - 0.8 * y
    low, high = score_bounds(name)
    assert low < high
    for column in range(3):
        model = DecisionTreeClassifier(max_depth=1).fit(X[:, [0]], y)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score = get_scorer(name)(model, X[:, [column]], y)
        except (ValueError, TypeError):  # of several labels
            continue
        assert np.isnan(score) or low <= score <= high


def test_same_difference_on_all_folds():
    assert corrected_t_test([0.0] * 5, 0.25).p_value == 1.0
    found = corrected_t_test([0.5] * 5, 0.25)
    assert (found.low, found.high, found.p_value) == (0.5, 0.5, 0.0)
    assert corrected_t_test([-0.5] * 5, 0.25).p_value == 1.0
    assert np.isnan(found.detectable)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_same_difference_on_few_folds_is_chance(k):
    found = corrected_t_test([0.1] * k, 1 / k)
    assert found.p_value == pytest.approx(stats.binomtest(k, k, alternative="greater").pvalue)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_rounding_makes_no_differences():
    found = corrected_t_test([0.85 - 0.8, 0.9 - 0.85, 0.7 - 0.65], 0.5)
    assert found.p_value == 0.125
    assert corrected_t_test([1e-17, 0.0, 0.0], 0.5).p_value > 0.25


def test_what_is_not_a_number_proves_nothing():
    found = corrected_t_test([0.1, np.nan, 0.3], 0.5)
    assert np.isnan(found).all()


def test_error_rate_is_kept_by_scores_that_count():
    rng = np.random.default_rng(0)
    apart = rng.binomial(20, 0.2, size=(4000, 2))  # samples on which two equal classifiers differ
    d = (2 * rng.binomial(apart, 0.5) - apart) / 20
    assert np.mean([corrected_t_test(row, 1.0).p_value < 0.05 for row in d]) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels(seed):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(seed).uniform(size=7) ** 3
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_error_rate_is_kept_where_there_is_nothing():
    # Differences of a null method: correlated over folds as the correction supposes.
    rng = np.random.default_rng(0)
    k, rho = 25, 0.2
    common = np.sqrt(rho) * rng.normal(size=(2000, 1))
    d = common + np.sqrt(1 - rho) * rng.normal(size=(2000, k))
    wrong = np.mean([corrected_t_test(row, 1 / 4).p_value < 0.05 for row in d])
    naive = np.mean([stats.ttest_1samp(row, 0, alternative="greater").pvalue < 0.05 for row in d])
    assert 0.03 < wrong < 0.07 < naive


# ---------------------------------------------------------------------------- losses


@pytest.mark.parametrize("n_classes", [2, 3])
def test_loss_of_classes_is_scikit_learns_log_loss(n_classes):
    rng = np.random.default_rng(0)
    y = np.array(["x", "y", "z"])[np.arange(60) % n_classes]
    rows = rng.permutation(60)[:20]
    chances = rng.dirichlet(np.full(n_classes, 2.0), size=20)
    told = HeldOut(rows, y[rows], chances)
    wanted = log_loss(y[rows], chances, labels=np.unique(y))
    assert fold_loss(told, y, np.arange(10_000), True) == pytest.approx(wanted)


def test_nothing_is_impossible_that_few_samples_have_not_shown():
    y = np.array([0, 1] * 10)
    sure = HeldOut(np.array([1]), np.array([0]), np.array([[1.0, 0.0]]))
    assert fold_loss(sure, y, np.arange(18), True) == pytest.approx(np.log(20))
    assert np.isnan(fold_loss(sure._replace(probabilities=None), y, np.arange(18), True))


def test_loss_of_numbers_is_the_squared_error_in_variances():
    y = np.random.default_rng(0).normal(3.0, 5.0, size=40)
    rows = np.arange(10)
    told = HeldOut(rows, np.zeros(10), None)
    wanted = mean_squared_error(y[:10], np.zeros(10)) / np.var(y)
    assert fold_loss(told, y, np.arange(10, 40), False) == pytest.approx(wanted)


def test_knowing_nothing_is_the_mean_or_the_shares_of_classes():
    train, test = np.arange(3, 10), np.arange(3)
    numbers = np.arange(10.0)
    assert set(knowing_nothing(numbers, train, test, False).predictions) == {6.0}
    labels = np.array(["a"] * 3 + ["b"] * 5 + ["c"] * 2)
    told = knowing_nothing(labels, train, test, True)
    np.testing.assert_allclose(told.probabilities, np.tile([0, 5 / 7, 2 / 7], (3, 1)))
    assert list(told.predictions) == ["b"] * 3


# ---------------------------------------------------------------------------- verdicts


def paired(low, high, p):
    middle = (low + high) / 2
    return PairedTest(middle, low, high, low - 0.1, high + 0.1, 0.1, 0.0, p, 0.2)


BETTER, UNSURE, WORSE = paired(0.1, 0.3, 0.01), paired(-0.1, 0.3, 0.2), paired(-0.3, -0.1, 0.99)
SMALL = paired(-0.01, 0.02, 0.3)


@pytest.mark.parametrize(
    ("information", "single", "nothing", "metric", "sesoi", "wanted"),
    [
        (0.01, BETTER, BETTER, BETTER, None, "helps"),
        (0.01, UNSURE, BETTER, BETTER, None, "complementary"),
        (0.01, BETTER, UNSURE, BETTER, None, "complementary"),  # no better than knowing nothing
        (0.20, BETTER, BETTER, BETTER, None, "undecided"),  # not claimed without information
        (0.05, BETTER, BETTER, BETTER, None, "undecided"),  # at alpha is not below it
        (0.20, UNSURE, UNSURE, UNSURE, None, "undecided"),
        (None, BETTER, BETTER, BETTER, None, "helps"),  # the one claim that there is
        (None, UNSURE, BETTER, BETTER, None, "undecided"),
        (0.01, WORSE, BETTER, UNSURE, None, "lower"),
        (0.20, WORSE, WORSE, WORSE, 0.05, "lower"),
        (0.20, UNSURE, UNSURE, SMALL, 0.05, "practically none"),
        (0.01, BETTER, BETTER, SMALL, 0.05, "practically none"),
        (0.01, BETTER, BETTER, SMALL, 0.01, "helps"),
        (0.20, UNSURE, UNSURE, UNSURE, 0.05, "undecided"),
        (0.01, paired(*[np.nan] * 3), BETTER, BETTER, None, "complementary"),
    ],
)
def test_states(information, single, nothing, metric, sesoi, wanted):
    assert state(information, single, nothing, metric, 0.05, sesoi) == wanted


def test_fixed_sequence_keeps_the_level_of_wrong_claims():
    """Whichever of the two claims is wrong, "helps" is said in 5 % of draws at most."""
    rng = np.random.default_rng(0)
    n = 2000
    null = rng.uniform(size=n)
    for information, effect in ((null, 9.0), (np.zeros(n), 0.0), (null, 0.0)):
        d = rng.normal(size=(n, 25)) + effect
        tests = [corrected_t_test(row, 0.0) for row in d]
        said = [state(p, t, t, t, 0.05) for p, t in zip(information, tests, strict=True)]
        assert np.mean([one == "helps" for one in said]) < 0.06


@pytest.mark.parametrize("seed", range(20))
def test_no_state_contradicts_its_interval(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 26))
    d = np.round(rng.normal(rng.choice([-0.5, 0.0, 0.5]), 1.0, size=k), int(rng.integers(0, 3)))
    alpha = float(rng.choice([0.01, 0.05, 0.2]))
    test = corrected_t_test(d, 0.25, alpha)
    said = state(0.0, test, test, test, alpha)
    if said == "helps":
        assert test.low > 0
    elif said == "lower":
        assert test.high < 0
    else:
        assert said == "complementary" and test.low <= 0 <= test.high


@pytest.mark.filterwarnings("ignore:.* is listed as not applicable")
@pytest.mark.parametrize("where", ["on the test samples", "within the training samples"])
def test_what_has_no_score_has_no_verdict(where):
    X = Modalities(dict(zip("ab", np.random.default_rng(0).normal(size=(2, 40, 2)), strict=True)))

    def undefined(model, X, y):
        return np.nan if (len(y) == 20) is (where == "on the test samples") else 0.5

    with pytest.raises(ValueError, match=f"score is nan {where}|score is not a number {where}"):
        compare_fusion(
            X, np.arange(40) % 2, scoring={"score": undefined}, cv=2, methods=["uniform"], fast=True
        )


def test_folds_without_a_score_do_not_stop_the_tuning():
    scores = np.array([[0.5, np.nan, 0.7], [0.9, np.nan, np.nan]])
    np.testing.assert_allclose(means(scores), [0.6, np.nan])
    assert np.isnan(means(scores[:, 1:2])).all()
