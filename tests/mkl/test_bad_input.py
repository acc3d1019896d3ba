"""Bad input is refused: the argument, what was found, what was expected; nothing is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mkfusion import (
    KernelCombiner,
    KernelStack,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLNoveltyDetector,
    MKLRegressor,
)
from oracles.names import named

Floats = NDArray[np.float64]

N = 20
ARGUMENT = r"\b(X|kernels)\b"


def make() -> tuple[list[Floats], NDArray[np.intp]]:
    """Two linear kernels (20, 20) and two classes."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % 2
    views = [rng.normal(size=(N, 3)) + y[:, None] for _ in range(2)]
    return [view @ view.T for view in views], y


def refuses(act: Callable[[], Any], *patterns: str, error: type[Exception] = ValueError) -> str:
    """Run `act`; its error must contain every pattern. Returns the message."""
    with pytest.raises(error) as caught:
        act()
    message = str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, message), f"no {pattern!r} in: {message}"
    return message


def fitted_state(model: MKLClassifier) -> list[str]:
    """Names of everything that a fit leaves."""
    return sorted(set(vars(model)) - set(model.get_params()))


def fit_refuses(
    kernels: Any,
    y: Any,
    *patterns: str,
    error: type[Exception] = ValueError,
    sample_weight: Any = None,
    **parameters: Any,
) -> str:
    """Fit must refuse, leave a fresh model fresh, and a fitted one as it was."""
    model = MKLClassifier(**parameters)
    message = refuses(
        lambda: model.fit(kernels, y, sample_weight=sample_weight), *patterns, error=error
    )
    assert fitted_state(model) == []
    good, labels = make()
    used = MKLClassifier().fit(good, labels)
    state, decision = fitted_state(used), used.decision_function(good)
    used.set_params(**parameters)
    refuses(lambda: used.fit(kernels, y, sample_weight=sample_weight), error=error)
    assert fitted_state(used) == state
    np.testing.assert_array_equal(used.decision_function(good), decision)
    return message


# Kernels at fit


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=named)
@pytest.mark.parametrize("where", [(0, 0), (3, 7)])
def test_not_finite(value: float, where: tuple[int, int]) -> None:
    kernels, y = make()
    kernels[1] = kernels[1].copy()
    kernels[1][where] = kernels[1][where[::-1]] = value
    found = "(?i)nan" if np.isnan(value) else "(?i)inf"
    fit_refuses(kernels, y, ARGUMENT, r"\[1\]|kernel1", found)
    fit_refuses(np.stack(kernels, axis=2), y, ARGUMENT, r"\[1\]|kernel1", found)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=named)
def test_not_finite_in_one_gram_matrix(value: float) -> None:
    kernels, y = make()
    gram = kernels[0].copy()
    gram[2, 5] = gram[5, 2] = value
    fit_refuses(gram, y, ARGUMENT, "(?i)nan|inf")


def test_not_square() -> None:
    kernels, y = make()
    cut = [gram[:, :-1] for gram in kernels]
    fit_refuses(cut, y, ARGUMENT, r"20, 19", "(?i)square")
    fit_refuses(np.stack(cut, axis=2), y, ARGUMENT, r"20, 19", "(?i)square")
    fit_refuses(cut[0], y, ARGUMENT, r"20, 19", "(?i)square")
    fit_refuses(KernelStack(kernels)[np.arange(10)], y[:10], ARGUMENT, r"10, 20", "(?i)square")


def test_kernels_first_array() -> None:
    """An (m, n, n) array is the likeliest mistake; the message must help."""
    kernels, y = make()
    fit_refuses(np.array(kernels), y, ARGUMENT, r"2, 20, 20")


@pytest.mark.parametrize("form", [list, KernelStack, lambda k: np.stack(k, axis=2)])
def test_not_symmetric(form: Callable[[list[Floats]], Any]) -> None:
    kernels, y = make()
    kernels[1] = kernels[1].copy()
    kernels[1][3, 7] += 0.5
    message = fit_refuses(form(kernels), y, ARGUMENT, r"\[1\]|kernel1", "(?i)symmetric")
    assert re.search(r"3.*7|7.*3", message)


def test_different_sizes() -> None:
    kernels, y = make()
    fit_refuses([kernels[0], kernels[1][:-1, :-1]], y, ARGUMENT, r"19, 19", r"20, 20")


