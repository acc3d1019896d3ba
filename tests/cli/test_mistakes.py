"""Every mistake is one line on standard error and exit code 2."""

import gzip
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import BrokenExecutor

import numpy as np
import pandas as pd
import pytest

import mkfusion
from mkfusion.cli._errors import notes_for_warnings
from mkfusion.cli._interrupts import interrupts_end_here

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
TARGET = ("--target", "label")
FILES = ("labels.csv", "accel.csv", "gyro.csv", "--id", "sample")
TABLE = ("data.csv", *TARGET, *MODALITIES)


@pytest.fixture
def broken(folder, study):
    """Files that something is wrong with."""
    for name in ("empty", "header", "binary", "latin", "ragged", "long", "twice"):
        (folder / f"{name}.csv").write_text("sample,label,ax,ay,g1\n" if name == "header" else "")
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 9)
    (folder / "latin.csv").write_bytes("label,ax,ay,g1\ncalm,1,2,é\n".encode("latin-1"))
    (folder / "ragged.csv").write_text("label,ax,ay,g1\ncalm,1,2,3\nloud,1,2,3,4,5\n")
    (folder / "long.csv").write_text("label,ax,ay,g1\ncalm,1,2,3,4\nloud,1,2,3,4\n")
    (folder / "twice.csv").write_text("label,ax,ax,g1\ncalm,1,2,3\nloud,1,2,3\n")
    (folder / "noise.csv.gz").write_bytes(b"\1\2\3" * 50)
    (folder / "cut.csv.gz").write_bytes(gzip.compress(study.to_csv().encode())[:90])
    (folder / "noise.parquet").write_bytes(b"\1\2\3" * 50)
    (folder / "table.xlsx").write_text("")
    (folder / "folder.csv").mkdir()
    study.to_csv("commas.tsv", index=False, sep="\t", decimal=",")
    study.to_csv("utf16.csv", index=False, encoding="utf-16")
    study.rename(columns={"ay": " ax"}).to_csv("spaced.csv", index=False)

    def save(name, **columns):
        study.assign(**columns).to_csv(name, index=False)

    save("one.csv", label="calm")
    save("rare.csv", label=["rare"] * 2 + ["calm", "loud"] * 19)
    save("gaps.csv", label=["calm", None, "loud", None] * 10)
    save("named.csv", label=[f"name {i}" for i in range(40)])
    save("whole.csv", label=range(40))
    save("fractions.csv", label=np.arange(40) / 8)
    save("infinite.csv", ax=[np.inf, *range(39)])
    save("counted.csv", sample=range(40))
    save("huge.csv", ax=[1e300, *range(39)])
    save("void.csv", g1=np.nan, g2=np.nan)
    save("groupless.csv", subject=[None, *range(39)])
    save("grouped.csv", subject=study["label"])
    save("texts.csv", g1=[f"some words on sample {i}" for i in range(40)])
    study.assign(label=[[1, 2]] * 40).to_parquet("lists.parquet")
    study.assign(ax=[b"1"] * 40).to_parquet("bytes.parquet")
    gyro = pd.read_csv("gyro.csv")
    gyro.drop(columns="sample").to_csv("idless.csv", index=False)
    gyro.assign(sample=[None, *gyro["sample"][1:]]).to_csv("emptyid.csv", index=False)
    gyro.assign(sample=["s01", *gyro["sample"][1:]]).to_csv("doubled.csv", index=False)
    gyro.assign(sample=gyro["sample"] + "x").to_csv("strange.csv", index=False)
    gyro.assign(sample=range(40)).to_csv("numbered.csv", index=False)
    gyro.assign(sample=[f"{i:03}" for i in range(40)]).to_csv("zeros.csv", index=False)
    gyro.iloc[:30].to_csv("short.csv", index=False)
    gyro.assign(label="calm").to_csv("labelled.csv", index=False)
    gyro.rename(columns={"g1": "ax"}).to_csv("again.csv", index=False)
    (folder / "elsewhere").mkdir()
    gyro.to_csv("elsewhere/gyro.csv", index=False)
    return folder


