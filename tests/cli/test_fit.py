"""What fit chooses, says and stores: metrics, class weights, kernels, probabilities."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import (
    ChiSquaredKernel,
    ColumnKernelizer,
    MKLClassifier,
    MKLClassifierCV,
    Modalities,
)
from mkfusion.cli._model import Curves, load_model, save_model

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
FIT = ("fit", "data.csv", "--target", "label", *MODALITIES, "-o", "model.skops")
# What is tried if nobody says: the values of MKLClassifierCV
N_COSTS = 9
COLUMNS = [("accel", "auto", ["ax", "ay"]), ("gyro", "auto", ["g1", "g2"])]


def words(text):
    return " ".join(text.split())


def table_of(shown, first="C  "):
    """The rows of a printed table, by their first cell."""
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    rows = [line.split() for line in lines[start + 1 : start + 1 + N_COSTS]]
    return {row[0]: row[1:] for row in rows}


def uneven(study):
    return study.assign(label=np.where(np.arange(40) % 5, "calm", "loud"))


def test_choice_of_cost_is_told_beside_knowing_nothing(folder, study, run):
    code, shown, complaint = run(*FIT, "--metric", "f1_macro")
    assert (code, complaint) == (0, "")
    y = study["label"].to_numpy(object)
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    kernels = ColumnKernelizer(COLUMNS).fit_transform(study)
    costs = MKLClassifierCV(refit=False).fit(kernels, y).Cs_
    search = GridSearchCV(MKLClassifier(p=1), {"C": costs}, cv=cv, scoring="f1_macro")
    search.fit(kernels, y)
    rows = table_of(shown)
    for C, mean, sd in zip(
        costs,
        search.cv_results_["mean_test_score"],
        search.cv_results_["std_test_score"],
        strict=True,
    ):
        assert rows[f"{C:.3g}"][:2] == [f"{mean:.3f}", f"{sd:.3f}"]
    (chosen,) = [C for C, row in rows.items() if row[-1] == "chosen"]
    assert chosen == f"{search.best_params_['C']:.3g}"
    nothing = cross_val_score(DummyClassifier(), study, y, cv=cv, scoring="f1_macro").mean()
    assert f"Knowing only how frequent the classes are scores {nothing:.3f}" in words(shown)
    assert "50% of the samples are calm." in words(shown)


def test_uneven_classes_are_chosen_by_log_loss_beside_their_frequencies(folder, study, run):
    uneven(study).to_csv("data.csv", index=False)
    code, shown, _ = run(*FIT)
    assert code == 0
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    y = uneven(study)["label"].to_numpy(object)
    nothing = cross_val_score(DummyClassifier(), study, y, cv=cv, scoring="neg_log_loss").mean()
    assert "neg_log_loss" in shown
    assert table_of(run(*FIT, "--metric", "neg_log_loss")[1]) == table_of(shown)
    assert f"how frequent the classes are scores {nothing:.3f} on the same" in words(shown)
    assert "80% of the samples are calm." in words(shown)
    shown = run(*FIT, "--metric", "balanced_accuracy")[1]
    assert "neg_log_loss" not in shown and "scores 0.500 on the same folds" in words(shown)


def test_a_model_of_one_class_is_told_of(folder, study, run):
    rng = np.random.default_rng(1)
    noise = study.assign(**{name: rng.normal(size=40) for name in ("ax", "ay", "g1", "g2")})
    uneven(noise).to_csv("data.csv", index=False)
    code, _, complaint = run(*FIT, "--C", 0.001)
    assert code == 0 and "says calm for every sample" in words(complaint)
    study.to_csv("data.csv", index=False)
    assert "for every sample" not in run(*FIT, "--C", 1)[2]


def test_numbers_beside_their_mean(folder, study, run):
    asked = ("fit", "data.csv", "--target", "size", *MODALITIES, "-o", "model.skops")
    code, shown, _ = run(*asked, "--metric", "neg_mean_absolute_error")
    assert code == 0
    cv = KFold(5, shuffle=True, random_state=0)
    nothing = cross_val_score(
        DummyRegressor(), study[["ax"]], study["size"], cv=cv, scoring="neg_mean_absolute_error"
    ).mean()
    assert f"Knowing only the mean of the target scores {nothing:.3f}" in words(shown)


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


def test_each_class_has_weights_of_its_own(folder, run):
    """One class is told by one modality, another by the other one."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    table = pd.DataFrame(rng.normal(size=(60, 4)).round(4), columns=["ax", "ay", "g1", "g2"])
    table["ax"] += 5 * (y == 0)
    table["g1"] += 5 * (y == 1)
    table.assign(label=np.array(["calm", "loud", "odd"])[y]).to_csv("data.csv", index=False)
    code, shown, _ = run(*FIT, "--per-class-weights")
    assert code == 0
    machine = load_model("model.skops").pipeline["mkl"]
    assert machine.per_class_weights and machine.weights_.shape == (3, 2)
    assert machine.weights_[0, 0] > 0.9 and machine.weights_[1, 1] > 0.9
    lines = [line.split() for line in shown.splitlines()]
    start = next(i for i, line in enumerate(lines) if line[:2] == ["modality", "columns"])
    assert lines[start][-2:] == ["class", "weight"]
    told = [line[-2:] for line in lines[start + 1 : start + 7]]
    assert told == [
        [label, f"{machine.weights_[u, k]:.3f}"]
        for k in range(2)
        for u, label in enumerate(machine.classes_)
    ]


