"""Tests, intervals and corrections agree with independent ways of reckoning them."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.tree import DecisionTreeClassifier

from mkfusion import Modalities
from mkfusion.compare import compare_fusion
from mkfusion.compare._evaluate import _means
from mkfusion.compare._statistics import (
    corrected_t_test,
    holm,
    mean_interval,
    signed_rank_test,
    verdict,
)
from mkfusion.inspection import difference_bounds, score_bounds


def plain_corrected_t(differences, n_train, n_test):
    """Nadeau and Bengio (2003), section 4, word for word."""
    k = len(differences)
    mean = sum(differences) / k
    variance = sum((d - mean) ** 2 for d in differences) / (k - 1)
    t = mean / ((1 / k + n_test / n_train) * variance) ** 0.5
    return t, 2 * (1 - stats.t.cdf(abs(t), k - 1))


@pytest.mark.parametrize("seed", range(5))
def test_corrected_t_test_is_the_papers(seed):
    d = np.random.default_rng(seed).normal(0.3, 1.0, size=10)
    found = corrected_t_test(d, 1 / 9)
    t, p = plain_corrected_t(d.tolist(), 90, 10)
    assert found.statistic == pytest.approx(t)
    assert found.p_value == pytest.approx(p)
    assert found.difference == pytest.approx(d.mean())
    assert found.standardised == pytest.approx(d.mean() / d.std(ddof=1))


def test_corrected_t_test_without_correction_is_scipys():
    d = np.random.default_rng(0).normal(size=12)
    found, wanted = corrected_t_test(d, 0.0, confidence=0.9), stats.ttest_1samp(d, 0.0)
    interval = wanted.confidence_interval(0.9)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_interval_ends_where_the_test_changes_its_mind():
    d = np.random.default_rng(1).normal(size=8)
    found = corrected_t_test(d, 0.2)
    for end in (found.low, found.high):
        assert corrected_t_test(d - end, 0.2).p_value == pytest.approx(0.05)
    assert mean_interval(d, 0.2) == pytest.approx((found.difference, found.low, found.high))


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
    assert (found.low, found.high) == (-1.0, 1.0) and plain.low < -1.0 < 1.0 < plain.high
    assert (found.p_value, found.statistic) == (plain.p_value, plain.statistic)


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
    assert np.isnan(found.standardised)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_same_difference_on_few_folds_is_chance(k):
    found = corrected_t_test([0.1] * k, 1 / k)
    assert found.p_value == pytest.approx(stats.binomtest(k, k).pvalue)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_rounding_makes_no_differences():
    found = corrected_t_test([0.85 - 0.8, 0.9 - 0.85, 0.7 - 0.65], 0.5)
    assert found.p_value == 0.25
    assert corrected_t_test([1e-17, 0.0, 0.0], 0.5).p_value > 0.5


def test_error_rate_is_kept_by_scores_that_count():
    rng = np.random.default_rng(0)
    apart = rng.binomial(20, 0.2, size=(4000, 2))  # samples on which two equal classifiers differ
    d = (2 * rng.binomial(apart, 0.5) - apart) / 20
    assert np.mean([corrected_t_test(row, 1.0).p_value < 0.05 for row in d]) < 0.05


def test_wilcoxon_is_scipys_and_its_interval_agrees_with_it():
    d = np.random.default_rng(2).normal(0.4, 1.0, size=9)
    found = signed_rank_test(d)
    assert found.p_value == stats.wilcoxon(d, method="exact").pvalue
    walsh = [(a + b) / 2 for i, a in enumerate(d) for b in d[i:]]
    assert found.difference == pytest.approx(np.median(walsh))
    inside, outside = 1e-9, -1e-9
    for end, inward in ((found.low, 1), (found.high, -1)):
        assert stats.wilcoxon(d - end - inward * inside, method="exact").pvalue > 0.05
        assert stats.wilcoxon(d - end - inward * outside, method="exact").pvalue <= 0.05


def test_wilcoxon_on_few_folds_has_no_interval():
    found = signed_rank_test([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.p_value == pytest.approx(0.0625)
    assert found.standardised == 1.0
    assert signed_rank_test([0.0] * 6).p_value == 1.0


def test_wilcoxon_with_zeros_and_ties_is_exact():
    d = np.array([0.0, 0.0, 1.0, 1.0, -1.0, 2.0, 2.0, 3.0])
    ranks = stats.rankdata(np.abs(d[d != 0]))
    sums = [np.dot(ranks, signs) for signs in product([0, 1], repeat=6)]
    smaller = ranks[2]  # of the one negative difference
    wanted = 2 * np.mean(np.array(sums) <= smaller)
    found = signed_rank_test(d)
    assert (found.statistic, found.p_value) == (smaller, pytest.approx(wanted))
    assert found.standardised == pytest.approx((ranks.sum() - 2 * smaller) / ranks.sum())


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
    k, rho = 10, 0.1
    common = np.sqrt(rho) * rng.normal(size=(2000, 1))
    d = common + np.sqrt(1 - rho) * rng.normal(size=(2000, k))
    wrong = np.mean([corrected_t_test(row, 1 / 9).p_value < 0.05 for row in d])
    naive = np.mean([stats.ttest_1samp(row, 0).pvalue < 0.05 for row in d])
    assert 0.03 < wrong < 0.07 < naive


def test_verdicts():
    assert verdict(0.1, 0.01, 0.05) == "fusion helps"
    assert verdict(-0.1, 0.01, 0.05) == "hurts"
    assert verdict(0.1, 0.05, 0.05) == verdict(0.0, 0.0, 0.05) == "no evidence that it does"
    assert verdict(np.nan, np.nan, 0.05) == "no evidence that it does"


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
    np.testing.assert_allclose(_means(scores), [0.6, np.nan])
    assert np.isnan(_means(scores[:, 1:2])).all()
