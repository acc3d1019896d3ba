"""What a method is that is compared: one of the package, or a user's own."""

# `mkfusion.X` loads X when it is first asked for: help lists the methods, and is not to wait.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import ParameterGrid

from mkfusion._messages import shown
from mkfusion.compare._data import Setting
from mkfusion.compare._fold_data import FoldData

_KINDS = ("baseline", "single", "fusion")
_SEEN = ("X", "kernels", "alone", "modalities", "rows", "completed rows", "nothing")

Params = dict[str, Any]
Candidates = list[Params]


@dataclass(frozen=True, eq=False)
class Method:
    """A way of fusing modalities, for :func:`compare_fusion` to compare.

    Parameters
    ----------
    key : str
        A name, unlike those of the methods that come with the package.
    estimator : classifier or regressor, or callable
        Not fitted; in each fold a copy is. A function ``build(params, data)`` makes one from values
        of what is tuned and the data of a fold, as those of this package do.
    candidates : dict of str to list, list of dict, or callable, default=None
        What is tuned by the first metric on the inner folds: a grid of the estimator's parameters,
        or the settings to try, each for ``set_params``. None is nothing. A function makes the
        settings from those of the comparison.
    label : str, default=""
        In tables; empty is the key.
    summary : str, default=""
        In a line of help.
    words : str, default=""
        In the paragraph on methods for a paper; empty is the label and the estimator's class.
    reference : str, default=""
        Which the paragraph cites.
    simple : bool, default=False
        Whether it is among those that the best simple baseline is chosen from.
    sees : {"X", "kernels", "alone", "modalities", "rows", "completed rows", "nothing"}, \
            default="X"
        What the estimator is given: the rows of X as they were passed; or a `KernelStack` of one
        kernel for each modality, on all modalities of a sample ("kernels") or each by itself
        ("alone"); the others are for methods of this package.
    needs : callable, default=None
        From the settings of the comparison, why the data are not for it; "" if they are.
    question : str, default=""
        Key of a question that it answers beside its scores, of methods of this package.
    kind : {"fusion", "single", "baseline"}, default="fusion"
        The latter two are of methods of this package.
    survival : bool, default=True
        Whether it learns times of events: `predict` returns risks and `predict_survival_function`
        step functions, as the estimators of scikit-survival do.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not one of these.

    See Also
    --------
    compare_fusion : Takes it among its `methods`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion import Method, compare_fusion
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(random_state=0)
    >>> method = Method("tree", tree, candidates={"max_depth": [1, 3]})
    >>> found = compare_fusion(
    ...     X, y, [("sepal", [0, 1]), ("petal", [2, 3])], methods=["early", method], cv=3, fast=True
    ... )
    >>> found.scores("tree").round(2)
    array([0.96, 0.96, 0.94])
    """

    key: str
    estimator: Any
    _: KW_ONLY
    candidates: Any = None
    label: str = ""
    summary: str = ""
    words: str = ""
    reference: str = ""
    simple: bool = False
    sees: str = "X"
    needs: Callable[[Setting], str] | None = None
    question: str = ""
    kind: str = "fusion"
    survival: bool = True

    def __post_init__(self) -> None:
        for name in ("key", "label", "summary", "words", "reference"):
            text = getattr(self, name)
            if not isinstance(text, str) or (name == "key" and not text):
                raise TypeError(f"{name} of a method is {shown(text)}; expected a str.")
        for name, allowed in (("sees", _SEEN), ("kind", _KINDS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} of method {self.key!r} is {shown(getattr(self, name))}; expected "
                    "one of "
                    f"{list(allowed)}."
                )
        if isinstance(self.estimator, type) or not (self.is_given or callable(self.estimator)):
            raise TypeError(
                f"estimator of method {self.key!r} is {shown(self.estimator)}; expected an "
                "estimator "
                "with fit and set_params, or a function that makes one."
            )
        if not self.label:
            object.__setattr__(self, "label", self.key)
        if not self.words:
            kind = f" ({type(self.estimator).__name__})" if self.is_given else ""
            object.__setattr__(self, "words", f"{self.label}{kind}")

    @property
    def is_given(self) -> bool:
        """Whether there is an estimator, rather than a function that builds one."""
        return hasattr(self.estimator, "fit") and hasattr(self.estimator, "set_params")

    def build(self, params: Params, data: FoldData, **given: Any) -> Any:
        """Return an estimator, not fitted.

        Parameters
        ----------
        params : dict
            Values of what is tuned.
        data : FoldData
            What else there is of its training samples.
        **given : dict
            What else a function that builds it must know.

        Returns
        -------
        estimator
        """
        if not self.is_given:
            return self.estimator(params, data, **given)
        # Values may be estimators themselves: each fit has its own.
        values = {name: clone(value, safe=False) for name, value in params.items()}
        return clone(self.estimator).set_params(**values)

    def settings(self, setting: Setting) -> Candidates:
        """Return all values of what is tuned that are to be tried.

        Parameters
        ----------
        setting : Setting

        Returns
        -------
        list of dict

        Raises
        ------
        TypeError, ValueError
            If they are none, or the estimator has no such parameters.
        """
        if callable(self.candidates):
            return self.candidates(setting)
        wanted = f"candidates of method {self.key!r}"
        if self.candidates is None:
            return [{}]
        try:
            if isinstance(self.candidates, dict):
                found = list(ParameterGrid(self.candidates))
            else:
                found = [dict(one) for one in self.candidates]
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{wanted} are {shown(self.candidates)}; expected lists of values by the names of "
                f"parameters, or a list of dicts: {error}"
            ) from error
        if not found:
            raise ValueError(f"{wanted} are empty; expected at least one.")
        for params in found if self.is_given else []:
            try:
                clone(self.estimator).set_params(**params)
            except ValueError as error:
                raise ValueError(f"{wanted}: {error}") from error
        return found

    def reason(self, setting: Setting) -> str:
        """Say why the data of a comparison are not for it; "" if they are.

        Parameters
        ----------
        setting : Setting

        Returns
        -------
        str
        """
        if self.kind == "fusion" and len(setting.modalities) < 2:
            return "there is one modality only"
        survival = setting.task == "survival"
        if self.is_given:
            others = {
                "classification": [is_regressor],
                "regression": [is_classifier],
                "survival": [is_classifier, is_regressor],
            }
            if any(is_other(self.estimator) for is_other in others[setting.task]):
                return f"{type(self.estimator).__name__} is not for {setting.task}"
        if survival and not self.survival:
            return "it does not learn survival"
        return self.needs(setting) if self.needs is not None else ""
