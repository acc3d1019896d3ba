"""Whether a kernel keeps what is said of kernels."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, NoReturn

import joblib
import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.svm import SVC

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._types import FloatArray, Indices
from mkfusion.kernels import Kernel, Kernelizer

# Values that should agree are computed in blocks of other shapes, and so in another order.
_RTOL = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-4}
# What float32 samples may change: rounded samples, then rounded sums.
_SINGLE_RTOL = 1e-3
_FEWEST_SAMPLES = 6


def check_kernel(
    kernel: Kernel, X: Any, y: ArrayLike | None = None, *, rtol: float | None = None
) -> None:
    """Check that a kernel keeps what the package relies on.

    These are: parameters, clones and pickles as of any scikit-learn estimator; a symmetric Gram
    matrix, positive semi-definite if the kernel says that it is, with the diagonal that `diag` has;
    values that depend on two samples and on what was learned, and not on the samples beside them,
    on how they are dealt out to blocks, or on whether they are new; samples that are left as they
    are, in float32 too; and what :class:`~mkfusion.Kernelizer`, :class:`~mkfusion.KernelStack` and
    ``SVC(kernel=kernel)`` make of it.

    Parameters
    ----------
    kernel : Kernel
        Cloned, not fitted.
    X : array-like, sparse matrix or list of shape (n_samples, ...)
        At least 6 samples of the kind that the kernel is for, as :class:`~mkfusion.Kernelizer`
        takes them, some of them unlike others. Let equal samples, missing values and other special
        cases be among them if the kernel is to have an answer for these.
    y : array-like of shape (n_samples,), default=None
        Classes for the machine, by default 0, 1, 0, 1, ...
    rtol : float, default=None
        By how much values may differ that should be equal, as a share of the largest k(x, x); 1e-8
        by default, and 1e-4 of kernels that return float32.

    Raises
    ------
    AssertionError
        If it does not keep something; the message says what, where, and by how much.
    TypeError, ValueError
        If `kernel` is no Kernel, or the samples are too few.

    See Also
    --------
    mkfusion.Kernel : The base class, and what subclasses may write.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import FeatureKernel
    >>> from mkfusion.testing import check_kernel
    >>> class SigmoidKernel(FeatureKernel):
    ...     def _evaluate(self, samples, others=None):
    ...         return np.tanh(samples @ (samples if others is None else others).T)
    ...
    ...     def _is_psd(self):
    ...         return True
    >>> check_kernel(SigmoidKernel(), np.linspace(-1.0, 1.0, 16).reshape(8, 2))
    Traceback (most recent call last):
    AssertionError: sigmoid: positive semi-definite: the smallest eigenvalue of the Gram matrix \
