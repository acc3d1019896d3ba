"""What must hold of a fitted `MKLClassifier`, checked from its public attributes in plain NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from . import mkl, problems

Floats = NDArray[np.float64]

RELATIVE = 1e-9
"""Agreement asked of two computations of the same number, beyond rounding."""
UNIT = 4 * np.finfo(float).eps
"""Rounding error of a dot product, as a share of the sum of absolute values, by sqrt(terms)."""


class Examination(NamedTuple):
    """The numbers of one fit, and what is wrong with it."""

    problem: problems.Problem
    tol: float
    reported: float
    """``duality_gap_``."""
    recomputed: float
    """The gap from the fitted attributes, in NumPy."""
    true_low: float
    """Suboptimality, at least: against the upper end of the oracle's bracket."""
    true_high: float
    """Suboptimality, at most: against the lower end of the oracle's bracket."""
    rounding: float
    """Forward error bound of the recomputed gap."""
    faults: tuple[str, ...]


def fitted_rows(model: Any, n: int) -> Floats:
    """Signed dual variables of all training samples (u, n)."""
    beta = np.zeros((model.dual_coef_.shape[0], n))
    beta[:, model.support_] = model.dual_coef_
    return beta


def rounding_bound(
    kernels: Floats, cost: Floats, weights: Floats, beta: Floats, p: float, lam: float | None
) -> float:
    """Bound of the rounding error of primal minus dual.

    A dot product of n terms errs by a few units in the last place of the sum of absolute values
    (the square root of n of them in practice, n in the worst case).
    """
    n = beta.shape[1]
    unit = UNIT * np.sqrt(n)
    absolute = np.abs(kernels)
    combined = np.tensordot(weights, absolute, axes=1)
    scores = np.abs(beta) @ combined
    forms = np.array([np.sum((np.abs(beta) @ gram) * np.abs(beta)) for gram in absolute])
    norm = mkl.lq_norm(forms, mkl.dual_exponent(p))
    if lam is not None:
        top = mkl.lq_norm(mkl.quadratic_forms(kernels, beta), mkl.dual_exponent(p))
        norm = norm * (2 * top + unit * norm) / (4 * lam)
    total = np.sum(scores * np.abs(beta)) + np.sum(cost * (1 + scores)) + norm
    return float(unit * (total + np.sum(np.abs(beta))))


def fit(problem: problems.Problem, tol: float, **parameters: Any) -> tuple[Any, bool]:
    """Fit the estimator; the second value says whether it converged without warning."""
    from mkfusion import DegenerateKernelWarning, MKLClassifier

    model = MKLClassifier(**{**problem.parameters, "tol": tol, **parameters})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DegenerateKernelWarning)  # some are noise on purpose
        model.fit(list(problem.kernels), problem.labels, sample_weight=problem.sample_weight)
    unexpected = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    if unexpected:
        raise AssertionError(f"unexpected warning: {unexpected[0].message}")
    return model, not caught


def intercept_fault(scores: Floats, y: Floats, cost: Floats, b: float, error: float) -> str | None:
    """Say so if the hinge sum still falls to one side of `b`, given the rounding of `scores`."""
    reach = 1e-9 * (1 + np.max(np.abs(scores)) + abs(b)) + error
    slack = 1e-9 * cost.sum()
    left = mkl.hinge_slopes(scores, y, cost, b - reach)[0]
    right = mkl.hinge_slopes(scores, y, cost, b + reach)[1]
    if left > slack or right < -slack:
        return f"intercept {b!r} is no minimiser: slopes {left:.3g}, {right:.3g}"
    return None


def _shape_faults(model: Any, problem: problems.Problem) -> Iterable[str]:
    u, m = len(problem.signs), len(problem.kernels)
    shape = (problem.n_classes, m) if len(problem.parts()) > 1 else (m,)
    n_support = len(model.support_)
    for name, expected in (
        ("weights_", shape),
        ("dual_coef_", (u, n_support)),
        ("intercept_", (u,)),
    ):
        if np.shape(getattr(model, name)) != expected:
            yield f"{name} has shape {np.shape(getattr(model, name))}, not {expected}"
    if not np.array_equal(model.support_, np.unique(model.support_)):
        yield "support_ is not sorted and unique"
    if n_support and np.any(np.all(model.dual_coef_ == 0, axis=0)):
        yield "support_ lists samples without a dual coefficient"
    if not np.array_equal(model.classes_, np.unique(problem.labels)):
        yield f"classes_ is {model.classes_}"


