"""What the machine offers: processors, memory and the bandwidth between them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from benchmarks._timing import interleave

# Much larger than any cache, and no more than this share of the memory available.
_BANDWIDTH_BYTES = 2**30
_BANDWIDTH_SHARE = 0.1
# Above this load for each processor, others are working too.
_BUSY = 0.3


def in_child(module: str, *arguments: object) -> Any:
    """Run a module of this folder in a process of its own; return what it prints last, as JSON.

    It finds the folder wherever the parent runs; warnings are not printed between the figures.
    """
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *map(str, arguments)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def describe() -> list[str]:
    """Say on what the figures that follow were measured."""
    names = ("numpy", "scipy", "scikit-learn", "numba", "mkfusion")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    cores = cpu_count()
    lines = [
        f"Python {platform.python_version()}, {versions}",
        f"{platform.machine()}, {cores} processors, {available_memory() / 2**30:.1f} GiB available",
    ]
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        if load > _BUSY * cores:
            lines.append(f"NOISY: the load average was {load:.1f} before this section began.")
    return lines


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def available_memory() -> int:
    """Return how many bytes can be allocated without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def bandwidth(threads: int, n_bytes: int = _BANDWIDTH_BYTES) -> float:
    """Return the bytes a second at which threads together read an array in memory once."""
    size = int(min(n_bytes, _BANDWIDTH_SHARE * available_memory())) // 8
    values = np.ones(size)
    pieces = np.array_split(values, threads)

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:

        def read() -> None:
            # A dot product releases the interpreter and is bound by memory alone.
            for _ in pool.map(lambda piece: piece @ piece, pieces):
                pass

        seconds = interleave({"read": read}, min_rounds=5)["read"].seconds
    return values.nbytes / seconds


def peak_memory() -> int:
    """Return the most bytes that this process has held in memory so far."""
    # On Linux ru_maxrss starts at what the parent process held; the high-water mark does not.
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
