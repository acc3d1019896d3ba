"""Partial information decomposition: redundant, unique and synergistic information."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import hstack, issparse
from scipy.stats import rankdata
from sklearn.base import clone, is_classifier
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_random_state

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import check_rows, one_target
from mkfusion.inspection._arguments import check_count, count_samples, group_codes, splits_of
from mkfusion.inspection._broja import GAP, couple, mutual_information
from mkfusion.inspection._display import as_frame, check_outcome

# So many samples in a state, at least on average, or frequencies are no probabilities.
_SAMPLES_PER_STATE = 2
# Decimal places of probabilities: equal ones of different folds stay equal.
_DIGITS = 12


def target_states(y: Any, bins: int | None) -> Indices:
    """Return the number of each sample's target value, or bin."""
    count_samples("y", y, 1)
    values = one_target(y)
    if bins is not None:
        check_count("target_bins", bins, 2)
        numbers = check_array(values[:, np.newaxis], dtype=np.float64, input_name="y")
        return _mid_rank_bins(numbers[:, 0], bins)
    return _discrete_states(values, "y", "target_bins")


def states_of(data: Any, bins: int | None, n_samples: int, name: str, rng: Any) -> Indices:
    """Return the number of each sample's state.

    Parameters
    ----------
    data : array-like of shape (n_samples,) or (n_samples, n_features)
    bins : int or None
        As for `partial_information`.
    n_samples : int
    name : str
        Of the modality, for messages.
    rng : RandomState

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    _check_length(data, n_samples, name)
    if bins is None:
        if issparse(data):
            raise TypeError(f"{name} is a sparse matrix; expected an array, or bins=.")
        return _discrete_states(np.asarray(data), name, "bins")
    table = _dense(data)
    numbers = check_array(
        table[:, np.newaxis] if table.ndim == 1 else table, dtype=np.float64, input_name=name
    )
    if numbers.shape[1] == 1:
        return _mid_rank_bins(numbers[:, 0], bins)
    return _clusters(StandardScaler().fit_transform(numbers), bins, rng)


def _check_length(data: Any, n_samples: int, name: str) -> None:
    n = count_samples(name, data, 1)
    if n != n_samples:
        raise ValueError(f"{name} has {n} samples; y has {n_samples}.")


def classifier_states(
    estimator: Any,
    A: Any,
    B: Any,
    y: Indices,
    names: tuple[str, str],
    bins: int,
    cv: Any,
    groups: Indices | None,
    rng: Any,
) -> tuple[Indices, Indices, Indices]:
    """Return states of A, of B and of both by what a classifier predicts from them out of fold.

    Parameters
    ----------
    estimator : classifier
    A, B : array-like of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    names : tuple of (str, str)
    bins : int
        States to make.
    cv : int, splitter or iterable of splits
    groups : ndarray of shape (n_samples,) or None
    rng : RandomState

    Returns
    -------
    a, b, both : ndarray of shape (n_samples,)
    """
    n = len(y)
    tables = []
    for data, name in zip((A, B), names, strict=True):
        _check_length(data, n, name)
        table = data if issparse(data) else np.asarray(data)
        tables.append(table[:, np.newaxis] if table.ndim == 1 else table)
        if tables[-1].ndim != 2:
            raise ValueError(
                f"{name} has {tables[-1].ndim} dimensions; expected two with estimator."
            )
    sparse = any(map(issparse, tables))
    both = hstack(tables).tocsr() if sparse else np.hstack(tables)
    splits = splits_of(estimator, cv, n, y, groups, rng)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(f"{type(estimator).__name__} has no predict_proba; expected one that has.")
    n_tests = np.bincount(np.concatenate([test for _, test in splits]), minlength=n)
    if not (n_tests == 1).all():
        raise ValueError("cv leaves samples out of no fold, or of several; expected of one each.")
    found, frequencies = [], np.bincount(y) / n
    for X in (*tables, both):
        X = X.tocsr() if hasattr(X, "tocsr") else X
        proba = np.zeros((n, y.max() + 1))
        for train, test in splits:
            model = clone(estimator).fit(X[train], y[train])
            # Folds whose classes are of other frequencies would tell them by their intercepts.
            shift = frequencies[model.classes_] * len(train) / np.bincount(y[train])[model.classes_]
            some = model.predict_proba(X[test]) * shift
            proba[np.ix_(test, model.classes_)] = some / some.sum(axis=1, keepdims=True)
        found.append(_proba_states(proba, bins, rng))
    return found[0], found[1], found[2]


def _proba_states(proba: Floats, bins: int, rng: Any) -> Indices:
    if proba.shape[1] <= 2:
        # The difference, without what rounding does to it: the same but for its sign whichever
        # class is called the first.
        return _mid_rank_bins(np.round(proba[:, -1] - proba[:, 0], _DIGITS), bins)
    return _clusters(np.sqrt(proba), bins, rng)  # where distances are Hellinger's


def _discrete_states(values: NDArray[Any], name: str, argument: str) -> Indices:
    """Return the number of each sample's value, or row."""
    flat = values.reshape(len(values), -1)
    if flat.dtype == object:
        flat = flat.astype(str)
    unique, numbers = np.unique(flat, axis=0, return_inverse=True)
    few = len(values) / _SAMPLES_PER_STATE
    if len(unique) > max(few, 20):
        raise ValueError(
            f"{name} has {len(unique)} different values in {len(values)} samples; expected few "
            f"(or {argument}=)."
        )
    return np.asarray(numbers).reshape(-1).astype(np.intp)


