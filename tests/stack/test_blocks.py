"""Features in the blocks of Dask arrays: the same answers, and nothing comes here that need not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from mkfusion import KernelStack, MKLClassifier, MKLNoveltyDetector, MKLRegressor
from mkfusion.stack import _low_rank, _room
from mkfusion.testing import check_kernel_stack

da = pytest.importorskip("dask.array", reason="dask is not installed: no Dask arrays")
dask = pytest.importorskip("dask")

N = 400
rng = np.random.default_rng(0)
BLOCKS = [rng.normal(size=(N, r)) + 0.5 for r in (3, 1, 7)]
WHOLE = np.hstack(BLOCKS)
CHUNKS = (100, 0, 150, 1, 149)


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def cut(arrays, chunks=CHUNKS):
    return [da.from_array(Z, chunks=(chunks, -1)) for Z in arrays]


class Graphs(dask.callbacks.Callback):
    """Counts graphs, and the tasks in which a function of ours was called."""

    def __init__(self) -> None:
        self.count = 0
        super().__init__(start=self._begin)

    def _begin(self, graph) -> None:
        self.count += 1


def test_sums_over_blocks() -> None:
    features = KernelStack.from_features(cut(BLOCKS)).features
    assert features.starts.tolist() == [0, 3, 4, 11]
    u, beta = rng.normal(size=(2, 11)), rng.normal(size=(2, N))
    some = beta @ WHOLE
    some[:, :3] = some[:, 4:] = 0.0
    rows, price = np.arange(5, N, 3), rng.uniform(size=len(range(5, N, 3)))
    with Graphs() as graphs:
        np.testing.assert_allclose(features.products(u), u @ WHOLE.T, atol=1e-12)
        np.testing.assert_allclose(features.sums(beta), beta @ WHOLE, atol=1e-11)
        np.testing.assert_allclose(features.sums(beta, np.array([1])), some, atol=1e-11)
        gram, total = features.gram(rows, price)
        squares = features.squares()
    assert graphs.count == 5
    np.testing.assert_allclose(gram, (WHOLE[rows].T * price) @ WHOLE[rows], atol=1e-11)
    np.testing.assert_allclose(total, price @ WHOLE[rows], atol=1e-11)
    np.testing.assert_allclose(squares, [(Z**2).sum(axis=1) for Z in BLOCKS])
    assert not features.products(0 * u).any() and not features.sums(0 * beta).any()
    gram, total = features.gram(rows[:0], price[:0])
    assert gram.shape == (11, 11) and not gram.any() and not total.any()


def test_many_blocks_are_added_up() -> None:
    many = KernelStack.from_features(cut([np.ones((N, 1))], (1,) * N)).features
    np.testing.assert_array_equal(many.sums(np.arange(N, dtype=float)[np.newaxis]), [[79800.0]])


def test_blocks_that_do_not_matter_are_not_computed() -> None:
    seen = []

    def noted(block, block_info=None):
        seen.append(block_info[0]["chunk-location"][0])
        return block

    array = cut([WHOLE])[0].map_blocks(noted, dtype=float, meta=np.empty((0, 0)))
    features = KernelStack.from_features([array]).features
    seen.clear()
    features.sums((np.arange(N) == 250.0).astype(float)[np.newaxis])
    features.gram(np.array([3, 99]), np.ones(2))
    assert seen == [3, 0]


SIDES = {
    "square": (np.float32, lambda test, train: (cut(train, (4, 3)), None)),
    "new samples": (np.float64, lambda test, train: (cut(test, (5,)), cut(train, (3, 4)))),
    "new samples here": (np.float64, lambda test, train: (test, cut(train, (3, 4)))),
}


@pytest.mark.parametrize(
    "kind",
    [
        "square",
        pytest.param("new samples", marks=pytest.mark.slow),
        pytest.param("new samples here", marks=pytest.mark.slow),
    ],
)
def test_contract(kind, monkeypatch) -> None:
    monkeypatch.setattr(_low_rank, "_FEW", 0)
    dtype, make = SIDES[kind]
    train, test = (
        [Z[some].astype(dtype) for Z in BLOCKS[:2]] for some in (slice(7), slice(20, 25))
    )
    rows, cols = make(test, train)
    stack = KernelStack.from_features(rows, cols)
    assert stack.place == "low-rank in blocks" and stack.dtype == dtype
    left = test if cols else train
    check_kernel_stack(stack, [Z @ T.T for Z, T in zip(left, train, strict=True)])


MODELS = {
    "binary": (MKLClassifier(tol=1e-4), lambda t: np.where(t > 0, "a", "b")),
    "multiclass": (MKLClassifier(p=1.5, tol=1e-2), lambda t: np.digitize(t, [-1, 1])),
    "tube": (MKLRegressor(p=2, tol=1e-4), lambda t: t),
    "ridge": (MKLRegressor(loss="squared_error", tol=1e-4), lambda t: t),
    "one class": (MKLNoveltyDetector(nu=0.3, tol=1e-4), lambda t: None),
}


@pytest.mark.parametrize("kind", MODELS)
def test_estimators_are_the_same_as_in_memory(kind) -> None:
    model, target = MODELS[kind]
    y = target(BLOCKS[0][:, 0] + BLOCKS[2][:, 0] + 0.3 * rng.normal(size=N) - 1.0)
    weight = 1.0 + np.arange(N) % 2
    here = KernelStack.from_features(BLOCKS)
    there = KernelStack.from_features(cut(BLOCKS))
    expected = type(model)(**model.get_params()).fit(here, y, sample_weight=weight)
    found = type(model)(**model.get_params()).fit(there, y, sample_weight=weight)
    assert found.duality_gap_ <= model.tol
    assert found.objective_ == pytest.approx(expected.objective_, rel=2 * model.tol)
    new = [Z[:50] + 0.1 for Z in BLOCKS]
    decide = getattr(found, "decision_function", found.predict)
    reference = decide(KernelStack.from_features(new, BLOCKS))
    for rows, cols in [(cut(new, (20, 30)), cut(BLOCKS)), (new, cut(BLOCKS))]:
        np.testing.assert_allclose(
            decide(KernelStack.from_features(rows, cols)), reference, rtol=1e-9, atol=1e-9
        )
    if y is not None:
        again = model.fit(there, da.from_array(y, chunks=100), sample_weight=weight)
        assert again.objective_ == found.objective_


def test_a_pass_over_new_samples_is_one_graph() -> None:
    y = BLOCKS[0][:, 0] > 0.5
    model = MKLClassifier().fit(KernelStack.from_features(BLOCKS), y)
    test = KernelStack.from_features(cut(BLOCKS), cut(BLOCKS))
    with Graphs() as graphs:
        model.predict(test)
    assert graphs.count == 2  # one over the training samples, one over the others


def test_a_pass_computes_every_block_once() -> None:
    calls = []

    def costly(block):
        calls.append(len(block))
        return block

    made = [Z.map_blocks(costly, dtype=float, meta=np.empty((0, 0))) for Z in cut(BLOCKS)]
    features = KernelStack.from_features(made).features
    for ask in (
        lambda: features.products(np.ones((1, 11))),
        lambda: features.sums(np.ones((1, N))),
        lambda: features.gram(np.arange(N), np.ones(N)),
        features.squares,
    ):
        calls.clear()
        ask()
        assert sum(calls) == 3 * N


def test_all_samples_never_come_here() -> None:
    n, r = 20_000, 40

    def make(block_info=None):
        (a, b), _ = block_info[None]["array-location"]
        return np.random.default_rng(a).normal(size=(b - a, r)).astype(np.float32)

    Z = [
        da.map_blocks(make, chunks=((2500,) * 8, (r,)), dtype=np.float32, meta=np.empty((0, 0)))
        for _ in range(2)
    ]
    Z[1] = Z[1][:, ::-1]
    y = Z[0][:, 0].compute() > 0.3
    model = MKLClassifier(tol=3e-2)
    model.fit(KernelStack.from_features([one[:2500] for one in Z]), y[:2500])  # compile
    tracemalloc.start()
    model.fit(KernelStack.from_features(Z), y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Vectors of all samples, a sixteenth of the features, and blocks of an eighth of them.
    assert peak < 40 * 8 * n + (2 * n * r * 4) / 2


# ------------------------------------------------------------------------------ what is refused


def _nan(i, j):
    array = np.array(BLOCKS[2])
    array[i, j] = np.nan
    return array


@pytest.mark.parametrize("at", [7, 260])
def test_numbers_that_are_not_finite(at) -> None:
    y = BLOCKS[0][:, 0] > 0.5
    stack = KernelStack.from_features(cut([BLOCKS[0], _nan(at, 4)]))
    with pytest.raises(ValueError, match=rf"features\[1\] holds NaN or infinity at sample {at};"):
        MKLClassifier().fit(stack, y)
    model = MKLClassifier().fit(KernelStack.from_features([BLOCKS[0], BLOCKS[2]]), y)
    test = KernelStack.from_features(cut([BLOCKS[0], _nan(at, 4)]), [BLOCKS[0], BLOCKS[2]])
    with pytest.raises(ValueError, match=rf"features\[1\] holds NaN or infinity at sample {at};"):
        model.predict(test)


def _unknown():
    array = cut([WHOLE])[0]
    return array[array[:, 0] > 0]


class Frame:
    """As far as can be told, a DataFrame of Dask."""

    def __dask_graph__(self):
        return {}


REFUSED = {
    "unknown": (lambda: [_unknown()], ValueError, r"features\[0\] has blocks of unknown size; .*c"),
    "columns": (
        lambda: [cut([WHOLE])[0].rechunk({1: 6})],
        ValueError,
        r"features\[0\] is cut along its features, into blocks of \[6, 5\]; .*rechunk\(\{1: -1\}",
    ),
    "others": (
        lambda: [cut([WHOLE])[0], cut([WHOLE], (200, 200))[0]],
        ValueError,
        r"features\[1\] has blocks of other samples than features\[0\]; .*features\[1\]\.rechunk",
    ),
    "mixed": (
        lambda: [cut([WHOLE])[0], WHOLE],
        TypeError,
        r"features\[1\] is ndarray, but features\[0\] is a Dask array; expected all or none",
    ),
    "rows": (
        lambda: [cut([WHOLE])[0], cut([WHOLE[:250]], (100, 150))[0]],
        ValueError,
        r"features\[1\] has 250 rows, but features\[0\] has 400",
    ),
    "vector": (lambda: [cut([WHOLE])[0][:, 0]], ValueError, r"features\[0\] has 1 dimensions"),
    "text": (lambda: [cut([WHOLE])[0].astype("U5")], TypeError, r"features\[0\] is of dtype <U5"),
    "complex": (lambda: [cut([WHOLE])[0] * 1j], TypeError, r"dtype complex128; expected real"),
    "empty": (lambda: [cut([WHOLE])[0][:, :0]], ValueError, r"features\[0\] has shape \(400, 0\)"),
    "frame": (lambda: [Frame()], TypeError, r"features\[0\] is a Frame of Dask; expected a Dask"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind) -> None:
    make, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        KernelStack.from_features(make())


@pytest.mark.parametrize("wrong", [csr_matrix, lambda block: block[:, :2], lambda block: block[1:]])
def test_blocks_that_are_not_what_was_promised(wrong) -> None:
    array = cut([WHOLE])[0].map_blocks(wrong, dtype=float, meta=np.empty((0, 0)))
    stack = KernelStack.from_features([array])
    with pytest.raises(
        TypeError, match=r"features\[0\] has a block of .*expected a NumPy array of"
    ):
        stack.diagonal()


def test_what_does_not_fit_here_is_refused(monkeypatch) -> None:
    stack = KernelStack.from_features(cut([WHOLE]))
    monkeypatch.setattr(_room, "_NEGLIGIBLE", 0)
    monkeypatch.setattr(_room, "free_memory", lambda: 1000.0)
    with pytest.raises(MemoryError, match=r"features\[0\] of 300 samples in this process needs"):
        stack.take(np.arange(300))
    assert stack.take(np.arange(5)).shape == (5, N, 1)


def test_other_numbers_become_double() -> None:
    values = rng.integers(0, 5, size=(N, 3))
    for kind in (np.int64, np.float16, bool):
        stack = KernelStack.from_features(cut([values.astype(kind)]))
        assert stack.dtype == np.float64
        expected = (values.astype(kind).astype(float) ** 2).sum(axis=1)
        np.testing.assert_allclose(stack.diagonal()[0], expected)


def test_few_samples_come_here() -> None:
    stack = KernelStack.from_features(cut([WHOLE[:21]], (10, 11)))
    assert stack.place == "low-rank"
    np.testing.assert_allclose(stack.gram(0), WHOLE[:21] @ WHOLE[:21].T)