@pytest.mark.parametrize("command", ["compare", "fit"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        # files
        (("nowhere.csv", *TABLE[1:]), "no file 'nowhere.csv'"),
        (("folder.csv", *TABLE[1:]), "'folder.csv' is a folder"),
        (("table.xlsx", *TABLE[1:]), "ends in '.xlsx'; expected a file that ends in one of .csv"),
        (("empty.csv", *TABLE[1:]), "'empty.csv' is empty"),
        (("header.csv", *TABLE[1:]), "has a header, but no rows"),
        (("binary.csv", *TABLE[1:]), "is no text"),
        (("latin.csv", *TABLE[1:]), "is no text in UTF-8: byte 0xe9"),
        (("ragged.csv", *TABLE[1:]), "is no CSV file"),
        (("long.csv", *TABLE[1:]), "rows with more cells than its header, which has 4"),
        (("twice.csv", *TABLE[1:]), "columns of the same name: 'ax'"),
        (("noise.csv.gz", *TABLE[1:]), "'noise.csv.gz' cannot be read"),
        (("cut.csv.gz", *TABLE[1:]), "'cut.csv.gz' cannot be read"),
        (("noise.parquet", *TABLE[1:]), "is no Parquet file"),
        (
            ("commas.tsv", *TABLE[1:]),
            "in row 1; expected numbers with decimal points and no commas",
        ),
        (("utf16.csv", *TABLE[1:]), "is text in UTF-16; save it in UTF-8"),
        (("spaced.csv", *TABLE[1:]), "columns of the same name: 'ax'"),
        # columns
        (("data.csv", "--target", "lable", *MODALITIES), "did you mean 'label'?"),
        (("data.csv", "--target", "Label", *MODALITIES), "did you mean 'label'?"),
        (("data.csv", "--target", "qqq", *MODALITIES), "there are 'sample', 'label'"),
        ((*TABLE, "--groups", "subjects"), "--groups 'subjects' is no column"),
        ((*TABLE, "--id", "samples"), "--id 'samples' is no column"),
        (("data.csv", *TARGET), "one file needs --modality"),
        ((*TABLE, "--modality", "accel=size"), "'accel' is given twice"),
        ((*TABLE, "--modality", "more=axx"), "'axx' is no column of 'data.csv'; did you mean 'ax'"),
        ((*TABLE, "--modality", "more=q*"), "no column of 'data.csv' matches 'q*'"),
        ((*TABLE, "--modality", "more=ax,size"), "'ax' is in the modalities 'accel' and 'more'"),
        ((*TABLE, "--modality", "more=label"), "takes column 'label', which is --target"),
        ((*TABLE, "--modality", "more=s*", "--id", "sample"), "'sample', which is --id"),
        ((*TABLE, "--modality", "more=s*", "--groups", "subject"), "'subject', which is --groups"),
        ((*TABLE, "--groups", "label"), "'label' is --target and --groups"),
        ((*TABLE, "--modality", "more"), "expected NAME=COLUMN,COLUMN,..., got 'more'"),
        ((*TABLE, "--modality", "=ax"), "expected NAME=COLUMN"),
        ((*TABLE, "--modality", "more=ax,,ay"), "expected NAME=COLUMN"),
        # joining
        (("labels.csv", "gyro.csv", *TARGET), "2 files need --id"),
        (("labels.csv", "accel.csv", "idless.csv", *FILES[3:], *TARGET), "column of 'idless.csv'"),
        (("labels.csv", "accel.csv", "emptyid.csv", *FILES[3:], *TARGET), "is empty in 1 of 40"),
        (("labels.csv", "accel.csv", "doubled.csv", *FILES[3:], *TARGET), "more than once: 's01'"),
        (("labels.csv", "accel.csv", "strange.csv", *FILES[3:], *TARGET), "no id is in both"),
        (("labels.csv", "accel.csv", "numbered.csv", *FILES[3:], *TARGET), "has numbers such as 0"),
        (("labels.csv", "accel.csv", "short.csv", *FILES[3:], *TARGET), "10 of 40 samples lack"),
        (("labels.csv", "labelled.csv", *FILES[3:], *TARGET), "'label' is in 'labels.csv', 'lab"),
        (("gyro.csv", "elsewhere/gyro.csv", "labels.csv", *FILES[3:], *TARGET), "name 'gyro'"),
        (
            ("labels.csv", "accel.csv", "again.csv", *FILES[3:], *TARGET, "--modality", "a=ax"),
            "'ax' is in 'accel.csv', 'again.csv'",
        ),
        ((*TABLE, "--id", "subject"), "more than once: '0', '1', '2', ... (10 in all); a column"),
        (("counted.csv", "zeros.csv", *FILES[3:], *TARGET), "but for leading zeros"),
        # targets
        (("one.csv", *TABLE[1:]), "is 'calm' for every sample"),
        (("rare.csv", *TABLE[1:]), "class 'rare' of --target 'label' has 2 samples; cross-val"),
        (("rare.csv", *TABLE[1:], "--cv", "3"), "class 'rare' of --target 'label' has 2 samples; "),
        ((*TABLE, "--cv", "21"), "has 20 samples; --cv 21 needs at least 21 of each; take --cv 20"),
        (("gaps.csv", *TABLE[1:]), "is empty in 20 of 40 rows: 2, 4, 6, ..."),
        (("named.csv", *TABLE[1:]), "40 different texts in 40 samples"),
        (("whole.csv", *TABLE[1:]), "say --task classification or --task regression"),
        ((*TABLE, "--task", "regression"), "holds 'calm'; --task regression expects numbers"),
        (
            ("fractions.csv", *TABLE[1:], "--task", "classification"),
            "holds fractions such as 0.125",
        ),
        (("fractions.csv", *TABLE[1:], "--cv", "30"), "40 samples; expected at least 60"),
        (("lists.parquet", *TABLE[1:]), "'label' holds"),
        # groups and folds
        (("groupless.csv", *TABLE[1:], "--groups", "subject"), "empty for 1 of 40 samples"),
        (("grouped.csv", *TABLE[1:], "--groups", "subject"), "has 2 different values"),
        ((*TABLE, "--groups", "subject", "--cv", "11"), "10 different values; --cv 11 needs"),
        ((*TABLE, "--groups", "subject", "--time-ordered"), "do not go together"),
        ((*TABLE, "--time-ordered", "--cv", "40"), "cv cannot split 40 samples"),
        # modalities
        (("infinite.csv", *TABLE[1:]), "'ax' of 'infinite.csv' is infinite in row 1"),
        (("huge.csv", *TABLE[1:]), "'ax' of 'huge.csv' holds 1e+300 in row 1; expected numbers up"),
        (
            ("huge.csv", "--target", "ax", "--modality", "a=ay", "--modality", "g=g*"),
            "holds 1e+300",
        ),
        (("void.csv", *TABLE[1:]), "no sample has the modality 'gyro'"),
        (("bytes.parquet", *TABLE[1:]), "'ax' of 'bytes.parquet' holds bytes"),
        (("texts.csv", *TABLE[1:]), "kernel of 'gyro' is \"auto\", and"),
        # options
        ((*TABLE, "--cv", "1"), "at least 2, got '1'"),
        ((*TABLE, "--missing", "guess"), "'guess'"),
        ((*TABLE, "--frobnicate"), "--frobnicate"),
        (("data.csv", *MODALITIES), "--target"),
        ((*TABLE, "--target", "size"), "--target: is 'label' and 'size'; expected one target"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_in_data(broken, run, command, arguments, said):
    output = ("-o", "model.skops") if command == "fit" else ("--methods", "uniform", "--fast")
    code, shown, complaint = run(command, *arguments, *output)
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert re.match(rf"mkfusion( {command})?: error: ", complaint)
    assert said in complaint
    assert not (broken / "model.skops").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*TABLE[:5],), "there is one modality (accel); expected two or more"),
        (
            (*TABLE, "--metric", "acuracy"),
            "'acuracy' is no metric of scikit-learn; did you mean 'a",
        ),
        ((*TABLE, "--metric", "f1"), "'f1' is not for this target, 2 classes: it must know which"),
        (
            ("data.csv", "--target", "size", *MODALITIES, "--metric", "roc_auc"),
            "a quantity: it is for classes",
        ),
        ((*TABLE, "--metric", "neg_log_loss"), "needs probabilities"),
        (("data.csv", "--target", "size", *MODALITIES, "--metric", "f1"), "target, a quantity"),
        ((*TABLE, "--repeats", "0"), "at least 1, got '0'"),
        ((*TABLE, "--repeats", "2", "--time-ordered"), "--repeats draws folds anew"),
        ((*TABLE, "--sesoi", "0"), "expected a positive number, got '0'"),
        ((*TABLE, "--metric", "accuracy,,f1"), "expected names with commas between them"),
        ((*TABLE, "--methods", "unifrom"), "'unifrom' is no method; did you mean 'uniform'?"),
        ((*TABLE, "--methods", "single"), "nothing that fuses"),
        ((*TABLE, "--seed", "-1"), "between 0 and"),
        ((*TABLE, "--jobs", "0"), "at least 1, or -1, got '0'"),
        ((*TABLE, "--resume", "data.csv"), "is a file; expected a folder"),
        ((*TABLE, "--resume", "no/such/folder"), "no such folder: 'no/such'"),
        ((*TABLE, "-o", "report.pdf"), "ends in .html or .md, got 'report.pdf'"),
        ((*TABLE, "-o", "no/such/report.html"), "no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_in_what_compare_alone_takes(folder, run, arguments, said):
    code, shown, complaint = run("compare", *arguments)
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert said in complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*TABLE,), "-o/--output"),
        ((*TABLE, "-o", "model.pkl"), "ends in .skops, got 'model.pkl'"),
        ((*TABLE, "-o", "model.skops", "--C", "0"), "expected a positive number, got '0'"),
        ((*TABLE, "-o", "model.skops", "--C", "inf"), "expected a positive number, got 'inf'"),
        ((*TABLE, "-o", "model.skops", "--p", "0.5"), "at least 1, or \"inf\", got '0.5'"),
        ((*TABLE[:3], "--modality", "a__b=ax", "-o", "model.skops"), "a__b"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_in_what_fit_alone_takes(folder, run, arguments, said):
    code, shown, complaint = run("fit", *arguments)
    assert (code, shown) == (2, "")
    assert complaint.count("\n") == 1
    assert said in complaint


def test_samples_without_anything(folder, run):
    frame = pd.read_csv("data.csv")
    frame.loc[4, ["ax", "ay", "g1", "g2"]] = np.nan
    frame.to_csv("data.csv", index=False)
    code, _, complaint = run("compare", *TABLE, "--missing", "keep", "--id", "sample")
    assert code == 2
    assert "1 of 40 samples have no modality at all, such as sample 's04'" in complaint


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(folder, run):
    (folder / "data.csv").chmod(0)
    code, _, complaint = run("compare", *TABLE)
    assert code == 2
    assert "permission denied" in complaint


@pytest.mark.parametrize(
    ("package", "command"),
    [("pandas", "compare"), ("pandas", "fit"), ("skops", "fit"), ("skops", "predict")],
)
def test_missing_packages(folder, run, monkeypatch, package, command):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else found(name)
    )
    arguments = {"compare": TABLE, "fit": (*TABLE, "-o", "m.skops"), "predict": ("m", "data.csv")}
    code, _, complaint = run(command, *arguments[command])
    assert code == 2
    assert complaint.endswith(f" needs {package}: install mkfusion[cli]\n")


