"""Linear regression on modalities and their products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from mkfusion._types import Floats
from mkfusion.data import check_rows, read_numbers, read_weights, remember_features, rollback
from mkfusion.fusion.interaction._basis import Basis, find_basis
from mkfusion.fusion.interaction._inference import (
    Inference,
    InteractionTest,
    linear_inference,
    wald_test,
)
from mkfusion.fusion.interaction._layout import read_layout
from mkfusion.fusion.interaction._model import BaseInteraction


class InteractionRegressor(RegressorMixin, BaseInteraction):
    """Linear regression on modalities and their products, with the statistics of its terms.

    With modalities A and B of one column each,

        y = w0 + w1 xA + w2 xB + w3 xA xB + error.

    Parameters
    ----------
    modalities : list of (name, columns) pairs, default=None
        `columns` as in :class:`sklearn.compose.ColumnTransformer`, or the name of a modality of
        `Modalities`. None is all modalities of `Modalities`, and every column of an array or a
        DataFrame on its own.
    form : str, default="bilinear"
        Which terms there are beside the intercept.

        - ``"additive"``: the columns, as main effects;
        - ``"multiplicative"``: products of the corresponding columns of every two modalities, which
          need as many columns as each other, or one;
        - ``"additive+multiplicative"``: both;
        - ``"bilinear"``: main effects, and the products of all columns of every two modalities,
          which is the same for modalities of one column;
        - ``"low_rank"``: main effects, and products of all modalities that few components make up.
    penalty : {"ridge", "lasso", "group"} or None, default=None
        What is added to the mean of half the squared errors, where there are many terms:
        ``alpha / 2`` times the sum of squares of the coefficients, ``alpha`` times the sum of
        their absolute values, or ``alpha`` times a sum of norms of groups of coefficients. With
        "group" a modality is used as a whole or not at all, and products of two modalities only
        beside the main effects of both. "low_rank" takes "ridge" or None.
    alpha : float or "cv", default="cv"
        Strength of the penalty; "cv" chooses it by the error out of fold. "low_rank" reckons it
        for y in units of its standard deviation.
    rank : int or "cv", default="cv"
        Number of components for "low_rank". "cv" chooses 0 to 5: the smallest whose error out of
        fold is within one standard error of the least.
    scaling : {"auto", "center", "standardize"} or None, default="auto"
        Whether the training mean is subtracted from the columns before they are multiplied, and
        whether they are also divided by their standard deviation. "auto" standardises with a
        penalty and for "low_rank", which depend on units, and does nothing otherwise. See the
        notes: it changes what main effects mean.
    cov_type : {"nonrobust", "HC0", "HC3"}, default="nonrobust"
        How the covariance of the estimates is estimated: with one variance for all errors, or with
        one for each sample. Of the latter, HC3 is the one for small samples.
    use_t : bool, default=None
        Whether estimates over their standard errors are compared with the t distribution, and
        tests with F, rather than with the normal and chi-squared ones. None: for "nonrobust" only,
        as in statsmodels.
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
        Most iterations of "lasso" and "group", and sweeps over the modalities of "low_rank".
    n_jobs : int, default=None
        Folds to fit at the same time.
    random_state : int, RandomState instance or None, default=None
        Of the points that "low_rank" starts from.
    verbose : int, default=0
        Whether to print what "cv" has chosen.

    Attributes
    ----------
    coef_ : ndarray of shape (n_terms,)
        Coefficients of the terms, for "low_rank" of the main effects.
    intercept_ : float
        w0.
    term_names_ : ndarray of shape (n_terms,)
        Such as ``"accel.x"`` and ``"accel.x × gyro.y"``; modalities of one column go by their name.
    inference_ : Inference
        Without a penalty: covariance, variance of the errors, R², log-likelihood, AIC, BIC.
    alpha_ : float
        Strength of the penalty, if there is one.
    rank_ : int
        Number of components of "low_rank".
    factors_ : list of ndarray of shape (n_columns, `rank_`)
        Weights of each modality's columns in the components of "low_rank". With more than two
        modalities, a row for a constant comes first.
    n_iter_ : int
        Iterations, 1 where there are none.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        If terms depend on others, with how. They get the coefficient 0, and there is no inference.
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    InteractionClassifier : The same for two classes.
    InteractionDisplay : Plot of an interaction.
    interaction_kernels : Products of modalities of any type, as kernels.

    Notes
    -----
    Columns of strings, or of a categorical type, are coded against their first level (in the order
    of the type, or sorted): a column of 0 and 1 for each other level, named ``"column[level]"``. A
    level that no training sample had is refused.

    The coefficient of a main effect is the effect of a column *where all columns that it is
    multiplied with are zero*: for raw columns this may be nowhere near the samples, with centred
    ones it is at their mean. Centring thus changes the estimates, standard errors and p-values of
    main effects, but with main effects in the model neither the coefficients of products, nor
    predictions, nor :meth:`test_effect` and :meth:`test_interaction`. "multiplicative" has no main
    effects: there the zeros decide which model it is. Products of standardised columns are not
    standardised again.

    "low_rank" adds ``sum_r prod_m (x_m @ factors_[m][:, r])`` to the main effects: for two
    modalities a matrix of products of that rank; for more, products of all orders, as each
    component may leave modalities out [1]_. Other forms have no products of three.

    `sample_weight` holds inverse variances up to a factor, as in weighted least squares: only their
    ratios matter. Samples of weight zero are left out.

    References
    ----------
    .. [1] Liu, Shen, Lakshminarasimhan, Liang, Zadeh and Morency, "Efficient low-rank multimodal
       fusion with modality-specific factors", ACL (2018).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import InteractionRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> model = InteractionRegressor(scaling="center").fit(X[["bmi", "bp"]], y)
    >>> model.inference_table().round(2)
               estimate  std_error      t  p_value  ci_lower  ci_upper
    term
    intercept    149.56       3.03  49.30     0.00    143.60    155.52
    bmi            8.49       0.70  12.12     0.00      7.12      9.87
    bp             1.33       0.23   5.90     0.00      0.89      1.77
    bmi × bp       0.11       0.04   2.42     0.02      0.02      0.19
    >>> print(model.test_interaction("bmi", "bp"))
    The effect of bmi depends on bp (F(1, 438) = 5.85, p = 0.016).
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseInteraction._parameter_constraints,
        "use_t": ["boolean", None],
    }
    _logistic = False

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
        use_t: bool | None = None,
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
        self.use_t = use_t
        self.missing = missing
        self.cv = cv
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Estimate the coefficients.

        Parameters
        ----------
        X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
            Columns of finite numbers, and (in a DataFrame) of categories.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or samples are not finite numbers.
        """
        self._validate_params()
        X, y, sample_weight, completion, cv = self._complete(X, y, sample_weight)
        columns, layout = read_layout(self, X, self.modalities)
        check_rows(X, y=y, sample_weight=sample_weight)
        target = read_numbers(columns, y)
        weights = read_weights(sample_weight, columns, least=2)
        with rollback(self):
            remember_features(self, X)
            self._completion = completion
            self.coef_, self.intercept_ = self._fit_columns(columns, layout, target, weights, cv)
        return self

    def predict(self, X: Any) -> Floats:
        """Return the expected targets.

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

    def _solve(self, values: Floats, target: Floats, weights: Floats, basis: Basis) -> Floats:
        return np.asarray(basis.back @ (basis.values.T @ (weights * target)))

    def _infer(
        self,
        names: list[str],
        coef: Floats,
        values: Floats,
        target: Floats,
        weights: Floats,
        basis: Basis,
    ) -> Inference:
        # From the basis, not from the terms: offsets of columns cost no digits.
        residual = target - basis.values @ (basis.values.T @ (weights * target))
        return linear_inference(
            names, coef, residual, target, weights, basis, self.cov_type, self.use_t
        )

    def _compare(self, which: NDArray[np.bool_]) -> InteractionTest:
        return wald_test(self.inference_, which)

    def _part(self, names: list[str], values: Floats, target: Floats, weights: Floats) -> Inference:
        basis = find_basis(values, weights, names)
        coef = self._solve(values, target, weights, basis)
        return self._infer(names, coef, values, target, weights, basis)

    def _gain(
        self, model: Inference, smaller: Inference, more: NDArray[np.bool_]
    ) -> InteractionTest:
        return wald_test(model, more)
