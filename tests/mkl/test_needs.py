"""What a fit will take is said before it begins, and how much it may take can be said too."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from mkfusion import (
    ColumnKernelizer,
    Kernelizer,
    KernelStack,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLClassifierCV,
    MKLNoveltyDetector,
    MKLRegressor,
    MKLRegressorCV,
    MKLSurvivalAnalysis,
    RBFKernel,
    mkl_path,
)
from mkfusion.mkl import _needs, _validation
from mkfusion.solvers import _limits, free_memory
from mkfusion.stack import _views

N = 60
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
Y = np.where(X[:, 0] + 0.3 * rng.normal(size=N) > 0, "up", "down")
KERNELS = [RBFKernel(0.1), RBFKernel(1.0)]


@pytest.fixture
def stack() -> KernelStack:
    return Kernelizer(KERNELS).fit_transform(X)


class Enormous(KernelStack):
    """Kernels of which nothing can be computed."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self._known_gram = np.ones(2, dtype=bool)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.n, self.n, 2

    def block(self, k, rows, cols) -> np.ndarray:
        raise AssertionError("a block was computed")


def test_the_squared_loss_of_very_many_samples_is_refused() -> None:
    n = 3_000_000  # whose linear system takes hundreds of terabytes
    with pytest.raises(MemoryError) as refused:
        MKLRegressor(loss="squared_error").fit(Enormous(n), np.arange(n) % 7.0)
    message = str(refused.value)
    assert "MKLRegressor on 3000000 samples and 2 kernels needs 201" in message
    assert "epsilon_insensitive" in message and "NystroemKernels" in message


def test_the_partial_likelihood_of_very_many_samples_is_refused() -> None:
    n = 3_000_000
    y = np.array([(True, 1.0)], dtype=[("event", bool), ("time", float)]).repeat(n)
    with pytest.raises(MemoryError, match="MKLSurvivalAnalysis on 3000000 samples") as refused:
        MKLSurvivalAnalysis().fit(Enormous(n), y)
    assert "take fewer" in str(refused.value)
    assert "Nystroem" not in str(refused.value)  # features would not spare the system


def test_gated_machines_of_very_many_samples_are_refused() -> None:
    n = 3_000_000
    with pytest.raises(MemoryError) as refused:
        LocalizedMKLClassifier().fit(Enormous(n), np.arange(n) % 2)
    message = str(refused.value)
    assert "LocalizedMKLClassifier on 3000000 samples and 2 kernels needs 26" in message
    assert "take fewer; or MKLClassifier" in message


@pytest.mark.parametrize(
    "fit",
    [
        lambda stack: MKLClassifier().fit(stack, Y),
        lambda stack: MKLClassifierCV(cv=2).fit(stack, Y),
        lambda stack: mkl_path(stack, Y, C=[1.0, 2.0]),
        lambda stack: MKLRegressor().fit(stack, X[:, 0]),
        lambda stack: MKLNoveltyDetector().fit(stack),
    ],
    ids=["classifier", "CV", "path", "regressor", "novelty"],
)
def test_what_there_is_no_memory_for_is_refused(stack, monkeypatch, fit) -> None:
    fit(stack)
    monkeypatch.setattr(_needs, "_NEGLIGIBLE", 0)
    monkeypatch.setattr(_needs, "free_memory", lambda: 1000.0)
    with pytest.raises(MemoryError, match=r"free\. Lower cache_size \(2048 MB\); or Nystroem"):
        fit(stack)


def test_less_cache_needs_less_memory(stack, monkeypatch) -> None:
    vectors = 8 * N * 2 * 6
    monkeypatch.setattr(_needs, "_NEGLIGIBLE", 0)
    monkeypatch.setattr(_needs, "free_memory", lambda: vectors + 0.021 * 2**20)
    with pytest.raises(MemoryError, match=r"Lower cache_size \(2048 MB\)"):
        MKLClassifier().fit(stack, Y)
    fitted = MKLClassifier(cache_size=0.02).fit(stack, Y)
    monkeypatch.undo()
    whole = MKLClassifier().fit(stack, Y)
    assert fitted.duality_gap_ <= fitted.tol
    assert fitted.objective_ == pytest.approx(whole.objective_, rel=2e-3)


