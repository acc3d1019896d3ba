"""Products of different kernels, beside the kernels themselves."""

from __future__ import annotations

from itertools import combinations
from numbers import Integral
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from mkfusion._compat import Interval
from mkfusion.kernels._kernel import factor_label
from mkfusion.stack import (
    KernelStack,
    ProductStack,
    as_stack,
    prediction_stack,
    training_stack,
)


def interaction_kernels(stack: Any, order: int = 2, *, within_entries: bool = True) -> KernelStack:
    """Add the products of different kernels to a stack.

    A sum of kernels of single modalities is additive fusion: what one modality says about a sample
    does not depend on the others. The element-wise product of two kernels has all products of their
    features for features (tensor fusion). Multiple kernel learning on all of them weighs additive
    against multiplicative fusion.

    Parameters
    ----------
    stack : KernelStack, or list of m arrays of shape (n_rows, n_cols)
        m kernels, between training samples or between any.
    order : int, default=2
        The largest number of kernels in a product; 1 adds nothing.
    within_entries : bool, default=True
        Whether to multiply kernels of one entry of a :class:`~mkfusion.ColumnKernelizer` too, such
        as ``accel:rbf`` and ``accel:linear``; if not, only kernels of different modalities are.

    Returns
    -------
    KernelStack
        The m kernels, then the products of two, of three and so on, named like
        ``accel:rbf * gyro:linear``. In memory if `stack` is, otherwise computed on demand, where
        each kernel is evaluated once however many products it occurs in.

    Raises
    ------
    ValueError, TypeError
        If `order` is not a positive integer, or the stack has such products already.

    See Also
    --------
    InteractionKernels : The same as a step of a pipeline.

    Notes
    -----
    Products of positive semi-definite kernels are positive semi-definite (Schur product theorem).
    Of m kernels there are m (m - 1) / 2 products of two.

    What is asked decides the normalisation of the kernels. Where a kernel has features that hardly
    vary, as an RBF kernel has, its products have nearly the other kernel's features among their
    own: they can stand for additive fusion too, and get weight for it. Products of centred kernels,
    ``ColumnKernelizer(..., normalize="center")``, are what is left besides additive effects, so
    that their weights tell one from the other.

    References
    ----------
    Durrande, Ginsbourger, Roustant and Carraro, "ANOVA kernels and RKHS of zero mean functions for
    model-based sensitivity analysis", Journal of Multivariate Analysis 115 (2013): why to centre.

    Zadeh, Chen, Poria, Cambria and Morency, "Tensor fusion network for multimodal sentiment
    analysis", EMNLP (2017).

    Gönen and Alpaydın, "Multiple kernel learning algorithms", JMLR 12 (2011): products of kernels.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import KernelStack, interaction_kernels
    >>> a, b = np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> stack = interaction_kernels(KernelStack([a, b], names=["accel", "gyro"]))
    >>> stack.names
    ['accel', 'gyro', 'accel * gyro']
    >>> stack.gram("accel * gyro")
    array([[2. , 0.5],
           [0.5, 2. ]])
    """
    check_scalar(order, "order", Integral, min_val=1)
    if not isinstance(stack, KernelStack):
        stack = as_stack(stack, None, "stack")
    return _with_products(stack, *products_of(stack.names, order, within_entries))


class InteractionKernels(TransformerMixin, BaseEstimator):
    """Add the products of different kernels to a stack, in a pipeline.

    ``make_pipeline(ColumnKernelizer(...), InteractionKernels(), MKLClassifier())`` weighs additive
    against multiplicative fusion; a grid search over ``interactionkernels__order`` compares it with
    additive fusion alone, which is order 1.

    Parameters
    ----------
    order : int, default=2
        The largest number of kernels in a product; 1 adds nothing.
    within_entries : bool, default=True
        Whether to multiply kernels of one entry of a :class:`~mkfusion.ColumnKernelizer` too, such
        as ``accel:rbf`` and ``accel:linear``; if not, only kernels of different modalities are.

    Attributes
    ----------
    factors_ : list of tuple of int
        Which kernels of the stack that `fit` saw are multiplied, for each kernel that `transform`
        returns: ``(0,)`` is the first one alone, ``(0, 2)`` the product of the first and the third.
    kernel_names_ : list of str
        The names in the stacks that `transform` returns.
    n_features_in_ : int
        Number of training samples: the columns of all kernels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    See Also
    --------
    interaction_kernels : The same for one stack; why to centre the kernels, and references.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from mkfusion import ColumnKernelizer, InteractionKernels, MKLClassifier, Modalities
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(left=rng.normal(size=(60, 1)), right=rng.normal(size=(60, 1)))
    >>> y = X["left"][:, 0] * X["right"][:, 0] > 0  # neither says anything alone
    >>> kernels = [("left", "linear", "left"), ("right", "linear", "right")]
    >>> kernelizer = ColumnKernelizer(kernels, normalize="center")
    >>> model = make_pipeline(kernelizer, InteractionKernels(), MKLClassifier())
    >>> model.fit(X, y)[-1].weights_.round(1)
    array([0., 0., 1.])
    >>> model[-1].kernel_names_
    ['left:linear', 'right:linear', 'left:linear * right:linear']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "order": [Interval(Integral, 1, None, closed="left")],
        "within_entries": ["boolean"],
    }

    def __init__(self, order: int = 2, *, within_entries: bool = True) -> None:
        self.order = order
        self.within_entries = within_entries

    @property
    def factors_(self) -> list[tuple[int, ...]]:
        check_is_fitted(self)
        return list(self._factors)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the names of the kernels.

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
            If a parameter is out of its range, or these are not kernels between training samples.
        """
        self._validate_params()
        stack = training_stack(self, X)
        names, factors = products_of(stack.names, self.order, self.within_entries)
        validate_data(self, stack if isinstance(X, list | tuple) else X, skip_check_array=True)
        self.kernel_names_ = names
        self._names = stack.names
        self._factors = factors
        return self

    def transform(self, X: Any) -> KernelStack:
        """Add the products.

        Parameters
        ----------
        X : KernelStack, list of m arrays of shape (n_samples, n), or ndarray of shape \
                (n_samples, n, m) or (n_samples, n)
            Kernels between samples and the n training samples.

        Returns
        -------
        KernelStack
            As :func:`interaction_kernels` returns it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self._names)
        return _with_products(stack, self.kernel_names_, self._factors)


def _with_products(
    stack: KernelStack, names: list[str], factors: list[tuple[int, ...]]
) -> KernelStack:
    products = ProductStack(stack, factors, names)
    return products.materialize() if stack.in_memory else products


def products_of(
    names: list[str], order: int, within_entries: bool
) -> tuple[list[str], list[tuple[int, ...]]]:
    """Return the name of each product, and the kernels that make it: first each one alone."""
    # "accel:rbf" is of the entry "accel"; a kernel without an entry is one by itself.
    entries = [name.partition(":")[0] if ":" in name else f":{name}" for name in names]
    factors = [
        some
        for size in range(1, min(order, len(names)) + 1)
        for some in combinations(range(len(names)), size)
        if within_entries or len({entries[k] for k in some}) == size
    ]
    products = [" * ".join(factor_label(names[k]) for k in some) for some in factors[len(names) :]]
    repeated = sorted(set(names) & set(products))
    if repeated:
        raise ValueError(
            f"stack has the products {repeated} already; expected single kernels, and the order of "
            "products asked for at once."
        )
    return names + products, factors
