"""``mkfusion demo`` prints what it promises, draws it, and refuses bad options in one line."""

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
from sklearn.model_selection import StratifiedKFold, cross_val_score

from mkfusion import cli
from mkfusion.compare._demo import COSTS, INNER_FOLDS, demo_methods, run_demo
from mkfusion.compare._demo_report import comparison, print_report, report_console
from mkfusion.compare._progress import Progress
from mkfusion.compare._studies import SOURCES, load_study

DEMO = (sys.executable, "-m", "mkfusion.cli", "demo")
ROWS = (
    "accelerometer alone",
    "gyroscope alone",
    "all columns, one SVC",
    "uniform kernel sum",
    "L1-MKL",
    "L2-MKL",
)
SCORE_ROW = re.compile(
    r"(?P<method>.+?) +(\d+|1 of 4) +10{0,2}(\.\.10{0,2})? +(?P<mean>[01]\.\d{3}) +(?P<sd>0\.\d{3})"
    r" +(?P<gap>-|\d\.\de-\d\d) +(?P<seconds>[\d.]+)"
)
WEIGHT_ROW = re.compile(r"(\S+)\s+(0|[01]\.\d{4} \(\d\.\d{4}\))\s+(0|[01]\.\d{4} \(\d\.\d{4}\))")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the demonstration, drawing included: its output and its picture."""
    picture = tmp_path_factory.mktemp("demo") / "weights.png"
    done = subprocess.run(
        [*DEMO, "--cv", "3", "--samples", "40", "--output", picture],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done, picture


def test_table_has_every_method_with_score_gap_and_time(run):
    rows = _score_rows(run[0].stdout)
    assert tuple(rows) == ROWS
    for name, row in rows.items():
        assert 0.5 < float(row["mean"]) <= 1
        assert float(row["seconds"]) > 0
        if name == "all columns, one SVC":
            assert row["gap"] == "-"
        else:
            assert float(row["gap"]) <= 1e-3


def test_scores_are_those_of_nested_cross_validation_on_the_same_folds(run):
    study, _ = load_study("basic_motions", 40, 0)
    folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=0)
    shown = _score_rows(run[0].stdout)
    for name, method in demo_methods(study, seed=0).items():
        scores = cross_val_score(method, study.X, study.y, cv=folds)
        assert shown[name]["mean"] == f"{scores.mean():.3f}"
        assert shown[name]["sd"] == f"{scores.std(ddof=1):.3f}"


def test_every_method_chooses_among_the_same_costs_on_the_same_inner_folds():
    study, _ = load_study("mfeat", None, 0)
    for method in demo_methods(study, seed=5).values():
        assert (method.cv.n_splits, method.cv.random_state) == (INNER_FOLDS, 5)
        grids = method.param_grid if isinstance(method.param_grid, list) else [method.param_grid]
        for grid in grids:
            assert [grid[name] for name in grid if name.endswith("__C")] == [COSTS]


def _score_rows(output):
    rows = filter(None, map(SCORE_ROW.fullmatch, output.splitlines()))
    return {row["method"]: row.groupdict() for row in rows}


def test_every_kernel_has_its_weight(run):
    lines = run[0].stdout.splitlines()
    rows = [match for match in map(WEIGHT_ROW.fullmatch, lines) if match]
    names = [row[1] for row in rows]
    assert len(names) == len(set(names)) == 16
    assert {name.split("_")[0] for name in names} == {"accelerometer", "gyroscope"}
    # At p = 1 the weights of each fold, and so their means, add up to one (to printed digits).
    assert sum(float(row[2].split()[0]) for row in rows) == pytest.approx(1, abs=1e-3)
    assert any(row[2] == "0" for row in rows), "L1-MKL should leave kernels out"


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
    steps = re.findall(r"^\[(\d+)/18\] (.+)$", run[0].stderr, flags=re.M)
    assert [label for _, label in steps][1:] == list(ROWS)
    assert [int(done) for done, _ in steps] == [0, 0, 3, 6, 9, 12, 15]


def test_no_line_is_wider_than_80_columns(run):
    # The last line names the picture, wherever it is.
    assert max(map(len, run[0].stdout.splitlines()[:-1])) <= 80


@pytest.fixture(scope="module")
def mfeat():
    return run_demo("mfeat", cv=2, seed=0, samples=60, progress=Progress())


def test_drawn_samples_are_said_and_a_seed_gives_the_same_scores(mfeat, capsys):
    code = cli.main(["demo", "--data", "mfeat", "--cv", "2", "--samples", "60", "--no-plot"])
    shown = capsys.readouterr().out
    assert code == 0
    assert "60 samples of 2000" in shown
    rows = _score_rows(shown)
    assert list(rows) == [outcome.method for outcome in mfeat.outcomes]
    for outcome in mfeat.outcomes:
        assert rows[outcome.method]["mean"] == f"{outcome.scores.mean():.3f}"


def test_another_seed_gives_other_scores(mfeat):
    other = run_demo("mfeat", cv=2, seed=1, samples=60, progress=Progress())
    assert any(
        (a.scores != b.scores).any() for a, b in zip(mfeat.outcomes, other.outcomes, strict=True)
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_shows_whole_tables(mfeat, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = io.StringIO()
    console = report_console()
    console.file = shown
    print_report(mfeat, console)
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown.getvalue()
    rows = _score_rows(shown.getvalue())
    assert len(rows) == 10


def test_gain_is_the_mean_of_paired_differences(mfeat):
    scores = {outcome.method: outcome.scores for outcome in mfeat.outcomes}
    best = max((f"{name} alone" for name in mfeat.study.modalities), key=lambda m: scores[m].mean())
    head, *gains = comparison(mfeat)
    assert best in head
    for method, line in zip(("L1-MKL", "L2-MKL"), gains, strict=True):
        gain = scores[method] - scores[best]
        assert line.strip() == f"{method}: {gain.mean():+.3f} ({gain.std(ddof=1):.3f})"


def test_nothing_is_claimed_where_one_modality_makes_no_error(mfeat):
    outcomes = [
        outcome._replace(scores=np.ones(2)) if outcome.method == "zer alone" else outcome
        for outcome in mfeat.outcomes
    ]
    said = " ".join(comparison(mfeat._replace(outcomes=outcomes)))
    assert said.startswith("Zer alone makes no error")
    assert "cannot show" in said


def test_gap_above_the_tolerance_is_marked(mfeat, capsys):
    outcomes = [outcome._replace(tol=outcome.gap and outcome.gap / 2) for outcome in mfeat.outcomes]
    print_report(mfeat._replace(outcomes=outcomes), report_console())
    shown = capsys.readouterr().out
    assert "! above the tolerance: fou alone" in shown
    assert shown.count(" !") >= 9


def test_samples_keep_the_classes_in_proportion():
    study, n_all = load_study("mfeat", None, 3)
    assert n_all == 2000
    assert np.unique(study.y, return_counts=True)[1].tolist() == [40] * 10


def test_choices_of_data_are_the_studies(capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--data", "iris"])
    shown = capsys.readouterr().err
    assert all(repr(name) in shown or name in shown for name in SOURCES)
    for name in SOURCES:
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


def test_help_loads_nothing_heavy():
    code = (
        "import sys, sklearn.svm; from_sklearn = set(sys.modules)\n"
        "from mkfusion import cli\n"
        "try: cli.main(['demo', '--help'])\n"
        "except SystemExit: pass\n"
        "loaded = sys.modules.keys() - from_sklearn\n"
        "print('heavy:', [m for m in ('numba', 'matplotlib', 'rich') if m in loaded])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy: []\n")


@pytest.mark.slow
@pytest.mark.parametrize("data", SOURCES)
def test_runs_from_a_cold_numba_cache(data, tmp_path):
    subprocess.run(
        [*DEMO, "--data", data],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        check=True,
        timeout=300,
    )
    assert (tmp_path / "mkfusion_weights.png").exists()
