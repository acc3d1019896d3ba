"""Samples of several modalities of which it is known what their target depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from benchmarks._shown import kernels_of
from mkfusion import ColumnKernelizer, KernelStack, LinearKernel, Modalities, RBFKernel

Floats = NDArray[np.float64]
Columns = dict[str, Floats]
# Columns of a modality, and of a wide one
N_COLUMNS, N_WIDE = 3, 200
# Correlation of columns of A and B where they are correlated
CORRELATION = 0.8
# Share of variance between subjects, of columns and of what the signal leaves of the target
BETWEEN = 0.5


class Draw(NamedTuple):
    """What a test is given.

    Attributes
    ----------
    X : Modalities or KernelStack
    y : ndarray of shape (n,)
    groups : ndarray of shape (n,) or None
    """

    X: Any
    y: NDArray[Any]
    groups: NDArray[np.intp] | None


class Truth(NamedTuple):
    """How samples come about.

    Attributes
    ----------
    signal : callable
        From the columns of all modalities to what they say of the target, of variance 1.
    r2 : float
        Its share of the target's variance.
    names : str
        A letter for each modality.
    width : dict of str to int
        Columns of modalities that have not N_COLUMNS.
    correlated : bool
        Whether columns of A and B are.
    copies : dict of str to str
        Modalities that are copies of others.
    noise : {"normal", "skewed"}
        "skewed" is exponential, of a scale that grows with the first column of A.
    sizes : tuple of (int, int, int) or None
        Subjects, and the least and largest number of their samples.
    constant : bool
        Whether the target is that of the subject.
    missing : {"", "rows", "imputed"}
        Whether B is missing where A is large, in 30 % of the samples.
    kernel : kernel or None
        In place of Gaussian ones of the median width; "auto" is the kernelizer's choice.
    kind : {"numbers", "series", "texts", "graphs", "categories", "mixed"}
        How the columns of each modality are shown, see :mod:`benchmarks._shown`.
    """

    signal: Callable[[Columns], Floats]
    r2: float = 0.8
    names: str = "AB"
    width: dict[str, int] = {}  # noqa: RUF012
    correlated: bool = False
    copies: dict[str, str] = {}  # noqa: RUF012
    noise: str = "normal"
    sizes: tuple[int, int, int] | None = None
    constant: bool = False
    missing: str = ""
    kernel: Any = None
    kind: str = "numbers"


def nothing(X: Columns) -> Floats:
    return np.zeros(len(X["A"]))


def only_a(X: Columns) -> Floats:
    return X["A"][:, 0]


def wide_a(X: Columns) -> Floats:
    return X["A"][:, :20].sum(axis=1) / np.sqrt(20)


def total(X: Columns) -> Floats:
    return (X["A"][:, 0] + X["B"][:, 0]) / np.sqrt(2)


def correlated_total(X: Columns) -> Floats:
    return (X["A"][:, 0] + X["B"][:, 0]) / np.sqrt(2 + 2 * CORRELATION)


def product(X: Columns) -> Floats:
    return X["A"][:, 0] * X["B"][:, 0]


def weak_b(X: Columns) -> Floats:
    return np.sqrt(0.8) * X["A"][:, 0] + np.sqrt(0.2) * X["B"][:, 0]


def wiggly(X: Columns) -> Floats:
    return (X["A"][:, 0] + np.sqrt(2) * np.sin(3.2 * X["B"][:, 0])) / np.sqrt(2)


def simulate(truth: Truth, task: str, n: int, rng: np.random.Generator) -> Draw:
    """Draw samples.

    Parameters
    ----------
    truth : Truth
    task : {"numbers", "classes", "10:90", "three", "75:15:10", "softmax", "ordered"}
        Classes are ranges of a number: halves, the tenth and the rest, thirds, ... "softmax" draws
        three classes whose log-odds are the signal, of another modality's columns for each.
    n : int
        If samples are not those of subjects.
    rng : numpy.random.Generator
    """
    groups = None
    if truth.sizes is not None:
        n_subjects, least, most = truth.sizes
        groups = np.repeat(np.arange(n_subjects), rng.integers(least, most + 1, size=n_subjects))
        n = len(groups)
    columns = {
        name: _columns(truth.width.get(name, N_COLUMNS), n, groups, rng) for name in truth.names
    }
    if truth.correlated:
        mixed = CORRELATION * columns["A"] + np.sqrt(1 - CORRELATION**2) * columns["B"]
        columns["B"] = mixed
    columns |= {copy: columns[name].copy() for copy, name in truth.copies.items()}
    signal = truth.signal(columns)
    if truth.constant and groups is not None:
        signal = _subject_means(signal, groups)
    latent = np.sqrt(truth.r2) * signal + np.sqrt(1 - truth.r2) * _noise(
        truth, columns, groups, rng
    )
    if task == "softmax":
        y = _softmax_classes(columns, rng)
    else:
        y = _as_classes(latent, task)
    if truth.missing:
        chance = 1 / (1 + np.exp(-(2 * columns["A"][:, 0] - 1.2)))
        lost = rng.uniform(size=n) < chance
        kept = columns["B"][~lost].mean(axis=0)
        columns["B"][lost] = np.nan if truth.missing == "rows" else kept
    X: Any = Modalities(columns)
    if truth.kind != "numbers":
        X = kernels_of(truth.kind, columns, rng)
    elif truth.kernel is not None:
        X = ColumnKernelizer([(name, truth.kernel, name) for name in columns]).fit_transform(X)
    return Draw(X, y, groups)


def rbf_kernels(X: Modalities) -> KernelStack:
    """Return the Gaussian kernels of standardised columns, of which the ranges were stated."""
    grams = []
    for name in X.names:
        columns = (X[name] - X[name].mean(axis=0)) / X[name].std(axis=0)
        distances = pdist(columns, "sqeuclidean")
        grams.append(squareform(np.exp(-distances / np.median(distances))))
        np.fill_diagonal(grams[-1], 1.0)
    return KernelStack(grams, names=X.names)


def _columns(
    width: int, n: int, groups: NDArray[np.intp] | None, rng: np.random.Generator
) -> Floats:
    within = rng.normal(size=(n, width))
    if groups is None:
        return within
    between = rng.normal(size=(groups.max() + 1, width))[groups]
    return np.sqrt(BETWEEN) * between + np.sqrt(1 - BETWEEN) * within


def _noise(
    truth: Truth, columns: Columns, groups: NDArray[np.intp] | None, rng: np.random.Generator
) -> Floats:
    n = len(columns["A"])
    if truth.noise == "skewed":
        scale = 0.5 + np.abs(columns["A"][:, 0])
        return (rng.exponential(size=n) - 1) * scale / np.sqrt(np.mean(scale**2))
    noise = rng.normal(size=n)
    if groups is None:
        return noise
    between = rng.normal(size=groups.max() + 1)[groups]
    if truth.constant:
        return between
    return np.sqrt(BETWEEN) * between + np.sqrt(1 - BETWEEN) * noise


def _subject_means(values: Floats, groups: NDArray[np.intp]) -> Floats:
    means = np.bincount(groups, values) / np.bincount(groups)
    return means[groups]


def _as_classes(latent: Floats, task: str) -> NDArray[Any]:
    shares = {
        "classes": [0.5],
        "10:90": [0.9],
        "three": [1 / 3, 2 / 3],
        "ordered": [1 / 3, 2 / 3],
        "75:15:10": [0.75, 0.9],
    }.get(task)
    if shares is None:
        return latent
    names = np.array(["a", "b", "c"][: len(shares) + 1])
    return names[(latent[:, np.newaxis] > np.quantile(latent, shares)).sum(axis=1)]


def _softmax_classes(columns: Columns, rng: np.random.Generator) -> NDArray[Any]:
    """Draw classes whose log-odds are sums of a column of A and one of B."""
    logits = 1.5 * (columns["A"] + columns["B"])
    chosen = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return np.array(["a", "b", "c"])[chosen]


LINEAR, NARROW = LinearKernel(), RBFKernel(gamma=0.5)
