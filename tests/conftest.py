"""What every test run shares."""

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

# For what is loaded from here on and for processes that begin here, as those of -n 2 do. The
# matrices of tests are small, and threads of BLAS that wait for a core which another process has
# took most of the time.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

SHOWN = ("numpy", "scipy", "scikit-learn", "numba", "joblib", "pandas", "cvxpy")


def pytest_report_header(config: pytest.Config) -> str:
    """State the versions that the run tells about."""
    return "with " + ", ".join(f"{name} {version(name)}" for name in SHOWN)


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    """Close the figures of each test: Matplotlib warns of the twenty-first, in whichever test."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