def _mid_rank_bins(values: Floats, bins: int) -> Indices:
    """Return bins of about equally many samples, ``floor(bins (rank - 1/2) / n)`` of average ranks.

    Equal values have the same rank, and so the same bin. Values that vary are in two bins or more:
    the mid-ranks of the smallest and of the largest one are at least n / 2 apart. The bins of the
    negative values are the same ones in reverse.
    """
    twice = np.rint(2.0 * rankdata(values) - 1.0).astype(np.intp)  # 2 rank - 1: whole numbers
    codes, rest = np.divmod(bins * twice, 2 * len(values))
    # Rounding down alone would not be symmetric: a mid-rank at an edge goes to the bin that is
    # nearer to the middle, and one in the middle to the half whose values are nearer to it.
    at_edge = rest == 0
    upper, middle = at_edge & (2 * codes > bins), at_edge & (2 * codes == bins)
    codes[upper] -= 1
    if middle.any() and values.mean() > values[middle][0]:
        codes[middle] -= 1
    return np.unique(codes, return_inverse=True)[1].astype(np.intp)


def _dense(data: Any) -> NDArray[Any]:
    return np.asarray(data.toarray() if issparse(data) else data)


def _varies(data: Any) -> bool:
    table = _dense(data)
    return bool((table != table[:1]).any())


def _clusters(points: NDArray[np.float64], bins: int, rng: Any) -> Indices:
    distinct = len(np.unique(points, axis=0))
    codes = KMeans(min(bins, distinct), n_init=10, random_state=rng).fit_predict(points)
    return np.unique(codes, return_inverse=True)[1].astype(np.intp)


