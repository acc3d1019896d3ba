"""What every test run shares."""

from importlib.metadata import version

import pytest

SHOWN = ("numpy", "scipy", "scikit-learn", "numba", "joblib", "pandas", "cvxpy")


def pytest_report_header(config: pytest.Config) -> str:
    """State the versions that the run tells about."""
    return "with " + ", ".join(f"{name} {version(name)}" for name in SHOWN)
