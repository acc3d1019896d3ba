"""Warnings of many fits to parts of the same samples: each is shown once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

# What a warning is about stands in the first quotes; what follows is of one fit. Figures differ.
_NAMED = re.compile(r"^[^']*'[^']*'")
_QUOTED = re.compile(r"('[^']*')")
_FIGURE = re.compile(r"(?<!\w)[-+]?\d[\d.,]*(e[-+]?\d+)?\b", re.IGNORECASE)

_Outcome = TypeVar("_Outcome")
Heard = tuple[_Outcome, list[warnings.WarningMessage]]


class Once:
    """Show a warning the first time that it comes, whatever its figures.

    Warnings are the same if they are of one class and, up to the first name in quotes, of one text.

    Examples
    --------
    >>> import warnings
    >>> def fit(share):
    ...     warnings.warn(f"Kernel 'a' is like the identity: {share}%")
    ...     return share
    >>> with warnings.catch_warnings(record=True) as shown:
    ...     warnings.simplefilter("always")
    ...     outcomes = list(Once().outcomes(heard(fit, share) for share in (91, 93)))
    >>> outcomes, [str(one.message) for one in shown]
    ([91, 93], ["Kernel 'a' is like the identity: 91%"])
    """

    def __init__(self) -> None:
        self._shown: set[tuple[type[Warning], str]] = set()

    def outcomes(self, found: Iterable[Heard[_Outcome]]) -> Iterator[_Outcome]:
        """Give outcomes, and show the warnings that came with them.

        Parameters
        ----------
        found : iterable of (outcome, warnings) pairs
            Of `heard`.

        Yields
        ------
        object
        """
        for outcome, caught in found:
            self._show(caught)
            yield outcome

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Show what the block warns of when it ends.

        Yields
        ------
        None
        """
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                yield
        finally:
            self._show(caught)

    def _show(self, caught: Iterable[warnings.WarningMessage]) -> None:
        for one in caught:
            key = one.category, what_about(str(one.message))
            if key not in self._shown:
                self._shown.add(key)
                _show_again(one)


def heard(function: Callable[..., _Outcome], *arguments: object) -> Heard[_Outcome]:
    """Call a function, in a process of its own or not; return its outcome and its warnings.

    Parameters
    ----------
    function : callable
    *arguments : object

    Returns
    -------
    outcome : object
    caught : list of warnings.WarningMessage
        Each once.
    """
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            outcome = function(*arguments)
    except BaseException:  # what went before may say why
        for one in caught:
            _show_again(one)
        raise
    return outcome, list({(one.category, str(one.message)): one for one in caught}.values())


def what_about(message: str) -> str:
    """Return a warning without its figures, and without what follows the first quoted name."""
    named = _NAMED.match(message)
    pieces = _QUOTED.split(named[0] if named else message)
    return "".join(one if one.startswith("'") else _FIGURE.sub("#", one) for one in pieces)


def _show_again(one: warnings.WarningMessage) -> None:
    warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
