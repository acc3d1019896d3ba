"""Partial information of more than two sources: the redundancy lattice of Williams and Beer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import Modalities, check_rows
from mkfusion.inspection._arguments import check_count, check_names
from mkfusion.inspection._display import as_frame
from mkfusion.inspection._information import states_of, target_states

# With five sources the lattice has 7,579 nodes, which nobody reads.
_MOST_SOURCES = 4

# Which sources are together: a set of their numbers. A node of the lattice is a set of such sets,
# of which none contains another.
Coalition = frozenset[int]
Node = frozenset[Coalition]


@dataclass(frozen=True, eq=False, repr=False)
class InformationLattice:
    """Outcome of :func:`information_lattice`, in bits.

    A node such as ``"{a}{b, c}"`` stands for what a says as well as b and c together do.

    Parameters
    ----------
    names : list of n_sources str
    parts : dict of str to float
        For each node, what is known there and at none below it: not negative, and their sum is the
        information of all sources together. ``"{a}{b}{c}"`` is redundant in all, ``"{a}"`` unique
        to a, ``"{a, b, c}"`` synergy of all three.
    redundancies : dict of str to float
        For each node all that its coalitions say, each as well as the others: of one coalition
        alone its mutual information with y.
    information : float
        Mutual information of y with all sources.
    entropy : float
        Of y: the most that there is to know.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import information_lattice
    >>> bits = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    >>> print(information_lattice(dict(zip("abc", bits.T)), bits.sum(axis=1) % 2))
    1.000 of 1.000 bits: {a, b, c} 1.000
    """

    names: list[str]
    parts: dict[str, float]
    redundancies: dict[str, float]
    information: float
    entropy: float

    def __str__(self) -> str:
        some = {node: bits for node, bits in self.parts.items() if bits >= 0.0005}
        parts = ", ".join(f"{node} {bits:.3f}" for node, bits in some.items()) or "nothing known"
        return f"{self.information:.3f} of {self.entropy:.3f} bits: {parts}"

    def __repr__(self) -> str:
        return f"<InformationLattice: {self}>"

    def to_frame(self) -> Any:
        """Return all nodes as a table, from what all know to what only all together know.

        Returns
        -------
        pandas.DataFrame of shape (n_nodes, 2)
            With columns bits and redundancy.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = {
            "bits": list(self.parts.values()),
            "redundancy": list(self.redundancies.values()),
        }
        return as_frame(columns, list(self.parts), "node")


def information_lattice(
    sources: Mapping[str, ArrayLike] | Modalities,
    y: ArrayLike,
    *,
    measure: str = "i_min",
    bins: int | None = None,
    target_bins: int | None = None,
    random_state: Any = None,
) -> InformationLattice:
    """Divide what two to four modalities say about a target by who knows it.

    Parameters
    ----------
    sources : Modalities, or mapping of str to array-like of shape (n_samples,) or \
            (n_samples, n_features)
        Rows that are alike are one state, if `bins` is not given.
    y : array-like of shape (n_samples,)
        Target, of few different values.
    measure : {"i_min"}, default="i_min"
        What redundancy is: the mean over values of y of the least that a coalition of sources says
        about it (Williams and Beer). It is the one that comes with a decomposition of more than two
        sources into parts that are not negative. "broja" is defined for two, and of three no
        decomposition with its properties exists (Rauh et al.).
    bins : int, default=None
        States to make of each source, at most, as in :func:`partial_information`.
    target_bins : int, default=None
        Bins to make of a continuous target.
    random_state : int, RandomState instance or None, default=None
        Draws clusters.

    Returns
    -------
    InformationLattice

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two sources or more than four, two have one name, a source has
        nearly as many states as samples, lengths differ, or the measure is none for so many
        sources.

    See Also
    --------
    partial_information : Two sources, by "broja" too. Of more, it tells what is unique to one
        beside all the others, with these side by side as the second.

    Notes
    -----
    "i_min" says that sources are redundant where they say as *much* about the same values of y,
    though not the same: two independent copies of a bit each count as redundant, if y is both.

    "i_ccs", the common change in surprisal (Ince), is defined for any number of sources too, and
    does tell apart what is the same from what is as much. It is not offered: its parts may be
    negative, so that they are no shares of the information, and each node asks for a distribution
    of largest entropy among those with the marginals of its coalitions. The package dit has it.

    These are plug-in estimates, as in :func:`partial_information`, and the states of all sources
    together are many: with few samples for each the information is too large, and what seems to be
    synergy most of all. Compare with the outcome for a shuffled y.

    References
    ----------
    Williams and Beer, "Nonnegative decomposition of multivariate information", arXiv:1004.2515
    (2010).

    Ince, "Measuring multivariate redundant information with pointwise common change in surprisal",
    Entropy 19 (2017).

    Rauh, Bertschinger, Olbrich and Jost, "Reconsidering unique information: towards a multivariate
    information decomposition", IEEE ISIT (2014): why there is no "broja" of three.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import information_lattice
    >>> a = np.array([0, 0, 1, 1] * 2)
    >>> b = np.array([0, 1, 0, 1] * 2)
    >>> found = information_lattice({"a": a, "b": b, "copy of a": a}, a + 2 * b)
    >>> print(found)
    2.000 of 2.000 bits: {a}{b}{copy of a} 1.000, {a, b}{b, copy of a} 1.000
    """
    if measure == "broja":
        raise ValueError(
            'measure is "broja", which is defined for two sources: of three no decomposition has '
            'its properties. Expected "i_min", or partial_information of two (one of them may be '
            "all others side by side)."
        )
    if measure != "i_min":
        raise ValueError(f'measure is {shown(measure)}; expected "i_min".')
    if bins is not None:
        check_count("bins", bins, 2)
    if isinstance(sources, Modalities):
        sources = {name: sources[name] for name in sources.names}
    if not isinstance(sources, Mapping):
        raise TypeError(
            f"sources is a {type(sources).__name__}; expected a mapping of names to samples, or "
            "Modalities."
        )
    names = check_names("sources", sources)
    if not 2 <= len(names) <= _MOST_SOURCES:
        raise ValueError(
            f"sources has {len(names)} entries; expected two to {_MOST_SOURCES}: of five the "
            "lattice has 7579 nodes. Several can be one, side by side."
        )
    rng = check_random_state(random_state)
    tables = list(sources.values())
    for name, one in zip(names, tables, strict=True):
        check_rows(one, name=name, strict=True, sources=tables[0], y=y)
    target = target_states(y, target_bins)
    states = [
        states_of(one, bins, len(target), name, rng)
        for name, one in zip(names, tables, strict=True)
    ]
    return decompose_lattice(np.stack(states, axis=1), target, names)


