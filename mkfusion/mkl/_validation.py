"""What estimators on kernels learn from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight

from mkfusion._messages import shown
from mkfusion.data import Labels, read_weights
from mkfusion.solvers import CACHE, MANY_KERNELS, bytes_of_rows, one_blas_thread
from mkfusion.stack import KernelStack

# Kernels on demand are computed once and kept if they are not larger than this.
IN_MEMORY_BYTES = 2**31
# Kernels of so few features altogether, compared with samples, are multiplied out as rows are read:
# in no more time, and without the memory.
_LOW_RANK = 5


# Sums of products of so large entries with dual variables still are numbers.
LARGEST_ENTRY = 1e100


class Training(NamedTuple):
    """What an estimator learns from.

    Attributes
    ----------
    stack : KernelStack
        Checked Gram matrices, in memory unless they are very large.
    groups : list of ndarray of shape (n_tasks, n)
        Targets of the tasks that share kernel weights: signs of one-versus-rest problems, or
        numbers.
    weights : ndarray of shape (n,)
        Factors of the price of each sample's loss.
    classes : ndarray of shape (n_classes,) or None
    given : ndarray of shape (n,) or None
        Class labels or numbers as they came.
    """

    stack: KernelStack
    groups: list[NDArray[np.float64]]
    weights: NDArray[np.float64]
    classes: NDArray[Any] | None = None
    given: NDArray[Any] | None = None


def checked(stack: KernelStack, cache: int = CACHE) -> KernelStack:
    """Return Gram matrices that were checked, in memory unless they are very large.

    `cache` are the bytes that they and the rows of a composite kernel may take together.
    """
    few = stack.shape[2] <= MANY_KERNELS and not stack.in_memory
    if few and _belongs_in_memory(stack, cache - bytes_of_rows(stack.shape[0])):
        # The solver reads rows of these many times; of more kernels it sees a few whole passes.
        stack = stack.materialize()
    _check_size(stack)
    if stack.known_gram.all():
        return stack
    with one_blas_thread():
        stack.check_gram("X")
    return stack


def _check_size(stack: KernelStack) -> None:
    """Refuse kernels whose squares overflow, or do as soon as they are added up.

    The largest entries of a Gram matrix are on its diagonal.
    """
    suspects = np.arange(stack.shape[2]) if stack.in_memory else np.flatnonzero(~stack.known_gram)
    if not suspects.size:
        return
    some = stack if len(suspects) == stack.shape[2] else stack.select(suspects)
    largest = np.abs(some.diagonal()).max(axis=1)
    if (largest > LARGEST_ENTRY).any():
        k = int(suspects[largest.argmax()])
        raise ValueError(
            f"X[{k}] ({stack.names[k]!r}) has the entry {largest.max():.3g} on its diagonal, whose "
            f"square overflows in double precision; expected entries of at most {LARGEST_ENTRY:g}. "
            "Divide the kernel, or the features that it is computed from, by their size."
        )


def _belongs_in_memory(stack: KernelStack, room: int) -> bool:
    """Whether passes over rows are faster over a copy in memory, for which there is room."""
    if stack.rank is not None and _LOW_RANK * stack.rank <= stack.shape[0]:
        return False
    return bool(stack.dtype.itemsize * np.prod(stack.shape) <= min(room, IN_MEMORY_BYTES))


def class_weights(
    class_weight: Any, sample_weight: Any, X: KernelStack, labels: Labels
) -> NDArray[np.float64]:
    """Return the factor (n,) of C for each sample."""
    _, classes, codes = labels
    if class_weight is None:
        per_class = np.ones(len(classes))
    else:
        per_class = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    if not np.all(np.isfinite(per_class) & (per_class >= 0)):
        raise ValueError(
            f"class_weight gives the weights {per_class.tolist()}; expected finite non-negative "
            "numbers."
        )
    product: NDArray[np.float64] = per_class[codes] * read_weights(sample_weight, X)
    counted = np.unique(codes[product > 0])
    if len(counted) < len(classes):
        missing = [c for k, c in enumerate(classes.tolist()) if k not in counted]
        raise ValueError(
            f"sample_weight and class_weight leave no sample of the class(es) {shown(missing)}; "
            "expected at least one sample with positive weight in each class."
        )
    return product
