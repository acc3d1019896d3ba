"""The check of kernels of one's own, on all kernels of the package and on bad ones."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.gaussian_process.kernels import WhiteKernel

import mkfusion
from mkfusion import (
    ClinicalKernel,
    ColumnKernelizer,
    CompositeKernel,
    FeatureKernel,
    GlobalAlignmentKernel,
    Kernel,
    LinearKernel,
    MaternKernel,
    Modalities,
    OverlapKernel,
    PolynomialKernel,
    PrecomputedKernel,
    RBFKernel,
    SoftDTWKernel,
    SpectrumKernel,
    TanimotoKernel,
)
from mkfusion.testing import check_kernel

rng = np.random.default_rng(0)
ROWS = rng.uniform(size=(12, 4))
ROWS[3] = ROWS[7]
ROWS[5] = 0.0
TABLE = pd.DataFrame(
    {
        "age": [61.0, 58.0, None, 35.0, 40.0, 41.0, 77.0, 61.0],
        "grade": pd.Categorical(list("abcabcca"), ["a", "b", "c"], ordered=True),
        "sex": ["f", "m", "m", None, "f", "f", "m", "f"],
    }
)
NAMES = np.array(["red", "blue", "green"])[rng.integers(3, size=(9, 3))]
SIGNALS = rng.normal(size=(9, 2, 20))
UNEQUAL = [signal[:, : 12 + i] for i, signal in enumerate(SIGNALS)]
IMAGES = rng.integers(256, size=(9, 16, 16, 3), dtype=np.uint8)
SEQUENCES = ["".join(rng.choice(list("acgt"), size=8)) for _ in range(9)]
GRAM = ROWS @ ROWS.T - 0.1 * np.eye(12)
DISTANCES = np.abs(ROWS[:, np.newaxis] - ROWS).sum(axis=2)
IDS = list(range(12))[::-1]
BOTH = Modalities(rows=ROWS[:9], signals=SIGNALS)

# What each kernel is for, if not rows of numbers, and what else it is to be checked with
SAMPLES: dict[str, list[Any]] = {
    **dict.fromkeys(["OverlapKernel", "FrequencyKernel"], [NAMES, TABLE]),
    "ClinicalKernel": [ROWS, TABLE],
    **dict.fromkeys(
        ["GlobalAlignmentKernel", "SoftDTWKernel", "CovarianceKernel", "PowerSpectrumKernel"],
        [SIGNALS, UNEQUAL],
    ),
    **dict.fromkeys(["CoherenceKernel", "CrossCorrelationKernel"], [SIGNALS, UNEQUAL]),
    "SpectrumKernel": [SEQUENCES, [list(range(3 + i)) for i in range(7)]],
    "WeightedDegreeKernel": [SEQUENCES, [list(one) for one in SEQUENCES]],
    **dict.fromkeys(["PrecomputedKernel", "DistanceKernel"], [IDS]),
    "IntersectionKernel": [np.abs(ROWS)],
    "ImageKernel": [IMAGES, list(IMAGES)],
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "PrecomputedKernel": {"gram": GRAM},
    "DistanceKernel": {"distances": DISTANCES},
    "CompositeKernel": {"kernels": [("one", "rbf"), ("other", "linear")]},
}
KERNELS = sorted(
    name
    for name in mkfusion.__all__
    if inspect.isclass(thing := getattr(mkfusion, name))
    and issubclass(thing, Kernel)
    and not inspect.isabstract(thing)
)


# New samples may have categories of their own.
@pytest.mark.filterwarnings("ignore::mkfusion.UnknownCategoriesWarning")
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_of_the_package(name: str) -> None:
    kernel = getattr(mkfusion, name)(**ARGUMENTS.get(name, {}))
    for X in SAMPLES.get(name, [ROWS]):
        check_kernel(kernel, X)


SPARSE = [name for name in KERNELS if getattr(getattr(mkfusion, name), "_accept_sparse", False)]


@pytest.mark.parametrize("name", SPARSE)
def test_kernels_of_sparse_samples(name: str) -> None:
    check_kernel(getattr(mkfusion, name)(), csr_array(ROWS))


def test_which_kernels_are_found() -> None:
    assert {"MaternKernel", "TanimotoKernel", "ClinicalKernel", "CompositeKernel"} <= {*KERNELS}
    assert {"MaternKernel", "TanimotoKernel", "RBFKernel"} <= {*SPARSE}
    assert not {"Kernel", "FeatureKernel"} & {*KERNELS}


@pytest.mark.parametrize(
    ("kernel", "X"),
    [
        (PolynomialKernel(degree=2, gamma="scale", coef0=0), ROWS),
        (MaternKernel(nu=0.5), ROWS),
        (MaternKernel(nu=3.3), csr_array(ROWS)),
        (TanimotoKernel(), (ROWS > 0.5).astype(float)),
        (TanimotoKernel(), csr_array(np.floor(5 * ROWS))),
        (ClinicalKernel(missing="zero"), TABLE),
        (OverlapKernel(), ROWS.round(1)),
        (GlobalAlignmentKernel(triangular=5), UNEQUAL),
        (SoftDTWKernel(project_psd="clip"), UNEQUAL),
        (SoftDTWKernel(project_psd="shift"), SIGNALS),
        (SpectrumKernel(k=(1, 3)), SEQUENCES),
        (PrecomputedKernel(GRAM, project_psd=True), IDS),
        (PrecomputedKernel(GRAM, project_psd="shift"), IDS),
        (PrecomputedKernel(GRAM.astype(np.float32)), IDS),
        (SpectrumKernel(k=2) * SpectrumKernel() + 1.0, SEQUENCES),
        (2.0 * RBFKernel() + LinearKernel() ** 2 + 1.0, ROWS),
        (RBFKernel() * "linear", ROWS),
        (RBFKernel().on([0, 1]) * RBFKernel().on([2, 3]), ROWS),
        (RBFKernel().on("rows") + GlobalAlignmentKernel().on("signals"), BOTH),
        (CompositeKernel(ColumnKernelizer([("a", "rbf", "rows")]), weights=[2.0]), BOTH),
    ],
    ids=lambda value: value._label() if isinstance(value, Kernel) else "",
)
def test_settings_and_combinations(kernel: Kernel, X: Any) -> None:
    check_kernel(kernel, X)


def test_what_it_asks_for() -> None:
    with pytest.raises(TypeError, match="kernel is a WhiteKernel; expected an instance of a sub"):
        check_kernel(WhiteKernel(), ROWS)
    with pytest.raises(TypeError, match="kernel is a ABCMeta"):
        check_kernel(RBFKernel, ROWS)
    with pytest.raises(ValueError, match="X has 5 samples; expected at least 6"):
        check_kernel(RBFKernel(), ROWS[:5])


class Rough(RBFKernel):
    """Its calls differ by 1e-5."""

    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others) + 1e-5 * (others is None)


def test_tolerance_and_classes_are_the_users() -> None:
    with pytest.raises(AssertionError, match="differs by up to 1e-05 .* expected at most 1e-08"):
        check_kernel(Rough(), ROWS)
    check_kernel(Rough(), ROWS, rtol=1e-3)
    check_kernel(RBFKernel(), ROWS, y=np.repeat(["a", "b", "c"], 4))


# ------------------------------------------------------------------------- what is found wrong


class Good(FeatureKernel):
    """A kernel in which one thing at a time is wrong."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def _evaluate(self, samples, others=None):
        others = samples if others is None else others
        return np.exp(-((samples[:, np.newaxis] - others) ** 2).sum(axis=2) / self.scale)

    def _is_psd(self):
        return True