@pytest.mark.parametrize(("smallest", "rank"), [(-0.5, 20), (-1e-3, 20), (-3.0, 2)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_indefinite(smallest: float, rank: int, scale: float) -> None:
    kernels, y = make()
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(N, N)))[0]
    values = np.zeros(N)
    values[:rank] = np.linspace(1, 4, rank)
    values[0] = smallest
    gram = scale * (basis * values) @ basis.T
    gram = (gram + gram.T) / 2
    message = fit_refuses(
        [kernels[0], gram],
        y,
        ARGUMENT,
        r"\[1\]|kernel1",
        "(?i)eigenvalue",
        "(?i)semi-?definite",
        r"(?i)clip|shift",
    )
    numbers = [float(word) for word in re.findall(r"-\d+(?:\.\d+)?(?:e[+-]?\d+)?", message)]
    assert any(number == pytest.approx(smallest * scale, rel=0.05) for number in numbers), message


def test_slightly_negative_eigenvalues_are_rounding() -> None:
    kernels, y = make()
    for dtype in (np.float64, np.float32):
        low_rank = [np.outer(gram[0], gram[0]).astype(dtype) for gram in kernels]
        assert MKLClassifier().fit(low_rank, y).duality_gap_ <= 1e-3


def test_negative_diagonal() -> None:
    kernels, y = make()
    fit_refuses([kernels[0], -kernels[1]], y, ARGUMENT, r"\[1\]|kernel1", "(?i)negative")


def test_no_kernels() -> None:
    _, y = make()
    fit_refuses([], y, ARGUMENT, "(?i)no kernel|empty|at least one|0 ")
    fit_refuses((), y, ARGUMENT, "(?i)no kernel|empty|at least one|0 ")
    fit_refuses(np.empty((N, N, 0)), y, ARGUMENT, "(?i)no kernel|empty|at least one|0 ")


def test_no_samples() -> None:
    fit_refuses([np.empty((0, 0))], np.empty(0), "(?i)0 sample|no sample|empty|at least")


@pytest.mark.parametrize(
    "bad",
    [
        [[np.array(["a", "b"] * 10)] * N] * 2,
        [np.full((N, N), "x")] * 2,
        [np.full((N, N), None, dtype=object)] * 2,
        np.full((N, N, 2), object()),
    ],
    ids=["strings", "array-of-strings", "None", "objects"],
)
def test_not_numbers(bad: Any) -> None:
    _, y = make()
    with pytest.raises((ValueError, TypeError), match=r"(?i)number|numeric|float|dtype|object"):
        MKLClassifier().fit(bad, y)


def test_objects_that_are_numbers_are_told_to_convert() -> None:
    kernels, y = make()
    with pytest.raises((ValueError, TypeError), match=r"(?i)object"):
        MKLClassifier().fit([gram.astype(object) for gram in kernels], y)


def test_complex() -> None:
    kernels, y = make()
    fit_refuses([gram + 0j for gram in kernels], y, "(?i)complex", error=TypeError)


@pytest.mark.parametrize("shape", [(N,), (N, N, 2, 1)])
def test_wrong_dimensions(shape: tuple[int, ...]) -> None:
    _, y = make()
    fit_refuses(np.ones(shape), y, str(len(shape)) + "|" + re.escape(str(shape)))


def test_a_dictionary_is_no_list_of_kernels() -> None:
    kernels, y = make()
    with pytest.raises((ValueError, TypeError), match=ARGUMENT):
        MKLClassifier().fit({"a": kernels[0], "b": kernels[1]}, y)


# Labels and weights


def test_one_class() -> None:
    kernels, _ = make()
    fit_refuses(kernels, np.ones(N), r"\by\b", "(?i)1 class|one class|class", "1")
    fit_refuses(kernels, ["same"] * N, r"\by\b", "(?i)class", "same")


def test_wrong_number_of_labels() -> None:
    kernels, y = make()
    fit_refuses(kernels, y[:-1], "19", "20")


def test_labels_that_are_no_classes() -> None:
    kernels, _ = make()
    fit_refuses(kernels, np.linspace(0, 1, N) + 0.05, "(?i)continuous")
    fit_refuses(kernels, np.r_[np.nan, np.arange(N - 1) % 2], r"\by\b", "(?i)nan")
    fit_refuses(kernels, None, r"\by\b")


