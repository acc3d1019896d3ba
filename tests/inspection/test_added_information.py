"""What modalities add, and whether they interact: the public functions."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import ColumnKernelizer, KernelStack, LinearKernel, Modalities
from mkfusion.inspection import (
    AddedInformationDisplay,
    _tested_samples,
    added_information,
    interaction_information,
)
from oracles import score_tests as oracle

FEW = {"n_signs": 139, "n_permutations": 119}
BOTH = (added_information, interaction_information)


def data(n=40, m=2, seed=0, groups=None):
    """Return columns of modalities, Gram matrices, and a target of A, of B and of their product."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=(n, 2)) for _ in range(m)]
    y = columns[0][:, 0] + 0.5 * columns[1][:, 0] + 0.5 * rng.normal(size=n)
    y += 0.5 * columns[0][:, 1] * columns[1][:, 1]
    if groups is not None:
        y += rng.normal(size=groups.max() + 1)[groups]
    return columns, [rbf_kernel(one, gamma=0.3) for one in columns], y


@pytest.fixture
def draws_used(monkeypatch):
    """Keep the draws of the next call, for the oracle."""
    kept = []
    draw = _tested_samples.draw

    def remember(*arguments):
        kept.append(draw(*arguments))
        return kept[-1]

    monkeypatch.setattr(_tested_samples, "draw", remember)
    return kept


# ---------------------------------------------------------------------------- the oracle


GROUPS = np.random.default_rng(3).permutation(np.repeat(np.arange(14), [2, 3] * 7))


@pytest.mark.parametrize(
    "m, n_classes, grouped, lacking",
    [
        (2, 0, False, False),
        (2, 2, False, False),
        (2, 0, True, False),
        (2, 2, True, True),
        (2, 3, False, False),
        (3, 0, False, True),
        (3, 3, True, False),
    ],
)
def test_p_values_are_those_of_the_algorithm_in_loops(m, n_classes, grouped, lacking, draws_used):
    n = len(GROUPS)
    groups = GROUPS if grouped else None
    _, grams, y = data(n, m, groups=groups)
    if n_classes:
        y = (y[:, np.newaxis] > np.quantile(y, np.arange(1, n_classes) / n_classes)).sum(axis=1)
    present = None
    if lacking:
        present = np.ones((n, m), dtype=bool)
        present[::6, 1] = False
        grams = [K * some * some[:, np.newaxis] for K, some in zip(grams, present.T, strict=True)]
    task = "classification" if n_classes else "regression"
    given = {"groups": groups, "present": present, "task": task, "random_state": 1, **FEW}
    found, interact = (
        added_information(grams, y, **given),
        interaction_information(grams, y, **given),
    )
    options = {"groups": groups, "present": present, "n_classes": n_classes}
    every = range(m)
    for k in every:
        rest = [j for j in every if j != k]
        single = oracle.contrast(grams, y, [k], rest, *draws_used[0], **options)
        assert found.single_pvalues[k] == pytest.approx(max(single))
        adds = oracle.contrast(grams, y, rest, [k], *draws_used[0], **options)
        assert found.pvalues[k] == pytest.approx(max(adds))
    assert found.pvalue == found.single_pvalues.max()
    by_signs, by_permutations = oracle.interactions(grams, y, *draws_used[1], **options)
    assert interact.sign_pvalue == pytest.approx(by_signs)
    assert interact.permutation_pvalue == pytest.approx(by_permutations)
    assert interact.pvalue == pytest.approx(max(by_signs, by_permutations or 0.0))
    assert (found.n_samples, found.n_groups) == (n, 14 if grouped else n)
    assert found.n_lacking == (6 if lacking else 0)


def test_a_target_of_subjects_is_tested_between_subjects(draws_used):
    groups = np.repeat(np.arange(32), 2)
    columns, grams, y = data(64)
    y = y[::2][groups]
    found = added_information(grams, y, groups=groups, random_state=0, **FEW)
    assert any("the same within every group" in one for one in found.warnings)
    assert (found.n_samples, found.n_groups) == (64, 32)
    member = (np.arange(32)[:, np.newaxis] == groups) / 2
    means = [member @ K @ member.T for K in grams]
    wanted = oracle.contrast(means, y[::2], [0], [1], *draws_used[0])
    assert found.single_pvalues[0] == pytest.approx(max(wanted))


