"""Messages show values as they are, whatever container or scalar of NumPy they came in."""

import re
from decimal import Decimal

import numpy as np
import pytest

from mkfusion import KernelStack, Modalities, compare_fusion
from mkfusion._messages import shown
from mkfusion.inspection import emap, kernel_alignment, modality_importance, weight_stability

OF_NUMPY = re.compile(r"\bnp\.\w+\(")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64(0.5), "0.5"),
        (np.str_("rock"), "'rock'"),
        (np.bool_(True), "True"),
        (np.array(3), "3"),
        ([np.int64(1), (np.float32(0.5),)], "[1, (0.5,)]"),
        (np.datetime64("2024-01-31T00:00:00", "ns"), "'2024-01-31T00:00:00.000000000'"),
        (Decimal("0.1"), "Decimal('0.1')"),
        (None, "None"),
    ],
)
def test_values(value, text):
    assert shown(value) == text


RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4))
Y = np.tile(["rock", "metal"], 10)
PAIR = [("a", [0, 1]), ("b", [2, 3])]
SCALARS = (np.float64(-7.5), np.str_("odd"), np.int64(-3), [np.float64(-7.5)])
# Not scoring: what refuses it, and its words, are those of scikit-learn.
COMPARED = (
    "task",
    "cv",
    "inner_cv",
    "groups",
    "methods",
    "test",
    "alpha",
    "random_state",
)


def refusals():
    for value in SCALARS:
        for name in COMPARED:
            yield compare_fusion, (X, Y, PAIR), {"methods": ["uniform"], name: value}
        for name in ("target_type",):
            yield kernel_alignment, (KernelStack([X @ X.T]), Y), {name: value}
    one = np.full(20, "rock")
    yield compare_fusion, (X, one, PAIR), {}
    yield compare_fusion, (X, np.full(20, 1.0), PAIR), {}
    yield compare_fusion, (X, Y, PAIR), {"cv": [(np.arange(10) * 2, np.arange(10) * 2 + 1)] * 2}
    yield compare_fusion, (X, Y, PAIR), {"groups": np.arange(20) // 2, "cv": [(range(9), [9])] * 2}
    yield kernel_alignment, (KernelStack([X @ X.T]), one), {}
    for question in (emap, modality_importance, weight_stability):
        yield question, (np.float64(1.0), X, Y), {}


@pytest.mark.parametrize(("function", "given", "options"), list(refusals()))
def test_refusals_show_no_scalars_of_numpy(function, given, options):
    with pytest.raises((TypeError, ValueError)) as caught:
        function(*given, **options)
    assert not OF_NUMPY.search(str(caught.value)), caught.value


@pytest.mark.parametrize("key", [np.str_("c"), np.float64(0.5)])
def test_modalities_show_what_is_asked_for(key):
    with pytest.raises((KeyError, IndexError, TypeError)) as caught:
        Modalities(a=X, b=X)[key]
    assert not OF_NUMPY.search(str(caught.value)), caught.value
