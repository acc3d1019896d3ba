"""The picture of what kernels have in common."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mkfusion.inspection._draw import axes_of
from mkfusion.inspection._kernel_alignment import KernelAlignment, kernel_alignment

__all__ = ["KernelAlignmentDisplay"]

# So many kernels have room for numbers.
_MAX_NUMBERS = 12


class KernelAlignmentDisplay:
    """Alignment of kernels with each other, and with the target.

    Parameters
    ----------
    alignment : KernelAlignment
        Outcome of :func:`kernel_alignment`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    kernel_alignment : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import KernelAlignmentDisplay
    >>> a, b = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> grams = [np.outer(a, a), np.outer(b, b)]
    >>> display = KernelAlignmentDisplay.from_stack(grams, y=[0, 0, 1, 1], names=["a", "b"])
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['a', 'b', 'target']
    """

    def __init__(self, alignment: KernelAlignment) -> None:
        self.alignment = alignment

    @classmethod
    def from_stack(cls, stack: Any, y: Any = None, *, ax: Any = None, **options: Any) -> Self:
        """Measure the alignment of kernels, and draw it.

        Parameters
        ----------
        stack : KernelStack, list of ndarray of shape (n, n), or ndarray of shape (n, n, n_kernels)
            Gram matrices.
        y : array-like of shape (n,), default=None
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`kernel_alignment`.

        Returns
        -------
        KernelAlignmentDisplay
        """
        return cls(kernel_alignment(stack, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the matrix, with the target as its last column.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        KernelAlignmentDisplay
        """
        found = self.alignment
        columns, values = list(found.names), found.alignment
        if found.target is not None:
            columns, values = [*columns, "target"], np.column_stack([values, found.target])
        ax = axes_of(ax, "KernelAlignmentDisplay", 1.5 + 0.5 * min(len(found.names), _MAX_NUMBERS))
        image = ax.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis")
        ax.set_xticks(np.arange(len(columns)), columns, rotation=30, ha="right")
        ax.set_yticks(np.arange(len(found.names)), found.names)
        if len(found.names) <= _MAX_NUMBERS:
            for (i, j), value in np.ndenumerate(values):
                color = "black" if value > 0.6 else "white"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=color)
        if found.target is not None:
            ax.axvline(len(found.names) - 0.5, color="white", lw=3)
        ax.figure.colorbar(image, ax=ax, label="centred alignment")
        self.ax_, self.figure_ = ax, ax.figure
        return self
