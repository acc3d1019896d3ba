"""Importance of modalities by permutation, by ablation, and by Shapley's shares."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    EarlyFusionClassifier,
    LateFusionClassifier,
    MKLClassifier,
    Modalities,
)
from mkfusion.inspection import (
    ModalityImportanceDisplay,
    UnimodalBiasDisplay,
    emap,
    modality_importance,
    shapley_values,
    unimodal_bias,
)
from mkfusion.inspection._arguments import splits_of
from mkfusion.inspection._importance import _permutation, shapley_shares, without_modalities
from mkfusion.inspection._samples import ModalitySamples

PARTS = [("signal", [0]), ("helper", [1]), ("noise", [2, 3])]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    return X, (X[:, 0] + 0.7 * X[:, 1] + 0.3 * rng.normal(size=150) > 0).astype(int)


@pytest.fixture
def three(table):
    X, y = table
    return Modalities(signal=X[:, :1], helper=X[:, 1:2], noise=X[:, 2:]), y


@pytest.mark.parametrize("method", ["permutation", "ablation"])
def test_what_matters_is_told_from_what_does_not(table, method):
    X, y = table
    model = LogisticRegression().fit(X, y)
    outcome = modality_importance(
        model, X, y, method=method, modalities=PARTS, random_state=0, n_repeats=20
    )
    signal, helper, noise = outcome.importances
    assert signal > helper > 0.05
    assert outcome.intervals[0, 0] > 0.0
    low, high = outcome.intervals[2]
    assert low <= 0.0 <= high
    assert abs(noise) < 0.03


def test_permuted_loss_is_that_of_one_shuffled_modality(table):
    X, y = table
    model = LogisticRegression().fit(X, y)
    outcome = modality_importance(model, X, y, modalities=PARTS, n_repeats=200, random_state=0)
    assert outcome.score == model.score(X, y)
    # The mean over all pairings of the first column with the others
    pairs = np.repeat(X, len(X), axis=0)
    pairs[:, 0] = np.tile(X[:, 0], len(X))
    wanted = outcome.score - accuracy_score(np.repeat(y, len(X)), model.predict(pairs))
    assert outcome.importances[0] == pytest.approx(wanted, abs=0.01)
    np.testing.assert_allclose(outcome.repeats.mean(axis=1), outcome.importances)


def test_intervals_are_those_of_the_mean_over_permutations(table):
    X, y = table
    model = LinearRegression().fit(X, y)
    options = {"modalities": PARTS, "random_state": 0}
    found = modality_importance(model, X, y, n_repeats=25, **options)
    one = modality_importance(model, X, y, n_repeats=1, **options)
    assert np.ptp(found.intervals[0]) < np.ptp(one.intervals[0])
    # 25 permutations leave little but the draw of the samples: their own losses, resampled.
    rng = np.random.RandomState(1)
    shuffled = [X[rng.permutation(150)][:, :1] for _ in range(200)]
    errors = [(y - model.predict(np.hstack([a, X[:, 1:]]))) ** 2 for a in shuffled]
    lost = np.mean(errors, axis=0) - (y - model.predict(X)) ** 2
    rows = rng.randint(150, size=(2000, 150))
    wanted = np.ptp(np.percentile(lost[rows].mean(axis=1) / y[rows].var(axis=1), [2.5, 97.5]))
    assert np.ptp(found.intervals[0]) == pytest.approx(wanted, rel=0.25)


def test_permutations_stay_within_groups():
    groups = np.array([2, 0, 1, 0, 2, 1, 1, 0])
    rng = np.random.RandomState(0)
    orders = [_permutation(rng, 8, groups) for _ in range(50)]
    for order in orders:
        assert sorted(order) == list(range(8))
        np.testing.assert_array_equal(groups[order], groups)
    assert len({tuple(order) for order in orders}) > 20


def test_ablation_is_cross_validation_without_the_modality(table):
    X, y = table
    cv = KFold(4, shuffle=True, random_state=1)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    outcome = modality_importance(model, X, y, method="ablation", modalities=PARTS, cv=cv)
    whole = cross_val_score(model, X, y, cv=cv)
    np.testing.assert_allclose(outcome.score, whole.mean())
    without_noise = cross_val_score(model, X[:, :2], y, cv=cv)
    np.testing.assert_allclose(outcome.repeats[2], whole - without_noise)


def entry_models():
    two = [("s", "rbf", "signal"), ("h", "rbf", "helper"), ("n", ["rbf", "linear"], "noise")]
    mkl = make_pipeline(ColumnKernelizer(two), MKLClassifier())
    logistic = make_pipeline(StandardScaler(), LogisticRegression())
    yield mkl
    yield GridSearchCV(mkl, {"mklclassifier__C": [0.1, 1.0]}, cv=2)
    yield EarlyFusionClassifier()
    yield LateFusionClassifier()
    yield LateFusionClassifier([(n, logistic, n) for n in ("signal", "helper", "noise")])
    yield VotingClassifier([("one", mkl), ("two", EarlyFusionClassifier())])


@pytest.mark.parametrize("model", list(entry_models()), ids=lambda model: type(model).__name__)
def test_entries_are_left_out_wherever_they_are(three, model):
    X, y = three
    reduced, samples = without_modalities(model, ModalitySamples(X, None), {1})
    assert samples.names == ["signal", "noise"]
    assert 0.4 < reduced.fit(samples, y).score(samples, y) <= 1.0
    outcome = modality_importance(model, X, y, method="ablation", cv=2, random_state=0)
    assert outcome.importances[0] == max(outcome.importances)


def test_columns_of_tables_are_left_out_of_selections(table):
    X, y = table
    frame = pd.DataFrame(X, columns=list("shnm"))
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["s", "n"]), ("passthrough", ["h", "m"])),
        LogisticRegression(),
    )
    parts = [("signal", "s"), ("helper", ["h"]), ("noise", ["n", "m"])]
    reduced, samples = without_modalities(model, ModalitySamples(frame, parts), {2})
    assert samples.shape == frame.shape  # positions are what they were
    reduced.fit(samples, y)
    assert reduced[-1].n_features_in_ == 2
    assert model.get_params()["columntransformer"].transformers[0][2] == ["s", "n"]


def test_what_cannot_do_without_is_named(three):
    X, y = three

    class Needy(LogisticRegression):
        def fit(self, X, y):
            return super().fit(np.hstack([X[name] for name in ("signal", "helper", "noise")]), y)

        def predict(self, X):
            return super().predict(np.hstack([X[name] for name in ("signal", "helper", "noise")]))

    with pytest.raises(ValueError, match=r"cannot be fitted to the modalities \['helper', 'noise'"):
        modality_importance(Needy(), X, y, method="ablation", cv=2)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_jobs_do_not_matter(table, n_jobs):
    X, y = table
    model = LogisticRegression().fit(X, y)
    options = {"modalities": PARTS, "random_state": 3}
    for question in (
        lambda jobs: modality_importance(model, X, y, n_jobs=jobs, **options),
        lambda jobs: modality_importance(model, X, y, method="ablation", n_jobs=jobs, **options),
        lambda jobs: shapley_values(model, X, y, n_jobs=jobs, **options),
    ):
        np.testing.assert_array_equal(question(n_jobs).repeats, question(None).repeats)
        np.testing.assert_array_equal(question(n_jobs).intervals, question(None).intervals)


@pytest.mark.parametrize("groups", [None, np.arange(150) // 5])
def test_shapley_values_sum_to_what_all_score_above_none(table, groups):
    X, y = table
    model = LogisticRegression()
    outcome = shapley_values(model, X, y, modalities=PARTS, groups=groups, random_state=0)
    scores = outcome.subset_scores
    names = ("signal", "helper", "noise")
    assert len(scores) == 8
    assert outcome.score == scores[names]
    assert outcome.importances.sum() == pytest.approx(scores[names] - scores[()])
    low, high = outcome.intervals[2]
    assert low <= 0.0 <= high


def test_shapley_values_are_means_over_all_orders():
    rng = np.random.default_rng(0)
    n = 4
    worth = {}
    for code in range(2**n):
        worth[frozenset(m for m in range(n) if code >> m & 1)] = rng.normal(size=3)
    wanted = np.zeros((n, 3))
    for order in permutations(range(n)):
        for k, m in enumerate(order):
            wanted[m] += worth[frozenset(order[: k + 1])] - worth[frozenset(order[:k])]
    np.testing.assert_allclose(shapley_shares(worth, n), wanted / 24.0)


def test_copies_share_alike(table):
    X, _ = table
    y = X[:, 0]
    double = np.column_stack([X[:, 0], X[:, 0], X[:, 2]])
    parts = [("one", [0]), ("other", [1]), ("noise", [2])]
    values = shapley_values(LinearRegression(), double, y, modalities=parts, random_state=0)
    one, other, noise = values.importances
    assert one == pytest.approx(other)
    assert noise == pytest.approx(0.0, abs=0.02)
    lost = modality_importance(
        LinearRegression(), double, y, method="ablation", modalities=parts, random_state=0
    )
    np.testing.assert_allclose(lost.importances, 0.0, atol=1e-9)  # each can stand for the other


def test_too_many_modalities_are_refused():
    X = np.random.default_rng(0).normal(size=(30, 11))
    parts = [(f"m{j}", [j]) for j in range(11)]
    with pytest.raises(ValueError, match="at most 10"):
        shapley_values(LinearRegression(), X, X[:, 0], modalities=parts)


def test_biased_models_are_found_out(table):
    X, y = table
    blind = make_pipeline(make_column_transformer(("passthrough", [0])), LogisticRegression()).fit(
        X, y
    )
    outcome = unimodal_bias(blind, X, y, modalities=PARTS, random_state=0)
    assert outcome.verdicts == ["uses", "ignores", "ignores"]
    assert outcome.ignored == ["helper", "noise"]
    np.testing.assert_array_equal(outcome.changes[1:], 0.0)
    assert "The model ignores helper: its predictions are the same" in str(outcome)
    assert outcome.to_frame()["verdict"].tolist() == outcome.verdicts


def test_little_use_is_ignored_by_the_margin_only(table):
    X, y = table
    model = LinearRegression().fit(X, y)
    options = {"modalities": PARTS, "random_state": 0}
    assert unimodal_bias(model, X, y, margin=0.1, **options).verdicts[2] == "ignores"
    assert unimodal_bias(model, X, y, margin=0.0, **options).verdicts[2] in ("unclear", "uses")


def test_harm_is_told():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    model = LinearRegression().fit(X, X[:, 0] + X[:, 1])
    outcome = unimodal_bias(
        model, X, X[:, 0] - X[:, 1], modalities=[("a", [0]), ("b", [1])], random_state=0
    )
    assert outcome.verdicts == ["uses", "misled"]


def test_scores_may_change_where_no_class_does():
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.random.default_rng(1).uniform(size=200) < 0.5 / (1.0 + np.exp(-2.0 * X[:, 0]))
    model = LogisticRegression().fit(X * [1, 0], y)
    model.intercept_ -= 20.0  # nobody is of the rare class any more
    options = {"modalities": [("a", [0]), ("b", [1])], "random_state": 0}
    outcome = unimodal_bias(model, X, y, scoring="roc_auc", n_bootstraps=50, **options)
    np.testing.assert_array_equal(outcome.changes, 0.0)
    assert outcome.verdicts == ["uses", "ignores"]
    assert "The model uses a: shuffling it changes predictions by 0.0%" in str(outcome)
    assert unimodal_bias(model, X, y, **options).verdicts == ["ignores", "ignores"]


def test_what_is_the_same_within_groups_is_not_called_ignored():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    X = np.column_stack([rng.normal(size=20)[groups], rng.normal(size=(100, 2))])
    y = X[:, 0] + X[:, 1] > 0
    model = LogisticRegression().fit(X * [1, 1, 0], y)
    parts = [("age", [0]), ("pulse", [1]), ("noise", [2])]
    options = {"modalities": parts, "random_state": 0}
    outcome = unimodal_bias(model, X, y, groups=groups, **options)
    assert outcome.verdicts == ["unclear", "uses", "ignores"]
    assert "It is not clear whether the model uses age: shuffling it within groups" in str(outcome)
    assert unimodal_bias(model, X, y, **options).verdicts == ["uses", "uses", "ignores"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"groups": np.arange(150)}, "150 groups of one sample"),
        ({"method": "shap"}, "method is 'shap'"),
        ({"n_repeats": 0}, "n_repeats is 0"),
        ({"n_repeats": np.float64(2.5)}, "n_repeats is 2.5"),
        ({"confidence_level": "x"}, "confidence_level is 'x'; expected a number in"),
        ({"n_jobs": "x"}, "n_jobs is 'x'; expected None, or a whole number"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"groups": np.ones(150)}, "groups is 1.0 for every sample; expected two groups or more"),
        ({"cv": 1, "method": "ablation"}, "cv is 1; expected a whole number, at least 2"),
        ({"y": None}, "y is None"),
        ({"modalities": PARTS[:1]}, "two or more"),
    ],
)
def test_what_cannot_be_is_named(table, change, message):
    X, y = table
    arguments = {"y": y, "modalities": PARTS} | change
    with pytest.raises(ValueError, match=message):
        modality_importance(LogisticRegression().fit(X, y), X, **arguments)


@pytest.mark.parametrize("question", [modality_importance, shapley_values, unimodal_bias, emap])
@pytest.mark.parametrize("n", [0, 1])
def test_there_are_no_intervals_of_one_sample(table, question, n):
    X, y = table
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=f"X has {n} samples?; expected at least 2"):
        question(model, X[:n], y[:n], modalities=PARTS)


@pytest.mark.parametrize("question", [modality_importance, shapley_values, unimodal_bias, emap])
def test_what_is_no_estimator_and_no_samples_is_named(table, question):
    X, y = table
    for thing, name in [(3, "a int"), (None, "a NoneType"), (LinearRegression, "the class Linear")]:
        with pytest.raises(TypeError, match=f"estimator is {name}"):
            question(thing, X, y, modalities=PARTS)
    with pytest.raises(TypeError, match="X is a int; expected samples"):
        question(LogisticRegression().fit(X, y), 3, y, modalities=PARTS)


@pytest.mark.parametrize("margin", ["x", -0.1, np.nan, None])
def test_margins_are_numbers(table, margin):
    X, y = table
    with pytest.raises(ValueError, match=f"margin is {margin!r}; expected a number that is not"):
        unimodal_bias(LogisticRegression().fit(X, y), X, y, modalities=PARTS, margin=margin)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("classes", [False, True])
def test_folds_of_a_number_are_shuffled_and_keep_groups(grouped, classes):
    y = np.arange(60) % 3
    groups = np.repeat(np.arange(12), 5) if grouped else None
    model = LogisticRegression() if classes else LinearRegression()
    folds = splits_of(model, 4, 60, y, groups, 0)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    if grouped:
        assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)
    else:
        kind = StratifiedKFold if classes else KFold
        wanted = kind(4, shuffle=True, random_state=seed).split(np.zeros((60, 1)), y)
        for (train, test), (first, second) in zip(folds, wanted, strict=True):
            np.testing.assert_array_equal(train, first)
            np.testing.assert_array_equal(test, second)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))


@pytest.mark.parametrize("method", ["permutation", "ablation", "shapley"])
def test_display_draws(table, method):
    pytest.importorskip("matplotlib").use("Agg")

    X, y = table
    model = LogisticRegression().fit(X, y)
    display = ModalityImportanceDisplay.from_estimator(model, X, y, method=method, modalities=PARTS)
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == [n for n, _ in PARTS]
    assert "accuracy" in display.ax_.get_xlabel()
    assert display.importance.to_frame().columns.tolist() == ["importance", "low", "high"]
    assert method in str(display.importance)


def test_display_of_bias_shows_losses_within_the_margin(table):
    pytest.importorskip("matplotlib").use("Agg")

    X, y = table
    display = UnimodalBiasDisplay.from_estimator(
        LinearRegression().fit(X, y), X, y, margin=0.03, modalities=PARTS, random_state=0
    )
    found = display.bias
    shown = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert shown == [
        f"{name}: {verdict}" for (name, _), verdict in zip(PARTS, found.verdicts, strict=True)
    ]
    np.testing.assert_array_equal(display.ax_.lines[0].get_xdata(), found.losses)
    band = display.ax_.patches[0].get_extents().transformed(display.ax_.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((-0.03, 0.03))
