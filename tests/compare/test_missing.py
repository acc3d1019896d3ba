"""Samples that lack a modality, in every method that is compared, against each done by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    CCAFusion,
    ColumnKernelizer,
    EarlyFusionRegressor,
    InteractionRegressor,
    Modalities,
)
from mkfusion.compare import compare_fusion

N = 90
METHODS = ["early", "late_mean", "late_stack", "interaction", "cca"]


def samples():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(N, 2))
    a = hidden @ rng.normal(size=(2, 3)) + 0.3 * rng.normal(size=(N, 3))
    b = hidden @ rng.normal(size=(2, 2)) + 0.3 * rng.normal(size=(N, 2))
    a[::7], b[3::7] = np.nan, np.nan
    return Modalities(a=a, b=b), hidden[:, 0] + 0.2 * rng.normal(size=N)


@pytest.fixture(scope="module")
def found():
    X, y = samples()
    return compare_fusion(X, y, fast=True, cv=KFold(3), inner_cv=KFold(3), methods=METHODS)


class Ridge(KernelRidge):
    """Kernel ridge regression with an intercept, the width of an SVR, and a cost."""

    def __init__(self, C=1.0, kernel="rbf", gamma=None):
        super().__init__(0.5 / C, kernel=kernel, gamma=gamma)
        self.C = C

    def fit(self, X, y):
        self.mean = y.mean()
        if self.gamma is None:
            self.gamma = 1 / (X.shape[1] * X.var())
        return super().fit(X, y - self.mean)

    def predict(self, X):
        return super().predict(X) + self.mean


class ByHand:
    """What a method does on the first fold, with what was chosen there."""

    def __init__(self, found, label):
        self.fold = next(one for one in found.results_ if one.method == label and one.fold == 1)
        self.train, self.test = found.conditions_.folds[0]
        self.X, self.y = samples()
        self.present = self.X.present()
        # In units of the training samples that have the modality, NaN elsewhere
        self.columns = [
            StandardScaler().fit(self.X[name][self.train]).transform(self.X[name]) for name in "ab"
        ]
        self.scaler = StandardScaler().fit(self.y[self.train, np.newaxis])
        self.target = self.scaler.transform(self.y[:, np.newaxis])[:, 0]

    def scores(self, predicted):
        """Whether the score is that of a prediction of the standardised target."""
        answer = self.scaler.inverse_transform(predicted[:, np.newaxis])[:, 0]
        assert self.fold.scores["r2"] == pytest.approx(r2_score(self.y[self.test], answer))

    def machine(self, features):
        model = Ridge(C=self.fold.params["C"]).fit(features[self.train], self.target[self.train])
        return model.predict(features[self.test])


def test_nothing_is_refused(found):
    assert found.not_applicable_ == {}


def test_early_fusion_predicts_columns(found):
    hand = ByHand(found, "early fusion")
    machine = EarlyFusionRegressor(Ridge(C=hand.fold.params["C"]), missing="impute")
    X = Modalities(a=hand.columns[0], b=hand.columns[1])
    model = machine.set_params(modalities=[(name, "passthrough", name) for name in "ab"])
    hand.scores(model.fit(X[hand.train], hand.target[hand.train]).predict(X[hand.test]))


def test_late_fusion_skips_who_is_not_there(found):
    hand = ByHand(found, "late fusion, mean")
    total, count = np.zeros((2, len(hand.test)))
    for k, columns in enumerate(hand.columns):
        some, asked = (rows[hand.present[rows, k]] for rows in (hand.train, hand.test))
        kernel = ColumnKernelizer([("m", "auto", slice(None))])
        gram = np.asarray(kernel.fit_transform(hand.X["ab"[k]][some]))[:, :, 0]
        # Linear beside Gaussian, of which the width is not said; of length 1 in their space
        first, second = columns[some], columns[asked]
        size, size_asked = (np.sqrt(1 + (one**2).mean(axis=1)) for one in (first, second))
        both = gram[0, 1] * size[0] * size[1]
        gamma = -np.log(both - first[0] @ first[1] / first.shape[1])
        gamma /= np.sum((first[0] - first[1]) ** 2)

        def between(rows, own, first=first, size=size, gamma=gamma):
            total = rows @ first.T / first.shape[1] + rbf_kernel(rows, first, gamma=gamma)
            return total / np.outer(own, size)

        np.testing.assert_allclose(gram, between(first, size), atol=1e-12)
        machine = Ridge(C=hand.fold.params["C"], kernel="precomputed")
        machine.fit(gram, hand.target[some])
        there = hand.present[hand.test, k]
        total[there] += machine.predict(between(second, size_asked))
        count[there] += 1
    hand.scores(total / count)


def test_stacking_sees_predicted_modalities(found):
    hand = ByHand(found, "late fusion, stacked")
    kernelizer = ColumnKernelizer([(n, "auto", n) for n in "ab"], missing="impute")
    first = np.asarray(kernelizer.fit_transform(hand.X[hand.train]))
    second = np.asarray(kernelizer.transform(hand.X[hand.test]))
    target = hand.target[hand.train]
    held_out, asked = np.zeros((len(target), 2)), np.zeros((len(hand.test), 2))
    for k in range(2):
        machine = Ridge(C=hand.fold.params["C"], kernel="precomputed")
        for fit, held in KFold(3).split(target):
            machine.fit(first[np.ix_(fit, fit)][:, :, k], target[fit])
            held_out[held, k] = machine.predict(first[np.ix_(held, fit)][:, :, k])
        asked[:, k] = machine.fit(first[:, :, k], target).predict(second[:, :, k])
    hand.scores(RidgeCV().fit(held_out, target).predict(asked))


def test_interactions_are_learned_from_complete_samples(found):
    hand = ByHand(found, "interaction regression")
    X = Modalities(a=hand.columns[0], b=hand.columns[1])
    complete = hand.train[hand.present[hand.train].all(axis=1)]
    # The folds of all training samples, as far as these are complete
    place = np.full(N, -1)
    place[complete] = np.arange(len(complete))
    folds = [
        [place[hand.train[part]][place[hand.train[part]] >= 0] for part in fold]
        for fold in KFold(3).split(hand.train)
    ]
    model = InteractionRegressor(penalty="ridge", cv=folds).fit(X[complete], hand.y[complete])
    filled = InteractionRegressor(penalty="ridge", alpha=model.alpha_, missing="impute")
    filled.fit(X[hand.train], hand.y[hand.train])
    np.testing.assert_allclose(filled.coef_, model.coef_)
    score = r2_score(hand.y[hand.test], filled.predict(X[hand.test]))
    assert hand.fold.scores["r2"] == pytest.approx(score)


def test_cca_fusion_predicts_columns(found):
    hand = ByHand(found, "CCA fusion")
    X = Modalities(a=hand.columns[0], b=hand.columns[1])
    fusion = CCAFusion(hand.fold.params["n_components"], missing="impute").fit(X[hand.train])
    features = fusion.transform(X)
    features = StandardScaler().fit(features[hand.train]).transform(features)
    hand.scores(hand.machine(features))


def test_every_kind_of_modality_may_be_lacking():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(3), 16)
    words = np.array(["calm night", "loud day", "loud night"])
    signals = [rng.normal(size=(1, 8)) + 2 * code for code in codes]
    X = Modalities(
        signals=[None if i % 5 == 0 else one for i, one in enumerate(signals)],
        notes=[None if i % 5 == 2 else f"{words[code]} {i}" for i, code in enumerate(codes)],
    )
    y = np.array(["x", "y", "z"])[codes]
    found = compare_fusion(X, y, fast=True, cv=2, inner_cv=3, methods=METHODS)
    assert set(found.not_applicable_) == {"interaction regression", "CCA fusion"}
    assert found.not_applicable_["CCA fusion"] == "'notes' is texts"
    assert found.scores("late fusion, stacked").mean() > 0.8
    assert found.scores("early fusion").mean() > 0.8


def test_categories_and_three_classes():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(3), 16)
    X = Modalities(
        site=pd.DataFrame({"site": pd.Categorical(np.array(["p", "q", "r"])[codes])}),
        numbers=rng.normal(size=(48, 2)) + 2 * codes[:, np.newaxis],
    )
    X["site"].loc[::5], X["numbers"][2::5] = None, np.nan
    methods = ["early", "interaction", "cca"]
    found = compare_fusion(X, codes, fast=True, cv=2, inner_cv=3, methods=methods)
    assert found.not_applicable_ == {}
    for label in ("early fusion", "interaction regression", "CCA fusion"):
        assert found.scores(label).mean() > 0.8
