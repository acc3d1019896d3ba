"""Logistic regression on modalities and their products."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import (
    check_rows,
    labels_from_decisions,
    read_labels,
    read_weights,
    remember_features,
    rollback,
)
from mkfusion.fusion.interaction._basis import Basis, find_basis
from mkfusion.fusion.interaction._inference import (
    Inference,
    InteractionTest,
    likelihood_ratio_test,
    logistic_inference,
    wald_test,
)
from mkfusion.fusion.interaction._layout import read_layout
from mkfusion.fusion.interaction._logistic import Separation, find_separation, fit_logistic
from mkfusion.fusion.interaction._model import BaseInteraction

_MOST_SHOWN = 5


class InteractionClassifier(ClassifierMixin, BaseInteraction):
    """Logistic regression on modalities and their products, with the statistics of its terms.

    With modalities A and B of one column each, the log-odds of ``classes_[1]`` are

        w0 + w1 xA + w2 xB + w3 xA xB.

    Parameters
    ----------
    modalities : list of (name, columns) pairs, default=None
        `columns` as in :class:`sklearn.compose.ColumnTransformer`, or the name of a modality of
        `Modalities`. None is all modalities of `Modalities`, and every column of an array or a
        DataFrame on its own.
    form : str, default="bilinear"
        Which terms there are beside the intercept: "additive", "multiplicative",
        "additive+multiplicative", "bilinear" or "low_rank", as in :class:`InteractionRegressor`.
    penalty : {"ridge", "lasso", "group"} or None, default=None
        What is added to the mean of minus the log-likelihoods, as in
        :class:`InteractionRegressor`.
    alpha : float or "cv", default="cv"
        Strength of the penalty; "cv" chooses it by the log-likelihood out of fold.
    rank : int or "cv", default="cv"
        Number of components for "low_rank". "cv" chooses 0 to 5: the smallest whose log-likelihood
        out of fold is within one standard error of the best.
    scaling : {"auto", "center", "standardize"} or None, default="auto"
        Of the columns before they are multiplied, as in :class:`InteractionRegressor`: "auto"
        standardises with a penalty and for "low_rank". It changes what main effects mean.
    cov_type : {"nonrobust", "HC0", "HC3"}, default="nonrobust"
        How the covariance of the estimates is estimated: from the curvature of the likelihood, or
        such that it holds whatever the variances of the samples are.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; the terms of what is there are summed, those of what is missing at their mean (of
        form "additive" only: a product with what is missing has no value); or its columns are
        predicted from the other modalities by ridge regression. The coefficients, and what is
        inferred of them, come from the training samples that have all modalities.
    cv : int, splitter or iterable, default=5
        Folds that "cv" learns from.
    tol : float, default=1e-6
        Relative duality gap to reach with "lasso" and "group"; for "low_rank" the decrease of the
        objective at which to stop, relative to that of main effects.
    max_iter : int, default=10000
        Most iterations, and sweeps over the modalities of "low_rank".
    n_jobs : int, default=None
        Folds to fit at the same time.
    random_state : int, RandomState instance or None, default=None
        Of the points that "low_rank" starts from.
    verbose : int, default=0
        Whether to print what "cv" has chosen.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Class labels, sorted.
    coef_ : ndarray of shape (1, n_terms)
        Coefficients of the terms, for "low_rank" of the main effects.
    intercept_ : ndarray of shape (1,)
        w0.
    term_names_ : ndarray of shape (n_terms,)
        Such as ``"accel.x"`` and ``"accel.x × gyro.y"``; modalities of one column go by their name.
    inference_ : Inference
        Without a penalty: covariance, McFadden's R², log-likelihood, AIC, BIC.
    alpha_ : float
        Strength of the penalty, if there is one.
    rank_ : int
        Number of components of "low_rank".
    factors_ : list of ndarray of shape (n_columns, `rank_`)
        Weights of each modality's columns in the components of "low_rank". With more than two
        modalities, a row for a constant comes first.
    n_iter_ : int
        Iterations.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        If terms depend on others, with how. They get the coefficient 0, and there is no inference.
    sklearn.exceptions.ConvergenceWarning
        If terms separate the classes, with which: maximum likelihood then has no finite
        coefficients. Predictions stand, and there is no inference. Also if `max_iter` did not
        suffice.

    See Also
    --------
    InteractionRegressor : The same for numbers, with notes on what coefficients mean.
    InteractionDisplay : Plot of an interaction.

    Notes
    -----
    Columns of strings, or of a categorical type, are coded against their first level (in the order
    of the type, or sorted): a column of 0 and 1 for each other level, named ``"column[level]"``. A
    level that no training sample had is refused.

    Without a penalty, :meth:`test_effect` and :meth:`test_interaction` are likelihood-ratio tests,
    and Wald tests with a robust covariance; the model keeps its training samples for the former.
    HC3 is that of R's sandwich package; statsmodels 0.15 gives HC0 under this name, too.

    `sample_weight` holds numbers of samples that are alike.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import InteractionClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X[:, 0] * X[:, 1] + rng.logistic(size=200) > 0  # neither column tells alone
    >>> for form in ("additive", "bilinear"):
    ...     print(form, InteractionClassifier(form=form).fit(X, y).score(X, y))
    additive 0.58
    bilinear 0.695
    >>> print(InteractionClassifier().fit(X, y).test_interaction("x0", "x1"))
    The effect of x0 depends on x1 (χ²(1) = 38.5, p < 0.0001).
    """

    _logistic = True

    def __init__(
        self,
        modalities: Sequence[tuple[str, Any]] | None = None,
        *,
        form: str = "bilinear",
        penalty: str | None = None,
        alpha: float | str = "cv",
        rank: int | str = "cv",
        scaling: str | None = "auto",
        cov_type: str = "nonrobust",
        missing: str = "error",
        cv: Any = 5,
        tol: float = 1e-6,
        max_iter: int = 10_000,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.form = form
        self.penalty = penalty
        self.alpha = alpha
        self.rank = rank
        self.scaling = scaling
        self.cov_type = cov_type
        self.missing = missing
        self.cv = cv
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Estimate the coefficients.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            Columns of finite numbers, and (in a DataFrame) of categories.
        y : array-like of shape (n_samples,)
            Labels of two classes: strings, integers or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, samples are not finite numbers, or there are not
            two classes.
        """
        self._validate_params()
        X, y, sample_weight, completion, cv = self._complete(X, y, sample_weight)
        columns, layout = read_layout(self, X, self.modalities)
        check_rows(X, y=y, sample_weight=sample_weight)
        _, classes, codes = read_labels(columns, y, "two classes")
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass: y "
                f"has {len(classes)} classes; put the classifier into a "
                "sklearn.multiclass.OneVsRestClassifier."
            )
        weights = read_weights(sample_weight, columns, least=2)
        if len(np.unique(codes[weights > 0])) < 2:
            raise ValueError("y has one class among the samples with a positive sample_weight.")
        with rollback(self):
            remember_features(self, X)
            self._completion = completion
            self.classes_ = classes
            target = codes.astype(np.float64)
            coef, intercept = self._fit_columns(columns, layout, target, weights, cv)
            self.coef_, self.intercept_ = coef[None], np.array([intercept])
        return self

    def decision_function(self, X: Any) -> Floats:
        """Return the log-odds of ``classes_[1]``.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._fitted_values(self._read(X))

    def predict_proba(self, X: Any) -> Floats:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, 2)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        log_odds = self.decision_function(X)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, 2)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        log_odds = self.decision_function(X)
        return np.column_stack([log_expit(-log_odds), log_expit(log_odds)])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the more likely class of each sample.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return labels_from_decisions(self.decision_function(X), self.classes_)

    def _solve(self, values: Floats, target: Floats, weights: Floats, basis: Basis) -> Floats:
        fit = fit_logistic(basis.values, target, weights, stop_far=True, max_iter=self.max_iter)
        if not fit.converged:
            kept = [j for j, row in enumerate(basis.back[1:]) if row.any()]
            names = [self._terms.names[j] for j in kept]
            found = find_separation(values[:, kept], target, weights, names)
            if found is not None:
                self._no_inference = self._separation_message(found, fit.loss, weights)
                warnings.warn(self._no_inference, ConvergenceWarning, stacklevel=5)
            else:
                fit = fit_logistic(
                    basis.values, target, weights, start=fit.coef, max_iter=self.max_iter
                )
                if not fit.converged:
                    self._no_inference = "maximum likelihood did not converge, see the warning."
                    self._warn_unconverged("a Newton step that still helps", stacklevel=6)
        self.n_iter_ = fit.n_iter
        return np.asarray(basis.back @ fit.coef)

    def _separation_message(self, found: Separation, loss: float, weights: Floats) -> str:
        """Return why the likelihood has no maximum."""
        a, b = self.classes_.tolist()
        some = ", ".join(map(repr, found.terms[:_MOST_SHOWN]))
        more = len(found.terms) - _MOST_SHOWN
        what = f"{some}{f' and {more} more' if more > 0 else ''}"
        if len(found.terms) > 1:
            what = f"a combination of {what}"
        complete = loss < 1e-6 * weights.sum()
        how = "all samples" if complete else f"{found.n_samples} of {len(weights)} samples"
        return (
            f"The classes {shown(a)} and {shown(b)} are "
            f"{'' if complete else 'partly '}separated: {what} is "
            f"right about {how} and wrong about none. The likelihood then has no maximum: "
            "coefficients grow without bound and stop where they happen to, so that there are no "
            "standard errors and p-values. Predictions stand. For finite coefficients give "
            'penalty="ridge", leave out such terms, or collect samples that overlap.'
        )

    def _infer(
        self,
        names: list[str],
        coef: Floats,
        values: Floats,
        target: Floats,
        weights: Floats,
        basis: Basis,
    ) -> Inference:
        log_odds = coef[0] + values @ coef[1:]
        return logistic_inference(names, coef, log_odds, target, weights, basis, self.cov_type)

    def _compare(self, which: NDArray[np.bool_]) -> InteractionTest:
        if self.cov_type != "nonrobust":
            return wald_test(self.inference_, which)
        return self._gain(self.inference_, self._without(which), which)

    def _part(self, names: list[str], values: Floats, target: Floats, weights: Floats) -> Inference:
        basis = find_basis(values, weights, names)
        coef = basis.back @ fit_logistic(basis.values, target, weights).coef
        return self._infer(names, coef, values, target, weights, basis)

    def _gain(
        self, model: Inference, smaller: Inference, more: NDArray[np.bool_]
    ) -> InteractionTest:
        if self.cov_type != "nonrobust":
            return wald_test(model, more)
        return likelihood_ratio_test(model, more, smaller.log_likelihood)
