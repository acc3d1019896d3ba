"""What may stand beside the default: other norms, another loss, a pool with the linear model.

Sets of the half for choosing, splits, inner folds and measures of the section accuracy. p = …: MKL
on the default's kernels, numbers by the squared error, or at p = 1 by the loss of a tube as well;
linear: the joined penalised linear model. pool: the mean of p = 1 and linear, of logarithms of
probabilities or of numbers; its weight minimises the log-loss or the squared error of what inner
folds hold out, with C and penalty as chosen; equal: the same, half and half. Classes are the most
likely ones. better, worse: sets on which a method differs from p = 1 by more than 0.0005. Means
over splits; cpu_s: processor seconds.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

from benchmarks._contenders import Prediction, Split, linear_model
from benchmarks._panel import CHOOSE, NUMBERS, PANEL, halves, load
from benchmarks._problems import Floats
from benchmarks._report import Report
from benchmarks.accuracy import (
    CLASS_MEASURES,
    NUMBER_MEASURES,
    mean_scores,
    measures,
    split_of,
    splits,
)
from mkfusion import KernelStack, MKLClassifier, MKLClassifierCV, MKLRegressor, MKLRegressorCV

NORMS = (1.0, 1.5, 2.0, np.inf)
PLAIN, LINEAR = "p = 1", "linear"
_TUBE = {"loss": "epsilon_insensitive", "epsilon": None}
_LEAST, _ALIKE = 1e-6, 5e-4


class Grid(NamedTuple):
    """Data sets, and splits of each."""

    names: tuple[str, ...]
    n_splits: int


FULL = Grid(tuple(name for name in PANEL if halves()[name] == CHOOSE), 3)
QUICK = Grid(("nutrimouse", "hitters"), 1)
COLUMNS = "data split task logloss auc f1 accuracy majority r2 one cpu_s method".split()


class Member(NamedTuple):
    """What a model says of the samples that inner folds hold out, and of those to test.

    Probabilities (n, n_classes), or numbers (n,).
    """

    held_out: Floats
    test: Floats


def run(report: Report, grid: Grid) -> None:
    """Measure all members and pools, and compare them with the default."""
    table = report.table("members", COLUMNS)
    for name in grid.names:
        if not PANEL[name].available():
            report.say(f"{name}: skipped, {PANEL[name].package} is not installed")
            continue
        task, data = PANEL[name].task, load(name)
        for turn, (train, test) in enumerate(splits(data, task, grid.n_splits)):
            split = split_of(data, task, train, test, turn)
            classes = np.unique(data.y) if task != NUMBERS else None
            with threadpool_limits(1):
                found = _members(split)
            for method, (said, seconds) in found.items():
                values = said if classes is None else classes[said.argmax(axis=1)]
                scores = measures(data.y[test], classes, Prediction(values, said))
                table.add(data=name, split=turn, task=task, method=method, cpu_s=seconds, **scores)
    report.say()
    for measure, sign in {**CLASS_MEASURES, **NUMBER_MEASURES}.items():
        rows = [row for row in table.rows if row.get(measure) is not None]
        if not rows:
            continue
        _, methods, cells = mean_scores(rows, measure)
        plain = cells[:, [methods.index(PLAIN)]]
        gains = sign * (cells - plain)
        report.say(f"{measure}, {len(cells)} sets: mean, sets better and worse than {PLAIN}")
        for method, mean, gain in zip(methods, cells.mean(axis=0), gains.T, strict=True):
            better, worse = int(np.sum(gain > _ALIKE)), int(np.sum(gain < -_ALIKE))
            report.say(f"  {method}: {mean:.4f}, {better} better, {worse} worse")


def _members(split: Split) -> dict[str, tuple[Floats, float]]:
    """Return what each method says of the samples to test, and its processor seconds."""
    train, test = (KernelStack(list(bank)) for bank in split.bank)
    asked: dict[str, dict[str, Any]] = {f"p = {p:g}": {"ps": p} for p in NORMS}
    if not split.classes:
        asked["p = 1, tube"] = _TUBE
    members: dict[str, Member] = {}
    spent: dict[str, float] = {}
    for method, given in asked.items():
        begin = time.process_time()
        members[method] = _mkl(split, train, test, given)
        spent[method] = time.process_time() - begin
    begin = time.process_time()
    members[LINEAR] = _linear(split)
    spent[LINEAR] = time.process_time() - begin
    found = {method: (member.test, spent[method]) for method, member in members.items()}
    pair = members[PLAIN], members[LINEAR]
    both = spent[PLAIN] + spent[LINEAR]
    weight = _best_weight(split, *pair)
    found["pool"] = _pool(split, pair[0].test, pair[1].test, weight), both
    found["pool, equal"] = _pool(split, pair[0].test, pair[1].test, 0.5), both
    return found


def _mkl(split: Split, train: KernelStack, test: KernelStack, given: dict[str, Any]) -> Member:
    y = split.train.y
    if not split.classes:
        search = MKLRegressorCV(cv=split.folds, **given).fit(train, y)
        own = given if given is _TUBE else {"loss": "squared_error"}
        plain: Any = MKLRegressor(search.C_, search.p_, **own)
        return Member(cross_val_predict(plain, train, y, cv=split.folds), search.predict(test))
    model = MKLClassifierCV(cv=split.folds, **given).fit(train, y)
    plain = MKLClassifier(model.C_, model.p_)
    said = cross_val_predict(plain, train, y, cv=split.folds, method="decision_function")
    return Member(_chances(model.calibration_, said), model.predict_proba(test))


def _chances(logits: Floats, decisions: Floats) -> Floats:
    """Return probabilities of classes from decision values, by slopes and offsets."""
    values = decisions.reshape(len(decisions), -1) * logits[:, 0] + logits[:, 1]
    if values.shape[1] == 1:
        return np.hstack([expit(-values), expit(values)])
    return np.asarray(softmax(values, axis=1))


def _linear(split: Split) -> Member:
    train, test = split.joined
    y, model = split.train.y, linear_model(split).fit(train, split.train.y)
    if not split.classes:
        plain: Any = ElasticNet(alpha=model.alpha_, l1_ratio=model.l1_ratio_, max_iter=3000)
        return Member(cross_val_predict(plain, train, y, cv=split.folds), model.predict(test))
    plain = LogisticRegression(C=float(np.ravel(model.C_)[0]), max_iter=1000, tol=1e-3)
    said = cross_val_predict(clone(plain), train, y, cv=split.folds, method="predict_proba")
    return Member(said, model.predict_proba(test))


def _pool(split: Split, one: Floats, other: Floats, weight: float) -> Floats:
    """Return the weighted mean, of logarithms of probabilities where there are classes."""
    if not split.classes:
        return weight * one + (1.0 - weight) * other
    logs = (np.log(np.maximum(said, _LEAST)) for said in (one, other))
    return np.asarray(softmax(np.tensordot([weight, 1.0 - weight], list(logs), axes=1), axis=1))


def _best_weight(split: Split, one: Member, other: Member) -> float:
    y = split.train.y
    codes = np.unique(y, return_inverse=True)[1]

    def loss(weight: float) -> float:
        said = _pool(split, one.held_out, other.held_out, weight)
        if not split.classes:
            return float(np.mean((said - y) ** 2))
        return -float(np.mean(np.log(np.maximum(said[np.arange(len(y)), codes], _LEAST))))

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)