def test_parquet_needs_pyarrow(folder, study, run, monkeypatch):
    study.to_parquet("data.parquet")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name)
    )
    code, _, complaint = run("compare", "data.parquet", *TABLE[1:])
    assert code == 2
    assert complaint.endswith("reading Parquet needs pyarrow: install mkfusion[cli]\n")


@pytest.mark.parametrize("locked", ["made", "made/model.skops"])
def test_what_cannot_be_replaced_is_said_before_the_work(folder, run, monkeypatch, locked):
    (folder / "made").mkdir()
    (folder / "made/model.skops").write_text("what was there")
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != locked and may(path, mode))
    code, _, complaint = run("fit", *TABLE, "-o", "made/model.skops")
    assert code == 2
    assert complaint.endswith(f"cannot write to {locked!r}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_full_disk(folder, command):
    own = ["--C", "1", "-o", "m.skops"]
    if command == "compare":
        own = ["--fast", "--methods", "uniform", "--cv", "2"]
    call = [sys.executable, "-m", "mkfusion", command, *TABLE, *own]
    with open("/dev/full", "w") as full:
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert re.fullmatch(rf"mkfusion {command}: error: cannot write: .*\n", done.stderr)


@pytest.mark.parametrize(
    ("error", "said"),
    [(MemoryError("20 GiB"), "not enough memory: 20 GiB"), (BrokenExecutor(), "--jobs 1 takes")],
)
def test_too_little_memory(folder, run, monkeypatch, error, said):
    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr("mkfusion.compare.run_comparison", fail)
    code, _, complaint = run("compare", *TABLE)
    assert code == 2
    assert complaint.count("\n") == 1
    assert said in complaint


@pytest.mark.parametrize("kind", [TypeError, ValueError])
@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("compare", "mkfusion.compare._run.run_fold"),
        ("compare", "mkfusion.compare._result.holm"),
        ("compare", "mkfusion.cli._compare.print_comparison"),
        ("fit", "mkfusion.cli._fit._print"),
        ("fit", "mkfusion.cli._fit.clone"),
        ("predict", "mkfusion.cli._predict._check_present"),
        ("predict", "mkfusion.cli._predict._as_table"),
    ],
)
def test_our_faults_are_not_blamed_on_users(folder, run, monkeypatch, command, place, kind):
    arguments: tuple[object, ...] = (*TABLE, "--fast", "--methods", "uniform", "--cv", 2)
    if command != "compare":
        arguments = (*TABLE, "--C", 1, "-o", "model.skops")
    if command == "predict":
        assert run("fit", *arguments)[0] == 0
        arguments = ("model.skops", "data.csv")

    def fault(*given, **options):
        raise kind("a fault")

    monkeypatch.setattr(place, fault)
    with pytest.raises(kind, match="a fault"):
        run(command, *arguments)


