"""What survival data say without a model, and how good predictions of them are."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from mkfusion._types import Floats, Mask

# The metrics of survival, by the names that scikit-survival's functions have.
HARRELL = "concordance_index_censored"
UNO = "concordance_index_ipcw"
BRIER = "neg_integrated_brier_score"
SURVIVAL_METRICS = (HARRELL, UNO, BRIER)
# Risks that differ by no more are tied.
_TIED = 1e-8


def kaplan_meier(time: Floats, event: Mask) -> tuple[Floats, Floats]:
    """Estimate the survival function of some samples.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean

    Returns
    -------
    times, survival : ndarray of shape (n_times,)
        All different times, and the share that survives each.
    """
    times, deaths, at_risk = _life_table(time, event)
    return times, np.asarray(np.cumprod(1.0 - deaths / at_risk))


def _life_table(time: Floats, event: Mask) -> tuple[Floats, Floats, Floats]:
    """Return all different times, how many have an event at each, and how many are at risk."""
    times, place, counts = np.unique(time, return_inverse=True, return_counts=True)
    deaths = np.bincount(place, event, times.size).astype(np.float64)
    return times, deaths, counts[::-1].cumsum()[::-1].astype(np.float64)


def kaplan_meier_interval(
    time: Floats, event: Mask, confidence_level: float
) -> tuple[Floats, Floats]:
    """Return the intervals of `kaplan_meier`, by Greenwood's variance of log(-log(survival)).

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean
    confidence_level : float

    Returns
    -------
    low, high : ndarray of shape (n_times,)
        NaN where all survive, or none.
    """
    _, deaths, at_risk = _life_table(time, event)
    _, survival = kaplan_meier(time, event)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        width = norm.isf(0.5 - 0.5 * confidence_level) * np.sqrt(variance) / -np.log(survival)
        low, high = survival ** np.exp(width), survival ** np.exp(-width)
    known = (survival > 0.0) & (survival < 1.0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def breslow(time: Floats, event: Mask, weights: Floats, f: Floats) -> tuple[Floats, Floats]:
    """Estimate the cumulative hazard of samples at f = 0.

    Parameters
    ----------
    time, weights, f : ndarray of shape (n,)
        The last are logarithms of relative hazards; weights are positive.
    event : ndarray of shape (n,), boolean

    Returns
    -------
    times, hazard : ndarray of shape (n_times,)
        Different times of events, and the hazard up to each.
    """
    times, place = np.unique(time[event], return_inverse=True)
    deaths = np.bincount(place, weights[event], times.size)
    order = np.argsort(-time, kind="stable")
    sums = np.logaddexp.accumulate((f + np.log(weights))[order])
    n_at_risk = len(time) - np.searchsorted(time[order[::-1]], times)
    return times, np.exp(np.logaddexp.accumulate(np.log(deaths) - sums[n_at_risk - 1]))


def martingale_residuals(time: Floats, event: Mask) -> Floats:
    """Return by how many events each sample had more than expected, without any model of it.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean

    Returns
    -------
    ndarray of shape (n,)
        Observed less the cumulative hazard (of Nelson and Aalen) of the time; they sum to 0.
    """
    times, hazard = breslow(time, event, np.ones(len(time)), np.zeros(len(time)))
    return event - step_values(times, hazard, time, 0.0)


def step_values(times: Floats, values: Floats, at: Floats, before: float) -> Floats:
    """Return the values of a step function, which is `before` until its first step.

    Parameters
    ----------
    times, values : ndarray of shape (n_times,)
        Times of the steps, ascending, and the value from each on.
    at : ndarray of any shape
    before : float

    Returns
    -------
    ndarray of the shape of `at`
    """
    place = np.searchsorted(times, at, side="right")
    found: Floats = np.concatenate([[before], values])[place]
    return found


def cumulative_hazards(f: Floats, times: Floats, hazard: Floats, at: Floats) -> Floats:
    """Return the cumulative hazards of samples by proportional hazards.

    Parameters
    ----------
    f : ndarray of shape (n,)
        Logarithms of relative hazards.
    times, hazard : ndarray of shape (n_times,)
        As `breslow` returns them.
    at : ndarray of shape (n_at,)

    Returns
    -------
    ndarray of shape (n, n_at)
        0 before the first event, however large f is; infinite where it overflows.
    """
    with np.errstate(divide="ignore", over="ignore"):
        logs = np.log(step_values(times, hazard, at, 0.0))
        return np.asarray(np.exp(f[:, np.newaxis] + logs))


class Censoring:
    """The censoring of training samples, by which test samples are weighted.

    Parameters
    ----------
    time : ndarray of shape (n_train,)
    event : ndarray of shape (n_train,), boolean

    Notes
    -----
    Where an event and a censoring are tied, the event is taken to come first: the Kaplan-Meier
    estimate of the censoring loses the samples with an event from those at risk.
    """

    def __init__(self, time: Floats, event: Mask) -> None:
        times, censored, at_risk = _life_table(time, ~event)
        at_risk -= _life_table(time, event)[1]
        shares = np.divide(censored, at_risk, out=np.zeros(times.size), where=at_risk > 0)
        survival = np.cumprod(1.0 - shares)
        # Where the last sample is censored nothing is known of those beyond: it stays as it was.
        last = survival[survival > 0.0].min(initial=1.0)
        self._times, self._survival = times, np.maximum(survival, last)

    def survival(self, at: Floats) -> Floats:
        """Return the share that is not censored up to some times."""
        return step_values(self._times, self._survival, at, 1.0)


def concordance(time: Floats, event: Mask, risk: Floats, weights: Floats | None = None) -> float:
    """Return in what share of the comparable pairs the one with the earlier event has more risk.

    Parameters
    ----------
    time, risk : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean
    weights : ndarray of shape (n,), default=None
        Of the pairs in which a sample has the earlier event; None are equal ones: Harrell's C.

    Returns
    -------
    float
        Ties of risk count a half; NaN if no pair can be compared.
    """
    right, total = (one.sum() for one in pair_sums(time, event, risk, weights))
    return float(right / total) if total > 0.0 else np.nan


def pair_sums(
    time: Floats, event: Mask, risk: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the weights of the pairs that each sample is in: those in order, and all.

    Parameters
    ----------
    time, event, risk, weights
        As for `concordance`.

    Returns
    -------
    right, total : ndarray of shape (n,)
        A pair counts for both of its samples.
    """
    right, total = np.zeros(len(time)), np.zeros(len(time))
    for i in np.flatnonzero(event):
        weight = 1.0 if weights is None else float(weights[i])
        later = np.flatnonzero((time > time[i]) | ((time == time[i]) & ~event))
        others = risk[later]
        tied = np.abs(others - risk[i]) <= _TIED
        in_order = weight * np.where(tied, 0.5, others < risk[i])
        right[later] += in_order
        right[i] += in_order.sum()
        total[later] += weight
        total[i] += weight * later.size
    return right, total


