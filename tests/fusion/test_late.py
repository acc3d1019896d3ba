"""Late fusion: one estimator per modality, combined."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mkfusion import LateFusionClassifier, LateFusionRegressor, Modalities

X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
PARTS = {"acids": [1, 2, 3], "phenols": [5, 6, 7, 8], "colour": [9, 10]}
PAIRS = list(PARTS.items())
TRIPLES = [(name, GaussianNB(), columns) for name, columns in PAIRS]
NUMBERS = X[:, 12] + 0.3 * X[:, 0]


def on(columns, estimator):
    """Return a pipeline of scikit-learn's own that sees some columns only."""
    return make_pipeline(ColumnTransformer([("part", "passthrough", columns)]), estimator)


def as_sklearn(estimator):
    return [(name, on(columns, estimator)) for name, columns in PAIRS]


# ------------------------------------------------------------- definitions that coincide


@pytest.mark.parametrize("weights", [None, [3.0, 1.0, 2.0]])
@pytest.mark.parametrize("combine", ["mean", "vote"])
def test_voting_classifier(combine, weights):
    voting = "soft" if combine == "mean" else "hard"
    expected = VotingClassifier(as_sklearn(GaussianNB()), voting=voting, weights=weights).fit(X, y)
    weighting = "uniform" if weights is None else weights
    found = LateFusionClassifier(TRIPLES, combine=combine, weighting=weighting).fit(X, y)
    assert np.array_equal(found.predict(X), expected.predict(X))
    if combine == "mean":
        np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-12)
    assert not hasattr(LateFusionClassifier(combine="vote"), "predict_proba")


def test_voting_regressor():
    expected = VotingRegressor(as_sklearn(Ridge()), weights=[1, 2, 3]).fit(X, NUMBERS)
    found = LateFusionRegressor(estimator=Ridge(), modalities=PAIRS, weighting=[1, 2, 3])
    np.testing.assert_allclose(found.fit(X, NUMBERS).predict(X), expected.predict(X))


def test_stacking():
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    expected = StackingClassifier(as_sklearn(GaussianNB()), LogisticRegression(), cv=cv).fit(X, y)
    found = LateFusionClassifier(TRIPLES, combine="stack", cv=cv).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    two = y != 2
    expected = StackingClassifier(as_sklearn(GaussianNB()), cv=cv).fit(X[two], y[two])
    found = LateFusionClassifier(TRIPLES, combine="stack", cv=cv).fit(X[two], y[two])
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    expected = StackingRegressor(as_sklearn(Ridge()), Ridge(), cv=5).fit(X, NUMBERS)
    found = LateFusionRegressor(
        estimator=Ridge(), modalities=PAIRS, combine="stack", final_estimator=Ridge()
    ).fit(X, NUMBERS)
    np.testing.assert_allclose(found.predict(X), expected.predict(X))


def test_product_is_the_geometric_mean():
    fusion = LateFusionClassifier(TRIPLES, combine="product").fit(X, y)
    chances = [
        e.predict_proba(X[:, c]) for e, c in zip(fusion.estimators_, PARTS.values(), strict=True)
    ]
    expected = np.prod(np.maximum(chances, np.finfo(float).eps), axis=0) ** (1 / 3)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fusion.predict_proba(X), expected, atol=1e-12)


# ------------------------------------------------------------------------ learned weights


def held_out_chances():
    return np.stack(
        [
            cross_val_predict(GaussianNB(), X[:, c], y, method="predict_proba")
            for c in PARTS.values()
        ],
        axis=1,
    )


def pooled(chances, weights, combine):
    if combine == "mean":
        return np.einsum("ikc,k->ic", chances, weights)
    pooled = np.exp(np.einsum("ikc,k->ic", np.log(np.maximum(chances, 1e-300)), weights))
    return pooled / pooled.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("combine", ["mean", "product"])
def test_learned_weights_minimise_the_log_loss_out_of_fold(combine):
    fusion = LateFusionClassifier(TRIPLES, combine=combine, weighting="learned").fit(X, y)
    chances = held_out_chances()

    def loss(weights):
        return log_loss(y, pooled(chances, weights, combine))

    # A softmax of free numbers stays on the simplex: another way to the same minimum.
    free = minimize(
        lambda t: loss(np.exp(t) / np.exp(t).sum()), np.zeros(3), method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 4000},
    )  # fmt: skip
    assert fusion.weights_.min() >= 0
    assert fusion.weights_.sum() == pytest.approx(1.0)
    assert loss(fusion.weights_) <= free.fun + 1e-6
    assert loss(fusion.weights_) <= loss(np.full(3, 1 / 3)) + 1e-12


