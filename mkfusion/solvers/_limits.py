"""How long a fit may go on, and what ended it."""

from __future__ import annotations

from time import monotonic

# What a fit ended at where it did not reach its tolerance.
MAX_ITER, MAX_TIME, ROUNDING = "max_iter", "max_time", "rounding"


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


NEVER = Deadline()
