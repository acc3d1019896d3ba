"""The best few modalities, as a transformer of kernels."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import HasMethods, Interval
from mkfusion._messages import shown
from mkfusion._types import Indices, Mask
from mkfusion.data import one_target, rollback, seems_classes
from mkfusion.mkl._base import BaseMKL
from mkfusion.mkl._classifier import MKLClassifier
from mkfusion.mkl._regressor import MKLRegressor
from mkfusion.mkl._selection import Search, modality_groups, unproven
from mkfusion.stack import KernelStack, prediction_stack, remember_input, training_stack


def machine_of(estimator: Any, y: Any) -> BaseMKL:
    """Return a new machine whose objective the modalities are chosen by.

    Parameters
    ----------
    estimator : MKLClassifier, MKLRegressor or None
        None goes by the target.
    y : array-like of shape (n,)
    """
    if estimator is None:
        classes = y is None or seems_classes(one_target(y))  # without any, the machine says so
        if classes is None:
            raise ValueError(
                "y holds many different whole numbers; expected estimator=MKLClassifier() or "
                "estimator=MKLRegressor(epsilon=None), which says what they are."
            )
        return MKLClassifier() if classes else MKLRegressor(epsilon=None)
    machine = clone(estimator)
    if not isinstance(machine, MKLClassifier | MKLRegressor):
        raise TypeError(
            f"estimator is {shown(estimator)}; expected an MKLClassifier or MKLRegressor."
        )
    if machine.n_kernels is not None:
        raise ValueError(
            f"estimator has n_kernels={shown(machine.n_kernels)}; expected None: n_modalities says "
            "how many."
        )
    machine._check_parameters()
    return machine


class ModalitySelector(TransformerMixin, BaseEstimator):
    """Keep the kernels of the best few modalities, with a proof of how good they are.

    The modalities are those with which multiple kernel learning reaches the lowest training
    objective. No other choice of so many can do better than by the share `gap_`, which is
    certified: every choice has a lower bound of its own.

    Parameters
    ----------
    n_modalities : int, default=1
        How many to keep; fewer are kept where these are as good.
    estimator : MKLClassifier or MKLRegressor, default=None
        Whose objective counts: C, p, loss and class weights. None is ``MKLClassifier()`` for
        classes, and ``MKLRegressor(epsilon=None)`` for numbers with fractions.
    modalities : mapping from str to kernels, default=None
        Which kernels are each modality's, by name or index; kernels of none are left out. None goes
        by the names of the kernels up to the first colon, as :class:`ColumnKernelizer` gives them;
        a kernel without is a modality.
    n_runners_up : int, default=10
        How many of the next best choices to tell of, of those at most 1 % worse.
    tol : float, default=1e-3
        Gap to reach.
    max_time : float, default=None
        Seconds after which to end with the best choice found so far and the gap that is left, and a
        warning. None is no limit.

    Attributes
    ----------
    modalities_ : list of str
        Names of the chosen modalities, in their order.
    objective_ : float
        Training objective reached with them.
    lower_bound_ : float
        No choice of `n_modalities` has an objective below this.
    gap_ : float
        ``(objective_ - lower_bound_) / objective_``: how much better another choice may be.
    runners_up_ : list of Choice
        The next best choices, best first: ``names``, ``objective`` and ``lower_bound`` of each.
    complete_ : bool
        Whether no choice that is at most 1 % worse is missing among `runners_up_`, but those worse
        than the last where there are `n_runners_up`.
    n_subsets_ : int
        How many choices there are.
    modality_names_ : list of n_modalities_in str
        Names of all modalities.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap is above `tol`: after `max_time`, where rounding errors are the limit, or where
        more than two million choices get one bound for all of them.

    See Also
    --------
    mkfusion.inspection.modality_path : Every number of modalities, with held-out scores.
    MKLClassifier : With `n_kernels` it does the same among kernels, and predicts.

    Notes
    -----
    What a proof buys is certainty, and a list of the choices that are as good; it says nothing of
    new samples. Greedy selection by the same objective predicts about as well.

    With more than two million choices the best one found is compared with a bound of all.

    References
    ----------
    Bach, Lanckriet and Jordan, "Multiple kernel learning, conic duality, and the SMO algorithm",
    ICML (2004): the dual that bounds every choice.

    Lacoste-Julien and Jaggi, "On the global linear convergence of Frank-Wolfe optimization
    variants", NIPS (2015): pairwise steps in the hull of the dual points.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from mkfusion import ColumnKernelizer, MKLClassifier, ModalitySelector
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> bands = [(f"band{b}", "rbf", [b]) for b in range(0, 60, 6)]
    >>> stack = ColumnKernelizer(bands).fit_transform(X["bands"])
    >>> selector = ModalitySelector(2).fit(stack, y)
    >>> len(selector.modalities_), selector.n_subsets_, selector.gap_ <= 1e-3
    (2, 45, True)
    >>> model = make_pipeline(ColumnKernelizer(bands), ModalitySelector(2), MKLClassifier())
    >>> model.fit(X["bands"], y).predict(X["bands"]).shape
    (208,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_modalities": [Interval(Integral, 1, None, closed="left")],
        "estimator": [HasMethods(["fit"]), None],
        "modalities": [dict, None],
        "n_runners_up": [Interval(Integral, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_modalities: int = 1,
        *,
        estimator: BaseMKL | None = None,
        modalities: Any = None,
        n_runners_up: int = 10,
        tol: float = 1e-3,
        max_time: float | None = None,
    ) -> None:
        self.n_modalities = n_modalities
        self.estimator = estimator
        self.modalities = modalities
        self.n_runners_up = n_runners_up
        self.tol = tol
        self.max_time = max_time

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the modalities.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Class labels, or numbers.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample.

        Returns
        -------
        self : object
            Fitted selector.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, y may be of either kind and `estimator` is None,
            there are fewer modalities than `n_modalities`, or the kernels and y are not what
            `estimator` takes.
        """
        search, stack, names = self._search(X, y, sample_weight)
        self._keep(search, X, stack, names)
        return self

    def path(self, X: Any, y: Any, sample_weight: Any = None) -> list[ModalitySelector]:
        """Choose the best modality, the best two, and so on up to `n_modalities`.

        Faster than fitting a selector for each number: what is learned of the choices serves all.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Class labels, or numbers.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample.

        Returns
        -------
        list of n_modalities ModalitySelector
            Fitted, for 1 to `n_modalities`, within `max_time` together.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fit` does.
        """
        search, stack, names = self._search(X, y, sample_weight)
        selectors = []
        for k in range(1, int(self.n_modalities) + 1):
            selectors.append(clone(self).set_params(n_modalities=k))
            selectors[-1]._keep(search, X, stack, names)
        return selectors

    def _search(self, X: Any, y: Any, sample_weight: Any) -> tuple[Search, KernelStack, list[str]]:
        """Return the search, the kernels and the names of their modalities."""
        self._validate_params()
        stack = training_stack(self, X, to_be_checked=True, y=y, sample_weight=sample_weight)
        names, groups = modality_groups(self.modalities, stack.names)
        self._check_number(names)
        machine = machine_of(self.estimator, y).set_params(tol=self.tol)
        training = machine._prepare(stack, y, sample_weight)
        machine._weigh(training)
        return machine._search(training, names, groups, self.max_time), stack, names

    def _check_number(self, names: list[str]) -> None:
        if self.n_modalities > len(names):
            raise ValueError(
                f"n_modalities is {self.n_modalities}; expected at most the {len(names)} "
                f"modalities of X: {shown(names)}."
            )

    def _keep(self, search: Search, X: Any, stack: KernelStack, names: list[str]) -> None:
        """Choose, set the fitted attributes, and warn where the choice is not proven."""
        selection, kernels, _ = search.find(int(self.n_modalities), int(self.n_runners_up))
        with rollback(self):
            self.modalities_ = selection.names
            self.objective_ = selection.objective
            self.lower_bound_ = selection.lower_bound
            self.gap_ = selection.gap
            self.runners_up_ = selection.runners_up
            self.complete_ = selection.complete
            self.n_subsets_ = selection.n_subsets
            self.modality_names_ = names
            self.kernel_names_ = stack.names
            self._kernels = kernels
            remember_input(self, X, stack.shape[0])
            what = "modality" if self.n_modalities == 1 else f"{self.n_modalities} modalities"
            told = unproven(selection, what, self.tol, self.max_time)
            if told is not None:
                warnings.warn(told, ConvergenceWarning, stacklevel=3)

    def get_support(self, indices: bool = False) -> Mask | Indices:
        """Return which kernels are kept.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return their indices.

        Returns
        -------
        ndarray of shape (n_kernels,), bool; or of shape (n_kept,), integer

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_is_fitted(self)
        if indices:
            return self._kernels.copy()
        mask = np.zeros(len(self.kernel_names_), dtype=bool)
        mask[self._kernels] = True
        return mask

    def transform(self, X: Any) -> KernelStack:
        """Return the kernels of the chosen modalities.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between samples and the n training samples.

        Returns
        -------
        KernelStack of shape (n_samples, n, n_kept)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels than in fit, other columns, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        return stack.select(self._kernels)