def test_learned_weights_of_two_regressors_in_closed_form():
    pairs = PAIRS[:2]
    fusion = LateFusionRegressor(estimator=Ridge(), modalities=pairs, weighting="learned")
    fusion.fit(X, NUMBERS)
    first, second = (cross_val_predict(Ridge(), X[:, c], NUMBERS) for _, c in pairs)
    apart = first - second
    best = np.clip(apart @ (NUMBERS - second) / (apart @ apart), 0, 1)
    np.testing.assert_allclose(fusion.weights_, [best, 1 - best], atol=1e-5)


@pytest.mark.parametrize("weighting", ["learned", "ogr"])
def test_an_expert_that_remembers_noise_gets_no_weight(weighting):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(200, 2))
    labels = signal[:, 0] + 0.3 * rng.normal(size=200) > 0
    views = Modalities(signal=signal, noise=rng.normal(size=(200, 5)))
    experts = [
        ("signal", LogisticRegression(), "signal"),
        ("noise", KNeighborsClassifier(1), "noise"),
    ]
    fusion = LateFusionClassifier(experts, weighting=weighting).fit(views, labels)
    assert fusion.estimators_[1].score(views["noise"], labels) == 1.0
    assert fusion.weights_[1] < 0.05
    assert fusion.modality_scores_["noise"] < 0.6 < fusion.modality_scores_["signal"]
    y = signal[:, 0] + 0.3 * rng.normal(size=200)
    numbers = LateFusionRegressor(
        [("signal", Ridge(), "signal"), ("noise", KNeighborsRegressor(1), "noise")],
        weighting=weighting,
    ).fit(views, y)
    assert numbers.weights_[1] < 0.05


def test_stacking_does_not_trust_who_remembers():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, 300, 3))
    labels = signal[:, 0] + rng.normal(size=300) > 0
    views = Modalities(signal=signal, noise=noise)
    experts = [
        ("signal", LogisticRegression(), "signal"),
        ("noise", DecisionTreeClassifier(random_state=0), "noise"),
    ]
    fusion = LateFusionClassifier(experts, combine="stack").fit(views, labels)
    assert abs(fusion.final_estimator_.coef_[0, 1]) < 0.3 < fusion.final_estimator_.coef_[0, 0]


def test_ogr_by_hand():
    fusion = LateFusionClassifier(TRIPLES, weighting="ogr").fit(X, y)
    held_out = held_out_chances()
    generalisation, overfitting = [], []
    base = log_loss(y, np.tile(np.bincount(y) / len(y), (len(y), 1)))
    for k, columns in enumerate(PARTS.values()):
        training = GaussianNB().fit(X[:, columns], y).predict_proba(X[:, columns])
        gap = np.log(training[np.arange(len(y)), y]) - np.log(held_out[np.arange(len(y)), k, y])
        generalisation.append(base - log_loss(y, held_out[:, k]))
        overfitting.append(max(abs(gap.mean()), gap.std() / np.sqrt(len(y))))
    expected = np.array(generalisation) / np.array(overfitting) ** 2
    np.testing.assert_allclose(fusion.weights_, expected / expected.sum())
    np.testing.assert_allclose(list(fusion.ogr_.values()), np.array(overfitting) / generalisation)


def test_ogr_of_modalities_that_know_nothing():
    fusion = LateFusionRegressor(estimator=DummyRegressor(), modalities=PAIRS, weighting="ogr")
    with pytest.warns(UserWarning, match="No modality predicts better"):
        fusion.fit(X, NUMBERS)
    np.testing.assert_allclose(fusion.weights_, 1 / 3)
    assert set(fusion.ogr_.values()) == {np.inf}


@pytest.mark.parametrize("weighting", ["learned", "ogr", "uniform"])
def test_order_of_modalities_and_copies(weighting):
    forwards = LateFusionClassifier(TRIPLES, weighting=weighting).fit(X, y)
    backwards = LateFusionClassifier(TRIPLES[::-1], weighting=weighting).fit(X, y)
    np.testing.assert_allclose(forwards.weights_, backwards.weights_[::-1], atol=2e-3)
    np.testing.assert_allclose(forwards.predict_proba(X), backwards.predict_proba(X), atol=2e-3)
    again = ("again", GaussianNB(), PARTS["colour"])
    copied = LateFusionClassifier([*TRIPLES, again], weighting=weighting).fit(X, y)
    assert copied.weights_[2] == pytest.approx(copied.weights_[3], abs=1e-3)
    if weighting == "learned":
        np.testing.assert_allclose(copied.weights_[:2], forwards.weights_[:2], atol=2e-3)