def test_two_classes_have_the_same_weights(folder, run):
    code, _, complaint = run(*FIT, "--per-class-weights")
    assert code == 2 and "is for three classes or more, and 'label' has two" in complaint


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [(), ("--C", 1)])
def test_probabilities_are_those_of_the_classifier_that_chooses(folder, study, run, n_classes, C):
    study = study.assign(label=np.array(["calm", "loud", "odd"])[np.arange(40) % n_classes])
    study["ax"] = (study["ax"] + np.arange(40) % n_classes).round(4)  # read back as written
    study.to_csv("data.csv", index=False)
    code, shown, _ = run(*FIT, *C, "--probabilities")
    curve = "a logistic curve" if n_classes == 2 else "a softmax"
    assert code == 0 and f"Probabilities are calibrated by {curve} of decision" in words(shown)
    code, shown, complaint = run("predict", "model.skops", "data.csv", "-o", "p.csv")
    assert code == 0 and "probabilities are calibrated" in complaint
    assert f"held out in training, {curve} of the decision values" in complaint
    table = pd.read_csv("p.csv")
    y = study["label"].to_numpy(object)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(study, y))
    expected = make_pipeline(
        ColumnKernelizer(COLUMNS), MKLClassifierCV(*([[1.0]] if C else []), cv=folds)
    ).fit(study, y)
    names = [f"probability_{label}" for label in expected.classes_]
    likely = expected.predict_proba(study)
    np.testing.assert_allclose(table[names], likely, atol=1e-6)
    np.testing.assert_allclose(table[names].sum(axis=1), 1)
    assert table["prediction"].tolist() == expected.classes_[likely.argmax(axis=1)].tolist()


def test_calibrated_choice_of_cost(folder, run):
    plain, calibrated = (run(*FIT, *more)[1] for more in ((), ("--probabilities",)))
    assert table_of(plain) == table_of(calibrated)
    assert run("predict", "model.skops", "data.csv")[0] == 0


def test_curves_of_0_1_0_are_sigmoids_divided_by_their_sum():
    curves = Curves([-1.0, -2.0, -0.5], [0.0, 1.0, -1.0])
    values = np.array([[0.3, -0.2, 1.0], [-2.0, 0.0, 4.0]])
    each = 1 / (1 + np.exp(-values * [1, 2, 0.5] + [0, 1, -1]))
    wanted = each / each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(curves.probabilities(values), wanted)
    none = Curves([-1.0] * 3, [800.0] * 3)
    found = none.probabilities(np.array([[0.0, 1.0, 2.0], [-5.0, 0.0, 0.0]]))
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
        (Curves([1.0], [0.0], "yes"), "is no model"),
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
        (("--metric", "neg_brier_score"), "needs probabilities"),
        (("--metric", "accuracy", "--C", "1"), "--C gives it: choose one"),
        (("--probabilities", "--time-ordered"), "--time-ordered holds out the later ones only"),
        (("--class-weight", "heavy"), "invalid choice"),
    ],
)
def test_mistakes(folder, run, more, message):
    code, _, complaint = run(*FIT, *more)
    assert code == 2 and len(complaint.splitlines()) == 1
    assert message in complaint


@pytest.mark.parametrize(
    "more", [("--probabilities",), ("--class-weight", "balanced"), ("--per-class-weights",)]
)
def test_what_is_for_classes_only(folder, run, more):
    asked = ("fit", "data.csv", "--target", "size", *MODALITIES, "-o", "model.skops")
    code, _, complaint = run(*asked, *more)
    assert code == 2 and f"{' '.join(more)} is for classes" in complaint


def test_kernel_of_numbers_for_texts(folder, study, run):
    study.assign(g3=["x", "y"] * 20).to_csv("data.csv", index=False)
    code, _, complaint = run(*FIT, "--kernel", "gyro=rbf")
    assert code == 2
    assert "--kernel gyro=rbf is for numbers, and column 'g3' holds none" in complaint


def test_models_of_few_gaps_speak_of_what_the_command_line_has(folder, run):
    gyro = pd.read_csv("gyro.csv")
    gyro[gyro["sample"] != "s03"].to_csv("gyro.csv", index=False)
    files = ("labels.csv", "accel.csv", "gyro.csv", "--id", "sample", "--target", "label")
    code, _, said = run("fit", *files, "--missing", "keep", "--C", "1", "-o", "m.skops")
    assert code == 0
    assert "1 of 40 samples lack a modality ('gyro' 1) and are kept" in said
    assert said.count("note: --missing keep, and less than 20% of the training samples lack") == 1
    assert "LateFusionClassifier" not in said
