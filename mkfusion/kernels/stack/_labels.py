"""Readable names of what is made of kernels."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mkfusion.kernels.kernelizer._adapters import kernel_label

__all__ = ["base_label", "columns_label", "factor_label"]

_MAX_COLUMNS_SHOWN = 3


def factor_label(label: str) -> str:
    """Put a label into parentheses where it needs them in a product."""
    return f"({label})" if " + " in _outside_brackets(label) else label


def base_label(label: str) -> str:
    """Put a label into parentheses where it needs them in a power, or after columns."""
    return f"({label})" if re.search(r" [+*] |\*\*", _outside_brackets(label)) else label


def _outside_brackets(label: str) -> str:
    """Return what is left of a label without all that stands in brackets."""
    found = 1
    while found:
        label, found = re.subn(r"\([^()]*\)|\[[^][]*\]", "", label)
    return label


def columns_label(columns: Any) -> str:
    if isinstance(columns, str):
        return columns
    if callable(columns):
        return kernel_label(columns)
    if isinstance(columns, slice):
        ends = ["" if end is None else str(end) for end in (columns.start, columns.stop)]
        return f"[{':'.join(ends)}]"
    if isinstance(columns, list | tuple | np.ndarray) and np.ndim(columns) == 1:
        shown = [str(column) for column in columns[:_MAX_COLUMNS_SHOWN]]
        if len(columns) > _MAX_COLUMNS_SHOWN:
            shown.append(f"... {len(columns)} in all")
        return f"[{', '.join(shown)}]"
    return str(columns)
