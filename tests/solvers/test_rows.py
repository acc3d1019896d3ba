"""Rows of the composite kernel within a bounded memory: the same certified answers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mkfusion import Kernelizer, KernelStack, RBFKernel
from mkfusion.solvers import (
    Hinge,
    OneClass,
    Path,
    Setting,
    Squared,
    Tube,
    _machines,
    _mkl,
    _rows,
    solve_mkl,
    solve_paths,
)
from mkfusion.solvers._machines import _extrapolated
from mkfusion.solvers._rows import CompositeRows, WholeRows, bytes_of_rows, largest_block

N = 300
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
SIGNS = np.where(X[:, 0] * X[:, 1] + 0.5 * rng.normal(size=N) > 0, 1.0, -1.0)
OTHERS = np.where(X[:, 2] + 0.5 * rng.normal(size=N) > 0.7, 1.0, -1.0)
NUMBERS = np.sin(2 * X[:, 0]) + X[:, 1] + 0.2 * rng.normal(size=N)
WEIGHTS = np.array([0.2, 0.0, 1.5, 0.3])


@pytest.fixture(scope="module")
def stack() -> KernelStack:
    return Kernelizer([RBFKernel(0.01), RBFKernel(0.1), RBFKernel(1.0), "linear"]).fit_transform(X)


def room_for(n_rows: int, n: int = N) -> int:
    """Memory in which so many rows are kept."""
    return 2 * 8 * n * n_rows


def rows_of(stack: KernelStack, cache: int) -> CompositeRows:
    rows = CompositeRows(stack, stack.diagonal(), cache)
    rows.set_weights(WEIGHTS)
    return rows


@pytest.mark.parametrize("n_rows", [20, 64, N])
def test_rows_come_and_go(stack, monkeypatch, n_rows) -> None:
    monkeypatch.setattr(_rows, "_SMALL_STACK", 0)
    monkeypatch.setattr(_rows, "_COPIED", 7)
    rows, K = rows_of(stack, room_for(n_rows)), stack.combine(WEIGHTS)
    assert rows.buffer.shape == (n_rows, N)
    draw = np.random.default_rng(1)
    before = -1
    for _ in range(30):
        priority = draw.normal(size=N)
        row = int(draw.integers(N))
        # What is asked for violates most, and so does the other one of a pair.
        priority[[row, before]] = 10.0
        if rows.slot[row] < 0:
            rows.fetch(row, priority)
            assert before < 0 or rows.slot[before] >= 0 or n_rows < N
            before = row
        there = np.flatnonzero(rows.slot >= 0)
        assert rows.slot[row] >= 0 and len(there) <= n_rows
        assert len(set(rows.slot[there])) == len(there)
        np.testing.assert_allclose(rows.buffer[rows.slot[there]], K[there], rtol=1e-12)
        some = draw.choice(N, 40, replace=False)
        np.testing.assert_allclose(rows.block(some), K[np.ix_(some, some)], rtol=1e-12)
        change = draw.normal(size=40)
        np.testing.assert_allclose(rows.dot(some, change), change @ K[some], rtol=1e-9, atol=1e-12)
    whole = WholeRows(K)
    np.testing.assert_allclose(whole.dot(some, change), rows.dot(some, change), atol=1e-11)
    rows.set_weights(np.ones(4))
    assert (rows.slot < 0).all()


def test_settled_samples_make_way(stack, monkeypatch) -> None:
    monkeypatch.setattr(_rows, "_FIRST_BATCH", 4)
    monkeypatch.setattr(_rows, "_SMALL_STACK", 0)
    monkeypatch.setattr(_rows, "_CALL", 1)
    rows = rows_of(stack, room_for(20))
    rows.require(np.arange(20))
    priority = np.full(N, -2.0)
    priority[:15], priority[[50, 60]] = 1.0, 3.0  # all others are settled
    rows.fetch(50, priority)
    assert (rows.slot[[*range(15), 50, 60]] >= 0).all()


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (Hinge(), SIGNS[np.newaxis]),
        (Hinge(), np.array([SIGNS, OTHERS])),
        (Tube(0.1), NUMBERS[np.newaxis]),
        (OneClass(0.3), np.zeros((1, N))),
    ],
    ids=["binary", "several", "tube", "one class"],
)
def test_the_same_optimum_with_few_rows(stack, monkeypatch, p, loss, y) -> None:
    monkeypatch.setattr(_rows, "_SMALL_STACK", 0)
    cost = np.full(y.shape, 2.0) * (1 + np.arange(N) % 3)
    if isinstance(loss, OneClass):
        cost /= cost.sum()
    expected = solve_mkl(stack.materialize(), y, cost, loss=loss, p=p, tol=1e-3)
    found = solve_mkl(stack, y, cost, loss=loss, p=p, tol=1e-3, cache=room_for(90))
    assert found.converged and found.gap <= 1e-3
    # The optimum lies between both values of either.
    assert found.dual <= expected.primal * (1 + 1e-12) and expected.dual <= found.primal
    forms = stack.quadratic(found.beta)
    np.testing.assert_allclose(found.forms, forms, rtol=1e-8, atol=1e-12)


def test_by_samples_within_a_bounded_memory(stack, monkeypatch) -> None:
    monkeypatch.setattr(_mkl, "MANY_SAMPLES", N)
    cost = np.full((1, N), 1.0)
    expected = solve_mkl(stack.materialize(), SIGNS[np.newaxis], cost, tol=1e-3)
    # Most samples are support vectors, and there is no room for all rows.
    assert np.count_nonzero(expected.beta) > 0.5 * N
    found = solve_mkl(stack, SIGNS[np.newaxis], cost, tol=1e-3, cache=room_for(100))
    assert found.converged
    assert found.primal == pytest.approx(expected.primal, rel=2e-3)


def test_linear_systems_of_squared_losses_are_solved_whole(stack) -> None:
    cost = np.ones((1, N))
    y = NUMBERS[np.newaxis]
    expected = solve_mkl(stack.materialize(), y, cost, loss=Squared(), p=2.0, tol=1e-6)
    found = solve_mkl(stack, y, cost, loss=Squared(), p=2.0, tol=1e-6, cache=room_for(50))
    assert found.converged
    assert found.primal == pytest.approx(expected.primal, rel=2e-6)


def test_paths_share_the_memory(stack) -> None:
    cost = np.ones((1, N))
    path = Path(SIGNS[np.newaxis], [Setting(C * cost, 1.5, 0.0) for C in (0.5, 1.0)])
    dense = stack.materialize()
    expected = solve_paths(dense, [path] * 3, tol=1e-4)
    found = solve_paths(dense, [path] * 3, tol=1e-4, cache=room_for(2 * N))
    for ours, theirs in zip(sum(found, []), sum(expected, []), strict=True):
        assert ours.converged
        assert ours.primal == pytest.approx(theirs.primal, rel=2e-4)


def test_memory_is_bounded() -> None:
    n, cache = 3000, 2**23
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(n, 3))
    y = np.where(Z[:, 0] * Z[:, 1] + 0.3 * draw.normal(size=n) > 0, 1.0, -1.0)[np.newaxis]
    big = Kernelizer([RBFKernel(0.1), RBFKernel(1.0)]).fit_transform(Z)
    few = big.take(np.arange(450), np.arange(450))
    solve_mkl(few, y[:, :450], np.ones((1, 450)), tol=1e-2, cache=cache)  # compiles
    tracemalloc.start()
    found = solve_mkl(big, y, np.ones((1, n)), tol=1e-2, cache=cache)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.converged
    # What has a length is of the order n m; nothing is of the order n n.
    assert peak <= cache + 8 * n * 2 * 60 < 8 * n * n / 5


def test_a_block_and_its_copies_fit() -> None:
    for cache in (10**5, 2**31):
        assert 3 * 8 * largest_block(cache) ** 2 <= cache // 2
    assert bytes_of_rows(100) == 2 * 8 * 100**2


def test_hessians_of_some_samples_are_extrapolated() -> None:
    bend = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert _extrapolated(bend, 0.5 * bend, 8.0) == pytest.approx(8.0)
    assert _extrapolated(bend, bend / np.sqrt(2.0), 16.0) == pytest.approx(4.0)
    assert _extrapolated(bend, bend, 8.0) == 1.0
    assert _extrapolated(np.zeros((2, 2)), np.zeros((2, 2)), 8.0) == 1.0


def test_hardly_any_memory(stack, monkeypatch) -> None:
    """Room for less than a row, or a system of one sample, is room for a few."""
    monkeypatch.setattr(_rows, "_SMALL_STACK", 0)
    few, y = stack.take(np.arange(60), np.arange(60)), SIGNS[np.newaxis, :60]
    cost = np.full(y.shape, 2.0)
    found = solve_mkl(few, y, cost, p=2.0, tol=1e-3, cache=1)
    expected = solve_mkl(few.materialize(), y, cost, p=2.0, tol=1e-3)
    assert found.converged
    assert found.dual <= expected.primal * (1 + 1e-12) and expected.dual <= found.primal
    with_room = solve_mkl(few, y, cost, p=2.0, tol=1e-3)
    assert found.primal == pytest.approx(with_room.primal, rel=2e-3)


@pytest.mark.parametrize("p", [1.0, 1.5])
def test_some_of_many_free_support_vectors_tell_how_the_objective_bends(p, monkeypatch) -> None:
    """Weights learned with rough models are as good as those learned with models of all."""
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(500, 4))
    y = np.where(Z[:, 0] * Z[:, 1] + draw.normal(size=500) > 0, 1.0, -1.0)[np.newaxis]
    kernels = [RBFKernel(gamma) for gamma in (0.05, 0.3, 1.0)]
    stack = Kernelizer(kernels).fit_transform(Z).materialize()
    exact = solve_mkl(stack, y, np.full(y.shape, 10.0), p=p, tol=1e-5)
    assert np.count_nonzero(np.abs(exact.beta) % 10.0) > 90
    monkeypatch.setattr(_machines, "_MOST_TELLING", 30)
    rough = solve_mkl(stack, y, np.full(y.shape, 10.0), p=p, tol=1e-5)
    assert rough.converged
    assert rough.dual <= exact.primal * (1 + 1e-12) and exact.dual <= rough.primal * (1 + 1e-12)
    assert rough.primal == pytest.approx(exact.primal, rel=2e-5)