between 8 samples is -0.209..., the largest 4.19...; expected at least -4.2e-08, or that \
_is_psd() returns False.
    """
    if not isinstance(kernel, Kernel):
        raise TypeError(
            f"kernel is a {type(kernel).__name__}; expected an instance of a subclass of Kernel."
        )
    n_samples = num_samples(X)
    if n_samples < _FEWEST_SAMPLES:
        raise ValueError(f"X has {n_samples} samples; expected at least {_FEWEST_SAMPLES}.")
    labels = np.arange(n_samples) % 2 if y is None else np.asarray(y)
    _check_parameters(kernel)
    check = _Check(kernel, X, rtol)
    _check_learning(check)
    _check_gram(check)
    _check_copies(check)
    _check_calls(check)
    _check_new_samples(check)
    _check_single_precision(check)
    _check_stack(check)
    _check_machine(check, labels)
    check.check_samples()


def _hash(X: Any) -> str:
    # What SciPy remembers of a sparse matrix changes with looking at it.
    hashed: str = joblib.hash(X.toarray() if issparse(X) else X)
    return hashed


class _Check:
    """A kernel fitted on samples, its Gram matrix, and how to say what is wrong.

    Parameters
    ----------
    kernel : Kernel
    X : samples
    rtol : float or None
    """

    def __init__(self, kernel: Kernel, X: Any, rtol: float | None) -> None:
        self.kernel = kernel
        self.X = X
        self.before = _hash(X)
        self.name = type(kernel).__name__
        self.name = self.label()
        self.fitted: Kernel = clone(kernel)
        if self.fitted.fit(X) is not self.fitted:
            self.fail("fit", "returned something else; expected the kernel itself")
        self.gram: FloatArray = self.fitted(X)
        self.check_samples()
        n_samples = num_samples(X)
        self.check_block("Gram matrix", self.gram, (n_samples, n_samples))
        self.rtol = _RTOL[self.gram.dtype] if rtol is None else rtol
        self.scale = float(np.abs(np.diagonal(self.gram)).max()) or 1.0

    def label(self) -> str:
        """Return the name that the kernel has in stacks."""
        names = Kernelizer([clone(self.kernel)], normalize=None).fit(self.X).kernel_names_
        if not isinstance(names[0], str) or not names[0].strip() or "\n" in names[0]:
            self.fail("label", f"is {names[0]!r}; expected a short name on one line")
        return names[0]

    def fail(self, what: str, found: str) -> NoReturn:
        raise AssertionError(f"{self.name}: {what}: {found}.")

    def check_samples(self) -> None:
        """Refuse samples that are not what they were."""
        if _hash(self.X) != self.before:
            self.fail("samples", "X is not what it was before; expected that it is not modified")

    def some(self, rows: Indices) -> Any:
        """Return some of the samples."""
        return safe_indexing(self.X, rows)

    def check_block(self, what: str, block: Any, shape: tuple[int, ...]) -> None:
        """Refuse anything but finite floats of a shape."""
        if not isinstance(block, np.ndarray) or block.shape != shape:
            seen = getattr(block, "shape", "no shape")
            self.fail(what, f"is a {type(block).__name__}, {seen}; expected an array {shape}")
        if block.dtype not in _RTOL:
            self.fail(what, f"has the dtype {block.dtype}; expected float32 or float64")
        if not np.isfinite(block).all():
            self.fail(what, f"has {(~np.isfinite(block)).sum()} values that are not finite")

    def check_equal(
        self, what: str, found: Any, expected: Any, between: str, *, rtol: float | None = None
    ) -> None:
        """Refuse values that differ."""
        found, expected = np.asarray(found), np.asarray(expected)
        if found.shape != expected.shape:
            self.fail(what, f"{between} has shape {found.shape}; expected {expected.shape}")
        apart = np.abs(found.astype(np.float64) - expected)
        tolerance = (self.rtol if rtol is None else rtol) * self.scale
        if apart.size and not apart.max() <= tolerance:
            where = np.unravel_index(np.argmax(np.nan_to_num(apart, nan=np.inf)), apart.shape)
            at = ", ".join(map(str, where))
            self.fail(
                what,
                f"{between} differs by up to {apart[where]:.3g} ({found[where]:.6g} instead of "
                f"{expected[where]:.6g} at [{at}]); expected at most {tolerance:.2g}",
            )


def _check_parameters(kernel: Kernel) -> None:
    """Check that `__init__` keeps its arguments as they come, and does nothing else."""
    name = type(kernel).__name__
    arguments = inspect.signature(type(kernel)).parameters
    for key, argument in arguments.items():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise AssertionError(f"{name}: parameters: __init__ takes *{key}; expected names.")
    given = kernel.get_params(deep=False)
    needed = {key: given[key] for key, one in arguments.items() if one.default is one.empty}
    for made, expected in (
        (type(kernel)(**given), given),
        (type(kernel)(**needed), {key: one.default for key, one in arguments.items()} | needed),
    ):
        for key, value in expected.items():
            if made.get_params(deep=False)[key] is not value:
                raise AssertionError(
                    f"{name}: parameters: __init__ changes {key}; expected that it is kept as it "
                    "comes, and checked in fit."
                )
        own = set(vars(made)) - set(expected)
        if own:
            raise AssertionError(
                f"{name}: parameters: __init__ sets {sorted(own)}; expected its arguments, and "
                "nothing else."
            )
    if kernel.set_params(**given) is not kernel:
        raise AssertionError(f"{name}: parameters: set_params returns something else than self.")


def _check_learning(check: _Check) -> None:
    """Check that learning does not change parameters."""
    fitted = clone(check.kernel)
    kept = fitted.get_params(deep=False)
    fitted.fit(check.X)
    for name, value in fitted.get_params(deep=False).items():
        if value is not kept[name]:
            check.fail("parameters", f"fit changes {name}; expected {name}_ for what is learned")


def _check_gram(check: _Check) -> None:
    """Check symmetry, the diagonal, and eigenvalues if the kernel says that none is negative."""
    gram = check.gram
    check.check_equal("symmetry", gram, gram.T, "k(x, z), beside k(z, x),")
    diagonal = check.fitted.diag(check.X)
    check.check_block("diagonal", diagonal, (len(gram),))
    if diagonal.dtype != np.float64:
        check.fail("diagonal", f"diag returns {diagonal.dtype}; expected float64")
    check.check_equal("diagonal", diagonal, np.diagonal(gram), "diag(X), beside kernel(X),")
    if check.fitted.is_psd():
        symmetric = 0.5 * (gram.astype(np.float64) + gram.T)
        values = np.linalg.eigvalsh(symmetric)
        least = -check.rtol * max(values[-1], check.scale)
        if values[0] < least:
            check.fail(
                "positive semi-definite",
                f"the smallest eigenvalue of the Gram matrix between {len(gram)} samples is "
                f"{values[0]:.6g}, the largest {values[-1]:.6g}; expected at least {least:.2g}, or "
                "that _is_psd() returns False",
            )


def _check_copies(check: _Check) -> None:
    """Check that clones learn the same, and that pickles know the same."""
    again = clone(check.fitted).fit(check.X)
    check.check_equal("clone", again(check.X), check.gram, "the kernel of a clone")
    try:
        loaded = pickle.loads(pickle.dumps(check.fitted))
    except Exception as error:
        check.fail("pickle", f"the fitted kernel cannot be pickled ({error})")
    check.check_equal("pickle", loaded(check.X), check.gram, "the kernel of a pickle")


def _check_calls(check: _Check) -> None:
    """Check that a value depends on its two samples, and that a call leaves nothing behind."""
    n_samples = len(check.gram)
    state = joblib.hash(check.fitted)
    again = check.fitted(check.X)
    check.check_equal("calls", again, check.gram, "the second of two equal calls")
    again[:] = np.nan  # whoever asked may do so
    check.check_equal(
        "calls", check.fitted(check.X), check.gram, "what is returned after it was modified"
    )
    # A sample has no noise in common with itself in another collection: all but the diagonal.
    apart = ~np.eye(n_samples, dtype=bool)
    alone = np.vstack([check.fitted(check.some(np.array([i])), check.X) for i in range(n_samples)])
    check.check_block("rows alone", alone, (n_samples, n_samples))
    check.check_equal(
        "rows alone", alone[apart], check.gram[apart], "kernel(one sample, X), beside kernel(X),"
    )
    both = check.fitted(check.X, check.X)
    check.check_equal("rows alone", alone, both, "kernel(one sample, X), beside kernel(X, X),")
    order = np.random.default_rng(0).permutation(n_samples)
    rows, columns = order[: n_samples // 2], order[n_samples // 3 :]
    check.check_equal(
        "blocks",
        check.fitted(check.some(rows), check.some(columns)),
        both[np.ix_(rows, columns)],
        "kernel(some, others), beside kernel(X, X),",
    )
    if joblib.hash(check.fitted) != state:
        check.fail("calls", "a call changes the fitted kernel; expected that only fit learns")


def _halves(check: _Check) -> tuple[Indices, Indices]:
    """Return training samples, and new ones."""
    order = np.arange(len(check.gram))
    return order[order % 3 != 2], order[order % 3 == 2]


def _check_new_samples(check: _Check) -> None:
    """Check that new samples are compared by what was learned from others, and teach nothing."""
    train, test = _halves(check)
    X_train, X_test = check.some(train), check.some(test)
    fitted = clone(check.kernel).fit(X_train)
    found = fitted(X_test, X_train)
    check.check_block("new samples", found, (len(test), len(train)))
    check.check_equal("new samples", fitted(X_train, X_test).T, found, "kernel(X_train, X_test).T")
    for i, row in enumerate(test):
        check.check_equal(
            "new samples",
            fitted(check.some(np.array([row])), X_train)[0],
            found[i],
            "kernel(one new sample, X_train), beside that with all new samples,",
        )
    check.check_equal(
        "new samples", fitted.diag(X_test), np.diagonal(fitted(X_test)), "diag of new samples"
    )
    # As a kernel machine calls it.
    check.check_equal(
        "not fitted",
        clone(check.kernel)(X_test, X_train),
        found,
        "a kernel that learns from the columns, beside one that was fitted on them,",
    )
    machine = clone(check.kernel)
    machine(X_test, X_train)
    learned = set(vars(machine)) - set(vars(clone(check.kernel)))
    if learned:
        check.fail("not fitted", f"a call leaves {sorted(learned)}; expected nothing")
    refitted = copy.deepcopy(check.fitted).fit(X_train)
    check.check_equal(
        "fit",
        refitted(X_test, X_train),
        found,
        "a kernel that was fitted before, on other samples,",
    )


def _check_single_precision(check: _Check) -> None:
    """Check that float32 samples give about the same values."""
    if not (isinstance(check.X, np.ndarray) or issparse(check.X)) or check.X.dtype != np.float64:
        return
    single = check.X.astype(np.float32)
    found = clone(check.kernel).fit(single)(single)
    check.check_block("float32", found, check.gram.shape)
    check.check_equal(
        "float32",
        found,
        check.gram,
        "the kernel of float32 samples, beside that of float64,",
        rtol=max(check.rtol, _SINGLE_RTOL),
    )


def _check_stack(check: _Check) -> None:
    """Check blocks of a stack, which evaluates the kernel by its features if it has any."""
    n_samples = len(check.gram)
    kernelizer = Kernelizer([clone(check.kernel)], normalize=None)
    stack = kernelizer.fit_transform(check.X)
    gram = stack.gram(0)
    check.check_equal("stack", gram, check.gram, "the training kernel, beside kernel(X),")
    check.check_equal("stack", stack.diagonal()[0], np.diagonal(gram), "the diagonal")
    order = np.random.default_rng(1).permutation(n_samples)
    rows, columns = order[: n_samples // 2], order[n_samples // 3 :]
    for some, others in ((rows, columns), (rows, rows)):
        check.check_equal(
            "stack",
            stack[np.ix_(some, others)].gram(0),
            check.gram[np.ix_(some, others)],
            "a block of the training kernel (does the kernel have its own noise?)",
        )
    beta = np.where(np.arange(n_samples) % 2, 1.0, -0.5) / n_samples
    check.check_equal("stack", stack.dot(beta)[0], gram @ beta, "products with a vector")
    check.check_equal("stack", stack.quadratic(beta)[0], beta @ gram @ beta, "a quadratic form")
    check.check_equal(
        "stack",
        kernelizer.transform(check.X).gram(0),
        check.fitted(check.X, check.X),
        "the kernel of new samples, beside kernel(X, X),",
    )
    if check.fitted.is_psd():
        normalized = Kernelizer([clone(check.kernel)]).fit_transform(check.X).diagonal()[0]
        check.check_equal(
            "stack",
            normalized,
            np.diagonal(gram) > 0,
            "the diagonal, normalised,",
            rtol=check.rtol / check.scale,
        )


def _check_machine(check: _Check, y: Any) -> None:
    """Check that a machine that calls the kernel finds what it finds from the matrix."""
    train, test = _halves(check)
    X_train, X_test = check.some(train), check.some(test)
    fitted = clone(check.kernel).fit(X_train)
    called = SVC(kernel=check.kernel).fit(X_train, y[train])
    known = SVC(kernel="precomputed").fit(fitted(X_train, X_train), y[train])
    found = called.decision_function(X_test)
    expected = known.decision_function(fitted(X_test, X_train))
    bound = float(np.abs(known.dual_coef_).sum()) or 1.0
    check.check_equal(
        "SVC",
        found / bound,
        expected / bound,
        "the decision function of SVC(kernel=kernel), beside SVC(kernel='precomputed'),",
    )
    if set(vars(check.kernel)) - set(check.kernel.get_params(deep=False)) - {"_fresh"}:
        check.fail("SVC", "SVC(kernel=kernel) fits the kernel; expected that it is left as it is")
