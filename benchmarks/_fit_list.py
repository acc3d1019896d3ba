"""One fit on a list of arrays; prints what it took as JSON. Run by the section search."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks._machine import peak_memory
from benchmarks._problems import kernel_bank, load
from mkfusion import MKLClassifier


def fit(name: str, n: int, m: int, p: float) -> dict[str, Any]:
    """Fit m kernels that lie apart, and see by how much memory grows."""
    small = load(name, 200)
    MKLClassifier(p=p).fit(list(kernel_bank(small.X, 4)), small.y)  # loads or compiles everything
    problem = load(name, n)
    grams = [gram.copy() for gram in kernel_bank(problem.X, m)]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # what was held before is past
    before = peak_memory()
    MKLClassifier(p=p).fit(grams, problem.y)
    arrays = sum(gram.nbytes for gram in grams)
    return {"arrays_mb": arrays / 1e6, "peak_x": 1.0 + (peak_memory() - before) / arrays}


if __name__ == "__main__":
    print(json.dumps(fit(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))))
