"""Medians of times, all sides interleaved in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

MIN_ROUNDS, MAX_ROUNDS = 3, 15
BUDGET_SECONDS = 1.0


class Timed(NamedTuple):
    """The median time of a call, what its last call returned, and its least processor time.

    Processor seconds, of all threads, say something on a busy machine too.
    """

    seconds: float
    result: Any
    processor: float


def interleave(
    sides: Mapping[str, Callable[[], Any]],
    *,
    once: Collection[str] = (),
    min_rounds: int = MIN_ROUNDS,
    budget: float = BUDGET_SECONDS,
) -> dict[str, Timed]:
    """Call every side in turn, in rounds of alternating order, and time each call.

    Parameters
    ----------
    sides : mapping of str to callable
    once : collection of str, default=()
        Sides that are called in the first round only.
    min_rounds : int, default=3
    budget : float, default=1.0
        Rounds are added, up to 15, until so many seconds have passed.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    processor = dict.fromkeys(sides, float("inf"))
    results: dict[str, Any] = {}
    begin = time.perf_counter()
    for turn in range(MAX_ROUNDS):
        names = [name for name in sides if turn == 0 or name not in once]
        for name in names if turn % 2 == 0 else reversed(names):
            results.pop(name, None)  # so that its memory can be used again
            start, start_processor = time.perf_counter(), time.process_time()
            results[name] = sides[name]()
            times[name].append(time.perf_counter() - start)
            processor[name] = min(processor[name], time.process_time() - start_processor)
        if turn + 1 >= min_rounds and time.perf_counter() - begin > budget:
            break
    return {
        name: Timed(float(np.median(times[name])), results[name], processor[name]) for name in sides
    }
