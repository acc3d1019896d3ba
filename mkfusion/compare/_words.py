"""Numbers in words, and tables of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mkfusion.compare._statistics import PairedTest


class Table(NamedTuple):
    """A table of texts.

    Attributes
    ----------
    title : str
    caption : str
    header : list of str
    rows : list of list of str
        The first of each says what the row is of.
    long : bool
        Whether it is for those who look closely.
    """

    title: str
    caption: str
    header: list[str]
    rows: list[list[str]]
    long: bool = False


def number(value: float, *, sign: bool = False) -> str:
    """Return a score, or a difference of scores, in few digits."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
    # A zero has no sign, and a minus is no hyphen.
    text = text.lstrip("-") if float(text) == 0 else text
    return ("+" if sign and float(text) > 0 else "") + text.replace("-", "−")


def p_text(p: float) -> str:
    """Return a p value, such as ``0.034`` or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float, high: float, *, sign: bool = False) -> str:
    """Return the ends of an interval."""
    return f"{number(low, sign=sign)} to {number(high, sign=sign)}"


def equals(p: float) -> str:
    """Return a p value with its relation, such as ``= 0.034`` or ``< 0.001``."""
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def effect(test: PairedTest, alpha: float) -> str:
    """Return the size of a difference, with its interval."""
    size = "" if np.isnan(test.standardised) else f", standardised {number(test.standardised)}"
    return (
        f"{number(test.difference, sign=True)} ({1 - alpha:.0%} interval "
        f"{interval(test.low, test.high, sign=True)}{size})"
    )
