"""How methods see the samples of a fold: what of its samples they share is made once."""

# `mkfusion.X` loads X when it is first asked for: the help of the command line lists the methods,
# and is not to wait for compiled code.

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import mkfusion
from mkfusion._compat import safe_indexing
from mkfusion._types import Mask
from mkfusion.compare._data import RefusalError, Samples, refusals, without_advice
from mkfusion.compare._folds import Fold
from mkfusion.compare._machines import (
    CalibratedExpert,
    Expert,
    RidgeMachine,
    SharedMachine,
    Squashed,
)
from mkfusion.compare._survival import SurvivalScorer
from mkfusion.data import Modalities


class Part(NamedTuple):
    """Training and test samples, as a method sees them."""

    train: Any
    y_train: NDArray[Any]
    test: Any
    y_test: NDArray[Any]


class FoldData:
    """Samples to learn from, and samples to score on; kernels are made when asked for.

    Parameters
    ----------
    samples : Samples
    rows : Fold
        Which of them.
    inner : bool, default=False
        Whether values are only chosen by it.
    """

    def __init__(self, samples: Samples, rows: Fold, inner: bool = False) -> None:
        self.samples = samples
        self.inner = inner
        self.setting = samples.setting
        self.rows = rows
        # What methods keep of these training samples for the next setting, by their names
        self.shared: dict[Any, Any] = {}
        self._kernels: tuple[mkfusion.KernelStack, mkfusion.KernelStack] | None = None
        self._alone: tuple[mkfusion.KernelStack, mkfusion.KernelStack] | None = None
        self._completed: tuple[mkfusion.KernelStack, mkfusion.KernelStack] | None = None
        self._experts: dict[bool, list[Expert]] = {}

    def part(self, sees: str) -> Part:
        """Return the samples as a method sees them."""
        train, test = self.rows
        n, total = len(train), len(train) + len(test)
        y = self.samples.y
        data: tuple[Any, Any]
        if sees == "X":
            data = safe_indexing(self.samples.X, train), safe_indexing(self.samples.X, test)
        elif sees == "modalities":
            # The same objects again: what was made of them can be found by them.
            if sees not in self.shared:
                self.shared[sees] = self.samples.modalities[train], self.samples.modalities[test]
            data = self.shared[sees]
        elif sees in ("rows", "completed rows"):
            there = np.vstack(self.present()) | (sees == "completed rows")
            rows = np.where(there, np.arange(total)[:, np.newaxis], np.nan)
            names = self.samples.modalities.names
            whole = Modalities({name: rows[:, [k]] for k, name in enumerate(names)})
            data = whole[:n], whole[n:]
        elif sees == "nothing":
            data = np.zeros((n, 1)), np.zeros((total - n, 1))
        else:
            data = self.alone if sees == "alone" else self.kernels
        return Part(data[0], y[train], data[1], y[test])

    def groups(self) -> NDArray[Any] | None:
        """Return the groups of the samples to learn from, if there are any."""
        groups = self.samples.inner.groups
        return None if groups is None else groups[self.rows.train]

    def folds(self) -> list[Fold]:
        """Split the samples to learn from once more."""
        with refusals(ValueError):
            return self.samples.inner.split(self.rows.train)

    def machines(self, *, completed: bool = False) -> list[Expert]:
        """Return what fits each modality's machines; positions of training samples come first."""
        # Where nothing lacks both are the same, and so are their machines.
        completed = completed and self.setting.lacks
        if completed not in self._experts:
            first, second = self.completed if completed else self.alone
            # Risks are averaged as they are: nothing is calibrated, which takes folds.
            folds = [] if self.setting.follow_up is not None else self.folds()
            grams = [np.vstack([first.gram(k), second.gram(k)]) for k in range(first.shape[2])]
            self._experts[completed] = [Expert(gram, folds) for gram in grams]
        return self._experts[completed]

    def experts(self, C: float, *, stack: bool = False) -> tuple[list[Any], str]:
        """Return each modality's machine, not fitted, and what late fusion does about gaps.

        Samples are positions, those to learn from first.

        Parameters
        ----------
        C : float
        stack : bool, default=False
            Whether a model learns from them, which needs the answers of all: what samples lack is
            predicted. Otherwise their machines are skipped, and of classes they are calibrated.

        Returns
        -------
        list of n_modalities estimators, str
        """

        def expert(machines: Expert) -> Any:
            if not self.setting.classes:
                return RidgeMachine(C, machines.between)
            if stack:
                return Squashed(SharedMachine(C, machines))
            return CalibratedExpert(C, machines)

        experts = [expert(machines) for machines in self.machines(completed=stack)]
        return experts, "marginalise" if self.setting.lacks and not stack else "error"

    def present(self) -> tuple[Mask, Mask]:
        """Return which training samples, and which test samples, have which modalities."""
        there = self.samples.modalities.present()
        return there[self.rows.train], there[self.rows.test]

    def score(
        self,
        model: Any,
        X: Any,
        y: NDArray[Any],
        metric: str | None = None,
        kinds: tuple[type[Exception], ...] = (Exception,),
    ) -> float:
        """Score a model, or what stands in for one.

        Parameters
        ----------
        model : fitted estimator
        X, y : samples
        metric : str, default=None
            None is the first.
        kinds : tuple of exceptions, default=(Exception,)
            What the metric may raise to say that it is not for these: metrics are anyone's code,
            and what stands in for a model is not all that a model is.

        Returns
        -------
        float

        Raises
        ------
        RefusalError
            With the name of the metric.
        """
        name = next(iter(self.samples.scorers)) if metric is None else metric
        scorer = self.samples.scorers[name]
        # How samples are censored is learned from those that teach.
        known = [self.samples.y[self.rows.train]] if isinstance(scorer, SurvivalScorer) else []
        try:
            return float(scorer(model, X, y, *known))
        except kinds as error:
            message = f"{type(error).__name__}: {error} (from the metric {name!r})"
            raise RefusalError(" ".join(message.split())) from error
        except Exception as error:
            error.add_note(f"raised by the metric {name!r}")
            raise

    @property
    def kernels(self) -> tuple[mkfusion.KernelStack, mkfusion.KernelStack]:
        """Kernels in memory: all kernel methods of the fold share them."""
        if self._kernels is None:
            self._kernels = self.computed(self.setting.kernelizer())
        return self._kernels

    @property
    def completed(self) -> tuple[mkfusion.KernelStack, mkfusion.KernelStack]:
        """The kernels with predictions where samples lack their modality."""
        if not self.setting.lacks:
            return self.kernels
        if self._completed is None:
            self._completed = self.computed(self.setting.kernelizer("impute"))
        return self._completed

    def computed(
        self, kernelizer: mkfusion.ColumnKernelizer
    ) -> tuple[mkfusion.KernelStack, mkfusion.KernelStack]:
        """Fit a kernelizer to the training samples; return their kernels, and the test samples'."""
        train, test = (self.samples.modalities[rows] for rows in self.rows)
        with refusals(ValueError), without_advice():
            lazy = kernelizer.fit_transform(train), kernelizer.transform(test)
            return materialised(lazy[0]), materialised(lazy[1])

    @property
    def alone(self) -> tuple[mkfusion.KernelStack, mkfusion.KernelStack]:
        """The kernels without the scaling of samples that lack another modality."""
        if not self.setting.lacks:
            return self.kernels
        if self._alone is None:
            train, test = (np.sqrt(have.mean(axis=1)) for have in self.present())
            first, second = self.kernels
            self._alone = materialised(first, train, train), materialised(second, test, train)
        return self._alone


def materialised(
    stack: mkfusion.KernelStack, rows: Any = None, columns: Any = None
) -> mkfusion.KernelStack:
    """Return a stack in memory, its rows and columns multiplied by factors if there are any.

    Parameters
    ----------
    stack : KernelStack of shape (n_rows, n_columns, n_kernels)
    rows, columns : ndarray of shape (n_rows,) and (n_columns,), default=None

    Returns
    -------
    KernelStack
    """
    grams = [stack.gram(k) for k in range(stack.shape[2])]
    if rows is not None:
        grams = [gram * rows[:, np.newaxis] * columns for gram in grams]
    return mkfusion.KernelStack(grams, names=stack.names)