class NotSymmetric(Good):
    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others) * (1.0 + samples[:, :1])


class NotPSD(Good):
    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others) - 0.9


class WrongDiagonal(Good):
    def _diagonal(self, samples):
        return np.full(len(samples), 0.9)


class SingleDiagonal(Good):
    def _diagonal(self, samples):
        return np.ones(len(samples), dtype=np.float32)


class NaN(Good):
    def _evaluate(self, samples, others=None):
        values = super()._evaluate(samples, others)
        return np.where(values < 0.9, values, np.nan)


class WrongShape(Good):
    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others).ravel()


class Integers(Good):
    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others).astype(int)


class SeesItsNeighbours(Good):
    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others) / len(samples)


class LearnsFromCalls(Good):
    def _prepare(self, X):
        samples = super()._prepare(X)
        self.mean_ = samples.mean(axis=0)
        return samples

    def _learn(self, samples):
        self.mean_ = samples.mean(axis=0)


class LearnsFromNewSamples(Good):
    def _prepare(self, X):
        samples = super()._prepare(X)
        return samples / (1e-9 + samples.max()) if len(samples) < 5 else samples


class KeepsItsAnswer(Good):
    def _evaluate(self, samples, others=None):
        if others is not None or len(samples) != len(ROWS):
            return super()._evaluate(samples, others)
        if not hasattr(KeepsItsAnswer, "kept"):
            KeepsItsAnswer.kept = super()._evaluate(samples)
        return KeepsItsAnswer.kept


class ChangesItsParameter(Good):
    def _learn(self, samples):
        self.scale = 2.0


class ConvertsItsParameter(Good):
    def __init__(self, scale=1):
        self.scale = float(scale)


class OwnAttribute(Good):
    def __init__(self, scale=1.0):
        self.scale = scale
        self.twice = 2 * scale


class AnyParameters(Good):
    def __init__(self, **scale):
        pass


class FitReturnsNothing(Good):
    def fit(self, X, y=None):
        super().fit(X, y)


