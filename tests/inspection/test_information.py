"""Redundancy, unique information and synergy, where the truth is known."""

import json
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from mkfusion.inspection import PartialInformationDisplay, partial_information
from mkfusion.inspection._broja import couple
from mkfusion.inspection._information import _mid_rank_bins, decompose

A, B = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
HALF = 0.5 * np.log2(3.0) - 0.5  # 0.2925
AND = 0.75 * np.log2(4.0 / 3.0)  # 0.3113: I(A; A and B)

# redundancy, unique A, unique B, synergy in bits: Bertschinger et al. (2014), table 1
GATES = {
    "xor": (A, B, A ^ B, (0.0, 0.0, 0.0, 1.0)),
    "and": (A, B, A & B, (AND, 0.0, 0.0, 0.5)),
    "copy": (A, B, 2 * A + B, (0.0, 1.0, 1.0, 0.0)),
    "unique": (A, B, A, (0.0, 1.0, 0.0, 0.0)),
    "redundant": (A, A, A, (1.0, 0.0, 0.0, 0.0)),
    "unrelated": (A, B, np.zeros(4, dtype=int), (0.0, 0.0, 0.0, 0.0)),
}


def values(found):
    return np.array([found.redundancy, found.unique_a, found.unique_b, found.synergy])


@pytest.mark.parametrize("gate", GATES)
def test_gates_are_what_they_are_known_to_be(gate):
    a, b, y, wanted = GATES[gate]
    found = partial_information(np.tile(a, 3), np.tile(b, 3), np.tile(y, 3))
    np.testing.assert_allclose(values(found), wanted, atol=1e-7)
    assert sum(found.parts.values()) == pytest.approx(found.information)


def test_equal_amounts_are_redundant_by_the_smaller_information():
    a, b, y, _ = GATES["copy"]
    found = partial_information(a, b, y, measure="i_min")
    np.testing.assert_allclose(values(found), (1.0, 0.0, 0.0, 1.0), atol=1e-12)
    a, b, y, wanted = GATES["and"]
    np.testing.assert_allclose(
        values(partial_information(a, b, y, measure="i_min")), wanted, atol=1e-12
    )


def solved(joint):
    """The smallest information by cvxpy."""
    q = [cp.Variable(joint.shape[:2], nonneg=True) for _ in range(joint.shape[2])]
    pairs = sum(q)
    cost = sum(cp.sum(cp.rel_entr(one, pairs)) for one in q)
    constraints = [cp.sum(one, axis=1) == joint[:, :, k].sum(axis=1) for k, one in enumerate(q)]
    constraints += [cp.sum(one, axis=0) == joint[:, :, k].sum(axis=0) for k, one in enumerate(q)]
    problem = cp.Problem(cp.Minimize(cost), constraints)
    problem.solve(solver=cp.CLARABEL)
    target = joint.sum(axis=(0, 1))
    return problem.value - np.sum(target * np.log(target))


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 4, 2), (4, 3, 3)])
@pytest.mark.parametrize("concentration", [0.2, 2.0])
def test_information_is_the_smallest_that_cvxpy_finds(shape, concentration):
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.full(np.prod(shape), concentration)).reshape(shape)
    found = couple(joint)
    assert found.converged
    assert found.gap <= 1e-8
    assert found.information == pytest.approx(solved(joint), abs=1e-6)
    np.testing.assert_allclose(found.joint.sum(axis=0), joint.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.joint.sum(axis=1), joint.sum(axis=1), atol=1e-9)
    assert (found.joint >= 0.0).all()


def test_many_states_are_solved_too():
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.full(12 * 15 * 4, 0.1)).reshape(12, 15, 4)
    assert couple(joint).converged


STORED = json.loads((Path(__file__).parent / "dit_values.json").read_text())


@pytest.mark.parametrize("case", STORED["distributions"])
def test_random_distributions_agree_with_dit(case):
    joint = np.array(case["joint"])
    for measure, atol in (("i_min", 1e-9), ("broja", STORED["broja_atol"])):
        found = decompose(joint / joint.sum(), measure=measure, names=("A", "B"))
        np.testing.assert_allclose(values(found), case[measure], atol=atol)
        assert values(found).min() > -1e-9


def test_bounds_and_symmetry():
    rng = np.random.default_rng(1)
    a, b, y = rng.integers(0, 3, (3, 60))
    found = partial_information(a, b, y)
    other = partial_information(b, a, y)
    np.testing.assert_allclose(values(found)[[0, 2, 1, 3]], values(other), atol=1e-7)
    assert values(found).min() > -1e-7
    bit = np.log(2.0)
    assert found.information_a == pytest.approx(mutual_info_score(a, y) / bit)
    assert found.redundancy + found.unique_b == pytest.approx(found.information_b)
    assert found.information == pytest.approx(mutual_info_score(3 * a + b, y) / bit)


