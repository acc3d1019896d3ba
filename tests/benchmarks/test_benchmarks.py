"""The benchmarks run, and the gaps that they print are those of an independent computation."""

import csv
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import ColumnKernelizer, MKLClassifier, RBFKernel
from oracles import values

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "__init__.py").exists(), reason="without a checkout"
)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: import_module(f"benchmarks.{name}")


@pytest.fixture
def run(module, tmp_path):
    """Run a section on a grid of its own and return its rows and its text."""

    def run_section(name, *grid):
        section = module(name)
        report = module("_report").Report(tmp_path, quick=True)
        report.section(name, section.__doc__)
        section.run(report, section.Grid(*grid))
        with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return rows, (tmp_path / f"{name}.txt").read_text(encoding="utf-8")

    return run_section


@pytest.fixture(autouse=True)
def hardly_any_time(module, monkeypatch):
    monkeypatch.setattr(module("_timing"), "MAX_ROUNDS", 1)
    for name in ("smo", "mkl", "predict"):
        monkeypatch.setattr(module(name), "bandwidth", lambda threads: 1e10)


def gap_by_definition(bank, y, beta, weights, C, p, lam=None):
    """Return the relative gap as the oracles compute it."""
    y, beta, cost = y[np.newaxis], beta[np.newaxis], np.full((1, len(y)), C)
    scores = beta @ np.tensordot(weights, bank, axes=1)
    b = np.array([values.best_intercept(scores[0], y[0], cost[0])])
    primal = values.primal_value(bank, y, cost, weights, beta, b, p, lam)
    return (primal - values.dual_value(bank, y, beta, p, lam)) / primal


@pytest.mark.parametrize("p, lam", [(1.0, None), (1.2, None), (2.0, None), (1.5, 0.7)])
def test_certificate_agrees_with_the_oracles(module, p, lam):
    problem = module("_problems").load("cancer", 50)
    bank = module("_problems").kernel_bank(problem.X, 4)
    rng = np.random.default_rng(0)
    C, y = 3.0, problem.y
    beta = y * rng.uniform(0, C, len(y))
    beta[y == np.sign(beta.sum())] *= 1 - beta.sum() / beta[y == np.sign(beta.sum())].sum()
    weights = rng.random(4)
    weights /= np.sum(weights**p) ** (1 / p)
    found = module("_certificate").mkl_gap(bank, y, beta, weights, C, p, lam or 0.0)
    assert found == pytest.approx(gap_by_definition(bank, y, beta, weights, C, p, lam), rel=1e-9)


def test_infeasible_points_certify_nothing(module):
    gap = module("_certificate").svm_gap
    y = np.array([1.0, -1.0])
    assert gap(np.eye(2), y, np.array([1.0, -0.5]), 2.0) == np.inf
    assert gap(np.eye(2), y, np.array([3.0, -3.0]), 2.0) == np.inf
    assert gap(np.eye(2), y, np.array([1.0, -1.0]), 2.0) == pytest.approx(0.0)


def test_smo_prints_the_gap_that_was_reached(module, run):
    rows, text = run("smo", ("synthetic",), ("wide",), (80,), (1.0,))
    (row,) = rows
    problem = module("_problems").load("synthetic", 80)
    K = module("smo").gram_matrix(problem.X, "wide")
    beta, _ = module("smo").fit_smo(K, problem.y, 1.0)
    expected = gap_by_definition(K[np.newaxis], problem.y, beta, np.ones(1), 1.0, 1.0)
    assert float(row["gap"]) == pytest.approx(expected, rel=1e-6)
    assert float(row["svc_gap"]) == pytest.approx(float(row["gap"]), abs=1e-3)
    assert float(row["ratio"]) == pytest.approx(float(row["ours_s"]) / float(row["svc_s"]))
    assert "reached: measured" in text


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_mkl_prints_the_gap_that_was_reached(module, run, p):
    rows, text = run("mkl", ("cancer",), (5,), (60,), (10.0,), (p,))
    (row,) = rows
    problem = module("_problems").load("cancer", 60)
    bank = module("_problems").kernel_bank(problem.X, 5)
    stack = module("mkl").memory_stack(bank)
    for column, tol in (("gap", 1e-3), ("tight_gap", 1e-6)):
        found = module("mkl").learn_weights(stack, problem.y, 10.0, p, tol)
        expected = gap_by_definition(bank, problem.y, found.beta[0], found.weights, 10.0, p)
        assert float(row[column]) == pytest.approx(expected, rel=1e-3, abs=1e-9)
        assert float(row[column]) <= tol
    assert float(row["passes"]) > 0.5
    assert -1e-9 <= float(row["svc_gap"]) < 0.1
    assert "MKL at p" in text


