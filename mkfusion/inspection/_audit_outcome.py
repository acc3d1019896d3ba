"""What an audit found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mkfusion._types import Indices
from mkfusion.inspection._display import as_frame

LEVELS = ("serious", "warning", "note")
MOST_SHOWN = 3


class Finding(NamedTuple):
    """Something in the data that users should know of.

    Attributes
    ----------
    level : {"serious", "warning", "note"}
        Scores are not to be believed; look at it before you believe them; for the record.
    check : str
        What was looked for, in one word or two.
    what : str
        What was found: a sentence.
    advice : str
        What to do about it: a sentence.
    modality : str
        Where; empty is everywhere.
    n : int
        How many samples, columns or the like it is about.
    examples : tuple of str
        A few of them.

    Examples
    --------
    >>> from mkfusion.inspection import Finding
    >>> Finding("note", "constant", "1 column is constant.", "Leave it out.", "rna", 1, ("g7",))
    Finding(level='note', check='constant', what='1 column is constant.', advice='Leave it out.', \
modality='rna', n=1, examples=('g7',))
    """

    level: str
    check: str
    what: str
    advice: str
    modality: str = ""
    n: int = 0
    examples: tuple[str, ...] = ()


class DataAudit:
    """Outcome of :func:`audit`.

    Parameters
    ----------
    findings : iterable of Finding
    names : list of n_modalities str
    n_samples : int
    clusters : ndarray of shape (n_samples,)
        The number of each sample's set of copies; of samples of one group, too. As `groups` of
        what splits samples, it keeps copies on one side.
    unchecked : dict of str to str, default=None
        What was not looked at, and why.

    Attributes
    ----------
    findings : list of Finding
        The most serious first.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import audit
    >>> rng = np.random.default_rng(0)
    >>> A, B, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 5)), np.arange(60) % 2
    >>> A[20:30], B[20:30] = A[:10], B[:10]
    >>> found = audit({"a": A, "b": B}, y)
    >>> [(one.level, one.check, one.n) for one in found.findings]
    [('serious', 'copies', 20)]
    """

    def __init__(
        self,
        findings: Iterable[Finding],
        names: Sequence[str],
        n_samples: int,
        clusters: Indices,
        unchecked: dict[str, str] | None = None,
    ) -> None:
        self.findings = sorted(findings, key=lambda one: LEVELS.index(one.level))
        self.names = list(names)
        self.n_samples = n_samples
        self.clusters = clusters
        self.unchecked = dict(unchecked or {})

    def with_findings(self, findings: Iterable[Finding]) -> DataAudit:
        """Return the same with more findings, of what was known before the data were joined.

        Parameters
        ----------
        findings : iterable of Finding

        Returns
        -------
        DataAudit
        """
        every = [*self.findings, *findings]
        return DataAudit(every, self.names, self.n_samples, self.clusters, self.unchecked)

    def count(self, level: str) -> int:
        """Return how many findings are of a level.

        Parameters
        ----------
        level : {"serious", "warning", "note"}

        Returns
        -------
        int
        """
        return sum(one.level == level for one in self.findings)

    def summary(self) -> str:
        """Return in one sentence what was found.

        Returns
        -------
        str
        """
        of = f"{self.n_samples} samples of {', '.join(self.names)}"
        counts = [(self.count(level), level) for level in LEVELS]
        plural = {"serious": "serious", "warning": "warnings", "note": "notes"}
        found = [f"{n} {level if n == 1 else plural[level]}" for n, level in counts if n]
        return f"Audit of {of}: {', '.join(found) or 'nothing found'}."

    def to_frame(self) -> Any:
        """Return a row for each finding.

        Returns
        -------
        pandas.DataFrame of shape (n_findings, 7)

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns: dict[str, list[Any]] = {
            name: [getattr(one, name) for one in self.findings] for name in Finding._fields
        }
        columns["examples"] = [", ".join(one) for one in columns["examples"]]
        return as_frame(columns, range(len(self.findings)), "finding")

    def __repr__(self) -> str:
        lines = [self.summary()]
        lines += [f"{one.level}: {one.what} {one.advice}" for one in self.findings]
        lines += [f"not looked at: {what}: {why}" for what, why in self.unchecked.items()]
        return "\n".join(lines)


def listed(items: Sequence[str]) -> str:
    first = ", ".join(items[:MOST_SHOWN])
    return first if len(items) <= MOST_SHOWN else f"{first}, ..."


def some_of(items: Sequence[str]) -> tuple[str, ...]:
    return tuple(items[:MOST_SHOWN])


def counted(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
