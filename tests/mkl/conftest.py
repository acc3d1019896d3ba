"""The oracle tests leave a table of their worst gap errors at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oracles import checks

EXAMINED = pytest.StashKey[list[checks.Examination]]()


@pytest.fixture
def examined(request: pytest.FixtureRequest) -> Callable[[checks.Examination], None]:
    """Add one examination to the table."""
    return request.config.stash.setdefault(EXAMINED, []).append


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table."""
    examinations = config.stash.get(EXAMINED, [])
    if examinations:
        terminalreporter.section("oracle: worst relative gaps by form, norm and tolerance")
        terminalreporter.write_line(checks.table(examinations))