def test_predict_compares_the_same_machine(run):
    rows, _ = run("predict", ("cancer",), (4,), (120,), (1.0, 2.0))
    for row in rows:
        assert float(row["differ"]) < 0.05
        assert float(row["gap"]) <= 1e-3
        assert 0.0 < float(row["passes"]) <= 1.0


def test_search_finds_what_folds_by_hand_do(module, run, monkeypatch, tmp_path):
    search = module("search")
    monkeypatch.setattr(search, "ROUNDS", 1)
    monkeypatch.setattr(search, "JOBS", 1)
    monkeypatch.setattr(search, "COSTS", np.array([0.1, 10.0]))
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    (kernels,), _ = run("search", (("cancer", 480, 3),), (2.0,))
    problem = module("_problems").load("cancer", 480)
    bank = module("_problems").kernel_bank(problem.X, 3)
    scores = np.zeros(2)
    for train, test in StratifiedKFold(search.FOLDS).split(problem.y, problem.y):
        for at, C in enumerate(search.COSTS):
            model = MKLClassifier(C=C, p=2.0).fit(
                [K[np.ix_(train, train)] for K in bank], problem.y[train]
            )
            new = [K[np.ix_(test, train)] for K in bank]
            scores[at] += model.score(new, problem.y[test]) / search.FOLDS
    assert float(kernels["score"]) == pytest.approx(scores.max(), abs=1e-3)
    assert 1.0 <= float(kernels["peak_x"]) < 2.0
    assert float(kernels["jobs2_x"]) > 0.0
    with (tmp_path / "search_samples.csv").open(encoding="utf-8") as file:
        samples = list(csv.DictReader(file))
    sides = [row["side"] for row in samples]
    assert sides == [
        "MKLClassifierCV",
        "GridSearchCV, MKLClassifier",
        "SVC",
        "MKLRegressorCV",
        "SVR",
    ]
    accuracies, r2 = np.split(np.array([float(row["score"]) for row in samples]), [3])
    assert accuracies.min() > 0.9 and r2.min() > 0.2
    assert min(float(row["svc_x"]) for row in samples) > 0.0


