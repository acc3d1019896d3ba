"""Samples that lack a modality, or cells of it, in every kind of fusion."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from test_common import estimators, takes_tables

from mkfusion import (
    CCAFusion,
    ColumnKernelizer,
    EarlyFusionClassifier,
    EarlyFusionRegressor,
    GatedFusionClassifier,
    GatedFusionRegressor,
    InteractionClassifier,
    InteractionRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
    Modalities,
    ModalityShiftClassifier,
    ModalityShiftRegressor,
)

N = 120
RNG = np.random.default_rng(0)
A, B, C = (RNG.normal(size=(N, width)) for width in (3, 2, 2))
B[:, 0] += A[:, 0]
NUMBERS = A[:, 0] + B[:, 1] + 0.5 * C[:, 0] + 0.3 * RNG.normal(size=N)
LABELS = np.array(["ill", "so-so", "well"])[np.digitize(NUMBERS, [-1.0, 1.0])]
LACKS_A, LACKS_B = np.arange(5, N, 12), np.arange(0, N, 6)


def gappy(**more):
    """Samples of which some lack "a", others "b", and none "c"."""
    a, b = A.copy(), B.copy()
    a[LACKS_A], b[LACKS_B] = np.nan, np.nan
    return Modalities(a=a, b=b, c=C, **more)


def where(X):
    return dict(zip(X.names, X.present().T, strict=True))


CLASSIFIERS = [
    EarlyFusionClassifier,
    LateFusionClassifier,
    GatedFusionClassifier,
    ModalityShiftClassifier,
]
REGRESSORS = [
    EarlyFusionRegressor,
    LateFusionRegressor,
    GatedFusionRegressor,
    ModalityShiftRegressor,
]


def said(model, X):
    """What a model says, as numbers."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


# ------------------------------------------------------------------ never NaN, whoever it is


@pytest.mark.parametrize("when", ["fit", "predict"])
@pytest.mark.parametrize("gap", ["cell", "row"])
@pytest.mark.parametrize(
    "estimator", [e for e in estimators() if takes_tables(e)], ids=lambda e: type(e).__name__
)
def test_gaps_are_handled_or_refused(estimator, gap, when):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(60, 2)))
    y = X[:, 0] + 0.1 * rng.normal(size=60)
    if is_classifier(estimator):
        y = y > np.median(y)
    if estimator.__sklearn_tags__().input_tags.pairwise:
        X = X @ X.T
    gappy = X.copy()
    gappy[[3, 30, 44], 0 if gap == "cell" else slice(None)] = np.nan
    model = clone(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(*(gappy if when == "fit" else X, y))
            found = (
                said(model, X if when == "fit" else gappy)
                if hasattr(model, "transform") or hasattr(model, "predict")
                else model(gappy)
            )
        except (ValueError, TypeError) as error:
            assert re.search("NaN|missing|gap|finite|nan|samples have none of", str(error)), error
            return
        if hasattr(found, "gram"):
            found = np.stack([found.gram(k) for k in range(found.shape[2])])
        for one in found if isinstance(found, tuple) else [found]:
            assert np.isfinite(np.asarray(one, dtype=np.float64)).all()


@pytest.mark.parametrize("missing", ["error", "marginalise", "impute"])
@pytest.mark.parametrize("fusion", CLASSIFIERS + REGRESSORS)
def test_missing_cells(fusion, missing):
    y = LABELS if is_classifier(fusion()) else NUMBERS
    b = B.copy()
    b[[0, 50, 70], 0] = np.nan
    X = Modalities(a=A, b=b)
    takes = HistGradientBoostingClassifier(max_iter=5) if y is LABELS else None
    for estimator in (None, takes):
        model = fusion(estimator=estimator, missing=missing)
        try:
            model.fit(X, y)
        except ValueError as error:
            assert "'b'" in str(error)
            continue
        assert np.isfinite(said(model, X)).all()
    model = fusion(missing=missing).fit(Modalities(a=A, b=B), y)
    try:
        assert np.isfinite(said(model, X)).all()
    except ValueError as error:
        assert "'b'" in str(error)


@pytest.mark.parametrize("fusion", [GatedFusionClassifier, ModalityShiftClassifier])
def test_gaps_of_gates_and_offsets_are_named(fusion):
    model = fusion(estimator=HistGradientBoostingClassifier(max_iter=5))
    b = B.copy()
    b[[3, 7], 1] = np.nan
    said = "modality 'b': its features are NaN or infinite in 2 of 120 samples: 3, 7"
    with pytest.raises(ValueError, match=said):
        model.fit(Modalities(a=A, b=b), LABELS)
    with pytest.raises(ValueError, match=said):
        model.fit(Modalities(a=A, b=B), LABELS).predict(Modalities(a=A, b=b))


@pytest.mark.parametrize(
    ("cell", "said"),
    [("high", "modality 'b': column 'sap' holds 'high': "), (np.inf, "column 'sap' is infinite: ")],
)
@pytest.mark.parametrize("fusion", CLASSIFIERS + REGRESSORS)
def test_columns_with_wrong_cells_are_named(fusion, cell, said):
    y = LABELS if is_classifier(fusion()) else NUMBERS
    good = pd.DataFrame(B, columns=["pH", "sap"])
    bad = good.astype({"sap": object})
    bad.loc[3, "sap"] = cell
    if cell == np.inf:
        bad = bad.astype(float)
    model = fusion()
    with pytest.raises(ValueError, match=said):
        model.fit(Modalities(a=A, b=bad), y)
    model.fit(Modalities(a=A, b=good), y)
    with pytest.raises(ValueError, match=said):
        model.predict(Modalities(a=A, b=bad))
    entries = [("one", "rbf", ["pH", "sap"])]
    with pytest.raises(ValueError, match="^one:rbf: " + said.removeprefix("modality 'b': ")):
        ColumnKernelizer(entries).fit(bad)
    kernelizer = ColumnKernelizer(entries).fit(good)
    with pytest.raises(ValueError, match="^one:rbf: " + said.removeprefix("modality 'b': ")):
        kernelizer.transform(bad)


class SaysNaN(GaussianNB):
    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)

    def predict_joint_log_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)


