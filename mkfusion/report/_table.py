"""A table of texts, whatever it is written in."""

from __future__ import annotations

from typing import NamedTuple


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
