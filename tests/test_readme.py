"""The README and the guide: every example runs, and prints what it says it prints."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))


# What examples of containers import, and the extra that brings it
EXTRAS = {
    "dask": "dask",
    "distributed": "dask",
    "anndata": "omics",
    "mudata": "omics",
    "mne": "eeg",
    "xarray": "xarray",
}
# What others are made with, and what that needs newer than this package does
FOREIGN = {"grakel": "scipy>=1.12", "skbio": "numpy>=2"}


def blocks(page, language):
    """Fenced code blocks of one language, each with the line that it begins on."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S):
        yield text[: match.start()].count("\n") + 2, match[1]


def examples():
    """Every Python block with the lines that it says it prints.

    They stand in a comment after each print, or in a text block below.
    """
    for page in PAGES:
        below = dict(blocks(page, "text"))
        for line, code in blocks(page, "python"):
            after = below.pop(line + code.count("\n") + 3, None)
            said = re.findall(r"^ *print\(.*\)  # (.*)$", code, flags=re.M)
            if after is not None:
                assert not said, f"{page.name}:{line}: two ways to say what is printed"
                said = after.splitlines()
            yield pytest.param(page, line, code, said, id=f"{page.name}:{line}")
        assert not below, f"{page.name}: lines {list(below)} belong to no example"


@pytest.mark.parametrize(("page", "line", "code", "said"), list(examples()))
def test_example_prints_what_it_says(page, line, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for package in re.findall(r"^import (\w+)$", code, flags=re.M):
        if package in EXTRAS:
            pytest.importorskip(package, reason=f"needs mkfusion[{EXTRAS[package]}]")
        if package in FOREIGN:
            pytest.importorskip(package, reason=f"needs {package}, which needs {FOREIGN[package]}")
    assert said or "print(" not in code, "every print states its output"
    example = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", example)  # what it defines can be pickled
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * (line - 1) + code, page.name, "exec"), vars(example))
    assert printed.getvalue().splitlines() == said


def test_three_examples_of_about_ten_lines():
    lines = [code.strip().splitlines() for _, code in blocks(README, "python")]
    assert len(lines) == 3
    # Imports do not count: they say what is used, not how much there is to do.
    bodies = [[line for line in code if not line.startswith(("from", "import"))] for code in lines]
    assert all(len([line for line in body if line]) <= 11 for body in bodies)


def test_two_commands_install_whatever_the_checkout_is_called():
    commands = [code for _, code in blocks(README, "sh")]
    assert len(commands) == 2
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for command, extra in zip(commands, ("plot", "test"), strict=True):
        assert command.count("\n") == 1, "one line to type"
        words = shlex.split(command)
        assert f"$(dirname ../*/mkfusion/ | head -n 1)[{extra}]" in words
        assert extra in extras
    assert commands[0].strip().endswith("env/bin/mkfusion demo")


def commands_of(page):
    """What a page says is to be typed."""
    # Indented blocks are about files that only their readers have.
    shown = "".join(block for _, block in blocks(page, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in shown.splitlines()]


def run_commands(page, folder):
    """Run what a page says is to be typed, in one folder; return commands and what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands_of(page):
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        yield command, done


def test_the_readme_begins_as_the_page_on_the_command_line():
    """Whose commands are run below, so that these need not be."""
    short, long = (
        [shlex.split(command) for command in commands_of(page)]
        for page in (README, ROOT / "docs" / "cli.md")
    )
    assert short and short == long[: len(short)]


def test_commands_run_one_after_the_other(tmp_path):
    done = dict(run_commands(ROOT / "docs" / "cli.md", tmp_path))
    compared = [one.stdout for command, one in done.items() if command.startswith("mkfusion comp")]
    assert compared
    for printed in compared:
        assert re.search("^(Fusion |The modalities are|Undecided)", printed, re.M)
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_files_of_the_data_page_are_read_with_a_note_on_each(tmp_path):
    *_, (command, done) = run_commands(ROOT / "docs" / "data.md", tmp_path)
    assert command.startswith("mkfusion audit")
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    for said in ("semicolons between cells", "is taken for the ids", "'worst.csv.gz' has features"):
        assert sum(said in line for line in notes) == 1
    assert "569 samples" in done.stderr + done.stdout


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