# ---------------------------------------------------------------------------- what does not matter


def pvalues(X, y, **options):
    options = {"random_state": 0, **FEW, **options}
    one, other = added_information(X, y, **options), interaction_information(X, y, **options)
    return np.r_[one.pvalue, one.single_pvalues, one.pvalues, one.adjusted_pvalues, other.pvalue]


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_order_and_scale_of_kernels_units_and_names_do_not_matter(n_classes):
    _, grams, y = data(60, 2)
    if n_classes:
        edges = np.quantile(y, np.arange(1, n_classes) / n_classes)
        y = np.array(list("abc"))[(y[:, np.newaxis] > edges).sum(axis=1)]
    wanted = pvalues(grams, y)
    np.testing.assert_array_equal(pvalues([1e-6 * grams[0], 1e9 * grams[1]], y), wanted)
    turned = pvalues(grams[::-1], y)
    np.testing.assert_array_equal(turned[[0, 2, 1, 4, 3, 6, 5, 7]], wanted)
    if n_classes:
        renamed = np.array([{"a": 9, "b": 4, "c": 7}[label] for label in y])
        np.testing.assert_array_equal(pvalues(grams, renamed), wanted)
    else:
        np.testing.assert_array_equal(pvalues(grams, 1e5 - 1e3 * y), wanted)
    np.testing.assert_array_equal(pvalues(grams, y), wanted)


def test_order_of_samples_matters_no_more_than_the_draws():
    _, grams, y = data(40, seed=8)
    order = np.random.default_rng(0).permutation(40)
    shuffled = [K[np.ix_(order, order)] for K in grams]
    many = {"n_signs": 3999, "n_permutations": 3999}
    one, other = pvalues(grams, y, **many), pvalues(shuffled, y[order], **many)
    bound = 5 * np.sqrt(2 * np.maximum(one * (1 - one), 1e-3) / 4000)
    assert (np.abs(one - other)[:5] < bound[:5]).all()


def test_groups_of_one_sample_are_no_groups():
    _, grams, y = data()
    labels = np.array([f"subject {i:02}" for i in range(40)])
    np.testing.assert_array_equal(pvalues(grams, y, groups=labels), pvalues(grams, y))


def test_forms_of_input_give_the_same():
    columns, grams, y = data(50)
    X = Modalities(a=columns[0], b=columns[1])
    kernels = [("a", "auto", "a"), ("b", "auto", "b")]
    stack = ColumnKernelizer(kernels).fit_transform(X)
    wanted = pvalues(X, y)
    np.testing.assert_array_equal(pvalues(stack, y), wanted)
    table = np.hstack(columns)
    parts = [("a", [0, 1]), ("b", [2, 3])]
    np.testing.assert_array_equal(pvalues(table, y, modalities=parts), wanted)
    dense = [stack.gram(0), stack.gram(1)]
    np.testing.assert_array_equal(pvalues(dense, y), wanted)
    np.testing.assert_array_equal(pvalues(np.stack(dense, axis=-1), y), wanted)
    low_rank = KernelStack.from_features(columns)
    linear = pvalues([columns[0] @ columns[0].T, columns[1] @ columns[1].T], y)
    np.testing.assert_array_equal(pvalues(low_rank, y), linear)
    assert added_information(stack, y, **FEW).modality_names == stack.names
    assert [name[:2] for name in stack.names] == ["a:", "b:"]


def test_several_kernels_of_a_modality_are_averaged_after_scaling():
    columns, grams, y = data(50)
    wide = [rbf_kernel(one, gamma=0.05) for one in columns]
    stack = KernelStack([grams[0], 1e4 * wide[0], grams[1]], names=["a1", "a2", "b"])
    found = pvalues(stack, y, modalities={"A": ["a1", "a2"], "B": "b"})
    unit = [K / np.trace(oracle.centre(K)) for K in (grams[0], wide[0])]
    np.testing.assert_array_equal(found, pvalues([unit[0] + unit[1], grams[1]], y))


