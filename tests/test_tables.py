"""Tables for users say alike that pandas is not there."""

import sys

import numpy as np
import pytest

from mkfusion import ModalityPrediction
from mkfusion.inspection import KernelAlignment, kernel_alignment

PREDICTED = ModalityPrediction(
    source=["a"],
    target="b",
    columns=["u", "v"],
    r2=np.array([0.5, 0.25]),
    predictions=np.zeros((3, 2)),
    held_out=np.ones(3, dtype=bool),
    estimator=None,
)


@pytest.fixture(scope="module")
def alignment() -> KernelAlignment:
    x = np.random.default_rng(0).normal(size=(2, 30))
    return kernel_alignment([np.outer(one, one) for one in x])


def test_tables(alignment):
    assert PREDICTED.to_frame()["r2"].to_dict() == {"u": 0.5, "v": 0.25}
    assert len(alignment.to_frame()) == 2


def test_without_pandas(alignment, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for outcome in (PREDICTED, alignment):
        with pytest.raises(
            ImportError, match=r"^to_frame\(\) needs pandas, which is not installed"
        ):
            outcome.to_frame()
