"""The contract test sees every way in which a stack may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion.stack import KernelStack
from mkfusion.testing import check_kernel_stack

X = np.random.default_rng(0).normal(size=(8, 3))
GRAMS = [X @ X.T, np.exp(X @ X.T / 4.0)]


class Good(KernelStack):
    """Two kernels of samples, from the least that a stack has."""

    def __init__(self, x=X, z=X) -> None:
        self.x, self.z = x, z

    @property
    def shape(self):
        return len(self.x), len(self.z), 2

    def block(self, k, rows, cols):
        x = self.x if rows is None else self.x[rows]
        z = self.z if cols is None else self.z[cols]
        return np.exp(x @ z.T / 4.0) if k else x @ z.T


def test_the_least_is_enough() -> None:
    check_kernel_stack(Good(), GRAMS)
    check_kernel_stack(Good(X[:3]), np.moveaxis([gram[:3] for gram in GRAMS], 0, -1))
    check_kernel_stack(Good())


@pytest.mark.parametrize("missing", ["shape", "block"])
def test_less_is_refused(missing) -> None:
    body = {name: Good.__dict__[name] for name in {"shape", "block"} - {missing}}
    with pytest.raises(TypeError, match=f"Bad has no {missing}; expected both"):
        type("Bad", (KernelStack,), body)


def test_other_objects_are_refused() -> None:
    with pytest.raises(AssertionError, match="ndarray is no KernelStack"):
        check_kernel_stack(np.eye(3))
    with pytest.raises(AssertionError, match=r"shape is \(8, 8, 2\); expected \(8, 8, 1\)"):
        check_kernel_stack(Good(), GRAMS[:1])


def _wrong_block(self, k, rows, cols):
    return Good.block(self, k, rows, cols) + 1e-6


def _block_in_order(self, k, rows, cols):
    return Good.block(self, k, None if rows is None else np.sort(rows), cols)


def _forgets_columns(self, rows, cols):
    return Good(self.x if rows is None else self.x[rows], self.z)


def _adds_beside(self, weights, rows, cols, out):
    more = np.empty_like(out)
    KernelStack.combine_into(self, weights, rows, cols, more)
    out += more


def _writes_over(self, beta, out, kernels=None):
    which = slice(None) if kernels is None else kernels
    out[:, which] = self.dot(beta)[:, which]


def _adds_to_all(self, beta, out, kernels=None):
    out += self.dot(beta)


def _low(self, beta):
    return KernelStack._dot(self, beta).astype(np.float32)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"block": _wrong_block}, "of the stack"),
        ({"block": _block_in_order}, "block of the stack"),
        ({"_take": _forgets_columns}, "shape of some rows and columns"),
        ({"_select": lambda self, which: self}, "names of the stack are"),
        ({"combine_into": _adds_beside}, "combine"),
        ({"add_dot": _writes_over}, "add_dot"),
        ({"add_dot": _adds_to_all}, "add_dot"),
        ({"_dot": _low}, "dot of the stack has dtype float32; expected float64"),
        ({"_dot": lambda self, beta: 2 * KernelStack._dot(self, beta)}, "dot of the stack"),
        ({"_quadratic": lambda self, beta: np.ones(2)}, "quadratic"),
        ({"_diagonal": lambda self: np.ones((2, len(self)))}, "diagonal"),
        ({"_fill": lambda self, array: array.fill(1.0)}, "array of the stack"),
        ({"names": property(lambda self: ["a", "a"])}, r"names is \['a', 'a'\]; expected 2"),
        ({"names": property(lambda self: ["a", 2])}, "expected strings"),
        ({"dtype": property(lambda self: np.dtype(int))}, "dtype is int64; expected float32"),
        ({"place": 3}, "place is 3; expected a string"),
        (
            {"__reduce__": lambda self: (Good, (self.x[::-1], self.z))},
            "pickled, the stack becomes a Good",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_found(members, message) -> None:
    wrong = type("Wrong", (Good,), members)()
    with pytest.raises(AssertionError, match=message):
        check_kernel_stack(wrong, GRAMS)