def _weight_faults(weights: Floats, problem: problems.Problem) -> Iterable[str]:
    if np.any(weights < 0) or not np.all(np.isfinite(weights)):
        yield f"weights_ {weights}"
    dead = ~np.any(problem.kernels, axis=(1, 2))
    if np.any(weights[dead] != 0):
        yield "an all-zero kernel has weight"
    if problem.lam is None and abs(mkl.lq_norm(weights, problem.p) - 1) > RELATIVE:
        yield f"weights_ have norm {mkl.lq_norm(weights, problem.p)!r}"


def examine(model: Any, converged: bool, problem: problems.Problem, tol: float) -> Examination:
    """Check a fitted model against the mathematics and against the oracle."""
    faults = list(_shape_faults(model, problem))
    kernels, p, lam = problem.kernels, problem.p, problem.lam
    beta = fitted_rows(model, len(problem.labels))
    stacked = np.atleast_2d(model.weights_)
    primal = dual = lower = upper = noise = 0.0
    for i, (rows, solution) in enumerate(
        zip(problem.parts(), problems.reference(problem.number), strict=True)
    ):
        y, cost, weights = problem.signs[rows], problem.cost[rows], stacked[i]
        b = model.intercept_[rows]
        faults += _weight_faults(weights, problem)
        box, balance = mkl.dual_violation(y, cost, beta[rows])
        if box > 1e-12 or balance > RELATIVE:
            faults.append(f"dual infeasible: box {box:.2g}, equality {balance:.2g}")
        scores = beta[rows] @ np.tensordot(weights, kernels, axes=1)
        sizes = np.abs(beta[rows]) @ np.tensordot(weights, np.abs(kernels), axes=1)
        errors = UNIT * np.sqrt(sizes.shape[1]) * sizes.max(axis=1)
        found = [intercept_fault(*row) for row in zip(scores, y, cost, b, errors, strict=True)]
        faults += [fault for fault in found if fault]
        primal += mkl.primal_value(kernels, y, cost, weights, beta[rows], b, p, lam)
        dual += mkl.dual_value(kernels, y, beta[rows], p, lam)
        noise += rounding_bound(kernels, cost, weights, beta[rows], p, lam)
        lower, upper = lower + solution.lower, upper + solution.upper
    reported, rounding = float(model.duality_gap_), noise / primal
    recomputed = (primal - dual) / primal
    true_low, true_high = (primal - upper) / primal, (primal - lower) / primal
    slack = RELATIVE + rounding
    # What rounding may add is part of a certificate: none is possible below it.
    if not converged and rounding <= tol:
        faults.append(f"did not converge, gap {reported:.2g}")
    elif converged and not reported <= tol:
        faults.append(f"reported gap {reported:.3g} > tol without a warning")
    if abs(model.objective_ - primal) > slack * primal:
        faults.append(f"objective_ {model.objective_!r}, recomputed {primal!r}")
    # It counts what rounding may add, which is little where a fit has converged.
    if not recomputed - slack <= reported <= recomputed + slack + 0.1 * tol:
        faults.append(f"duality_gap_ {reported!r}, recomputed {recomputed!r}")
    if reported < true_low - slack:
        faults.append(f"reported gap {reported!r} is below the true one, at least {true_low!r}")
    if true_high < -slack:
        faults.append(f"objective {primal!r} below the lower bound {lower!r} of the optimum")
    if converged and true_low > tol + slack:
        faults.append(f"true suboptimality {true_low:.3g} above tol")
    if dual > upper + slack * primal:
        faults.append(f"dual value {dual!r} above the upper bound {upper!r} of the optimum")
    return Examination(
        problem, tol, reported, recomputed, true_low, true_high, rounding, tuple(faults)
    )


def table(examinations: Iterable[Examination]) -> str:
    """Worst numbers for every form, norm and tolerance, as aligned text."""
    groups: dict[tuple[str, float, float], list[Examination]] = {}
    for one in examinations:
        groups.setdefault((one.problem.form, one.problem.p, one.tol), []).append(one)
    head = (
        f"{'form':<22}{'p':>5}{'tol':>8}{'fits':>6}{'faulty':>8}{'worst true':>12}"
        f"{'worst reported':>16}{'true - reported':>17}{'|reported - recomputed|':>25}"
    )
    lines = [head, "-" * len(head)]
    for (form, p, tol), group in sorted(groups.items()):
        lines.append(
            f"{form:<22}{p:>5g}{tol:>8.0e}{len(group):>6}{sum(bool(e.faults) for e in group):>8}"
            f"{max(e.true_high for e in group):>12.2e}{max(e.reported for e in group):>16.2e}"
            f"{max(e.true_low - e.reported for e in group):>17.2e}"
            f"{max(abs(e.reported - e.recomputed) for e in group):>25.2e}"
        )
    return "\n".join(lines)
