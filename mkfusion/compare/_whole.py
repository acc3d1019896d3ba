"""Methods as estimators of all samples that there are, to predict new ones."""

# `mkfusion.X` loads X when it is first asked for: help lists the methods, and is not to wait.

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

import mkfusion
from mkfusion._types import Floats
from mkfusion.compare._data import Samples, without_advice
from mkfusion.compare._fold_data import materialised
from mkfusion.compare._machines import RidgeMachine, Squashed
from mkfusion.compare._method import Params
from mkfusion.compare._methods import PlannedMethod
from mkfusion.data import (
    Modalities,
    in_two_dimensions,
    read_again,
    read_samples,
    remember_features,
)


class AsModalities(TransformerMixin, BaseEstimator):
    """Take the modalities out of samples, under names that parameters can have.

    Parameters
    ----------
    modalities : list of (name, columns) pairs or None
        As in :func:`mkfusion.compare_fusion`.
    """

    def __init__(self, modalities: Any = None) -> None:
        self.modalities = modalities

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the modalities.

        Parameters
        ----------
        X : samples
        y : array-like of shape (n_samples,), default=None
            Ignored.

        Returns
        -------
        self : object
        """
        samples = read_samples(X, self.modalities)
        remember_features(self, samples.X)
        self.views_ = samples.views
        return self

    def transform(self, X: Any) -> Modalities:
        """Return the modalities of samples.

        Parameters
        ----------
        X : samples

        Returns
        -------
        Modalities
        """
        parts = read_again(self, X, self.views_)
        return Modalities({f"m{k}": in_two_dimensions(part) for k, part in enumerate(parts)})


class KernelsAlone(TransformerMixin, BaseEstimator):
    """Kernels without the scaling of samples that lack another modality.

    Parameters
    ----------
    kernelizer : ColumnKernelizer
        With ``missing="marginalise"``.

    Attributes
    ----------
    kernelizer_ : ColumnKernelizer
        Fitted.
    factors_ : ndarray of shape (n_train,)
        What undoes the scaling of the training samples.
    """

    def __init__(self, kernelizer: Any) -> None:
        self.kernelizer = kernelizer

    def fit(self, X: Modalities, y: Any = None) -> Self:
        """Fit the kernelizer.

        Parameters
        ----------
        X : Modalities
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Ignored.

        Returns
        -------
        self : object
        """
        with without_advice():
            self.kernelizer_ = clone(self.kernelizer).fit(X)
        self.factors_ = _factors(X)
        return self

    def transform(self, X: Modalities) -> mkfusion.KernelStack:
        """Return the kernels between samples and the training samples.

        Parameters
        ----------
        X : Modalities

        Returns
        -------
        KernelStack of shape (n_samples, n_train, n_modalities)
        """
        return materialised(self.kernelizer_.transform(X), _factors(X), self.factors_)


def _factors(X: Modalities) -> Floats:
    return np.asarray(np.sqrt(X.present().mean(axis=1)))


class WholeData:
    """What there is to build a method with that is to learn from all samples.

    Where :class:`FoldData` knows the test samples, and methods share what is made of them, nothing
    here is of any sample but the training ones.

    Parameters
    ----------
    samples : Samples
    """

    inner = False

    def __init__(self, samples: Samples) -> None:
        self.setting = samples.setting
        self.shared: dict[Any, Any] = {}
        self._splitter = samples.inner

    def folds(self) -> Any:
        """Return what splits the samples: a splitter, or splits of them where there are groups."""
        if self._splitter.groups is None:
            return self._splitter.how
        return [tuple(fold) for fold in self._splitter.split()]

    def experts(self, C: float, *, stack: bool = False) -> tuple[list[Any], str]:
        """Return each modality's machine, not fitted, and what late fusion does about gaps.

        Parameters
        ----------
        C : float
        stack : bool, default=False
            Whether a model learns from them, which needs the answers of all: what samples lack is
            predicted. Otherwise their machines are skipped, and of classes they are calibrated.

        Returns
        -------
        list of n_modalities estimators, str
        """
        classes = self.setting.classes
        experts: list[Any] = [
            make_pipeline(
                mkfusion.Kernelizer([clone(m.kernel, safe=False)]),
                mkfusion.KernelCombiner(),
                SVC(C=C, kernel="precomputed") if classes else RidgeMachine(C),
            )
            for m in self.setting.modalities
        ]
        if classes and stack:
            experts = [Squashed(one) for one in experts]
        missing = "impute" if stack else "marginalise"
        return experts, missing if self.setting.lacks else "error"


def whole_estimator(method: PlannedMethod, params: Params, samples: Samples, given: Any) -> Any:
    """Return a method as an estimator of samples as the user has them, not fitted.

    Parameters
    ----------
    method : PlannedMethod
    params : dict
        Values of what is tuned.
    samples : Samples
        Training samples.
    given : list of (name, columns) pairs or None
        The modalities of X.

    Returns
    -------
    estimator
    """
    data: Any = WholeData(samples)
    model = method.build(params, data)
    sees = method.method.sees
    if sees == "X":
        return model
    steps: list[tuple[str, Any]] = [("modalities", AsModalities(given))]
    if sees in ("kernels", "alone"):
        kernelizer: Any = samples.setting.kernelizer()
        alone = sees == "alone" and samples.setting.lacks
        steps.append(("kernels", KernelsAlone(kernelizer) if alone else kernelizer))
    return Pipeline([*steps, ("model", model)])
