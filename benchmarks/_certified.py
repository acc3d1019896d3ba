"""Random problems, and their gaps from the definition in extended precision."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Long = np.longdouble

LOSSES = ("hinge", "tube", "squared", "one class")
NORMS = (1.0, 1.2, 2.0, np.inf)
# Fits that must end at all are given so much time before they count as hanging.
SLOW = 60.0
# A reported gap may be this share below the true one: the rounding of reporting it.
_HONEST_SHARE = 1e-9
# Dual variables outside of their box or off their hyperplane by more than this share.
_FEASIBILITY = 1e-9
# Sums of vectors that cancel out to this share are zero: in units of the kernels' rounding, and at
# least.
_CANCELLED_EPS, _CANCELLED = 1e3, 1e-9


@dataclass
class Problem:
    """One random problem: kernels of all kinds and scales, a loss, a form and its parameters."""

    seed: int
    loss: str
    p: float
    lam: float | None
    C: float
    epsilon: float
    nu: float
    kernels: list[Floats]
    y: Floats
    weight: Floats


def make(seed: int) -> Problem:
    """Return the problem of this number."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([2, 3, 4, 6, 10, 20, 40, 80]))
    m = int(rng.integers(1, 13))
    dtype = np.float32 if rng.random() < 0.4 else np.float64
    X = rng.normal(size=(n, int(rng.integers(1, 8))))
    if rng.random() < 0.2:
        X[rng.integers(n)] = X[0]  # a duplicate
    kernels = [_kernel(rng, X).astype(dtype) for _ in range(m)]
    loss = str(rng.choice(LOSSES))
    lam = float(10.0 ** rng.uniform(-3, 3)) if rng.random() < 0.4 and loss != "one class" else None
    y = X[:, 0] + 0.3 * rng.normal(size=n)
    if loss == "hinge":
        y = np.where(y > np.median(y), 1.0, -1.0)
        y[:2] = 1.0, -1.0
    elif rng.random() < 0.1:
        y[:] = y[0]
    weight = rng.choice([0.5, 1.0, 2.0], size=n) if rng.random() < 0.3 else np.ones(n)
    return Problem(
        seed,
        loss,
        float(rng.choice(NORMS)),
        lam,
        float(10.0 ** rng.uniform(-4, 6)),
        float(rng.choice([0.0, 0.1, 1.0])),
        float(rng.uniform(0.05, 1.0)),
        kernels,
        y,
        weight,
    )


def _kernel(rng: np.random.Generator, X: Floats) -> Floats:
    kind = rng.integers(5)
    if kind == 0:
        column = X[:, [rng.integers(X.shape[1])]]
        K = column @ column.T
    elif kind == 1:
        K = X @ X.T
    elif kind == 2:
        K = (1.0 + X @ X.T) ** rng.integers(2, 5)
    else:
        squares = np.sum((X[:, np.newaxis] - X) ** 2, axis=2)
        K = np.exp(-squares * 10.0 ** rng.uniform(-3, 2))
    return 10.0 ** rng.uniform(-8, 8) * K


@dataclass
class Outcome:
    """What a fit said, and what is true.

    ``gap`` is reported, ``true`` recomputed; ``infeasible`` says that the dual variables or weights
    are none, and ``error`` holds what was raised.
    """

    seconds: float
    warned: bool = False
    gap: float = np.nan
    true: float = np.nan
    infeasible: bool = False
    error: str = ""

    @property
    def dishonest(self) -> bool:
        """Whether the reported gap is less than the true one."""
        least = self.true * (1.0 - _HONEST_SHARE)
        return not self.error and (self.infeasible or not self.gap >= least)


def examine(problem: Problem, tol: float = 1e-3, **parameters: Any) -> Outcome:
    """Fit one problem and recompute its certificate."""
    from mkfusion import DegenerateKernelWarning, MKLClassifier, MKLNoveltyDetector, MKLRegressor

    common = {"p": problem.p, "tol": tol, **parameters}
    model: Any
    if problem.loss == "one class":
        model = MKLNoveltyDetector(nu=problem.nu, **common)
    elif problem.loss == "hinge":
        model = MKLClassifier(C=problem.C, lam=problem.lam, **common)
    else:
        name = "squared_error" if problem.loss == "squared" else "epsilon_insensitive"
        model = MKLRegressor(
            C=problem.C, lam=problem.lam, epsilon=problem.epsilon, loss=name, **common
        )
    start = process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DegenerateKernelWarning)  # many are noise on purpose
        try:
            model.fit(problem.kernels, problem.y, problem.weight)
        except Exception as error:  # whatever it is, it is counted
            return Outcome(process_time() - start, error=f"{type(error).__name__}: {error}")
    seconds = process_time() - start
    true, feasible = true_gap(problem, model)
    warned = any("relative duality gap" in str(one.message) for one in caught)
    if model.duality_gap_ > tol and not warned:
        return Outcome(seconds, error=f"gap {model.duality_gap_:.2g} above tol without a warning")
    strange = [str(one.message) for one in caught if "relative duality gap" not in str(one.message)]
    if strange:
        return Outcome(seconds, error=f"warning: {strange[0]}")
    return Outcome(seconds, warned, model.duality_gap_, true, not feasible)


