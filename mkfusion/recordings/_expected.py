"""A picture of how often time steps of two signals are matched, over all alignments."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import read_signal


class ExpectedAlignmentDisplay:
    """How often a kernel of stretched signals matches each pair of their time steps.

    The darker (by the square root), the larger the share of the alignments that match them: a thin
    line where there is hardly any choice, a wide band where many alignments are about as good.

    Parameters
    ----------
    x : ndarray of shape (n_channels, n_steps_x)
        The signal at the left.
    z : ndarray of shape (n_channels, n_steps_z)
        The signal at the top.
    shares : ndarray of shape (n_steps_x, n_steps_z)
        In [0, 1].

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the shares were drawn.
    figure_ : matplotlib Figure
        Its figure.
    image_ : matplotlib AxesImage
        The shares.
    lines_ : list of matplotlib Line2D
        The signals, channel by channel, x first.

    See Also
    --------
    AlignmentDisplay : The best alignment alone.

    Examples
    --------
    >>> from mkfusion import ExpectedAlignmentDisplay, GlobalAlignmentKernel
    >>> x, z = [0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 2.0, 2.0, 0.0]
    >>> kernel = GlobalAlignmentKernel(sigma=0.5).fit([[x], [z]])
    >>> ExpectedAlignmentDisplay.from_kernel(kernel, x, z).shares.shape
    (4, 6)
    """

    def __init__(self, *, x: Floats, z: Floats, shares: Floats) -> None:
        self.x = x
        self.z = z
        self.shares = shares

    @classmethod
    def from_kernel(cls, kernel: Any, x: Any, z: Any) -> Self:
        """Align two signals.

        Parameters
        ----------
        kernel : GlobalAlignmentKernel or SoftDTWKernel
            Fitted.
        x : array-like of shape (n_channels, n_steps_x) or (n_steps_x,), or DataFrame of shape \
                (n_steps_x, n_channels)
        z : array-like of shape (n_channels, n_steps_z) or (n_steps_z,), or DataFrame of shape \
                (n_steps_z, n_channels)
            Of the channels that were seen during fit.

        Returns
        -------
        display : ExpectedAlignmentDisplay
            Not drawn yet.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As ``kernel.expected_alignment``, or if the kernel has no such method.
        """
        if not hasattr(kernel, "expected_alignment"):
            raise TypeError(
                f"kernel is {shown(kernel)}; expected a fitted GlobalAlignmentKernel or "
                "SoftDTWKernel."
            )
        shares = kernel.expected_alignment(x, z)
        return cls(x=read_signal(x, "x"), z=read_signal(z, "z"), shares=shares)

    def plot(self, ax: Any = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where, with the signals inside its left and upper margins; a new figure by default.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        new = ax is None
        ax = axes_of(ax, "ExpectedAlignmentDisplay", 6.0, layout=None)
        from matplotlib.colors import PowerNorm

        if new:
            ax.set_position((0.24, 0.1, 0.64, 0.66))
        self.image_ = ax.imshow(
            self.shares,
            cmap="Greys",
            norm=PowerNorm(0.5, 0.0, 1.0),
            aspect="auto",
            interpolation="nearest",
        )
        left = ax.inset_axes((-0.2, 0.0, 0.17, 1.0), sharey=ax)
        top = ax.inset_axes((0.0, 1.03, 1.0, 0.17), sharex=ax)
        self.lines_ = []
        for channel, values in enumerate(self.x):
            self.lines_ += left.plot(values, np.arange(len(values)), color=f"C{channel}")
        for channel, values in enumerate(self.z):
            self.lines_ += top.plot(np.arange(len(values)), values, color=f"C{channel}")
        left.invert_xaxis()
        for margin in (left, top):
            margin.set_axis_off()
        ax.yaxis.tick_right()
        ax.yaxis.set_label_position("right")
        ax.set(xlabel="time step of z", ylabel="time step of x")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