class RemembersTheFirstFit(Good):
    def _learn(self, samples):
        if not hasattr(self, "width_"):
            self.width_ = samples.var()

    def _evaluate(self, samples, others=None):
        return super()._evaluate(samples, others) * self.width_


class CannotBePickled(Good):
    def _learn(self, samples):
        self.function_ = lambda: 1.0


class ForgetsInPickles(Good):
    def __setstate__(self, state):
        super().__setstate__({**state, "scale": 3.0})


class Overflows(Good):
    def _evaluate(self, samples, others=None):
        shift = 1e8 if samples.dtype == np.float32 else 0.0
        others = samples if others is None else others
        return super()._evaluate(samples + shift, others + shift)


class UndeclaredNoise(Good):
    def _evaluate(self, samples, others=None):
        values = super()._evaluate(samples, others)
        return values + np.eye(len(samples)) if others is None else values

    def _diagonal(self, samples):
        return np.full(len(samples), 2.0)


class WrongFeatures(Good):
    def _features(self, samples):
        return samples


class ModifiesSamples(Good):
    def _prepare(self, X):
        X[0] = 0.5
        return super()._prepare(X)


class LongLabel(Good):
    def _label(self):
        return "a\nb"


class BindsItself(Good):
    def __call__(self, X, Y=None, eval_gradient=False):
        if Y is X:
            self.fit(X)
        return super().__call__(X, Y, eval_gradient)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            NotSymmetric,
            r"notsymmetric: symmetry: k\(x, z\), beside k\(z, x\), differs by up to 0\.",
        ),
        (NotPSD, r"notpsd: positive semi-definite: the smallest eigenvalue .* is -"),
        (WrongDiagonal, r"diagonal: diag\(X\), .* by up to 0.1 \(0.9 instead of 1 at \["),
        (SingleDiagonal, "diagonal: diag returns float32; expected float64"),
        (NaN, "Gram matrix: has 14 values that are not finite"),
        (WrongShape, r"Gram matrix: is a ndarray, \(144,\); expected an array \(12, 12\)"),
        (Integers, "Gram matrix: has the dtype int64; expected float32 or float64"),
        (SeesItsNeighbours, r"(rows alone|diagonal): .* differs by up to 0\.9"),
        (LearnsFromCalls, "calls: a call changes the fitted kernel; expected that only fit learns"),
        (LearnsFromNewSamples, r"rows alone: kernel\(one sample, X\), beside kernel\(X\), differs"),
        (KeepsItsAnswer, "calls: what is returned after it was modified differs by up to nan"),
        (ChangesItsParameter, "parameters: fit changes scale; expected scale_ for what is learned"),
        (OwnAttribute, r"parameters: __init__ sets \['twice'\]; expected its arguments"),
        (FitReturnsNothing, "fit: returned something else; expected the kernel itself"),
        (RemembersTheFirstFit, "fit: a kernel that was fitted before, on other samples, differs"),
        (CannotBePickled, r"pickle: the fitted kernel cannot be pickled \(.*lambda"),
        (ForgetsInPickles, "pickle: the kernel of a pickle differs by up to"),
        (ConvertsItsParameter, "parameters: __init__ changes scale; expected that it is kept"),
        (AnyParameters, r"AnyParameters: parameters: __init__ takes \*scale; expected names"),
        (Overflows, "float32: the kernel of float32 samples, beside that of float64, differs"),
        (UndeclaredNoise, r"stack: .*\(does the kernel have its own noise\?\) differs by up to 1 "),
        (WrongFeatures, "stack: the training kernel, beside kernel"),
        (ModifiesSamples, "samples: X is not what it was before"),
        (LongLabel, "LongLabel: label: is 'a.nb'; expected a short name on one line"),
        (BindsItself, "not fitted|SVC|calls"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_is_wrong_is_named(bad: type[Kernel], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_kernel(bad(), ROWS.copy())


class SharedKernel(Kernel):
    """How many items two sets share: all that a kernel of one's own needs."""

    def _evaluate(self, samples, others=None):
        others = samples if others is None else others
        return np.array([[float(len(one & other)) for other in others] for one in samples])


def test_samples_of_any_kind() -> None:
    sets = [{*map(int, rng.integers(9, size=size))} for size in (3, 5, 2, 7, 4, 3, 1, 0)]
    check_kernel(SharedKernel(), sets)
    check_kernel(SharedKernel() ** 2 + 0.5 * SharedKernel() + 1.0, sets)
    modalities = Modalities(sets=sets, rows=ROWS[:8])
    check_kernel(SharedKernel().on("sets") * RBFKernel().on("rows"), modalities)


def test_what_is_right_is_left_alone() -> None:
    kernel = Good(scale=0.5)
    check_kernel(kernel, ROWS)
    assert vars(kernel) == {"scale": 0.5}
