"""Random multiple kernel learning problems, each reproducible from its number alone.

Every problem has one *trait* (what is nasty about it) and one norm; further traits are mixed in
at random. The norm and the trait run through their lists, so every pair of them occurs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import mkl

Floats = NDArray[np.float64]

NORMS = (1.0, 1.01, 1.2, 1.5, 2.0, 4.0, np.inf)
TRAITS = (
    "plain",
    "duplicated kernels",
    "rank one",
    "scales",
    "tiny classes",
    "duplicated samples",
    "multiclass",
    "penalty",
    "sample weights",
)
ROUNDS = 4
N_PROBLEMS = ROUNDS * len(NORMS) * len(TRAITS)
SEED = 20261121


@dataclass(frozen=True)
class Problem:
    """One training problem, as the estimator gets it."""

    number: int
    p: float
    traits: tuple[str, ...]
    kernels: Floats = field(repr=False)
    """Gram matrices (m, n, n)."""
    labels: NDArray[np.intp] = field(repr=False)
    """Labels (n,), integers from 0."""
    C: float
    lam: float | None
    sample_weight: Floats | None = field(repr=False)
    class_weight: dict[int, float] | None
    per_class_weights: bool = False

    @property
    def id(self) -> str:
        """Name for pytest: number, form, norm and traits."""
        traits = "+".join(t.replace(" ", "-") for t in self.traits)
        return f"{self.number:03d}-{self.form}-p{self.p:g}-{traits}"

    @property
    def form(self) -> str:
        """Which of the forms is asked for."""
        kind = "constraint" if self.lam is None else "penalty"
        if self.n_classes == 2:
            return kind
        return f"{kind}-{'per-class' if self.per_class_weights else 'multiclass'}"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.labels.max()) + 1

    @property
    def parameters(self) -> dict[str, Any]:
        """Constructor parameters of the estimator."""
        return {
            "C": self.C,
            "p": self.p,
            "lam": self.lam,
            "class_weight": self.class_weight,
            "per_class_weights": self.per_class_weights,
        }

    @cached_property
    def signs(self) -> Floats:
        """Labels of the binary problems (u, n): one row for two classes, else one per class."""
        if self.n_classes == 2:
            return np.where(self.labels == 1, 1.0, -1.0)[None, :]
        return np.where(self.labels == np.arange(self.n_classes)[:, None], 1.0, -1.0)

    @cached_property
    def cost(self) -> Floats:
        """Largest dual variable of each sample in each binary problem (u, n)."""
        cost = np.full(len(self.labels), self.C)
        if self.class_weight is not None:
            cost = cost * np.array([self.class_weight[label] for label in self.labels.tolist()])
        if self.sample_weight is not None:
            cost = cost * self.sample_weight
        return np.broadcast_to(cost, self.signs.shape).copy()

    def parts(self) -> list[slice]:
        """Rows of `signs` that share their kernel weights: the problems solved separately."""
        if self.per_class_weights and self.n_classes > 2:
            return [slice(u, u + 1) for u in range(self.n_classes)]
        return [slice(None)]


def _views(rng: np.random.Generator, labels: NDArray[np.intp], count: int) -> list[Floats]:
    """Feature blocks that know the labels more or less."""
    n, classes = len(labels), int(labels.max()) + 1
    views = []
    for _ in range(count):
        width = int(rng.integers(1, 6))
        centres = rng.normal(size=(classes, width)) * rng.choice([0.0, 0.5, 1.5])
        views.append(centres[labels] + rng.normal(size=(n, width)))
    return views


def _linear(rng: np.random.Generator, x: Floats) -> Floats:
    return x @ x.T


def _polynomial(rng: np.random.Generator, x: Floats) -> Floats:
    return (1.0 + x @ x.T / x.shape[1]) ** int(rng.integers(2, 4))


def _rbf(rng: np.random.Generator, x: Floats) -> Floats:
    squares = np.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2)
    return np.exp(-(10.0 ** rng.uniform(-2, 1)) * squares / x.shape[1])


def _rank_one(rng: np.random.Generator, x: Floats) -> Floats:
    direction = x @ rng.normal(size=x.shape[1])
    return np.outer(direction, direction)


FAMILIES: tuple[Callable[[np.random.Generator, Floats], Floats], ...] = (
    _linear,
    _polynomial,
    _rbf,
    _rbf,
)


def _labels(rng: np.random.Generator, n: int, classes: int, tiny: bool) -> NDArray[np.intp]:
    """Labels with every class present; the last ones have one to three members if `tiny`."""
    labels = rng.integers(0, classes, size=n)
    if tiny:
        labels[:] = 0
        start = 0
        for label in range(1, classes):
            size = int(rng.integers(1, 4))
            labels[start : start + size] = label
            start += size
    labels[-classes:] = np.arange(classes)
    return rng.permutation(labels)


@cache
def make(number: int) -> Problem:
    """Build problem `number`, from 0 to ``N_PROBLEMS - 1``."""
    rng = np.random.default_rng([SEED, number])
    p = NORMS[number % len(NORMS)]
    first = TRAITS[number // len(NORMS) % len(TRAITS)]
    traits = {first} | {trait for trait in TRAITS[1:] if rng.random() < 0.12}
    classes = int(rng.integers(3, 5)) if "multiclass" in traits else 2
    n = round(10 * 12 ** rng.random())
    if classes > 2:
        n = min(n, 60)
    labels = _labels(rng, n, classes, "tiny classes" in traits)
    m = int(rng.integers(1, 13))
    views = _views(rng, labels, int(rng.integers(1, 4)))
    if "duplicated samples" in traits:
        # Copies carry the labels of their new places: some contradict their originals.
        source = rng.integers(0, n, size=n // 3)
        target = rng.choice(n, size=n // 3, replace=False)
        for view in views:
            view[target] = view[source]
    kernels = []
    for _ in range(m):
        family = FAMILIES[rng.integers(len(FAMILIES))]
        if "rank one" in traits and rng.random() < 0.6:
            family = _rank_one
        kernels.append(family(rng, views[rng.integers(len(views))]))
    if "duplicated kernels" in traits:
        kernels += [kernels[k] for k in rng.integers(0, m, size=max(1, m // 3))]
        kernels = kernels[:11] + kernels[-1:]
    stack = np.array(kernels)
    if "scales" in traits:
        stack *= 10.0 ** rng.uniform(-6, 6, size=(len(stack), 1, 1))
    elif rng.random() < 0.5:
        stack /= np.trace(stack, axis1=1, axis2=2)[:, None, None] / n
    stack = 0.5 * (stack + stack.transpose(0, 2, 1))
    weighted = "sample weights" in traits
    return Problem(
        number=number,
        p=p,
        traits=(first, *sorted(traits - {first})),
        kernels=stack,
        labels=labels,
        C=float(10.0 ** rng.uniform(-2, 3)),
        lam=float(10.0 ** rng.uniform(-2, 2)) if "penalty" in traits else None,
        sample_weight=rng.choice([0.3, 1.0, 2.5], size=n) if weighted else None,
        class_weight=(
            {label: float(rng.choice([0.5, 1.0, 3.0])) for label in range(classes)}
            if weighted and rng.random() < 0.5
            else None
        ),
        per_class_weights=classes > 2 and rng.random() < 0.3,
    )


@cache
def reference(number: int) -> tuple[mkl.OracleSolution, ...]:
    """Solve problem `number` with cvxpy, one solution for each of its parts."""
    problem = make(number)
    return tuple(
        mkl.solve(problem.kernels, problem.signs[part], problem.cost[part], problem.p, problem.lam)
        for part in problem.parts()
    )
