"""What a new process waits for: import, compiled code from the cache or from nothing.

import: wall time of a process that imports sklearn.svm and sklearn.pipeline, against one that then
imports mkfusion too. first_s and second_s: MKLClassifier.fit in a new process and the same again in
it: one fit (p = 1.5, 500 samples, 3 kernels), or six (p = 1, 1.5 and 2; 100 and 500 samples) that
compile all there is. From an empty Numba cache, with the cache that this left behind, and, the six,
from an install directory that is read-only. gap: the largest that the models report. files: in the
cache.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mkfusion
from benchmarks._report import Report, Table

IMPORT_TARGET, WARM_TARGET, COLD_TARGET = 0.3, 1.0, 15.0
_PEER_IMPORT = "import sklearn.svm, sklearn.pipeline"
_FIT = """
import json, os, sys, time
import numpy as np
import mkfusion
from mkfusion import MKLClassifier
from sklearn.metrics.pairwise import rbf_kernel

several = sys.argv[1] == "six fits"

def fit_all():
    gaps = []
    for n in (100, 500) if several else (500,):
        X = np.random.default_rng(0).normal(size=(n, 5))
        y = X[:, 0] + X[:, 1] ** 2 > 0.7
        grams = [rbf_kernel(X, gamma=gamma) for gamma in (0.03, 0.1, 0.3)]
        start = time.perf_counter()
        for p in (1.0, 1.5, 2.0) if several else (1.5,):
            gaps.append(MKLClassifier(C=10, p=p).fit(grams, y).duality_gap_)
        seconds[-1] += time.perf_counter() - start
    return max(gaps)

seconds, gaps = [], []
for _ in range(2):
    seconds.append(0.0)
    gaps.append(fit_all())
folder = os.path.dirname(mkfusion.__file__)
print(json.dumps({
    "first_s": seconds[0], "second_s": seconds[1], "gap": max(gaps), "folder": folder,
    "writable": os.access(folder, os.W_OK),
}))
"""


class Grid(NamedTuple):
    """How many processes a median is taken over."""

    processes: int


FULL, QUICK = Grid(9), Grid(3)
WORKS = ("one fit", "six fits")
COLUMNS = "work cache first_s second_s extra_s gap files".split()


def run(report: Report, grid: Grid) -> None:
    """Measure import and first fits in new processes and compare with the targets."""
    package = Path(mkfusion.__file__).parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        added = _import_seconds(package.parent, folder, grid.processes)
        table = report.table("start", COLUMNS)
        extras = {
            what: _fits(table, what, package.parent, folder, grid.processes) for what in WORKS
        }
        report.say()
        _read_only(report, table, package, folder)
    report.say()
    for what, seconds in added.items():
        report.say(f"{what}: {seconds:.3f} s")
    peer, ours = added.values()
    report.target("import mkfusion adds", ours - peer, IMPORT_TARGET, " s")
    for what, (cold, warm) in extras.items():
        report.target(
            f"{what}, first with a warm cache, beyond the second", warm, WARM_TARGET, " s"
        )
        report.target(f"{what}, first from an empty cache", cold, COLD_TARGET, " s")
    report.say()


def _import_seconds(root: Path, folder: Path, processes: int) -> dict[str, float]:
    """Return the median seconds of both imports, each in processes of its own."""
    codes = {
        _PEER_IMPORT: _PEER_IMPORT,
        "the same and mkfusion": f"{_PEER_IMPORT}; import mkfusion",
    }
    times: dict[str, list[float]] = {what: [] for what in codes}
    for turn in range(processes + 1):
        for what, code in codes.items():
            start = time.perf_counter()
            _python([code], root, folder)
            if turn > 0:  # the first one may have had to read and compile files
                times[what].append(time.perf_counter() - start)
    return {what: statistics.median(values) for what, values in times.items()}


def _fits(table: Table, what: str, root: Path, folder: Path, processes: int) -> tuple[float, float]:
    """Return the first fit from an empty cache, and what it costs extra with a warm one."""
    cache = folder / f"cache of {what}"
    found = _fit(what, root, folder, NUMBA_CACHE_DIR=str(cache))
    _add(table, what, "empty", found, cache)
    cold = found["first_s"]
    warm = [_fit(what, root, folder, NUMBA_CACHE_DIR=str(cache)) for _ in range(processes)]
    middle = sorted(warm, key=lambda one: one["first_s"] - one["second_s"])[processes // 2]
    _add(table, what, "warm", middle, cache)
    return cold, middle["first_s"] - middle["second_s"]


def _read_only(report: Report, table: Table, package: Path, folder: Path) -> None:
    """Fit twice from a copy of the package that cannot be written to, and find its cache."""
    prefix = _powerless()
    if prefix is None:
        report.say("read-only install directory: skipped, permissions mean nothing to this user")
        return
    root, home = folder / "installed", folder / "home"
    copy = root / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    folders = [root, copy, *(path for path in copy.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    try:
        found = []
        for cache in ("user 1st", "user 2nd"):
            found.append(_fit(WORKS[-1], root, folder, prefix, **environment))
            _add(table, WORKS[-1], cache, found[-1], home)
    finally:
        for path in folders:
            path.chmod(0o755)
    second = found[-1]
    if Path(second["folder"]).resolve() != copy.resolve() or second["writable"]:
        raise RuntimeError(
            f"used {second['folder']}; expected {copy}, and no right to write there."
        )
    inside, outside = len(_compiled(copy)), len(_compiled(home))
    verdict = "reached" if inside == 0 and outside > 0 else "not reached"
    report.say(
        f"read-only install directory, a user's cache instead: {verdict}: {outside} compiled "
        f"files in the home directory, {inside} in the package"
    )
    extra = second["first_s"] - second["second_s"]
    report.target(
        "there, first fits of another process, beyond its second", extra, WARM_TARGET, " s"
    )


def _powerless() -> list[str] | None:
    """Return what to run a command with so that permissions hold; None if nothing does."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        return None
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", dropped, "--inh-caps", dropped]


def _add(table: Table, what: str, cache: str, found: dict[str, Any], folder: Path) -> None:
    first, second = found["first_s"], found["second_s"]
    table.add(work=what, cache=cache, first_s=first, second_s=second, extra_s=first - second,
              gap=found["gap"], files=len(_compiled(folder)))  # fmt: skip


def _compiled(folder: Path) -> list[Path]:
    return list(folder.rglob("*.nbc"))


def _fit(
    what: str, root: Path, folder: Path, prefix: Sequence[str] = (), **environment: str
) -> dict[str, Any]:
    return json.loads(_python([_FIT, what], root, folder, prefix, **environment))


def _python(
    code: list[str], root: Path, folder: Path, prefix: Sequence[str] = (), **environment: str
) -> str:
    """Run code in a new process that finds the package in `root`, and return what it printed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "PYTHON"))}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", *code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(root), **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout
