"""Centred kernel alignment: what kernels have in common, with each other and with a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import type_of_target

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import read_target
from mkfusion.inspection._display import as_frame, check_outcome
from mkfusion.stack import KernelStack, centred_products


@dataclass(frozen=True, eq=False, repr=False)
class KernelAlignment:
    """Outcome of :func:`kernel_alignment`.

    Parameters
    ----------
    names : list of n_kernels str
    alignment : ndarray of shape (n_kernels, n_kernels)
        Between 0 (nothing in common) and 1 (the same but for scale).
    target : ndarray of shape (n_kernels,) or None
        Alignment with the target.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import kernel_alignment
    >>> kernel_alignment([np.eye(3), 2 * np.eye(3)], names=["one", "two"]).to_frame()
            one  two
    kernel
    one     1.0  1.0
    two     1.0  1.0
    """

    names: list[str]
    alignment: Floats
    target: Floats | None

    def __repr__(self) -> str:
        return f"<KernelAlignment of {', '.join(self.names)}>"

    def to_frame(self) -> Any:
        """Return the alignments as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_kernels, n_kernels) or (n_kernels, n_kernels + 1)
            With a last column "target" if there is one.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = dict(zip(self.names, self.alignment.T, strict=True))
        if self.target is not None:
            columns["target"] = self.target
        return as_frame(columns, self.names, "kernel")


def kernel_alignment(
    stack: KernelStack | Sequence[ArrayLike] | NDArray[Any],
    y: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    target_type: str = "auto",
) -> KernelAlignment:
    """Measure how much kernels have in common with each other, and with the target.

    Centred kernel alignment, ``<K_c, L_c> / (||K_c|| ||L_c||)`` with Frobenius products of the
    centred matrices: the correlation of two similarities. Modalities of high alignment say the
    same; a kernel of no alignment with the target may still help together with others.

    Parameters
    ----------
    stack : KernelStack, list of ndarray of shape (n, n), or ndarray of shape (n, n, n_kernels)
        Gram matrices between the same samples, one for each modality or several.
    y : array-like of shape (n,), default=None
        Class labels, whose kernel is 1 within a class and 0 between, or numbers, whose kernel is
        their product; both centred.
    names : sequence of n_kernels str, default=None
        Names of the kernels; those of the stack, or ``kernel0``, ``kernel1``, ... by default.
    target_type : {"auto", "classes", "continuous"}, default="auto"
        What y is; "auto" takes fractions for numbers, and everything else for class labels.

    Returns
    -------
    KernelAlignment

    Raises
    ------
    ValueError
        If kernels are not square, or y is as long as something else, or constant.

    See Also
    --------
    KernelAlignmentDisplay : Draws the outcome.
    mkfusion.KernelCombiner : Weights kernels by their alignment with the target.

    Notes
    -----
    Kernels that are constant after centring have alignment 0. The value for two unrelated kernels
    on few samples is above 0.

    References
    ----------
    Cortes, Mohri and Rostamizadeh, "Algorithms for learning kernels based on centered alignment",
    JMLR 13 (2012).

    Kornblith, Norouzi, Lee and Hinton, "Similarity of neural network representations revisited",
    ICML (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import kernel_alignment
    >>> a = np.array([0.0, 0.0, 1.0, 1.0])
    >>> b = np.array([0.0, 1.0, 0.0, 1.0])
    >>> outcome = kernel_alignment([np.outer(a, a), np.outer(b, b)], y=[0, 0, 1, 1])
    >>> outcome.alignment
    array([[1., 0.],
           [0., 1.]])
    >>> outcome.target
    array([1., 0.])
    """
    if not isinstance(stack, KernelStack):
        stack = KernelStack(stack, names=names)
        names = None
    n, n_columns, m = stack.shape
    if n != n_columns:
        raise ValueError(f"stack has shape {stack.shape}; expected square kernels.")
    if names is not None and len(names) != m:
        raise ValueError(f"names has {len(names)} names; expected {m}, one for each kernel.")
    targets = None if y is None else _columns(read_target(stack, y), target_type)
    fit, products = centred_products(
        stack, np.empty((n, 0)) if targets is None else targets, pairs=True
    )
    norms = np.sqrt(np.diagonal(products))
    norms = np.where(norms > 0.0, norms, np.inf)
    alignment = products / np.outer(norms, norms)
    np.fill_diagonal(alignment, np.isfinite(norms))
    with_target = None
    if targets is not None:
        with_target = fit / (norms * np.linalg.norm(targets.T @ targets))
    return KernelAlignment(list(names or stack.names), alignment, with_target)


def _columns(y: NDArray[Any], target_type: str) -> Floats:
    """Return centred columns Y, whose kernel is Y Y'."""
    if target_type not in ("auto", "classes", "continuous"):
        raise ValueError(
            f'target_type is {shown(target_type)}; expected "auto", "classes" or "continuous".'
        )
    if target_type == "continuous" or (target_type == "auto" and type_of_target(y) == "continuous"):
        columns = y.astype(np.float64)[:, np.newaxis]
    else:
        columns = (y[:, np.newaxis] == np.unique(y)).astype(np.float64)
    columns -= columns.mean(axis=0)
    if not np.abs(columns).max() > 0.0:
        raise ValueError(f"y is {shown(y[0])} for every sample; expected one that varies.")
    return columns


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
        check_outcome("alignment", alignment, KernelAlignment, "kernel_alignment")
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

        Raises
        ------
        TypeError, ValueError
            As :func:`kernel_alignment`.
        ImportError
            If matplotlib is not installed.
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

        Raises
        ------
        ImportError
            If matplotlib is not installed.
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
