"""Kernel machines on matrices that are there already, without checks of what is our own."""

# `mkfusion.X` loads X when it is first asked for: help lists the methods, and is not to wait.

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve
from scipy.sparse import issparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

import mkfusion
from mkfusion._sigmoids import class_chances
from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.compare._folds import Fold
from mkfusion.compare._platt import chances, sigmoids


class RidgeMachine(RegressorMixin, BaseEstimator):
    """Kernel ridge regression: squared error, in closed form.

    Minimises ``1/2 ||f||^2 + C sum_i (y_i - f(x_i) - b)^2`` for b the mean of y.

    Parameters
    ----------
    C : float, default=1.0
    kernel : {"precomputed", "rbf"} or callable, default="precomputed"
        "rbf" has the width that support vector machines have by default.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_train,)
    intercept_ : float
    """

    def __init__(self, C: float = 1.0, kernel: Any = "precomputed") -> None:
        self.C = C
        self.kernel = kernel

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = isinstance(self.kernel, str) and self.kernel == "precomputed"
        return tags

    def fit(self, X: Any, y: Floats) -> Self:
        """Solve for the dual coefficients.

        Parameters
        ----------
        X : ndarray of shape (n_train, n_train) or (n_train, n_features)
        y : ndarray of shape (n_train,)

        Returns
        -------
        self : object
        """
        self._train = X
        variance = X.multiply(X).mean() - X.mean() ** 2 if issparse(X) else np.var(X)
        self._gamma = 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0
        gram = np.array(self._kernel(X), dtype=np.float64)
        gram.flat[:: len(gram) + 1] += 0.5 / self.C
        self.intercept_ = float(np.mean(y))
        try:
            factor = cho_factor(gram, check_finite=False)
            self.dual_coef_ = cho_solve(factor, y - self.intercept_, check_finite=False)
        except LinAlgError:  # a similarity that is no kernel
            self.dual_coef_ = solve(gram, y - self.intercept_, assume_a="sym", check_finite=False)
        return self

    def predict(self, X: Floats) -> Floats:
        """Predict numbers.

        Parameters
        ----------
        X : ndarray of shape (n, n_train) or (n, n_features)

        Returns
        -------
        ndarray of shape (n,)
        """
        return self._kernel(X) @ self.dual_coef_ + self.intercept_

    def _kernel(self, X: Floats) -> Floats:
        if callable(self.kernel):
            return np.asarray(self.kernel(X, self._train))
        if self.kernel == "rbf":
            return np.asarray(rbf_kernel(X, self._train, gamma=self._gamma))
        return X