@pytest.mark.parametrize(
    "model",
    [
        MKLClassifier(C=100.0),
        MKLRegressor(C=10.0),
        MKLNoveltyDetector(nu=0.2),
        MKLClassifier(lam=1.0),
    ],
    ids=["classifier", "tube", "one class", "penalty form"],
)
def test_a_cache_of_a_few_rows_is_enough(model) -> None:
    """Of several hundred samples on demand, however few bytes there are to be."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    y = X[:, 0] + np.sin(2.0 * X[:, 1]) + 0.3 * rng.normal(size=400)
    y = y if isinstance(model, MKLRegressor) else y > 0.0
    stack = Kernelizer(KERNELS).fit_transform(X)
    few = clone(model).set_params(cache_size=1e-6).fit(stack, y)
    whole = clone(model).fit(stack.materialize(), y)
    assert few.duality_gap_ <= few.tol
    assert few.objective_ == pytest.approx(whole.objective_, rel=2 * model.tol)


@pytest.mark.parametrize("features", [False, True], ids=["on demand", "features"])
def test_kernels_of_another_size_are_named(features) -> None:
    wide = 1e3 * X
    if features:
        stack = KernelStack.from_features([X, wide], names=["near", "far"])
    else:
        kernelizer = ColumnKernelizer(
            [("near", "linear", [0, 1]), ("far", "poly", [0, 1])], normalize=None
        )
        stack = kernelizer.fit_transform(1e2 * X)
    with pytest.warns(ConvergenceWarning) as told:
        MKLClassifier(tol=1e-9, max_iter=1).fit(stack, Y)
    message = str(told[-1].message)
    assert "Kernel 'far" in message and "times as large as 'near" in message
    with pytest.warns(ConvergenceWarning) as told:
        MKLClassifier(tol=1e-9, max_iter=1).fit(KernelStack.from_features([X, 2.0 * X]), Y)
    assert "times as large" not in str(told[-1].message)


@pytest.mark.parametrize(
    "estimator",
    [MKLClassifier, MKLRegressor, MKLNoveltyDetector, MKLClassifierCV, MKLRegressorCV],
)
def test_a_cache_has_a_size(stack, estimator) -> None:
    for size in (0, -1.0, "1 GB", None):
        with pytest.raises(ValueError, match="cache_size"):
            estimator(cache_size=size).fit(stack, X[:, 0] > 0)


def test_models_of_earlier_versions_have_a_cache(stack) -> None:
    old = MKLClassifier()
    del old.__dict__["cache_size"]
    old = pickle.loads(pickle.dumps(old))
    assert old.get_params()["cache_size"] == MKLClassifier().cache_size
    assert old.fit(stack, Y).duality_gap_ <= old.tol


def test_what_takes_long_is_said_before(stack, monkeypatch, capsys) -> None:
    monkeypatch.setattr(_needs, "MANY_SAMPLES", N)
    small = MKLClassifier(cache_size=0.02, verbose=True)
    small.fit(stack, Y)
    assert "[MKL] 60 samples and 2 kernels on demand: about 0 seconds and 0.0 GiB" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(_needs, "_seconds_per_value", lambda stack: 2.5 * 3600 / (4 * N * N * 2))
    with pytest.warns(UserWarning, match="2.5 hours and 0.0 GiB of memory. Nystroem") as told:
        small.fit(stack, Y)
    assert told[0].filename == __file__  # where the user called
    monkeypatch.setattr(_needs, "_seconds_per_value", lambda stack: 600.0 / (4 * N * N * 2))
    small.fit(stack, Y)  # not worth a warning
    assert "about 10 minutes" in capsys.readouterr().out


def test_what_takes_long_with_gates_is_said_before(stack, monkeypatch, capsys) -> None:
    monkeypatch.setattr(_needs, "MANY_SAMPLES", N)
    trial = 3 * 25 * N * N * 2  # values of all kernels, from every start
    gated = LocalizedMKLClassifier(random_state=0)
    gated.fit(stack.materialize(), Y)
    assert capsys.readouterr().out == ""
    gated.set_params(verbose=True).fit(stack.materialize(), Y)
    assert capsys.readouterr().out.startswith(
        "[LMKL] 60 samples and 2 kernels in memory: about 0 seconds and 0.0 GiB of memory\n"
    )
    monkeypatch.setattr(_validation, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(_needs, "_seconds_per_value", lambda stack: 1.25 * 3600 / trial)
    with pytest.warns(UserWarning, match="on demand: about 2.5 hours.*of both; max_time") as told:
        gated.fit(stack, Y)
    assert told[0].filename == __file__
    monkeypatch.setattr(_needs, "_seconds_per_value", lambda stack: 300 / trial)
    gated.fit(stack, Y)  # not worth a warning
    assert "about 10 minutes" in capsys.readouterr().out


def test_predictions_are_made_a_batch_at_a_time(stack, monkeypatch) -> None:
    three = np.where(X[:, 1] > 0.5, "else", Y)
    test = Kernelizer(KERNELS).fit(X).transform(rng.normal(size=(40, 3)))
    for own in (False, True):
        model = MKLClassifier(per_class_weights=own).fit(stack, three)
        whole = model.decision_function(test)
        combined: list[tuple[int, int]] = []
        combine = KernelStack.combine

        def counted(self, weights, *, rows=None, cols=None, combine=combine, sizes=combined):
            block = combine(self, weights, rows=rows, cols=cols)
            sizes.append(block.shape)
            return block

        with monkeypatch.context() as patch:
            room = 8 * len(model.support_) * 15
            patch.setattr(_views, "BLOCK_BYTES", room)
            patch.setattr(KernelStack, "combine", counted)
            np.testing.assert_allclose(model.decision_function(test), whole, rtol=1e-12)
        numbers = 15 * len(model.support_)
        assert max(r * c for r, c in combined) <= numbers
        assert max((r + 1) * c for r, c in combined) > numbers  # no smaller than need be
        assert sum(r for r, _ in combined) == 40 * (3 if own else 1)


def test_free_memory_is_what_the_machine_and_the_container_leave(monkeypatch, tmp_path) -> None:
    assert 2**20 < free_memory() < 2**60
    said, most, used = tmp_path / "meminfo", tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(_limits, "_MEMORY", said)
    monkeypatch.setattr(_limits, "_CONTAINER", (most, used))
    said.write_text("MemTotal: 900 kB\nMemAvailable:     300 kB\n")
    assert free_memory() == 300 * 1024
    most.write_text("max\n")
    used.write_text("5\n")
    assert free_memory() == 300 * 1024
    most.write_text("100005\n")
    assert free_memory() == 100_000
    most.unlink()
    said.unlink()
    assert free_memory() > 2**20  # of the whole machine
