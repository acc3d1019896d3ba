"""Help reads well, tells all there is, and loads nothing heavy."""

import re
import subprocess
import sys

import pytest

from mkfusion.compare import ALWAYS, METHODS

COMMANDS = ("compare", "audit", "fit", "predict", "demo")


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS)])
def test_help_has_an_example_and_fits_a_terminal(arguments, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, shown, complaint = run(*arguments, "--help")
    assert (code, complaint) == (0, "")
    assert "example" in shown
    assert f"mkfusion {arguments[0] if arguments else 'compare'} " in shown.split("example")[1]
    assert max(map(len, shown.splitlines())) <= 84


def test_help_has_a_line_for_every_method(run):
    listed = run("compare", "--help")[1].split("methods:\n")[1].split("\n\n")[0].splitlines()
    named = dict(line.split(maxsplit=1) for line in listed)
    assert named == {key: one.summary for key, one in METHODS.items() if key not in ALWAYS}


def test_help_loads_nothing_heavy():
    code = (
        "import sys, sklearn.svm; from_sklearn = set(sys.modules)\n"
        "from mkfusion import cli\n"
        "heavy = ('numba', 'matplotlib', 'rich', 'pandas', 'skops', 'pyarrow')\n"
        f"for command in {COMMANDS}:\n"
        "    try: cli.main([command, '--help'])\n"
        "    except SystemExit: pass\n"
        "    loaded = sys.modules.keys() - from_sklearn\n"
        "    print(command, 'heavy:', [m for m in heavy if m in loaded])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = [line for line in done.stdout.splitlines() if " heavy: " in line]
    assert told == [f"{command} heavy: []" for command in COMMANDS]


@pytest.mark.parametrize("arguments", [("--version",), ("fit", "--help"), ("fit", "--nonsense")])
def test_python_runs_the_command_by_the_name_of_the_package(arguments, run):
    call = [sys.executable, "-m", "mkfusion", *arguments]
    done = subprocess.run(call, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == run(*arguments)
    assert re.match("(usage: )?mkfusion ", done.stdout + done.stderr)
