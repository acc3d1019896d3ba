"""What an unpenalised model says about its coefficients: tables, tests and sentences.

These are the numbers of statsmodels, with which the tests compare every one. It is no dependency:
65 MB with patsy, formulaic and pandas, 0.35 s to import, for formulas of a line each; HC3 of its
logit is HC0, and terms that depend on others get a table all the same, by a pseudo-inverse.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from mkfusion._types import Floats
from mkfusion.fusion.interaction._basis import Basis
from mkfusion.fusion.interaction._logistic import log_loss

# Samples that a fit passes through whatever they are: their residual says nothing.
_FULL_LEVERAGE = 1 - 1e-10
# Residuals that are so small beside the target are rounding.
_ROUNDING = 1e-13
# And then estimates of zero are rounding, too, within so many of its standard errors.
_REAL = 1e4


class Inference(NamedTuple):
    """Estimates, their covariance and how well the model fits.

    Attributes
    ----------
    terms : list of 1 + n_terms str
        "intercept" and the terms.
    estimate : ndarray of shape (1 + n_terms,)
        Coefficients.
    covariance : ndarray of shape (1 + n_terms, 1 + n_terms)
        Of the estimates.
    distribution : {"t", "z"}
        Of an estimate over its standard error.
    cov_type : str
        How the covariance was estimated.
    n_samples : float
        Samples with a weight; their sum of weights in logistic regression.
    df_model : int
        Terms without the intercept.
    df_resid : float
        Samples less terms and intercept.
    scale : float
        Variance of the residuals, 1 in logistic regression.
    r2 : float
        Share of the variance that is explained; McFadden's in logistic regression: the share by
        which the model lessens minus the log-likelihood.
    adjusted_r2 : float
        With degrees of freedom taken into account; NaN in logistic regression.
    log_likelihood : float
        Of the model.
    aic : float
        Akaike's information criterion, of which less is better.
    bic : float
        Schwarz's.
    exact : bool
        Whether the model fits every sample, so that what is left is rounding.
    """

    terms: list[str]
    estimate: Floats
    covariance: Floats
    distribution: str
    cov_type: str
    n_samples: float
    df_model: int
    df_resid: float
    scale: float
    r2: float
    adjusted_r2: float
    log_likelihood: float
    aic: float
    bic: float
    exact: bool = False

    def critical(self, confidence: float) -> float:
        """Return how many standard errors an interval reaches to either side."""
        tail = (1 + confidence) / 2
        return float(stats.norm.ppf(tail) if self.distribution == "z" else self._t.ppf(tail))

    @property
    def _t(self) -> Any:
        return stats.t(self.df_resid)


def linear_inference(
    names: list[str],
    estimate: Floats,
    residual: Floats,
    y: Floats,
    weights: Floats,
    basis: Basis,
    cov_type: str,
    use_t: bool | None,
) -> Inference:
    """Return the inference of a least squares fit.

    Parameters
    ----------
    names : list of n_terms str
    estimate : ndarray of shape (1 + n_terms,)
    residual, y, weights : ndarray of shape (n_samples,)
        Weights are inverse variances up to a factor.
    basis : Basis
        Of all terms.
    cov_type : {"nonrobust", "HC0", "HC3"}
    use_t : bool or None
        None for t with "nonrobust" and z otherwise.

    Returns
    -------
    Inference

    Raises
    ------
    ValueError
        If no degrees of freedom are left.
    """
    n_samples, n_terms = len(y), len(names)
    df_resid = n_samples - n_terms - 1
    if df_resid < 1:
        raise ValueError(
            f"{n_terms} terms and an intercept of {n_samples} samples leave no degrees of freedom "
            "to estimate errors from; expected more samples, fewer terms or a penalty."
        )
    rss = float(weights @ residual**2)
    tss = float(weights @ (y - np.average(y, weights=weights)) ** 2)
    scale = rss / df_resid
    root = np.sqrt(weights)
    bread = basis.values * root[:, None]
    if cov_type == "nonrobust":
        covariance = scale * basis.back @ basis.back.T
    else:
        covariance = _sandwich(basis.back, bread, (root * residual) ** 2, cov_type)
    r2 = (1 - rss / tss if names else 0.0) if tss > 0 else np.nan
    with np.errstate(divide="ignore"):
        half = n_samples / 2
        log_likelihood = float(
            -half * (np.log(rss) + 1 + np.log(np.pi / half)) + 0.5 * np.log(weights).sum()
        )
    t = cov_type == "nonrobust" if use_t is None else use_t
    return Inference(
        ["intercept", *names],
        estimate,
        covariance,
        "t" if t else "z",
        cov_type,
        n_samples,
        n_terms,
        df_resid,
        scale,
        r2,
        1 - (1 - r2) * (n_samples - 1) / df_resid,
        log_likelihood,
        *_criteria(log_likelihood, n_terms, n_samples),
        exact=rss <= _ROUNDING**2 * float(weights @ y**2),
    )


def logistic_inference(
    names: list[str],
    estimate: Floats,
    log_odds: Floats,
    target: Floats,
    weights: Floats,
    basis: Basis,
    cov_type: str,
) -> Inference:
    """Return the inference of a maximum likelihood fit.

    Parameters
    ----------
    names : list of n_terms str
    estimate : ndarray of shape (1 + n_terms,)
    log_odds, target, weights : ndarray of shape (n_samples,)
        Weights are numbers of samples that are alike.
    basis : Basis
        Of all terms.
    cov_type : {"nonrobust", "HC0", "HC3"}

    Returns
    -------
    Inference
    """
    n_samples = float(weights.sum())
    chance = expit(log_odds)
    spread = np.sqrt(chance * expit(-log_odds))
    # QR of the weighted basis: the information matrix is never formed.
    r = np.linalg.qr(basis.values * (np.sqrt(weights) * spread)[:, None], mode="r")
    inverse = np.linalg.inv(r)
    back = basis.back @ inverse
    if cov_type == "nonrobust":
        covariance = back @ back.T
    else:
        bread = basis.values @ inverse
        covariance = _sandwich(
            back, bread, (target - chance) ** 2, cov_type, weights, np.square(spread)
        )
    log_likelihood = -log_loss(log_odds, target, weights)
    share = float(weights @ target) / n_samples
    alone = np.full(len(target), np.log(share / (1 - share)))
    df_resid = n_samples - len(names) - 1
    return Inference(
        ["intercept", *names],
        estimate,
        covariance,
        "z",
        cov_type,
        n_samples,
        len(names),
        df_resid,
        1.0,
        1 - log_likelihood / -log_loss(alone, target, weights) if names else 0.0,
        np.nan,
        log_likelihood,
        *_criteria(log_likelihood, len(names), n_samples),
    )


def _criteria(log_likelihood: float, n_terms: int, n_samples: float) -> tuple[float, float]:
    """Return Akaike's and Schwarz's criterion."""
    n_free = n_terms + 1
    return 2 * n_free - 2 * log_likelihood, float(np.log(n_samples)) * n_free - 2 * log_likelihood


def _sandwich(
    back: Floats,
    bread: Floats,
    squares: Floats,
    cov_type: str,
    weights: Floats | float = 1.0,
    spread: Floats | float = 1.0,
) -> Floats:
    """Return a covariance that holds whatever the variances of the samples are.

    ``back (sum_i weights_i squares_i b_i b_i') back'`` with rows b of the bread; for HC3, squares
    are divided by (1 - leverage)^2 [1]_, where the leverage is ``spread_i b_i'b_i``.

    References
    ----------
    .. [1] MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix estimators
       with improved finite sample properties", Journal of Econometrics 29 (1985); for generalised
       linear models Zeileis, "Object-oriented computation of sandwich estimators", Journal of
       Statistical Software 16 (2006).
    """
    if cov_type == "HC3":
        leverage = spread * np.einsum("ij,ij->i", bread, bread)
        full = np.flatnonzero(leverage > _FULL_LEVERAGE)
        if len(full):
            raise ValueError(
                f'cov_type="HC3" divides by 1 - leverage, and sample {full[0]} has leverage 1'
                f" (so have {len(full)} in all): the model fits it whatever its target is. Expected"
                ' fewer terms, or cov_type="nonrobust".'
            )
        squares = squares / (1 - leverage) ** 2
    meat = (bread * (weights * squares)[:, None]).T @ bread
    return back @ meat @ back.T


# ------------------------------------------------------------------------------------- table


def coefficient_table(inference: Inference, confidence: float) -> Any:
    """Return a DataFrame indexed by term, or a structured array (1 + n_terms,) without pandas."""
    return as_table("term", inference.terms, coefficient_columns(inference, confidence))


def as_table(index: str, labels: list[str], columns: dict[str, NDArray[Any]]) -> Any:
    """Return a DataFrame, or a structured array without pandas.

    Parameters
    ----------
    index : str
        What the labels are.
    labels : list of n_rows str
    columns : dict of str to ndarray of shape (n_rows,)

    Returns
    -------
    DataFrame or structured ndarray of shape (n_rows,)
    """
    try:
        import pandas as pd
    except ImportError:
        kinds = [(index, object), *((name, values.dtype) for name, values in columns.items())]
        table = np.empty(len(labels), dtype=kinds)
        table[index] = labels
        for name, values in columns.items():
            table[name] = values
        return table
    return pd.DataFrame(columns, index=pd.Index(labels, name=index))


def coefficient_columns(inference: Inference, confidence: float) -> dict[str, Floats]:
    """Return the columns (n_terms,) of a table of estimates, by their names.

    Of a perfect fit there is no statistic, and p-values are 0 or 1.
    """
    error = np.sqrt(np.maximum(np.diagonal(inference.covariance), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without an error zero is zero for sure.
        statistic = np.where(inference.estimate == 0.0, 0.0, inference.estimate / error)
    if inference.distribution == "t":
        p_value = 2 * stats.t.sf(np.abs(statistic), inference.df_resid)
    else:
        p_value = 2 * stats.norm.sf(np.abs(statistic))
    if inference.exact:
        p_value = np.where(np.abs(statistic) > _REAL, 0.0, 1.0)
        statistic = np.full(len(statistic), np.nan)
    reach = inference.critical(confidence) * error
    return {
        "estimate": inference.estimate,
        "std_error": error,
        inference.distribution: statistic,
        "p_value": p_value,
        "ci_lower": inference.estimate - reach,
        "ci_upper": inference.estimate + reach,
    }


# ------------------------------------------------------------------------------------- tests


class InteractionTest(NamedTuple):
    """Test of whether a model needs some of its terms.

    Attributes
    ----------
    kind : {"F", "likelihood ratio", "Wald"}
        Comparison of residual sums of squares with and without the terms, of log-likelihoods, or of
        the estimates with their robust covariance.
    statistic : float
        Distributed as F, or as chi-squared.
    df : int
        Number of terms.
    df_resid : float
        Of the F distribution; infinite for chi-squared.
    p_value : float
        Probability of so large a statistic if the terms' coefficients were zero.
    terms : list of str
        What the model is compared without.
    conclusion : str
        A sentence; what the test prints.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from mkfusion import InteractionRegressor
    >>> exercise, body = load_linnerud(return_X_y=True)
    >>> model = InteractionRegressor().fit(exercise[:, :2], body[:, 0])
    >>> test = model.test_interaction("x0", "x1")
    >>> test.kind, test.df, test.df_resid
    ('F', 1, 16.0)
    >>> bool(test.p_value > 0.05)
    True
    """

    kind: str
    statistic: float
    df: int
    df_resid: float
    p_value: float
    terms: list[str]
    conclusion: str

    def __str__(self) -> str:
        return self.conclusion


def wald_test(inference: Inference, which: NDArray[np.bool_]) -> InteractionTest:
    """Test whether some terms (n_terms,) have zero coefficients, by their covariance.

    With the covariance of a linear model this is the F test of the nested model.
    """
    chosen = np.flatnonzero(which) + 1
    estimate = inference.estimate[chosen]
    covariance = inference.covariance[np.ix_(chosen, chosen)]
    # In units of standard errors: those of terms may differ by many powers of ten.
    error = np.sqrt(np.diagonal(covariance))
    if not (error > 0).all():  # a perfect fit
        statistic = np.inf if estimate.any() else 0.0
    else:
        scaled = covariance / np.outer(error, error)
        z = estimate / error
        statistic = float(z @ np.linalg.solve(scaled, z))
    robust = inference.cov_type != "nonrobust"
    return _test("Wald" if robust else "F", inference, which, statistic)


def exact_test(test: InteractionTest, smaller: Inference) -> InteractionTest:
    """Return a test of a perfect fit: yes if the model without the terms is none, or no."""
    return test._replace(statistic=np.nan, p_value=1.0 if smaller.exact else 0.0)


def likelihood_ratio_test(
    inference: Inference, which: NDArray[np.bool_], restricted: float
) -> InteractionTest:
    """Compare a log-likelihood with that of a model without some terms (n_terms,)."""
    statistic = max(2 * (inference.log_likelihood - restricted), 0.0)
    return _test("likelihood ratio", inference, which, statistic)


def _test(
    kind: str, inference: Inference, which: NDArray[np.bool_], chi2: float
) -> InteractionTest:
    df = int(np.count_nonzero(which))
    terms = [name for name, is_chosen in zip(inference.terms[1:], which, strict=True) if is_chosen]
    if inference.distribution == "t":
        statistic, df_resid = chi2 / df, float(inference.df_resid)
        p_value = float(stats.f.sf(statistic, df, df_resid))
    else:
        statistic, df_resid = chi2, np.inf
        p_value = float(stats.chi2.sf(statistic, df))
    return InteractionTest(kind, statistic, df, df_resid, p_value, terms, "")


def p_in_words(p: float, *, bare: bool = False) -> str:
    """Return a p-value as it is printed, without "p = " if `bare`."""
    if p < 1e-4:
        return "< 0.0001" if bare else "p < 0.0001"
    return f"{p:.2g}" if bare else f"p = {p:.2g}"


def conclude(
    test: InteractionTest, claim: str, confidence: float, *, exact: bool = False
) -> InteractionTest:
    """Say what a test says about a claim, which begins in lower case.

    Parameters
    ----------
    test : InteractionTest
    claim : str
    confidence : float
    exact : bool, default=False
        Whether there are no errors to compare with.
    """
    law = f"χ²({test.df})" if np.isinf(test.df_resid) else f"F({test.df}, {test.df_resid:g})"
    size = f"{test.statistic:.3g}" if test.statistic < 1000 else f"{test.statistic:.0f}"
    numbers = f"({law} = {size}, {p_in_words(test.p_value)})"
    if exact:
        numbers = "(the model fits every sample exactly)"
    if test.p_value < 1 - confidence:
        return test._replace(conclusion=f"{claim[0].upper()}{claim[1:]} {numbers}.")
    return test._replace(conclusion=f"No evidence that {claim} {numbers}.")
