"""Progress on standard error: a bar in a terminal, a line per step elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as RichProgress,
    TextColumn,
    TimeElapsedColumn,
)


class Progress:
    """Show how far a long computation is.

    Parameters
    ----------
    console : rich.console.Console or None, default=None
        Where to show it; None is standard error.

    Examples
    --------
    >>> import io
    >>> from rich.console import Console
    >>> shown = io.StringIO()
    >>> progress = Progress(Console(file=shown))
    >>> with progress.running(2):
    ...     progress.begin("first half")
    ...     progress.advance()
    >>> print(shown.getvalue().strip())
    [0/2] first half
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._done = 0
        self._total = 0

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show progress towards `total` steps while the block runs.

        Parameters
        ----------
        total : int
            Number of steps.

        Yields
        ------
        None
        """
        self._done, self._total = 0, total
        with self._bar:
            self._task = self._bar.add_task("", total=total)
            yield

    def begin(self, label: str) -> None:
        """Name what is being done now.

        Parameters
        ----------
        label : str
            What is being done.
        """
        if self._console.is_terminal:
            self._bar.update(self._task, description=label)
        else:
            self._console.print(
                f"[{self._done}/{self._total}] {label}", markup=False, highlight=False
            )

    def advance(self) -> None:
        """One more step is done."""
        self._done += 1
        self._bar.advance(self._task)
