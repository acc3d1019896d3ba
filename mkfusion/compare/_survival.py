"""What a comparison does where the target is the time of an event that not all have seen."""

# `mkfusion.X` loads X when it is first asked for: help lists the methods, and is not to wait.

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline

import mkfusion
from mkfusion._messages import shown
from mkfusion._survival import (
    BRIER,
    HARRELL,
    SURVIVAL_METRICS,
    Censoring,
    breslow,
    brier_scores,
    concordance,
    cumulative_hazards,
    integrated_brier,
    kaplan_meier,
    step_values,
    uno_concordance,
)
from mkfusion._types import Floats, Indices
from mkfusion.compare._machines import Expert
from mkfusion.compare._metrics import named_metrics
from mkfusion.data import Modalities, read_survival

# Which share of the samples is followed beyond the horizon, and at how many times predicted
# survival is compared with what was seen.
_BEYOND, _MOST_TIMES = 0.1, 50
# Relative gap of models on one kernel.
_TOL = 1e-7
# Sums of steps are so near to probabilities.
_ROUNDING = 1e-6


class FollowUp(NamedTuple):
    """Over which time survival is scored, from the times of all samples.

    Attributes
    ----------
    horizon : float
        A tenth of the samples is followed beyond it: what comes later is known of too few.
    times : ndarray of shape (n_times,)
        Of events before it, ascending: all, or fifty quantiles.
    """

    horizon: float
    times: Floats

    @classmethod
    def of(cls, y: NDArray[Any]) -> FollowUp:
        """Return that of the targets of all samples.

        Parameters
        ----------
        y : structured array of shape (n_samples,)

        Returns
        -------
        FollowUp

        Raises
        ------
        ValueError
            If there are no two different times of events before the horizon.
        """
        horizon = float(np.quantile(y["time"], 1.0 - _BEYOND, method="higher"))
        times = np.unique(y["time"][y["event"] & (y["time"] < horizon)])
        if len(times) < 2:
            raise ValueError(
                f"y has {len(times)} different time(s) of events before {horizon:g}, beyond which "
                "a tenth of the samples is followed; expected at least 2."
            )
        if len(times) > _MOST_TIMES:
            shares = np.linspace(0.0, 1.0, _MOST_TIMES)
            times = np.unique(np.quantile(times, shares, method="nearest"))
        return cls(horizon, times)


def read_survival_target(X: Any, y: Any, task: str) -> NDArray[Any]:
    """Return the target of a comparison of survival.

    Parameters
    ----------
    X : samples
    y : structured array of shape (n_samples,)
    task : str
        As users gave it.

    Returns
    -------
    structured array of shape (n_samples,)
        Of the fields "event" and "time".

    Raises
    ------
    ValueError
        If it is none, or the task is another one.
    """
    if task not in ("auto", "survival"):
        raise ValueError(
            f"task is {shown(task)} and y is a structured array of times of events; expected "
            '"auto" or "survival".'
        )
    return read_survival(X, y).structured


class SurvivalScorer:
    """A metric of survival, the higher the better, which knows the training samples' censoring.

    Parameters
    ----------
    name : str
        One of `SURVIVAL_METRICS`.
    follow_up : FollowUp
    """

    def __init__(self, name: str, follow_up: FollowUp) -> None:
        self.name = name
        self.follow_up = follow_up

    def __call__(self, model: Any, X: Any, y: NDArray[Any], y_train: NDArray[Any]) -> float:
        """Return the score of a fitted model on test samples.

        Parameters
        ----------
        model : fitted estimator
        X : samples
        y, y_train : structured arrays of shape (n_samples,) and (n_train,)

        Returns
        -------
        float
        """
        if self.name == BRIER:
            chances = survival_chances(model, X, len(y), self.follow_up.times)
            return -brier_loss(y, chances, y_train, self.follow_up.times)
        risk = survival_risks(model, X, len(y))
        if self.name == HARRELL:
            return concordance(y["time"], y["event"], risk)
        censoring = Censoring(y_train["time"], y_train["event"])
        return uno_concordance(y["time"], y["event"], risk, censoring, self.follow_up.horizon)


