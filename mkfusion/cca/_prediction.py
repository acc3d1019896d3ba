"""What one modality says of the columns of another."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import make_scorer, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from mkfusion._messages import shown
from mkfusion._tables import load_pandas
from mkfusion._types import Floats, Mask
from mkfusion.cca._analysis import CCA
from mkfusion.data import (
    Modalities,
    about,
    as_matrix,
    column_names,
    present_samples,
    read_groups,
    read_splits,
    splits_among,
)

METHODS = ("kernel_ridge", "cca")
# What the methods choose from by inner folds. Widths are relative to the number of columns, which
# are standardised.
_RIDGES = np.logspace(-3, 1, 5)
_WIDTHS = (0.1, 0.5)
_SHRINKAGES = (0.01, 0.1, 0.5)
_INNER = 5
# Samples of both modalities.
_FEWEST = 10


@dataclass(frozen=True, eq=False, repr=False)
class ModalityPrediction:
    """Outcome of :func:`predict_modality`.

    Parameters
    ----------
    source : list of str
        Modalities that are predicted from.
    target : str
        The modality that is predicted.
    columns : list of str
        Columns of the target.
    r2 : ndarray of shape (n_columns,)
        Coefficient of determination of each column of held-out samples: 0 is no better than the
        mean, and a negative one is worse. NaN for a column that does not vary.
    predictions : ndarray of shape (n_samples, n_columns)
        For samples of both modalities by a model of the other folds; for those that lack the
        target by one of all. NaN for those that lack the source, or that no fold holds out.
    held_out : ndarray of shape (n_samples,), dtype=bool
        Samples of both modalities that a fold holds out, of which r2 is.
    estimator : regressor
        Fitted to all samples of both modalities: ``estimator.predict(samples of the source)``.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Modalities, predict_modality
    >>> A = np.random.default_rng(0).normal(size=(60, 2))
    >>> X = Modalities(a=A, b=np.stack([A.sum(axis=1), A[::-1, 0]], axis=1))
    >>> found = predict_modality(X, "a", "b", method="cca", random_state=0)
    >>> bool(found.r2[0] > 0.99), bool(found.r2[1] < 0.1)
    (True, True)
    """

    source: list[str]
    target: str
    columns: list[str]
    r2: Floats
    predictions: Floats
    held_out: Mask
    estimator: Any

    def __str__(self) -> str:
        known = self.r2[~np.isnan(self.r2)]
        if not len(known):
            return f"no column of {self.target} varies"
        best = int(np.nanargmax(self.r2))
        return (
            f"{self.target} from {', '.join(self.source)}: held-out R2 {known.mean():z.3f} on "
            f"average over {len(known)} columns, most {self.r2[best]:z.3f} ({self.columns[best]})"
        )

    def __repr__(self) -> str:
        return f"<ModalityPrediction: {self}>"

    def to_frame(self) -> Any:
        """Return R2 of each column as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_columns, 1)

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = load_pandas()
        return pandas.DataFrame({"r2": self.r2}, index=pandas.Index(self.columns, name="column"))


