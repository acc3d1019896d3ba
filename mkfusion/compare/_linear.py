"""Penalised linear models of features: paths over the strength of the penalty, made once a fold."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, enet_path
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import l1_min_c

from mkfusion._compat import l1_logistic, num_samples, safe_indexing
from mkfusion._survival import breslow, cumulative_hazards, martingale_residuals
from mkfusion._types import Floats
from mkfusion.compare._data import Setting
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._survival import CoxMachine, SurvivalModel
from mkfusion.data import Modalities, present_samples

# Strengths, the strongest first: of l1 as shares of the one from which on nothing is left,
SPARSE = tuple(np.geomspace(0.5, 0.002, 10).tolist())
FAST_SPARSE = tuple(np.geomspace(0.5, 0.01, 6).tolist())
# and of l2 as shares of the mean square of a row.
RIDGE = (10.0, 1.0, 0.1, 0.01, 0.001)
FAST_RIDGE = (1.0, 0.1, 0.01)
# A likelihood has a part for every event, which a square penalty of this size is set against.
COX_RIDGE = (100.0, 10.0, 1.0, 0.1)
FAST_COX_RIDGE = (100.0, 10.0, 1.0)
# Events are few, and tell little: weaker ones learn the training samples by heart.
COX_SPARSE = tuple(np.geomspace(0.8, 0.1, 6).tolist())
FAST_COX_SPARSE = COX_SPARSE[::2]
_ELASTIC = 0.5

# What is penalised, of all tasks and of those of a comparison.
PENALTIES = (
    "l1, l2 or, of numbers, both; logistic of classes, proportional hazards of survival, there "
    "with l1 where scikit-survival is installed"
)
_PENALTIES = {
    "classification": "logistic; l1 or l2",
    "regression": "l1, l2 or both",
    "survival": "Cox's proportional hazards; l1 or l2",
}
_RIDGE_ALONE = (
    "Cox's proportional hazards; l2 alone, for scikit-survival, which fits l1, was not installed"
)


def has_cox_lasso() -> bool:
    """Whether there is what fits proportional hazards with l1."""
    return find_spec("sksurv") is not None


def linear_words(words: str, setting: Setting) -> str:
    """Return words on the penalties of all tasks as words on those of one.

    Parameters
    ----------
    words : str
        Which name `PENALTIES`.
    setting : Setting

    Returns
    -------
    str
    """
    lacking = setting.task == "survival" and not has_cox_lasso()
    return words.replace(PENALTIES, _RIDGE_ALONE if lacking else _PENALTIES[setting.task])


def linear_candidates(setting: Setting) -> list[dict[str, Any]]:
    """Return the penalties and strengths to try.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    list of dict
    """
    classes, fast = setting.classes, setting.fast
    if setting.task == "survival":
        found = [("l2", strength) for strength in (FAST_COX_RIDGE if fast else COX_RIDGE)]
        if has_cox_lasso():
            found += [("l1", strength) for strength in (FAST_COX_SPARSE if fast else COX_SPARSE)]
        return [{"penalty": penalty, "strength": strength} for penalty, strength in found]
    strengths = FAST_SPARSE if fast else SPARSE
    found = [("l2", strength) for strength in (FAST_RIDGE if fast else RIDGE)]
    if classes:  # an l1 fit of classes has no path: fewer of them
        found += [("l1", strength) for strength in strengths[::2]]
    else:
        found += [("l1", strength) for strength in strengths]
        found += [("elastic net", strength) for strength in strengths[::2]]
    return [{"penalty": penalty, "strength": strength} for penalty, strength in found]


class Beside:
    """Features of all modalities in one table, standardised; those that are lacked are the mean.

    Parameters
    ----------
    transformers : list of (name, transformer) pairs
        Not fitted.
    """

    def __init__(self, transformers: list[tuple[str, Any]]) -> None:
        self.transformers = transformers

    def fit_transform(self, X: Modalities) -> Any:
        """Return the features of training samples.

        Parameters
        ----------
        X : Modalities

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_features)
        """
        self._fitted = []
        for name, transformer in self.transformers:
            there = np.flatnonzero(present_samples(X[name]))
            some = safe_indexing(X[name], there)
            fitted = None if transformer == "passthrough" else clone(transformer)
            table = some if fitted is None else fitted.fit_transform(some)
            # Zeros of sparse tables stay zeros.
            scaler = StandardScaler(with_mean=not issparse(table), with_std=not issparse(table))
            scaler.fit(table)
            self._fitted.append((name, fitted, scaler, table.shape[1]))
        return self.transform(X)

    def transform(self, X: Modalities) -> Any:
        """Return the features of other samples.

        Parameters
        ----------
        X : Modalities

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_features)
        """
        tables = []
        for name, fitted, scaler, width in self._fitted:
            there = np.flatnonzero(present_samples(X[name]))
            n = num_samples(X[name])
            if not len(there):
                tables.append(np.zeros((n, width)))
                continue
            some = safe_indexing(X[name], there)
            table = scaler.transform(some if fitted is None else fitted.transform(some))
            if issparse(table):
                place = csr_matrix((np.ones(len(there)), (there, np.arange(len(there)))))
                place.resize(n, len(there))
                tables.append(place @ table)
            else:
                whole = np.zeros((n, width))
                whole[there] = table
                tables.append(whole)
        if any(issparse(table) for table in tables):
            return hstack(tables, format="csr")
        return np.hstack(tables)


class LinearPath:
    """All penalised linear models of one set of training samples, each fitted when asked for.

    Parameters
    ----------
    transformers : list of (name, transformer) pairs
        What the features of each modality are.
    task : {"classification", "regression", "survival"}
    seed : int
    """

    def __init__(self, transformers: list[tuple[str, Any]], task: str, seed: int) -> None:
        self.beside = Beside(transformers)
        self.task, self.seed = task, seed
        self._table: Any = None
        self._taught: Any = None
        self._y: Any = None
        self._models: dict[Any, Any] = {}
        self._seen: tuple[Any, Any] = (None, None)

    def fit(self, X: Modalities, y: NDArray[Any]) -> Self:
        """Take the training samples: the same again without any work."""
        if self._taught is not X or not np.array_equal(self._y, y):
            self._taught, self._models, self._seen = X, {}, (None, None)
            self._table, self._y = self.beside.fit_transform(X), y
            squares = self._table.multiply(self._table) if issparse(self._table) else None
            total = (self._table**2).sum() if squares is None else squares.sum()
            self._scale = float(total) / len(y) or 1.0  # mean square of a row
        return self

    def features(self, X: Modalities) -> Any:
        """Return the features of other samples, of the same again without any work."""
        if self._seen[0] is not X:
            self._seen = X, self.beside.transform(X)
        return self._seen[1]

    def model(self, penalty: str, strength: float) -> Any:
        """Return a fitted model of features.

        Parameters
        ----------
        penalty : {"l1", "l2", "elastic net"}
        strength : float

        Returns
        -------
        estimator
        """
        if (penalty, strength) not in self._models:
            if self.task == "classification":
                self._models[penalty, strength] = self._classifier(penalty, strength)
            elif self.task == "survival" and penalty == "l1":
                self._add_cox_lasso(strength)
            elif self.task == "survival":
                machine = CoxMachine(1.0 / (strength * self._scale), "linear")
                self._models[penalty, strength] = machine.fit(self._table, self._y)
            elif penalty == "l2":
                self._models[penalty, strength] = self._ridge(strength)
            else:
                self._add_sparse(penalty, strength)
        return self._models[penalty, strength]

    def _classifier(self, penalty: str, strength: float) -> Any:
        table, y = self._table, self._y
        if penalty == "l2":
            rotation = self._rotation()
            table = table if rotation is None else table @ rotation
            C = 1.0 / (strength * self._scale)
            model = LogisticRegression(C=C, max_iter=1000).fit(table, y)
            return _Rotated(model, rotation)
        try:
            least = l1_min_c(table, y, loss="log")
        except ValueError:  # nothing goes with the classes: no coefficient is ever left
            least = 1.0
        model = l1_logistic(C=least / strength, random_state=self.seed)
        if len(np.unique(y)) > 2:
            model = OneVsRestClassifier(model)
        return model.fit(table, y)

    def _rotation(self) -> Floats | None:
        """Return the directions in which samples differ, where there are fewer than features."""
        if issparse(self._table) or self._table.shape[0] >= self._table.shape[1]:
            return None
        if "rotation" not in self._models:
            self._models["rotation"] = np.linalg.svd(self._table, full_matrices=False)[2].T
        return self._models["rotation"]

    def _ridge(self, strength: float) -> Any:
        table = self._table
        mean = self._y.mean()
        penalty = strength * self._scale
        if issparse(table):
            gram = (table @ table.T).toarray()
        else:
            gram = table @ table.T if table.shape[0] < table.shape[1] else table.T @ table
        solved = gram + penalty * np.eye(len(gram))
        if len(gram) == table.shape[0]:
            return _Line(table.T @ np.linalg.solve(solved, self._y - mean), mean)
        return _Line(np.linalg.solve(solved, table.T @ (self._y - mean)), mean)

    def _add_sparse(self, penalty: str, strength: float) -> None:
        """Fit all weaker penalties down to this one, each from the one before."""
        ratio = 1.0 if penalty == "l1" else _ELASTIC
        wanted = [s for s in {*SPARSE, *FAST_SPARSE, strength} if s >= strength]
        table, mean = self._table, self._y.mean()
        centred = self._y - mean
        largest = float(np.abs(table.T @ centred).max()) / (len(centred) * ratio)
        alphas = largest * np.sort(wanted)[::-1] if largest > 0 else np.ones(len(wanted))
        _, coefficients, _ = enet_path(
            np.asfortranarray(table) if not issparse(table) else table.tocsc(),
            centred,
            l1_ratio=ratio,
            alphas=alphas,
            max_iter=5000,
            tol=1e-3,
        )
        for s, one in zip(np.sort(wanted)[::-1], coefficients.T, strict=True):
            self._models.setdefault((penalty, float(s)), _Line(one, mean))

    def _add_cox_lasso(self, strength: float) -> None:
        """Fit all penalties down to this one, and the usual ones, each from the one before."""
        # It is an extra.
        from sksurv.linear_model import CoxnetSurvivalAnalysis

        table = self._table.toarray() if issparse(self._table) else self._table
        time, event = self._y["time"], self._y["event"]
        wanted = sorted({*COX_SPARSE, strength}, reverse=True)
        # From here on all coefficients are zero.
        largest = np.abs(table.T @ martingale_residuals(time, event)).max() / len(time)
        alphas = largest * np.array(wanted)
        coefficients = np.zeros((table.shape[1], 0 if largest > 0 else len(wanted)))
        while not coefficients.size:
            try:
                path = CoxnetSurvivalAnalysis(alphas=alphas, l1_ratio=1.0).fit(table, self._y)
                coefficients = path.coef_
            except ArithmeticError:  # the likelihood can be made perfect
                alphas = alphas[:-1]
        last = coefficients.shape[1] - 1
        if last < len(wanted) - 1:
            warnings.warn(
                f"l1 penalties below {wanted[last]:g} of the largest are too weak for these "
                "samples; that one is taken for them",
                ConvergenceWarning,
                stacklevel=2,
            )
        for k, s in enumerate(wanted):
            line = _CoxLine(coefficients[:, min(k, last)]).fit(table, self._y)
            self._models.setdefault(("l1", s), line)


class _CoxLine:
    """Coefficients of proportional hazards.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
    """

    def __init__(self, coef: Floats) -> None:
        self.coef = coef

    def fit(self, table: Floats, y: NDArray[Any]) -> Self:
        """Estimate the hazard where all features are 0."""
        self._hazard = breslow(y["time"], y["event"], np.ones(len(y)), self.predict(table))
        return self

    def predict(self, table: Any) -> Floats:
        return np.asarray(table @ self.coef)

    def predict_survival_function(self, table: Any, times: Floats) -> Floats:
        return np.asarray(np.exp(-cumulative_hazards(self.predict(table), *self._hazard, times)))


class _Line:
    """Coefficients and an intercept.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
    intercept : float
    """

    def __init__(self, coef: Floats, intercept: float) -> None:
        self.coef, self.intercept = coef, intercept

    def predict(self, table: Any) -> Floats:
        return np.asarray(table @ self.coef + self.intercept)


class _Rotated:
    """A classifier of features after a rotation."""

    def __init__(self, model: Any, rotation: Floats | None) -> None:
        self.model, self.rotation = model, rotation

    def _turned(self, table: Any) -> Any:
        return table if self.rotation is None else table @ self.rotation

    def predict(self, table: Any) -> NDArray[Any]:
        return self.model.predict(self._turned(table))

    def decision_function(self, table: Any) -> Floats:
        return self.model.decision_function(self._turned(table))

    def predict_proba(self, table: Any) -> Floats:
        return self.model.predict_proba(self._turned(table))


class _PathModel(BaseEstimator):
    """One model of a path that others share.

    Parameters
    ----------
    path : LinearPath
        Of the same training samples.
    penalty : {"l1", "l2", "elastic net"}
    strength : float
    """

    def __init__(self, path: LinearPath, penalty: str = "l2", strength: float = 1.0) -> None:
        self.path, self.penalty, self.strength = path, penalty, strength

    def fit(self, X: Modalities, y: NDArray[Any]) -> Self:
        self.model_ = self.path.fit(X, y).model(self.penalty, self.strength)
        if self.path.task == "classification":
            self.classes_ = np.unique(y)
        return self

    def predict(self, X: Modalities) -> NDArray[Any]:
        return self.model_.predict(self.path.features(X))


class PathRegressor(RegressorMixin, _PathModel):
    """A penalised linear regression of a path."""


class PathCox(_PathModel, SurvivalModel):
    """Penalised proportional hazards of a path."""

    def predict_survival_function(self, X: Modalities, times: Floats) -> Floats:
        return self.model_.predict_survival_function(self.path.features(X), times)


class PathClassifier(ClassifierMixin, _PathModel):
    """A penalised logistic regression of a path."""

    def decision_function(self, X: Modalities) -> Floats:
        return self.model_.decision_function(self.path.features(X))

    def predict_proba(self, X: Modalities) -> Floats:
        return self.model_.predict_proba(self.path.features(X))


def linear_model(params: dict[str, Any], data: FoldData, index: int | None = None) -> Any:
    """Return a penalised linear model, not fitted.

    Parameters
    ----------
    params : dict
        Penalty and strength.
    data : FoldData
        Keeps one path for all of these: each fit takes its part of it.
    index : int or None, default=None
        Of the modality; None is all of them.

    Returns
    -------
    PathClassifier, PathRegressor or PathCox
    """
    setting = data.setting
    wanted = setting.modalities if index is None else [setting.modalities[index]]
    features = [(m.key, m.features) for m in wanted]
    path = LinearPath(features, setting.task, setting.seed)
    path = data.shared.setdefault(("linear", index), path)
    kinds: dict[str, Any] = {
        "classification": PathClassifier,
        "regression": PathRegressor,
        "survival": PathCox,
    }
    return kinds[setting.task](path, **params)
