"""How many modalities are enough: the best one, two, three ..., and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_consistent_length

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import check_rows, one_target
from mkfusion.inspection._arguments import check_scores, group_codes, splits_of
from mkfusion.inspection._display import as_frame, check_outcome
from mkfusion.inspection._responses import as_scorer, label_of
from mkfusion.mkl import ModalitySelector, machine_of, modality_groups
from mkfusion.stack import KernelStack, as_stack


@dataclass(frozen=True, eq=False, repr=False)
class ModalityPath:
    """Outcome of :func:`modality_path`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    numbers : ndarray of shape (n_numbers,)
        1, 2, ...: how many modalities.
    choices : list of n_numbers lists of str
        The best so many, with all samples; fewer where these are as good.
    gaps : ndarray of shape (n_numbers,)
        How much better, as a share of the training objective, another choice may be.
    runners_up : list of n_numbers lists of Choice
        Choices whose objective is at most 1 % worse.
    costs : ndarray of shape (n_numbers,)
        Of `choices`.
    scores : ndarray of shape (n_numbers, n_splits)
        Held-out scores of modalities that were chosen, and machines that were fitted, without the
        samples that they are of.
    means, errors : ndarray of shape (n_numbers,)
        Mean and standard error of the scores over the splits.
    frequencies : ndarray of shape (n_numbers, n_modalities)
        Share of the splits that chose each modality.
    best : int
        Number of modalities of the highest mean.
    enough : int
        Number of the cheapest choice whose mean is at most one standard error below the highest.
    scoring : str
        What the scores are.

    Examples
    --------
    >>> from mkfusion import ColumnKernelizer
    >>> from mkfusion.datasets import load_sonar
    >>> from mkfusion.inspection import modality_path
    >>> X, y = load_sonar(return_X_y=True)
    >>> bands = [(f"band{b}", "rbf", [b]) for b in range(0, 60, 12)]
    >>> stack = ColumnKernelizer(bands).fit_transform(X["bands"])
    >>> path = modality_path(stack, y, n_modalities=3)
    >>> path.enough <= path.best, path.scores.shape
    (True, (3, 5))
    """

    modality_names: list[str]
    numbers: Indices
    choices: list[list[str]]
    gaps: Floats
    runners_up: list[list[Any]]
    costs: Floats
    scores: Floats
    means: Floats
    errors: Floats
    frequencies: Floats
    best: int
    enough: int
    scoring: str

    def __repr__(self) -> str:
        choice = ", ".join(self.choices[self.enough - 1])
        return f"<ModalityPath: {self.enough} of {len(self.modality_names)} are enough: {choice}>"

    def to_frame(self) -> Any:
        """Return one row for each number of modalities.

        Returns
        -------
        pandas.DataFrame of shape (n_numbers, 6)
            What is chosen, its gap and cost, mean and standard error of its scores, and the share
            of the modalities chosen in a split that are among these, averaged.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        place = {name: k for k, name in enumerate(self.modality_names)}
        same = [
            float(shares[[place[name] for name in choice]].mean())
            for shares, choice in zip(self.frequencies, self.choices, strict=True)
        ]
        columns = {
            "modalities": [", ".join(choice) for choice in self.choices],
            "gap": self.gaps,
            "cost": self.costs,
            "score": self.means,
            "standard error": self.errors,
            "chosen in splits": same,
        }
        return as_frame(columns, self.numbers.tolist(), "number")


