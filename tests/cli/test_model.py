"""``mkfusion fit`` and ``predict``: the pipeline one would write, in a file that runs nothing."""

import errno
import io
import os
import pickle
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mkfusion
from mkfusion import (
    ColumnKernelizer,
    FrequencyKernel,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    Modalities,
    RBFKernel,
)
from mkfusion.cli import _model
from mkfusion.cli._model import _NAMES, TRUSTED, _renamed, load_model

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
FIT = ("fit", "data.csv", "--target", "label", *MODALITIES, "-o", "model.skops")


def split(frame):
    return Modalities(accel=frame[["ax", "ay"]], gyro=frame[["g1", "g2"]])


def kernelizer(missing="error"):
    return ColumnKernelizer([(n, "auto", n) for n in ("accel", "gyro")], missing=missing)


@pytest.fixture
def new(study):
    """Samples that were not there in training."""
    rng = np.random.default_rng(5)
    columns = ["ax", "ay", "g1", "g2"]
    frame = pd.DataFrame(rng.normal(size=(12, 4)).round(4), columns=columns)
    frame.insert(0, "sample", [f"n{i}" for i in range(12)])
    return frame


def test_given_cost_is_the_pipeline_fitted_in_python(folder, study, new, run):
    code, shown, complaint = run(*FIT, "--C", 10, "--p", 2)
    assert (code, complaint) == (0, "")
    pipeline = make_pipeline(kernelizer(), MKLClassifier(C=10, p=2)).fit(
        split(study), study["label"]
    )
    weights = re.findall(r"^(?:accel|gyro) .* (\d\.\d{3})$", shown, flags=re.M)
    assert weights == [f"{weight:.3f}" for weight in pipeline[-1].weights_]
    assert "C = 10, as given" in shown
    assert "A weight is not importance: mkfusion compare tells" in " ".join(shown.split())
    assert f"gap {pipeline[-1].duality_gap_:.1e}" in shown
    new.to_csv("new.csv", index=False)
    assert run("predict", "model.skops", "new.csv", "-o", "out.csv")[:2] == (
        0,
        "12 predictions written to out.csv\n",
    )
    out = pd.read_csv("out.csv")
    assert list(out.columns) == ["row", "prediction", "decision_loud"]
    assert list(out["row"]) == list(range(1, 13))
    expected = split(pd.read_csv("new.csv"))
    np.testing.assert_array_equal(out["prediction"], pipeline.predict(expected))
    # What is written has all digits.
    np.testing.assert_allclose(
        out["decision_loud"], pipeline.decision_function(expected), rtol=1e-9
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_cost_is_chosen_by_cross_validation(folder, study, run, grouped):
    given = ("--groups", "subject") if grouped else ()
    code, shown, _ = run(*FIT, *given, "--seed", 3, "--metric", "accuracy")
    assert code == 0
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    folds = kind(5, shuffle=True, random_state=3)
    groups = study["subject"] if grouped else None
    kernels = kernelizer().fit_transform(split(study))
    costs = MKLClassifierCV(refit=False).fit(kernels, study["label"]).Cs_
    search = GridSearchCV(MKLClassifier(), {"C": costs}, cv=folds)
    search.fit(kernels, study["label"], groups=groups)
    said = " ".join(shown.split())
    span = f"the best of 9 from {costs[0]:.3g} to {costs[-1]:.3g}"
    assert f"C = {search.best_params_['C']:.3g}, {span}" in said
    assert f"in 5-fold cross-validation: accuracy {search.best_score_:.3f}." in said


def test_regression_standardises_the_target(folder, study, new, run):
    assert run(*FIT[:3], "size", *FIT[4:], "--C", 1)[0] == 0
    new.to_csv("new.csv", index=False)
    code, shown, _ = run("predict", "model.skops", "new.csv")
    assert code == 0
    out = pd.read_csv(io.StringIO(shown))
    assert list(out.columns) == ["row", "prediction"]
    machine = TransformedTargetRegressor(
        MKLRegressor(loss="squared_error"), transformer=StandardScaler()
    )
    pipeline = make_pipeline(kernelizer(), machine).fit(split(study), study["size"])
    np.testing.assert_allclose(out["prediction"], pipeline.predict(split(new)), rtol=1e-9)


def test_several_classes_have_a_decision_value_each(folder, study, run):
    study.assign(label=np.arange(40) % 3).to_csv("data.csv", index=False)
    assert run(*FIT, "--C", 1)[0] == 0
    out = pd.read_csv(io.StringIO(run("predict", "model.skops", "data.csv")[1]))
    assert list(out.columns) == ["row", "prediction", *(f"decision_{k}" for k in range(3))]
    np.testing.assert_array_equal(out.iloc[:, 2:].to_numpy().argmax(axis=1), out["prediction"])


def test_tables_of_all_kinds_come_back_as_they_were(folder, study, run):
    rng = np.random.default_rng(2)
    words = ["calm", "loud", "fast", "slow", "red"]
    clinic = pd.DataFrame(
        {
            "smoker": rng.random(40) < 0.5,
            "ward": rng.choice(["north", "south", None], 40),
            "code": pd.Categorical(rng.choice(["1", "2"], 40)),
            "grade": pd.Categorical(rng.choice(["I", "II"], 40), ["II", "I"], ordered=True),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40), "D"),
            "age": np.where(rng.random(40) < 0.2, np.nan, rng.normal(size=40).round(4)),
        }
    )
    flags = pd.DataFrame({f"flag{k}": rng.random(40) < 0.5 for k in range(3)})
    notes = [" ".join(rng.choice(words, 4)) + f" w{i}" for i in range(40)]
    wide = pd.DataFrame(rng.normal(size=(40, 100)).round(4), columns=[f"w{k}" for k in range(100)])
    frame = pd.concat([study[["sample", "label", "ax"]], clinic, flags, wide], axis=1)
    frame["note"] = notes
    frame.to_parquet("data.parquet")
    parts = {
        "accel": ["ax"],
        "clinic": list(clinic),
        "flags": list(flags),
        "notes": ["note"],
        "wide": list(wide),
    }
    asked = [part for name, columns in parts.items()
             for part in ("--modality", f"{name}={','.join(columns)}")]  # fmt: skip
    code, shown, complaint = run("fit", "data.parquet", "--target", "label", *asked, "--id",
                                 "sample", "--C", 10, "--p", 2, "-o", "model.skops")  # fmt: skip
    assert (code, complaint) == (0, "")
    for kernel in ("linear + rbf", "ClinicalKernel", "OverlapKernel", "TfidfVectorizer + Cosine"):
        assert kernel in shown
    frame["code"] = frame["code"].astype(str)
    X = Modalities({name: frame[columns] for name, columns in parts.items()})
    entries = [(name, "auto", name) for name in parts]
    pipeline = make_pipeline(ColumnKernelizer(entries), MKLClassifier(C=10, p=2))
    expected = pipeline.fit(X, frame["label"]).decision_function(X[5:25])
    frame.iloc[5:25].drop(columns="label").to_parquet("new.parquet")
    frame.iloc[5:25].drop(columns="label").to_csv("new.csv", index=False)
    for name in ("new.parquet", "new.csv"):
        code, shown, complaint = run("predict", "model.skops", name)
        assert (code, complaint) == (0, "")
        out = pd.read_csv(io.StringIO(shown))
        np.testing.assert_allclose(out["decision_loud"], expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(out["sample"], frame["sample"][5:25])


def test_one_new_patient_beside_complete_other_files(folder, study, run):
    accel = pd.read_csv("accel.csv")
    fit = ("fit", "labels.csv", "accel.csv", "gyro.csv", "--id", "sample", "--target", "label")
    assert run(*fit, "-o", "model.skops", "--C", 1)[0] == 0
    everyone = pd.read_csv(io.StringIO(run("predict", "model.skops", "accel.csv", "gyro.csv")[1]))
    accel.iloc[[5]].to_csv("one.csv", index=False)
    code, shown, complaint = run("predict", "model.skops", "one.csv", "gyro.csv")
    assert code == 0
    assert complaint.startswith("note: 39 of 40 samples are not in all files, and are left out")
    one = pd.read_csv(io.StringIO(shown))
    expected = everyone[everyone["sample"] == accel["sample"][5]].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, expected)


