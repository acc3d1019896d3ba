"""``mkfusion demo`` prints what it promises, draws it, and refuses bad options in one line."""

import contextlib
import importlib.util
import io
import os
import re
import struct
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from mkfusion import Modalities, cli
from mkfusion.cli._console import Report
from mkfusion.cli._demo import (
    COSTS,
    DEFAULT_SAMPLES,
    INNER_FOLDS,
    compare,
    demo_methods,
    load_study,
    print_demo,
)

DEMO = (sys.executable, "-m", "mkfusion", "demo")
ROWS = (
    "no modality (majority class)",
    "accelerometer alone",
    "gyroscope alone",
    "early fusion",
    "uniform kernel sum",
    "L1-MKL",
    "L2-MKL",
)
CHOSEN = ("best single modality", "best simple baseline", "best fusion method")
SCORE_ROW = re.compile(
    r"(?P<method>\S.*?) +(?P<mean>[01]\.\d{3}) +(?P<low>-?[\d.]+) to (?P<high>[\d.]+)"
    r" +(?P<loss>[\d.]+) +(?P<seconds>-|[\d.]+)"
)
WEIGHT_ROW = re.compile(r"(\S+)\s+(0|[01]\.\d{4} \(\d\.\d{4}\))\s+(0|[01]\.\d{4} \(\d\.\d{4}\))")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the demonstration, drawing included: its output and its picture."""
    picture = tmp_path_factory.mktemp("demo") / "weights.png"
    done = subprocess.run(
        [*DEMO, "--cv", "2", "--samples", "40", "--output", picture],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done, picture


def _score_rows(output):
    table = output.split("\nScores\n")[1].split("\n\n")[0]
    rows = filter(None, map(SCORE_ROW.fullmatch, map(str.rstrip, table.splitlines())))
    return {row["method"]: row.groupdict() for row in rows}


def test_table_has_every_method_with_score_and_time(run):
    rows = _score_rows(run[0].stdout)
    assert tuple(rows) == ROWS + CHOSEN
    for name, row in rows.items():
        assert (0.5 if name != ROWS[0] else 0.2) < float(row["mean"]) <= 1
        assert row["seconds"] == "-" if name in CHOSEN else float(row["seconds"]) >= 0


def test_gaps_are_told_and_within_the_tolerance(run):
    gaps = re.findall(r"^(L[12]-MKL): .*largest duality gap\s+(\S+)$", run[0].stdout, flags=re.M)
    assert [method for method, _ in gaps] == ["L1-MKL", "L2-MKL"]
    assert all(float(gap) <= 1e-3 for _, gap in gaps)


def test_scores_are_those_of_nested_cross_validation_on_the_same_folds(run):
    study, _ = load_study("basic_motions", 40, 0)
    folds = StratifiedKFold(n_splits=2, shuffle=True, random_state=0)
    inner = StratifiedKFold(n_splits=INNER_FOLDS, shuffle=True, random_state=0)
    shown = _score_rows(run[0].stdout)
    for method in demo_methods(study):
        search = GridSearchCV(method.estimator, {"mklclassifier__C": COSTS}, cv=inner)
        scores = cross_val_score(search, study.X, study.y, cv=folds)
        assert shown[method.label]["mean"] == f"{scores.mean():.3f}"


def test_where_fusion_helps_and_where_it_does_not(run):
    said = run[0].stdout.split("Where fusion helps, and where it does not\n")[1]
    assert "Numerals: Fusion helps." in said
    assert re.search(r"^Smart watch: (Undecided whether|Fusion is lower)", said, flags=re.M)
    single, fused, saved = map(
        float,
        re.search(r"^numerals +([\d.]+) +([\d.]+) +\+([\d.]+) +helps$", said, flags=re.M).groups(),
    )
    assert fused > single + 0.05 and saved > 0


def test_every_kernel_has_its_weight(run):
    lines = run[0].stdout.splitlines()
    rows = [match for match in map(WEIGHT_ROW.fullmatch, lines) if match]
    names = [row[1] for row in rows]
    assert len(names) == len(set(names)) == 16
    assert {name.split("_")[0] for name in names} == {"accelerometer", "gyroscope"}
    # At p = 1 the weights of each fold, and so their means, add up to one (to printed digits).
    assert sum(float(row[2].split()[0]) for row in rows) == pytest.approx(1, abs=1e-3)
    assert any(row[2] == "0" for row in rows), "L1-MKL should leave kernels out"
    assert "It is not importance: what a modality is worth, the scores" in " ".join(lines)


def test_picture_is_a_png_of_readable_size(run):
    data = run[1].read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 1200
    assert height >= 600
    assert str(run[1]) in run[0].stdout


def test_piped_output_is_plain_and_progress_goes_elsewhere(run):
    assert "\x1b" not in run[0].stdout + run[0].stderr
    assert run[0].stdout.isascii()
    steps = re.findall(r"^\[(\d+)/14\] (.+)$", run[0].stderr, flags=re.M)
    assert [label for _, label in steps][1:] == [f"{method}: done" for method in ROWS] * 2
    assert [int(done) for done, _ in steps] == list(range(15))


def test_no_line_is_wider_than_80_columns(run):
    # The last line names the picture, wherever it is.
    assert max(map(len, run[0].stdout.splitlines()[:-1])) <= 80


MFEAT = ["demo", "--data", "mfeat", "--cv", "2", "--samples", "60"]


@pytest.fixture(scope="module")
def printed():
    """What one run in this process was given to print, its code and its output."""
    given, output = [], io.StringIO()

    def watched(*arguments):
        given.extend(arguments[:-1])
        print_demo(*arguments)

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr("mkfusion.cli._demo.print_demo", watched)
        code = cli.main([*MFEAT, "--no-plot"])
    return given, code, output.getvalue()


@pytest.fixture(scope="module")
def mfeat(printed):
    return printed[0]


def test_drawn_samples_are_said_with_all_scores(printed):
    (found, *_), code, shown = printed
    assert code == 0
    assert "60 samples of 2000" in shown
    rows = _score_rows(shown)
    assert list(rows) == [one.method for one in found.summary_]
    for one in found.summary_:
        assert rows[one.method]["mean"] == f"{one.means['accuracy']:.3f}"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_gives_the_same_scores_and_another_gives_others(mfeat, seed):
    # That learned weights are the same again is shown below.
    study, _ = load_study("mfeat", 60, seed)
    other = compare(study, [], cv=2, seed=seed)
    shared = [one.method for one in other.summary_ if one.method in ROWS or "alone" in one.method]
    assert len(shared) == 9  # nothing, six modalities, early fusion, and the plain sum
    same = [(mfeat[0].scores(name) == other.scores(name)).all() for name in shared]
    assert all(same) if seed == 0 else not all(same)


def test_weights_are_those_of_the_models_that_were_scored(mfeat):
    found, study, _, learned = mfeat
    for method, one in zip(demo_methods(study), learned, strict=True):
        for score in (score for score in found.results_ if score.method == method.label):
            train, test = found.conditions_.folds[score.fold - 1]
            model = method.estimator.set_params(**score.params).fit(study.X[train], study.y[train])
            assert model.score(study.X[test], study.y[test]) == score.scores["accuracy"]
            np.testing.assert_array_equal(model[-1].weights_, one.weights[score.fold - 1])


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_shows_whole_tables(mfeat, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_demo(*mfeat, Report())
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    for summary in mfeat[0].summary_:
        assert f" {summary.means['accuracy']:.3f} " in shown
    assert all(f"{np.mean(w):.4f}" in shown for w in mfeat[3][1].weights.T)


def test_difference_is_the_mean_of_paired_differences(mfeat, capsys):
    found = mfeat[0]
    print_demo(*mfeat, Report())
    table = capsys.readouterr().out.split("Against the best single modality\n")[1].split("\n\n")[0]
    for method in ("early fusion", "uniform kernel sum", "L1-MKL", "L2-MKL"):
        difference = (found.losses("best single modality") - found.losses(method)).mean()
        (row,) = re.findall(rf"^{method} +([+-]?\d\.\d{{3}}) ", table, flags=re.M)
        assert float(row) == pytest.approx(difference, abs=5.1e-4)


def test_nothing_is_claimed_where_one_modality_makes_no_error(mfeat, capsys):
    _, study, *rest = mfeat
    # As many ones as there are folds of no error: the first modality is the label.
    X = Modalities({"label": np.eye(10)[study.y.astype(int)], "zer": study.X["zer"]})
    found = compare(study._replace(X=X), [], cv=2, seed=0)
    print_demo(found, study, *rest, Report())
    said = " ".join(capsys.readouterr().out.split())
    assert "Undecided whether fusion helps." in said or "Fusion is lower" in said
    assert "makes no error on any fold: these data cannot show whether fusion helps" in said


def test_gap_above_the_tolerance_is_marked(mfeat, capsys):
    *rest, learned = mfeat
    print_demo(*rest, [one._replace(tol=one.gap / 2) for one in learned], Report())
    shown = capsys.readouterr().out
    assert shown.count("! above the tolerance: L") == 2


def test_samples_keep_the_classes_in_proportion():
    study, n_all = load_study("mfeat", None, 3)
    assert n_all == 2000
    assert np.unique(study.y, return_counts=True)[1].tolist() == [40] * 10


def test_choices_of_data_are_the_studies(capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--data", "iris"])
    shown = capsys.readouterr().err
    assert all(repr(name) in shown or name in shown for name in DEFAULT_SAMPLES)
    for name in DEFAULT_SAMPLES:
        with pytest.raises(SystemExit, match="2"):
            cli.main(["demo", "--data", name, "--cv", "1"])
        assert "--cv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["dance"], "'dance'"),
        (["demo", "--data", "iris"], "'iris'"),
        (["demo", "--cv", "1"], "at least 2, got '1'"),
        (["demo", "--cv", "many"], "at least 2, got 'many'"),
        (["demo", "--cv", "21"], "at most 20 folds"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--seed", str(2**32)], "between 0 and 4294967295"),
        (["demo", "--samples", "7"], "takes 20 to 80 samples, got 7"),
        (["demo", "--samples", "81"], "takes 20 to 80 samples, got 81"),
        (["demo", "--samples", "23", "--cv", "2"], "takes 24 to 80 samples, got 23"),
        (["demo", "--output", "weights.jpg"], "ends in .png, got 'weights.jpg'"),
        (["demo", "--output", "no/such/folder/w.png"], "no such folder: 'no/such/folder'"),
        (["demo", "--frobnicate"], "--frobnicate"),
    ],
    ids=" ".join,
)
def test_bad_option_is_one_line_and_code_2(arguments, said, capsys):
    try:
        code = cli.main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert said in shown.err


def test_folder_as_output_is_refused(tmp_path, capsys):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SystemExit, match="2"):
        cli.main(["demo", "--output", str(tmp_path / "folder.png")])
    assert "is a folder" in capsys.readouterr().err


def test_without_matplotlib_the_way_out_is_said(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["demo"]) == 2
    shown = capsys.readouterr().err
    assert "mkfusion[plot]" in shown
    assert "--no-plot" in shown


def test_interruption_is_one_line(monkeypatch, capsys):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "mkfusion: interrupted\n"


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"mkfusion {version('mkfusion')}\n"


@pytest.mark.slow
@pytest.mark.parametrize("data", DEFAULT_SAMPLES)
def test_runs_from_a_cold_numba_cache(data, tmp_path):
    subprocess.run(
        [*DEMO, "--data", data],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        check=True,
        timeout=300,
    )
    assert (tmp_path / "mkfusion_weights.png").exists()


def test_a_picture_that_fails_half_way_leaves_the_old_one(mfeat, tmp_path, monkeypatch, capsys):
    path = tmp_path / "weights.png"
    path.write_bytes(b"good")

    def half(figure, file, **settings):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("mkfusion.cli._demo.compare", lambda *given, **options: mfeat[0])
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", half)
    code = cli.main([*MFEAT, "--output", str(path)])
    complaint = capsys.readouterr().err
    assert code == 2
    assert "weights.png' cannot be written: no space left" in complaint
    assert path.read_bytes() == b"good"
    assert [one.name for one in tmp_path.iterdir()] == ["weights.png"]
