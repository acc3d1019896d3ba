"""Multiple kernel learning with weights that depend on the sample."""

from __future__ import annotations

import warnings
from abc import ABC
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular, svd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, Options
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import labels_from_decisions, read_labels
from mkfusion.mkl._needs import weigh_gated
from mkfusion.mkl._validation import checked, class_weights
from mkfusion.solvers import Deadline, Descent, GatedMachines, gates, one_blas_thread
from mkfusion.stack import (
    KernelStack,
    kernel_indices,
    prediction_stack,
    remember_input,
    training_stack,
    warn_degenerate,
)

# Training samples that gating features are expanded in: many times the components that a gate has
# a use for, and few enough for prediction to stay cheap.
_MOST_LANDMARKS = 100
# Shares of the mean of k(x, x), and of the largest component's standard deviation, that are
# rounding noise after a factorisation.
_PIVOT_FLOOR, _COMPONENT_FLOOR = 1e-8, 1e-5


class GatingFeatures(NamedTuple):
    """Principal components of the mean of some kernels, expanded in a few training samples.

    Attributes
    ----------
    kernels : ndarray of shape (n_kernels,)
        Weights of the kernels in the mean.
    landmarks : ndarray of shape (n_landmarks,)
        Training samples.
    expansion : ndarray of shape (n_landmarks, n_components)
    offset : ndarray of shape (n_components,)
    """

    kernels: Floats
    landmarks: Indices
    expansion: Floats
    offset: Floats

    def of(self, stack: KernelStack) -> Floats:
        """Return the features (n_samples, n_components) of the samples in the rows."""
        block = stack.combine(self.kernels, cols=self.landmarks)
        features: Floats = block @ self.expansion - self.offset
        return features


def learn_features(
    stack: KernelStack,
    kernels: Floats,
    n_components: int,
    weights: Floats,
    deadline: Deadline,
) -> GatingFeatures:
    """Learn gating features of training samples.

    The features are centred, and divided by the standard deviation of the first: a linear function
    of all of them has, up to that factor, the norm of its coefficients in the kernel's space.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
    kernels : ndarray of shape (n_kernels,)
        Weights of the kernels.
    n_components : int
        Most components to keep.
    weights : ndarray of shape (n,)
        Non-negative weights of the samples.
    deadline : Deadline
        When to end with the features that there are: the gates will be uniform.
    """
    K = stack.combine(kernels)
    landmarks, F = _spanning_samples(K, weights, deadline)
    # Of a kernel of zeros, or without time; LAPACK does not like to be asked for nothing.
    if not landmarks.size:
        return GatingFeatures(kernels, landmarks, np.empty((0, 0)), np.empty(0))
    share = weights / weights.sum()
    mean = share @ F
    spread = np.sqrt(share)[:, np.newaxis] * (F - mean)
    U, deviations, axes = svd(spread, full_matrices=False)
    # Signs would not matter, were it not for random starts.
    _, axes = svd_flip(U, axes)
    floor = _COMPONENT_FLOOR * max(
        deviations.max(initial=0.0), np.sqrt(max(share @ np.diagonal(K), 0.0))
    )
    kept = np.flatnonzero(deviations > floor)[:n_components]
    scale = deviations[0] if kept.size else 1.0
    # What is the factor for the landmarks undoes their kernel: features are F = K[:, landmarks] A.
    A = solve_triangular(F[landmarks], axes[kept].T / scale, lower=True, trans="T")
    return GatingFeatures(kernels, landmarks, A, axes[kept] @ mean / scale)


def _spanning_samples(K: Floats, weights: Floats, deadline: Deadline) -> tuple[Indices, Floats]:
    """Factorise K greedily: samples, and F (n, n_chosen) lower triangular on these, K about F F'.

    The next sample is the one that explains most of what is left of the kernel between all samples
    (not the one with most left of k(x, x): that is the same for all in many kernels, and the order
    of the samples would decide).
    """
    left = K.copy()
    floor = _PIVOT_FLOOR * float(np.mean(np.diagonal(K)))
    chosen: list[int] = []
    columns: list[Floats] = []
    while len(chosen) < min(_MOST_LANDMARKS, len(K)) and not deadline.passed:
        diagonal = np.diagonal(left)
        usable = (diagonal > floor) & (weights > 0.0)
        if not usable.any():
            break
        explained = np.einsum("ij,ij,i->j", left, left, weights)
        i = int(np.argmax(np.where(usable, explained / np.where(usable, diagonal, 1.0), -np.inf)))
        column = left[:, i] / np.sqrt(left[i, i])
        # Exactly triangular, whatever rounding leaves at samples already explained
        column[chosen] = 0.0
        left -= np.outer(column, column)
        chosen.append(i)
        columns.append(column)
    F = np.column_stack(columns) if columns else np.zeros((len(K), 0))
    return np.array(chosen, dtype=np.intp), F