def test_ids_join_and_lacking_modalities_are_kept(folder, study, run):
    accel, gyro = pd.read_csv("accel.csv"), pd.read_csv("gyro.csv")
    gyro.iloc[3:].to_csv("gyro.csv", index=False)
    fit = ("fit", "labels.csv", "accel.csv", "gyro.csv", "--id", "sample", "--target", "label")
    assert run(*fit, "-o", "model.skops")[0] == 2
    code, _, complaint = run(*fit, "-o", "model.skops", "--missing", "keep", "--C", 1)
    assert code == 0
    assert "less than 20% of the training samples lack" in complaint
    gaps = study.copy()
    gaps.loc[study["sample"].isin(gyro["sample"][:3]), ["g1", "g2"]] = np.nan
    pipeline = make_pipeline(kernelizer("marginalise"), MKLClassifier(C=1))
    pipeline.fit(split(gaps), study["label"])

    code, shown, complaint = run("predict", "model.skops", "gyro.csv", "accel.csv")
    said = "note: 3 of 40 samples lack the modality 'gyro', and are kept\n"
    assert (code, complaint) == (0, said)
    out = pd.read_csv(io.StringIO(shown)).set_index("sample")
    assert list(out.index) == list(dict.fromkeys([*gyro["sample"][3:], *accel["sample"]]))
    np.testing.assert_allclose(
        out["decision_loud"][study["sample"]], pipeline.decision_function(split(gaps)), rtol=1e-9
    )
    code, shown, complaint = run("predict", "model.skops", "accel.csv")
    assert code == 0
    assert complaint == "note: no sample has the modality 'gyro': none of its columns is there\n"
    alone = Modalities(accel=accel[["ax", "ay"]])
    np.testing.assert_allclose(
        pd.read_csv(io.StringIO(shown))["decision_loud"],
        pipeline.decision_function(alone),
        rtol=1e-9,
    )