# Counts [A][B][y], and redundancy, unique A, unique B and synergy in bits by grids of all couplings
# with the same pairs (A, y) and (B, y)
COUNTED = [
    ([[[5, 0], [2, 1]], [[1, 3], [0, 4]]], (0.1058, 0.3506, 0.0, 0.1686)),
    ([[[6, 15], [1, 7]], [[6, 10], [3, 2]]], (0.0002, 0.0280, 0.0, 0.0243)),
    ([[[9, 1], [2, 8]], [[3, 7], [1, 9]]], (0.0971, 0.0, 0.0670, 0.1551)),
    ([[[3, 1], [1, 2]], [[2, 2], [1, 4]]], (0.0411, 0.0, 0.0647, 0.0323)),
]


@pytest.mark.parametrize("counts, wanted", COUNTED)
def test_counts_agree_with_grids_of_all_couplings(counts, wanted):
    counts = np.array(counts)
    a, b, y = (np.repeat(one.ravel(), counts.ravel()) for one in np.indices(counts.shape))
    np.testing.assert_allclose(values(partial_information(a, b, y)), wanted, atol=6e-5)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n_zeros", [60, 90, 98])
def test_zeros_of_a_column_are_a_state_of_their_own(n_zeros, sign):
    rng = np.random.default_rng(0)
    gene = np.append(np.zeros(n_zeros), rng.gamma(2.0, size=100 - n_zeros))
    other, y = rng.normal(size=100), gene > 0.0
    share = n_zeros / 100
    entropy = -share * np.log2(share) - (1.0 - share) * np.log2(1.0 - share)
    assert partial_information(sign * gene, other, y, bins=2).information_a == pytest.approx(
        entropy
    )
    found = partial_information(y, other > 0.0, sign * gene, target_bins=2)
    assert found.entropy == pytest.approx(entropy)
    assert found.information_a == pytest.approx(entropy)


def columns():
    rng = np.random.default_rng(0)
    for n in (5, 12, 30, 101):
        yield rng.normal(size=n)
        yield np.floor(rng.gamma(1.5, size=n))
        yield np.where(rng.uniform(size=n) < 0.6, 0.0, rng.gamma(1.0, size=n))


