"""Which element of one modality belongs to which of another: optimal transport."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_scalar

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.cca._retrieval import check_same_space

METRICS = ("cosine", "euclidean", "sqeuclidean")
_MAX_ITER = 10_000
# Sum of what rows have more or less than their mass where the entropic iterations stop.
_TOL = 1e-9
# Pivots of the exact method.
_MAX_PIVOTS = 100_000_000


class Correspondence(NamedTuple):
    """Outcome of :func:`correspondence`.

    Attributes
    ----------
    plan : ndarray of shape (n_a, n_b)
        How much of each element of A goes to each of B. Rows sum to the masses of A, columns to
        those of B.
    cost : float
        Mean distance of what is moved: the sum of plan times distances.
    partners : ndarray of shape (n_a,)
        For each element of A, the one of B that gets most of it.
    shares : ndarray of shape (n_a,)
        Share of each element of A that its partner gets: 1 leaves no doubt; NaN for no mass.

    Examples
    --------
    >>> from mkfusion import correspondence
    >>> found = correspondence([[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [3.0, 0.0]])
    >>> found.plan
    array([[0. , 0.5],
           [0.5, 0. ]])
    >>> found.partners
    array([1, 0])
    """

    plan: Floats
    cost: float
    partners: Indices
    shares: Floats


def correspondence(
    A: ArrayLike,
    B: ArrayLike,
    *,
    metric: str = "cosine",
    regularisation: float = 0.0,
    masses_a: ArrayLike | None = None,
    masses_b: ArrayLike | None = None,
) -> Correspondence:
    """Match the elements of two modalities by optimal transport in a shared space.

    Words of a sentence and regions of an image, or samples whose pairing was lost: everything in A
    goes to something in B so that the distances on the way sum up to the least, and nothing in B
    gets more than its mass. Retrieval, one query at a time, has no such balance: one element of B
    may be the nearest to all of A.

    Parameters
    ----------
    A : array-like of shape (n_a, n_components)
        Scores of the elements of one modality, such as ``cca.transform_modality(words, "text")``.
    B : array-like of shape (n_b, n_components)
        Scores of those of another.
    metric : {"cosine", "euclidean", "sqeuclidean"}, default="cosine"
        Distance of scores; the cosine's is one less it.
    regularisation : float, default=0.0
        0 is the exact optimum: with as many elements of equal mass on both sides, an assignment of
        one to one. Larger ones add the plan's negative entropy, times this and the mean distance: a
        soft correspondence, which is faster for thousands of elements. Try 0.05 to 0.5.
    masses_a : array-like of shape (n_a,), default=None
        How much there is of each element of A: positive or zero, in any unit. None: all alike.
    masses_b : array-like of shape (n_b,), default=None
        How much each element of B takes.

    Returns
    -------
    Correspondence
        Named tuple of `plan`, `cost`, `partners` and `shares`.

    Raises
    ------
    ImportError
        If POT is not installed: ``pip install "mkfusion[transport]"``.
    ValueError
        If a parameter is out of its range, masses are negative, or spaces differ.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the iterations do not settle, which a larger `regularisation` mends.

    See Also
    --------
    retrieve : The nearest, without balance.

    References
    ----------
    Flamary et al., "POT: Python optimal transport", JMLR 22 (2021): what solves it.

    Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS (2013).

    Examples
    --------
    >>> from mkfusion import correspondence
    >>> found = correspondence([[1.0, 0.0], [1.0, 0.3]], [[1.0, 0.2], [0.0, 1.0]])
    >>> found.partners  # both are nearest to the first, which one of them alone can have
    array([0, 1])
    """
    a, b = check_same_space(A, B, ("A", "B"))
    if metric not in METRICS:
        raise ValueError(f"metric is {shown(metric)}; expected one of {', '.join(METRICS)}.")
    check_scalar(regularisation, "regularisation", Real, min_val=0.0)
    if not np.isfinite(regularisation):
        raise ValueError(f"regularisation is {shown(regularisation)}; expected a finite number.")
    mass_a, mass_b = _masses(masses_a, len(a), "masses_a"), _masses(masses_b, len(b), "masses_b")
    if metric == "cosine":
        for name, scores in (("A", a), ("B", b)):
            if not scores.any(axis=1).all():
                raise ValueError(
                    f"{name} has elements at the origin, which have no cosine; expected others, or "
                    'metric="euclidean".'
                )
    distances = np.maximum(cdist(a, b, metric), 0.0)
    if not np.isfinite(distances).all():
        raise ValueError(
            f"A and B lie too far apart for metric={shown(metric)}: distances overflow; expected "
            "scores on a smaller scale."
        )
    plan = _transport(mass_a, mass_b, distances, float(regularisation))
    partners = plan.argmax(axis=1)
    most = plan[np.arange(len(plan)), partners]
    shares = np.divide(most, mass_a, out=np.full(len(a), np.nan), where=mass_a > 0.0)
    return Correspondence(plan, float(np.sum(plan * distances)), partners, np.minimum(shares, 1.0))


def _masses(given: ArrayLike | None, n: int, name: str) -> Floats:
    """Return masses that sum to one."""
    if given is None:
        return np.full(n, 1.0 / n)
    if np.shape(given) != (n,):
        raise ValueError(f"{name} has shape {np.shape(given)}; expected ({n},).")
    masses = check_array(given, dtype=np.float64, ensure_2d=False, input_name=name)
    if masses.min() < 0.0 or not masses.any():
        raise ValueError(f"{name} holds {shown(masses.min())}; expected masses, not all of them 0.")
    scaled = masses / masses.max()
    return np.asarray(scaled / scaled.sum())


def _transport(mass_a: Floats, mass_b: Floats, distances: Floats, regularisation: float) -> Floats:
    """Return the plan between what has mass; the rest of it is 0."""
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            'correspondence() needs POT, which is not installed: pip install "mkfusion[transport]".'
        ) from error
    largest = float(distances.max())
    if largest == 0.0:  # all the same: any plan is optimal, and none is more even
        return np.outer(mass_a, mass_b)
    some = np.ix_(mass_a > 0.0, mass_b > 0.0)
    a, b, scaled = mass_a[mass_a > 0.0], mass_b[mass_b > 0.0], distances[some] / largest
    if regularisation == 0.0:
        found, log = ot.emd(a, b, scaled, numItermax=_MAX_PIVOTS, log=True)
        settled = log["warning"] is None
    else:
        found = ot.sinkhorn(
            a,
            b,
            scaled,
            regularisation * float(scaled.mean()),
            method="sinkhorn_log",
            numItermax=_MAX_ITER,
            stopThr=_TOL,
            warn=False,
        )
        off = np.abs(found.sum(axis=1) - a).sum() + np.abs(found.sum(axis=0) - b).sum()
        settled = bool(off <= 1e3 * _TOL)
    if not settled:
        warnings.warn(
            "The correspondence did not settle: elements have not quite their masses. Expected a "
            f"larger regularisation than {regularisation:g}.",
            ConvergenceWarning,
            stacklevel=3,
        )
    plan = np.zeros_like(distances)
    plan[some] = found
    return plan
