"""Many samples of which few matter: the same certified answer, with far fewer rows."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion import Kernelizer, KernelStack, RBFKernel
from mkfusion.solvers import Hinge, OneClass, Squared, Tube, _mkl, solve_mkl
from mkfusion.stack._bank import BankStack
from mkfusion.stack._stack import ComputedStack
from oracles.names import named

N = 900
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 4))
X[:, 0] += np.where(np.arange(N) % 2, 2.5, -2.5)
SIGNS = np.where(np.arange(N) % 2, 1.0, -1.0)
OTHERS = np.where(X[:, 0] > 3.0, 1.0, -1.0)
NUMBERS = X[:, 0] + 0.1 * rng.normal(size=N)
KERNELS = [RBFKernel(0.05), RBFKernel(0.5), "linear"]


@pytest.fixture
def stack() -> ComputedStack:
    return Kernelizer(KERNELS).fit_transform(X)


@pytest.fixture
def chosen(monkeypatch) -> list[int]:
    """Sizes of the problems that are solved instead of the one on all samples."""
    monkeypatch.setattr(_mkl, "MANY_SAMPLES", N)
    sizes: list[int] = []
    take = ComputedStack.take

    def counted(self: ComputedStack, rows, cols) -> ComputedStack:
        if rows is not None and rows is cols and self.shape[0] == N:
            sizes.append(len(rows))
        return take(self, rows, cols)

    monkeypatch.setattr(ComputedStack, "take", counted)
    return sizes


def primal(grams, y, cost, result, p, loss) -> float:
    """The objective, from scratch."""
    f = np.einsum("k,kij,uj->ui", result.weights, grams, result.beta) + result.intercept[:, None]
    forms = np.einsum("ui,kij,uj->k", result.beta, grams, result.beta)
    assert np.linalg.norm(result.weights, ord=p) <= 1 + 1e-9
    each = (
        np.maximum(0, 1 - y * f) if loss == Hinge() else np.maximum(0, np.abs(y - f) - loss.epsilon)
    )
    return 0.5 * float(result.weights @ forms) + float(np.sum(cost * each))


@pytest.mark.parametrize("p", [1.0, 1.5, np.inf])
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (Hinge(), SIGNS[np.newaxis]),
        (Hinge(), np.array([SIGNS, OTHERS])),
        (Tube(0.3), NUMBERS[np.newaxis]),
    ],
    ids=["binary", "several", "tube"],
)
def test_the_same_optimum(stack, chosen, p, loss, y) -> None:
    tol = 1e-5
    cost = np.full(y.shape, 2.0) * (1 + np.arange(N) % 3)
    found = solve_mkl(stack, y, cost, loss=loss, p=p, tol=tol)
    assert chosen and max(chosen) < 0.6 * N
    dense = stack.materialize()
    expected = solve_mkl(dense, y, cost, loss=loss, p=p, tol=tol)
    assert found.converged and found.gap <= tol
    assert found.primal == pytest.approx(expected.primal, rel=2 * tol)
    assert found.primal == pytest.approx(primal(dense.array, y, cost, found, p, loss), rel=1e-9)
    forms = np.einsum("ui,kij,uj->k", found.beta, dense.array, found.beta)
    q = {1.0: np.inf, 1.5: 3.0, np.inf: 1.0}[p]
    gain = np.sum(y * found.beta) - getattr(loss, "epsilon", 0.0) * np.abs(found.beta).sum()
    assert found.dual == pytest.approx(gain - 0.5 * np.linalg.norm(forms, ord=q), rel=1e-9)


def test_the_penalty_form(stack, chosen) -> None:
    y, cost = SIGNS[np.newaxis], np.ones((1, N))
    found = solve_mkl(stack, y, cost, p=2.0, lam=0.5, tol=1e-5)
    expected = solve_mkl(stack.materialize(), y, cost, p=2.0, lam=0.5, tol=1e-5)
    assert chosen and found.converged
    assert found.primal == pytest.approx(expected.primal, rel=2e-5)


@pytest.mark.parametrize("loss", [Squared(), OneClass(0.2)], ids=named)
def test_not_where_every_sample_counts(stack, chosen, loss) -> None:
    cost = np.ones((1, N))
    found = solve_mkl(stack, NUMBERS[np.newaxis], cost, loss=loss, tol=1e-4)
    expected = solve_mkl(stack.materialize(), NUMBERS[np.newaxis], cost, loss=loss, tol=1e-4)
    assert found.converged
    assert found.primal == pytest.approx(expected.primal, rel=1e-3)
    assert len(chosen) <= 2  # the sample that the first weights are learned on


def test_not_where_most_samples_are_support_vectors(stack, chosen) -> None:
    y = rng.permutation(SIGNS)[np.newaxis]
    found = solve_mkl(stack, y, np.ones((1, N)), tol=1e-3)
    assert found.converged
    assert len(chosen) <= 2


def test_not_where_the_kernels_are_in_memory(monkeypatch) -> None:
    monkeypatch.setattr(_mkl, "MANY_SAMPLES", N)
    monkeypatch.setattr(_mkl, "solve_by_samples", lambda *_: pytest.fail("chose samples"))
    solve_mkl(KernelStack(X @ X.T), SIGNS[np.newaxis], np.ones((1, N)))


def test_samples_without_a_price_stay_out(stack, chosen) -> None:
    y, cost = SIGNS[np.newaxis].copy(), np.ones((1, N))
    y[:, ::5], cost[:, ::5] = -y[:, ::5], 0.0  # wrong labels that do not count
    found = solve_mkl(stack, y, cost, tol=1e-5)
    assert chosen and found.converged
    assert not found.beta[:, ::5].any()


def test_progress_and_what_is_left_of_the_iterations(stack, chosen) -> None:
    reported: list[tuple[int, float]] = []
    y, cost = SIGNS[np.newaxis], np.full((1, N), 100.0)
    found = solve_mkl(
        stack, y, cost, tol=1e-9, max_iter=3, report=lambda n, gap, _: reported.append((n, gap))
    )
    assert not found.converged
    assert found.n_iter >= 3
    assert [n for n, _ in reported] == sorted(n for n, _ in reported)
    assert reported[-1][1] == found.gap > 1e-9


def test_banks_too(monkeypatch) -> None:
    from mkfusion import RBFBank

    monkeypatch.setattr(_mkl, "MANY_SAMPLES", N)
    stack = RBFBank(12, random_state=0).fit_transform(X)
    assert isinstance(stack, BankStack)
    y, cost = SIGNS[np.newaxis], np.ones((1, N))
    found = solve_mkl(stack, y, cost, tol=1e-4)
    expected = solve_mkl(stack.materialize(), y, cost, tol=1e-4)
    assert found.primal == pytest.approx(expected.primal, rel=2e-4)
