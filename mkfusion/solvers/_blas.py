"""BLAS on one thread for a while.

Its threads gain nothing on matrices of the size that solvers factorise, and where processors are
shared they wait for each other a hundred times longer than they compute.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes a millisecond.
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread, in the whole process, until the context is left.

    Returns
    -------
    context manager
    """
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits
