"""What fit chooses, says and stores: metrics, class weights, kernels, probabilities."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import ChiSquaredKernel, ColumnKernelizer, MKLClassifier, Modalities
from mkfusion.cli._model import Curves, load_model, save_model
from mkfusion.compare import COSTS

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
FIT = ("fit", "data.csv", "--target", "label", *MODALITIES, "-o", "model.skops")
COLUMNS = [("accel", "auto", ["ax", "ay"]), ("gyro", "auto", ["g1", "g2"])]


def words(text):
    return " ".join(text.split())


def table_of(shown, first="C  "):
    """The rows of a printed table, by their first cell."""
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    rows = [line.split() for line in lines[start + 1 : start + 1 + len(COSTS)]]
    return {row[0]: row[1:] for row in rows}


def uneven(study):
    return study.assign(label=np.where(np.arange(40) % 5, "calm", "loud"))


def test_choice_of_cost_is_told_beside_knowing_nothing(folder, study, run):
    code, shown, complaint = run(*FIT, "--metric", "f1_macro")
    assert (code, complaint) == (0, "")
    y = study["label"].to_numpy(object)
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(MKLClassifier(p=1), {"C": COSTS}, cv=cv, scoring="f1_macro")
    search.fit(ColumnKernelizer(COLUMNS).fit_transform(study), y)
    rows = table_of(shown)
    for C, mean, sd in zip(
        COSTS,
        search.cv_results_["mean_test_score"],
        search.cv_results_["std_test_score"],
        strict=True,
    ):
        assert rows[f"{C:g}"][:2] == [f"{mean:.3f}", f"{sd:.3f}"]
    (chosen,) = [C for C, row in rows.items() if row[-1] == "chosen"]
    assert float(chosen) == search.best_params_["C"]
    nothing = cross_val_score(DummyClassifier(), study, y, cv=cv, scoring="f1_macro").mean()
    assert f"Knowing nothing, the majority class, scores {nothing:.3f}" in words(shown)


def test_uneven_classes_are_scored_by_balanced_accuracy(folder, study, run):
    uneven(study).to_csv("data.csv", index=False)
    code, shown, complaint = run(*FIT)
    assert code == 0 and complaint == ""
    assert "balanced_accuracy" in shown and "Knowing nothing" in shown
    assert "scores 0.500 on the same folds" in words(shown)
    assert "balanced_accuracy" not in run(*FIT, "--metric", "accuracy")[1]


def test_numbers_beside_their_mean(folder, study, run):
    asked = ("fit", "data.csv", "--target", "size", *MODALITIES, "-o", "model.skops")
    code, shown, _ = run(*asked, "--metric", "neg_mean_absolute_error")
    assert code == 0
    cv = KFold(5, shuffle=True, random_state=0)
    nothing = cross_val_score(
        DummyRegressor(), study[["ax"]], study["size"], cv=cv, scoring="neg_mean_absolute_error"
    ).mean()
    assert f"the mean of the target, scores {nothing:.3f}" in words(shown)


def test_class_weights(folder, study, run):
    uneven(study).to_csv("data.csv", index=False)
    assert run(*FIT, "--C", 1, "--class-weight", "balanced")[0] == 0
    found = load_model("model.skops").pipeline
    assert found["mkl"].class_weight == "balanced"
    expected = make_pipeline(
        ColumnKernelizer(COLUMNS), MKLClassifier(C=1, p=1, class_weight="balanced")
    ).fit(study, uneven(study)["label"].to_numpy(object))
    X = {"accel": study[["ax", "ay"]], "gyro": study[["g1", "g2"]]}
    np.testing.assert_allclose(
        found.decision_function(Modalities(X)), expected.decision_function(study)
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_scikit_learns_calibration(folder, study, run, n_classes):
    study = study.assign(label=np.array(["calm", "loud", "odd"])[np.arange(40) % n_classes])
    study["ax"] = (study["ax"] + np.arange(40) % n_classes).round(4)  # read back as written
    study.to_csv("data.csv", index=False)
    code, shown, _ = run(*FIT, "--C", 1, "--probabilities")
    assert code == 0 and "Probabilities are calibrated" in words(shown)
    code, shown, complaint = run("predict", "model.skops", "data.csv", "-o", "p.csv")
    assert code == 0 and "probabilities are calibrated" in complaint
    table = pd.read_csv("p.csv")
    y = study["label"].to_numpy(object)
    expected = CalibratedClassifierCV(
        make_pipeline(ColumnKernelizer(COLUMNS), MKLClassifier(C=1, p=1)),
        cv=list(StratifiedKFold(5, shuffle=True, random_state=0).split(study, y)),
        ensemble=False,
    ).fit(study, y)
    names = [f"probability_{label}" for label in expected.classes_]
    np.testing.assert_allclose(table[names], expected.predict_proba(study), atol=1e-6)
    np.testing.assert_allclose(table[names].sum(axis=1), 1)
    assert table["prediction"].tolist() == expected.predict(study).tolist()


def test_calibrated_choice_of_cost(folder, run):
    plain, calibrated = (run(*FIT, *more)[1] for more in ((), ("--probabilities",)))
    assert table_of(plain) == table_of(calibrated)
    assert run("predict", "model.skops", "data.csv")[0] == 0


def test_curves_without_any_probability_are_even():
    curves = Curves([-1.0] * 3, [800.0] * 3)
    found = curves.probabilities(np.array([[0.0, 1.0, 2.0], [-5.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, np.full((2, 3), 1 / 3))
    found = Curves([-2.0], [0.5]).probabilities(np.array([0.25, 1.0]))
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp([0.0, -1.5])))


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        (Curves([np.nan], [0.0]), "NaN or infinite"),
        (Curves([1.0, 1.0], [0.0, 0.0]), "is no model"),
        (Curves([1.0], []), "is no model"),
        (Curves(["a"], [0.0]), "is no model"),
    ],
)
def test_models_whose_curves_are_no_curves_are_refused(folder, run, curves, message):
    assert run(*FIT, "--C", 1)[0] == 0
    save_model(load_model("model.skops")._replace(curves=curves), folder / "odd.skops")
    code, _, complaint = run("predict", "odd.skops", "data.csv")
    assert code == 2 and message in complaint


def test_kernels_by_word(folder, study, run):
    positive = study.assign(g1=study["g1"].abs(), g2=study["g2"].abs())
    positive.to_csv("data.csv", index=False)
    code, shown, _ = run(*FIT, "--C", 1, "--kernel", "gyro=chi2", "--kernel", "accel=linear")
    assert code == 0
    assert "StandardScaler + LinearKernel" in shown and "ChiSquaredKernel" in shown
    X = {"accel": positive[["ax", "ay"]], "gyro": positive[["g1", "g2"]]}
    found = load_model("model.skops").pipeline
    stack = found["kernels"].transform(Modalities(X))
    expected = ChiSquaredKernel().fit(positive[["g1", "g2"]].to_numpy())
    np.testing.assert_allclose(stack.gram(1), expected(positive[["g1", "g2"]].to_numpy()))
    assert run("predict", "model.skops", "data.csv")[0] == 0


@pytest.mark.parametrize(
    "word",
    ["rbf", "linear", "polynomial", "laplacian", "matern", "cosine", "clinical", "tanimoto"],
)
def test_every_word_makes_a_model_that_predicts(folder, study, run, word):
    study.assign(ax=study["ax"].abs(), ay=study["ay"].abs()).to_csv("data.csv", index=False)
    assert run(*FIT, "--C", 1, "--kernel", f"accel={word}")[0] == 0
    code, shown, complaint = run("predict", "model.skops", "data.csv")
    assert (code, complaint) == (0, "") and len(shown.splitlines()) == 41


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--kernel", "accel=chi"), "no kernel 'chi'; did you mean 'chi2'?"),
        (("--kernel", "axel=rbf"), "'axel' is no modality; did you mean 'accel'?"),
        (("--kernel", "accel=rbf", "--kernel", "accel=rbf"), "'accel' is given twice"),
        (("--kernel", "accel"), "expected MODALITY=KERNEL, got 'accel'"),
        (("--metric", "acuracy"), "did you mean 'accuracy'"),
        (("--metric", "neg_log_loss"), "needs probabilities"),
        (("--metric", "accuracy", "--C", "1"), "--C gives it: choose one"),
        (("--probabilities", "--time-ordered"), "--time-ordered holds out the later ones only"),
        (("--class-weight", "heavy"), "invalid choice"),
    ],
)
def test_mistakes(folder, run, more, message):
    code, _, complaint = run(*FIT, *more)
    assert code == 2 and len(complaint.splitlines()) == 1
    assert message in complaint


@pytest.mark.parametrize("more", [("--probabilities",), ("--class-weight", "balanced")])
def test_what_is_for_classes_only(folder, run, more):
    asked = ("fit", "data.csv", "--target", "size", *MODALITIES, "-o", "model.skops")
    code, _, complaint = run(*asked, *more)
    assert code == 2 and f"{' '.join(more)} is for classes" in complaint


def test_kernel_of_numbers_for_texts(folder, study, run):
    study.assign(g3=["x", "y"] * 20).to_csv("data.csv", index=False)
    code, _, complaint = run(*FIT, "--kernel", "gyro=rbf")
    assert code == 2
    assert "--kernel gyro=rbf is for numbers, and column 'g3' holds none" in complaint
