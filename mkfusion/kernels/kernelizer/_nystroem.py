"""Every kernel of a stack by a few of its columns."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from mkfusion._compat import Interval
from mkfusion._messages import shown
from mkfusion.stack import (
    ComputedStack,
    Factor,
    FactorView,
    KernelStack,
    pivoted_cholesky,
    prediction_stack,
    row_batches,
    training_stack,
)


class NystroemKernels(TransformerMixin, BaseEstimator):
    """Approximate every kernel of a stack by one of low rank (Nyström), to a stated error.

    Each kernel K is replaced by K[:, L] K[L, L]^-1 K[L, :] for some training samples L, its
    landmarks, of which there are as many as its error needs. Only the diagonal and the landmarks'
    columns of the kernels are read or computed, and kept are n times rank numbers for each, so that
    :class:`~mkfusion.MKLClassifier` learns from many more samples than n^2 numbers allow.

    Parameters
    ----------
    tol : float, default=0.1
        Non-negative error of each kernel: landmarks are added until trace(K - Z Z') is at most this
        share of trace(K), where Z Z' is the approximation.
    rank : int, default=None
        Most landmarks for each kernel; `residuals_` tells where they did not suffice. None is the
        number of training samples.
    n_jobs : int, default=None
        Kernels to approximate at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the landmarks.

    Attributes
    ----------
    ranks_ : ndarray of shape (m,)
        Numbers of landmarks.
    residuals_ : ndarray of shape (m,)
        trace(K - Z Z') / trace(K) of each kernel; 0 for a kernel of zeros.
    traces_ : ndarray of shape (m,)
        trace(K) of each kernel.
    landmarks_ : list of m ndarray of shape (rank,)
        Training samples, in the order in which they were drawn.
    kernel_names_ : list of m str
        The kernels' names.
    n_features_in_ : int
        Number of training samples: the columns of all kernels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    See Also
    --------
    KernelStack.from_features : Kernels that have explicit features, of random ones for example.
    sklearn.kernel_approximation.Nystroem : One kernel on raw samples, with uniformly drawn
        landmarks, of which the number is given and the error is not known.

    Notes
    -----
    The difference E = K - Z Z' is positive semi-definite, so its trace bounds its largest
    eigenvalue, and every entry of it. What it does to multiple kernel learning is bounded by
    :meth:`objective_bound`: fewer positive terms are subtracted from the dual objective, so that
    the optimum on the approximations is not below that on the kernels themselves; and at the dual
    variables beta of the model on the approximations the two dual objectives differ by at most

        1/2 ||(e_1, ..., e_m)||_q,   e_k = sum_u beta_u' E_k beta_u,   1/p + 1/q = 1.

    As E_k is positive semi-definite, ``beta' E_k beta <= (sum_i |beta_i| E_k[i, i]**0.5)**2``, of
    which the diagonal is known, and that is at most ``trace(E_k) ||beta||**2``. The bound is for
    the worst case, in which all errors point the same way; with the kernels themselves, at the
    price of as many of their values as there are pairs of support vectors, e_k is computed.

    Landmarks are drawn by randomly pivoted Cholesky. It needs hardly more of them than the best
    approximation has eigenvectors: rank r / eps and a little more bring the expected trace of E
    below (1 + eps) times that of the best approximation of rank r, which neither uniform nor
    greedy choices guarantee: those miss rare samples, these begin with outliers.

    References
    ----------
    Chen, Epperly, Tropp and Webber, "Randomly pivoted Cholesky: practical approximation of a
    kernel matrix with few entry evaluations", Communications on Pure and Applied Mathematics 78
    (2025).

    Cortes, Mohri and Talwalkar, "On the impact of kernel approximation on learning accuracy",
    AISTATS (2010): what errors of a kernel do to machines on it.

    Bach and Jordan, "Kernel independent component analysis", JMLR 3 (2002): incomplete Cholesky
    factors for machines on kernels.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from mkfusion import ColumnKernelizer, MKLClassifier, NystroemKernels
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> model = make_pipeline(
    ...     ColumnKernelizer([("echo", ["rbf", "linear"], "bands")]),
    ...     NystroemKernels(tol=0.01, random_state=0),
    ...     MKLClassifier(C=10),
    ... )
    >>> model.fit(X, y)[1].ranks_.tolist()
    [18, 25]
    >>> bool((model[1].residuals_ <= 0.01).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "tol": [Interval(Real, 0, None, closed="left")],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        tol: float = 0.1,
        *,
        rank: int | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.tol = tol
        self.rank = rank
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose the landmarks of every kernel.

        Parameters
        ----------
        X : KernelStack, list of m arrays of shape (n, n), or ndarray of shape (n, n, m) or (n, n)
            Kernels between the training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or a kernel turns out not to be symmetric and
            positive semi-definite.
        """
        self._validate_params()
        stack = training_stack(self, X)
        n, _, m = stack.shape
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=m)
        rank = n if self.rank is None else min(self.rank, n)
        factors: list[tuple[Factor, NDArray[np.float64]]] = list(
            Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_factorise)(
                    stack.select(k),
                    self.tol,
                    rank,
                    np.random.RandomState(seed),
                    f"X[{k}] ({stack.names[k]!r})",
                )
                for k, seed in enumerate(seeds)
            )
        )
        # Only now: nothing is kept of a fit that fails.
        validate_data(self, stack if isinstance(X, list | tuple) else X, skip_check_array=True)
        self.kernel_names_ = stack.names
        self.landmarks_ = [factor.pivots for factor, _ in factors]
        self.ranks_ = np.array([len(factor.pivots) for factor, _ in factors])
        self.traces_ = np.array([factor.trace for factor, _ in factors])
        left = np.array([factor.residual for factor, _ in factors])
        self.residuals_ = left / np.where(self.traces_ > 0.0, self.traces_, 1.0)
        self._features = [factor.Z for factor, _ in factors]
        self._left = [factor.left for factor, _ in factors]
        self._triangles = [triangle for _, triangle in factors]
        return self

    def fit_transform(self, X: Any, y: Any = None) -> KernelStack:
        """Choose the landmarks, and return the approximations between the training samples.

        Parameters
        ----------
        X : KernelStack, list of m arrays of shape (n, n), or ndarray of shape (n, n, m) or (n, n)
            Kernels between the training samples.
        y : None
            Ignored.

        Returns
        -------
        KernelStack of shape (n, n, m)
            Low-rank.
        """
        self.fit(X, y)
        views = [FactorView(Z, Z) for Z in self._features]
        return ComputedStack(views, self.kernel_names_, known_gram=np.ones(len(views), bool))

    def transform(self, X: Any) -> KernelStack:
        """Return the approximations between samples and the training samples.

        Reads, or computes, only the columns of the landmarks.

        Parameters
        ----------
        X : KernelStack, list of m arrays of shape (n_samples, n), or ndarray of shape \
                (n_samples, n, m) or (n_samples, n)
            Kernels between the samples and the n training samples.

        Returns
        -------
        KernelStack of shape (n_samples, n, m)
            Low-rank.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        views = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_view)(stack, k, landmarks, triangle, Z)
            for k, (landmarks, triangle, Z) in enumerate(
                zip(self.landmarks_, self._triangles, self._features, strict=True)
            )
        )
        return ComputedStack(list(views), self.kernel_names_)

    def objective_bound(self, model: Any, X: Any = None) -> float:
        """Bound how far a model on the approximations is above the optimum on the kernels.

        Parameters
        ----------
        model : MKLClassifier, MKLRegressor or MKLNoveltyDetector
            Fitted on what :meth:`fit_transform` returned.
        X : KernelStack, list of m arrays of shape (n, n), or ndarray of shape (n, n, m) or \
                (n, n), default=None
            The kernels between the training samples, of which the values between support vectors
            are then read, or computed, for a bound that is much smaller. None is what the
            diagonal of the errors tells.

        Returns
        -------
        float
            At most this is ``model.objective_`` above the least objective that any model has on
            the kernels themselves, and it is not below that.

        Raises
        ------
        TypeError, ValueError
            If `model` has no dual variables, or is not of these training samples and kernels.
        """
        check_is_fitted(self)
        if not hasattr(model, "dual_coef_") or not hasattr(model, "weights_"):
            raise TypeError(
                f"model is {shown(model)}; expected a fitted MKLClassifier, MKLRegressor or "
                "MKLNoveltyDetector."
            )
        n, names = self.n_features_in_, self.kernel_names_
        if model.n_features_in_ != n or len(model.kernel_names_) != len(names):
            raise ValueError(
                f"model was fitted with {model.n_features_in_} training samples and "
                f"{len(model.kernel_names_)} kernels; expected the {n} samples and {len(names)} "
                "kernels of this transformer."
            )
        stack = None if X is None else training_stack(self, X)
        if stack is not None:
            stack = prediction_stack(self, stack, n, names).take(model.support_, model.support_)
        vectors = np.atleast_2d(model.dual_coef_)
        # Tasks that share weights are bounded together.
        groups = [vectors] if np.ndim(model.weights_) == 1 else [row[np.newaxis] for row in vectors]
        bound = float(model.duality_gap_) * abs(float(model.objective_))
        for beta in groups:
            forms = np.array([_form(Z[model.support_], beta) for Z in self._features])
            if stack is None:
                errors = np.array([_worst(left[model.support_], beta) for left in self._left])
            else:
                errors = np.maximum(stack.quadratic(beta) - forms, 0.0)
            bound += _conjugate(forms + errors, model) - _conjugate(forms, model)
        return bound


def _form(Z: NDArray[Any], beta: NDArray[np.float64]) -> float:
    """Return ``sum_u ||beta_u' Z||**2``."""
    return float(np.sum((beta @ Z) ** 2))


def _worst(left: NDArray[np.float64], beta: NDArray[np.float64]) -> float:
    """Return the most that ``sum_u beta_u' E beta_u`` can be, from the diagonal of E."""
    return float(np.sum((np.abs(beta) @ np.sqrt(left)) ** 2))


def _conjugate(forms: NDArray[np.float64], model: Any) -> float:
    """Return what the dual objective subtracts."""
    p, lam = float(model.p), getattr(model, "lam", None)
    q = np.inf if p == 1.0 else 1.0 if np.isinf(p) else p / (p - 1.0)
    size = float(np.linalg.norm(forms, ord=q))
    return 0.5 * size if lam is None else size**2 / (8.0 * lam)


def _factorise(
    stack: KernelStack, tol: float, rank: int, rng: np.random.RandomState, label: str
) -> tuple[Factor, NDArray[np.float64]]:
    """Return the factor in the kernel's own type, and in double precision that of the landmarks."""
    factor = pivoted_cholesky(stack, tol, rank, rng, label)
    triangle = factor.Z[factor.pivots]
    return factor._replace(Z=factor.Z.astype(stack.dtype, copy=False)), triangle


def _view(
    stack: KernelStack,
    k: int,
    landmarks: NDArray[np.intp],
    triangle: NDArray[np.float64],
    train: NDArray[Any],
) -> FactorView:
    """Return one kernel's approximation between new samples and the training samples."""
    n_rows = stack.shape[0]
    Z = np.empty((n_rows, len(landmarks)), dtype=stack.dtype)
    for piece in row_batches(n_rows, len(landmarks)) if len(landmarks) else []:
        columns = stack.block(k, np.arange(piece.start, piece.stop), landmarks)
        # K[:, L] = Z Z[L]'
        Z[piece] = solve_triangular(triangle, columns.T.astype(np.float64), lower=True).T
    return FactorView(Z, train)
