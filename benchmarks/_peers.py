"""Other packages that learn kernel weights, each as one function from kernels to a model."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.svm import SVC

from benchmarks._problems import Floats
from benchmarks.mkl import TOL, uniform_svc
from mkfusion import KernelStack, MKLClassifier

UNIFORM = "sum and SVC"
COST = 10.0
_EASYMKL_LAM = 0.1  # MKLpy's default
_HIMALAYA_FOLDS = 3
_RANK_RTOL = 1e-12
# Relative gap asked of Clarabel; bringing its point back to the constraints leaves a larger one.
_CONE_TOL = 1e-8
_CONE_SAMPLES = 250


class Kernels(NamedTuple):
    """The same Gram matrices as one array (m, n, n) and as a validated stack."""

    bank: Floats
    stack: KernelStack


class Model(NamedTuple):
    """A fitted side: decision values from test kernels (m, n_test, n_train), and its proof.

    `weights` and `beta` are None where the side solves another problem than MKL's.
    """

    decide: Callable[[Floats], Floats]
    weights: Floats | None = None
    beta: Floats | None = None


class Peer(NamedTuple):
    """A side of the comparison.

    Attributes
    ----------
    fit : callable
        From Gram matrices, labels (n,) and C to a model.
    slow : bool
        Whether it is fitted once only.
    largest : int
        The most samples it is asked for.
    """

    fit: Callable[[Kernels, Floats, float], Model]
    slow: bool = False
    largest: int = 10**9


def available() -> tuple[dict[str, Peer], dict[str, str]]:
    """Return the sides that can be measured here, and why the others cannot."""
    sides = {
        "mkfusion p=1": Peer(partial(_fit_mkl, 1.0)),
        "mkfusion p=2": Peer(partial(_fit_mkl, 2.0)),
        UNIFORM: Peer(_fit_uniform),
    }
    others = {
        "MKLpy EasyMKL": (Peer(_fit_easymkl), ("MKLpy", "torch")),
        "himalaya": (Peer(_fit_himalaya, slow=True), ("himalaya",)),
        "cvxpy p=1": (
            Peer(partial(_fit_cvxpy, 1.0), slow=True, largest=250),
            ("cvxpy", "clarabel"),
        ),
        "cvxpy p=2": (
            Peer(partial(_fit_cvxpy, 2.0), slow=True, largest=250),
            ("cvxpy", "clarabel"),
        ),
    }
    missing = {}
    for name, (peer, modules) in others.items():
        try:
            for module in modules:
                __import__(module)
            sides[name] = peer
        except ImportError as error:
            missing[name] = f"skipped, {error}"
    return sides, missing


def _fit_mkl(p: float, kernels: Kernels, y: Floats, C: float) -> Model:
    model = MKLClassifier(C=C, p=p, tol=TOL).fit(kernels.stack, y)
    beta = np.zeros(len(y))
    beta[model.support_] = model.dual_coef_[0]

    def decide(test: Floats) -> Floats:
        return model.decision_function(KernelStack(test.transpose(1, 2, 0), model.kernel_names_))

    return Model(decide, model.weights_, beta)


def _fit_uniform(kernels: Kernels, y: Floats, C: float) -> Model:
    machine, _ = uniform_svc(kernels.bank, y, C, 1.0)
    return Model(lambda test: machine.decision_function(test.mean(axis=0)))


def _fit_easymkl(kernels: Kernels, y: Floats, C: float) -> Model:
    from MKLpy.algorithms import EasyMKL

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of functions that it should no longer use
        learner = SVC(kernel="precomputed", C=C)
        model = EasyMKL(lam=_EASYMKL_LAM, learner=learner).fit(list(kernels.bank), y)
    weights = model.solution.weights.numpy()
    return Model(lambda test: learner.decision_function(np.tensordot(weights, test, axes=1)))


def _fit_himalaya(kernels: Kernels, y: Floats, C: float) -> Model:
    """Regress on the labels; the regularisation is chosen by cross-validation, C is not used."""
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    model = MultipleKernelRidgeCV(
        kernels="precomputed",
        solver_params={"progress_bar": False},
        cv=_HIMALAYA_FOLDS,
        random_state=0,
    )
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        model.fit(kernels.bank, y)
    return Model(lambda test: np.asarray(model.predict(test)).ravel())


def _fit_cvxpy(p: float, kernels: Kernels, y: Floats, C: float) -> Model:
    """Solve ``max_beta y'beta - norm(g, q) / 2`` as cones, for p = 1 or 2, from Gram matrices."""
    import cvxpy as cp

    bank = kernels.bank
    beta, g, top = cp.Variable(len(y)), cp.Variable(len(bank)), cp.Variable()
    forms = [cp.sum_squares(_factor(K).T @ beta) <= g[k] for k, K in enumerate(bank)]
    alpha = cp.multiply(y, beta)
    norm = [g <= top] if p == 1.0 else [cp.norm2(g) <= top]
    constraints = [alpha >= 0, alpha <= C, cp.sum(beta) == 0]
    problem = cp.Problem(cp.Maximize(y @ beta - 0.5 * top), constraints + forms + norm)
    problem.solve(solver=cp.CLARABEL, tol_gap_rel=_CONE_TOL)
    weights = np.maximum([float(np.squeeze(c.dual_value)) for c in forms], 0.0)
    weights /= float((weights**p).sum()) ** (1.0 / p)
    # An interior point lies beside the hyperplane by its tolerance; ours to bring back.
    found = y * np.clip(y * beta.value, 0.0, C)
    off = float(found.sum())
    if off:
        side = y == np.sign(off)
        found[side] *= 1.0 - off / found[side].sum()
    composite = np.tensordot(weights, bank, axes=1)
    free = (y * found > 1e-4 * C) & (y * found < (1 - 1e-4) * C)
    b = float(np.median((y - composite @ found)[free])) if free.any() else 0.0
    return Model(lambda test: np.tensordot(weights, test, axes=1) @ found + b, weights, found)


def _factor(K: Floats) -> Floats:
    """Return L with ``K = L L'`` up to rounding."""
    values, vectors = np.linalg.eigh(K)
    kept = values > _RANK_RTOL * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])