@pytest.mark.parametrize("fusion", CLASSIFIERS)
def test_an_expert_that_says_nan(fusion):
    with pytest.raises(ValueError, match="SaysNaN answers NaN for"):
        fusion(estimator=SaysNaN()).fit(Modalities(a=A), LABELS).predict_proba(Modalities(a=A))


# ----------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("fusion", [*CLASSIFIERS, *REGRESSORS, InteractionClassifier, CCAFusion])
def test_error_names_who_lacks_what(fusion):
    y = NUMBERS if is_regressor(fusion()) else LABELS
    y = LABELS == "well" if fusion is InteractionClassifier else y
    said = re.escape(
        "modality 'b': it is missing (None, or NaN throughout) in 20 of 120 samples: 0, 6"
    )
    X = Modalities(c=C, b=gappy()["b"])
    with pytest.raises(ValueError, match=said):
        fusion().fit(X, y)
    model = fusion().fit(Modalities(c=C, b=B), y)
    with pytest.raises(ValueError, match=said):
        (model.transform if fusion is CCAFusion else model.predict)(X)


@pytest.mark.parametrize("fusion", [*CLASSIFIERS, *REGRESSORS, InteractionRegressor, CCAFusion])
@pytest.mark.parametrize("missing", ["marginalise", "impute"])
def test_a_sample_without_anything(fusion, missing):
    y = LABELS if is_classifier(fusion()) else NUMBERS
    more = {"form": "additive"} if fusion is InteractionRegressor else {}
    model = fusion(missing=missing, **more).fit(Modalities(a=A, b=B), y)
    a, b = A.copy(), B.copy()
    a[4], b[4] = np.nan, np.nan
    nothing = Modalities(a=a, b=b)
    with pytest.raises(ValueError, match=r"1 of 120 samples have none of \['a', 'b'\]: 4"):
        (model.transform if fusion is CCAFusion else model.predict)(nothing)
    with pytest.raises(ValueError, match="none of"):
        fusion(missing=missing, **more).fit(nothing, y)
    with pytest.raises(ValueError, match="which fit did not see"):
        said(model, Modalities(a=A, bb=B))


