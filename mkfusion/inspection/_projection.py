"""Samples in the plane of a weighted sum of kernels, and each kernel's part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import check_rows
from mkfusion.inspection._arguments import check_count
from mkfusion.inspection._display import as_frame, check_outcome
from mkfusion.stack import KernelStack

# An axis of less of the largest one's variance is none.
_NOTHING = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class KernelProjection:
    """Outcome of :func:`kernel_projection`.

    Parameters
    ----------
    names : list of n_kernels str
    weights : ndarray of shape (n_kernels,)
        By which the kernels were summed, scaled to sum to one.
    scores : ndarray of shape (n, n_components)
        Places of the samples: kernel principal components of the sum.
    parts : ndarray of shape (n_kernels, n, n_components)
        Where each kernel alone would put the samples; the scores are their weighted mean.
    shares : ndarray of shape (n_kernels, n_components)
        Each kernel's part of the variance of each axis; they sum to one.
    explained : ndarray of shape (n_components,)
        Each axis' part of the variance of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import kernel_projection
    >>> X = np.random.default_rng(0).normal(size=(30, 2)) * [3.0, 1.0]
    >>> outcome = kernel_projection([np.outer(x, x) for x in X.T])
    >>> outcome.shares.round(1)
    array([[1., 0.],
           [0., 1.]])
    """

    names: list[str]
    weights: Floats
    scores: Floats
    parts: Floats
    shares: Floats
    explained: Floats

    def __repr__(self) -> str:
        lines = [
            f"axis {q + 1} ({share:.0%} of the variance): "
            + ", ".join(f"{name} {part:.0%}" for name, part in zip(self.names, own, strict=True))
            for q, (share, own) in enumerate(zip(self.explained, self.shares.T, strict=True))
        ]
        return f"<KernelProjection: {'; '.join(lines)}>"

    def to_frame(self) -> Any:
        """Return each kernel's weight, and its part of each axis, as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_kernels, 1 + n_components)

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        axes = {f"axis {q + 1}": share for q, share in enumerate(self.shares.T)}
        return as_frame({"weight": self.weights, **axes}, self.names, "kernel")


def kernel_projection(
    stack: KernelStack | Sequence[ArrayLike] | NDArray[Any],
    *,
    weights: ArrayLike | None = None,
    n_components: int = 2,
    names: Sequence[str] | None = None,
) -> KernelProjection:
    """Project samples on the principal components of a weighted sum of kernels.

    Parameters
    ----------
    stack : KernelStack, list of ndarray of shape (n, n), or ndarray of shape (n, n, n_kernels)
        Gram matrices of the samples; they are centred here.
    weights : array-like of shape (n_kernels,), default=None
        Not negative, such as the `weights_` of :class:`~mkfusion.KernelCombiner`. None is all
        alike.
    n_components : int, default=2
    names : list of n_kernels str, default=None
        Names of the kernels; those of the stack by default.

    Returns
    -------
    KernelProjection

    Raises
    ------
    ValueError, TypeError
        If the kernels are not symmetric between the same samples, weights are negative or all zero,
        or the sum has fewer components.

    See Also
    --------
    KernelProjectionDisplay : Draws the outcome.
    mkfusion.KernelCombiner : Learns weights, with or without a target.

    Notes
    -----
    With the centred sum ``K = sum_k d_k K_k = U L U'``, scores are ``K U L^-1/2 = U L^1/2``, and
    the part of kernel k is ``K_k U L^-1/2``: what its own similarities say of the samples' places
    on the same axes (the partial factor scores of STATIS). Their weighted mean is the scores. Its
    share of axis q is ``d_k u_q' K_k u_q / L_q``. A share tells of these samples, not of a target.

    References
    ----------
    Schölkopf, Smola and Müller, "Nonlinear component analysis as a kernel eigenvalue problem",
    Neural Computation 10 (1998).

    Abdi, Williams, Valentin and Bennani-Dosse, "STATIS and DISTATIS: optimum multitable principal
    component analysis and three way metric multidimensional scaling", WIREs Computational
    Statistics 4 (2012): partial factor scores.

    Examples
    --------
    >>> from mkfusion import ColumnKernelizer, KernelCombiner
    >>> from mkfusion.datasets import load_sonar
    >>> from mkfusion.inspection import kernel_projection
    >>> X, _ = load_sonar(return_X_y=True)
    >>> stack = ColumnKernelizer([("bands", ["linear", "rbf"], "bands")]).fit_transform(X)
    >>> agreed = KernelCombiner("statis").fit(stack)
    >>> kernel_projection(stack, weights=agreed.weights_).scores.shape
    (208, 2)
    """
    check_count("n_components", n_components, 1)
    if not isinstance(stack, KernelStack):
        stack = KernelStack(stack, names=names)
    elif names is not None:
        raise ValueError("names is for arrays; expected None with a KernelStack, which has names.")
    stack.check_gram("stack")
    n, _, m = stack.shape
    try:
        d = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        d = np.full(m, np.nan)
    if d.shape != (m,) or not np.isfinite(d).all() or (d < 0).any() or not d.any():
        raise ValueError(
            f"weights is {shown(weights)}; expected {m} finite numbers, none of them negative and "
            "not all zero."
        )
    d = d / d.sum()
    values, vectors = eigh(_centred(stack.combine(d)), driver="evd")
    there = int(np.sum(values > _NOTHING * max(values[-1], np.finfo(float).tiny)))
    if n_components > there:
        raise ValueError(
            f"n_components is {n_components}; expected at most {there}, which the sum of these "
            "kernels has."
        )
    values, vectors = values[::-1][:n_components], vectors[:, ::-1][:, :n_components]
    # The sign of an eigenvector is anyone's: the largest entry is positive.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_components)])
    parts = np.stack([_centred(stack.gram(k)) @ vectors for k in range(m)]) / np.sqrt(values)
    shares = d[:, np.newaxis] * np.einsum("knq,nq->kq", parts, vectors) / np.sqrt(values)
    return KernelProjection(
        names=list(stack.names),
        weights=d,
        scores=vectors * np.sqrt(values),
        parts=parts,
        shares=shares,
        explained=values / np.trace(_centred(stack.combine(d))),
    )