# --------------------------------------------------------------------------- calibration


def test_decisions_are_calibrated():
    fusion = LateFusionClassifier([("colour", LinearSVC(), [9, 10])]).fit(X, y)
    expected = CalibratedClassifierCV(LinearSVC(), cv=StratifiedKFold(5)).fit(X[:, [9, 10]], y)
    np.testing.assert_allclose(fusion.predict_proba(X), expected.predict_proba(X[:, [9, 10]]))
    vote = LateFusionClassifier([("colour", LinearSVC(), [9, 10])], combine="vote").fit(X, y)
    assert isinstance(vote.estimators_[0], LinearSVC)
    every = LateFusionClassifier(TRIPLES, calibrate="isotonic").fit(X, y)
    assert all(isinstance(e, CalibratedClassifierCV) for e in every.estimators_)
    learned = LateFusionClassifier(
        estimator=make_pipeline(StandardScaler(), SVC()), modalities=PAIRS, weighting="learned"
    ).fit(X, y)
    assert learned.score(X, y) > 0.9


class Spy(ClassifierMixin, BaseEstimator):
    """Remembers in which rows it was fitted: its last column."""

    seen: list = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Spy.seen.append(set(X[:, -1].astype(int)))
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


def test_groups_stay_together_also_where_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    data = np.column_stack([rng.normal(size=60), groups])
    labels = np.tile([0, 1], 30)
    Spy.seen = []
    fusion = LateFusionClassifier(estimator=Spy(), weighting="learned", cv=GroupKFold(4))
    fusion.fit(data, labels, groups=groups)
    held_out = [set(groups[test]) for _, test in GroupKFold(4).split(data, labels, groups)]
    everything = set(groups)
    # 4 fits for all samples, 3 in the training part of each of 4 splits: whole folds are left out.
    assert len(Spy.seen) == 4 + 4 * 3
    left_out = [everything - seen for seen in Spy.seen]
    assert all(out in held_out for out in left_out[:4])
    pairs = [a | b for i, a in enumerate(held_out) for b in held_out[:i]]
    assert all(out in pairs for out in left_out[4:])


# ------------------------------------------------------------------------------- splits


def test_splits_of_many_kinds():
    repeated = LateFusionClassifier(
        TRIPLES, weighting="learned", cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2)
    ).fit(X, y)
    assert repeated.weights_.sum() == pytest.approx(1.0)
    forward = LateFusionRegressor(
        estimator=Ridge(), modalities=PAIRS, weighting="learned", cv=TimeSeriesSplit(4)
    ).fit(X, NUMBERS)
    given = list(TimeSeriesSplit(4).split(X))
    same = clone(forward).set_params(cv=given).fit(X, NUMBERS)
    np.testing.assert_array_equal(forward.weights_, same.weights_)


def test_a_class_that_a_fold_has_not_seen():
    labels = np.repeat(["a", "b", "c"], 40)
    data = np.random.default_rng(0).normal(size=(120, 2)) + (labels == "b")[:, np.newaxis]
    fusion = LateFusionClassifier(
        estimator=GaussianNB(),
        modalities=[("l", [0]), ("r", [1])],
        weighting="learned",
        cv=KFold(3),
    ).fit(data, labels)
    assert fusion.predict_proba(data).shape == (120, 3)


def test_jobs_do_not_matter():
    one, two = (
        LateFusionClassifier(TRIPLES, combine="stack", n_jobs=jobs).fit(X, y) for jobs in (None, 2)
    )
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


# ------------------------------------------------------------------------ kinds of input


def test_kinds_of_samples_agree():
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(13)])
    by_name = [(name, GaussianNB(), [f"c{j}" for j in c]) for name, c in PAIRS]
    views = Modalities({name: X[:, columns] for name, columns in PAIRS})
    expected = LateFusionClassifier(TRIPLES).fit(X, y).predict_proba(X)
    fusion = LateFusionClassifier(by_name).fit(frame, y)
    assert np.array_equal(fusion.predict_proba(frame[frame.columns[::-1]]), expected)
    fusion = LateFusionClassifier(estimator=GaussianNB()).fit(views, y)
    assert np.array_equal(fusion.predict_proba(views), expected)
    assert fusion.modality_names_ == list(PARTS)
    assert cross_val_score(fusion, views, y).mean() > 0.8


