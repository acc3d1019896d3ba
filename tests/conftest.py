"""What every test run shares."""

import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

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
