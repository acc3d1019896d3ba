"""How long a fit may go on, and what ended it; and how much memory there is for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic

# What a fit, or a search, ended at where it did not reach its tolerance.
MAX_ITER, MAX_TIME, ROUNDING, TOO_MANY = "max_iter", "max_time", "rounding", "too_many"


class Deadline:
    """A time at which work ends with what it has.

    Parameters
    ----------
    seconds : float, default=None
        From now; None is never.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = float("inf") if seconds is None else monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether that time has come."""
        return monotonic() >= self._end

    @property
    def left(self) -> float | None:
        """How many seconds are left, some at least; None if there is no end."""
        return None if self._end == float("inf") else max(self._end - monotonic(), 1e-3)


NEVER = Deadline()


# What Linux says of its memory, and of that of a container: the most, and what is used.
_MEMORY = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def free_memory() -> float:
    """Return how many bytes can be allocated without swapping; infinity where nobody says."""
    free = float("inf")
    with suppress(OSError, ValueError):
        for line in _MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                free = 1024.0 * int(line.split()[1])
    with suppress(OSError, ValueError):  # "max" where there is no limit
        most, used = (int(path.read_text(encoding="ascii")) for path in _CONTAINER)
        free = min(free, float(most - used))
    if free == float("inf"):
        with suppress(AttributeError, OSError, ValueError):
            free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return free
