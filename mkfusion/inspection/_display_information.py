"""The picture of what two modalities say of a target."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mkfusion.inspection._draw import axes_of
from mkfusion.inspection._information import PartialInformation, partial_information

__all__ = ["PartialInformationDisplay"]


class PartialInformationDisplay:
    """Redundancy, unique information and synergy, in bits.

    Parameters
    ----------
    information : PartialInformation
        Outcome of :func:`partial_information`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    partial_information : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import PartialInformationDisplay
    >>> A, B = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> display = PartialInformationDisplay.from_samples(A, B, A ^ B)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['redundancy', 'unique A', 'unique B', 'synergy']
    """

    def __init__(self, information: PartialInformation) -> None:
        self.information = information

    @classmethod
    def from_samples(cls, A: Any, B: Any, y: Any, *, ax: Any = None, **options: Any) -> Self:
        """Decompose what two modalities say of a target, and draw it.

        Parameters
        ----------
        A, B : array-like of shape (n_samples,) or (n_samples, n_features), or DataFrame
            The modalities.
        y : array-like of shape (n_samples,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`partial_information`.

        Returns
        -------
        PartialInformationDisplay
        """
        return cls(partial_information(A, B, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the parts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        PartialInformationDisplay
        """
        found = self.information
        ax = axes_of(ax, "PartialInformationDisplay", 2.8)
        places = np.arange(len(found.parts))
        ax.barh(places, list(found.parts.values()), color=["C2", "C0", "C1", "C3"])
        # To the right of 0 always: the names are to the left.
        for place, bits in zip(places, found.parts.values(), strict=True):
            ax.annotate(
                f"{bits:z.3f}",
                (max(bits, 0.0), place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
            )
        ax.set_yticks(places, list(found.parts))
        ax.invert_yaxis()
        ax.margins(x=0.2)
        ax.axvline(0.0, color="grey", lw=1)
        ax.set(xlabel="bits")
        ax.set_title(
            f"{found.information:.3f} of {found.entropy:.3f} bits are known together",
            fontsize="medium",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
