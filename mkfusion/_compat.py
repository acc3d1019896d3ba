"""Every private name of scikit-learn that this package uses, once.

What scikit-learn's own estimators are written with, and third-party ones need as well, is private
there: it may move or change with any version. All files take these from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

from sklearn import base, linear_model, pipeline, utils
from sklearn.model_selection import _search
from sklearn.utils import (
    _metadata_requests,
    _param_validation,
    metaestimators,
    validation,
)

# Parameters: what is allowed, said in a table, and one wording of refusals
HasMethods = _param_validation.HasMethods
Interval = _param_validation.Interval
Options = _param_validation.Options
StrOptions = _param_validation.StrOptions
validate_params = _param_validation.validate_params

# Samples of any kind: how many there are, and some of them
num_samples = validation._num_samples
safe_indexing = utils._safe_indexing


def each_column(X: Any) -> Iterator[Any]:
    """Yield the columns of a DataFrame or an array of two dimensions, one by one.

    As `safe_indexing` gives them, which asks anew for each column what X is: half a millisecond,
    ten seconds for 20,000 columns.
    """
    if hasattr(X, "iloc"):
        for j in range(X.shape[1]):
            yield X.iloc[:, j]
    elif hasattr(X, "get_columns"):  # polars
        yield from X.get_columns()
    elif hasattr(X, "columns"):
        for j in range(X.shape[1]):
            yield safe_indexing(X, j, axis=1)
    else:
        for j in range(X.shape[1]):
            yield X[:, j]


# Targets and weights
check_sample_weight = validation._check_sample_weight

# Estimators: state, copies, names of columns, parts with names
is_fitted = validation._is_fitted
clone_parametrized = base._clone_parametrized
check_feature_names_in = validation._check_feature_names_in
name_estimators = pipeline._name_estimators
BaseComposition = metaestimators._BaseComposition
BaseSearchCV = _search.BaseSearchCV

# Metadata that is passed on
raise_for_params = _metadata_requests._raise_for_params
routing_enabled = _metadata_requests._routing_enabled


def accepts_sample_weight(scorer: Any) -> bool:
    """Whether a scorer of a string or of `make_scorer`, or any callable, takes sample weights."""
    return "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters


try:
    from sklearn.utils._repr_html import estimator as _html
except ImportError:  # scikit-learn < 1.7
    from sklearn.utils import _estimator_html_repr as _html
VisualBlock = _html._VisualBlock


def l1_logistic(**params: Any) -> Any:
    """Return a logistic regression with an l1 penalty, not fitted.

    Parameters
    ----------
    **params : dict
        Others of :class:`sklearn.linear_model.LogisticRegression`.

    Returns
    -------
    LogisticRegression
    """
    # scikit-learn 1.8 says by `l1_ratio` what earlier versions say by `penalty`.
    given = linear_model.LogisticRegression().get_params()
    kind = {"penalty": "l1"} if given["penalty"] == "l2" else {"l1_ratio": 1.0}
    return linear_model.LogisticRegression(solver="liblinear", max_iter=1000, **kind, **params)
