"""Canonical correlation analysis of anything with a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular
from sklearn.base import clone
from sklearn.utils import check_random_state

from mkfusion._compat import BaseComposition, Interval, StrOptions
from mkfusion._types import Floats
from mkfusion.cca._analysis import CanonicalAnalysis, Whitened
from mkfusion.cca._solver import Block, Solution, solve_maxvar, solve_pair, whiten
from mkfusion.data import Modalities, check_entries
from mkfusion.kernels import ColumnKernelizer, join_input_tags
from mkfusion.stack import GRAM_RTOL, KernelStack, asymmetry, pivoted_cholesky

# "auto" decomposes whole Gram matrices up to this number of samples.
_MOST_EXACT = 2000


class _Dual(NamedTuple):
    """Scores as weighted sums of kernel values.

    Attributes
    ----------
    kernelizer : ColumnKernelizer
        Fitted, of one kernel.
    support : ndarray of shape (s,)
        Training samples whose kernel values are asked for.
    means : ndarray of shape (s,)
        What is subtracted from these values.
    residual : float
        Share of the trace that the approximation leaves.
    """

    kernelizer: ColumnKernelizer
    support: NDArray[np.intp]
    means: Floats
    residual: float


class KernelCCA(CanonicalAnalysis, BaseComposition):
    """Canonical correlation analysis in the feature spaces of kernels.

    The analysis of :class:`~mkfusion.CCA` (of :class:`~mkfusion.MultisetCCA` with "maxvar" for more
    than two modalities) of what the kernels' features are, without computing these: relations may
    have any shape, and modalities may be texts, series or graphs. With centred Gram matrices K_x
    and K_y it maximises a'K_x K_y b / (n - 1) where

        a'((1 - c) K_x^2 / (n - 1) + c K_x) a = 1,    b'((1 - c) K_y^2 / (n - 1) + c K_y) b = 1.

    Parameters
    ----------
    kernels : kernel, or list of (name, kernel, columns) tuples, default="auto"
        One kernel for every modality of X if that is `Modalities`, otherwise for X and y; or the
        modalities' own, one each. Kernels are what :class:`~mkfusion.ColumnKernelizer` takes, where
        "auto" chooses by the data: for numbers, a Gaussian kernel of scaled columns.
    n_components : int or None, default=2
        Components to find; None for as many as there are.
    regularisation : float or list of floats, default=0.01
        c in [0, 1], for each modality if it is a list. 0 makes sense for kernels of few features
        only: others correlate perfectly whatever the data. Normalised kernels have small
        variances in many directions, so that 1e-3 to 0.1 is the range to search.
    normalize : {"cosine", "trace"} or None, default="cosine"
        What is done to a kernel before it is centred, as in :class:`~mkfusion.ColumnKernelizer`:
        the regularisation is relative to its scale.
    method : {"auto", "exact", "nystroem"}, default="auto"
        "exact" decomposes the Gram matrices, n^3 operations and n^2 numbers for each; "nystroem"
        their incomplete Cholesky factors, n rank^2 operations and n rank numbers. "auto" is exact
        up to 2,000 samples.
    tol : float, default=1e-3
        Where "nystroem" stops: what is left of a kernel's trace.
    rank : int or None, default=1000
        Most columns of a kernel that "nystroem" computes; None for all.
    random_state : int, RandomState instance or None, default=None
        Draws the columns for "nystroem".

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (n_components,)
        Correlations between the scores of the training samples, the mean over pairs if there are
        more than two modalities. They are much larger than those of new samples.
    objective_ : ndarray of shape (n_components,)
        a'K_x K_y b / (n - 1), or the largest eigenvalue of the matrix of these with ones on its
        diagonal for more than two modalities.
    dual_coef_ : list of n_modalities ndarray of shape (n_support, n_components)
        Scores are ``gram[:, support_[v]] @ dual_coef_[v] + intercept_[v]`` for the modality's
        normalised kernel between samples and the training samples; centring is contained.
    support_ : list of n_modalities ndarray of shape (n_support,)
        Training samples that are needed: all of them for "exact".
    intercept_ : list of n_modalities ndarray of shape (n_components,)
        What is added to the scores.
    residuals_ : ndarray of shape (n_modalities,)
        Share of each kernel's trace that "nystroem" leaves out; 0 for "exact".
    kernels_ : list of n_modalities kernels
        Fitted.
    modality_names_ : list of str
        "X" and "y" where these are the modalities.
    n_features_in_ : int
        Number of columns or modalities of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    CCA : The same for linear kernels, faster, with weights and loadings.
    NystroemKernels : The approximation for other machines.

    Notes
    -----
    The regularisation is that of Hardoon et al. on the scale of CCA's, so that linear kernels with
    ``normalize=None`` give the scores of ``CCA(scale=False)``. Bach and Jordan's ``(K + n k / 2
    I)^2`` equals it to first order, for c = k n / (n - 1) relative to 1 - c.

    The approximation is exact between its landmarks and all samples, and new samples are centred
    by what the training samples are, so that `transform` of the training samples gives the scores
    that were fitted.

    References
    ----------
    Hardoon, Szedmak and Shawe-Taylor, "Canonical correlation analysis: an overview with application
    to learning methods", Neural Computation 16 (2004).

    Bach and Jordan, "Kernel independent component analysis", JMLR 3 (2002): incomplete Cholesky
    factors.

    Examples
    --------
    A circle and the angle's double have no linear relation:

    >>> import numpy as np
    >>> from mkfusion import CCA, KernelCCA
    >>> angle = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, size=(200, 1))
    >>> X = np.hstack([np.cos(angle), np.sin(angle)])
    >>> Y = np.hstack([np.cos(2.0 * angle), np.sin(2.0 * angle)])
    >>> train, test = slice(0, 100), slice(100, 200)
    >>> linear = CCA(n_components=1).fit(X[train], Y[train])
    >>> kernel = KernelCCA(n_components=1).fit(X[train], Y[train])
    >>> print(f"{linear.score(X[test], Y[test]):.1f} {kernel.score(X[test], Y[test]):.1f}")
    0.1 1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CanonicalAnalysis._parameter_constraints,
        "normalize": [StrOptions({"cosine", "trace"}), None],
        "method": [StrOptions({"auto", "exact", "nystroem"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        kernels: Any = "auto",
        n_components: int | None = 2,
        *,
        regularisation: float | Sequence[float] = 0.01,
        normalize: str | None = "cosine",
        method: str = "auto",
        tol: float = 1e-3,
        rank: int | None = 1000,
        random_state: Any = None,
    ) -> None:
        self.kernels = kernels
        self.n_components = n_components
        self.regularisation = regularisation
        self.normalize = normalize
        self.method = method
        self.tol = tol
        self.rank = rank
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        several = isinstance(self.kernels, list | tuple)
        specs = [kernel for _, kernel in self._named_kernels] if several else [self.kernels]
        return join_input_tags(tags, specs)

    @property
    def _named_kernels(self) -> list[tuple[str, Any]]:
        """Pairs (name, kernel); none where one kernel is for all, or the list is malformed."""
        try:
            return [(name, kernel) for name, kernel, _ in self._triples()]
        except (TypeError, ValueError):
            return []

    @_named_kernels.setter
    def _named_kernels(self, pairs: list[tuple[str, Any]]) -> None:
        self.kernels = [
            (name, kernel, columns)
            for (name, kernel), (_, _, columns) in zip(pairs, self.kernels, strict=True)
        ]

    def _triples(self) -> list[Any]:
        return list(self.kernels) if isinstance(self.kernels, list | tuple) else []

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the kernels included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``name`` and ``name__parameter`` of each kernel.

        Returns
        -------
        dict
        """
        return self._get_params("_named_kernels", deep=deep)

    def set_params(self, **params: Any) -> KernelCCA:
        """Set parameters, those of the kernels included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : KernelCCA
        """
        return self._set_params("_named_kernels", **params)

    def _asked(self, X: Any) -> Any:
        if isinstance(self.kernels, list | tuple):
            check_entries(self.kernels, "kernels", ("(name, kernel, columns)",))
            for name, kernel, _ in self.kernels:
                if isinstance(kernel, list):
                    raise TypeError(
                        f"kernel of {name!r} is a list; expected one kernel, such as the sum of "
                        "several."
                    )
            if len(self.kernels) < 2:
                raise ValueError(
                    f"kernels has {len(self.kernels)} entries; expected one for each of at least "
                    "two modalities."
                )
            self._validate_names([name for name, _, _ in self.kernels])
            return [(name, columns) for name, _, columns in self.kernels]
        if not isinstance(X, Modalities):
            return None
        if len(X.names) < 2:
            raise ValueError(f"X has the modality {X.names}; expected at least two.")
        return [(name, name) for name in X.names]

    def _whiten(self, data: Any, v: int, c: float) -> Whitened:
        spec = self.kernels[v][1] if isinstance(self.kernels, list | tuple) else self.kernels
        kernelizer = ColumnKernelizer(
            [("kernel", clone(spec, safe=False), "samples")], normalize=self.normalize
        )
        stack = kernelizer.fit_transform(Modalities(samples=data))
        n = stack.shape[0]
        if n < 2:
            raise ValueError(f"Found array with {n} sample(s); expected at least 2 samples.")
        exact = n <= _MOST_EXACT if self.method == "auto" else self.method == "exact"
        return (
            _decompose(kernelizer, stack, c) if exact else self._approximate(kernelizer, stack, c)
        )

    def _approximate(self, kernelizer: ColumnKernelizer, stack: KernelStack, c: float) -> Whitened:
        """Whiten by the factors of an approximation, of which new samples' are known."""
        n = stack.shape[0]
        rank = n if self.rank is None else min(self.rank, n)
        rng = check_random_state(self.random_state)
        factor = pivoted_cholesky(stack, self.tol, rank, rng, stack.names[0])
        triangle = factor.Z[factor.pivots]
        means = factor.Z.mean(axis=0)
        rounding = float(np.finfo(np.float64).eps * np.linalg.norm(factor.Z))
        block = whiten(factor.Z - means, c, rounding)
        W = solve_triangular(triangle, block.W, lower=True, trans="T")
        residual = factor.residual / factor.trace if factor.trace > 0.0 else 0.0
        dual = _Dual(kernelizer, factor.pivots, triangle @ means, residual)
        return Whitened(Block(block.H, W), dual)

    def _solve(self, blocks: Sequence[Floats], k: int) -> Solution:
        return solve_pair(blocks, k) if len(blocks) == 2 else solve_maxvar(blocks, k)

    def _keep(self, whitened: Sequence[Whitened], directions: Sequence[Floats]) -> None:
        # The sample with the largest score, of the first modality, has a positive one.
        scores = whitened[0].block.H @ directions[0]
        largest = np.abs(scores).argmax(axis=0)
        signs = np.where(scores[largest, np.arange(len(largest))] < 0.0, -1.0, 1.0)
        details = [one.details for one in whitened]
        self._kernelizers = [dual.kernelizer for dual in details]
        self.kernels_ = [dual.kernelizer.kernels_[0] for dual in details]
        self.support_ = [dual.support for dual in details]
        self.residuals_ = np.array([dual.residual for dual in details])
        self.dual_coef_ = [
            one.block.W @ (direction * signs)
            for one, direction in zip(whitened, directions, strict=True)
        ]
        self.intercept_ = [
            -dual.means @ coef for dual, coef in zip(details, self.dual_coef_, strict=True)
        ]

    def _project(self, data: Any, v: int) -> Floats:
        stack = self._kernelizers[v].transform(Modalities(samples=data))
        gram = stack.combine([1.0], cols=self.support_[v])
        scores: Floats = gram @ self.dual_coef_[v] + self.intercept_[v]
        return scores


def _decompose(kernelizer: ColumnKernelizer, stack: KernelStack, c: float) -> Whitened:
    """Whiten by the eigenvectors of the centred Gram matrix."""
    n = stack.shape[0]
    rtol = GRAM_RTOL[stack.dtype]
    gram = stack.gram(0).astype(np.float64)
    difference = np.abs(gram - gram.T)
    i, j = np.unravel_index(int(difference.argmax()), gram.shape)
    if difference[i, j] > rtol * np.abs(np.diagonal(gram)).max():
        raise asymmetry(stack.names[0], int(i), int(j), gram[i, j], gram[j, i])
    means = gram.mean(axis=0)
    gram -= means
    gram -= gram.mean(axis=1)[:, np.newaxis]
    values, U = eigh(gram, overwrite_a=True, check_finite=False)
    largest = max(float(values[-1]), 0.0)
    if values[0] < -rtol * largest:
        raise ValueError(
            f"{stack.names[0]} is not positive semi-definite: its smallest eigenvalue after "
            f"centring is {values[0]:.6g}, the largest {largest:.6g}."
        )
    keep = values > largest * n * np.finfo(np.float64).eps
    values, U = values[keep][::-1], U[:, keep][:, ::-1]
    root = np.sqrt((1.0 - c) * values / (n - 1) + c)
    W = U / (np.sqrt(values) * root)
    # New samples' values less `means` are centred over the training samples by this.
    W -= W.mean(axis=0)
    block = Block(U * (np.sqrt(values / (n - 1)) / root), W)
    return Whitened(block, _Dual(kernelizer, np.arange(n), means, 0.0))
