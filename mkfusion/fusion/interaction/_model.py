"""What interaction models of numbers and of classes share."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from mkfusion._compat import Interval, StrOptions, num_samples, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import read_splits, splits_among
from mkfusion.fusion._missing import TakesMissing
from mkfusion.fusion.interaction._basis import Basis, find_basis
from mkfusion.fusion.interaction._bilinear import (
    NO_RIDGE,
    LowRankData,
    LowRankFit,
    LowRankSettings,
    choose_rank,
    spread,
)
from mkfusion.fusion.interaction._inference import (
    Inference,
    InteractionTest,
    coefficient_table,
    conclude,
    exact_test,
)
from mkfusion.fusion.interaction._layout import (
    Layout,
    complete_training,
    read_columns_again,
    read_known_columns,
)
from mkfusion.fusion.interaction._penalized import Penalty, fit_penalized, make_groups
from mkfusion.fusion.interaction._reports import (
    Moderator,
    Step,
    slopes_table,
    steps_table,
    summary_text,
)
from mkfusion.fusion.interaction._terms import FORMS, Scaling, Terms, learn_scaling, make_terms
from mkfusion.kernels import SampleCompletion

_MOST_SHOWN = 5


class Complete(NamedTuple):
    """Training samples that have everything, with their targets and weights.

    Attributes
    ----------
    X, y, weights : Any
    completion : SampleCompletion or None
        What is done about others; None with ``missing="error"``.
    cv : int, splitter or iterable
        Their folds.
    """

    X: Any
    y: Any
    weights: Any
    completion: SampleCompletion | None
    cv: Any


class BaseInteraction(TakesMissing, BaseEstimator):
    """Fit terms of columns and their products, and say what they are worth."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "modalities": "no_validation",  # type: ignore[dict-item]
        "form": [StrOptions(set(FORMS))],
        "penalty": [StrOptions({"ridge", "lasso", "group"}), None],
        "alpha": [Interval(Real, 0, None, closed="neither"), StrOptions({"cv"})],
        "rank": [Interval(Integral, 0, None, closed="left"), StrOptions({"cv"})],
        "scaling": [StrOptions({"auto", "center", "standardize"}), None],
        "cov_type": [StrOptions({"nonrobust", "HC0", "HC3"})],
        "cv": ["cv_object"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Integral, None, -1, closed="right"),
            None,
        ],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        **TakesMissing._missing_constraints,
    }
    _logistic: ClassVar[bool]

    modalities: Sequence[tuple[str, Any]] | None
    form: str
    penalty: str | None
    alpha: float | str
    rank: int | str
    scaling: str | None
    cov_type: str
    cv: Any
    tol: float
    max_iter: int
    n_jobs: int | None
    random_state: Any
    verbose: int

    _completion: SampleCompletion | None
    _means: Floats
    _deviations: Floats
    _training: tuple[Floats, Floats, Floats]
    _layout: Layout
    _terms: Terms
    _scaling: Scaling
    inference_: Inference

    # ------------------------------------------------------------------------------- fitting

    def _complete(self, X: Any, y: Any, sample_weight: Any) -> Complete:
        """Return the training samples that have everything."""
        if self.missing == "error":
            return Complete(X, y, sample_weight, None, self.cv)
        if self.missing == "marginalise" and self.form != "additive":
            raise ValueError(
                f'missing is "marginalise" and form is {shown(self.form)}: a product with a '
                'modality that is missing has no value; expected form="additive", or '
                'missing="impute".'
            )
        check_consistent_length(X, y, sample_weight)
        n_samples = num_samples(X)
        X, rows, completion = complete_training(X, self.modalities, self.missing)
        if sample_weight is not None and np.ndim(sample_weight):
            sample_weight = safe_indexing(sample_weight, rows)
        cv = self.cv
        if not isinstance(cv, Integral):
            # It may know the samples by their numbers, and these are those of all.
            cv = splits_among(rows, read_splits(cv, n_samples, y))
        return Complete(X, safe_indexing(y, rows), sample_weight, completion, cv)

    def _fit_columns(
        self, columns: Floats, layout: Layout, target: Floats, weights: Floats, cv: Any
    ) -> tuple[Floats, float]:
        """Fit the model of the form and penalty; return the terms' coefficients and intercept."""
        if self.form == "low_rank" and self.penalty not in (None, "ridge"):
            raise ValueError(
                f'penalty={shown(self.penalty)} with form="low_rank"; expected "ridge" or None, '
                "which "
                "are what alternating least squares can minimise."
            )
        for name in ("alpha_", "rank_", "factors_", "inference_", "_no_inference", "_training"):
            self.__dict__.pop(name, None)
        penalised = self.penalty is not None or self.form == "low_rank"
        kind = self.scaling
        if kind == "auto":
            kind = "standardize" if penalised else None
        terms = make_terms(layout, self.form)
        self._layout, self._terms = layout, terms
        self._means = np.average(columns, axis=0, weights=weights)
        n_seen = int(np.count_nonzero(weights))
        squares = np.average((columns - self._means) ** 2, axis=0, weights=weights)
        self._deviations = np.sqrt(squares * (n_seen / max(n_seen - 1, 1)))
        self._scaling = learn_scaling(columns, weights, kind)
        self.term_names_ = np.array(terms.names, dtype=object)
        self.n_iter_ = 1
        scaled = self._scaling.apply(columns)
        if self.form == "low_rank":
            return self._fit_low_rank(scaled, target, weights, cv)
        values = terms.values(scaled)
        if self.penalty is None:
            seen = weights > 0
            return self._fit_unpenalised(values[seen], target[seen], weights[seen])
        return self._fit_penalised(values, target, weights, cv)

    def _fit_unpenalised(
        self, values: Floats, target: Floats, weights: Floats
    ) -> tuple[Floats, float]:
        basis = find_basis(values, weights, self._terms.names)
        coef = self._solve(values, target, weights, basis)
        if basis.dependencies:
            problem = self._collinearity_message(basis)
            warnings.warn(problem, LinAlgWarning, stacklevel=4)
            self._no_inference = problem
        elif not hasattr(self, "_no_inference"):
            try:
                names = self._terms.names
                self.inference_ = self._infer(names, coef, values, target, weights, basis)
                self._training = values, target, weights
            except ValueError as error:  # too few samples: the fit stands, its errors are unknown
                self._no_inference = str(error)
        return coef[1:], float(coef[0])

    @abstractmethod
    def _solve(self, values: Floats, target: Floats, weights: Floats, basis: Basis) -> Floats:
        """Return the coefficients (1 + n_terms,) without a penalty."""

    @abstractmethod
    def _infer(
        self,
        names: list[str],
        coef: Floats,
        values: Floats,
        target: Floats,
        weights: Floats,
        basis: Basis,
    ) -> Inference:
        """Return the inference for coefficients (1 + n_terms,) of terms (n_samples, n_terms)."""

    @abstractmethod
    def _part(self, names: list[str], values: Floats, target: Floats, weights: Floats) -> Inference:
        """Return the inference of a model with some of the terms (n_samples, n_names) only."""

    @abstractmethod
    def _gain(
        self, model: Inference, smaller: Inference, more: NDArray[np.bool_]
    ) -> InteractionTest:
        """Test a model against one without some of its terms (n_terms,)."""

    def _without(self, which: NDArray[np.bool_]) -> Inference:
        """Return the inference of the model without some terms (n_terms,)."""
        values, target, weights = self._training
        names = [name for name, out in zip(self._terms.names, which, strict=True) if not out]
        return self._part(names, values[:, ~which], target, weights)

    @abstractmethod
    def _compare(self, which: NDArray[np.bool_]) -> InteractionTest:
        """Test the model against the one without some terms (n_terms,)."""

    def _collinearity_message(self, basis: Basis) -> str:
        some = "; ".join(basis.dependencies[:_MOST_SHOWN])
        more = len(basis.dependencies) - _MOST_SHOWN
        return (
            f"The design matrix of {type(self).__name__} has rank {basis.back.shape[1]} but "
            f"{basis.back.shape[0]} columns: {some}{f'; and {more} more' if more > 0 else ''}. "
            "These terms got the coefficient 0, and there is no inference, since their effects "
            "cannot be told from those of the others. Leave such columns out, or give a penalty."
        )

    def _fit_penalised(
        self, values: Floats, target: Floats, weights: Floats, cv: Any
    ) -> tuple[Floats, float]:
        assert self.penalty is not None
        groups = [] if self.penalty == "ridge" else make_groups(self._terms, self.penalty)
        penalty = Penalty(self.penalty, groups, self._logistic, self.tol, self.max_iter)
        fit = fit_penalized(
            values, target, weights, penalty, self.alpha, cv, self.n_jobs, self.verbose
        )
        self.alpha_, self.n_iter_ = fit.alpha, fit.n_iter
        self._no_inference = (
            f"penalty={shown(self.penalty)} shrinks the estimates, whose standard errors and "
            "p-values "
            "then mean nothing; expected penalty=None."
        )
        if not fit.converged:
            self._warn_unconverged(f"the relative duality gap {fit.gap:.2g}")
        return fit.coef, fit.intercept

    def _fit_low_rank(
        self, scaled: Floats, target: Floats, weights: Floats, cv: Any
    ) -> tuple[Floats, float]:
        middle, unit = 0.0, 1.0
        if not self._logistic:  # so that alpha does not depend on the unit of y
            middle = float(np.average(target, weights=weights))
            unit = float(np.sqrt(np.average((target - middle) ** 2, weights=weights))) or 1.0
        blocks = spread(scaled, self._layout.widths)
        data = LowRankData(scaled, blocks, (target - middle) / unit, weights)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        settings = LowRankSettings(self._logistic, self.tol, self.max_iter, seed)
        alpha = NO_RIDGE if self.penalty is None else self.alpha
        fit, self.rank_, alpha = choose_rank(
            data, self.rank, alpha, cv, settings, self.n_jobs, self.verbose
        )
        if self.penalty is not None:
            self.alpha_ = alpha
        self.n_iter_ = max(1, len(fit.objectives) // len(blocks))
        self.factors_ = [fit.factors[0] * unit, *fit.factors[1:]]
        self._no_inference = (
            'form="low_rank" chooses its products from the samples, so that there are no standard '
            'errors; expected form="bilinear".'
        )
        if not fit.converged:
            self._warn_unconverged("a step that still helps")
        return fit.coef * unit, middle + fit.intercept * unit

    def _warn_unconverged(self, reached: str, stacklevel: int = 5) -> None:
        warnings.warn(
            f"{type(self).__name__} stopped at {reached} after max_iter={self.max_iter} "
            f"iterations; expected tol={self.tol:g}. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )

    # ---------------------------------------------------------------------------- prediction

    def _fitted_values(self, columns: Floats) -> Floats:
        """Return the linear predictor (n_samples,) of columns (n_samples, n_columns)."""
        coef, intercept = np.ravel(self.coef_), float(np.ravel(self.intercept_)[0])
        scaled = self._scaling.apply(columns)
        if hasattr(self, "factors_"):
            fit = LowRankFit(intercept, coef, self.factors_, [], True)
            return fit.predict(scaled, spread(scaled, self._layout.widths))
        return intercept + self._terms.values(scaled) @ coef

    def _read(self, X: Any) -> Floats:
        check_is_fitted(self)
        if self._completion is None:
            return read_columns_again(self, X, self._layout)
        return read_known_columns(self, X, self._layout, self._completion, self._means)

    # ----------------------------------------------------------------------------- inference

    def _inferred(self) -> Inference:
        check_is_fitted(self)
        if not hasattr(self, "inference_"):
            raise ValueError(f"There is no inference: {self._no_inference}")
        return self.inference_

    def _errors(self, columns: Floats) -> Floats:
        """Return standard errors (n_samples,) of the linear predictor, where there is inference."""
        values = self._terms.values(self._scaling.apply(columns))
        design = np.column_stack([np.ones(len(values)), values])
        squares = np.einsum("ij,ij->i", design @ self.inference_.covariance, design)
        return np.sqrt(np.maximum(squares, 0.0))

    def inference_table(self, confidence: float = 0.95) -> Any:
        """Return estimates, standard errors, tests against zero and confidence intervals.

        Parameters
        ----------
        confidence : float, default=0.95
            Of the intervals.

        Returns
        -------
        DataFrame or structured ndarray of shape (1 + n_terms,)
            A row for the intercept and each term; the columns "estimate", "std_error", "t" or "z",
            "p_value", "ci_lower" and "ci_upper". A DataFrame has the terms as its index; without
            pandas they are the column "term" of a NumPy array.

        Raises
        ------
        ValueError
            If the model has no inference: with a penalty or of low rank, if terms depend on others
            or classes are separated. The message says which.
        """
        return coefficient_table(self._inferred(), _check_confidence(confidence))

    def test_effect(self, a: str, *, confidence: float = 0.95) -> InteractionTest:
        """Test whether a modality matters, beyond the others.

        The model is compared with the one without all terms of the modality, main effects and
        products. Unlike the p-value of its main effect, the answer does not depend on where the
        zeros of the scales are.

        Parameters
        ----------
        a : str
            Name of a modality, or of a column.
        confidence : float, default=0.95
            At which the conclusion says yes.

        Returns
        -------
        InteractionTest
            Prints as a sentence.

        Raises
        ------
        ValueError
            If there is no inference, or no such modality.
        """
        self._inferred()
        which = self._terms.with_columns(self._columns_of(a))
        beyond = " beyond the other modalities" if len(self._layout.names) > 1 else ""
        claim = f"the target depends on {a}{beyond}"
        return self._conclusion(which, claim, confidence)

    def _conclusion(
        self, which: NDArray[np.bool_], claim: str, confidence: float
    ) -> InteractionTest:
        confidence, exact = _check_confidence(confidence), self.inference_.exact
        found = self._compare(which)
        if exact:
            found = exact_test(found, self._without(which))
        return conclude(found, claim, confidence, exact=exact)

    def test_interaction(
        self, a: str, b: str | None = None, *, confidence: float = 0.95
    ) -> InteractionTest:
        """Test whether the effect of one modality depends on another.

        The model is compared with the one without the products of the two.

        Parameters
        ----------
        a : str
            Name of a modality, or of a column.
        b : str, default=None
            Another; None for any of the others.
        confidence : float, default=0.95
            At which the conclusion says yes.

        Returns
        -------
        InteractionTest
            Prints as a sentence.

        Raises
        ------
        ValueError
            If there is no inference, no such modality, or the model has no such products.
        """
        self._inferred()
        one = self._columns_of(a)
        other = ~one if b is None else self._columns_of(b)
        which = self._terms.between(one, other)
        if not which.any():
            raise ValueError(
                f"The model has no products of {shown(a)} with "
                f"{'others' if b is None else repr(b)}: "
                f'form={shown(self.form)}. Expected two modalities and "additive+multiplicative", '
                '"multiplicative" or "bilinear".'
            )
        claim = f"the effect of {a} depends on {b or 'another modality'}"
        return self._conclusion(which, claim, confidence)

    def simple_slopes(self, a: str, b: str, at: Any = None, *, confidence: float = 0.95) -> Any:
        """Return the effect of one column at several values of another, with standard errors.

        The effect of a column of categories is that of each level against the first. All other
        columns that it is multiplied with are at their mean.

        Parameters
        ----------
        a : str
            Column whose effect is asked for: a modality of one column, or a column's name.
        b : str
            Column that it depends on.
        at : array-like of shape (n_values,), default=None
            Numbers, or levels, of `b`; None is the mean of the training samples and one standard
            deviation below and above, or all levels of a column of categories.
        confidence : float, default=0.95
            Of the intervals.

        Returns
        -------
        DataFrame or structured ndarray of shape (n_slopes,)
            A row for each value of `b` (and each level of `a` but the first); the column "at" and
            those of :meth:`inference_table`: slopes are of the target, or of the log-odds.

        Raises
        ------
        ValueError
            If there is no inference, a and b are not two columns, or the model has no product of
            them.

        References
        ----------
        Aiken and West, "Multiple Regression: Testing and Interpreting Interactions", Sage (1991).
        """
        inference = self._inferred()
        one, other = self._columns_of(a), self._columns_of(b)
        if not self._terms.between(one, other).any():
            raise ValueError(
                f"The model has no products of {shown(a)} with {shown(b)}: "
                f"form={shown(self.form)}. Expected columns of two modalities and a form with "
                "products."
            )
        focal = [(self._layout.columns[j], int(j)) for j in np.flatnonzero(one)]
        moderator = Moderator(b, np.flatnonzero(other), self._levels_of(a, one, b, other))
        settings = moderator.settings(at, self._means[other], self._deviations[other])
        return slopes_table(
            inference,
            self._terms,
            self._scaling,
            focal,
            moderator,
            settings,
            self._means,
            _check_confidence(confidence),
        )

    def _levels_of(
        self, a: str, one: NDArray[np.bool_], b: str, other: NDArray[np.bool_]
    ) -> list[Any] | None:
        """Return the levels of column b, None of numbers; refuse what is more than one column."""
        layout = self._layout
        for name, columns in ((a, one), (b, other)):
            sources = sorted({layout.sources[j] for j in np.flatnonzero(columns)})
            if len(sources) > 1:
                raise ValueError(
                    f"modality {name!r} has {len(sources)} columns; expected the name of one of "
                    f"them: {sources[:20]}."
                )
        levels = layout.levels_of(int(np.flatnonzero(other)[0]))
        if levels is not None and int(other.sum()) < len(levels) - 1:
            return None  # one level against all others
        return levels

    def nested_models(self) -> Any:
        """Return the model beside smaller ones: the mean alone, main effects, with products.

        Returns
        -------
        DataFrame or structured ndarray of shape (n_models,)
            A row for each model, "intercept", "additive" and the form; the columns "n_terms",
            "r2" (McFadden's of classes), "adjusted_r2", "delta_r2" (beyond the row above), the
            test against the row above ("F" with "df" and "df_resid", or "chi2" with "df", and
            "p_value"; of classes the likelihood ratio, with a robust `cov_type` Wald's), and
            "log_likelihood", "aic" and "bic".

        Raises
        ------
        ValueError
            If there is no inference.
        """
        inference = self._inferred()
        main = self._terms.second < 0
        masks = [("intercept", np.zeros(len(main), dtype=bool))]
        if main.any() and not main.all():
            masks.append(("additive", main))
        masks.append((self.form, np.ones(len(main), dtype=bool)))
        steps: list[Step] = []
        for k, (name, keep) in enumerate(masks):
            found = inference if keep.all() else self._without(~keep)
            test = None
            if k:
                smaller = steps[-1].inference
                test = self._gain(found, smaller, ~masks[k - 1][1][keep])
                if found.exact:
                    test = exact_test(test, smaller)
            steps.append(Step(name, found, test))
        return steps_table(steps)

    def summary(self, confidence: float = 0.95) -> str:
        """Return a table to print: samples, R², estimates, tests and intervals.

        Parameters
        ----------
        confidence : float, default=0.95
            Of the intervals.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If there is no inference.
        """
        title = f"{type(self).__name__}, {self.form}"
        inference = self._inferred()
        return summary_text(title, inference, _check_confidence(confidence), self._logistic)

    def _columns_of(self, name: str) -> NDArray[np.bool_]:
        """Return the columns (n_columns,) of a modality, or the one of a name."""
        layout = self._layout
        if name in layout.names:
            return np.asarray(layout.owner == layout.names.index(name))
        if name in layout.columns:
            return np.arange(len(layout.columns)) == layout.columns.index(name)
        if name in layout.sources:  # all levels of a column of categories
            return np.array([source == name for source in layout.sources])
        raise ValueError(
            f"There is no modality {name!r}; there are {layout.names}, with the columns "
            f"{layout.columns[:20]}{', ...' if len(layout.columns) > 20 else ''}."
        )


def _check_confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={shown(confidence)}; expected a number between 0 and 1.")
    return float(confidence)