def test_impute_is_for_numbers():
    X = Modalities(a=A, notes=["calm", "loud"] * (N // 2))
    model = LateFusionClassifier(
        [("a", GaussianNB(), "a"), ("notes", make_pipeline(TfidfVectorizer(), SVC()), "notes")],
        missing="impute",
    )
    with pytest.raises(ValueError, match="modality 'notes': missing='impute' predicts columns of"):
        model.fit(X, LABELS)


def test_combinations_that_make_no_sense():
    with pytest.raises(ValueError, match="whose final estimator takes what all modalities say"):
        LateFusionClassifier(combine="stack", missing="marginalise").fit(gappy(), LABELS)
    with pytest.raises(ValueError, match="a product with a modality that is missing has no value"):
        InteractionRegressor(missing="marginalise").fit(gappy(), NUMBERS)


# ---------------------------------------------------------------------------------------- late


@pytest.mark.parametrize("combine", ["mean", "product", "vote"])
def test_late_renormalises(combine):
    X = gappy()
    weights = np.array([0.5, 0.3, 0.2])
    model = LateFusionClassifier(
        estimator=GaussianNB(), combine=combine, weighting=weights, missing="marginalise"
    ).fit(X, LABELS)
    classes = np.unique(LABELS)
    total = np.zeros((N, 3))
    mass = np.zeros((N, 1))
    for (name, rows), weight in zip(where(X).items(), weights, strict=True):
        # Fitted to the samples that have it, as by hand
        alone = GaussianNB().fit(X[name][rows], LABELS[rows])
        chances = alone.predict_proba(X[name][rows])
        if combine == "product":
            chances = np.log(np.maximum(chances, np.finfo(float).eps))
        elif combine == "vote":
            chances = alone.predict(X[name][rows])[:, None] == classes
        total[rows] += weight * chances
        mass[rows] += weight
    total /= mass
    if combine == "vote":
        assert np.array_equal(model.predict(X), classes[np.round(total, 12).argmax(axis=1)])
        return
    if combine == "product":
        total = np.exp(total) / np.exp(total).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), total, rtol=1e-12)


def test_late_regression():
    X = gappy()
    model = LateFusionRegressor(estimator=Ridge(), missing="marginalise").fit(X, NUMBERS)
    total, count = np.zeros((2, N))
    for name, rows in where(X).items():
        total[rows] += Ridge().fit(X[name][rows], NUMBERS[rows]).predict(X[name][rows])
        count[rows] += 1
    np.testing.assert_allclose(model.predict(X), total / count)


def test_late_without_a_modality_of_weight():
    model = LateFusionClassifier(
        estimator=GaussianNB(), weighting=[1.0, 0.0], missing="marginalise"
    ).fit(Modalities(a=A, b=B), LABELS)
    alone = GaussianNB().fit(B, LABELS).predict_proba(B)
    np.testing.assert_allclose(model.predict_proba(Modalities(b=B)), alone)


@pytest.mark.parametrize("weighting", ["learned", "ogr"])
def test_weights_are_learned_from_complete_samples(weighting):
    X = gappy()
    model = LateFusionClassifier(
        estimator=GaussianNB(), weighting=weighting, missing="marginalise"
    ).fit(X, LABELS)
    assert model.weights_.sum() == pytest.approx(1.0)
    assert np.isfinite(model.predict_proba(X)).all()
    never = Modalities(
        a=[[np.nan] * 3] * 60 + A[60:].tolist(), b=B[:60].tolist() + [[np.nan] * 2] * 60
    )
    arrays = Modalities(a=np.array(never["a"]), b=np.array(never["b"]))
    with pytest.raises(ValueError, match="none of the samples that cv holds out has all"):
        model.fit(arrays, LABELS)


def test_late_calibrates_and_takes_lists():
    X = gappy(notes=[None if i % 5 == 0 else "calm" if i % 2 else "loud" for i in range(N)])
    text = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model = LateFusionClassifier(
        [("a", SVC(), "a"), ("c", SVC(), "c"), ("notes", text, "notes")],
        missing="marginalise",
        cv=3,
    ).fit(X, LABELS)
    assert isinstance(model.estimators_[0], CalibratedClassifierCV)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_tables_and_frames():
    X = gappy()
    table = np.hstack([X["a"], X["b"], X["c"]])
    frame = pd.DataFrame(table, columns=list("pqrstuv"))
    by_place = [("a", [0, 1, 2]), ("b", [3, 4]), ("c", [5, 6])]
    by_name = [("a", ["p", "q", "r"]), ("b", ["s", "t"]), ("c", ["u", "v"])]
    for missing in ("marginalise", "impute"):
        expected = LateFusionClassifier(missing=missing).fit(X, LABELS).predict_proba(X)
        for samples, modalities in ((table, by_place), (frame, by_name)):
            model = LateFusionClassifier(modalities=modalities, missing=missing)
            found = model.fit(samples, LABELS).predict_proba(samples)
            np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("fusion", CLASSIFIERS + REGRESSORS)