@pytest.mark.parametrize(
    ("weight", "patterns"),
    [
        (np.r_[-1.0, np.ones(N - 1)], ("-1", "(?i)negative|>= 0")),
        (np.r_[np.nan, np.ones(N - 1)], ("(?i)nan",)),
        (np.r_[np.inf, np.ones(N - 1)], ("(?i)inf",)),
        (np.ones(N - 1), ("19", "20")),
        (np.ones((N, 1, 1)), (r"\d",)),
        (np.zeros(N), ("(?i)zero|positive|0|class",)),
        ((np.arange(N) % 2).astype(float), ("(?i)zero|positive|0|class",)),
    ],
    ids=["negative", "nan", "inf", "short", "3-d", "zero", "class-without-weight"],
)
def test_bad_sample_weight(weight: Any, patterns: tuple[str, ...]) -> None:
    kernels, y = make()
    fit_refuses(kernels, y, "sample_?[wW]eight", *patterns, sample_weight=weight)


@pytest.mark.parametrize(
    "weight",
    [{0: -1.0, 1: 1.0}, {0: np.nan, 1: 1.0}, {0: 0.0, 1: 1.0}, "heavy", {5: 1.0}],
    ids=named,
)
def test_bad_class_weight(weight: Any) -> None:
    kernels, y = make()
    fit_refuses(kernels, y, "class_weight", class_weight=weight)


# Parameters


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"C": 0}, "0"),
        ({"C": -1.0}, "-1"),
        ({"C": np.nan}, "nan"),
        ({"C": np.inf}, "inf"),
        ({"C": "1"}, "'1'"),
        ({"C": None}, "None"),
        ({"p": 0.5}, "0.5"),
        ({"p": 0.999}, "0.999"),
        ({"p": -np.inf}, "-inf"),
        ({"p": np.nan}, "nan"),
        ({"p": "2"}, "'2'"),
        ({"p": None}, "None"),
        ({"lam": 0.0}, "0"),
        ({"lam": -2.0}, "-2"),
        ({"lam": np.nan}, "nan"),
        ({"lam": "x"}, "'x'"),
        ({"tol": 0.0}, "0"),
        ({"tol": -1e-3}, "-0.001"),
        ({"tol": np.nan}, "nan"),
        ({"max_iter": 0}, "0"),
        ({"max_iter": 1.5}, "1.5"),
        ({"per_class_weights": "yes"}, "'yes'"),
        ({"n_jobs": "two"}, "'two'"),
        ({"n_jobs": 0}, "0"),
        ({"verbose": "loud"}, "'loud'"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else None,
)
def test_bad_parameter(parameters: dict[str, Any], expected: str) -> None:
    """Scikit-learn's InvalidParameterError is a ValueError and a TypeError."""
    kernels, y = make()
    name = next(iter(parameters))
    fit_refuses(kernels, y, rf"\b{name}\b", re.escape(expected), **parameters)


# Kernels at predict


def test_prediction_kernels() -> None:
    kernels, y = make()
    model = MKLClassifier().fit(kernels, y)
    state = {name: id(value) for name, value in vars(model).items()}
    infinite = [kernels[0], np.where(kernels[1] == kernels[1].max(), np.inf, kernels[1])]
    absent = [kernels[0], np.where(kernels[1] == kernels[1].max(), np.nan, kernels[1])]
    for given, *patterns in (
        ([gram[:, :-1] for gram in kernels], "19", "20"),
        ([gram[:5].T for gram in kernels], r"\b5\b", "20"),
        (kernels[:1], r"\b1\b", r"\b2\b"),
        ([*kernels, kernels[0]], r"\b3\b", r"\b2\b"),
        (kernels[0], r"\b1\b", r"\b2\b"),
        ([], ""),
        ([kernels[0], kernels[1][:-1]], "19", "20"),
        (KernelStack(kernels)[:, :10], r"\b10\b", "20"),
        (infinite, r"\[1\]|kernel1", "(?i)inf"),
        (absent, r"\[1\]|kernel1", "(?i)nan"),
    ):
        for method in (model.predict, model.decision_function):
            refuses(partial(method, given), ARGUMENT, *patterns)
    assert {name: id(value) for name, value in vars(model).items()} == state


def test_prediction_stack_with_other_names() -> None:
    """Kernels by the same names in another order would be weighted wrongly without a word."""
    kernels, y = make()
    model = MKLClassifier().fit(KernelStack(kernels, names=["accel", "gyro"]), y)
    swapped = KernelStack(kernels[::-1], names=["gyro", "accel"])
    refuses(lambda: model.predict(swapped), "accel", "gyro")


def test_prediction_before_fit() -> None:
    from sklearn.exceptions import NotFittedError

    kernels, _ = make()
    for method in (MKLClassifier().predict, MKLClassifier().decision_function):
        refuses(partial(method, kernels), "MKLClassifier", error=NotFittedError)