def test_what_new_samples_lack_is_said(folder, study, run):
    gyro = pd.read_csv("gyro.csv")
    gyro.iloc[3:].assign(g1=gyro["g1"].where(gyro.index > 5)).to_csv("gyro.csv", index=False)
    fit = ("fit", "labels.csv", "accel.csv", "gyro.csv", "--id", "sample", "--target", "label")
    assert run(*fit, "-o", "model.skops", "--missing", "keep", "--C", 1)[0] == 0
    study.loc[:5, ["sample", "ax", "ay"]].to_csv("new.csv", index=False)
    gaps = study.assign(g1=np.nan).loc[4:20, ["sample", "g1", "g2"]]
    gaps.to_csv("gyro.csv", index=False)
    code, _, complaint = run("predict", "model.skops", "new.csv", "gyro.csv", "-o", "p.csv")
    assert code == 0, complaint
    assert "note: 15 of 21 samples lack the modality 'accel', and are kept\n" in complaint
    assert "note: 4 of 21 samples lack the modality 'gyro', and are kept\n" in complaint
    assert "note: modality 'gyro': no sample has a value of 'g1'\n" in complaint
    assert "modality 'gyro': 17 of 34 cells are empty, and are filled by the mean" in complaint
    assert "name a kernel" not in complaint  # which is for Python
    assert len(pd.read_csv("p.csv")) == 21


@pytest.fixture
def model(folder, run):
    assert run(*FIT, "--C", 1)[0] == 0
    return folder / "model.skops"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda frame: frame.drop(columns="g1"),
            "lacks 1 of the 2 columns of the model's modality",
        ),
        (lambda frame: frame.rename(columns={"g1": "G1"}), "'g1'; did you mean 'G1'"),
        (lambda frame: frame.assign(ax="words"), "'ax' of 'new.csv' holds 'words' in row 1"),
        (lambda frame: frame.assign(ax=np.nan, ay=np.nan), "40 of 40 samples lack the modality"),
        (lambda frame: frame.assign(g2=np.inf), "is infinite in row 1"),
        (lambda frame: frame.iloc[:0], "has a header, but no rows"),
    ],
)
def test_mistakes_in_samples_are_one_line(model, study, run, change, said):
    change(study).to_csv("new.csv", index=False)
    code, shown, complaint = run("predict", model, "new.csv")
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert complaint.startswith("mkfusion predict: error: ")
    assert said in complaint


