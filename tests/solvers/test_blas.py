"""BLAS is limited to one thread during a fit, and only then."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from mkfusion import MKLClassifier
from mkfusion.solvers import one_blas_thread


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_limit_is_lifted_again() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread(), one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_fits_in_threads_lift_it_too() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 4
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        for _ in range(3):
            MKLClassifier(per_class_weights=True, n_jobs=2).fit([X @ X.T, np.eye(40)], y)
        assert blas_threads() == before