@pytest.mark.parametrize("missing", ["marginalise", "impute"])
def test_complete_samples_are_as_ever(fusion, missing):
    y = LABELS if is_classifier(fusion()) else NUMBERS
    X = Modalities(a=A, b=B)
    ever = fusion().fit(X, y)
    np.testing.assert_allclose(said(fusion(missing=missing).fit(X, y), X), said(ever, X))


# ----------------------------------------------------------------------------- gated, shift, early


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_gate_with_one_expert_left(kind):
    classes = kind == "classes"
    fusion = GatedFusionClassifier if classes else GatedFusionRegressor
    expert, y = (GaussianNB(), LABELS) if classes else (Ridge(), NUMBERS)
    X = gappy()
    model = fusion(estimator=expert, missing="marginalise").fit(X, y)
    rows = where(X)["b"]
    alone = clone(expert).fit(X["b"][rows], y[rows])
    only = Modalities(b=B)
    np.testing.assert_allclose(said(model, only), said(alone, B))
    assert model.gate(only).tolist() == [[0.0, 1.0, 0.0]] * N
    opened = model.gate(X)
    np.testing.assert_allclose(opened.sum(axis=1), 1.0)
    assert np.array_equal(opened > 0, X.present())
    assert np.all(np.diff(model.objectives_) >= -1e-12)


def test_gate_on_what_is_missing():
    X = gappy()
    model = GatedFusionClassifier(
        modalities=[("a", "a"), ("c", "c")], gate_on=["a", ("b", "b")], missing="marginalise"
    ).fit(X, LABELS)
    without = Modalities(a=A, c=C)
    mean = Modalities(a=A, b=np.tile(np.nanmean(X["b"], axis=0), (N, 1)), c=C)
    np.testing.assert_allclose(model.gate(without), model.gate(mean), atol=1e-12)


@pytest.mark.parametrize("fusion", [ModalityShiftClassifier, ModalityShiftRegressor])
def test_shift_without_the_other(fusion):
    y = LABELS if fusion is ModalityShiftClassifier else NUMBERS
    X = gappy()
    model = fusion("c", missing="marginalise").fit(X, y)
    only = Modalities(c=C)
    np.testing.assert_allclose(said(model, only), said(model.estimator_, C), rtol=1e-9)
    assert not model.gate(only).any()
    lacking = "modality 'a' is missing .* in 10 of 120 samples: 5, 17, .* it is primary"
    with pytest.raises(ValueError, match=lacking):
        fusion("a", missing="marginalise").fit(X, y)
    with pytest.raises(ValueError, match=lacking):
        fusion("a", missing="marginalise").fit(Modalities(a=A, b=B, c=C), y).predict(X)
    assert np.isfinite(said(fusion("a", missing="impute").fit(X, y), X)).all()


def test_early_takes_the_mean():
    X = gappy()
    model = EarlyFusionClassifier(missing="marginalise").fit(X, LABELS)
    filled = {
        name: np.where(np.isnan(X[name]), np.nanmean(X[name], axis=0), X[name]) for name in "abc"
    }
    scaled = []
    for name, rows in where(X).items():
        scaler = StandardScaler().fit(X[name][rows])
        scaled.append(scaler.transform(filled[name]) / np.sqrt(X[name].shape[1]))
    expected = LogisticRegression().fit(np.hstack(scaled), LABELS)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(np.hstack(scaled)), rtol=1e-8
    )


def test_early_fills_texts():
    X = Modalities(
        a=A, notes=[None if i % 5 == 0 else "calm" if i % 2 else "loud" for i in range(N)]
    )
    model = EarlyFusionClassifier(
        modalities=[("a", "a"), ("notes", TfidfVectorizer(), "notes")], missing="marginalise"
    ).fit(X, LABELS)
    assert not model.features(X)[::5, 3:].any()