def survival_scorers(scoring: Any, follow_up: FollowUp) -> dict[str, Any]:
    """Return scorers by the names of their metrics.

    Parameters
    ----------
    scoring : None, str, callable, or list or dict of them
        Of `SURVIVAL_METRICS`; what is called as ``scorer(estimator, X, y)`` is taken as it is.
    follow_up : FollowUp

    Returns
    -------
    dict of str to scorer

    Raises
    ------
    ValueError
        If a name is of no metric of survival.
    """
    named = named_metrics(SURVIVAL_METRICS if scoring is None else scoring)
    unknown = [one for one in named.values() if not callable(one) and one not in SURVIVAL_METRICS]
    if unknown:
        raise ValueError(
            f"scoring has {shown(unknown)}, and y are times of events; expected some of "
            f"{list(SURVIVAL_METRICS)}, or callables scorer(estimator, X, y)."
        )
    return {
        name: one if callable(one) else SurvivalScorer(one, follow_up)
        for name, one in named.items()
    }


def brier_loss(y: NDArray[Any], chances: Floats, y_train: NDArray[Any], times: Floats) -> float:
    """Return the integrated Brier score of predicted survival, weighted for censoring.

    Parameters
    ----------
    y, y_train : structured arrays of shape (n_samples,) and (n_train,)
    chances : ndarray of shape (n_samples, n_times)
    times : ndarray of shape (n_times,)

    Returns
    -------
    float
    """
    censoring = Censoring(y_train["time"], y_train["event"])
    scores = brier_scores(y["time"], y["event"], chances, times, censoring)
    return float(integrated_brier(scores, times).mean())


def survival_risks(model: Any, X: Any, n_samples: int) -> Floats:
    """Return the risks that a model predicts.

    Parameters
    ----------
    model : fitted estimator
        The larger what it predicts, the earlier the event.
    X : samples
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is no finite number for each sample: others would be ranked all the same.
    """
    risk = np.asarray(model.predict(X), dtype=np.float64)
    name = type(model).__name__
    if risk.shape != (n_samples,):
        raise ValueError(f"{name} predicts risks of shape {risk.shape} of {n_samples} samples")
    if not np.isfinite(risk).all():
        raise ValueError(f"{name} predicts the risk {shown(risk[~np.isfinite(risk)][0])}")
    return risk


def survival_chances(model: Any, X: Any, n_samples: int, times: Floats) -> Floats:
    """Return the probabilities to survive some times that a model predicts.

    Parameters
    ----------
    model : fitted estimator
        Of this package, or one whose `predict_survival_function` returns step functions, as those
        of scikit-survival do; or a pipeline that ends in one of these.
    X : samples
    n_samples : int
    times : ndarray of shape (n_times,)

    Returns
    -------
    ndarray of shape (n_samples, n_times)

    Raises
    ------
    ValueError
        If the model predicts no survival functions, or no probabilities.
    """
    while isinstance(model, Pipeline):
        if len(model) > 1:
            X = model[:-1].transform(X)
        model = model[-1]
    if isinstance(model, SurvivalModel | mkfusion.MKLSurvivalAnalysis):
        return model.predict_survival_function(X, times)
    name = type(model).__name__
    if not hasattr(model, "predict_survival_function"):
        raise ValueError(f"{name} has no predict_survival_function")
    try:
        found = np.array([_evaluated(step, times) for step in model.predict_survival_function(X)])
    except AttributeError as error:  # of other functions, or of a model that has none after all
        raise ValueError(f"{name} predicts no step functions of survival: {error}") from error
    if found.shape != (n_samples, len(times)):
        raise ValueError(f"{name} predicts {len(found)} survival functions of {n_samples} samples")
    odd = ~((found >= -_ROUNDING) & (found <= 1.0 + _ROUNDING))  # NaN is
    if odd.any():
        raise ValueError(f"{name} predicts to survive with probability {shown(found[odd][0])}")
    return found


def _evaluated(step: Any, times: Floats) -> Floats:
    """Return the values of a step function, those at its ends beyond them."""
    return step_values(np.asarray(step.x), np.asarray(step(step.x)), times, 1.0)


def fold_chances(y: NDArray[Any], train: Indices, n_test: int, times: Floats) -> Floats:
    """Return what can be said of test samples without looking at any modality."""
    known = y[train]
    alive = step_values(*kaplan_meier(known["time"], known["event"]), times, 1.0)
    return np.tile(alive, (n_test, 1))


# ---------------------------------------------------------------------------- methods


class SurvivalModel(BaseEstimator):
    """What predicts risks and survival functions."""

    def predict(self, X: Any) -> Floats:
        """Return risks (n,)."""
        raise NotImplementedError

    def predict_survival_function(self, X: Any, times: Floats) -> Floats:
        """Return probabilities (n, n_times) to survive some times."""
        raise NotImplementedError


