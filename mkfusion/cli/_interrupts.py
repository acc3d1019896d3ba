"""Ctrl-C is for one process: the others of ``--jobs`` end with it, and say nothing of their own."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from joblib.externals.loky.backend import resource_tracker as joblib_tracker


@contextmanager
def interrupts_end_here() -> Iterator[None]:
    """Let processes that begin inside not see Ctrl-C, which a terminal sends to all of them.

    One that is just starting would print a traceback. They inherit that the signal is blocked;
    here a thread waits for it, and interrupts the main one at its next step (joblib looks after its
    processes a hundred times a second).
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    done = threading.Event()

    def wait() -> None:
        while True:
            signal.sigwait({signal.SIGINT})
            if done.is_set():
                return
            _thread.interrupt_main()

    # Where these are started first, they unblock the signal.
    resource_tracker.ensure_running()
    joblib_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    watch = threading.Thread(target=wait, daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        signal.pthread_kill(watch.ident, signal.SIGINT)  # type: ignore[arg-type]
        watch.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