class ScaledTarget(RegressorMixin, BaseEstimator):
    """Let a regressor see a target of mean 0 and variance 1.

    Parameters
    ----------
    regressor : regressor

    Attributes
    ----------
    regressor_ : regressor
        Fitted.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, X: Any, y: Floats) -> Self:
        """Fit the regressor.

        Parameters
        ----------
        X : samples
        y : ndarray of shape (n_train,)

        Returns
        -------
        self : object
        """
        self._mean, self._scale = _size(y)
        self.regressor_ = clone(self.regressor).fit(X, (y - self._mean) / self._scale)
        return self

    def predict(self, X: Any) -> Floats:
        """Predict numbers of the target's scale.

        Parameters
        ----------
        X : samples

        Returns
        -------
        ndarray of shape (n,)
        """
        return np.ravel(self.regressor_.predict(X)) * self._scale + self._mean


def fit_together(models: list[Any], X: Any, y: NDArray[Any], along_path: bool) -> list[Any]:
    """Fit models that differ in C alone, with what they have in common done once.

    Steps of pipelines before the last are fitted once, and kernel weights are learned along a path
    of C, each from those before.

    Parameters
    ----------
    models : list of estimators
        Not fitted.
    X : samples
    y : ndarray of shape (n_train,)
    along_path : bool
        Whether they are for :func:`mkfusion.mkl_path`, but for the scaling of targets.

    Returns
    -------
    list of estimators
        Fitted.
    """
    first = models[0]
    if isinstance(first, ScaledTarget):
        mean, scale = _size(y)
        inner = fit_together([one.regressor for one in models], X, (y - mean) / scale, along_path)
        for model, fitted in zip(models, inner, strict=True):
            model._mean, model._scale, model.regressor_ = mean, scale, fitted
        return models
    if isinstance(first, Pipeline):
        before = first[:-1]
        seen = before.fit_transform(X, y)
        lasts = fit_together([one.steps[-1][1] for one in models], seen, y, along_path)
        name = first.steps[-1][0]
        return [Pipeline([*before.steps, (name, last)]) for last in lasts]
    if along_path:
        return list(mkfusion.mkl_path(X, y, C=[one.C for one in models], estimator=first))
    return [one.fit(X, y) for one in models]


def _size(y: Floats) -> tuple[float, float]:
    """Return mean and standard deviation, or 1 where there is none."""
    return float(np.mean(y)), float(np.std(y)) or 1.0


class Expert:
    """Machines on one modality's kernel, each of which is fitted once.

    Splits of splits have many training sets in common, and so have methods.

    Parameters
    ----------
    gram : ndarray of shape (n, n_train)
        Of the training samples of a fold and then its test samples, with the training samples.
    folds : list of Fold
        How the training samples are split once more.
    """

    def __init__(self, gram: FloatArray, folds: list[Fold]) -> None:
        self.gram = np.asarray(gram, dtype=np.float64)
        self.folds = folds
        self._fitted: dict[tuple[float, bytes], Any] = {}

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # copies of estimators share the matrix, and what was fitted

    def between(self, rows: Floats, columns: Floats) -> Floats:
        """Return the values between positions (n_rows, 1) and positions (n_columns, 1)."""
        return self.gram[np.ix_(rows[:, 0].astype(np.intp), columns[:, 0].astype(np.intp))]

    def machine(self, C: float, rows: Indices, y: NDArray[Any]) -> tuple[Any, Indices]:
        """Return a support vector machine, and its training samples.

        Parameters
        ----------
        C : float
        rows : ndarray of shape (n_rows,)
            Training samples.
        y : ndarray of shape (n_rows,)

        Returns
        -------
        SVC, ndarray
        """
        key = C, rows.tobytes()
        if key not in self._fitted:
            with config_context(assume_finite=True, skip_parameter_validation=True):
                machine = SVC(C=C, kernel="precomputed").fit(self.gram[np.ix_(rows, rows)], y)
            self._fitted[key] = machine, rows
        return self._fitted[key]

    def decide(self, fitted: tuple[Any, Indices], rows: Indices) -> Floats:
        """Return decision values of some samples, of shape (n_rows, 1 or n_classes)."""
        machine, train = fitted
        if len(machine.classes_) > 2:
            with config_context(assume_finite=True, skip_parameter_validation=True):
                return np.asarray(machine.decision_function(self.gram[np.ix_(rows, train)]))
        seen = self.gram[np.ix_(rows, train[machine.support_])]
        return (seen @ machine.dual_coef_[0] + machine.intercept_[0])[:, np.newaxis]


class CalibratedExpert(ClassifierMixin, BaseEstimator):
    """Probabilities of a support vector machine on one modality's kernel.

    As :class:`sklearn.calibration.CalibratedClassifierCV` makes them: the mean of those of one
    machine for each split, by the sigmoid that fits its decisions on what the split holds out best.

    Parameters
    ----------
    C : float
    expert : Expert
    """

    def __init__(self, C: float, expert: Expert) -> None:
        self.C = C
        self.expert = expert

    def fit(self, X: Floats, y: NDArray[Any]) -> Self:
        """Fit a machine to the training part of every split, and calibrate it on the other.

        Parameters
        ----------
        X : ndarray of shape (n_train, 1)
            Positions of samples in the matrix.
        y : ndarray of shape (n_train,)

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If no split has samples of all classes.
        """
        rows = X[:, 0].astype(np.intp)
        self.classes_ = np.unique(y)
        place = np.full(len(self.expert.gram), -1)
        place[rows] = np.arange(len(rows))
        self._parts = []
        for fit, held in self.expert.folds:
            train, test = (place[part][place[part] >= 0] for part in (fit, held))
            if len(np.unique(y[train])) < len(self.classes_) or not len(test):
                continue
            fitted = self.expert.machine(self.C, rows[train], y[train])
            decisions = self.expert.decide(fitted, rows[test])
            self._parts.append((fitted, sigmoids(decisions, y[test], self.classes_)))
        if not self._parts:
            raise ValueError(
                f"cv makes {len(self.expert.folds)} splits, none of which has all classes among "
                "the training samples; expected three or more, since each training part is split "
                "again to calibrate probabilities."
            )
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return the probability of every class.

        Parameters
        ----------
        X : ndarray of shape (n, 1)
            Positions.

        Returns
        -------
        ndarray of shape (n, n_classes)
        """
        rows = X[:, 0].astype(np.intp)
        found = [
            chances(calibrated, self.expert.decide(fitted, rows))
            for fitted, calibrated in self._parts
        ]
        return np.asarray(np.mean(found, axis=0))

    def predict(self, X: Floats) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : ndarray of shape (n, 1)
            Positions.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class SharedMachine(ClassifierMixin, BaseEstimator):
    """A support vector machine on one modality's kernel.

    Parameters
    ----------
    C : float
    expert : Expert
    """

    def __init__(self, C: float, expert: Expert) -> None:
        self.C = C
        self.expert = expert

    def fit(self, X: Floats, y: NDArray[Any]) -> Self:
        """Fit one machine to all samples, or find it fitted.

        Parameters
        ----------
        X : ndarray of shape (n_train, 1)
            Positions of samples in the matrix.
        y : ndarray of shape (n_train,)

        Returns
        -------
        self : object
        """
        self.classes_ = np.unique(y)
        self._machine = self.expert.machine(self.C, X[:, 0].astype(np.intp), y)
        return self

    def decision_function(self, X: Floats) -> Floats:
        """Return decision values.

        Parameters
        ----------
        X : ndarray of shape (n, 1)
            Positions.

        Returns
        -------
        ndarray of shape (n, 1 or n_classes)
        """
        return self.expert.decide(self._machine, X[:, 0].astype(np.intp))


class Squashed(ClassifierMixin, BaseEstimator):
    """A classifier's decision values on the scale of probabilities: taken as logits.

    What is stacked is calibrated by the model that learns from it: to do so within each training
    part as well would only cost a machine for each two folds.

    Parameters
    ----------
    classifier : classifier
        With decision values.
    """

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        """Fit the classifier.

        Parameters
        ----------
        X : samples
        y : ndarray of shape (n_train,)

        Returns
        -------
        self : object
        """
        self.classifier_ = clone(self.classifier).fit(X, y)
        self.classes_ = self.classifier_.classes_
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Return the sigmoid, or of more than two classes the softmax, of decision values.

        Parameters
        ----------
        X : samples

        Returns
        -------
        ndarray of shape (n, n_classes)
        """
        decisions = np.asarray(self.classifier_.decision_function(X)).reshape(len(X), -1)
        return class_chances(np.array([[1.0, 0.0]]), decisions)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of the largest decision value.

        Parameters
        ----------
        X : samples

        Returns
        -------
        ndarray of shape (n,)
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