def kernels_of(which: Any, names: list[str], argument: str) -> Indices:
    """Return the kernels (s,) that indices, names or modalities' names mean."""
    wanted: list[Any] = []
    for one in [which] if isinstance(which, str | Integral) else list(which):
        one = str(one) if isinstance(one, str) else one  # NumPy's strings too
        # ColumnKernelizer names kernels "modality:kernel".
        own = [name for name in names if isinstance(one, str) and name.startswith(f"{one}:")]
        wanted += own if own and one not in names else [one]
    try:
        return kernel_indices(wanted, names)
    except (ValueError, TypeError, IndexError) as error:
        raise type(error)(
            f"{argument} is {shown(which)}; expected kernels of the stack: {error}"
        ) from error


class GatedClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A fitted support vector machine on gated kernels; how it is fitted, subclasses know."""

    gating: str
    gate_coef_: Floats
    gate_intercept_: Floats
    support_: Indices
    dual_coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]
    kernel_names_: list[str]
    n_features_in_: int
    _features: GatingFeatures
    _gated: Indices
    _support_gates: Floats

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        return tags

    def gate(self, X: Any) -> Floats:
        """Return how much each kernel counts for each sample.

        Reads, or computes, only the gating kernels between the samples and `gate_landmarks_`.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples, n_kernels)
            Gates between 0 and 1; 0 for kernels that only gate others.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        eta = np.zeros((stack.shape[0], stack.shape[2]))
        eta[:, self._gated] = self._gates(stack)
        return eta

    def _gates(self, stack: KernelStack) -> Floats:
        """Return the gates (n_samples, n_gated)."""
        scores = self._features.of(stack) @ self.gate_coef_.T + self.gate_intercept_
        return gates(scores, self.gating)

    def decision_function(self, X: Any) -> Floats:
        """Return how far samples lie on the side of each class.

        Reads, or computes, only the kernels between the samples and the support vectors, and the
        gating kernels between the samples and `gate_landmarks_`.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, positive towards ``classes_[1]``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        eta = self._gates(stack)
        decision = np.tile(self.intercept_, (stack.shape[0], 1))
        for k, gate, support_gate in zip(self._gated, eta.T, self._support_gates.T, strict=True):
            alone = np.zeros(stack.shape[2])
            alone[k] = 1.0
            block = stack.combine(alone, cols=self.support_)
            decision += gate[:, np.newaxis] * (block @ (support_gate * self.dual_coef_).T)
        return decision[:, 0] if len(self.classes_) == 2 else decision

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return labels_from_decisions(self.decision_function(X), self.classes_)


class LocalizedMKLClassifier(GatedClassifier):
    """Support vector machine on gated kernels: their weights depend on the sample.

    The composite kernel is

        K(x, z) = sum_k eta_k(x) K_k(x, z) eta_k(z)

    with gates eta_k between 0 and 1: one modality may count for some samples, and another for
    others. A gate is a softmax over the kernels, or a sigmoid, of a linear function of a few
    features of the sample. Gates and machine are learned together: the optimum of the machine's
    objective

        J(V) = min_{f, b} 1/2 ||f||^2 + C sum_i s_i max(0, 1 - y_i (f(x_i) + b)) + ridge/2 ||V||^2

    is lowered over the parameters V of the gates. At fixed gates the machine is optimal, which
    `duality_gap_` certifies; in the gates the problem is not convex, and they are a local optimum
    only. The first start is from uniform gates, so the objective is never above that of the machine
    on the unweighted kernels.

    Parameters
    ----------
    C : float, default=1.0
        Positive price of the hinge loss: the smaller, the smoother. It acts on the composite
        kernel, whose scale depends on the gates: see the notes.
    gating : {"sigmoid", "softmax"}, default="sigmoid"
        Whether each kernel has a gate of its own, or the gates of a sample sum to one and kernels
        compete for it.
    gating_kernel : str, int or list of them, default=None
        Kernel whose view of a sample decides its gates, by its index or name in the stack, or all
        kernels of one modality by its name in a :class:`ColumnKernelizer`. Several count by their
        mean. None is the mean of all kernels.
    gating_only : bool, default=False
        Whether `gating_kernel` gates the other kernels without being part of the composite kernel.
    gating_components : int, default=5
        Most features of a sample that gates depend on: the first principal components of
        `gating_kernel`. With a linear kernel of as many features, they are linear in these.
    gating_ridge : float, default=0.1
        Positive strength of the penalty on the gates' parameters: the larger, the closer gates are
        to uniform ones. Without it the objective may have no minimum, as it falls for ever when
        gates close.
    n_init : int, default=3
        Starts, of which the one that ends lowest is kept: one from uniform gates, the others from
        random ones.
    class_weight : dict or "balanced", default=None
        Factor of C for each class, as in :class:`sklearn.svm.SVC`.
    tol : float, default=1e-3
        Relative accuracy. A start ends when a step lowers the objective by less than a tenth of
        this share of its value at uniform gates. The machines are solved to a relative duality gap
        of a hundredth of it.
    max_iter : int, default=200
        Most steps of each start before giving up with a warning.
    max_time : float, default=None
        Seconds after which to end with the best gates so far and a warning, about; checking the
        kernels and the machines of the gates that are kept do not count. None is no limit.
    random_state : int, RandomState instance or None, default=None
        Draws the random starts. Pass an int for reproducible results.
    verbose : bool or int, default=False
        Whether to print the objective after every step, and of many samples before the first step
        an estimate of time and memory.

    Attributes
    ----------
    gate_coef_ : ndarray of shape (n_gated, n_components)
        Slopes of the gates' scores in the gating features, for each kernel in the composite.
    gate_intercept_ : ndarray of shape (n_gated,)
        Scores of the average training sample.
    gate_landmarks_ : ndarray of shape (n_landmarks,)
        Training samples in which the gating features are expanded, 100 at most: for its gates, a
        new sample's gating kernels with these are read.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV) or (n_classes, n_SV)
        Signed dual coefficients of the support vectors, positive towards ``classes_[1]``, or
        towards class u in row u with more than two classes.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Exact minimisers of the hinge loss.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    objective_ : float
        Primal objective value, summed over the one-versus-rest problems, with the penalty.
    objective_curve_ : ndarray of shape (`n_iter_`,)
        The objective at the beginning of the start that was kept and after each of its steps; it
        never rises. (Values of the dual, which are those of the primal less the machines' gap.)
    start_objectives_ : ndarray of shape (n_init,)
        The objective at the end of every start, first that from uniform gates; fewer if `max_time`
        ended the fit.
    duality_gap_ : float
        Certified relative duality gap of the machines at the gates found, (primal - dual) / primal
        without the penalty. It says nothing of the gates.
    n_iter_ : int
        Gates on the way of the start that was kept, the first and the last included.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have to predict.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `max_time` did not suffice for the start that was kept, or the machines at
        its end could not be solved to `tol`.
    UserWarning
        If the fit will take more than half an hour.

    See Also
    --------
    MKLClassifier : Weights that are the same for all samples: a convex problem.

    Notes
    -----
    Gates see samples through kernels of the stack, as everything else does: no further argument has
    to find its way through pipelines, searches and cross-validation, and whatever has a kernel can
    gate. To gate on some columns of a table, give them a linear kernel.

    The gating features are kernel principal components of the training samples, centred, divided by
    the standard deviation of the first: a penalty on their coefficients is one on the norm of the
    scores in the kernel's space. Bring kernels to one scale before, as :class:`ColumnKernelizer`
    does.

    Softmax gates prefer to choose: the composite of m equal kernels at uniform gates is one of them
    divided by m, and the smaller a kernel, the dearer a margin. Where all modalities help for all
    samples, sigmoid gates usually predict better. At the start these are 1/2 for all.

    Steps are those of L-BFGS on J, which is differentiable where the machine is unique: the
    gradient follows from the dual variables (the paper goes down the gradient by turns with the
    machine). With more than two classes the problems "class u against the rest" share the gates,
    and their objectives are summed.

    References
    ----------
    Goenen and Alpaydin, "Localized multiple kernel learning", ICML (2008).

    Goenen and Alpaydin, "Localized algorithms for multiple kernel learning", Pattern Recognition 46
    (2013): sigmoid gates.

    Examples
    --------
    The sign of one of two readings is the class; which of them, a third modality knows.

    >>> import numpy as np
    >>> from mkfusion import ColumnKernelizer, LocalizedMKLClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = np.where(X[:, 2] > 0, X[:, 0] > 0, X[:, 1] > 0)
    >>> kernels = [("first", "linear", [0]), ("second", "linear", [1]), ("which", "linear", [2])]
    >>> gated = LocalizedMKLClassifier(
    ...     C=10, gating="softmax", gating_kernel="which", gating_only=True, random_state=0
    ... )
    >>> model = make_pipeline(ColumnKernelizer(kernels, normalize="trace"), gated).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> gated.gate(model[0].transform(np.array([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]]))).round()
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "gating": [Options(str, {"softmax", "sigmoid"})],
        "gating_kernel": [str, Integral, "array-like", None],
        "gating_only": ["boolean"],
        "gating_components": [Interval(Integral, 1, None, closed="left")],
        "gating_ridge": [Interval(Real, 0, None, closed="neither")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, Options(str, {"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        gating: str = "sigmoid",
        gating_kernel: Any = None,
        gating_only: bool = False,
        gating_components: int = 5,
        gating_ridge: float = 0.1,
        n_init: int = 3,
        class_weight: dict[Any, float] | str | None = None,
        tol: float = 1e-3,
        max_iter: int = 200,
        max_time: float | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.C = C
        self.gating = gating
        self.gating_kernel = gating_kernel
        self.gating_only = gating_only
        self.gating_components = gating_components
        self.gating_ridge = gating_ridge
        self.n_init = n_init
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn gates and the machine on the gated kernels.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Class labels: strings, integers or booleans.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError, TypeError, IndexError
            If a parameter is out of its range, the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y labels, `gating_kernel` is not among
            them, or there is one class only.
        MemoryError
            With the sizes, if a few matrices between all samples cannot be held.
        """
        self._validate_params()
        stack = training_stack(self, X, y=y, sample_weight=sample_weight)
        labels = read_labels(stack, y)
        weights = class_weights(self.class_weight, sample_weight, stack, labels)
        gating, gated = self._roles(stack)
        stack = checked(stack)
        name, n_tasks = type(self).__name__, len(labels.signs)
        weigh_gated(name, stack, n_tasks, self.n_init, verbose=bool(self.verbose))
        warn_degenerate(stack, labels.signs.T, stacklevel=2)
        deadline = Deadline(self.max_time)
        with one_blas_thread():
            features = learn_features(stack, gating, self.gating_components, weights, deadline)
            machines = GatedMachines(
                stack,
                gated,
                features.of(stack),
                labels.signs,
                self.C * weights,
                self.gating,
                self.gating_ridge,
                self.tol,
                deadline,
            )
            descents = self._descend(machines, deadline)
            best = min(descents, key=lambda descent: descent.curve[-1])
            solution = machines.solution(best.theta)
        remember_input(self, X, stack.shape[0])
        self.classes_ = labels.classes
        self.kernel_names_ = stack.names
        self._features, self._gated = features, gated
        self.gate_intercept_, self.gate_coef_ = best.theta[:, 0], best.theta[:, 1:]
        self.gate_landmarks_ = features.landmarks
        self.support_ = np.flatnonzero(solution.beta.any(axis=0))
        self.dual_coef_ = solution.beta[:, self.support_]
        self._support_gates = machines.gates(best.theta)[self.support_]
        self.intercept_ = solution.intercept
        self.objective_ = solution.objective
        self.objective_curve_ = np.array(best.curve)
        self.start_objectives_ = np.array([descent.curve[-1] for descent in descents])
        self.duality_gap_ = solution.gap
        self.n_iter_ = len(best.curve)
        if best.exhausted or solution.gap > self.tol:
            warnings.warn(
                f"{type(self).__name__} took {self.n_iter_ - 1} steps (max_iter={self.max_iter}, "
                f"max_time={self.max_time}) to the objective {self.objective_:.6g}, and "
                f"reached the relative duality gap {self.duality_gap_:.2g} (tol={self.tol:g}). "
                "Raise max_iter, max_time, tol or gating_ridge, or bring the kernels to one scale.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _roles(self, stack: KernelStack) -> tuple[Floats, Indices]:
        """Return the weights of kernels in the gating kernel, and the kernels that are gated."""
        n_kernels = stack.shape[2]
        everything = np.arange(n_kernels)
        which = self.gating_kernel
        gating = everything if which is None else kernels_of(which, stack.names, "gating_kernel")
        gated = np.setdiff1d(everything, gating) if self.gating_only else everything
        if not gated.size:
            raise ValueError(
                f"gating_only is True and gating_kernel is {shown(which)}: of {n_kernels} kernels "
                "none is left to be gated; expected a gating_kernel that leaves at least one."
            )
        weights = np.zeros(n_kernels)
        weights[gating] = 1.0 / gating.size
        return weights, gated

    def _descend(self, machines: GatedMachines, deadline: Deadline) -> list[Descent]:
        """Descend from every start, until the deadline."""
        rng = check_random_state(self.random_state)
        descents = []
        for start in range(self.n_init):
            if start and deadline.passed:
                break
            theta = rng.normal(size=machines.shape) if start else np.zeros(machines.shape)

            def report(n_steps: int, objective: float, start: int = start) -> None:
                if self.verbose:
                    print(f"[LMKL] start {start + 1}, step {n_steps}: objective {objective:.6g}")

            descents.append(machines.descend(theta, self.max_iter, report))
        return descents
