"""The CCA family in other units of the columns: the same, where it says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from mkfusion import CCA, CCAFusion, KernelCCA, Modalities, MultisetCCA

WIDTHS = (3, 4, 2)
RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=(80, 2))
TABLES = [SHARED @ RNG.normal(size=(2, p)) + RNG.normal(size=(80, p)) for p in WIDTHS]
NAMES = ("a", "b", "c")
# Columns of one modality lie up to a million apart, and their zeros lie anywhere.
UNITS = [10.0 ** np.array(powers) for powers in ([-3, 3, 0], [3, -3, 2, -2], [3, -3])]
ZEROS = [10.0 * unit for unit in UNITS]


def samples(count: int = 3, *, other: bool = False) -> Modalities:
    tables = TABLES[:count]
    if other:
        tables = [t * unit + zero for t, unit, zero in zip(tables, UNITS, ZEROS, strict=False)]
    return Modalities(dict(zip(NAMES, tables, strict=False)))


FAMILY = {
    "CCA": (CCA(2), 2),
    "regularised CCA": (CCA(2, regularisation=[0.1, 0.7]), 2),
    "partial least squares": (CCA(2, regularisation=1.0), 2),
    "maxvar": (MultisetCCA(2, regularisation=0.3), 3),
    "sumcor": (MultisetCCA(2, regularisation=0.3, method="sumcor"), 3),
    "kernels": (KernelCCA(n_components=2, regularisation=0.1), 3),
    "fusion": (CCAFusion(2), 3),
    "fusion, predicted": (CCAFusion(2, missing="impute"), 3),
}


@pytest.mark.parametrize(("model", "count"), FAMILY.values(), ids=FAMILY.keys())
def test_units_of_columns_do_not_matter(model, count: int) -> None:
    one = clone(model).fit(samples(count))
    other = clone(model).fit(samples(count, other=True))
    found = np.hstack([np.asarray(one.transform(samples(count))).reshape(80, -1)])
    again = np.hstack([np.asarray(other.transform(samples(count, other=True))).reshape(80, -1)])
    np.testing.assert_allclose(again, found, atol=1e-6)
    for name in ("objective_", "canonical_correlations_", "explained_variance_ratio_"):
        if hasattr(one, name):
            np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=1e-8)


@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
def test_closed_form_on_standardised_columns(c: float) -> None:
    """The eigenvalues of correlations between, within shrunk correlations within."""
    correlations = np.corrcoef(np.hstack(TABLES).T)
    for count, model in ((2, CCA(2, regularisation=c)), (3, MultisetCCA(2, regularisation=c))):
        parts = np.split(np.arange(sum(WIDTHS)), np.cumsum(WIDTHS)[:-1])[:count]
        used = np.concatenate(parts)
        R = correlations[np.ix_(used, used)]
        within = block_diag(*[correlations[np.ix_(part, part)] for part in parts])
        values = eigh(R - within, (1.0 - c) * within + c * np.eye(len(R)), eigvals_only=True)
        expected = values[::-1][:2] + (count > 2)
        for other in (False, True):
            found = clone(model).fit(samples(count, other=other)).objective_
            np.testing.assert_allclose(found, expected, atol=1e-9)


def test_without_scaling_units_matter() -> None:
    """Of regularised analyses: the test above would pass for anything otherwise."""
    model = MultisetCCA(1, regularisation=0.3, scale=False)
    one = model.fit(samples()).objective_[0]
    assert abs(model.fit(samples(other=True)).objective_[0] - one) > 0.05 * one


def test_what_is_learned_from_the_features() -> None:
    y = SHARED[:, 0] > 0
    accuracies = []
    for other in (False, True):
        X = samples(other=other)
        features = CCAFusion(2).fit(X[:60]).transform(X)
        model = LogisticRegression().fit(features[:60], y[:60])
        accuracies.append(model.predict_proba(features[60:]))
    np.testing.assert_allclose(*accuracies, atol=1e-6)
