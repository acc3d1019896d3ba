"""Passes in threads give what one thread gives."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mkfusion.stack import _threads
from mkfusion.stack._stack import DenseStack


@pytest.mark.parametrize("count", [1, 2, 5])
def test_same_results_in_any_number_of_threads(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "n_threads", lambda: count)
    monkeypatch.setattr(_threads, "_WORTH_A_THREAD", 1)
    rng = np.random.default_rng(0)
    array = rng.normal(size=(7, 20, 20))
    array += array.transpose(0, 2, 1)
    stack, index = DenseStack.around(array), np.array([3, 4, 11, 17])
    weights, beta = rng.random(7), rng.normal(size=(2, 20))
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(
        stack.combine(weights), np.einsum("k,kij->ij", weights, array), **close
    )
    np.testing.assert_allclose(
        stack.combine(weights, cols=index),
        np.einsum("k,kij->ij", weights, array[:, :, index]),
        **close,
    )
    out = np.zeros((2, 7, 20))
    stack.add_dot(beta, out)
    np.testing.assert_allclose(out, np.einsum("kij,uj->uki", array, beta), **close)
    taken = stack.take(index, index)
    np.testing.assert_array_equal(taken.array, array[np.ix_(np.arange(7), index, index)])


def test_pieces_cover_everything_once() -> None:
    for size, numbers in ((1, 10), (10, 10**9), (3, 10**9)):
        pieces = _threads.split_for_threads(size, numbers)
        assert [i for piece in pieces for i in range(size)[piece]] == list(range(size))
    assert len(_threads.split_for_threads(1000, 1000)) == 1


def test_errors_of_threads_are_raised() -> None:
    def fail(piece: slice) -> None:
        if piece.start:
            raise ValueError("in a thread")

    with pytest.raises(ValueError, match="in a thread"):
        _threads.in_threads(fail, [slice(0, 1), slice(1, 2)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_its_own_threads() -> None:
    code = (
        "import os\n"
        "from mkfusion.stack._threads import in_threads\n"
        "pieces = [slice(0, 1), slice(1, 2)]\n"
        "in_threads(lambda piece: None, pieces)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    in_threads(lambda piece: None, pieces)\n"
        "    os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert ended.returncode == 0