# Cases that look like bad input but are not


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
def test_integer_and_boolean_kernels_are_numbers() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, size=(N, 6))
    gram = codes @ codes.T
    y = codes[:, 0]
    whole = MKLClassifier(tol=1e-6).fit([gram, np.eye(N, dtype=bool)], y)
    floats = MKLClassifier(tol=1e-6).fit([gram.astype(float), np.eye(N)], y)
    np.testing.assert_array_equal(whole.dual_coef_, floats.dual_coef_)


def test_all_kernels_zero() -> None:
    """Nothing to learn from: no weights, and the majority predicted."""
    _, y = make()
    y = np.r_[y[:-4], [1, 1, 1, 1]]
    zeros = [np.zeros((N, N))] * 2
    model = MKLClassifier().fit(zeros, y)
    np.testing.assert_array_equal(model.weights_, 0.0)
    np.testing.assert_array_equal(model.predict(zeros), 1)
    assert model.duality_gap_ <= 1e-3


def test_two_samples() -> None:
    model = MKLClassifier(tol=1e-6).fit([np.eye(2), np.ones((2, 2))], ["a", "b"])
    np.testing.assert_array_equal(model.predict([np.eye(2), np.ones((2, 2))]), ["a", "b"])
    assert model.duality_gap_ <= 1e-6


# What holds no kernels, and what holds no labels


@pytest.mark.parametrize(
    "estimator",
    [MKLClassifier, MKLRegressor, MKLNoveltyDetector, LocalizedMKLClassifier, KernelCombiner],
)
@pytest.mark.parametrize(
    ("kernels", "said"),
    [
        (None, "X is None; expected Gram matrices"),
        (3.0, r"X is 3\.0; expected Gram matrices"),
        ("rbf", "X is 'rbf'; expected Gram matrices"),
        (iter(make()[0]), "X is a list_iterator, which can be read once only; expected Gram"),
        ((gram for gram in make()[0]), "X is a generator, which can be read once only; expected"),
        (
            np.stack(make()[0]),
            r"X has shape \(2, 20, 20\); expected square .*np\.moveaxis\(kernels, 0, -1\)",
        ),
    ],
    ids=named,
)
def test_what_holds_no_kernels(estimator: Any, kernels: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        estimator().fit(kernels, make()[1])


class Holder:
    """Samples and much else, as AnnData has them. NumPy would ask for items, of which it has some.

    Of the real ones there is no end: this one says when it is asked.
    """

    shape = (20, 4)
    obs_names = ["p0"]

    def __len__(self) -> int:
        return 20

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("it is asked for items")


@pytest.mark.parametrize(
    "estimator",
    [MKLClassifier, MKLRegressor, MKLNoveltyDetector, LocalizedMKLClassifier, KernelCombiner],
)
def test_holders_of_samples(estimator: Any) -> None:
    said = r"X is a Holder; expected Gram .* ColumnKernelizer in front of it, .* adata\.to_df\(\)"
    with pytest.raises(TypeError, match=said):
        estimator().fit(Holder(), make()[1])
    with pytest.raises(TypeError, match=r"X\[0\] is a Holder; expected an array of real numbers"):
        estimator().fit([Holder()], make()[1])
    with pytest.raises(TypeError, match="grams is a Holder; expected Gram matrices"):
        KernelStack(Holder())


@pytest.mark.parametrize("target", [[1, "high"], [1.5, None, "high"], ["low", "high"]], ids=named)
def test_texts_in_a_target_of_numbers(target: Any) -> None:
    y = np.array((target * N)[:N], dtype=object)
    first = next(i for i, value in enumerate(y) if isinstance(value, str))
    with pytest.raises(ValueError, match=f"y holds {y[first]!r} in row {first}; expected numbers"):
        MKLRegressor().fit(make()[0], y)


@pytest.mark.parametrize("kernels", [None, 3, "rbf", iter(())], ids=named)
def test_no_stack(kernels: Any) -> None:
    refuses(lambda: KernelStack(kernels), "^grams is ", "expected Gram matrices", error=TypeError)


@pytest.mark.parametrize("estimator", [MKLClassifier, LocalizedMKLClassifier])
def test_texts_and_numbers_are_no_labels(estimator: Any) -> None:
    kernels, _ = make()
    mixed = np.array(["a", 1] * (N // 2), dtype=object)
    with pytest.raises(TypeError, match="y holds texts such as 'a' and int such as 1; expected"):
        estimator().fit(kernels, mixed)
