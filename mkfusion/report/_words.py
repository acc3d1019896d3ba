"""Numbers as they are written in sentences and tables."""

from __future__ import annotations

import numpy as np

from mkfusion.report._result import PairedTest

# What results may depend on.
VERSIONS = ("mkfusion", "scikit-learn", "numpy", "scipy", "numba")


def format_number(value: float, *, sign: bool = False) -> str:
    """Return a score, or a difference of scores, in few digits."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
    # A zero has no sign, and a minus is no hyphen.
    text = text.lstrip("-") if float(text) == 0 else text
    return ("+" if sign and float(text) > 0 else "") + text.replace("-", "−")


def format_p_value(p: float) -> str:
    """Return a p value, such as ``0.034`` or ``< 0.001``."""
    if np.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_interval(low: float, high: float, *, sign: bool = False) -> str:
    """Return the ends of an interval."""
    return f"{format_number(low, sign=sign)} to {format_number(high, sign=sign)}"


def format_p_relation(p: float) -> str:
    """Return a p value with its relation, such as ``= 0.034`` or ``< 0.001``."""
    text = format_p_value(p)
    return text if text.startswith("<") else f"= {text}"


def format_effect(test: PairedTest, alpha: float) -> str:
    """Return the size of a difference, with its intervals."""
    return (
        f"{format_number(test.difference, sign=True)} ({1 - 2 * alpha:.0%} interval "
        f"{format_interval(test.low, test.high, sign=True)}, {1 - alpha:.0%} interval "
        f"{format_interval(test.low_wide, test.high_wide, sign=True)})"
    )


def format_count(value: float) -> str:
    """Return a number of samples, such as ``130``, in two digits where it is large."""
    if not np.isfinite(value):
        return "–"
    digits = max(0, len(str(int(value))) - 2)
    return f"{int(np.ceil(value / 10**digits) * 10**digits):,}"


def format_seconds(value: float) -> str:
    """Return how long something takes, in words."""
    if value < 100:
        return f"{max(1, round(value))} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"