def test_numbers_where_words_were_are_words_in_csv(folder, study, run):
    study.assign(g1=[str(k) if k % 2 else f"x{k}" for k in range(20)] * 2).to_csv("data.csv")
    assert run(*FIT, "--C", 1)[0] == 0
    pd.read_csv("data.csv")[1::2].to_csv("odd.csv", index=False)
    assert run("predict", "model.skops", "odd.csv")[0] == 0
    frame = pd.read_csv("odd.csv")
    assert frame["g1"].dtype.kind == "i"
    frame.to_parquet("odd.parquet")
    code, _, complaint = run("predict", "model.skops", "odd.parquet")
    assert code == 2
    assert "holds 1 in row 1; expected text" in complaint


def test_dates_of_csv_files_are_dates(folder, study, run):
    frame = study.assign(g1=[f"2024-01-{k % 28 + 1:02}" for k in range(40)])
    frame.to_csv("data.csv", index=False)
    assert run(*FIT, "--C", 1)[0] == 0
    code, written, _ = run("predict", "model.skops", "data.csv")
    assert code == 0
    frame.assign(g1=pd.to_datetime(frame["g1"])).to_parquet("data.parquet")
    assert run("predict", "model.skops", "data.parquet")[1] == written
    frame.assign(g1=["soon", *frame["g1"][1:]]).to_csv("data.csv", index=False)
    code, _, complaint = run("predict", "model.skops", "data.csv")
    assert code == 2
    assert "'g1' of 'data.csv' holds 'soon' in row 1; expected dates such as" in complaint


def test_what_is_read_is_not_written_over(model, run):
    before = (model.parent / "data.csv").read_bytes()
    code, _, complaint = run("predict", model, "data.csv", "-o", "./data.csv")
    assert code == 2
    assert complaint.endswith("-o 'data.csv' is read as data; expected another file\n")
    assert (model.parent / "data.csv").read_bytes() == before


def test_several_files_need_a_model_with_an_id(model, run):
    code, _, complaint = run("predict", model, "accel.csv", "gyro.csv")
    assert code == 2
    assert "fitted without --id" in complaint


# ----------------------------------------------------------------------------------- model files


class Evil:
    """What a pickle can do."""

    def __reduce__(self):
        return os.mkdir, ("was_run",)


def _held(model):
    data = model.read_bytes()
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


def _dump(thing):
    return _renamed(skops.io.dumps(thing), _NAMES)


def _without(held, attribute):
    delattr(held["pipeline"][0], attribute)
    return _dump(held)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda held: _dump({**held, "more": os.system}), "posix.system"),
        (lambda held: _dump({**held, "more": FrequencyKernel()}), "FrequencyKernel"),
        (lambda held: _dump({**held, "pipeline": RBFKernel()}), "is no model that mkfusion fit"),
        (lambda held: _dump({**held, "modalities": 3}), "is no model that mkfusion fit"),
        (lambda held: _dump({**held, "target": [1]}), "is no model that mkfusion fit"),
        (lambda held: _without(held, "_fitted"), "is no sound model that mkfusion fit"),
        (lambda held: _dump({**held, "format": 99}), "has format 99"),
        (lambda held: _dump([1, 2]), "is no model that mkfusion fit"),
        (lambda held: pickle.dumps(Evil()), "is no model that mkfusion fit"),
        (lambda held: np.random.default_rng(0).bytes(999), "is no model that mkfusion fit"),
        (lambda held: b"", "is no model that mkfusion fit"),
        (lambda held: _dump(held)[:-900], "is no model that mkfusion fit"),
    ],
)
def test_other_files_are_refused_and_not_run(model, run, make, said):
    model.write_bytes(make(_held(model)))
    code, shown, complaint = run("predict", model, "data.csv")
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert said in complaint
    assert not (model.parent / "was_run").exists()


def test_no_file_and_a_folder(folder, run):
    assert "there is no file 'none.skops'" in run("predict", "none.skops", "data.csv")[2]
    assert "is a folder" in run("predict", folder, "data.csv")[2]


@pytest.mark.parametrize(
    ("package", "here"),
    [("scikit-learn", sklearn.__version__), ("mkfusion", mkfusion.__version__)],
)
def test_other_versions_are_said(model, run, package, here):
    held = _held(model)
    model.write_bytes(_dump({**held, package: "1.2.3"}))
    code, _, complaint = run("predict", model, "data.csv")
    assert code == 0
    assert complaint.startswith("note: ") and complaint.count("\n") == 1
    assert f"{package} 1.2.3, and here is {here}" in complaint


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["weights_", "dual_coef_", "intercept_"])
def test_coefficients_that_are_no_numbers_are_refused(model, run, name, value):
    held = _held(model)
    getattr(held["pipeline"][-1], name).flat[0] = value
    model.write_bytes(_dump(held))
    code, shown, complaint = run("predict", model, "data.csv")
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert "has coefficients that are NaN or infinite" in complaint