@pytest.mark.parametrize("command", ["compare", "fit"])
def test_estimators_are_given_the_right_types(folder, run, monkeypatch, command):
    def fault(*given, **options):
        raise TypeError("a fault")

    monkeypatch.setattr(mkfusion.MKLClassifier, "fit", fault)
    arguments = ("--fast", "--methods", "l1_mkl", "--cv", 3)
    if command == "fit":
        arguments = ("-o", "model.skops")
    with pytest.raises(TypeError, match="a fault"):
        run(command, *TABLE, *arguments)


@pytest.fixture
def listening():
    """Take Ctrl-C as a terminal would send it: what a shell starts behind it ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals are not blocked there")
def test_one_interrupt_is_for_one_process(listening):
    """A terminal sends Ctrl-C to all; a process of --jobs that just starts said so in 18 lines."""
    sleep = "import time; print('up', flush=True); time.sleep(60)"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with pytest.raises(KeyboardInterrupt), interrupts_end_here():
        child = subprocess.Popen([sys.executable, "-c", sleep], stdout=subprocess.PIPE)
        child.stdout.readline()
        os.kill(child.pid, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            time.sleep(0.01)
    assert child.poll() is None
    child.kill()
    child.communicate()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
    with pytest.raises(KeyboardInterrupt):  # as before
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)


def test_an_interruption_is_one_line(folder, run, monkeypatch):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mkfusion.compare.run_comparison", interrupted)
    before = sorted(os.listdir(folder))
    code, shown, complaint = run("compare", *TABLE, "-o", "report.html")
    assert (code, shown, complaint) == (130, "", "mkfusion: interrupted\n")
    assert sorted(os.listdir(folder)) == before


def test_warnings_of_folds_that_differ_in_numbers_only_are_said_once(capsys) -> None:
    with notes_for_warnings():
        for fold, kernel in enumerate(["m1", "m1", "m2"]):
            warnings.warn(f"kernel '{kernel}' is poor: {0.5 + fold:.2f} of 60", stacklevel=1)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "note: kernel 'm1' is poor: 0.50 of 60",
        "note: kernel 'm2' is poor: 2.50 of 60",
    ]