def modality_path(
    kernels: Any,
    y: ArrayLike,
    *,
    estimator: Any = None,
    modalities: Mapping[str, Any] | None = None,
    n_modalities: int | None = None,
    costs: Mapping[str, float] | None = None,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    scoring: Any = None,
    max_time: float | None = None,
    random_state: Any = None,
) -> ModalityPath:
    """Choose the best one, two, three ... modalities, and score each choice on held-out samples.

    Every split chooses with its own training samples, so that scores are those of the whole way
    from samples to predictions. Where a difference lies within one standard error, the cheaper
    choice is enough.

    Parameters
    ----------
    kernels : KernelStack, list of ndarray of shape (n, n), or ndarray of shape (n, n, n_kernels)
        Gram matrices between the samples. What kernels learn of samples (a width) they may have
        learned of all, but nothing of y.
    y : array-like of shape (n,)
        Class labels, or numbers.
    estimator : MKLClassifier or MKLRegressor, default=None
        By whose objective modalities are chosen, and which predicts; as for
        :class:`~mkfusion.ModalitySelector`.
    modalities : mapping from str to kernels, default=None
        As for :class:`~mkfusion.ModalitySelector`.
    n_modalities : int, default=None
        The most to choose; None is all.
    costs : mapping from str to float, default=None
        Positive price of each modality: money, minutes, or what wearing a sensor takes. None counts
        them.
    cv : int, splitter or iterable of (train, test), default=5
        Splits; an int is shuffled, stratified for classes, and by whole groups where there are
        some.
    groups : array-like of shape (n,), default=None
        Samples of one group, such as a subject, stay together.
    scoring : str or callable, default=None
        As in scikit-learn; None is accuracy, or R².
    max_time : float, default=None
        Seconds for the choices of all samples, and of each split; where they are up the best ones
        found count. None is no limit.
    random_state : int, RandomState instance or None, default=None
        Draws the splits if `cv` is a number.

    Returns
    -------
    ModalityPath

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, a modality has no cost, or a split has no score.

    References
    ----------
    Breiman, Friedman, Olshen and Stone, "Classification and regression trees" (1984), section
    3.4.3: the rule of one standard error.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import modality_path
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> y = X[:, 1] > 0
    >>> path = modality_path([np.outer(x, x) for x in X.T], y)
    >>> path
    <ModalityPath: 1 of 3 are enough: kernel1>
    """
    stack = as_stack(kernels, None, "kernels")
    machine = machine_of(estimator, y)
    names, _ = modality_groups(modalities, stack.names)
    most = len(names) if n_modalities is None else n_modalities
    selector = ModalitySelector(most, estimator=machine, modalities=modalities, max_time=max_time)
    prices = _prices(costs, names)
    scorer = as_scorer(machine, scoring)
    check_rows(stack, name="kernels", y=y)
    target = one_target(y)
    check_consistent_length(stack, target)
    splits = _splits(machine, cv, stack, target, groups, random_state)
    path = selector.path(stack, y)
    scores = np.empty((most, len(splits)))
    chosen = np.zeros((most, len(names)))
    for split, (train, test) in enumerate(splits):
        training, testing = stack.take(train, train), stack.take(test, train)
        for k, own in enumerate(clone(selector).path(training, target[train])):
            fitted = clone(machine).fit(own.transform(training), target[train])
            scores[k, split] = scorer(fitted, own.transform(testing), target[test])
            chosen[k, [names.index(name) for name in own.modalities_]] += 1.0
    name = label_of(machine, scoring)
    check_scores(scores, name)
    totals = np.array([sum(prices[name] for name in one.modalities_) for one in path])
    means = scores.mean(axis=1)
    errors = scores.std(axis=1, ddof=1) / np.sqrt(len(splits))
    best = int(np.argmax(means))
    near = np.flatnonzero(means >= means[best] - errors[best])
    enough = int(near[np.lexsort((near, totals[near]))[0]])
    return ModalityPath(
        names,
        np.arange(1, most + 1),
        [one.modalities_ for one in path],
        np.array([one.gap_ for one in path]),
        [one.runners_up_ for one in path],
        totals,
        scores,
        means,
        errors,
        chosen / len(splits),
        best + 1,
        enough + 1,
        name,
    )


def _prices(costs: Any, names: list[str]) -> dict[str, float]:
    """Return the cost of each modality."""
    if costs is None:
        return dict.fromkeys(names, 1.0)
    if not isinstance(costs, Mapping) or set(costs) != set(names):
        raise ValueError(
            f"costs is {shown(costs)}; expected a mapping from each of {shown(names)} to its cost."
        )
    for name, cost in costs.items():
        if not (np.isreal(cost) and np.isfinite(cost) and cost > 0):
            raise ValueError(
                f"costs[{name!r}] is {shown(cost)}; expected a finite positive number."
            )
    return {name: float(cost) for name, cost in costs.items()}


def _splits(
    machine: Any, cv: Any, stack: KernelStack, y: Any, groups: Any, random_state: Any
) -> list[tuple[Indices, Indices]]:
    codes = group_codes(groups, stack, "kernels")
    splits = splits_of(machine, cv, stack.shape[0], y, codes, random_state)
    if len(splits) < 2:
        raise ValueError(
            f"cv gives {len(splits)} split; expected two or more, or there is no standard error."
        )
    return splits


class ModalityPathDisplay:
    """Held-out scores of the best one, two, three ... modalities.

    Parameters
    ----------
    path : ModalityPath

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import ModalityPathDisplay, modality_path
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> path = modality_path([np.outer(x, x) for x in X.T], X[:, 1] > 0)
    >>> display = ModalityPathDisplay(path).plot()
    >>> display.ax_.get_ylabel()
    'accuracy'
    """

    def __init__(self, path: ModalityPath) -> None:
        check_outcome("path", path, ModalityPath, "modality_path")
        self.path = path

    def plot(self, ax: Any = None) -> Self:
        """Draw the mean scores with their standard errors, and what is enough.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        ModalityPathDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        path = self.path
        ax = axes_of(ax, "ModalityPathDisplay", 3.6)
        priced = not np.array_equal(path.costs, [len(choice) for choice in path.choices])
        x = path.costs if priced else path.numbers
        ax.errorbar(x, path.means, path.errors, marker="o", capsize=3, color="C0")
        top, error = path.means[path.best - 1], path.errors[path.best - 1]
        ax.axhspan(top - error, top, color="C0", alpha=0.12, lw=0)
        at = path.enough - 1
        ax.plot(x[at], path.means[at], "o", ms=13, mfc="none", mec="C3", mew=1.8)
        ax.set_title("enough: " + ", ".join(path.choices[at]), fontsize="medium", color="C3")
        ax.set_xlabel("cost of the best modalities" if priced else "number of the best modalities")
        if not priced:
            ax.set_xticks(path.numbers)
        ax.set_ylabel(path.scoring)
        self.ax_, self.figure_ = ax, ax.figure
        return self
