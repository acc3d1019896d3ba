"""Which modality carries it, and whether modalities interact: against sums written out by hand."""

import math
from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import ColumnKernelizer, Modalities
from mkfusion.compare import _questions, compare_fusion
from mkfusion.compare._questions import MOST_EXACT, conclude_interactions
from mkfusion.inspection import kernel_alignment
from mkfusion.report import FEATURES, Conditions, tables
from mkfusion.report._text import answer_sentences

ANSWERS = {"fast": True, "cv": 3, "methods": ["uniform", "products"]}


def three(n=90, seed=0, classes=True):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.normal(size=(n, 2)) for _ in range(3))
    y = 2 * a[:, 0] + b[:, 0] + 0.3 * rng.normal(size=n)
    return Modalities(a=a, b=b, c=c), np.where(y > 0, "high", "low") if classes else y


def signs(n=160, seed=0):
    """The label is the product of two signs, and each of them says nothing."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, 1)) + rng.choice([-2.0, 2.0], size=(2, n, 1))
    return Modalities(a=a, b=b), np.where(a[:, 0] * b[:, 0] > 0, "same", "different")


def tuned(found, label, fold=0):
    return next(s for s in found.results_ if s.method == label and s.fold == fold + 1)


def grams(X, train, test):
    """Explicit kernels that "auto" stands for, of each modality, by scikit-learn alone."""
    made = []
    for name in X.names:
        scaler = StandardScaler().fit(X[name][train])
        one, two = scaler.transform(X[name][train]), scaler.transform(X[name][test])
        gamma = 1 / np.median(pdist(one, "sqeuclidean"))
        first, second = (
            linear_kernel(rows, one) / one.shape[1] + rbf_kernel(rows, one, gamma=gamma)
            for rows in (one, two)
        )
        # Normalised by k(x, x), which is the mean square of the columns, and 1
        roots = [np.sqrt(np.mean(rows**2, axis=1) + 1) for rows in (one, two)]
        made.append((first / np.outer(roots[0], roots[0]), second / np.outer(roots[1], roots[0])))
    return made


def shapley(worth, n):
    """By its definition: what each adds, over all orders."""
    values = np.zeros(n)
    for order in permutations(range(n)):
        for i, m in enumerate(order):
            values[m] += worth[frozenset(order[: i + 1])] - worth[frozenset(order[:i])]
    return values / math.factorial(n)


@pytest.fixture(scope="module")
def additive():
    X, y = three()
    return X, y, compare_fusion(X, y, **ANSWERS)


@pytest.mark.parametrize("classes", [True, False])
def test_contributions_are_shapley_values_of_explicit_machines(classes, additive):
    X, y, found = additive
    if not classes:
        X, y = three(60, classes=False)
        found = compare_fusion(X, y, fast=True, methods=["uniform"], cv=2)
    train, test = found.conditions_.folds[1]
    C = tuned(found, "uniform kernel sum", 1).params["C"]
    explicit = grams(X, train, test)
    if classes:
        values, counts = np.unique(y[train], return_counts=True)
        worth = {frozenset(): np.mean(y[test] == values[counts.argmax()])}
    else:
        worth = {frozenset(): r2_score(y[test], np.full(len(test), y[train].mean()))}
    for bits in product([False, True], repeat=3):
        subset = frozenset(np.flatnonzero(bits).tolist())
        if not subset:
            continue
        first, second = (np.mean([explicit[m][i] for m in subset], axis=0) for i in range(2))
        if classes:
            machine = SVC(C=C, kernel="precomputed").fit(first, y[train])
            worth[subset] = accuracy_score(y[test], machine.predict(second))
        else:
            mean = y[train].mean()
            machine = KernelRidge(1 / (2 * C), kernel="precomputed").fit(first, y[train] - mean)
            worth[subset] = r2_score(y[test], machine.predict(second) + mean)
    by_fold = [one.by_fold[1] for one in found.contributions_.modalities]
    np.testing.assert_allclose(by_fold, shapley(worth, 3), atol=1e-4 if not classes else 1e-12)
    last = [worth[frozenset({0, 1, 2})] - worth[frozenset({0, 1, 2} - {m})] for m in range(3)]
    np.testing.assert_allclose(
        tuned(found, "uniform kernel sum", 1).answers["last"], last, atol=1e-4
    )


def test_shares_sum_to_what_all_have_above_nothing(additive):
    _, _, found = additive
    told = found.contributions_
    nothing = found.scores("no modality (majority class)")
    together = found.scores("uniform kernel sum")
    by_fold = sum(one.by_fold for one in told.modalities)
    np.testing.assert_allclose(by_fold, together - nothing)
    assert told.total == pytest.approx((together - nothing).mean())
    assert max(told.modalities, key=lambda one: one.mean).modality == "a"
    assert told.exact
    frame = found.to_frame("contributions")
    assert list(frame.modality) == ["a", "b", "c"]
    assert frame.contribution.sum() == pytest.approx(told.total)


def test_copies_share_alike_and_none_is_said_to_carry_most():
    X, y = three()
    found = compare_fusion(Modalities(a=X["a"], b=X["a"]), y, fast=True, cv=3, methods=["uniform"])
    one, two = found.contributions_.modalities
    np.testing.assert_allclose(one.by_fold, two.by_fold)
    assert one.last == pytest.approx(0) and one.alone == pytest.approx(2 * one.mean)
    assert not found.contributions_.clear
    assert "No modality surely carries most" in str(found)


def test_other_orders_of_modalities_give_the_same(additive):
    X, y, found = additive
    order = ["c", "a", "b"]
    other = compare_fusion(X, y, [(name, name) for name in order], **ANSWERS)
    mine = {one.modality: one.by_fold for one in found.contributions_.modalities}
    for one in other.contributions_.modalities:
        np.testing.assert_allclose(one.by_fold, mine[one.modality])
    np.testing.assert_allclose(
        other.interactions_.projected.projection, found.interactions_.projected.projection
    )


def test_one_that_carries_everything_is_named():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], 45))
    useful = 4.0 * y[:, np.newaxis] + rng.normal(size=(90, 2))
    X = Modalities(noise=rng.normal(size=(90, 1)), useful=useful)
    found = compare_fusion(X, y, fast=True, cv=3, methods=["uniform"])
    assert found.contributions_.clear
    assert "useful carries " in str(found)
    assert found.not_answered_ == {
        "What interactions are good for": '"products" is not among the methods that were asked for'
    }
    assert list(found.to_frame("interactions").columns) == ["p_value", "verdict", "reason"]


def test_of_nothing_there_are_no_shares():
    rng = np.random.default_rng(0)
    X = Modalities(a=rng.normal(size=(60, 2)), b=rng.normal(size=(60, 2)))
    found = compare_fusion(X, np.arange(60) % 2, fast=True, cv=3, methods=["uniform"])
    assert "Which modality carries it cannot be told" in str(found)
    (table,) = [one for one in tables(found) if one.title == "Which modality carries it"]
    assert [row[table.header.index("share")] for row in table.rows] == ["–", "–", ""]


@pytest.mark.parametrize("n", [MOST_EXACT, MOST_EXACT + 2])
def test_many_modalities_are_shared_out_at_a_bounded_cost(n, monkeypatch):
    fits = []
    score = _questions._SubsetScore._score
    monkeypatch.setattr(
        _questions._SubsetScore,
        "_score",
        lambda self, subset: fits.append(subset) or score(self, subset),
    )
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(60, n))
    y = np.where(columns[:, 0] > 0, 1, 0)
    modalities = [(f"m{k}", [k]) for k in range(n)]
    found = compare_fusion(columns, y, modalities, fast=True, cv=2, methods=["uniform"])
    assert len(fits) <= 2 * 66 and len(fits) >= 2 * 40
    told = found.contributions_
    assert told.exact is (n <= MOST_EXACT)
    assert sum(one.mean for one in told.modalities) == pytest.approx(told.total)
    assert max(told.modalities, key=lambda one: one.mean).modality == "m0"
    assert ("random orders" in found.to_markdown()) is not told.exact


# ---------------------------------------------------------------------------- interactions


def projected(decide, cross):
    """The projection as it is defined: means over all combinations of samples, one by one."""
    m, n = len(cross), len(cross[0])
    values = np.empty((n,) * m)
    for rows in product(range(n), repeat=m):
        values[rows] = decide([cross[k][rows[k]] for k in range(m)])
    effects = [values.mean(axis=tuple(j for j in range(m) if j != k)) for k in range(m)]
    return sum(effects) - (m - 1) * values.mean()


@pytest.mark.parametrize("kind", ["two classes", "three classes", "numbers"])
def test_projection_is_the_mean_over_all_combinations(kind):
    n_modalities = 3 if kind == "two classes" else 2
    X, y = three(60, classes=False)
    X = X if n_modalities == 3 else Modalities(a=X["a"], b=X["b"])
    if kind != "numbers":
        y = np.digitize(y, [0] if kind == "two classes" else [-1, 1])
    found = compare_fusion(X, y, **{**ANSWERS, "cv": 4})
    train, test = found.conditions_.folds[0]
    C = tuned(found, "kernel sum and products").params["C"]
    explicit = grams(X, train, test)

    def combined(kernels):
        pairs = [kernels[i] * kernels[j] for i in range(len(kernels)) for j in range(i)]
        return 0.5 * sum(kernels) / len(kernels) + 0.5 * sum(pairs) / len(pairs)

    first = combined([one for one, _ in explicit])
    cross = [two for _, two in explicit]
    mean, scale = (y[train].mean(), y[train].std()) if kind == "numbers" else (0.0, 1.0)
    targets = {
        "two classes": [y[train]],
        "three classes": [(y[train] == k).astype(int) for k in range(3)],
        "numbers": [(y[train] - mean) / scale],
    }[kind]
    responses, projections = [], []
    for target in targets:
        if kind == "numbers":
            machine = KernelRidge(1 / (2 * C), kernel="precomputed").fit(first, target)
            weights, bias, support = machine.dual_coef_, 0.0, slice(None)
        else:
            machine = SVC(C=C, kernel="precomputed").fit(first, target)
            weights, bias, support = (
                machine.dual_coef_[0],
                machine.intercept_[0],
                machine.support_,
            )

        def decide(rows, weights=weights, bias=bias, support=support):
            return combined(rows)[support] @ weights + bias

        responses.append([decide(rows) for rows in zip(*cross, strict=True)])
        projections.append(projected(decide, cross))

    def score(values):
        values = np.array(values)
        if kind == "numbers":
            return r2_score(y[test], values[0] * scale + mean)
        predicted = values.argmax(axis=0) if len(values) > 1 else (values[0] > 0).astype(int)
        return accuracy_score(y[test], predicted)

    told = found.interactions_.projected
    assert told.model[0] == pytest.approx(score(responses), abs=1e-4)
    assert told.projection[0] == pytest.approx(score(projections), abs=1e-4)
    np.testing.assert_allclose(told.model, found.scores("kernel sum and products"))
    assert told.test.difference == pytest.approx((told.model - told.projection).mean())


def test_interactions_help_where_the_label_is_a_product_of_signs():
    X, y = signs()
    found = compare_fusion(X, y, fast=True, methods=["uniform", "products", "late_mean"])
    assert found.interactions_.verdict == "they interact"
    assert found.interactions_.p_value < 0.01
    told = found.interactions_.projected
    assert told.test.low > 0.2 and told.model.mean() > 0.9
    assert told.projection.mean() < 0.65
    # A sum with a threshold can be right in three of the four quadrants, and not in the fourth.
    assert found.scores("late fusion, mean").mean() < 0.75
    assert found.scores("uniform kernel sum").mean() < 0.75
    assert "The modalities interact (p " in str(found)


def test_no_interactions_where_modalities_add_up(additive):
    _, _, found = additive
    assert found.interactions_.verdict == "undecided"
    assert len(answer_sentences(found)) == 3
    (row,) = found.to_frame("interactions").to_dict("records")
    assert row["metric_difference"] == pytest.approx(row["model"] - row["projection"])
    assert row["p_value"] == found.interactions_.p_value > 0.05


def test_no_difference_at_all_is_not_taken_for_certainty():
    y = np.arange(40) % 2
    a = y[:, np.newaxis] * 9.0 + np.random.default_rng(0).normal(size=(40, 1))
    found = compare_fusion(Modalities(a=a, b=a), y, methods=["products"], cv=4, fast=True)
    said = answer_sentences(found)[-1]
    assert found.interactions_.verdict == "undecided"
    assert "on every fold the same without its interactions" in said
    assert "interval" not in said


def test_interactions_can_hurt():
    conditions = Conditions(
        *[None] * 3, [([0] * 9, [1])] * 5, *[None] * 3, ["r2"], None, 0.05, False, 0
    )
    found = [{"model": 0.5, "projection": 0.7 + 0.01 * k} for k in range(5)]
    told = conclude_interactions(found, conditions)
    assert told.test.difference == pytest.approx(-0.22)
    assert told.test.high < 0


# ---------------------------------------------------------------------------- missing and others


@pytest.fixture(scope="module")
def gaps():
    X, y = three()
    data = {name: X[name].copy() for name in X.names}
    for k, values in enumerate(data.values()):
        values[k::7] = np.nan
    X = Modalities(data)
    return X, y, compare_fusion(X, y, **ANSWERS)


def test_missing_modalities_are_weighed_as_by_the_methods_themselves(gaps):
    X, y, found = gaps
    assert found.not_answered_ == {} and found.not_applicable_ == {}
    fold = tuned(found, "uniform kernel sum")
    answers, C = fold.answers, fold.params["C"]
    assert answers["together"] == found.scores("uniform kernel sum")[0]
    train, test = found.conditions_.folds[0]
    nothing = found.scores("no modality (majority class)")[0]
    for left_out in range(3):
        # What a comparison of fewer modalities calls the uniform kernel sum.
        names = [name for k, name in enumerate(X.names) if k != left_out]
        entries = [(name, "auto", name) for name in names]
        kernelizer = ColumnKernelizer(entries, missing="marginalise")
        first, second = kernelizer.fit_transform(X[train]), kernelizer.transform(X[test])
        machine = SVC(C=C, kernel="precomputed").fit(first.combine([0.5, 0.5]), y[train])
        worth = np.mean(machine.predict(second.combine([0.5, 0.5])) == y[test])
        assert answers["last"][left_out] == pytest.approx(answers["together"] - worth)
    for k, name in enumerate(X.names):
        alone = tuned(found, f"{name} alone")
        if alone.params["C"] == C:
            assert answers["alone"][k] == pytest.approx(alone.scores["accuracy"] - nothing)


def test_missing_modalities_count_as_zero_in_products(gaps):
    X, y, found = gaps
    np.testing.assert_allclose(
        found.interactions_.projected.model, found.scores("kernel sum and products"), atol=1e-12
    )
    train, test = found.conditions_.folds[0]
    C = tuned(found, "kernel sum and products").params["C"]
    padded = []
    for name in X.names:
        there = X.present()[:, X.names.index(name)]
        have_train, have_test = train[there[train]], test[there[test]]
        first, second = np.zeros((len(train), len(train))), np.zeros((len(test), len(train)))
        one, two = grams(Modalities({name: X[name]}), have_train, have_test)[0]
        first[np.ix_(there[train], there[train])] = one
        second[np.ix_(there[test], there[train])] = two
        padded.append((first, second))

    def combined(kernels):
        a, b, c = kernels
        return (a + b + c) / 6 + (a * b + a * c + b * c) / 6

    machine = SVC(C=C, kernel="precomputed").fit(combined([one for one, _ in padded]), y[train])
    predicted = machine.predict(combined([two for _, two in padded]))
    assert found.scores("kernel sum and products")[0] == np.mean(predicted == y[test])


def test_alignment_is_that_of_all_samples(additive):
    X, y, found = additive
    kernelizer = ColumnKernelizer([(name, "auto", name) for name in X.names])
    expected = kernel_alignment(kernelizer.fit_transform(X), y)
    np.testing.assert_allclose(found.alignment_.alignment, expected.alignment)
    np.testing.assert_allclose(found.alignment_.target, expected.target)
    assert found.alignment_.names == ["a", "b", "c"]


def test_alignment_of_many_samples_is_left_out(additive, monkeypatch):
    monkeypatch.setattr(_questions, "MOST_ALIGNED", 50)
    X, y, _ = additive
    found = compare_fusion(X, y, fast=True, cv=2, methods=["uniform"])
    assert found.alignment_ is None
    assert "90 samples are more than 50" in found.not_answered_["How alike the modalities are"]
    assert "Not answered" in found.to_markdown()


def test_features_are_those_of_the_machine_that_is_compared(additive):
    X, y, found = additive
    told = found.features_
    assert told.modality == "a" and told.feature_names == ["column 0", "column 1"]
    assert told.score == pytest.approx(found.scores("uniform kernel sum").mean())
    patterns = []
    for fold, (train, test) in enumerate(found.conditions_.folds):
        C = tuned(found, "uniform kernel sum", fold).params["C"]
        made = grams(X, train, test)
        first, second = (np.mean([pair[i] for pair in made], axis=0) for i in range(2))
        machine = SVC(C=C, kernel="precomputed").fit(first, y[train])
        decisions = machine.decision_function(second)
        patterns.append([np.corrcoef(decisions, X["a"][test, j])[0, 1] for j in range(2)])
    np.testing.assert_allclose(told.patterns[0], np.mean(patterns, axis=0), atol=1e-6)
    # The target is 2 a0 + b0: a1 has no part in it.
    assert told.importances[0] > 0.2 > told.importances[1]
    assert found.to_frame("features").feature.tolist() == ["column 0", "column 1"]
    assert any(one.startswith("Within a, column 0 is missed") for one in answer_sentences(found))


def test_features_where_samples_lack_modalities(gaps):
    _, _, found = gaps
    assert found.features_.score == pytest.approx(found.scores("uniform kernel sum").mean())


def test_there_are_no_features_of_nothing():
    rng = np.random.default_rng(0)
    X = Modalities(a=rng.normal(size=(40, 2)), b=rng.normal(size=(40, 1)))
    y = np.where(X["b"][:, 0] > 0, "high", "low")
    found = compare_fusion(X, y, fast=True, cv=3, methods=["uniform"])
    assert found.features_ is None and len(found.to_frame("features")) == 0
    assert found.not_answered_[FEATURES] == "b has one column only"
    texts = [f"a {'good' if one == 'high' else 'bad'} day it was {k}" for k, one in enumerate(y)]
    X = Modalities(notes=texts, a=X["a"])
    found = compare_fusion(X, y, fast=True, cv=3, methods=["uniform"])
    assert found.not_answered_[FEATURES].startswith("notes has ")
    found = compare_fusion(X, rng.permutation(y), fast=True, cv=3, methods=["uniform"])
    assert found.not_answered_[FEATURES] == "the modalities together are not surely worth anything"


def test_resumed_and_parallel_runs_say_the_same(additive, tmp_path):
    X, y, found = additive
    pieces = compare_fusion(X, y, memory=tmp_path, **ANSWERS)
    assert str(pieces) == str(found)
    for other in (
        compare_fusion(X, y, memory=tmp_path, **ANSWERS),
        compare_fusion(X, y, n_jobs=2, **ANSWERS),
    ):
        pairs = zip(found.contributions_.modalities, other.contributions_.modalities, strict=True)
        for one, two in pairs:
            np.testing.assert_array_equal(one.by_fold, two.by_fold)
        np.testing.assert_array_equal(
            found.interactions_.projected.model, other.interactions_.projected.model
        )
        np.testing.assert_array_equal(
            found.interactions_.projected.projection, other.interactions_.projected.projection
        )
        assert str(other) == str(found)
        np.testing.assert_array_equal(found.features_.repeats, other.features_.repeats)
        np.testing.assert_array_equal(other.alignment_.alignment, found.alignment_.alignment)


def test_metrics_of_decision_functions(additive):
    X, y, _ = additive
    found = compare_fusion(X, y, scoring="roc_auc", **ANSWERS)
    assert found.not_answered_ == {}
    np.testing.assert_allclose(
        found.interactions_.projected.model, found.scores("kernel sum and products")
    )


def _of_stacks(model, X, y):
    return float(np.mean(model.predict(X) == y)) + 0 * np.asarray(X).shape[1]


def test_metrics_that_cannot_be_had_are_said_so(additive):
    X, y, _ = additive
    found = compare_fusion(X, y, scoring={"odd": _of_stacks}, **ANSWERS)
    assert found.interactions_.projected is None
    title = "What interactions are good for"
    assert found.not_answered_[title].startswith("fold 1: IndexError: ")
    assert found.contributions_ is not None
    assert title in found.to_markdown()
    assert found.not_applicable_ == {}