def _centred(gram: NDArray[Any]) -> Floats:
    means = gram.mean(axis=0, dtype=np.float64)
    return np.asarray(gram - means - (means - means.mean())[:, np.newaxis], dtype=np.float64)


class KernelProjectionDisplay:
    """Samples in the plane of a weighted sum of kernels, and each kernel's part in its axes.

    Parameters
    ----------
    projection : KernelProjection
        Outcome of :func:`kernel_projection`.

    Attributes
    ----------
    axes_ : ndarray of shape (2,) of matplotlib Axes
        Samples, and parts.
    figure_ : matplotlib Figure
        What they are part of.

    See Also
    --------
    kernel_projection : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import KernelProjectionDisplay
    >>> X = np.random.default_rng(0).normal(size=(30, 2))
    >>> display = KernelProjectionDisplay.from_kernels([np.outer(x, x) for x in X.T])
    >>> display.axes_[1].get_xlabel()
    'part of the variance'
    """

    def __init__(self, projection: KernelProjection) -> None:
        check_outcome("projection", projection, KernelProjection, "kernel_projection")
        self.projection = projection

    @classmethod
    def from_kernels(cls, stack: Any, *, labels: ArrayLike | None = None, **options: Any) -> Self:
        """Project samples, and draw them.

        Parameters
        ----------
        stack : KernelStack, list of ndarray of shape (n, n), or ndarray of shape (n, n, n_kernels)
        labels : array-like of shape (n,), default=None
            Classes or clusters, for colours.
        **options : dict
            Further arguments of :func:`kernel_projection`.

        Returns
        -------
        KernelProjectionDisplay

        Raises
        ------
        ValueError, TypeError
            As :func:`kernel_projection`, or if there is not one label for each sample.
        """
        return cls(kernel_projection(stack, **options)).plot(labels=labels)

    def plot(self, axes: Any = None, *, labels: ArrayLike | None = None) -> Self:
        """Draw the samples on the first two axes, and the parts of all.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            For samples and for parts; None is a new figure.
        labels : array-like of shape (n,), default=None
            Classes or clusters, for colours.

        Returns
        -------
        KernelProjectionDisplay

        Raises
        ------
        ValueError
            If there is not one label for each sample.
        ImportError
            If matplotlib is not installed.
        """
        found = self.projection
        n, n_components = found.scores.shape
        if labels is not None:
            check_rows(found.scores, name="projection", labels=labels)
        groups = np.zeros(n, dtype=int) if labels is None else np.asarray(labels)
        if groups.shape != (n,):
            raise ValueError(f"labels has shape {groups.shape}; expected ({n},), one for each.")
        if axes is None:
            first = axes_of(None, "KernelProjectionDisplay", 3.6, 9.0)
            grid = first.figure.add_gridspec(1, 2)
            first.set_subplotspec(grid[0])
            axes = [first, first.figure.add_subplot(grid[1])]
        plane, bars = axes
        second = found.scores[:, 1] if n_components > 1 else np.zeros(n)
        for label in np.unique(groups):
            some = groups == label
            plane.plot(found.scores[some, 0], second[some], ".", label=str(label))
        if labels is not None:
            plane.legend(frameon=False, fontsize="small")
        plane.set(xlabel=f"axis 1 ({found.explained[0]:.0%} of the variance)", ylabel="")
        if n_components > 1:
            plane.set_ylabel(f"axis 2 ({found.explained[1]:.0%})")
        left = np.zeros(n_components)
        rows = [f"axis {q + 1}" for q in range(n_components)]
        for name, share in zip(found.names, found.shares, strict=True):
            bars.barh(rows, share, left=left, label=name)
            left = left + share
        bars.invert_yaxis()
        bars.set(xlabel="part of the variance", xlim=(0, 1))
        bars.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
        self.axes_ = np.array([plane, bars], dtype=object)
        self.figure_ = plane.figure
        return self
