"""Rules of the accuracy benchmark: halves, splits, features, measures, ranks."""

from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare
from sklearn.metrics import log_loss, roc_auc_score

from mkfusion import Modalities

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "__init__.py").exists(), reason="without a checkout"
)
# J. Demsar, JMLR 7, 2006, table 5: critical values of the two-tailed Nemenyi test.
NEMENYI = {
    0.05: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
    0.10: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920],
}
# The same, table 6: AUC of C4.5 and three variants on 14 UCI sets. Its ranks tell the two 0.975
# apart, by digits that it does not print.
DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.97501, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("alpha", NEMENYI)
def test_nemenyi_quantiles_are_the_published_ones(module, alpha):
    found = [module("_ranks").nemenyi_quantile(k, alpha) for k in range(2, 11)]
    np.testing.assert_allclose(found, NEMENYI[alpha], atol=1.5e-3)


def test_ranks_and_tests_of_demsars_example(module):
    ranks_module = module("_ranks")
    ranks = ranks_module.rank(DEMSAR)
    np.testing.assert_allclose(ranks.mean(axis=0), [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    found = ranks_module.friedman(ranks)
    assert found.chi2 == pytest.approx(9.28, abs=0.01)
    assert found.statistic == pytest.approx(3.69, abs=0.01)
    assert found.p == pytest.approx(0.02, abs=0.01)
    assert ranks_module.critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.01)


def test_friedman_without_ties_is_scipys(module):
    scores = np.random.default_rng(0).normal(size=(9, 5)) + np.arange(5)
    found = module("_ranks").friedman(module("_ranks").rank(scores))
    assert found.chi2 == pytest.approx(friedmanchisquare(*scores.T).statistic)


def test_sets_that_agree_leave_no_doubt(module):
    found = module("_ranks").friedman(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert found.p == 0.0


def test_cliques_are_the_longest_runs_within_the_difference(module):
    found = module("_ranks").cliques([4.0, 1.0, 1.5, 2.2, 6.0], 1.2)
    assert found == [(1.0, 2.2)]
    assert module("_ranks").cliques([1.0, 1.9, 2.8], 1.0) == [(1.0, 1.9), (1.9, 2.8)]


def test_errors_of_repeated_splits_are_nadeau_and_bengios(module):
    differences = np.array([0.1, 0.3, 0.2, 0.4])
    expected = np.sqrt((1 / 4 + 50 / 100) * np.var(differences, ddof=1))
    assert module("_ranks").corrected_error(differences, 100, 50) == pytest.approx(expected)
    assert np.isnan(module("_ranks").corrected_error(differences[:1], 100, 50))


def test_the_picture_names_every_method(module, tmp_path):
    means = {"default": 1.5, "plain": 2.0, "other": 2.5}
    path = module("_ranks").draw({"AUC": (means, 8)}, tmp_path / "ranks.svg", "default")
    text = path.read_text(encoding="utf-8")
    assert all(f"{name} ({mean:.1f})" in text for name, mean in means.items())
    assert "AUC, 8 sets" in text


def test_the_halves_follow_the_rule(module):
    panel = module("_panel")
    found = panel.halves()
    assert set(found) == set(panel.PANEL)
    for task in (panel.BINARY, panel.CLASSES, panel.NUMBERS):
        own = sorted((s.samples, name) for name, s in panel.PANEL.items() if s.task == task)
        turns = [found[name] for _, name in own]
        assert turns[0] == panel.CHOOSE
        assert all(one != other for one, other in pairwise(turns))


def test_the_panel_is_what_the_table_needs(module):
    panel = module("_panel").PANEL
    tasks = [source.task for source in panel.values()]
    assert len(panel) >= 14
    assert tasks.count("numbers") >= 5 and tasks.count("two classes") >= 5
    assert all(40 <= source.samples <= 1000 for source in panel.values())
    pins = (ROOT / "benchmarks" / "requirements.txt").read_text(encoding="utf-8")
    for source in panel.values():
        assert source.package in {"mkfusion", "scikit-learn"} or f"\n{source.package}==" in pins


NAMES = """nutrimouse promoters stroke sonar parkinson alzheimer glioma cancer cells german motions
hepatic vowels leaf mfeat brca htad cardano meats hitters diabetes wages tate movies ames""".split()


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_what_its_entry_says(module, name):
    panel = module("_panel")
    assert list(panel.PANEL) == NAMES
    source = panel.PANEL[name]
    if not source.available():
        pytest.skip(f"{source.package} carries it, and is not installed")
    data = panel.load(name)
    assert len(data.X) == len(data.y) == source.samples
    assert 2 <= len(data.X.names) <= 6
    n_classes = len(np.unique(data.y))
    if source.task == panel.NUMBERS:
        assert data.y.dtype == float and np.isfinite(data.y).all()
    else:
        assert (n_classes == 2) == (source.task == panel.BINARY)
    train, test = module("accuracy").splits(data, source.task, 1)[0]
    # Whole subjects are drawn, and may be a few samples more.
    assert len(train) <= (300 if data.groups is None else 330)
    assert len(test) <= np.ceil(source.samples / 2)
    assert not set(train) & set(test)
    if data.groups is not None:
        assert not set(data.groups[train]) & set(data.groups[test])
    elif source.task != panel.NUMBERS:
        shares = [np.mean(data.y[some] == data.y[0]) for some in (train, test)]
        assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_inner_folds_keep_groups_together_and_classes_in_all(module):
    folds = module("accuracy").inner_folds
    y, groups = np.repeat(["a", "b"], 30), np.arange(60) // 3
    for train, test in folds(y, groups, "two classes", 0):
        assert not set(groups[train]) & set(groups[test])
    few = np.array(["a"] * 20 + ["b"] * 3)
    parts = folds(few, None, "two classes", 0)
    assert len(parts) == 3 and all("b" in few[test] for _, test in parts)


def test_features_are_learned_from_the_training_samples(module):
    features = module("_contenders").Features
    table = pd.DataFrame({"a": [1.0, 3.0], "word": ["x", "y"]})
    made = features().fit(table)
    new = pd.DataFrame({"a": [2.0], "word": ["never seen"]})
    np.testing.assert_allclose(made.transform(table), [[-1, 1, -1], [1, -1, 1]])
    # No category, each of which half of the training samples have, is one half below its mean.
    np.testing.assert_allclose(made.transform(new), [[0, -1, -1]])
    dna = features().fit(["ac", "at"]).transform(["at", "gc"])
    np.testing.assert_array_equal(dna, [[1, 0, 1], [0, 1, 0]])
    texts = features().fit(["red ink", "red oil"]).transform(["red red", "blue"])
    np.testing.assert_allclose(texts, [[1.0], [0.0]])
    series = np.random.default_rng(0).normal(size=(4, 2, 6))
    columns = features().fit(series).transform(series)
    assert columns.shape == (4, 2 * (5 + 6 + 4))
    np.testing.assert_allclose(columns.mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_measures_are_scikit_learns(module, n_classes):
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])[:n_classes]
    y = np.concatenate([names, rng.choice(names, 40 - n_classes)])
    chances = rng.dirichlet(np.ones(n_classes), 40) * 0.98 + 0.01
    chances /= chances.sum(axis=1, keepdims=True)
    told = module("_contenders").Prediction(names[chances.argmax(axis=1)], chances)
    found = module("accuracy").measures(y, names, told)
    assert found["logloss"] == pytest.approx(log_loss(y, chances))
    auc = (
        roc_auc_score(y == "b", chances[:, 1])
        if n_classes == 2
        else roc_auc_score(y, chances, multi_class="ovr")
    )
    assert found["auc"] == pytest.approx(auc)
    assert found["majority"] == np.unique(y, return_counts=True)[1].max() / 40
    assert found["one"] == 0
    certain = np.tile(np.eye(n_classes)[0], (40, 1))
    found = module("accuracy").measures(
        y, names, told._replace(values=y[:1].repeat(40), chances=certain)
    )
    assert found["one"] == 1 and found["logloss"] < -np.log(5e-4)


def test_the_section_judges_what_it_measured(module, tmp_path, monkeypatch):
    monkeypatch.setattr(module("accuracy"), "warm_up", lambda methods: None)
    accuracy, report = module("accuracy"), module("_report").Report(tmp_path)
    accuracy.run(report, accuracy.Grid(("sonar", "diabetes"), ("default", "joined linear"), 2))
    rows = pd.read_csv(tmp_path / "accuracy.csv")
    verdicts = pd.read_csv(tmp_path / "accuracy_verdicts.csv").set_index(["data", "measure"])
    assert len(rows) == 8
    for name, measure, sign in (("sonar", "logloss", -1), ("diabetes", "r2", 1)):
        own = rows[rows["data"] == name].set_index(["method", "split"])[measure]
        differ = sign * (own["default"] - own["joined linear"])
        assert verdicts.loc[(name, measure), "differ"] == pytest.approx(differ.mean())
    assert accuracy.draw_ranks(tmp_path, tmp_path / "ranks.svg").exists()


def test_noises_are_ten_and_new_to_the_labels(module):
    panel = module("_panel")
    X = Modalities(own=np.zeros((5, 2)))
    made = module("ten_noises").with_noises(panel.DataSet(X, np.arange(5)))
    assert made.X.names == ["own", *(f"noise{k}" for k in range(10))]
    assert len({made.X[name].tobytes() for name in made.X.names}) == 11