def decompose_lattice(states: Indices, target: Indices, names: list[str]) -> InformationLattice:
    """Decompose the information of samples of states.

    Parameters
    ----------
    states : ndarray of shape (n_samples, n_sources)
    target : ndarray of shape (n_samples,)
    names : list of n_sources str

    Returns
    -------
    InformationLattice
    """
    chances = np.bincount(target) / len(target)
    k = states.shape[1]
    specific = {some: _specific(states[:, sorted(some)], target) for some in _coalitions(k)}
    nodes = _nodes(k)
    bit = np.log(2.0)
    redundancy: dict[Node, float] = {}
    part: dict[Node, float] = {}
    for node in nodes:  # from the bottom
        least = np.min([specific[some] for some in node], axis=0)
        redundancy[node] = max(0.0, float(least.sum()) / bit)
        below = sum(part[other] for other in part if _is_below(other, node))
        part[node] = max(0.0, redundancy[node] - below)
    labels = {node: _label(node, names) for node in nodes}
    some = chances[chances > 0.0]
    return InformationLattice(
        names,
        {labels[node]: bits for node, bits in part.items()},
        {labels[node]: bits for node, bits in redundancy.items()},
        redundancy[frozenset([frozenset(range(k))])],
        max(0.0, -float(np.sum(some * np.log(some))) / bit),
    )


def _specific(states: Indices, target: Indices) -> Floats:
    """Return ``p(y) sum_a p(a | y) log(p(y | a) / p(y))`` (n_y,) of the states a, in nats."""
    codes = np.unique(states, axis=0, return_inverse=True)[1].ravel()
    joint = np.zeros((codes.max() + 1, target.max() + 1))
    np.add.at(joint, (codes, target), 1.0 / len(target))
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    ratio = np.divide(joint, expected, out=np.ones_like(joint), where=joint > 0.0)
    said: Floats = (joint * np.log(ratio)).sum(axis=0)
    return said


def _coalitions(k: int) -> list[Coalition]:
    return [frozenset(some) for size in range(1, k + 1) for some in combinations(range(k), size)]


def _is_below(first: Node, second: Node) -> bool:
    """Whether every coalition of the second node contains one of the first, another node."""
    return first != second and all(any(a <= b for a in first) for b in second)


@cache
def _nodes(k: int) -> list[Node]:
    """Return all antichains of coalitions, each after those below it."""
    found: list[Node] = []

    def extend(chosen: list[Coalition], rest: list[Coalition]) -> None:
        if chosen:
            found.append(frozenset(chosen))
        for i, some in enumerate(rest):
            free = [other for other in rest[i + 1 :] if not (some <= other or other <= some)]
            extend([*chosen, some], free)

    extend([], _coalitions(k))
    depth = {node: sum(_is_below(other, node) for other in found) for node in found}
    return sorted(found, key=lambda node: (depth[node], _sorted(node)))


def _sorted(node: Node) -> list[list[int]]:
    return sorted((sorted(some) for some in node), key=lambda some: (len(some), some))


def _label(node: Node, names: list[str]) -> str:
    return "".join("{" + ", ".join(names[i] for i in some) + "}" for some in _sorted(node))