class KaplanMeier(SurvivalModel):
    """The same for all samples: what can be said without looking at any modality."""

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        self._times, self._alive = kaplan_meier(y["time"], y["event"])
        return self

    def predict(self, X: Any) -> Floats:
        return np.zeros(len(X))

    def predict_survival_function(self, X: Any, times: Floats) -> Floats:
        return np.tile(step_values(self._times, self._alive, times, 1.0), (len(X), 1))


class CoxMachine(SurvivalModel):
    """Cox's proportional hazards on one kernel.

    Parameters
    ----------
    C : float, default=1.0
    kernel : {"precomputed", "rbf", "linear"}, default="precomputed"
        "rbf" has the width that support vector machines have by default.
    """

    def __init__(self, C: float = 1.0, kernel: str = "precomputed") -> None:
        self.C = C
        self.kernel = kernel

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        self._train = X
        if self.kernel == "rbf":
            variance = float(X.var())
            self._gamma = 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0
        # One kernel takes a few of Newton's steps, of which the last cost next to nothing.
        self._machine = mkfusion.MKLSurvivalAnalysis(C=self.C, p=np.inf, tol=_TOL)
        self._machine.fit(self._kernel(X), y)
        return self

    def predict(self, X: Any) -> Floats:
        return self._machine.predict(self._kernel(X))

    def predict_survival_function(self, X: Any, times: Floats) -> Floats:
        return self._machine.predict_survival_function(self._kernel(X), times)

    def _kernel(self, X: Any) -> Floats:
        if self.kernel == "precomputed":
            return np.asarray(X)
        if self.kernel == "rbf":
            return np.asarray(rbf_kernel(X, self._train, gamma=self._gamma))
        product = X @ self._train.T
        return np.asarray(product.toarray() if hasattr(product, "toarray") else product)


class CombinedCox(SurvivalModel):
    """Cox's proportional hazards on kernels of given weights, or of learned ones.

    Parameters
    ----------
    C : float
    weights : ndarray of shape (n_kernels,), default=None
        None learns them.
    p : float, default=1.0
        Norm of weights that are learned.
    """

    def __init__(self, C: float, weights: Floats | None = None, p: float = 1.0) -> None:
        self.C = C
        self.weights = weights
        self.p = p

    def fit(self, X: mkfusion.KernelStack, y: NDArray[Any]) -> Self:
        p = self.p if self.weights is None else np.inf
        self._machine = mkfusion.MKLSurvivalAnalysis(C=self.C, p=p).fit(self._kernels(X), y)
        if self.weights is None:
            self.weights_, self.kernel_names_ = self._machine.weights_, X.names
        return self

    def predict(self, X: mkfusion.KernelStack) -> Floats:
        return self._machine.predict(self._kernels(X))

    def predict_survival_function(self, X: mkfusion.KernelStack, times: Floats) -> Floats:
        return self._machine.predict_survival_function(self._kernels(X), times)

    def _kernels(self, X: mkfusion.KernelStack) -> Any:
        return X if self.weights is None else X.combine(self.weights)


class LateCox(SurvivalModel):
    """The mean of the log-hazards of one machine for each modality, of those that a sample has.

    Parameters
    ----------
    C : float
    experts : dict of str to Expert
        By our names of the modalities.
    """

    def __init__(self, C: float, experts: dict[str, Expert]) -> None:
        self.C = C
        self.experts = experts

    def fit(self, X: Modalities, y: NDArray[Any]) -> Self:
        self._fitted = {}
        for name, expert in self.experts.items():
            there = np.flatnonzero(~np.isnan(X[name][:, 0]))
            rows = X[name][there]
            machine = mkfusion.MKLSurvivalAnalysis(C=self.C, p=np.inf)
            self._fitted[name] = machine.fit(expert.between(rows, rows), y[there]), rows
        # Of Breslow's estimate one does for the means of the machines' risks as well.
        self._hazard = breslow(y["time"], y["event"], np.ones(len(y)), self.predict(X))
        return self

    def predict(self, X: Modalities) -> Floats:
        risks = np.full((len(X), len(self.experts)), np.nan)
        for k, (name, (machine, train)) in enumerate(self._fitted.items()):
            there = np.flatnonzero(~np.isnan(X[name][:, 0]))
            if there.size:
                gram = self.experts[name].between(X[name][there], train)
                risks[there, k] = machine.predict(gram)
        return np.asarray(np.nanmean(risks, axis=1))

    def predict_survival_function(self, X: Modalities, times: Floats) -> Floats:
        return np.asarray(np.exp(-cumulative_hazards(self.predict(X), *self._hazard, times)))
