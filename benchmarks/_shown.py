"""Columns of hidden numbers shown as series, texts, graphs or tables of categories, with noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkfusion import ColumnKernelizer, KernelStack, Modalities

Floats = NDArray[np.float64]
# Time steps of a series, words of a text and of the vocabulary, nodes of a graph and refinements of
# their labels, levels of a column of categories, and the share of cells without a number
N_STEPS, NOISE = 24, 0.5
N_WORDS, VOCABULARY = 40, 30
N_NODES, N_REFINED = 12, 2
N_LEVELS, GAPS = 4, 0.1


def kernels_of(kind: str, columns: dict[str, Floats], rng: np.random.Generator) -> KernelStack:
    """Return the kernels that "auto" gives what is shown; of graphs one that is precomputed.

    Parameters
    ----------
    kind : {"series", "texts", "graphs", "categories", "mixed"}
    columns : dict of str to ndarray of shape (n, 3)
        Hidden numbers of each modality, of variance 1.
    rng : numpy.random.Generator

    Returns
    -------
    KernelStack of shape (n, n, n_modalities)
    """
    if kind == "graphs":
        grams = [subtree_kernel(graphs(hidden, rng)) for hidden in columns.values()]
        return KernelStack(grams, names=list(columns))
    show = {"series": series, "texts": texts, "categories": categories, "mixed": mixed}[kind]
    X = Modalities({name: show(hidden, rng) for name, hidden in columns.items()})
    return ColumnKernelizer([(name, "auto", name) for name in columns]).fit_transform(X)


def series(hidden: Floats, rng: np.random.Generator) -> Floats:
    """Show hidden numbers as amplitudes of waves in two channels, (n, 2, N_STEPS)."""
    turns = 2 * np.pi * np.arange(N_STEPS) / N_STEPS
    waves = np.stack([np.sin(turns), np.cos(turns), np.sin(2 * turns)])
    first = hidden[:, :2] @ waves[:2]
    second = hidden[:, 2:] @ waves[2:]
    clean = np.stack([first, second], axis=1)
    return np.asarray(clean + NOISE * rng.normal(size=clean.shape))


def texts(hidden: Floats, rng: np.random.Generator) -> list[str]:
    """Show hidden numbers as texts in which a tenth of the words goes with each of them."""
    words = np.array([f"word{k}" for k in range(VOCABULARY)])
    logits = np.zeros((len(hidden), VOCABULARY))
    tenth = VOCABULARY // 10
    for j in range(hidden.shape[1]):
        logits[:, tenth * j : tenth * (j + 1)] = 1.0 + hidden[:, [j]]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return [" ".join(rng.choice(words, size=N_WORDS, p=one)) for one in chances]


def graphs(hidden: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Show the first hidden number as the density of a random graph, (n, N_NODES, N_NODES)."""
    density = 1.0 / (1.0 + np.exp(1.0 - hidden[:, 0]))
    drawn = rng.uniform(size=(len(hidden), N_NODES, N_NODES)) < density[:, np.newaxis, np.newaxis]
    upper = np.triu(drawn, k=1)
    return np.asarray(upper | upper.transpose(0, 2, 1))


def subtree_kernel(adjacency: NDArray[np.bool_]) -> Floats:
    """Return the cosine of counts of labels that know more of the neighbours at every step.

    It is the subtree kernel of Shervashidze et al., Journal of Machine Learning Research 12 (2011).
    """
    n, n_nodes, _ = adjacency.shape
    labels = np.zeros((n, n_nodes), dtype=np.intp)
    total = np.zeros((n, n))
    for _ in range(N_REFINED):
        codes: dict[Any, int] = {}
        refined = np.empty_like(labels)
        for i in range(n):
            for node in range(n_nodes):
                around = tuple(sorted(labels[i][adjacency[i, node]].tolist()))
                key = (int(labels[i, node]), around)
                refined[i, node] = codes.setdefault(key, len(codes))
        labels = refined
        counts = np.stack([np.bincount(one, minlength=len(codes)) for one in labels]).astype(float)
        total += counts @ counts.T
    sizes = np.sqrt(np.diagonal(total))
    return np.asarray(total / np.outer(sizes, sizes))


def categories(hidden: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Show hidden numbers as columns of strings, the ranges that they are in with some noise."""
    noisy = hidden + NOISE * rng.normal(size=hidden.shape)
    edges = np.quantile(noisy, np.arange(1, N_LEVELS) / N_LEVELS, axis=0)
    names = np.array([f"level {k}" for k in range(N_LEVELS)])
    return pd.DataFrame(
        {
            f"column {j}": names[np.searchsorted(edges[:, j], noisy[:, j])]
            for j in range(hidden.shape[1])
        }
    )


def mixed(hidden: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Show hidden numbers as a column of numbers with gaps, one of strings and one of booleans."""
    table = categories(hidden, rng)
    table["column 0"] = np.where(rng.uniform(size=len(hidden)) < GAPS, np.nan, hidden[:, 0])
    table["column 2"] = hidden[:, 2] > 0
    return table