@pytest.mark.parametrize("bins", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("column", list(columns()))
def test_bins_are_floors_of_mid_ranks_and_the_same_in_reverse(column, bins):
    codes, reverse = _mid_rank_bins(column, bins), _mid_rank_bins(-column, bins)
    np.testing.assert_array_equal(codes, codes.max() - reverse)
    below, same = ((one(column, column[:, np.newaxis])).sum(axis=1) for one in (np.less, np.equal))
    position = bins * (below + 0.5 * same) / len(column)  # rank - 1/2 is below + same / 2
    inside = np.abs(position - np.rint(position)) > 1e-9
    floors = np.floor(position)
    # Numbered without gaps: the same samples are together, in the same order.
    assert len(set(zip(codes[inside], floors[inside], strict=True))) == len(set(floors[inside]))
    order = np.argsort(column)
    assert (np.diff(codes[order]) >= 0).all()
    assert (codes[same > 1] == [codes[column == x][0] for x in column[same > 1]]).all()
    assert codes.max() > 0


@pytest.mark.parametrize("bins", [None, 2, 5])
@pytest.mark.parametrize("model", [GaussianNB(), LogisticRegression()])
def test_names_of_classes_do_not_matter(model, bins):
    rng = np.random.default_rng(0)
    y = (np.arange(101) < 10).astype(int)  # one of ten is of the class
    a = np.column_stack([2.0 * y + rng.normal(size=101), rng.normal(size=101)])
    b = rng.normal(size=(101, 2))
    options = {"estimator": model, "bins": bins, "random_state": 0}
    found, swapped = (partial_information(a, b, z, **options) for z in (y, 1 - y))
    np.testing.assert_allclose(values(found), values(swapped), atol=1e-6)
    assert found.information_a > 0.05


def test_what_varies_in_one_state_is_warned_of():
    a = np.column_stack([np.arange(100) % 2 * 1e-200, np.ones(100)])  # its square is 0
    with (
        pytest.warns(UserWarning, match="gene varies, but all of its samples are in one state"),
        pytest.warns(ConvergenceWarning),
    ):
        partial_information(a, np.arange(100), np.arange(100) % 2, bins=2, names=("gene", "B"))


def test_labels_may_be_anything():
    found = partial_information(
        np.array(["left", "right"])[A], np.column_stack([B, 1 - B]), np.array([True, False])[A ^ B]
    )
    assert found.synergy == pytest.approx(1.0, abs=1e-7)


def test_bins_and_clusters_find_the_synergy_of_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.permuted(np.tile(np.linspace(-1, 1, 1000), (2, 1)), axis=1)
    y = a * b > 0
    found = partial_information(a, b, y, bins=2)
    assert found.synergy > 0.9
    centres = np.column_stack([np.sign(a), np.sign(a)]) + 0.1 * rng.normal(size=(1000, 2))
    found = partial_information(centres, b, y, bins=2, random_state=0)
    assert found.synergy > 0.9
    found = partial_information(a, b, a + 0.01 * b, bins=4, target_bins=4)
    assert found.unique_a > 1.5


def test_sparse_matrices_have_states_too():
    rng = np.random.default_rng(0)
    a = np.where(rng.uniform(size=(100, 2)) < 0.6, 0.0, rng.gamma(2.0, size=(100, 2)))
    y = rng.integers(0, 2, 100)
    for columns in ([0], [0, 1]):
        found, wanted = (
            partial_information(A, y, a[:, 0] > 0.0, bins=2, random_state=0)
            for A in (csr_array(a[:, columns]), a[:, columns])
        )
        np.testing.assert_allclose(values(found), values(wanted))
    with pytest.raises(TypeError, match="A is a sparse matrix; expected an array, or bins="):
        partial_information(csr_array(a), y, y)


def test_a_classifier_estimates_what_is_known_of_many_columns():
    rng = np.random.default_rng(0)
    n = 600
    y = rng.integers(0, 2, n)

    def modality(signal):
        return np.column_stack([signal, rng.normal(size=(n, 2))])

    strong = 3.0 * y + rng.normal(scale=0.5, size=n)
    # both know y; only A does; and neither does alone
    both = partial_information(
        modality(strong), modality(strong), y, estimator=GaussianNB(), random_state=0
    )
    assert both.redundancy > 0.8
    assert max(both.unique_a, both.unique_b, both.synergy) < 0.1
    only = partial_information(
        modality(strong), modality(np.zeros(n)), y, estimator=GaussianNB(), random_state=0
    )
    assert only.unique_a > 0.8
    assert max(abs(only.unique_b), abs(only.redundancy), abs(only.synergy)) < 0.1
    coin = rng.integers(0, 2, n)
    neither = partial_information(
        modality(2 * coin - 1),
        modality(2 * (coin ^ y) - 1),
        y,
        estimator=make_pipeline(PolynomialFeatures(2), LogisticRegression()),
        random_state=0,
    )
    assert neither.synergy > 0.6
    assert max(neither.redundancy, neither.unique_a, neither.unique_b) < 0.1


def test_a_classifier_of_three_classes():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = np.eye(3)[y] + 0.1 * rng.normal(size=(300, 3))
    found = partial_information(X, X, y, estimator=LogisticRegression(), bins=3, random_state=0)
    assert found.redundancy == pytest.approx(np.log2(3.0), abs=0.05)


def test_frequencies_of_classes_in_the_folds_are_no_information():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 40)
    found = []
    for _ in range(5):  # all samples of a group are of one class, and nothing tells of it
        y = rng.permutation([0] * 5 + [1] * 5)[groups]
        a, b = rng.normal(size=(2, 400, 2))
        options = {"estimator": LogisticRegression(), "groups": groups, "random_state": 0}
        found.append(partial_information(a, b, y, **options).information)
    assert np.mean(found) < 0.04


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"measure": "mmi"}, ValueError, "measure is 'mmi'"),
        ({"bins": 1}, ValueError, "bins is 1"),
        ({"A": np.arange(3)}, ValueError, "A has 3 samples; y has 100"),
        ({"A": np.linspace(0, 1, 100)}, ValueError, "A has 100 different values"),
        ({"A": np.arange(100)}, ValueError, "A has 100 different values"),
        ({"B": np.arange(100).astype(str)}, ValueError, "B has 100 different values"),
        ({"y": np.linspace(0, 1, 100)}, ValueError, "target_bins="),
        ({"A": None}, TypeError, "A is a NoneType; expected samples"),
        ({"y": None}, TypeError, "y is a NoneType; expected samples"),
        ({"y": []}, ValueError, "y has 0 samples"),
        ({"y": [0.0, np.nan] * 50, "target_bins": 2}, ValueError, "y contains NaN"),
        ({"cv": 1, "estimator": GaussianNB()}, ValueError, "cv is 1"),
        ({"names": "AB"}, TypeError, "names is 'AB'"),
        ({"estimator": LinearRegression()}, TypeError, "expected a classifier"),
    ],
)
def test_what_cannot_be_is_named(change, error, message):
    a, b, y = np.random.default_rng(0).integers(0, 2, (3, 100))
    with pytest.raises(error, match=message):
        partial_information(**({"A": a, "B": b, "y": y} | change))


def test_display_draws():
    pytest.importorskip("matplotlib").use("Agg")

    found = partial_information(A, B, A & B, names=("accel", "gyro"))
    display = PartialInformationDisplay(found).plot()
    assert [text.get_text() for text in display.ax_.get_yticklabels()][1] == "unique accel"
    frame = found.to_frame()
    assert frame["share"].sum() == pytest.approx(1.0)
    assert frame.index.tolist() == list(found.parts)