def predict_modality(
    X: Modalities,
    source: str | list[str],
    target: str,
    *,
    method: Any = "kernel_ridge",
    cv: Any = 5,
    groups: ArrayLike | None = None,
    random_state: Any = None,
) -> ModalityPrediction:
    """Predict the columns of one modality from others, and say how far that holds.

    A modality that can be predicted from another one adds little to it; one that some samples lack
    can be filled in as far as it can be predicted, and what cannot is made up.

    Parameters
    ----------
    X : Modalities
        Of numbers. Samples may lack the source or the target.
    source : str or list of str
        Modalities to predict from.
    target : str
        The modality to predict.
    method : {"kernel_ridge", "cca"} or regressor, default="kernel_ridge"
        Kernel ridge regression with a Gaussian kernel, all columns standardised; regression on
        canonical scores (:meth:`CCA.predict`), which is linear; or a regressor of several targets.
        Ridge and width, or the shrinkage, are chosen by five inner folds.
    cv : int, splitter or iterable of splits, default=5
        Folds by which R2 is measured: a number is of folds of the samples that have both; what a
        splitter or splits say of rows of X holds for those of them that have both.
    groups : array-like of shape (n_samples,), default=None
        Samples that stay together in these folds, and in the inner ones, of which there are as many
        as groups, where these are less than five.
    random_state : int, RandomState instance or None, default=None
        Shuffles a number of folds.

    Returns
    -------
    ModalityPrediction

    Raises
    ------
    ValueError, TypeError
        If there are no such modalities, they are not numbers or do not vary, or hardly any samples
        have both.

    See Also
    --------
    ColumnKernelizer : ``missing="impute"`` fills in what samples lack inside a model.

    Examples
    --------
    >>> from mkfusion import predict_modality
    >>> from mkfusion.datasets import load_mfeat
    >>> X, y = load_mfeat(return_X_y=True)
    >>> found = predict_modality(X[::10], "kar", "zer", method="cca", random_state=0)
    >>> found.predictions.shape
    (200, 47)
    >>> bool(found.r2.mean() > 0.3)
    True
    """
    if not isinstance(X, Modalities):
        raise TypeError(f"X is a {type(X).__name__}; expected Modalities.")
    if not isinstance(source, str | list | tuple):
        raise TypeError(f"source is {shown(source)}; expected names of {X.names}.")
    sources = [source] if isinstance(source, str) else list(source)
    for argument, names in (("source", sources), ("target", [target])):
        unknown = [name for name in names if name not in X.names]
        if unknown or not names:
            raise ValueError(f"{argument} is {shown(names)}; expected names of {X.names}.")
    if target in sources or len(set(sources)) < len(sources):
        raise ValueError(
            f"source is {shown(sources)} and target {shown(target)}; expected different modalities."
        )
    if method not in METHODS if isinstance(method, str) else not hasattr(method, "predict"):
        raise ValueError(
            f"method is {shown(method)}; expected one of {', '.join(METHODS)}, or a regressor."
        )
    have = {name: present_samples(X[name]) for name in (*sources, target)}
    known = np.all([have[name] for name in sources], axis=0)
    both = known & have[target]
    if np.count_nonzero(both) < _FEWEST:
        raise ValueError(
            f"{np.count_nonzero(both)} samples have source and target; expected at least {_FEWEST}."
        )
    inputs = np.hstack([_numbers(X, name, known) for name in sources])
    wanted = _numbers(X, target, both)
    complete = inputs[both[known]]
    for names, values in ((sources, complete), ([target], wanted)):
        if not np.ptp(values, axis=0).any():
            raise ValueError(
                f"{shown(names)} does not vary over the {len(values)} samples that have source and "
                "target; expected modalities that do."
            )
    codes = read_groups(groups, len(X))
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rows = np.flatnonzero(both)
    some = None if codes is None else codes[rows]
    if cv is None or isinstance(cv, Integral):
        splits = read_splits(cv, len(rows), groups=some, seed=seed)
    else:
        splits = splits_among(rows, read_splits(cv, len(X), groups=codes))
    held = np.full_like(wanted, np.nan)
    for train, test in splits:
        inner = None if some is None else some[train]
        model = _fit(method, complete[train], wanted[train], inner, seed)
        held[test] = _said(model, complete[test], wanted)
    final = _fit(method, complete, wanted, some, seed)
    predictions = np.full((len(X), wanted.shape[1]), np.nan)
    predictions[known] = _said(final, inputs, wanted)
    predictions[both] = held
    tested = ~np.isnan(held).any(axis=1)
    held_out = np.zeros(len(X), dtype=bool)
    held_out[rows[tested]] = True
    r2 = np.full(wanted.shape[1], np.nan)
    vary = np.ptp(wanted[tested], axis=0) > 0.0
    r2[vary] = r2_score(wanted[tested][:, vary], held[tested][:, vary], multioutput="raw_values")
    columns = [str(name) for name in column_names(X[target]) or range(wanted.shape[1])]
    return ModalityPrediction(sources, target, columns, r2, predictions, held_out, final)


def _numbers(X: Modalities, name: str, rows: Mask) -> Floats:
    with about(name):
        return as_matrix(X[np.flatnonzero(rows)][name])


def _fit(method: Any, X: Floats, Y: Floats, groups: Any, seed: int) -> Any:
    """Return a regressor, its parameters chosen by inner folds, fitted."""
    target = Y[:, 0] if Y.shape[1] == 1 else Y
    if not isinstance(method, str):
        return clone(method).fit(X, target)
    grid: dict[str, Any]
    if method == "cca":
        model, grid = CCA(None), {"regularisation": _SHRINKAGES}
    else:
        ridge = make_pipeline(StandardScaler(), KernelRidge(kernel="rbf"))
        model = TransformedTargetRegressor(ridge, transformer=StandardScaler())
        grid = {
            "regressor__kernelridge__alpha": _RIDGES,
            "regressor__kernelridge__gamma": [width / X.shape[1] for width in _WIDTHS],
        }
    n_folds = _INNER if groups is None else min(_INNER, len(np.unique(groups)))
    if n_folds < 2:
        raise ValueError(
            "groups leaves a fold with samples of one group to learn from; expected two or more, "
            "for inner folds."
        )
    folds = read_splits(n_folds, len(X), groups=groups, seed=seed)
    return GridSearchCV(model, grid, scoring=_error(Y), cv=folds).fit(X, target)


def _error(Y: Floats) -> Any:
    """Return a scorer: the squared error of each column by its variance, the less the better.

    R2 of an inner fold has the variance of that fold below it, which is 0 for a single sample.
    """
    spread = Y.var(axis=0)
    shares = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0.0)
    weights = shares if Y.shape[1] > 1 and shares.any() else "uniform_average"
    return make_scorer(mean_squared_error, greater_is_better=False, multioutput=weights)


def _said(model: Any, X: Floats, Y: Floats) -> Floats:
    return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X), Y.shape[1])