def test_scales_that_are_no_numbers_are_refused(folder, run):
    assert run(*FIT[:3], "size", *FIT[4:], "--C", 1)[0] == 0
    held = _held(folder / "model.skops")
    held["pipeline"][-1].transformer_.scale_[0] = np.nan
    (folder / "model.skops").write_bytes(_dump(held))
    code, _, complaint = run("predict", "model.skops", "data.csv")
    assert code == 2
    assert "has coefficients that are NaN or infinite" in complaint


ZEROS = 2**23 + 12345


def _zip(compression=zipfile.ZIP_DEFLATED, size=ZEROS):
    """A small file of many zeros, which compress to a thousandth."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as file:
        file.writestr("schema.json", bytes(size))
    return written.getvalue()


def test_small_files_do_not_grow_without_bound(folder, run, monkeypatch):
    monkeypatch.setattr(_model, "_ALWAYS_READ", 2**20)
    Path("zeros.skops").write_bytes(_zip())
    code, shown, complaint = run("predict", "zeros.skops", "data.csv")
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert f"grow to {ZEROS} when they are read; expected {2**20} at most" in complaint


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_files_that_say_they_are_small_are_not_inflated(folder, run, compression):
    """What a ZIP file says of its sizes need not be true; here the true one is 8 MB."""
    run("predict", "none.skops", "data.csv")  # imports all that is needed
    data = _zip(compression)
    said, true = (10).to_bytes(4, "little"), ZEROS.to_bytes(4, "little")
    assert data.count(true) == 2
    Path("zeros.skops").write_bytes(data.replace(true, said))
    tracemalloc.start()
    code, _, complaint = run("predict", "zeros.skops", "data.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code == 2
    assert "is no model that mkfusion fit has written" in complaint
    assert peak < 2**21


def test_models_that_compress_too_well_are_written_as_they_are(folder, run, monkeypatch):
    monkeypatch.setattr(_model, "_ALWAYS_READ", 0)
    monkeypatch.setattr(_model, "_MOST_GROWTH", 1)
    assert run(*FIT, "--C", 1)[0] == 0
    with zipfile.ZipFile("model.skops") as file:
        assert {member.compress_type for member in file.infolist()} == {zipfile.ZIP_STORED}
    assert run("predict", "model.skops", "data.csv")[::2] == (0, "")


@pytest.mark.parametrize("command", ["compare", "fit", "predict"])
def test_a_full_disk_leaves_the_file_that_was_there(model, run, monkeypatch, command):
    call = {
        "compare": ("compare", *FIT[1:-2], "--fast", "--methods", "uniform", "-o", "out.html"),
        "fit": (*FIT[:-1], "out.skops", "--C", 1),
        "predict": ("predict", model, "data.csv", "-o", "out.csv"),
    }[command]
    before = set(os.listdir())
    output = Path(call[call.index("-o") + 1])
    output.write_text("what was there")

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, _, complaint = run(*call)
    assert code == 2
    assert f"error: {str(output)!r} cannot be written: " in complaint
    assert complaint.endswith("No space left on device\n")
    assert output.read_text() == "what was there"
    assert set(os.listdir()) == before | {str(output)}


def test_trusted_types_are_of_here_or_named():
    others = {name for name in TRUSTED if not name.startswith("mkfusion.")}
    assert others == {"numpy.ravel", "scipy.sparse._csr.csr_matrix"}


def test_unknown_categories_are_told(folder, study, new, run):
    study.assign(site=np.where(np.arange(len(study)) % 2, "Basel", "Bern")).to_csv(
        "sites.csv", index=False
    )
    fit = ("fit", "sites.csv", "--target", "label", "--modality", "accel=ax,ay")
    assert run(*fit, "--modality", "rest=g*,site", "--C", 1, "-o", "model.skops")[0] == 0
    new.assign(site="Bern").to_csv("known.csv", index=False)
    assert run("predict", "model.skops", "known.csv")[::2] == (0, "")
    new.assign(site=["Ulm", "Bern", "Ulm", None] * 3).to_csv("unknown.csv", index=False)
    code, shown, complaint = run("predict", "model.skops", "unknown.csv")
    assert code == 0 and len(shown.splitlines()) == 13
    assert complaint.count("\n") == 1
    assert "note: column 'site' of 'unknown.csv'" in complaint
    assert "in 6 of 12 rows" in complaint and complaint.endswith("'Ulm'\n")


# -------------------------------------------------------------------- model files and versions

SAVED = Path(__file__).parent / "saved"
# How mkfusion 0.1.0 made the files in `saved`, from samples.csv. Numbers had Gaussian kernels by
# default, and the loss that does not count small errors.
FITTED_BY_0_1_0 = {
    "classes": "--target label --modality accel=ax,ay --modality gyro=g1,g2 "
    "--modality clinic=age,stage,smoker --modality word=word --missing keep "
    "--kernel accel=rbf --kernel gyro=rbf",
    "numbers": "--target size --modality accel=ax,ay --modality clinic=age,stage,smoker "
    "--kernel accel=rbf",
}


def test_classes_by_a_file_of_0_1_0_are_those_of_the_same_model_fitted_now(
    tmp_path, monkeypatch, run
):
    monkeypatch.chdir(tmp_path)
    samples = SAVED / "samples.csv"
    options = [*FITTED_BY_0_1_0["classes"].split(), "--id", "patient", "--C", 10, "--p", 2]
    assert run("fit", samples, *options, "-o", "now.skops")[0] == 0
    assert run("predict", SAVED / "classes-0.1.0.skops", samples, "-o", "then.csv")[0] == 0
    assert run("predict", "now.skops", samples, "-o", "now.csv")[0] == 0
    then, now = pd.read_csv("then.csv"), pd.read_csv("now.csv")
    assert list(then.columns) == list(now.columns)
    assert len(then) == 48
    # Both are within the certified gap of one optimum.
    pd.testing.assert_frame_equal(then, now, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_curves_of_0_1_0_are_read_as_they_were_meant(folder, study, run, n_classes):
    labels = np.array(["calm", "loud", "odd"])[np.arange(40) % n_classes]
    study.assign(label=labels).to_csv("data.csv", index=False)
    assert run(*FIT, "--C", 1)[0] == 0
    slopes, intercepts = ([-2.0], [0.5]) if n_classes == 2 else ([-2.0, -1.0, -0.5], [0.5, 0, -0.5])
    curves = {"slopes": slopes, "intercepts": intercepts}
    model = folder / "model.skops"
    model.write_bytes(_dump({**_held(model), "curves": curves}))
    assert run("predict", model, "data.csv", "-o", "p.csv")[0] == 0
    table = pd.read_csv("p.csv")
    each = expit(-(table.filter(like="decision_").to_numpy() * slopes + intercepts))
    each = each if n_classes > 2 else np.hstack([1 - each, each])
    wanted = each / each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table.filter(like="probability_"), wanted, atol=1e-6)


def test_numbers_by_a_file_of_0_1_0_are_those_of_its_pipeline_fitted_now(
    tmp_path, monkeypatch, run
):
    """The command has another loss now."""
    monkeypatch.chdir(tmp_path)
    file, samples = SAVED / "numbers-0.1.0.skops", SAVED / "samples.csv"
    assert run("predict", file, samples, "-o", "then.csv")[0] == 0
    frame = pd.read_csv(samples)
    X = Modalities(accel=frame[["ax", "ay"]], clinic=frame[["age", "stage", "smoker"]])
    machine = TransformedTargetRegressor(
        MKLRegressor(10.0, 2.0, epsilon=0.1), transformer=StandardScaler()
    )
    kernels = load_model(str(file)).pipeline[:-1]
    now = make_pipeline(clone(kernels), machine).fit(X, frame["size"]).predict(X)
    then = pd.read_csv("then.csv")["prediction"]
    assert len(then) == 48
    np.testing.assert_allclose(then, now, rtol=0.05, atol=0.05)


def test_files_name_no_private_module(model):
    with zipfile.ZipFile(model) as file:
        named = set(
            re.findall(r'"__module__": "(mkfusion[^"]*)"', file.read("schema.json").decode())
        )
    assert named == {"mkfusion", "mkfusion.cli.model_parts"}
