"""Fits for many values of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone

from mkfusion._messages import shown
from mkfusion.mkl._base import BaseMKL, look_again
from mkfusion.mkl._classifier import MKLClassifier
from mkfusion.solvers import Setting, solve_path
from mkfusion.stack import warn_degenerate


def mkl_path(
    X: Any,
    y: Any,
    *,
    C: Sequence[float] | None = None,
    p: Sequence[float] | None = None,
    estimator: BaseMKL | None = None,
    sample_weight: Any = None,
) -> list[BaseMKL]:
    """Fit a model for every value of C or of p, each from the solution of the one before.

    Much faster than fitting them one by one; each is certified to the estimator's `tol` all the
    same. Values are fitted in the order given, best ascending or descending.

    Parameters
    ----------
    X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or (n, n), \
            or KernelStack
        Gram matrices of the training samples.
    y : array-like of shape (n,)
        Class labels, or numbers for a regressor.
    C, p : sequence of float, default=None
        Values of the parameter; exactly one of the two.
    estimator : MKLClassifier or MKLRegressor, default=None
        The other parameters; a classifier with the default ones if None.
    sample_weight : array-like of shape (n,), default=None
        Non-negative factor of C for each sample.

    Returns
    -------
    list of MKLClassifier or MKLRegressor
        Fitted, one for each value.

    Raises
    ------
    ValueError, TypeError
        If not exactly one of C and p is given, `estimator` has `n_kernels`, or as
        :meth:`MKLClassifier.fit` raises.

    Examples
    --------
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from mkfusion import mkl_path
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> grams = [rbf_kernel(X["bands"], gamma=gamma) for gamma in (0.1, 1.0, 10.0)]
    >>> models = mkl_path(grams, y, C=[1, 10, 100])
    >>> [model.duality_gap_ <= model.tol for model in models]
    [True, True, True]
    """
    if (C is None) == (p is None):
        given = "neither" if C is None else "both"
        raise ValueError(f"{given} of C and p given; expected a sequence of values for one.")
    name, values = ("C", C) if C is not None else ("p", p)
    if values is None or np.ndim(values) != 1 or len(values) == 0:
        raise ValueError(f"{name} is {shown(values)}; expected a sequence of at least one value.")
    template = MKLClassifier() if estimator is None else estimator
    if not isinstance(template, BaseMKL) or name not in template.get_params():
        raise TypeError(
            f"estimator is {shown(template)}; expected an MKLClassifier or MKLRegressor."
        )
    if template.n_kernels is not None:
        raise ValueError(
            f"estimator has n_kernels={shown(template.n_kernels)}; expected None: a path follows "
            "the weights of all kernels."
        )
    models = [clone(template).set_params(**{name: value}) for value in values]
    for model in models:
        model._check_parameters()

    training = models[0]._prepare(X, y, sample_weight)
    template._weigh(training)
    learned = any(model.p < np.inf for model in models)
    targets = np.concatenate(training.groups).T if learned else None
    warn_degenerate(training.stack, targets, stacklevel=2)
    paths = []
    for targets in training.groups:
        tasks = (len(targets), 1)
        settings = [
            Setting(np.tile(model._price() * training.weights, tasks), model.p, model._strength())
            for model in models
        ]
        paths.append(
            solve_path(
                training.stack,
                targets,
                settings,
                loss=template._loss(training),
                tol=template.tol,
                max_iter=template.max_iter,
                max_time=template.max_time,
                cache=template._cache(),
            )
        )
    solved = list(zip(*paths, strict=True))
    look_again(training, chain.from_iterable(solved))
    for model, results in zip(models, solved, strict=True):
        model._keep(X, training, list(results))
        model._warn(list(results), training.stack, stacklevel=3)
    return models