def test_who_lacks_a_modality_is_read_from_samples_or_said():
    columns, _, y = data(60)
    lost = np.arange(60) % 10 == 3
    columns[1][lost] = np.nan
    X = Modalities(a=columns[0], b=columns[1])
    found = added_information(X, y, random_state=0, **FEW)
    assert found.n_lacking == 6
    kept = ColumnKernelizer([("b", "auto", "b")]).fit_transform(Modalities(b=columns[1][~lost]))
    K = np.full((60, 60), 7.0)  # what stands where it lacks does not count
    K[np.ix_(~lost, ~lost)] = kept.gram(0)
    K[np.ix_(lost, ~lost)] = K[np.ix_(~lost, lost)] = 0.0
    A = ColumnKernelizer([("a", "auto", "a")]).fit_transform(Modalities(a=columns[0])).gram(0)
    same = added_information(
        [A, K], y, present=np.column_stack([~lost * 0 == 0, ~lost]), random_state=0, **FEW
    )
    np.testing.assert_array_equal(same.single_pvalues, found.single_pvalues)


def test_kernels_with_less_to_them_leave_statistics_out():
    """A narrower kernel, or a product, may be constant: then it says nothing, not anything."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    found = pvalues([np.outer(a, a), np.outer(b, b)], a + b + 0.1 * rng.normal(size=60))
    assert found[0] < 0.05  # of single columns: the fourth power of cosines 1 and -1 is 1
    halves = np.repeat([1.0, -1.0], 30)
    copies = [np.outer(halves, halves)] * 2  # their product is 1 everywhere
    y = rng.normal(size=60)
    assert interaction_information(copies, y, random_state=0, **FEW).pvalue == 1.0
    assert added_information(copies, y, random_state=0, **FEW).pvalue > 0.05
    third = added_information([*copies, np.outer(a, a)], y, random_state=0, **FEW)
    assert ((third.pvalues > 0) & (third.pvalues <= 1)).all()


def test_the_seed_settles_it():
    _, grams, y = data(seed=8)
    found = [pvalues(grams, y, random_state=seed) for seed in (0, 0, 1, 2, 3)]
    np.testing.assert_array_equal(found[0], found[1])
    assert len({tuple(one) for one in found}) > 1


# ---------------------------------------------------------------------------- refusals, warnings


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rows": 29}, "there are 29 samples; expected at least 30"),
        ({"groups": np.arange(40) % 9}, "there are 9 groups; expected at least 10"),
        ({"y": np.ones(40), "task": "regression"}, "y is 1.0 for every sample"),
        ({"y": np.ones(40)}, "y has one class"),
        ({"y": np.arange(40) < 7}, "y has 7 samples of the class True; expected at least 8 sam"),
        (
            {"y": np.arange(40) // 4 < 4, "groups": np.arange(40) // 4},  # 16 samples of it
            "y has 4 groups of the class True; expected at least 8 groups of each",
        ),
        ({"y": np.arange(40)}, 'expected task="classification" or task="regression"'),
        ({"y": np.arange(39.0)}, "y has 39 samples; expected 40"),
        ({"grams": [np.ones((40, 40)), np.eye(40)]}, "modality 'kernel0' is constant"),
        ({"grams": [np.eye(40)]}, "expected two or more"),
        ({"grams": [-np.eye(40), np.eye(40)]}, "kernels_or_X"),
        ({"n_permutations": 78}, "n_permutations is 78; expected at least 79 for 2 modalities"),
        ({"n_signs": 78}, "n_signs is 78; expected at least 79"),
        ({"n_signs": 1.5}, "n_signs is 1.5; expected a whole number"),
        ({"max_samples": 10}, "max_samples is 10; expected a whole number, at least 30"),
        ({"task": "classes"}, "task is 'classes'; expected"),
        ({"present": np.ones((40, 3), bool)}, r"present is of shape \(40, 3\)"),
        ({"present": np.zeros((40, 2), bool)}, "40 of 40 samples have none"),
        ({"modalities": {"A": ["kernel0"], "B": ["other"]}}, "unknown kernels"),
        ({"groups": np.zeros(39)}, r"groups has shape \(39,\)"),
    ],
)
@pytest.mark.parametrize("question", BOTH)
def test_what_is_refused(question, change, message):
    _, grams, y = data()
    change = dict(change)
    rows = change.pop("rows", 40)
    grams = change.pop("grams", [K[:rows, :rows] for K in grams])
    with pytest.raises(ValueError, match=message):
        question(grams, change.pop("y", y[:rows]), **change)


def test_forms_that_are_refused():
    columns, grams, y = data()
    with pytest.raises(TypeError, match="expected a mapping"):
        added_information(grams, y, modalities=[("A", [0]), ("B", [1])])
    with pytest.raises(ValueError, match="present is given with raw samples"):
        added_information(Modalities(a=columns[0], b=columns[1]), y, present=np.ones((40, 2), bool))
    with pytest.raises(TypeError, match="modalities is None"):
        added_information(np.hstack(columns), y)
    # A constant column is a constant modality, whatever the kernel.
    with pytest.raises(ValueError, match="modality 'b' is constant"):
        added_information(Modalities(a=columns[0], b=np.full((40, 1), 0.1)), y)


def test_25_modalities_are_the_most_for_999_permutations():
    rng = np.random.default_rng(0)
    grams = [rbf_kernel(rng.normal(size=(30, 1))) for _ in range(26)]
    with pytest.raises(ValueError, match="n_permutations is 999; expected at least 1039 for 26"):
        added_information(grams, rng.normal(size=30))
    found = interaction_information(grams[:25], rng.normal(size=30), random_state=0)
    assert 0.0 < found.pvalue <= 1.0


def warnings_of(grams, y, **options):
    return " ".join(added_information(grams, y, random_state=0, **{**FEW, **options}).warnings)


def test_what_is_warned_of():
    _, grams, y = data(60)
    assert warnings_of(grams, y) == ""
    assert "There are 12 groups" in warnings_of(grams, y, groups=np.arange(60) % 12)
    assert warnings_of([*grams, np.eye(60)], y).count("hardly tells samples apart") == 1
    assert "nearly copies" in warnings_of([grams[0], grams[0] + 1e-3 * grams[1]], y)
    rare = np.argsort(np.argsort(y)) >= 51
    assert "class True is 15%" not in warnings_of(grams, rare)
    _, more, z = data(90)
    assert "The class True is 9% of y" in warnings_of(more, np.argsort(np.argsort(z)) >= 82)
    present = np.ones((60, 2), dtype=bool)
    present[:15, 1] = False
    random = warnings_of(grams, y, present=present)
    assert "25% of the samples lack 'kernel1'" in random
    assert "differ in y" not in random
    present[:, 1] = y > np.quantile(y, 0.2)
    assert "Samples that lack 'kernel1' differ in y" in warnings_of(grams, y, present=present)
    thirds = (y[:, np.newaxis] > np.quantile(y, [1 / 3, 2 / 3])).sum(axis=1)
    found = interaction_information(grams, thirds, random_state=0, **FEW)
    assert any("If the classes of y are ordered" in one for one in found.warnings)
    named = interaction_information(grams, np.array(list("abc"))[thirds], random_state=0, **FEW)
    assert named.warnings == ()


def test_of_many_samples_a_part_is_tested():
    _, grams, y = data(90)
    found = added_information(grams, y, max_samples=50, random_state=0, **FEW)
    assert found.n_samples == 50
    assert "50 of 90 samples are looked at" in found.warnings[0]
    groups = np.arange(90) % 30
    found = added_information(grams, y, groups=groups, max_samples=50, random_state=0, **FEW)
    assert (found.n_samples, found.n_groups) == (48, 16)


# ---------------------------------------------------------------------------- outcomes


def test_outcomes_are_tables_and_words():
    _, grams, y = data(60, 3)
    stack = KernelStack(grams, names=["gait", "voice", "notes"])
    found = added_information(stack, y, random_state=0, **FEW)
    frame = found.to_frame()
    assert frame.index.tolist() == ["gait", "voice", "notes"]
    np.testing.assert_array_equal(frame["others_add"], found.single_pvalues)
    np.testing.assert_array_equal(frame["adds"], found.pvalues)
    np.testing.assert_array_equal(frame["adds_holm"], found.adjusted_pvalues)
    # Holm's, with the steps written out
    order = np.argsort(found.pvalues)
    steps = [found.pvalues[k] * (3 - place) for place, k in enumerate(order)]
    by_steps = [min(1.0, max(steps[: place + 1])) for place in range(3)]
    np.testing.assert_allclose(found.adjusted_pvalues[order], by_steps)
    assert repr(found).startswith("<AddedInformation of gait, voice, notes: p = ")
    assert f"one modality says all that the others say: p = {found.pvalue:.3g}" in str(found)
    interact = interaction_information(stack, y, random_state=0, **FEW)
    assert interact.to_frame().loc["both", "pvalue"] == interact.pvalue
    assert repr(interact).startswith("<InteractionInformation of gait, voice, notes: p = ")
    classes = interaction_information(stack, y > 0, random_state=0, **FEW)
    assert classes.permutation_pvalue is None
    assert np.isnan(classes.to_frame().loc["permutations", "pvalue"])


def test_display_shows_what_was_found():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    _, grams, y = data(40, 3)
    found = added_information(grams, y, random_state=0, **FEW)
    display = AddedInformationDisplay(found).plot()
    first, second = display.ax_.get_lines()[:2]
    np.testing.assert_array_equal(first.get_xdata(), found.adjusted_pvalues)
    np.testing.assert_array_equal(second.get_xdata(), found.single_pvalues)
    own = plt.figure().subplots()
    again = AddedInformationDisplay.from_samples(grams, y, ax=own, random_state=0, **FEW)
    assert again.ax_ is own
    with pytest.raises(TypeError, match="expected a AddedInformation"):
        AddedInformationDisplay(3)


# ---------------------------------------------------------------------------- level and power


def shares(signal, classes, n_runs, seed, n=60, groups=None):
    """Return how often fusion and interactions are claimed at 5 %."""
    claims = np.zeros(2)
    for run in range(n_runs):
        rng = np.random.default_rng([seed, run])
        a, b = rng.normal(size=(2, n, 3))
        y = 2 * signal(a, b) + rng.normal(size=n)
        if groups is not None:
            y += rng.normal(size=groups.max() + 1)[groups]
        y = y > np.median(y) if classes else y
        X = Modalities(a=a, b=b)
        options = {"groups": groups, "random_state": run, "n_signs": 199, "n_permutations": 99}
        claims[0] += added_information(X, y, **options).pvalue <= 0.05
        claims[1] += interaction_information(X, y, **options).pvalue <= 0.05
    return claims


@pytest.mark.slow
@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_false_claims_keep_to_the_level(classes, grouped):
    groups = np.repeat(np.arange(20), 3) if grouped else None
    n_runs = 300
    claims = shares(lambda a, b: a[:, 0], classes, n_runs, 1, groups=groups)
    # No more than 8 % in truth, by a test at 1e-3: the acceptance cells have ranges up to 8 %.
    assert (claims <= binom.ppf(0.999, n_runs, 0.08)).all()


@pytest.mark.parametrize("classes", [False, True])
def test_what_is_there_is_found(classes):
    added = shares(lambda a, b: a[:, 0] + b[:, 0], classes, 10, 2, n=80)
    assert added[0] >= 8
    interacting = shares(lambda a, b: 1.5 * a[:, 0] * b[:, 0], classes, 10, 3, n=80)
    assert interacting[1] >= 7


@pytest.mark.parametrize("m", [3, 4])
def test_useless_modalities_do_not_add(m):
    rng = np.random.default_rng(m)
    X = Modalities({f"m{k}": rng.normal(size=(80, 3)) for k in range(m)})
    y = X["m0"][:, 0] + X["m1"][:, 0] + 0.3 * rng.normal(size=80)
    found = added_information(X, y, random_state=0)
    assert found.pvalue < 0.05
    assert (found.adjusted_pvalues < 0.05).tolist() == [True, True] + [False] * (m - 2)


def test_stacks_on_demand_and_other_kernels_will_do():
    rng = np.random.default_rng(0)
    X = Modalities(words=["one two", "two three", "four"] * 20, numbers=rng.normal(size=(60, 3)))
    y = X["numbers"][:, 0]
    stack = ColumnKernelizer([("n", LinearKernel(), "numbers"), ("w", "auto", "words")])
    assert not stack.fit_transform(X).in_memory
    found = added_information(stack.fit_transform(X), y, random_state=0, **FEW)
    assert found.pvalues[0] < 0.05