def test_choice_scores_as_a_search_does(module, tmp_path, monkeypatch):
    choice, report = module("choice"), module("_report").Report(tmp_path)
    monkeypatch.setattr(choice, "COSTS", np.array([0.1, 10.0]))
    monkeypatch.setattr(choice, "THREE", (1.0, 2.0))
    choice.run(report, (choice.Case("cancer", 3, True),))
    with (tmp_path / "choice.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["p"] for row in rows] == ["1", "2", "1 2"]
    for row in rows:
        # Different optima within the tolerance may decide about one sample of a fold differently.
        assert float(row["same"]) >= 0.8
        assert float(row["ratio"]) > 0.0 and float(row["cpu_x"]) > 0.0


def test_features_are_certified(run):
    rows = run("features", ("hinge", "tube", "squared"), ((60, 80),), (1.0,))[0]
    assert len(rows) == 3
    for row in rows:
        assert float(row["gap"]) <= 1e-3
        assert 0 < int(row["chosen"]) <= 80


def test_certificates_count_what_is_wrong(run):
    rows, text = run("certificates", 8, 0)
    assert sum(int(row["fits"]) for row in rows) == 8
    assert "dishonest gaps: reached: measured 0" in text


def test_counting_sees_every_number(module):
    problem = module("_problems").load("cancer", 30)
    stack = module("mkl").memory_stack(module("_problems").kernel_bank(problem.X, 3))
    counted = module("_counting").CountingStack(stack)
    weights = np.array([1.0, 0.0, 2.0])
    np.testing.assert_array_equal(
        counted.combine(weights, rows=[4, 7]), stack.combine(weights, rows=[4, 7])
    )
    assert counted.numbers == 2 * 30 * 2
    counted.add_dot(np.eye(1, 30, 5), np.zeros((1, 3, 30)), np.array([0, 2]))
    assert counted.numbers == 2 * 30 * 2 + 30 * 2
    part = counted.take(np.arange(10), np.arange(10))
    part.combine(np.ones(3))
    assert counted.numbers == 2 * 30 * 2 + 30 * 2 + 2 * 300
    assert counted.materialize().numbers == counted.numbers


def test_kernels_between_other_samples_are_blocks_of_the_bank(module):
    X = module("_problems").load("mfeat", 40).X
    bank = module("_problems").kernel_bank
    np.testing.assert_allclose(bank(X, 7, train=25), bank(X, 7)[:, 25:, :25], rtol=1e-10)
    np.testing.assert_allclose(np.einsum("kii->ki", bank(X, 7)), 1.0)


def test_sides_take_turns_and_slow_ones_run_once(module, monkeypatch):
    monkeypatch.setattr(module("_timing"), "MAX_ROUNDS", 3)
    calls = []
    sides = {name: lambda name=name: calls.append(name) for name in "abc"}
    module("_timing").interleave(sides, once=frozenset("c"), budget=0.0)
    assert "".join(calls) == "abcbaab"


def test_targets_are_stated_plainly(module, capsys):
    report = module("_report").Report()
    report.target("a", 2.1, 1.5)
    report.target("b", 1.2, 1.5, " s")
    assert capsys.readouterr().out.splitlines() == [
        "a: not reached: measured 2.1, wanted 1.5",
        "b: reached: measured 1.2 s, wanted 1.5 s",
    ]


def test_unknown_sections_are_named(module, capsys):
    with pytest.raises(SystemExit):
        module("__main__").main(["smo", "nosuch"])
    assert "nosuch" in capsys.readouterr().err


def test_figure_draws_what_peers_left(module, tmp_path):
    rows = ["sweep,n,m,fit_s,side", "n,60,5,0.01,mkfusion p=1", "n,120,5,0.1,mkfusion p=1"]
    rows += ["m,60,5,0.01,mkfusion p=1", "m,60,10,0.02,other"]
    (tmp_path / "peers.csv").write_text("\n".join(rows), encoding="utf-8")
    image = module("figure").draw(tmp_path, tmp_path / "deep" / "figure.svg")
    text = image.read_text(encoding="utf-8")
    assert "mkfusion p=1" in text and "other" in text


def test_projections_of_two_modalities_are_the_same_either_way(run):
    rows, text = run("emap", (30,), (2, 3))
    two, three = rows
    assert (two["kernels"], three["kernels"]) == ("3", "6")
    assert float(two["differ"]) < 1e-10
    assert 1e-10 < float(three["differ"]) < 0.5  # permutations stand for all combinations
    assert "times as long" in text


def test_the_best_k_are_no_worse_than_what_is_chosen_otherwise(module, run, tmp_path, monkeypatch):
    section = module("best_k")
    monkeypatch.setattr(section, "QUOTED", {"iris": 100.0})
    monkeypatch.setattr(section, "SAMPLED", 2)
    case = section.Case("cancer", 60, 5, (2,))
    (row,), text = run("best_k", (case,), (1.0,), 2, 60)
    assert (row["choices"], row["fits"]) == ("10", "2")
    assert 0.0 <= float(row["gap"]) <= section.TOL
    # Other choices have objectives that are as large, up to the tolerance.
    assert min(float(row["greedy"]), float(row["truncated"])) >= -2 * section.TOL
    with (tmp_path / "best_k_uci.csv").open(newline="", encoding="utf-8") as file:
        (iris,) = csv.DictReader(file)
    assert (iris["set"], iris["n"], iris["classes"], iris["splits"]) == ("iris", "60", "3", "2")
    assert float(iris["gap"]) <= section.TOL
    assert 1.0 <= float(iris["kernels"]) <= 4.0
    assert 80.0 < float(iris["accuracy"]) <= 100.0
    assert "No package" not in text


def test_kernels_of_the_sets_of_uci_are_gram_matrices(module):
    X = np.random.default_rng(0).normal(size=(12, 3))
    section = module("best_k")
    together, parts = section.kernels(X), section.kernels(X[:4], X)
    assert len(together) == 10
    for whole, part in zip(together, parts, strict=True):
        np.testing.assert_allclose(np.diag(whole), 1.0)
        assert np.linalg.eigvalsh(whole).min() > -1e-10
        np.testing.assert_allclose(part, whole[:4])


def test_gains_of_a_taught_student_are_over_the_same_student_alone(run):
    rows, _ = run("privileged", ("wine",), 2)
    (row,) = rows
    assert 0.5 < float(row["alone"]) < 1.0
    assert float(row["teacher"]) > 5.0  # per cent: all modalities are there
    assert all(float(row[f"{way} se"]) >= 0.0 for way in ("taught", "itself", "imitating", "full"))


def test_cells_of_verdicts_are_judged_by_their_ranges(module, tmp_path, monkeypatch):
    verdicts = module("verdicts")
    cell = verdicts.CELLS[0]._replace(
        claims=(verdicts.fusion(0, 30), verdicts.interactions(25, 30), verdicts.adds("AB", 80, 100))
    )
    # Of 20 draws 5 claim fusion, 4 interactions, and 10 that a modality adds.
    monkeypatch.setattr(
        verdicts, "claims_of", lambda cell, run: [run % 4 == 0, run % 5 == 0, run % 2 == 0]
    )
    monkeypatch.setattr(verdicts, "Parallel", lambda n_jobs: list)
    monkeypatch.setattr(verdicts, "delayed", lambda function: function)
    report = module("_report").Report(tmp_path)
    verdicts.run(report, verdicts.Grid((cell,), 20, (), 80, 0))
    with (tmp_path / "information.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["share"]) for row in rows] == [25.0, 20.0, 50.0]
    assert [row["inside"] for row in rows] == ["yes", "near", "no"]
    assert float(rows[1]["error"]) == pytest.approx(100 * np.sqrt(0.2 * 0.8 / 20))


def test_a_cell_of_verdicts_asks_the_tests(module):
    verdicts = module("verdicts")
    by_name = {(cell.name, cell.task): cell for cell in verdicts.CELLS}
    claims = [verdicts.claims_of(by_name["M = 3, A and B", "numbers"], run) for run in range(4)]
    assert np.mean(claims, axis=0).tolist()[:2] == [1.0, 1.0]  # no single one suffices, B adds
    assert len(verdicts.claims_of(by_name["only A, B missing (rows)", "classes"], 0)) == 1


def test_truths_are_what_they_are_called(module):
    truths = module("_truths")
    rng = np.random.default_rng(0)

    def draw(truth, task="numbers", n=20_000):
        return truths.simulate(truth, task, n, rng)

    def correlation(a, b):
        return np.corrcoef(a, b)[0, 1]

    drawn = draw(truths.Truth(truths.total, r2=0.5))
    assert correlation(drawn.y, truths.total(drawn.X)) ** 2 == pytest.approx(0.5, abs=0.02)
    drawn = draw(truths.Truth(truths.correlated_total, correlated=True))
    assert correlation(drawn.X["A"][:, 1], drawn.X["B"][:, 1]) == pytest.approx(0.8, abs=0.02)
    for signal in (truths.only_a, truths.total, truths.product, truths.weak_b, truths.wiggly):
        assert np.var(
            signal(drawn.X if signal is truths.only_a else draw(truths.Truth(signal)).X)
        ) == (pytest.approx(1.0, abs=0.1))
    drawn = draw(truths.Truth(truths.only_a), "75:15:10")
    shares = np.unique(drawn.y, return_counts=True)[1] / 20_000
    np.testing.assert_allclose(shares, [0.75, 0.15, 0.1], atol=0.001)
    drawn = draw(truths.Truth(truths.only_a, sizes=(500, 1, 6), constant=True))
    assert len(np.unique(drawn.groups)) == 500
    assert all(np.ptp(drawn.y[drawn.groups == g]) < 1e-12 for g in range(50))
    drawn = draw(truths.Truth(truths.only_a, missing="rows"))
    present = drawn.X.present()[:, 1]
    assert 0.2 < 1 - present.mean() < 0.4
    assert drawn.y[~present].mean() > drawn.y[present].mean() + 0.5  # A says who lacks B
    copied = draw(truths.Truth(truths.only_a, copies={"C": "A"}))
    np.testing.assert_array_equal(copied.X["A"], copied.X["C"])
    classes = draw(truths.Truth(truths.total), "softmax")
    assert np.unique(classes.y).tolist() == ["a", "b", "c"]
    few = draw(truths.Truth(truths.only_a), n=50).X
    scaled = [make_pipeline(StandardScaler(), RBFKernel()) for _ in few.names]
    kernels = [(name, one, name) for name, one in zip(few.names, scaled, strict=True)]
    stack = ColumnKernelizer(kernels).fit_transform(few)
    np.testing.assert_allclose(np.asarray(truths.rbf_kernels(few)), np.asarray(stack), atol=1e-10)


def test_hidden_numbers_are_shown_by_their_kernels_and_by_no_others(module):
    shown = module("_shown")
    rng = np.random.default_rng(0)
    hidden = {"A": rng.normal(size=(120, 3)), "B": rng.normal(size=(120, 3))}
    for kind in ("series", "texts", "graphs", "categories", "mixed"):
        stack = shown.kernels_of(kind, hidden, rng)
        assert stack.shape == (120, 120, 2)
        explained = []
        for k in range(2):
            gram = stack.gram(k)
            assert np.linalg.eigvalsh(gram).min() > -1e-8
            centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
            machine = KernelRidge(alpha=0.05 * np.trace(centred), kernel="precomputed")
            explained.append(cross_val_score(machine, gram, hidden["A"][:, 0], scoring="r2").mean())
        assert explained[0] > 0.15 > 0.05 > explained[1], kind
    graphs = shown.graphs(hidden["A"], rng)[:2]
    order = rng.permutation(graphs.shape[1])
    same = np.stack([graphs[0], graphs[0][np.ix_(order, order)], graphs[1]])
    kernel = shown.subtree_kernel(same)
    assert kernel[0, 1] == pytest.approx(1.0) and kernel[0, 2] < 0.999


@pytest.mark.parametrize("classes", [True, False])
def test_a_pool_weighs_members_by_what_is_held_out(module, classes):
    members = module("members")
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], 200) if classes else rng.normal(size=400)
    split = SimpleNamespace(train=SimpleNamespace(y=y), classes=classes)
    if classes:
        right, ignorant = np.eye(2)[np.repeat([0, 1], 200)] * 0.8 + 0.1, np.full((400, 2), 0.5)
    else:
        right, ignorant = y, rng.normal(size=400)
    one, other = (members.Member(said, said) for said in (right, ignorant))
    weight = members._best_weight(split, one, other)
    # Of a member that is right there cannot be too much, of one that knows nothing too little.
    assert weight == pytest.approx(1.0, abs=1e-2)
    assert members._best_weight(split, other, one) == pytest.approx(0.0, abs=1e-2)
    pooled = members._pool(split, right, ignorant, 0.5)
    if classes:
        root = np.sqrt([0.9 * 0.5, 0.1 * 0.5])
        np.testing.assert_allclose(pooled[0], root / root.sum())
    else:
        np.testing.assert_allclose(pooled, (right + ignorant) / 2)
