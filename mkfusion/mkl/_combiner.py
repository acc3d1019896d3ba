"""From several kernels to the one that a kernel machine takes."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import HasMethods, Interval, Options
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import has_fractions, one_target, read_labels, read_numbers, seems_classes
from mkfusion.mkl._base import BaseMKL
from mkfusion.mkl._consensus import statis_weights, topology_weights
from mkfusion.solvers import HardMargin, one_blas_thread
from mkfusion.stack import (
    BLOCK_BYTES,
    KernelStack,
    centred_products,
    prediction_stack,
    remember_input,
    training_stack,
    unbiased_products,
    warn_degenerate,
)

# Ridge of the correlations between kernels. It makes the maximiser unique: kernels that are copies
# of each other share their weight, in whichever order they come.
_RIDGE = 1e-8


def align_weights(stack: KernelStack, targets: Floats) -> Floats:
    """Return weights proportional to each kernel's own centred alignment with the target.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
    targets : ndarray of shape (n, n_targets)
        Centred columns Y; the target kernel is Y Y'.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    n, _, m = stack.shape
    weights = np.empty(m)
    size = max(1, BLOCK_BYTES // (8 * n))
    for first in range(0, m, size):
        some = slice(first, first + size)
        fit, products = centred_products(stack.select(some), targets, pairs=False)
        norms = np.sqrt(products)
        weights[some] = np.divide(fit, norms, out=np.zeros_like(fit), where=norms > 0.0)
    # A positive semi-definite kernel is never aligned negatively but by rounding.
    return np.maximum(weights, 0.0)


def unbiased_weights(stack: KernelStack, targets: Floats) -> Floats:
    """Return weights proportional to each kernel's alignment between different samples.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
    targets : ndarray of shape (n, n_targets)
        Centred columns Y; the target kernel is Y Y'.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are less aligned than by chance.
    """
    n = stack.shape[0]
    if n < 4:
        raise ValueError(
            f'X has {n} samples; expected at least 4 for weighting="unbiased_alignment".'
        )
    fit, products = unbiased_products(stack, targets)
    norms = np.sqrt(products)
    weights = np.divide(fit, norms, out=np.zeros_like(fit), where=norms > 0.0)
    return np.maximum(weights, 0.0)


def alignf_weights(stack: KernelStack, targets: Floats) -> Floats:
    """Return the weights whose weighted sum is aligned best with the target.

    They solve ``min_{v >= 0} v'Mv - 2 v'a`` with the inner products M of the centred kernels, and
    a of them with the target (Cortes, Mohri and Rostamizadeh, JMLR 13, 2012, section 3.2).

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
    targets : ndarray of shape (n, n_targets)
        Centred columns Y; the target kernel is Y Y'.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    fit, products = centred_products(stack, targets, pairs=True)
    norms = np.sqrt(np.diagonal(products))
    used = np.flatnonzero(norms)
    weights = np.zeros(len(fit))
    if used.size:
        # In kernels of norm one: what is found depends on neither their scales nor their order.
        scale = norms[used]
        correlations = products[np.ix_(used, used)] / np.outer(scale, scale)
        correlations.flat[:: used.size + 1] = 1.0 + _RIDGE
        factor = cholesky(correlations)
        goal = solve_triangular(factor, fit[used] / scale, trans="T")
        weights[used] = nnls(factor, goal / max(np.abs(goal).max(), 1e-300))[0] / scale
    return weights


# Relative gap that is asked for, and above which users are told: weights are as accurate as its
# square root.
_GAP, _LARGEST_GAP = 1e-10, 1e-6


def easymkl_weights(stack: KernelStack, signs: Floats, lam: float) -> Floats:
    """Return the squared distance that each kernel sees between the classes.

    For each task, weights g over the samples that sum to one in either class minimise

        (1 - lam) g'Y (sum_k K_k) Y g + lam g'g

    and kernel k gets the sum over the tasks of ``g'Y K_k Y g``.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric and positive semi-definite.
    signs : ndarray of shape (n_tasks, n)
        Labels -1 and 1: the diagonals of Y.
    lam : float
        In (0, 1].

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for all that is rounding.

    Raises
    ------
    ValueError
        If `lam` is lost in the rounding of the kernels.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the relative gap of a task stays above 1e-6.
    """
    n, _, m = stack.shape
    composite = stack.combine(np.full(m, 1.0 - lam))
    top = float(np.diagonal(composite).max())
    least = n * np.finfo(np.float64).eps * top
    if lam < least:
        raise ValueError(
            f"lam is {lam:g}; expected at least {least:.2g} with kernels whose sum reaches "
            f"{top:.2g} on the diagonal. Bring the kernels to one scale."
        )
    composite.flat[:: n + 1] += lam
    tasks = [HardMargin(y) for y in signs]
    with one_blas_thread():
        largest = max(task.find(composite, _GAP) for task in tasks)
    if largest > _LARGEST_GAP:
        warnings.warn(
            f"EasyMKL's problem was solved to the relative gap {largest:.2g}; expected "
            f"{_LARGEST_GAP:g}. Raise lam, or bring the kernels to one scale.",
            ConvergenceWarning,
            stacklevel=4,
        )
    points = np.array([task.nearest for task in tasks])
    distances = stack.quadratic(points)
    # What rounding makes of the sum of zero that a constant kernel sees: |points| sums to two.
    noise = 4.0 * len(tasks) * np.finfo(stack.dtype).eps * np.abs(stack.diagonal()).max(axis=1)
    return np.where(distances > noise, distances, 0.0)


_LEARNED = ("alignment", "unbiased_alignment", "alignf", "easymkl")
_CONSENSUS = ("statis", "sparse_umkl")


_ALIGNMENTS = {
    "alignment": align_weights,
    "unbiased_alignment": unbiased_weights,
    "alignf": alignf_weights,
}


class KernelCombiner(TransformerMixin, BaseEstimator):
    """Weighted sum of kernels: from a stack to one Gram matrix, for any kernel machine.

    The Gram matrix is what scikit-learn's machines take as ``kernel="precomputed"`` or
    ``affinity="precomputed"``. In a pipeline, weights are learned from the training fold only.

    Parameters
    ----------
    weighting : str, array-like of shape (n_kernels,) or MKL model, default="uniform"
        Where the weights come from.

        - ``"uniform"``: the mean of the kernels; needs no target.
        - ``"alignment"``: each kernel in proportion to its own centred alignment with the target.
        - ``"unbiased_alignment"``: the same between different samples only, without the diagonal:
          a kernel that is nearly a multiple of the identity, which separates any training samples,
          gets next to no weight. The choice where some modalities may be noise.
        - ``"alignf"``: the non-negative weights whose weighted sum is aligned best with the target:
          kernels that say the same share their weight, and useless ones get none.
        - ``"easymkl"``: each kernel in proportion to the distance that it sees between the two
          classes, at the points where all kernels together see them nearest.
        - ``"statis"``: each kernel by how much it agrees with the others; needs no target.
        - ``"sparse_umkl"``: the weights whose weighted sum keeps best who is whose neighbour in the
          single kernels; many are zero; needs no target.
        - array: these non-negative weights.
        - an MKL model such as :class:`MKLClassifier` or :class:`MKLRegressor` that is not fitted:
          those of its copy, fitted in `fit`.
        - a fitted one, or any model with `weights_` and `kernel_names_`: its weights. Copying a
          combiner, as a grid search does, makes a fitted model one that is not; put it into a
          :class:`sklearn.frozen.FrozenEstimator` to keep its weights.
    lam : float, default=0.1
        For "easymkl", in (0, 1]: the larger, the more samples have a say. At 1 all have the same,
        and the distance is the one between the class means; near 0 it is the one between the
        nearest points of the classes' convex hulls. It acts on the sum of the kernels, whose scale
        matters for it.
    target_type : {"auto", "classes", "continuous"}, default="auto"
        What `y` is for the three alignments. "auto" takes numbers with a fraction for a
        continuous target, and whole numbers, strings and booleans for classes; more than 20
        different whole numbers it refuses.
    n_neighbors : int, default=5
        For "sparse_umkl": how many neighbours of each sample to look at in each kernel.

    Attributes
    ----------
    weights_ : ndarray of shape (n_kernels,)
        Non-negative kernel weights. They sum to one, except given ones and those of a model, which
        are taken as they are.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    model_ : object
        The MKL model that the weights come from, or None.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have in `transform`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If "easymkl" or the model did not reach their tolerance.
    UserWarning
        If "unbiased_alignment" finds no kernel aligned with the target better than by chance; all
        kernels then get the same weight.

    See Also
    --------
    MKLClassifier : Learns weights together with the machine that uses them.
    ColumnKernelizer : From raw samples of several modalities to kernels.

    Notes
    -----
    With the centring matrix H and centred kernels ``K_c = HKH``, the alignment of a kernel with the
    target kernel T is ``<K_c, T_c> / (||K_c|| ||T_c||)`` in Frobenius inner products and norms.
    T is ``y y'`` for a continuous y, and whether two samples are of the same class for classes;
    with two of them that is ``y y'`` with labels -1 and 1 once both are centred.

    "alignment" is the algorithm *align* of Cortes et al. (2012). Cristianini et al. (2001), who had
    the idea, do not centre, and what is the same for all samples then counts as alignment. No
    positive semi-definite kernel is aligned negatively; below zero by rounding is zero. Constant
    kernels get no weight.

    "unbiased_alignment" takes the kernels between different samples only, centred so that rows
    and columns have the sum zero, as unbiased estimates of dependence do (Song et al., 2012;
    Székely and Rizzo, 2014). What has nothing to do with the target then has the alignment 0 on
    average, whatever its diagonal; below zero is zero.

    "alignf" minimises ``v'Mv - 2v'a`` over v >= 0, where the matrix M (n_kernels, n_kernels) holds
    the inner products of the centred kernels, and a those with T. Its combined kernel does not
    depend on the kernels' scales.

    "easymkl" minimises ``(1 - lam) g'Y (sum_k K_k) Y g + lam g'g`` over weights g of the samples
    that sum to one in either class, and takes ``g'Y K_k Y g`` for kernel k. With more than two
    classes these are summed over the problems "class u against the rest", which is what the
    derivation gives where these share their kernel weights. (Weights for every class, as MKLpy
    learns, do not make one Gram matrix.)

    "statis" takes the leading eigenvector of the matrix of alignments between the centred kernels,
    ``<K_c, L_c> / (||K_c|| ||L_c||)``: the weighted sum that is aligned best with all of them. It
    and "sparse_umkl" are the consensus of mixKernel (Mariette and Villa-Vialaneix, 2018), which
    applies them to cosine-normalised kernels, as :class:`ColumnKernelizer` gives. "sparse_umkl"
    minimises ``sum_ij W_ij ||sum_k d_k (K_k[i] - K_k[j])||^2`` over weights d that sum to one, with
    rows of centred kernels, where W_ij counts how often j is among those other samples with which i
    has the `n_neighbors` largest values of a centred kernel, or the other way round; samples that
    are as near as the last of them count too. A kernel that sees few differences at all has much
    weight, so that scales matter for it. This is what the paper says. mixKernel's function, up to
    version 0.9-2, takes sums of absolute differences between rows instead, multiplies their
    matrices, and brings what it minimises to a diagonal of ones: its weights are others. (The
    paper's "full-UMKL" is not convex, and what it finds depends on where it starts.)

    Give scikit-learn's `SVC` and `SVR` after a combiner no sample weights of zero, as bagging draws
    them: with a precomputed kernel, up to version 1.9.1 at least, they predict from the wrong
    columns then, and with a class without weight they name the wrong classes (scikit-learn issues
    5150 and 25380). Drop these samples, or use :class:`MKLClassifier`, which is right.

    "alignment" and "easymkl" weigh kernels as they come: bring them to one scale before, as
    :class:`ColumnKernelizer` does.

    References
    ----------
    Cristianini, Shawe-Taylor, Elisseeff and Kandola, "On kernel-target alignment", NIPS (2001).

    Cortes, Mohri and Rostamizadeh, "Algorithms for learning kernels based on centered alignment",
    JMLR 13 (2012).

    Song, Smola, Gretton, Bedo and Borgwardt, "Feature selection via dependence maximization", JMLR
    13 (2012).

    Székely and Rizzo, "Partial distance correlation with methods for dissimilarities", Annals of
    Statistics 42 (2014).

    Lavit, Escoufier, Sabatier and Traissac, "The ACT (STATIS method)", Computational Statistics &
    Data Analysis 18 (1994).

    Mariette and Villa-Vialaneix, "Unsupervised multiple kernel learning for heterogeneous data
    integration", Bioinformatics 34 (2018).

    Aiolli and Donini, "EasyMKL: a scalable multiple kernel learning algorithm", Neurocomputing 169
    (2015).

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from mkfusion import ColumnKernelizer, KernelCombiner
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> kernelizer = ColumnKernelizer([("bands", ["linear", "rbf", "laplacian"], "bands")])
    >>> combiner = KernelCombiner("alignment").fit(kernelizer.fit_transform(X), y)
    >>> combiner.weights_.round(2)
    array([0.26, 0.29, 0.45])
    >>> model = make_pipeline(kernelizer, combiner, SVC(kernel="precomputed", C=10))
    >>> cross_val_score(model, X, y).shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "weighting": [
            Options(str, {"uniform", *_LEARNED, *_CONSENSUS}),
            "array-like",
            HasMethods(["fit"]),
        ],
        "lam": [Interval(Real, 0, 1, closed="right")],
        "target_type": [Options(str, {"auto", "classes", "continuous"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        weighting: Any = "uniform",
        *,
        lam: float = 0.1,
        target_type: str = "auto",
        n_neighbors: int = 5,
    ) -> None:
        self.weighting = weighting
        self.lam = lam
        self.target_type = target_type
        self.n_neighbors = n_neighbors

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        if _is_unfitted_model(self.weighting):
            tags.target_tags.required = get_tags(self.weighting).target_tags.required
        else:
            learned = isinstance(self.weighting, str) and self.weighting in _LEARNED
            tags.target_tags.required = learned
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the kernel weights.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,), default=None
            Class labels, or a continuous target for the three alignments. Ignored where
            nothing is learned from it: with "uniform", "statis", "sparse_umkl", given weights and
            fitted models.

        Returns
        -------
        self : object
            Fitted combiner.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y is of, or no kernel tells samples
            apart where y does.
        """
        self._validate_params()
        stack = training_stack(self, X, y=y)
        with one_blas_thread():
            stack.check_gram("X")
        learned = isinstance(self.weighting, str) and self.weighting in _LEARNED
        if not learned and not _is_unfitted_model(self.weighting):  # which say so with the target
            warn_degenerate(stack, None, stacklevel=2)
        model = None
        if isinstance(self.weighting, str):
            weights = self._learn(stack, y) if learned else self._agreed(stack)
        elif hasattr(self.weighting, "fit"):
            model, weights = _model_weights(self.weighting, stack, y)
        else:
            weights = _checked_weights(self.weighting, stack.names)
        remember_input(self, X, stack.shape[0])
        self.weights_ = weights
        self.kernel_names_ = stack.names
        self.model_ = model
        return self

    def _learn(self, stack: KernelStack, y: Any) -> NDArray[np.float64]:
        """Return weights that sum to one."""
        if y is not None:
            y = one_target(y)
        if self.weighting == "easymkl":
            signs = _signs(stack, y)
            warn_degenerate(stack, signs.T, stacklevel=3)
            weights = easymkl_weights(stack, signs, float(self.lam))
        else:
            targets = self._targets(stack, y)
            fooled = self.weighting != "unbiased_alignment"
            warn_degenerate(stack, targets if fooled else None, stacklevel=3)
            weights = _ALIGNMENTS[self.weighting](stack, targets)
        if self.weighting == "unbiased_alignment" and not weights.any():
            warnings.warn(
                "X holds no kernel that is aligned with y between different samples better than by "
                "chance; all kernels get the same weight.",
                UserWarning,
                stacklevel=3,
            )
            weights = np.ones(len(weights))
        return _to_one(weights, "tells samples apart where y does")

    def _agreed(self, stack: KernelStack) -> NDArray[np.float64]:
        """Return weights that sum to one and need no target."""
        n, _, m = stack.shape
        if self.weighting == "uniform":
            return np.full(m, 1.0 / m)
        with one_blas_thread():
            if self.weighting == "statis":
                weights = statis_weights(stack)
            elif self.n_neighbors < n:
                weights = topology_weights(stack, self.n_neighbors)
            else:
                raise ValueError(
                    f"n_neighbors is {self.n_neighbors}; expected fewer than the {n} samples of X."
                )
        return _to_one(weights, "tells samples apart")

    def _targets(self, stack: KernelStack, y: Any) -> NDArray[np.float64]:
        """Return centred columns Y (n, n_targets): the target kernel is Y Y'."""
        if y is not None and self._is_continuous(y):
            numbers = read_numbers(stack, y)
            if np.ptp(numbers) == 0.0:
                raise ValueError(f"y is {numbers[0]} for every sample; expected one that varies.")
            targets = numbers[:, np.newaxis]
        else:
            _, classes, codes = read_labels(stack, y)
            targets = (codes[:, np.newaxis] == np.arange(len(classes))).astype(np.float64)
        return targets - targets.mean(axis=0)

    def _is_continuous(self, y: NDArray[Any]) -> bool:
        if self.target_type != "auto":
            return self.target_type == "continuous"
        classes = seems_classes(y)
        if classes is None:
            raise ValueError(
                f"y holds {len(np.unique(y))} different whole numbers; expected "
                'target_type="classes" or target_type="continuous", which says what they are.'
            )
        return not classes

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the weighted sum of kernels.

        Reads, or computes, only the kernels with weight.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples, n), float64

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        return stack.combine(self.weights_)


def _to_one(weights: Floats, what: str) -> Floats:
    """Return weights that sum to one."""
    if not weights.any():
        raise ValueError(
            f"X holds no kernel that {what}; expected at least one that is not constant."
        )
    weights = weights / weights.max()
    return weights / weights.sum()


def _signs(stack: KernelStack, y: Any) -> NDArray[np.float64]:
    """Return the labels -1 and 1 (n_tasks, n) of the one-versus-rest tasks."""
    if y is not None and has_fractions(y):
        raise ValueError(
            'y is continuous; expected class labels for weighting="easymkl" ("alignment" and '
            '"alignf" take a continuous target).'
        )
    return read_labels(stack, y).signs


def _is_fitted_model(weighting: Any) -> bool:
    return hasattr(weighting, "weights_") and hasattr(weighting, "kernel_names_")


def _is_unfitted_model(weighting: Any) -> bool:
    return isinstance(weighting, BaseMKL) and not _is_fitted_model(weighting)


def _model_weights(weighting: Any, stack: KernelStack, y: Any) -> tuple[Any, NDArray[np.float64]]:
    """Return a fitted model and its kernel weights."""
    if _is_unfitted_model(weighting):
        model = clone(weighting).fit(stack, y)
    elif _is_fitted_model(weighting):
        model = weighting
        # Refuses other kernels than those that the model learned from.
        prediction_stack(model, stack, stack.shape[1], model.kernel_names_)
    else:
        raise TypeError(
            f"weighting is {shown(weighting)}; expected an MKL model such as MKLClassifier(), or a "
            "fitted one with weights_ and kernel_names_."
        )
    weights = np.asarray(model.weights_, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(
            f"weighting is a model with weights_ of shape {weights.shape}, a vector for each "
            "class; expected one vector for all (per_class_weights=False)."
        )
    return model, weights


def _checked_weights(weighting: Any, names: list[str]) -> NDArray[np.float64]:
    """Return given weights (n_kernels,)."""
    try:
        weights = np.array(weighting, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"weighting is not a vector of numbers: {error}") from error
    if weights.shape != (len(names),):
        raise ValueError(
            f"weighting has shape {weights.shape}; expected ({len(names)},), one weight for each "
            "kernel."
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if wrong.size:
        k = wrong[0]
        raise ValueError(
            f"weighting[{k}] is {weights[k]} (kernel {names[k]!r}); expected finite non-negative "
            "weights."
        )
    if not weights.any():
        raise ValueError("weighting is zero for every kernel; expected a positive weight.")
    return weights
