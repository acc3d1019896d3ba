"""How results come back from joblib, whose backends differ in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from joblib import effective_n_jobs, parallel_config
from sklearn.utils.parallel import Parallel


def in_turn(calls: Iterable[Any], n_jobs: int | None, prefer: str | None = None) -> Iterator[Any]:
    """Return what calls return, in their order, each as soon as it is there.

    joblib's ``"multiprocessing"`` and Ray hand over all at the end.

    Parameters
    ----------
    calls : iterable
        Of ``delayed(function)(*arguments)``.
    n_jobs : int or None
        As joblib has it.
    prefer : {"threads", "processes"}, default=None
        Where the user has not chosen a backend.
    """
    try:
        parallel = Parallel(n_jobs=n_jobs, prefer=prefer, return_as="generator")
    except ValueError:  # joblib's word for a backend that cannot
        parallel = Parallel(n_jobs=n_jobs, prefer=prefer)
    return iter(parallel(calls))


def threads_for(n_jobs: int | None) -> int:
    """Return how many threads of this process ``Parallel(n_jobs, require="sharedmem")`` uses.

    Not as many as the processors of the cluster to which joblib sends other work.
    """
    asked = Parallel(n_jobs=n_jobs, require="sharedmem").n_jobs
    with parallel_config(backend="threading"):
        return int(effective_n_jobs(asked))