# ------------------------------------------------------------------------- imputation, relations


def test_imputation_is_ridge_regression():
    """With a noiseless linear relation, what is predicted is what is true."""
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(200, 2))
    first, second = hidden @ rng.normal(size=(2, 3)), hidden @ rng.normal(size=(2, 4))
    y = second[:, 0]
    gone = second.copy()
    gone[:40] = np.nan
    whole = EarlyFusionRegressor(LinearRegression()).fit(Modalities(a=first, b=second), y)
    model = EarlyFusionRegressor(LinearRegression(), missing="impute")
    model.fit(Modalities(a=first, b=gone), y)
    error = model.predict(Modalities(a=first)) - whole.predict(Modalities(a=first, b=second))
    assert np.abs(error).max() < 0.05 * y.std()


def test_cca_of_what_is_there():
    X = gappy()
    rows = X.present().all(axis=1)
    whole = CCAFusion(1, modalities=[(n, n) for n in "abc"]).fit(X[rows])
    model = CCAFusion(1, missing="marginalise").fit(X)
    np.testing.assert_allclose(model.transform(X[rows]), whole.transform(X[rows]))
    # Of one modality, the shared feature is its own score.
    shared = model.transform(Modalities(b=B))[:, 0]
    score = model.cca_.transform_modality(B, "b")[:, 0]
    assert abs(np.corrcoef(shared, score)[0, 1]) == pytest.approx(1.0)
    assert model.transform(X[rows])[:, 0].std(ddof=1) == pytest.approx(1.0)
    names = list(model.get_feature_names_out())
    private = [j for j, name in enumerate(names) if name.startswith("a__")]
    assert not model.transform(X)[np.ix_(LACKS_A, private)].any()
    assert np.isfinite(CCAFusion(1, missing="impute").fit(X).transform(X)).all()


def test_additive_terms_of_what_is_there():
    X = gappy()
    rows = X.present().all(axis=1)
    model = InteractionRegressor(form="additive", missing="marginalise").fit(X, NUMBERS)
    columns = np.hstack([A, B, C])
    linear = LinearRegression().fit(columns[rows], NUMBERS[rows])
    np.testing.assert_allclose(model.coef_, linear.coef_)
    filled = np.where(
        np.repeat(X.present(), [3, 2, 2], axis=1), columns, columns[rows].mean(axis=0)
    )
    np.testing.assert_allclose(model.predict(X), linear.predict(filled))
    whole = InteractionRegressor(form="additive").fit(X[rows], NUMBERS[rows])
    pd.testing.assert_frame_equal(model.inference_table(), whole.inference_table())
    for form in ("additive", "bilinear"):
        imputed = InteractionRegressor(form=form, missing="impute").fit(X, NUMBERS)
        assert np.isfinite(imputed.predict(X)).all()
    # Without modalities, every column is one.
    table = columns[:, :4].copy()
    table[::7, 2] = np.nan
    by_column = InteractionRegressor(form="additive", missing="impute").fit(table, NUMBERS)
    assert np.isfinite(by_column.predict(table)).all()


# ------------------------------------------------------------------------------ scikit-learn's own


@pytest.mark.parametrize("fusion", CLASSIFIERS + REGRESSORS)
def test_weights_with_metadata_routing(fusion):
    y = LABELS if is_classifier(fusion()) else NUMBERS
    X, weights = Modalities(a=A, b=B), np.random.default_rng(0).uniform(size=N)
    expected = said(fusion().fit(X, y, sample_weight=weights), X)
    with sklearn.config_context(enable_metadata_routing=True):
        found = said(fusion().fit(X, y, sample_weight=weights), X)
    np.testing.assert_allclose(found, expected)
    assert not np.allclose(found, said(fusion().fit(X, y), X))


@pytest.mark.parametrize("fusion", CLASSIFIERS[1:] + REGRESSORS[1:])
def test_an_estimator_where_modalities_are_expected(fusion):
    with pytest.raises(TypeError, match=rf"{fusion.__name__}\(estimator=\.\.\.\)"):
        fusion(KNeighborsClassifier()).fit(Modalities(a=A), LABELS)
