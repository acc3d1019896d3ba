"""What users give to a comparison, checked and in the form that the folds work with."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from sklearn.metrics import get_scorer

import mkfusion
from mkfusion import Modalities
from mkfusion.compare._evaluate import fingerprint
from mkfusion.compare._methods import METHODS, Setting
from mkfusion.data import resolve_views, take_views

MOST_CLASSES = 20  # whole numbers beyond may be either classes or a quantity: users must say
_LARGEST_SEED = 2**32 - 1


def as_modalities(X: Any, modalities: Any) -> tuple[Modalities, list[str]]:
    """Return the samples under names that parameters can have, and the user's names."""
    if not isinstance(X, Modalities) and not hasattr(X, "columns") and not hasattr(X, "tocsr"):
        X = np.asarray(X)
    views = resolve_views(X, modalities)
    data = {f"m{k}": _in_columns(part) for k, part in enumerate(take_views(X, views))}
    return Modalities(data), [view.name for view in views]


def _in_columns(data: Any) -> Any:
    """Return a single column that was asked for by its name in two dimensions."""
    if hasattr(data, "to_frame"):
        return data.to_frame()
    return data.reshape(-1, 1) if isinstance(data, np.ndarray) and data.ndim == 1 else data


def as_target(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels or numbers, none of them missing."""
    if y.dtype == object:
        kinds = {type(value) for value in y.tolist()}
        if len(kinds) > 1 or not kinds <= {str, bool, int, float}:
            shown = sorted(kind.__name__ for kind in kinds)
            raise ValueError(
                f"y holds {', '.join(shown)}; expected strings, booleans or numbers, and none of "
                "them missing."
            )
        y = np.array(y.tolist())
    if y.dtype.kind in "iuf" and not np.isfinite(y).all():
        raise ValueError("y holds NaN or infinity; expected finite numbers, or class labels.")
    return y


def is_classification(y: NDArray[Any], task: str) -> bool:
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f'task is {task!r}; expected "auto", "classification" or "regression".')
    numbers = y.dtype.kind in "iuf"
    if task == "regression" and not numbers:
        raise ValueError(f"y is of {y.dtype} and task is 'regression'; expected numbers.")
    n_values = len(np.unique(y))
    if n_values < 2:
        raise ValueError(f"y is {y[0]!r} for every sample; expected a target that varies.")
    if task != "auto":
        return task == "classification"
    if numbers and (y != np.floor(y)).any():
        return False
    if numbers and n_values > MOST_CLASSES:
        raise ValueError(
            f'y holds {n_values} different whole numbers; expected task="classification" or '
            'task="regression", which says what they are.'
        )
    return True


def check_settings(random_state: Any, test: str, alpha: float) -> int:
    """Return the seed, after a look at the other small parameters."""
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not whole or not 0 <= random_state <= _LARGEST_SEED:
        raise ValueError(
            f"random_state is {random_state!r}; expected an integer between 0 and 2**32 - 1."
        )
    if test not in ("corrected_t", "wilcoxon"):
        raise ValueError(f'test is {test!r}; expected "corrected_t" or "wilcoxon".')
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1.")
    return int(random_state)


def wanted_methods(methods: Any) -> tuple[str, ...]:
    if isinstance(methods, str) and methods == "all":
        return METHODS
    unknown = [methods] if isinstance(methods, str) else [m for m in methods if m not in METHODS]
    if unknown:
        raise ValueError(f'methods has {unknown}; expected "all", or some of {list(METHODS)}.')
    return tuple(methods)


def make_scorers(scoring: Any, setting: Setting) -> dict[str, Any]:
    """Return scorers by the names of their metrics."""
    if scoring is None:
        regression = ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
        scoring = ["accuracy", "balanced_accuracy", "f1_macro"] if setting.classes else regression
        if setting.n_classes == 2:
            scoring.append("roc_auc")
    if isinstance(scoring, Mapping):
        named = dict(scoring)
    else:
        given = [scoring] if isinstance(scoring, str) or callable(scoring) else list(scoring)
        named = {getattr(one, "__name__", "score") if callable(one) else one: one for one in given}
    if not named:
        raise ValueError("scoring is empty; expected at least one metric.")
    return {str(name): get_scorer(one) for name, one in named.items()}


def key_of(
    X: Modalities, y: NDArray[Any], setting: Setting, scorers: dict[str, Any], inner: str
) -> str:
    """Return a name for everything that scores depend on beside method and fold."""
    try:
        metrics = joblib.hash(scorers)
    except Exception as error:
        raise ValueError(
            f"scoring cannot be pickled, which memory needs: {error} Expected names of metrics, or "
            "functions of a module."
        ) from error
    kernels = [repr(modality.kernel) for modality in setting.modalities]
    versions = [module.__version__ for module in (mkfusion, sklearn, np, scipy)]
    rest = [setting.classes, setting.fast, setting.seed, inner, kernels, versions, metrics]
    return f"{fingerprint(X)} {fingerprint(y)} {rest!r}"