@dataclass(frozen=True, eq=False, repr=False)
class PartialInformation:
    """Outcome of :func:`partial_information`, in bits.

    Parameters
    ----------
    names : tuple of (str, str)
        What A and B are called.
    redundancy : float
        What A says about y and B as well.
    unique_a, unique_b : float
        What only A, or only B, says.
    synergy : float
        What only both together say.
    information_a, information_b : float
        Mutual information of y with A (``redundancy + unique_a``), and with B.
    information : float
        Mutual information of y with both: the sum of the four parts.
    entropy : float
        Of y: the most that there is to know.
    measure : str
        "broja" or "i_min".

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import partial_information
    >>> a = np.array([0, 0, 1, 1])
    >>> partial_information(a, a, a, names=("left", "right")).parts
    {'redundancy': 1.0, 'unique left': 0.0, 'unique right': 0.0, 'synergy': 0.0}
    """

    names: tuple[str, str]
    redundancy: float
    unique_a: float
    unique_b: float
    synergy: float
    information_a: float
    information_b: float
    information: float
    entropy: float
    measure: str

    @property
    def parts(self) -> dict[str, float]:
        """The four parts by their names."""
        a, b = self.names
        return {
            "redundancy": self.redundancy,
            f"unique {a}": self.unique_a,
            f"unique {b}": self.unique_b,
            "synergy": self.synergy,
        }

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {bits:z.3f}" for name, bits in self.parts.items())
        return f"{self.information:.3f} of {self.entropy:.3f} bits: {parts}"

    def __repr__(self) -> str:
        return f"<PartialInformation: {self}>"

    def to_frame(self) -> Any:
        """Return the parts as a table.

        Returns
        -------
        pandas.DataFrame of shape (4, 2)
            With columns bits and share (of the information of both together; NaN if that is 0).

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        bits = list(self.parts.values())
        total = self.information if self.information > 0.0 else np.nan
        return as_frame({"bits": bits, "share": np.divide(bits, total)}, list(self.parts), "part")


def partial_information(
    A: ArrayLike,
    B: ArrayLike,
    y: ArrayLike,
    *,
    measure: str = "broja",
    bins: int | None = None,
    target_bins: int | None = None,
    estimator: Any = None,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    names: tuple[str, str] = ("A", "B"),
    random_state: Any = None,
) -> PartialInformation:
    """Divide what two modalities say about a target into what either, one, or only both say.

    Parameters
    ----------
    A, B : array-like of shape (n_samples,) or (n_samples, n_features), or DataFrame
        The modalities. Rows that are alike are one state, if neither `bins` nor `estimator` is
        given: for variables of few different values.
    y : array-like of shape (n_samples,)
        Target, of few different values too.
    measure : {"broja", "i_min"}, default="broja"
        What redundancy is:

        - "broja": of all joint distributions with the same pairs (A, y) and (B, y), synergy is
          what the one with the least information lacks (Bertschinger et al.);
        - "i_min": the mean over values of y of the smaller of what A and B say about it
          (Williams and Beer). Two independent copies of a bit each are redundant by it, for they
          say as *much*, though not the same.
    bins : int, default=None
        States to make of each modality, at most: bins of about equally many samples of a single
        column, by mid-ranks (see the notes), and k-means clusters of several scaled ones.
    target_bins : int, default=None
        Bins of about equally many samples to make of a continuous target, by mid-ranks too.
    estimator : classifier, default=None
        For modalities that are continuous or high-dimensional, an estimate by what a classifier
        can tell of y from A, from B and from both (their columns side by side), in predictions out
        of fold; see the notes. It is cloned.
    cv : int, splitter or iterable of splits, default=5
        Folds for `estimator`.
    groups : array-like of shape (n_samples,), default=None
        Samples that stay together in these folds.
    names : tuple of (str, str), default=("A", "B")
        What to call A and B in the outcome.
    random_state : int, RandomState instance or None, default=None
        Draws clusters and folds.

    Returns
    -------
    PartialInformation

    Raises
    ------
    ValueError, TypeError
        If A or B have nearly as many states as samples, or lengths differ, or both `bins` and
        `estimator` are given where only one may be.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the convex programme of "broja" is not solved to 1e-8 nats, by its duality gap.
    UserWarning
        If samples of a modality vary and are all in one state, of which nothing can be known.

    See Also
    --------
    PartialInformationDisplay : Draws the outcome.

    Notes
    -----
    These are plug-in estimates: frequencies are taken for probabilities. With few samples for each
    state, all information is too large, and synergy, which has the most states, by most: about
    ``(n_states_A n_states_B - 1)(n_states_y - 1) / (2 n ln 2)`` bits of the information of both
    together. Compare with the outcome for a shuffled y before believing in it.

    The bin of a value is ``floor(bins (rank - 1/2) / n)``, where equal values have the mean of
    their ranks, so that they stay together: the zeros of a zero-inflated column, however many, are
    one state, and the rest are others. The negative column has the same bins in reverse, but where
    a value lies in the middle of a symmetric column and could be on either side.

    With `bins` on several columns this is the estimator CVX of Liang et al.: clusters, then the
    convex programme.

    With `estimator`, a state of A is a cluster (`bins` of them, 8 by default) of the probabilities
    of y that the classifier predicts from A, out of fold, brought from the frequencies of y in the
    training part to those in all samples; likewise for B, and for both. What A says
    about y is what its ideal probabilities of y say, and redundancy and unique information depend
    on the pairs (A, y) and (B, y) only, so that nothing is lost but by an imperfect classifier, and
    the clusters; synergy is what the classifier of both knows beyond. It is *not* the estimator
    BATCH of Liang et al., which trains networks to couple the modalities. A classifier that learns
    less from both than from one shows up as a negative synergy, which is left as it is.

    References
    ----------
    Williams and Beer, "Nonnegative decomposition of multivariate information", arXiv:1004.2515
    (2010).

    Bertschinger, Rauh, Olbrich, Jost and Ay, "Quantifying unique information", Entropy 16 (2014).

    Liang et al., "Quantifying & modeling multimodal interactions: an information decomposition
    framework", NeurIPS (2023).

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import partial_information
    >>> A = np.array([0, 0, 1, 1])
    >>> B = np.array([0, 1, 0, 1])
    >>> print(partial_information(A, B, A ^ B))
    1.000 of 1.000 bits: redundancy 0.000, unique A 0.000, unique B 0.000, synergy 1.000
    >>> round(partial_information(A, B, A & B).redundancy, 3)
    0.311
    """
    if measure not in ("broja", "i_min"):
        raise ValueError(f'measure is {shown(measure)}; expected "broja" or "i_min".')
    if bins is not None:
        check_count("bins", bins, 2)
    if not (isinstance(names, tuple) and len(names) == 2):
        raise TypeError(f"names is {shown(names)}; expected a tuple of two.")
    rng = check_random_state(random_state)
    check_rows(A, name="A", B=B, y=y, strict=True)
    target = target_states(y, target_bins)
    n = len(target)
    if estimator is None:
        states = [
            states_of(one, bins, n, name, rng) for one, name in zip((A, B), names, strict=True)
        ]
        for one, some, name in zip((A, B), states, names, strict=True):
            if not some.any() and _varies(one):
                warnings.warn(
                    f"{name} varies, but all of its samples are in one state, which says nothing; "
                    "expected columns whose differences are not lost beside their size.",
                    UserWarning,
                    stacklevel=2,
                )
        return decompose(joint_of(states[0], states[1], target), measure=measure, names=names)
    if not is_classifier(estimator):
        raise TypeError(f"estimator is a {type(estimator).__name__}; expected a classifier.")
    codes = group_codes(groups, A, "A")
    a, b, both = classifier_states(estimator, A, B, target, names, bins or 8, cv, codes, rng)
    found = decompose(joint_of(a, b, target), measure=measure, names=names)
    total = float(mutual_information(_counts(both, target)) / np.log(2.0))
    known = found.redundancy + found.unique_a + found.unique_b
    # Zero has no sign.
    synergy = total - known + 0.0
    return PartialInformation(**{**vars(found), "information": total + 0.0, "synergy": synergy})


def decompose(joint: Floats, *, measure: str, names: tuple[str, str]) -> PartialInformation:
    """Decompose the information of a joint distribution.

    Parameters
    ----------
    joint : ndarray of shape (n_a, n_b, n_y)
        Probabilities.
    measure : str
    names : tuple of (str, str)

    Returns
    -------
    PartialInformation
    """
    bit = np.log(2.0)
    with_a, with_b = joint.sum(axis=1), joint.sum(axis=0)
    a, b = mutual_information(with_a), mutual_information(with_b)
    total = mutual_information(joint.reshape(-1, joint.shape[2]))
    if measure == "broja":
        coupled = couple(joint)
        if not coupled.converged:
            warnings.warn(
                f"The unique information is known to {coupled.gap / bit:.1g} bits only; expected "
                f"{GAP / bit:.1g}. Fewer states help.",
                ConvergenceWarning,
                stacklevel=3,
            )
        # Between what one, and what both say, whatever the last digits.
        least = min(max(coupled.information, a, b), total)
        redundancy = a + b - least
    else:
        redundancy = _minimum_information(with_a, with_b)
    target = joint.sum(axis=(0, 1))
    entropy = -float(np.sum(target[target > 0.0] * np.log(target[target > 0.0])))
    parts = (redundancy, a - redundancy, b - redundancy, total - a - b + redundancy)
    # None is negative, but for rounding.
    bits = (max(0.0, float(v / bit)) for v in (*parts, a, b, total, entropy))
    r, u_a, u_b, s, i_a, i_b, i, h = bits
    return PartialInformation(names, r, u_a, u_b, s, i_a, i_b, i, h, measure)


def joint_of(a: NDArray[np.intp], b: NDArray[np.intp], y: NDArray[np.intp]) -> Floats:
    """Return the frequencies (n_a, n_b, n_y) of states that are numbered from 0."""
    joint = np.zeros((a.max() + 1, b.max() + 1, y.max() + 1))
    np.add.at(joint, (a, b, y), 1.0 / len(y))
    return joint


def _counts(a: NDArray[np.intp], y: NDArray[np.intp]) -> Floats:
    return joint_of(a, np.zeros_like(a), y)[:, 0]


def _minimum_information(with_a: Floats, with_b: Floats) -> float:
    """Return I_min: ``sum_y p(y) min_X sum_x p(x | y) log(p(y | x) / p(y))``."""
    target = with_a.sum(axis=0)
    specific = []
    for pair in (with_a, with_b):
        expected = pair.sum(axis=1, keepdims=True) * target
        ratio = np.divide(pair, expected, out=np.ones_like(pair), where=pair > 0.0)
        specific.append((pair * np.log(ratio)).sum(axis=0))
    return float(np.minimum(*specific).sum())


class PartialInformationDisplay:
    """Redundancy, unique information and synergy, in bits.

    Parameters
    ----------
    information : PartialInformation
        Outcome of :func:`partial_information`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    partial_information : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import PartialInformationDisplay
    >>> A, B = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> display = PartialInformationDisplay.from_samples(A, B, A ^ B)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['redundancy', 'unique A', 'unique B', 'synergy']
    """

    def __init__(self, information: PartialInformation) -> None:
        check_outcome("information", information, PartialInformation, "partial_information")
        self.information = information

    @classmethod
    def from_samples(cls, A: Any, B: Any, y: Any, *, ax: Any = None, **options: Any) -> Self:
        """Decompose what two modalities say of a target, and draw it.

        Parameters
        ----------
        A, B : array-like of shape (n_samples,) or (n_samples, n_features), or DataFrame
            The modalities.
        y : array-like of shape (n_samples,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`partial_information`.

        Returns
        -------
        PartialInformationDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`partial_information`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(partial_information(A, B, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the parts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        PartialInformationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        found = self.information
        ax = axes_of(ax, "PartialInformationDisplay", 2.8)
        places = np.arange(len(found.parts))
        ax.barh(places, list(found.parts.values()), color=["C2", "C0", "C1", "C3"])
        # To the right of 0 always: the names are to the left.
        for place, bits in zip(places, found.parts.values(), strict=True):
            ax.annotate(
                f"{bits:z.3f}",
                (max(bits, 0.0), place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
            )
        ax.set_yticks(places, list(found.parts))
        ax.invert_yaxis()
        ax.margins(x=0.2)
        ax.axvline(0.0, color="grey", lw=1)
        ax.set(xlabel="bits")
        ax.set_title(
            f"{found.information:.3f} of {found.entropy:.3f} bits are known together",
            fontsize="medium",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
