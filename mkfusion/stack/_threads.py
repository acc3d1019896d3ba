"""Threads for passes over large stacks, whose compiled loops release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import joblib
import numba

# A pass over fewer numbers than this ends before another thread has woken up.
_WORTH_A_THREAD = 250_000


@cache
def n_threads() -> int:
    """Return how many threads a pass may use.

    As many as Numba would: all processors, or ``NUMBA_NUM_THREADS``, which joblib sets in its
    worker processes so that these together do not use more processors than there are.
    """
    threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    return max(1, min(joblib.cpu_count(), threads))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, n_threads() - 1), thread_name_prefix="mkfusion")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: the child makes its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def split_for_threads(size: int, numbers: int) -> list[slice]:
    """Cut ``range(size)`` into one piece per thread, for work on so many `numbers` altogether."""
    count = max(1, min(n_threads(), size, numbers // _WORTH_A_THREAD))
    return [slice(i * size // count, (i + 1) * size // count) for i in range(count)]


def in_threads(function: Callable[[slice], Any], pieces: list[slice]) -> None:
    """Call a function with every piece at the same time."""
    futures = [_pool().submit(function, piece) for piece in pieces[1:]]
    function(pieces[0])
    for future in futures:
        future.result()