def uno_concordance(
    time: Floats, event: Mask, risk: Floats, censoring: Censoring, horizon: float
) -> float:
    """Return Uno's C: `concordance` with `uno_weights`."""
    # As far as events at one time go, those after the horizon are not censored at it.
    return concordance(time, event, risk, uno_weights(time, event, censoring, horizon))


def uno_weights(time: Floats, event: Mask, censoring: Censoring, horizon: float) -> Floats:
    """Return the weights of pairs in Uno's C, by who has the earlier event.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean
    censoring : Censoring
        A pair weighs the more, the rarer it is that neither is censored before the event.
    horizon : float
        Only events before it count.

    Returns
    -------
    ndarray of shape (n,)
    """
    counted = event & (time < horizon)
    weights = np.zeros(len(time))
    weights[counted] = censoring.survival(time[counted]) ** -2.0
    return weights


def brier_scores(
    time: Floats, event: Mask, survival: Floats, times: Floats, censoring: Censoring
) -> Floats:
    """Return each sample's share of the Brier score, weighted for censoring.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean
    survival : ndarray of shape (n, n_times)
        Predicted probabilities to survive `times`.
    times : ndarray of shape (n_times,)
    censoring : Censoring

    Returns
    -------
    ndarray of shape (n, n_times)
        Their mean over the samples is the score at each time.
    """
    died = event[:, np.newaxis] & (time[:, np.newaxis] <= times)
    alive = time[:, np.newaxis] > times
    own = np.ones(len(time))
    counted = event & (time <= times.max(initial=-np.inf))
    own[counted] = censoring.survival(time[counted])
    at = censoring.survival(times)
    return died * survival**2 / own[:, np.newaxis] + alive * (1.0 - survival) ** 2 / at


def integrated_brier(scores: Floats, times: Floats) -> Floats:
    """Return the mean of scores (..., n_times) over the time, by trapezoids."""
    if times.size < 2:
        return np.asarray(scores.mean(axis=-1))
    steps = np.diff(times)
    middles = 0.5 * (scores[..., 1:] + scores[..., :-1])
    return np.asarray(middles @ steps / (times[-1] - times[0]))
