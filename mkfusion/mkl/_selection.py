"""The best few of the kernels or modalities of a problem, for estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.mkl._validation import Training
from mkfusion.solvers import (
    MAX_TIME,
    TOO_MANY,
    BestSubset,
    Deadline,
    Loss,
    Subset,
    SubsetSearch,
)
from mkfusion.stack import kernel_indices

# Runners-up are choices whose objective is worse by at most this share.
WITHIN = 0.01


class Choice(NamedTuple):
    """Some of the modalities, and what is known of them.

    Attributes
    ----------
    names : list of str
        Of the modalities, or the kernels, in their order.
    objective : float
        Training objective reached with them.
    lower_bound : float
        None below this can be reached with them.
    """

    names: list[str]
    objective: float
    lower_bound: float


class Selection(NamedTuple):
    """The best few modalities that were found, and how much better others can be.

    Attributes
    ----------
    names : list of str
        The chosen ones, in their order; fewer than were allowed where these are as good.
    objective : float
        Training objective reached with them.
    lower_bound : float
        No choice of so many has an objective below this.
    gap : float
        ``(objective - lower_bound) / objective``.
    runners_up : list of Choice
        The next best, at most 1 % worse, best first.
    complete : bool
        Whether none is missing among `runners_up`.
    limit : str or None
        What ended the search if the gap is above `tol`: ``"max_time"``, ``"rounding"``, or
        ``"too_many"`` choices for a bound of each.
    n_subsets : int
        How many choices there are.
    """

    names: list[str]
    objective: float
    lower_bound: float
    gap: float
    runners_up: list[Choice]
    complete: bool
    limit: str | None
    n_subsets: int


def modality_groups(modalities: Any, names: Sequence[str]) -> tuple[list[str], list[Indices]]:
    """Return names and kernels (s,) of each modality.

    Parameters
    ----------
    modalities : mapping from str to kernels, or None
        Names or indices of each one's kernels. None takes what stands before the first colon of
        kernels' names, as kernelizers give them.
    names : sequence of str
        Of the kernels.
    """
    if modalities is None:
        found: dict[str, list[int]] = {}
        for k, name in enumerate(names):
            found.setdefault(name.partition(":")[0] or name, []).append(k)
        return list(found), [np.array(some, dtype=np.intp) for some in found.values()]
    if not isinstance(modalities, Mapping) or not modalities:
        raise TypeError(
            f"modalities is {shown(modalities)}; expected a mapping from the name of a modality to "
            "the names or indices of its kernels, or None."
        )
    groups = []
    taken: dict[int, str] = {}
    for name, which in modalities.items():
        group = kernel_indices(which, names, f"modalities[{name!r}]")
        for k in group.tolist():
            if k in taken:
                raise ValueError(
                    f"modalities[{name!r}] has the kernel {names[k]!r}, which {taken[k]!r} has as "
                    "well; expected every kernel once."
                )
            taken[k] = name
        groups.append(group)
    return [str(name) for name in modalities], groups


class Search:
    """The search for the best modalities of the problem of an estimator.

    Parameters
    ----------
    training : Training
    loss : Loss
    price : float
        C.
    p, tol : float
    names : list of str
    groups : list of ndarray of shape (s,), integer
        Names and kernels of the modalities.
    max_time : float or None
        Seconds for all choices that are asked for.
    cache : int
        Bytes.
    verbose : bool
    """

    def __init__(
        self,
        training: Training,
        *,
        loss: Loss,
        price: float,
        p: float,
        tol: float,
        names: list[str],
        groups: list[Indices],
        max_time: float | None,
        cache: int,
        verbose: bool,
    ) -> None:
        (targets,) = training.groups
        self._names, self._groups = names, groups
        self._search = SubsetSearch(
            training.stack,
            targets,
            np.tile(price * training.weights, (len(targets), 1)),
            groups,
            loss=loss,
            p=p,
            tol=tol,
            deadline=Deadline(max_time),
            report=_print_progress if verbose else None,
            cache=cache,
        )

    def find(self, k: int, n_runners: int) -> tuple[Selection, Indices, Floats]:
        """Return the best k modalities, their kernels, and the weights of all kernels."""
        found = self._search.find(k, n_runners=n_runners, within=WITHIN)
        kernels = np.sort(np.concatenate([self._groups[g] for g in found.best.groups]))
        return self._told(found), kernels, found.weights

    def _told(self, found: BestSubset) -> Selection:
        return Selection(
            self._named(found.best),
            found.best.objective,
            found.lower_bound,
            found.gap,
            [
                Choice(self._named(other), other.objective, other.lower_bound)
                for other in found.runners_up
            ],
            found.complete,
            found.limit,
            found.n_subsets,
        )

    def _named(self, subset: Subset) -> list[str]:
        return [self._names[g] for g in subset.groups]


def unproven(selection: Selection, what: str, tol: float, max_time: float | None) -> str | None:
    """Return what to warn of if a choice is not proven to be the best; None if it is."""
    if selection.limit is None:
        return None
    if selection.limit == TOO_MANY:
        why = f"{selection.n_subsets} choices are too many for a bound of each"
        helps = "Choose fewer, or raise tol"
    elif selection.limit == MAX_TIME:
        why = f"after max_time={max_time:g} seconds"
        helps = "Raise max_time or tol, choose fewer, or lower C"
    else:
        why = "rounding errors of products with the kernels are the limit"
        helps = (
            'Bring the kernels to one scale (normalize="cosine"), compute them in float64, lower '
            "C, or raise tol"
        )
    return (
        f"The best {what} found may be worse than the best there is by {selection.gap:.2g} of the "
        f"objective; expected tol={tol:g} ({why}). {helps}."
    )


def _print_progress(goal: float, lower: float, n_open: int) -> None:
    print(f"[MKL] best {goal:.6g}, others at least {lower:.6g}, {n_open} choices open")
