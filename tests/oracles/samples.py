"""Small raw data with two modalities, and its kernels by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import StratifiedKFold

Floats = NDArray[np.float64]
Labels = NDArray[Any]

N = 72
FOLDS = StratifiedKFold(3)


def raw(classes: int = 2) -> tuple[Floats, Labels]:
    """Five features (72, 5), three of them "accel" and two "gyro", and labels."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(N) % classes)
    x = rng.normal(size=(N, 5)) + 1.2 * rng.normal(size=(classes, 5))[y]
    return x, np.array(["rest", "walk", "run"])[y]


def grams(x: Floats, train: Floats) -> list[Floats]:
    """Three kernels between samples, by hand."""
    return [
        rbf_kernel(x[:, :3], train[:, :3], gamma=0.5),
        rbf_kernel(x[:, 3:], train[:, 3:], gamma=0.2),
        linear_kernel(x, train) / 5,
    ]