def test_texts():
    notes = [["ripe", "sour"][label % 2] + f" no{i}" for i, label in enumerate(y)]
    views = Modalities(notes=notes, colour=X[:, [9, 10]])
    fusion = LateFusionClassifier(
        [
            ("notes", make_pipeline(TfidfVectorizer(), LogisticRegression()), "notes"),
            ("colour", GaussianNB(), "colour"),
        ],
        weighting="learned",
    ).fit(views, np.array(["x", "y", "z"])[y])
    assert fusion.score(views, np.array(["x", "y", "z"])[y]) > 0.9
    with pytest.raises(ValueError, match="'notes': it has shape.*an estimator, of its own"):
        LateFusionClassifier().fit(views, y)


def test_parameters_by_name():
    fusion = LateFusionClassifier(TRIPLES)
    search = GridSearchCV(
        fusion,
        {
            "acids__var_smoothing": [1e-9, 1.0],
            "colour": [GaussianNB(), LogisticRegression()],
            "weighting": ["uniform", "learned"],
        },
    ).fit(X, y)
    assert search.best_score_ > 0.85
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict_proba(X), search.predict_proba(X))
    shared = LateFusionClassifier(estimator=KNeighborsClassifier(), modalities=PAIRS)
    assert GridSearchCV(shared, {"estimator__n_neighbors": [3, 9]}).fit(X, y).best_score_ > 0.8


def test_weights_of_samples_reach_estimators_and_what_is_learned():
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    fusion = LateFusionClassifier([("acids", pipe, [1, 2, 3])]).fit(X, y, sample_weight=weights)
    expected = clone(pipe).fit(
        X[:, [1, 2, 3]], y,
        standardscaler__sample_weight=weights, logisticregression__sample_weight=weights,
    )  # fmt: skip
    np.testing.assert_array_equal(fusion.predict_proba(X), expected.predict_proba(X[:, [1, 2, 3]]))
    learned = LateFusionClassifier(TRIPLES, weighting="learned")
    even = clone(learned).fit(X, y).weights_
    uneven = clone(learned).fit(X, y, sample_weight=np.where(y == 0, 5.0, 0.2)).weights_
    assert np.abs(even - uneven).max() > 0.01
    with pytest.raises(TypeError, match="'a': sample_weight is given, but KNeighborsClassifier"):
        LateFusionClassifier([("a", KNeighborsClassifier(), [0])]).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimators": []}, "estimators is empty"),
        ({"estimators": [("a", GaussianNB())]}, r"estimators\[0\] is .*expected \(name, estimator"),
        ({"estimators": [("a", "nb", [0])]}, r"estimators\[0\] has 'nb', which has no fit"),
        ({"estimators": TRIPLES, "modalities": PAIRS}, "estimators is given, and estimator or"),
        ({"estimators": [TRIPLES[0]] * 2}, "not unique"),
        ({"estimators": TRIPLES, "weighting": [1, 2]}, "weighting has shape"),
        ({"estimators": TRIPLES, "weighting": [1, 2, -1]}, "weighting is .* non-negative"),
        ({"estimators": TRIPLES, "weighting": [0, 0, 0]}, "one of them positive"),
        ({"estimators": TRIPLES, "weighting": "best"}, "'weighting' parameter"),
        ({"combine": "vote", "weighting": "ogr"}, "has no probabilities"),
        ({"combine": "stack", "weighting": "learned"}, "learns its own"),
        ({"combine": "stack", "weighting": [1.0]}, "learns its own"),
        ({"combine": "max"}, "'combine' parameter"),
        ({"calibrate": "yes"}, "'calibrate' parameter"),
        (
            {"estimator": LinearSVC(), "weighting": "learned", "cv": 2},
            "cv makes 2 splits; expected three or more",
        ),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LateFusionClassifier(**arguments).fit(X, y)


def test_what_is_there_when():
    fusion = LateFusionClassifier(TRIPLES).fit(X, y)
    for name in ("modality_scores_", "ogr_", "final_estimator_"):
        with pytest.raises(AttributeError, match="after fit if"):
            getattr(fusion, name)
    stacked = LateFusionClassifier(TRIPLES, combine="stack").fit(X, y)
    assert not hasattr(stacked, "weights_")
    dummy = LateFusionClassifier([("a", DummyClassifier(), [0])], weighting="learned").fit(X, y)
    assert dummy.modality_scores_ == {"a": pytest.approx(np.bincount(y).max() / len(y))}


def test_nothing_is_kept_of_a_fit_that_fails():
    fusion = LateFusionClassifier(TRIPLES).fit(X, y)
    before = fusion.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        fusion.fit(X[:, :12], np.zeros(len(y)))
    np.testing.assert_array_equal(fusion.predict_proba(X), before)
