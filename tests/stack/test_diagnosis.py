"""Kernels that tell samples nothing, or tell them all apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    DegenerateKernelWarning,
    KernelCombiner,
    KernelStack,
    LocalizedMKLClassifier,
    MKLClassifier,
    RBFKernel,
    mkl_path,
)
from mkfusion.stack import warn_degenerate
from mkfusion.stack._diagnosis import aligned_by, u_centred
from oracles.names import named

rng = np.random.default_rng(0)
N = 80
Y = np.where(np.arange(N) % 2, 1.0, -1.0)
HEALTHY = rng.normal(size=(N, 3)) + Y[:, np.newaxis]
VOLTS = 1e-5 * HEALTHY
GOOD = HEALTHY @ HEALTHY.T


@pytest.mark.parametrize("kernel", ["rbf", "poly", "sigmoid", RBFKernel(gamma=None)], ids=named)
def test_small_units_make_kernels_of_ones(kernel) -> None:
    model = make_pipeline(ColumnKernelizer([("eeg", kernel, slice(0, 3))]), MKLClassifier())
    if kernel == "sigmoid":  # not positive semi-definite but on such data
        model[0].set_params(normalize=None)
    with pytest.warns(DegenerateKernelWarning, match="'eeg:.* is nearly constant"):
        model.fit(VOLTS, Y)


def said(fit) -> list[str]:
    """What a fit warns of, whatever the filters of this suite ignore."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit()
    return [str(one.message) for one in seen]


def test_a_width_that_is_learned_is_silent() -> None:
    for kernel in (RBFKernel(), make_pipeline(StandardScaler(), "rbf")):
        entries = [("eeg", kernel, slice(0, 3))]
        model = make_pipeline(ColumnKernelizer(entries), MKLClassifier())
        assert said(lambda model=model: model.fit(VOLTS, Y)) == []


@pytest.mark.parametrize(
    "fit",
    [
        lambda stack: MKLClassifier().fit(stack, Y),
        lambda stack: LocalizedMKLClassifier(max_iter=3, tol=1.0).fit(stack, Y),
        lambda stack: KernelCombiner("alignf").fit(stack, Y),
        lambda stack: KernelCombiner("easymkl").fit(stack, Y),
        lambda stack: mkl_path(stack, Y, C=[1.0]),
    ],
)
def test_whoever_learns_weights_warns_of_the_identity(fit) -> None:
    stack = KernelStack([HEALTHY @ HEALTHY.T, 2.0 * np.eye(N)], names=["good", "own"])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(stack)
    words = [str(one.message) for one in seen if one.category is DegenerateKernelWarning]
    assert len(words) == 1 and words[0].startswith("Kernel 'own' is nearly a multiple of the id")
    assert 'KernelCombiner("unbiased_alignment")' in words[0]
    assert {one.filename for one in seen if one.category is DegenerateKernelWarning} == {__file__}


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_told_from_texts(seed) -> None:
    """Both are near the identity; only one of them is aligned with the target."""
    own = np.random.default_rng(seed)
    noise = RBFKernel()(own.normal(size=(N, 300)))
    words = own.poisson(0.03 + 0.06 * (Y[:, np.newaxis] > 0) * (np.arange(300) < 60), (N, 300))
    texts = words @ words.T + 1e-9 * np.eye(N)
    texts = texts / np.sqrt(np.outer(np.diagonal(texts), np.diagonal(texts)))
    with pytest.warns(DegenerateKernelWarning, match="'noise'") as seen:
        warn_degenerate(
            KernelStack([noise, texts], names=["noise", "texts"]), Y[:, None], stacklevel=1
        )
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("model", "kernels"),
    [
        pytest.param(MKLClassifier(), np.eye(N), id="one kernel"),
        pytest.param(MKLClassifier(p=np.inf), [GOOD, np.eye(N)], id="weights that are not learned"),
        pytest.param(KernelCombiner("unbiased_alignment"), [GOOD, np.eye(N)], id="no diagonals"),
        pytest.param(MKLClassifier(), [GOOD, np.zeros((N, N))], id="zeros"),
    ],
)
def test_what_has_no_weights_or_no_scale_is_silent(model, kernels) -> None:
    assert said(lambda: model.fit(kernels, Y)) == []


def test_several_such_kernels_are_named_in_one_warning() -> None:
    own = np.random.default_rng(1)
    noises = [RBFKernel()(own.normal(size=(N, 300))) for _ in range(5)]
    stack = KernelStack([GOOD, *noises, np.ones((N, N)), np.ones((N, N))], names=list("abcdefgh"))
    words = said(lambda: MKLClassifier().fit(stack, Y))
    assert len(words) == 2
    assert words[0].startswith("Kernels 'g' and 'h' are nearly constant: what differs between")
    assert "samples is 0 of k(x, x)" in words[0]
    assert words[1].startswith("Kernels 'b', 'c', 'd' and 2 more are nearly a multiple of the id")


def test_alignment_is_a_t_test_of_pairs_of_samples() -> None:
    """By loops: off-diagonal entries, less the means of rows and columns, and their correlation."""
    own = np.random.default_rng(3)
    noise, b = RBFKernel()(own.normal(size=(20, 300))), 20
    labels = np.where(np.arange(b) % 2, 1.0, -1.0)
    centred = []
    for K in (noise, np.outer(labels, labels)):
        sums = [sum(K[i, j] for j in range(b) if j != i) for i in range(b)]
        total = sum(sums) / ((b - 1) * (b - 2))
        centred.append(
            [
                K[i, j] - sums[i] / (b - 2) - sums[j] / (b - 2) + total
                for i in range(b)
                for j in range(b)
                if i != j
            ]
        )
    cross, first, second = (
        sum(u * v for u, v in zip(x, z, strict=True))
        for x, z in ((centred[0], centred[1]), (centred[0], centred[0]), (centred[1], centred[1]))
    )
    r = cross / (first * second) ** 0.5
    t = r * ((b * (b - 3) / 2 - 1) / (1 - r * r)) ** 0.5
    for order in "CF":  # in memory
        wanted = u_centred(np.outer(labels, labels))
        assert aligned_by(np.array(noise, order=order), wanted) == pytest.approx(t, rel=1e-10)
