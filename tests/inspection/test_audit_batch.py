"""Whether modalities tell batches."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, kruskal, norm, rankdata

from mkfusion import Modalities
from mkfusion.inspection import audit
from mkfusion.inspection._audit_batch import _by_categories, _by_ranks
from mkfusion.inspection._audit_tables import Block


def told(X, batch, **given):
    y = np.random.default_rng(99).normal(size=len(batch))
    found = audit(X, y, batch=batch, **given).findings
    return [one for one in found if one.check == "batch" and one.modality]


@pytest.mark.parametrize("kind", ["strings", "numbers"])
def test_a_batch_that_is_a_column_is_found_where_it_is(kind):
    rng = np.random.default_rng(0)
    batch = rng.choice(["north", "south", "west"], 150)
    site = batch if kind == "strings" else np.unique(batch, return_inverse=True)[1]
    clinical = pd.DataFrame({"age": rng.normal(size=150), "site": site})
    (one,) = told(Modalities(clinical=clinical, rna=rng.normal(size=(150, 300))), batch)
    assert (one.level, one.modality, one.examples) == ("warning", "clinical", ("site",))
    assert "balanced accuracy 1.00" in one.what and "guessing has 0.33" in one.what


def test_one_column_of_many_is_found():
    rng = np.random.default_rng(1)
    batch = np.arange(200) % 2
    X = rng.normal(size=(200, 1000))
    X[:, 417] += 2.0 * batch
    (one,) = told(Modalities(wide=X, other=rng.normal(size=(200, 3))), batch)
    assert one.modality == "wide" and one.examples == ("417",)


def test_a_shift_of_all_columns_has_the_figure_that_is_best_possible():
    rng = np.random.default_rng(2)
    batch = rng.permutation(np.arange(500) % 2)
    X = rng.normal(size=(500, 16)) + 0.5 * batch[:, np.newaxis]
    (one,) = told(Modalities(a=X, b=rng.normal(size=(500, 16))), batch)
    assert one.modality == "a" and "of a linear model" in one.what
    # Two normal distributions, 0.5 * sqrt(16) deviations apart
    score = float(one.what.split("accuracy ")[1].split(" ")[0])
    assert score == pytest.approx(norm.cdf(1.0), abs=0.05)


def test_noise_tells_no_batch():
    found = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"q": rng.choice(list("abc"), 60), "v": rng.exponential(size=60)})
        X = Modalities(wide=rng.normal(size=(60, 200)), table=table)
        found += len(told(X, rng.choice(3, 60, p=[0.6, 0.3, 0.1])))
    assert found <= 2  # of 12, with probability 0.999 at the level of 0.01


@pytest.mark.parametrize("within", [False, True])
def test_samples_of_a_subject_count_once(within):
    # Subjects are like nobody but themselves, and sites have nothing to do with what they are.
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        subject = np.repeat(np.arange(30), 4)
        site = (np.arange(30) % 2)[subject] if not within else np.arange(120) % 2
        X = rng.normal(size=(30, 5))[subject] + 0.01 * rng.normal(size=(120, 5))
        found += len(told(Modalities(a=X), site, groups=subject))
    assert found <= 1


def test_batches_that_are_subjects_or_few_samples_are_not_looked_at():
    rng = np.random.default_rng(3)
    batch = np.repeat(np.arange(12), 5)
    X = Modalities(a=rng.normal(size=(12, 3))[batch], b=rng.normal(size=(60, 2)))
    assert told(X, batch, groups=batch) == []
    assert told(X[:20], np.arange(20) % 2) == []


def test_p_values_of_columns_are_those_of_scipy():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 3, 80)
    cells = np.column_stack([rng.normal(size=80), rng.integers(0, 4, 80), np.ones(80)])
    ranks = rankdata(cells, axis=0)
    expected = [kruskal(*(column[codes == k] for k in range(3))).pvalue for column in cells.T[:2]]
    np.testing.assert_allclose(_by_ranks(ranks, codes), [*expected, 1.0], rtol=1e-12)
    nominal = np.array([False, True, True])
    block = Block(["a", "b", "c"], cells, nominal, np.zeros(3, dtype=bool), 0)
    table = pd.crosstab(cells[:, 1], codes).to_numpy()
    wanted = chi2_contingency(table, correction=False).pvalue
    np.testing.assert_allclose(_by_categories(block, ranks, codes), [1.0, wanted, 1.0], rtol=1e-12)
