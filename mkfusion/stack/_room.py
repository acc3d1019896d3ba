"""Whether there is memory for what was asked for, before any of it is taken."""

from __future__ import annotations

import math

from mkfusion.solvers import free_memory

# Bytes that are not worth looking how many are free.
_NEGLIGIBLE = 2**24


def check_room(what: str, needed: float, remedy: str) -> None:
    """Refuse what there is no memory for.

    Parameters
    ----------
    what : str
        What needs it, with its sizes.
    needed : float
        Bytes.
    remedy : str
        What to do.

    Raises
    ------
    MemoryError
        With the sizes.
    """
    if needed <= _NEGLIGIBLE:
        return
    free = free_memory()
    if needed > free or not math.isfinite(needed):
        raise MemoryError(
            f"{what} needs {needed / 2**30:,.3g} GiB of memory, of which {free / 2**30:,.3g} are "
            f"free; {remedy}."
        )