def true_gap(problem: Problem, model: Any) -> tuple[float, bool]:
    """Return the relative gap of a fitted model in extended precision, and whether it is feasible.

    Nothing is taken from the model but its weights, dual coefficients and intercept.
    """
    K = np.array(problem.kernels, dtype=Long)
    d = np.asarray(model.weights_, dtype=Long)
    beta = np.zeros(len(problem.y), dtype=Long)
    beta[model.support_] = model.dual_coef_[0]
    b = Long(model.intercept_[0])
    cost = problem.weight.astype(Long)
    if problem.loss != "one class":
        cost = Long(problem.C) * cost
    products = K @ beta
    g = np.maximum(products @ beta, 0)
    loss, gain, box = _loss(problem, beta, d @ products + b, b, cost)
    primal = d @ g / 2 + loss
    size = _dual_norm(g, problem.p)
    dual = gain - (size**2 / (8 * Long(problem.lam)) if problem.lam else size / 2)
    length = _norm(d, problem.p)
    if problem.lam:
        primal += Long(problem.lam) / 2 * length**2
    elif length > 1 + _FEASIBILITY:
        return np.inf, False
    total = beta.sum() - (Long(problem.nu) * cost.sum() if problem.loss == "one class" else 0)
    scale = np.abs(beta).sum() + np.finfo(float).tiny
    feasible = bool(d.min() >= 0 and box <= _FEASIBILITY and abs(total) <= _FEASIBILITY * scale)
    noise = Long(0)
    if problem.loss == "one class":
        share = max(_CANCELLED, _CANCELLED_EPS * np.finfo(problem.kernels[0].dtype).eps)
        lengths = np.sqrt(np.maximum(d @ np.einsum("kii->ki", K), 0))
        noise = Long(share) * (np.abs(beta) @ lengths) ** 2 / 2
    whole = max(abs(primal), noise)
    gap = max(primal - dual, Long(0))
    if not beta.any() and problem.loss in ("tube", "squared"):
        # A constant that differs from all y by rounding only is as good as exact.
        rounded = 8.0 * np.finfo(float).eps * np.abs(problem.y)
        zero = cost @ (rounded**2 if problem.loss == "squared" else rounded)
        gap = gap if gap > zero else Long(0)
    if whole > 0:
        return float(gap / whole), feasible
    return (np.inf if gap > 0 else 0.0), feasible


def _loss(
    problem: Problem, beta: Floats, f: Floats, b: Any, cost: Floats
) -> tuple[Any, Any, float]:
    """Return the loss at decisions f, the gain of beta, and by what share it leaves its box."""
    y = problem.y.astype(Long)
    if problem.loss == "squared":
        gain = y @ beta - (beta**2 / (4 * cost)).sum()
        return cost @ (y - f) ** 2, gain, 0.0
    if problem.loss == "tube":
        epsilon = Long(problem.epsilon)
        loss = cost @ np.maximum(0, np.abs(y - f) - epsilon)
        outside = (np.abs(beta) / cost).max() - 1
        return loss, y @ beta - epsilon * np.abs(beta).sum(), float(outside)
    if problem.loss == "hinge":
        share = y * beta / cost
        outside = max((-share).max(), share.max() - 1)
        return cost @ np.maximum(0, 1 - y * f), y @ beta, float(outside)
    share = beta / cost
    loss = cost @ np.maximum(0, -f) + Long(problem.nu) * cost.sum() * b
    return loss, Long(0), float(max((-share).max(), share.max() - 1))


def _norm(d: Floats, p: float) -> Any:
    if np.isinf(p):
        return d.max()
    top = d.max()
    return top * ((d / top) ** Long(p)).sum() ** (1 / Long(p)) if top > 0 else Long(0)


def _dual_norm(g: Floats, p: float) -> Any:
    if p == 1.0:
        return g.max()
    return g.sum() if np.isinf(p) else _norm(g, p / (p - 1.0))
