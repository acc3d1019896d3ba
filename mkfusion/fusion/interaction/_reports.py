"""What readers of papers want to see of an interaction model: slopes, steps, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.fusion.interaction._inference import (
    Inference,
    InteractionTest,
    as_table,
    coefficient_columns,
    p_in_words,
)
from mkfusion.fusion.interaction._terms import Scaling, Terms

_KINDS = ("mean - SD", "mean", "mean + SD")


class Moderator(NamedTuple):
    """What slopes depend on.

    Attributes
    ----------
    name : str
    columns : ndarray of shape (n_columns,)
        Its columns: one of numbers, or one for each level but the first.
    levels : list or None
        Of a column of categories.
    """

    name: str
    columns: Indices
    levels: list[Any] | None

    def settings(self, at: Any, mean: Floats, deviation: Floats) -> list[tuple[Any, Floats, str]]:
        """Return values, the columns (n_columns,) at each, and what to call it.

        Parameters
        ----------
        at : array-like of numbers or levels, or None
        mean, deviation : ndarray of shape (n_columns,)
            Of these columns in the training samples.
        """
        if self.levels is not None:
            chosen = self.levels if at is None else _listed(at)
            new = [level for level in chosen if level not in self.levels]
            if new:
                raise ValueError(
                    f"at has {shown(new[0])}; expected levels of {self.name}, {shown(self.levels)}."
                )
            coded = np.eye(len(self.levels))[:, 1:]
            return [(one, coded[self.levels.index(one)], str(one)) for one in chosen]
        if at is None:
            values = mean[0] + deviation[0] * np.array([-1.0, 0.0, 1.0])
            names = [f"{v:.3g} ({kind})" for v, kind in zip(values, _KINDS, strict=True)]
        else:
            chosen = _listed(at)
            try:
                values = np.asarray(chosen, dtype=np.float64)
            except (TypeError, ValueError):
                values = np.array([np.nan])
            if values.ndim != 1 or not np.isfinite(values).all():
                raise ValueError(
                    f"at is {shown(at)}; expected finite numbers, values of {self.name}."
                )
            names = [f"{value:.6g}" for value in values]
        return [(float(v), np.array([v]), name) for v, name in zip(values, names, strict=True)]


def _listed(at: Any) -> list[Any]:
    found = [at] if isinstance(at, str) or np.ndim(at) == 0 else list(at)
    if not found:
        raise ValueError("at is empty; expected at least one value.")
    return found


def slopes_table(
    inference: Inference,
    terms: Terms,
    scaling: Scaling,
    focal: Sequence[tuple[str, int]],
    moderator: Moderator,
    settings: Sequence[tuple[Any, Floats, str]],
    mean: Floats,
    confidence: float,
) -> Any:
    """Return the slopes of some columns at some values of another, by the delta method.

    A slope is linear in the coefficients: its variance is ``g' V g`` for its gradient g.

    Parameters
    ----------
    inference : Inference
    terms : Terms
    scaling : Scaling
    focal : sequence of (name, column) pairs
    moderator : Moderator
    settings : sequence of (value, columns, name)
        Of the moderator.
    mean : ndarray of shape (n_columns,)
        Where all other columns are.
    confidence : float

    Returns
    -------
    DataFrame or structured ndarray
    """
    gradients, labels, values = [], [], []
    for name, column in focal:
        for value, coded, said in settings:
            where = mean.copy()
            where[moderator.columns] = coded
            there = scaling.apply(where[None])[0]
            times = np.where(terms.second < 0, 1.0, 0.0) * (terms.first == column)
            products = terms.second >= 0
            left, right = terms.first[products], terms.second[products]
            times[products] = (left == column) * there[right] + (right == column) * there[left]
            gradients.append(np.concatenate([[0.0], times]) / scaling.scale[column])
            labels.append(f"{name} at {moderator.name} = {said}")
            values.append(value)
    g = np.array(gradients)
    found = inference._replace(
        terms=labels, estimate=g @ inference.estimate, covariance=g @ inference.covariance @ g.T
    )
    kind: Any = object if moderator.levels is not None else np.float64
    at = np.empty(len(values), dtype=kind)
    at[:] = values
    return as_table("slope", labels, {"at": at, **coefficient_columns(found, confidence)})


class Step(NamedTuple):
    """A model, and what it has more than the one before.

    Attributes
    ----------
    name : str
    inference : Inference
    test : InteractionTest or None
        Against the model before.
    """

    name: str
    inference: Inference
    test: InteractionTest | None


def steps_table(steps: Sequence[Step]) -> Any:
    """Return nested models side by side, each tested against the one before.

    Parameters
    ----------
    steps : sequence of Step
        From the smallest model to the largest.

    Returns
    -------
    DataFrame or structured ndarray
    """
    columns: dict[str, list[float]] = {}
    is_f = steps[-1].inference.distribution == "t"
    statistic = "F" if is_f else "chi2"
    before: Inference | None = None
    for step in steps:
        found, test = step.inference, step.test
        row = {
            "n_terms": float(found.df_model),
            "r2": found.r2,
            "adjusted_r2": found.adjusted_r2,
            "delta_r2": np.nan if before is None else found.r2 - before.r2,
            statistic: np.nan if test is None else test.statistic,
            "df": np.nan if test is None else float(test.df),
            **({"df_resid": np.nan if test is None else test.df_resid} if is_f else {}),
            "p_value": np.nan if test is None else test.p_value,
            "log_likelihood": found.log_likelihood,
            "aic": found.aic,
            "bic": found.bic,
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
        before = found
    arrays = {name: np.array(values) for name, values in columns.items()}
    return as_table("model", [step.name for step in steps], arrays)


def summary_text(title: str, inference: Inference, confidence: float, logistic: bool) -> str:
    """Return a table to print, with what is said of the whole model above it.

    Parameters
    ----------
    title : str
    inference : Inference
    confidence : float
    logistic : bool

    Returns
    -------
    str
    """
    columns = coefficient_columns(inference, confidence)
    n = f"{inference.n_samples:g}"
    name = "McFadden's R²" if logistic else "R²"
    facts = [f"n = {n}", f"{name} = {_plain(inference.r2)}"]
    if not logistic:
        facts.append(f"adjusted R² = {_plain(inference.adjusted_r2)}")
    if inference.exact:
        facts.append("the model fits every sample exactly: there are no errors to test against")
    elif logistic:
        facts.append(f"log-likelihood = {inference.log_likelihood:.2f}")
    else:
        facts.append(f"residual SD = {np.sqrt(inference.scale):.4g} ({inference.df_resid:g} df)")
    if inference.cov_type != "nonrobust":
        facts.append(f"standard errors {inference.cov_type}")
    interval = f"{100 * confidence:g}% interval"
    head = ["", "estimate", "std. error", inference.distribution, "p", interval]
    rows = [head]
    for k, term in enumerate(inference.terms):
        row = [term, _number(columns["estimate"][k])]
        if inference.exact:
            real = columns["p_value"][k] == 0.0
            row = [term, _number(columns["estimate"][k]) if real else "0", "exact", "", "", ""]
        else:
            low, high = (_number(columns[f"ci_{end}"][k]) for end in ("lower", "upper"))
            row += [
                _number(columns["std_error"][k]),
                f"{columns[inference.distribution][k]:.2f}",
                p_in_words(columns["p_value"][k], bare=True),
                f"[{low}, {high}]",
            ]
        rows.append(row)
    widths = [max(len(row[j]) for row in rows) for j in range(len(head))]
    lines = [title, ", ".join(facts), ""]
    for row in rows:
        first, *rest = (
            text.ljust(width) if j == 0 else text.rjust(width)
            for j, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}"


def _plain(share: float) -> str:
    return "undefined (y is constant)" if np.isnan(share) else f"{share + 0.0:.3f}"
