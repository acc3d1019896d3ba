"""Descending a smooth loss, with every step kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import warn

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from mkfusion._types import Floats


def descend(
    loss: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    *,
    max_iter: int,
    tol: float,
    bounds: Any = None,
) -> tuple[Floats, Floats]:
    """Minimise a loss by L-BFGS, whose line search takes no step up.

    Parameters
    ----------
    loss : callable
        Of ndarray (n_parameters,); returns the value, which is about 1, and the gradient.
    start : ndarray of shape (n_parameters,)
    max_iter : int
    tol : float
        Stop when a step reduces the loss by less, relatively, or no slope is larger.
    bounds : sequence of pairs, default=None

    Returns
    -------
    ndarray of shape (n_parameters,)
    path : ndarray of shape (n_iter + 1,)
        The loss at the start and after every step.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` did not suffice.
    """
    path = [loss(start)[0]]
    if not start.size:
        return start, np.array(path)
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=lambda parameters: path.append(loss(parameters)[0]),
        options={"maxiter": max_iter, "ftol": tol, "gtol": tol},
    )
    if found.nit >= max_iter and not found.success:
        slope = float(np.abs(found.jac).max())
        warn(
            f"max_iter={max_iter} steps did not suffice: the largest slope is {slope:.1e}; "
            f"expected {tol:.1e}.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return found.x, np.array(path)
