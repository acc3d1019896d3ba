"""Several paths on the same kernels, side by side, so that the kernels are read once for all.

What a path costs is mostly reading kernels: rows of the composite kernel for new weights, and
products with the dual variables that changed. The paths of all folds of a cross-validation ask for
much the same rows. Here each runs on a thread of its own as far as it gets without the kernels, and
waits; when all of them wait, what they want is read together. Which requests are served together
depends on the paths alone, not on the speed of threads, so neither do results.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from mkfusion._types import Floats, Indices, Stack
from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._many import MKLResult, Stop
from mkfusion.solvers._mkl import HINGE, MANY_KERNELS, Setting, first_weights, solve_path
from mkfusion.solvers._rows import CACHE, bytes_of_rows
from mkfusion.solvers._weights import Regulariser

# A request for fewer numbers costs less than waiting for the others.
_WORTH_WAITING = 100_000
# So many paths side by side share nearly all that can be shared.
_MOST_TOGETHER = 32


class Path(NamedTuple):
    """Problems of the same targets.

    Attributes
    ----------
    y : ndarray of shape (n_tasks, n)
        Targets: labels -1 and 1, or numbers.
    settings : sequence of Setting
    """

    y: Floats
    settings: Sequence[Setting]


def solve_paths(
    stack: Stack,
    paths: Sequence[Path],
    *,
    loss: Loss = HINGE,
    tol: float = 1e-3,
    max_iter: int = 200,
    max_time: float | None = None,
    n_jobs: int = 1,
    cache: int = CACHE,
) -> list[list[MKLResult]]:
    """Solve several paths on the same kernels, each as `solve_path` does.

    Parameters
    ----------
    stack : Stack
        Symmetric positive semi-definite kernels of shape (n, n, n_kernels).
    paths : sequence of Path
        A fold of a cross-validation is a path on which the samples held out have no price.
    loss, tol, max_iter
        As for `solve_path`.
    max_time : float, default=None
        Seconds for each problem, times the number of paths side by side; None is no limit.
    n_jobs : int, default=1
        How many paths may compute at the same time.
    cache : int, default=2**31
        As for `solve_mkl`; paths side by side, of which each holds rows of its own, share it.

    Returns
    -------
    list of lists of MKLResult
        For each path and setting.
    """
    n, _, m = stack.shape
    together = min(len(paths), _MOST_TOGETHER, max(1, cache // bytes_of_rows(n)))
    if not stack.in_memory or m > MANY_KERNELS:
        together = 1  # there is nothing to be gained
    found: list[list[MKLResult]] = []
    with one_blas_thread():
        for first in range(0, len(paths), together):
            some = paths[first : first + together]

            def solve(
                path: Path, kernels: Stack, start: Floats | None, count: int = len(some)
            ) -> list[MKLResult]:
                return list(
                    solve_path(
                        kernels,
                        path.y,
                        path.settings,
                        loss=loss,
                        tol=tol,
                        max_iter=max_iter,
                        max_time=None if max_time is None else max_time * count,
                        fresh=False,
                        start=start,
                        cache=cache // count,
                    )
                )

            if len(some) == 1:
                found.append(solve(some[0], stack, None))
            else:
                starts = _starts(stack, some, loss, Deadline(max_time), cache)
                found.extend(_Meeting(stack, n_jobs).run(solve, some, starts))
    return found


def _starts(
    stack: Stack, paths: Sequence[Path], loss: Loss, deadline: Deadline, cache: int
) -> list[Floats | None]:
    """Return weights to begin with: folds begin with those of the first among them."""
    diagonal = stack.diagonal()
    known: dict[tuple[float, float, int], Floats] = {}
    starts: list[Floats | None] = []
    for y, settings in paths:
        cost, p, lam = settings[0]
        if (p, lam, len(y)) not in known:
            reg = Regulariser(float(p), float(lam))
            # It is loose, whatever the tolerance is.
            stop = Stop(1.0, 1, deadline, None)
            known[p, lam, len(y)] = first_weights(stack, y, cost, loss, reg, diagonal, stop, cache)
        starts.append(known[p, lam, len(y)])
    return starts


class _Request(NamedTuple):
    """What one path wants of the kernels."""

    beta: Floats | None  # for products, otherwise rows of the composite kernel
    weights: Floats | None
    which: Indices
    out: Floats


class _Left(BaseException):
    """Ends a path that nobody waits for any more."""


class _Meeting:
    """Where paths wait for each other.

    Parameters
    ----------
    stack : Stack
    n_jobs : int
        How many may compute at the same time.
    """

    def __init__(self, stack: Stack, n_jobs: int) -> None:
        self._stack = stack
        self._n_jobs = n_jobs
        self._turns: list[threading.Semaphore] = []
        self._told: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._over = False

    def run(
        self,
        solve: Callable[[Path, Stack, Floats | None], list[MKLResult]],
        paths: Sequence[Path],
        starts: Sequence[Floats | None],
    ) -> list[list[MKLResult]]:
        """Call ``solve(path, kernels, start)`` for every path, and return what each returns."""
        count = len(paths)
        results: list[Any] = [None] * count
        self._turns = [threading.Semaphore(0) for _ in paths]

        def work(path: int) -> None:
            try:
                self._take_turn(path)
                kernels = _Shared(self._stack, self, path)
                results[path] = solve(paths[path], kernels, starts[path])
                self._told.put((path, None))
            except _Left:
                pass
            except BaseException as error:
                self._told.put((path, error))

        threads = [
            threading.Thread(target=work, args=(path,), daemon=True) for path in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            self._preside(count)
        finally:
            self._over = True
            for turn in self._turns:
                turn.release()
            for thread in threads:
                thread.join()
        return results

    def _preside(self, count: int) -> None:
        """Give paths their turns until all have ended, and serve them when all wait."""
        ready, waiting, computing = deque(range(count)), dict[int, _Request](), 0
        while ready or computing or waiting:
            while ready and computing < self._n_jobs:
                self._turns[ready.popleft()].release()
                computing += 1
            if computing:
                path, told = self._told.get()
                computing -= 1
                if isinstance(told, BaseException):
                    raise told
                if told is not None:
                    waiting[path] = told
                continue
            # Rows first: who needs them will want products next, with all the others.
            rows = [path for path, request in waiting.items() if request.beta is None]
            served = sorted(rows or waiting)
            self._serve([waiting.pop(path) for path in served], rows=bool(rows))
            ready.extend(served)

    def _serve(self, requests: list[_Request], *, rows: bool) -> None:
        which, out = [r.which for r in requests], [r.out for r in requests]
        if rows:
            self._stack.combine_several(np.array([r.weights for r in requests]), which, out)
        else:
            self._stack.add_dot_several(
                [r.beta for r in requests if r.beta is not None], out, which
            )

    def wait(self, path: int, request: _Request) -> None:
        """Let a path wait until its request was served."""
        self._told.put((path, request))
        self._take_turn(path)

    def _take_turn(self, path: int) -> None:
        self._turns[path].acquire()
        if self._over:
            raise _Left


class _Shared:
    """A stack that several paths read together."""

    def __init__(self, stack: Stack, meeting: _Meeting, path: int) -> None:
        self._stack = stack
        self._meeting = meeting
        self._path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stack, name)

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        n = self._stack.shape[0]
        numbers = np.count_nonzero(weights) * n * (n if rows is None else len(rows))
        if cols is not None or numbers < _WORTH_WAITING:
            self._stack.combine_into(weights, rows, cols, out)
            return
        which = np.arange(n) if rows is None else rows
        self._meeting.wait(self._path, _Request(None, weights, which, out))

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        n, _, m = self._stack.shape
        which = np.arange(m) if kernels is None else kernels
        if which.size * n * np.count_nonzero(beta.any(axis=0)) < _WORTH_WAITING:
            self._stack.add_dot(beta, out, kernels)
            return
        self._meeting.wait(self._path, _Request(beta, None, which, out))
