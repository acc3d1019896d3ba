"""Gram matrices that are looked up by ids, against computing them from features."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import ColumnKernelizer, Kernelizer, MKLClassifier, Modalities, PrecomputedKernel
from mkfusion.kernels import _precomputed
from mkfusion.stack._file import is_mapped
from oracles.names import named

rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(12, 3))
GRAM = FEATURES @ FEATURES.T
NAMES = [f"s{i}" for i in rng.permutation(12)]
TRAIN, TEST = np.arange(8)[::-1], np.array([11, 3, 9, 3])


def mapped(path, array: np.ndarray, order: str = "C") -> np.memmap:
    np.save(path, np.asarray(array, order=order))
    return np.load(path, mmap_mode="r")


# --------------------------------------------------------------------------------- values


def tables(tmp_path) -> list[tuple[PrecomputedKernel, list]]:
    """Return kernels, and the ids of their rows."""
    frame = pd.DataFrame(GRAM, index=NAMES, columns=NAMES)
    return [
        (PrecomputedKernel(GRAM), list(range(12))),
        (PrecomputedKernel(GRAM, ids=NAMES), NAMES),
        (PrecomputedKernel(GRAM, ids=np.array(NAMES)), NAMES),
        (PrecomputedKernel(GRAM, ids=pd.Series(range(100, 112))), list(range(100, 112))),
        (PrecomputedKernel(frame), NAMES),
        (PrecomputedKernel(mapped(tmp_path / "gram.npy", GRAM), ids=NAMES), NAMES),
    ]


def test_values(tmp_path) -> None:
    for kernel, ids in tables(tmp_path):
        train, test = [ids[i] for i in TRAIN], [ids[i] for i in TEST]
        kernel.fit(train)
        assert kernel.ids_ == ids
        for rows, cols in ((TRAIN, TRAIN), (TEST, TRAIN), (TEST, TEST)):
            found = kernel([ids[i] for i in rows], [ids[i] for i in cols])
            np.testing.assert_array_equal(found, GRAM[np.ix_(rows, cols)])
            assert type(found) is np.ndarray
        np.testing.assert_array_equal(kernel(test), GRAM[np.ix_(TEST, TEST)])
        np.testing.assert_array_equal(kernel.diag(test), np.diagonal(GRAM)[TEST])


@pytest.mark.parametrize(
    "asked",
    [
        [3, 11, 4],
        (3, 11, 4),
        np.array([3, 11, 4]),
        np.array([[3.0], [11.0], [4.0]]),  # what an SVC makes of them
        np.array([3, 11, 4], dtype=object),
        pd.Series([3, 11, 4], index=[7, 8, 9]),
        pd.DataFrame({"id": [3, 11, 4]}),
    ],
    ids=lambda asked: type(asked).__name__,
)
def test_forms_of_ids(asked) -> None:
    found = PrecomputedKernel(GRAM).fit([0, 1])(asked, [0, 1])
    np.testing.assert_array_equal(found, GRAM[np.ix_([3, 11, 4], [0, 1])])


def test_precision() -> None:
    single = Kernelizer([PrecomputedKernel(GRAM.astype(np.float32))]).fit_transform([0, 1, 2])
    assert single.dtype == single.gram(0).dtype == np.float32
    for other in (GRAM.astype(np.float16), (100 * GRAM).astype(np.int64), GRAM > 0):
        table = other & other.T if other.dtype == bool else other
        found = PrecomputedKernel(table).fit([0, 1])([0, 1])
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, table[:2, :2])


def test_blocks_of_a_stack() -> None:
    kernelizer = Kernelizer([PrecomputedKernel(GRAM, ids=NAMES)], normalize=None)
    train = kernelizer.fit_transform([NAMES[i] for i in TRAIN])
    np.testing.assert_array_equal(train[::2, 1:].gram(0), GRAM[np.ix_(TRAIN, TRAIN)][::2, 1:])
    test = kernelizer.transform([NAMES[i] for i in TEST])
    np.testing.assert_array_equal(test[[2, 0]].gram(0), GRAM[np.ix_(TEST[[2, 0]], TRAIN)])


def test_normalisation_learns_from_the_training_samples() -> None:
    for normalize in ("cosine", "trace", "center"):
        by_id = ColumnKernelizer([("g", PrecomputedKernel(GRAM), "id")], normalize=normalize)
        from_features = ColumnKernelizer([("g", "linear", "x")], normalize=normalize)
        by_id.fit(Modalities(id=TRAIN))
        from_features.fit(Modalities(x=FEATURES[TRAIN]))
        np.testing.assert_allclose(
            by_id.transform(Modalities(id=TEST)).gram(0),
            from_features.transform(Modalities(x=FEATURES[TEST])).gram(0),
            rtol=1e-12,
            atol=1e-14,
        )


# ----------------------------------------------------------------- in scikit-learn's hands

IRIS, SPECIES = load_iris(return_X_y=True)
SHUFFLED = rng.permutation(150)
IDS = np.array([f"flower {i}" for i in range(150)], dtype=object)
PETALS = PrecomputedKernel(rbf_kernel(IRIS[:, 2:], gamma=0.5), ids=IDS, name="petals")
# The same samples in different forms, in an order that is not that of the matrix
FRAME = pd.DataFrame({"id": IDS, "length": IRIS[:, 0], "width": IRIS[:, 1]}).iloc[SHUFFLED]
TABLE = np.column_stack([np.arange(150.0), IRIS[:, :2]])[SHUFFLED]
FEATURES_ALONE = IRIS[SHUFFLED]
TARGET = SPECIES[SHUFFLED]


def petals_from_features(x, z):
    return rbf_kernel(x, z, gamma=0.5)


IN_FRAME = [("petals", PETALS, "id"), ("sepals", "rbf", ["length", "width"])]
IN_TABLE = [("petals", PrecomputedKernel(PETALS.gram), 0), ("sepals", "rbf", [1, 2])]
COMPUTED = [("petals", petals_from_features, [2, 3]), ("sepals", "rbf", [0, 1])]


def machine(kernels: list, normalize: str = "cosine"):
    return make_pipeline(ColumnKernelizer(kernels, normalize=normalize), MKLClassifier(C=10.0))


def searched_stack(kernels: list):
    models = [("fused", machine(kernels)), ("one", machine(kernels[:1], "trace"))]
    stack = StackingClassifier(models, final_estimator=LogisticRegression(), cv=2)
    return GridSearchCV(stack, {"fused__mklclassifier__C": [0.1, 10.0]}, cv=2, error_score="raise")


@pytest.mark.parametrize(
    ("wrap", "forms"),
    [
        (searched_stack, [(IN_FRAME, FRAME)]),
        (
            lambda kernels: CalibratedClassifierCV(machine(kernels), cv=2),
            [(IN_FRAME, FRAME), (IN_TABLE, TABLE)],
        ),
        # These make an array of X, which then has no column names.
        (lambda kernels: OneVsOneClassifier(machine(kernels)), [(IN_TABLE, TABLE)]),
        (
            lambda kernels: BaggingClassifier(machine(kernels), n_estimators=2, random_state=0),
            [(IN_TABLE, TABLE)],
        ),
    ],
    ids=["GridSearchCV of StackingClassifier", "Calibrated", "OneVsOne", "Bagging"],
)
def test_meta_estimators_find_the_right_rows(wrap, forms) -> None:
    expected = wrap(COMPUTED).fit(FEATURES_ALONE[:100], TARGET[:100]).predict(FEATURES_ALONE[100:])
    assert np.mean(expected == TARGET[100:]) > 0.9
    for kernels, X in forms:
        found = wrap(kernels).fit(X[:100], TARGET[:100]).predict(X[100:])
        np.testing.assert_array_equal(found, expected)


def test_cross_validated_decisions_are_those_from_features() -> None:
    found, expected = (
        cross_val_predict(machine(kernels), X, TARGET, cv=5, method="decision_function")
        for kernels, X in ((IN_FRAME, FRAME), (COMPUTED, FEATURES_ALONE))
    )
    np.testing.assert_allclose(found, expected, atol=0.01)  # what the solver's tolerance leaves


def test_a_support_vector_machine_takes_it() -> None:
    kernel = PrecomputedKernel(rbf_kernel(IRIS, gamma=0.5))
    train, test = SHUFFLED[:100], SHUFFLED[100:]
    model = SVC(kernel=kernel).fit(train.reshape(-1, 1), SPECIES[train])
    expected = SVC(gamma=0.5).fit(IRIS[train], SPECIES[train])
    np.testing.assert_allclose(
        model.decision_function(test.reshape(-1, 1)), expected.decision_function(IRIS[test])
    )


def test_several_matrices() -> None:
    grams = [rbf_kernel(IRIS[:, [j]], gamma=1.0) for j in range(4)]
    kernels = [PrecomputedKernel(gram, name=f"rbf {j}") for j, gram in enumerate(grams)]
    kernelizer = ColumnKernelizer([("iris", kernels, "id")])
    stack = kernelizer.fit_transform(Modalities(id=SHUFFLED))
    assert stack.names == [f"iris:rbf {j}" for j in range(4)]
    for j, gram in enumerate(grams):
        np.testing.assert_array_equal(stack.gram(j), gram[np.ix_(SHUFFLED, SHUFFLED)])
    model = make_pipeline(kernelizer, MKLClassifier())
    assert model.fit(Modalities(id=SHUFFLED), TARGET).score(Modalities(id=SHUFFLED), TARGET) > 0.9


def test_search_over_matrices() -> None:
    chance = PrecomputedKernel(np.eye(150), ids=IDS)
    model = make_pipeline(ColumnKernelizer(IN_FRAME[:1]), MKLClassifier())
    search = GridSearchCV(model, {"columnkernelizer__petals": [chance, PETALS]}, cv=3)
    search.fit(FRAME, TARGET)
    assert search.best_params_["columnkernelizer__petals"].name == "petals"
    assert search.best_params_["columnkernelizer__petals"].gram is PETALS.gram


# -------------------------------------------------------------------- what is never copied


def test_clones_share_the_matrix() -> None:
    kernel = PrecomputedKernel(GRAM, ids=NAMES, name="walks")
    copy = clone(kernel)
    assert copy is not kernel
    assert copy.gram is GRAM
    assert copy.ids is NAMES
    assert copy.name == "walks"
    assert not hasattr(clone(kernel.fit(NAMES)), "ids_")
    pipeline = make_pipeline(ColumnKernelizer([("g", [kernel], "id")]), MKLClassifier())
    assert clone(pipeline)[0].kernels[0][1][0].gram is GRAM
    fitted = pipeline[0].fit(Modalities(id=NAMES)).kernels_[0]
    assert np.shares_memory(fitted._table, GRAM)


def test_symmetry_is_looked_for_once(monkeypatch) -> None:
    looked = []
    check = _precomputed.check_symmetric
    monkeypatch.setattr(
        _precomputed, "check_symmetric", lambda *args: (looked.append(1), check(*args))
    )
    gram = GRAM.copy()
    for _ in range(3):
        clone(PrecomputedKernel(gram)).fit(TRAIN)
    assert len(looked) == 1
    PrecomputedKernel(GRAM + 0.0).fit(TRAIN)
    assert len(looked) == 2


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("part", [slice(None), slice(3, None)], ids=["whole", "part"])
def test_a_mapped_file_is_pickled_as_its_name(tmp_path, order: str, part: slice) -> None:
    gram = np.add.outer(np.arange(300.0), np.arange(300.0))
    table = mapped(tmp_path / "gram.npy", gram, order)[part, part]
    kernel = PrecomputedKernel(table).fit([5, 7])
    written = pickle.dumps(kernel)
    assert len(written) < 20_000 < gram.nbytes
    again = pickle.loads(written)
    assert is_mapped(again.gram)
    np.testing.assert_array_equal(again([7, 290], [5]), kernel([7, 290], [5]))
    assert len(pickle.dumps(again)) < 20_000


def test_everything_else_is_pickled_with_its_values(tmp_path) -> None:
    mapped(tmp_path / "gram.npy", GRAM)
    changed = np.load(tmp_path / "gram.npy", mmap_mode="c")
    changed[0, 0] = 100.0
    kernels = [PrecomputedKernel(gram) for gram in (GRAM, changed, pd.DataFrame(GRAM))]
    expected = [kernel.fit([0, 1])([0, 5], [0, 1]) for kernel in kernels]
    assert expected[1][0, 0] == 100.0
    for kernel, values in zip(kernels, expected, strict=True):
        again = pickle.loads(pickle.dumps(kernel))
        np.testing.assert_array_equal(again([0, 5], [0, 1]), values)
    unfitted = pickle.loads(pickle.dumps(PrecomputedKernel(GRAM)))
    np.testing.assert_array_equal(unfitted.gram, GRAM)


# -------------------------------------------------------------------------------- refused


def with_entry(row: int, col: int, value: float) -> np.ndarray:
    gram = np.eye(700)
    gram[row, col] = value
    return gram


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (PrecomputedKernel(GRAM.tolist()), TypeError, "gram is a list; expected a square array"),
        (PrecomputedKernel(csr_array(GRAM)), TypeError, "gram is a csr_array"),
        (PrecomputedKernel(GRAM[:3]), ValueError, r"gram has shape \(3, 12\); expected a square"),
        (PrecomputedKernel(np.ones(3)), ValueError, r"gram has shape \(3,\)"),
        (PrecomputedKernel(np.empty((0, 0))), ValueError, r"gram has shape \(0, 0\)"),
        (PrecomputedKernel(GRAM * 1j), TypeError, "dtype complex128; expected real numbers"),
        (
            PrecomputedKernel(with_entry(699, 3, 0.5)),
            ValueError,
            "gram has 0 between 3 and 699, and 0.5 between 699 and 3; expected finite .* symmetric",
        ),
        (PrecomputedKernel(with_entry(5, 5, np.nan)), ValueError, "gram has nan between 5 and 5"),
        (PrecomputedKernel(with_entry(1, 9, np.inf)), ValueError, "gram has inf between 1 and 9"),
        (PrecomputedKernel(GRAM, NAMES[:3]), ValueError, "ids has length 3; expected 12"),
        (PrecomputedKernel(GRAM, "s"), TypeError, "ids is a str; expected a list of ids"),
        (PrecomputedKernel(GRAM, GRAM), ValueError, r"ids has shape \(12, 12\)"),
        (
            PrecomputedKernel(GRAM, ["a", "b", "a", *range(9)]),
            ValueError,
            "ids has 'a' more than once; expected unique ids",
        ),
        (PrecomputedKernel(GRAM, [[i] for i in range(12)]), TypeError, "something that is no id"),
        (PrecomputedKernel(pd.DataFrame(GRAM), NAMES), ValueError, "ids in its index"),
        (
            PrecomputedKernel(pd.DataFrame(GRAM, columns=NAMES)),
            ValueError,
            "gram has other columns than rows; expected the same labels",
        ),
        (
            PrecomputedKernel(pd.DataFrame(np.eye(2), index=["a", "a"], columns=["a", "a"])),
            ValueError,
            "the index of gram has 'a' more than once",
        ),
        (PrecomputedKernel(GRAM, name=""), TypeError, "name is ''; expected a string"),
    ],
)
def test_matrices_are_refused(kernel, error, message: str) -> None:
    with pytest.raises(error, match=message):
        kernel.fit([0])
    assert not hasattr(kernel, "ids_"), "a failed fit left something"


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (
            ["s0", "t1", "t2"],
            ValueError,
            r"X has ids that gram has not: 't1', 't2'; gram has 's.*', \.\.\. \(12 in all\)",
        ),
        ([f"t{i}" for i in range(9)], ValueError, r"'t4', \.\.\. \(9 in all\); gram has"),
        ([0, 1], ValueError, "gram has not: 0, 1"),
        (["s0", None], ValueError, "gram has not: None"),
        ([["s0"]], TypeError, "X has something that is no id"),
        ("s0", TypeError, "X is a str; expected a list of ids"),
        (GRAM, ValueError, r"X has shape \(12, 12\); expected one column of ids"),
        ([], ValueError, r"Found array with 0 sample\(s\)"),
    ],
    ids=named,
)
def test_samples_are_refused(asked, error, message: str) -> None:
    kernel = PrecomputedKernel(GRAM, ids=NAMES)
    with pytest.raises(error, match=message):
        kernel.fit(asked)
    assert not hasattr(kernel, "ids_"), "a failed fit left something"
    with pytest.raises(error, match=message):
        kernel.fit(NAMES)(asked)


def test_an_error_says_which_kernel() -> None:
    kernelizer = ColumnKernelizer(IN_FRAME).fit(FRAME)
    with pytest.raises(
        ValueError, match="petals:petals: X has ids that gram has not: 'flower 150'"
    ):
        kernelizer.transform(FRAME.assign(id="flower 150"))


def test_indefinite_matrices_are_refused_by_the_machine() -> None:
    gram = np.eye(150) - 0.5
    model = make_pipeline(
        ColumnKernelizer([("g", PrecomputedKernel(gram), "id")], normalize=None), MKLClassifier()
    )
    with pytest.raises(ValueError, match="'g:precomputed'.* is not positive semi-definite"):
        model.fit(Modalities(id=SHUFFLED), TARGET)
    model[0].set_params(g__project_psd=True)
    model.fit(Modalities(id=SHUFFLED), TARGET)


def test_graphs_of_nothing() -> None:
    # What GraKeL's ShortestPath(normalize=True) returns where graphs 4 and 7 have no edge: k / 0.
    shared = FEATURES @ FEATURES.T
    shared[[4, 7]] = shared[:, [4, 7]] = 0.0
    norms = np.sqrt(np.diagonal(shared))
    with np.errstate(invalid="ignore"):
        normalised = shared / np.outer(norms, norms)
    with pytest.raises(ValueError, match=r"NaN only between 's.*', 's.*' and every sample.*GraKeL"):
        PrecomputedKernel(normalised, NAMES).fit(NAMES)
    with pytest.raises(ValueError, match="gram has nan between 0 and 0"):
        PrecomputedKernel(np.full((3, 3), np.nan)).fit([0])
    # As the message says to do
    kernels = Kernelizer([PrecomputedKernel(shared, NAMES)], normalize="cosine")
    np.testing.assert_allclose(
        kernels.fit_transform(NAMES).gram(0), np.nan_to_num(normalised), atol=1e-12
    )


def test_projections() -> None:
    gram = GRAM - 2.0
    train, mixed = gram[np.ix_(TRAIN, TRAIN)], gram[np.ix_(TEST, TRAIN)]
    values, vectors = np.linalg.eigh(train)
    assert values[0] < -1.0
    space = vectors[:, values > 1e-10] @ vectors[:, values > 1e-10].T
    clipped = clone(PrecomputedKernel(gram, project_psd="clip")).fit(TRAIN)
    np.testing.assert_allclose(clipped(TRAIN), space @ train @ space, atol=1e-12)
    np.testing.assert_allclose(clipped(TEST, TRAIN), mixed @ space, atol=1e-12)
    shifted = clone(PrecomputedKernel(gram, project_psd="shift")).fit(TRAIN)
    assert shifted.shift_ == pytest.approx(-values[0])
    np.testing.assert_allclose(shifted(TRAIN), train + shifted.shift_ * np.eye(8))
    np.testing.assert_array_equal(shifted(TEST, TRAIN), mixed)
    for kernel in (clipped, shifted):
        again = pickle.loads(pickle.dumps(kernel))
        np.testing.assert_array_equal(again(TEST, TRAIN), kernel(TEST, TRAIN))
        kernel.fit(TEST)  # no trace of the first samples
        assert kernel(TRAIN, TEST).shape == (8, 4)
