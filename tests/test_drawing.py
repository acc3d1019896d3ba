"""Pictures are drawn on axes that are given or new, and say what they need."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mkfusion import AlignmentDisplay, ExpectedAlignmentDisplay, InteractionDisplay
from mkfusion._drawing import axes_of
from mkfusion.inspection import KernelAlignmentDisplay, kernel_alignment

SIGNALS = {"x": np.zeros((1, 3)), "z": np.ones((1, 3))}
PATH = np.repeat(np.arange(3), 2).reshape(3, 2)
X = np.random.default_rng(0).normal(size=(20, 2))
DISPLAYS = [
    AlignmentDisplay(**SIGNALS, path=PATH, cost=3.0),
    ExpectedAlignmentDisplay(**SIGNALS, shares=np.eye(3)),
    InteractionDisplay(
        values=np.arange(3.0),
        levels=np.zeros(1),
        level_names=["0"],
        predicted=np.zeros((1, 3)),
        lower=None,
        upper=None,
        observed=np.arange(3.0),
        names=("a", "b"),
        response="y",
        conclusion="",
    ),
    KernelAlignmentDisplay(alignment=kernel_alignment([X @ X.T, (X @ X.T) ** 2])),
]
each_display = pytest.mark.parametrize("display", DISPLAYS, ids=lambda one: type(one).__name__)


def test_axes_are_those_that_are_given():
    plt.switch_backend("agg")
    given = plt.figure().add_subplot()
    assert axes_of(given, "Anything") is given
    assert plt.get_fignums() == [given.figure.number]
    new = axes_of(None, "Anything", 2.0, 5.0)
    np.testing.assert_allclose(new.figure.get_size_inches(), [5.0, 2.0])
    assert new.figure.get_layout_engine() is not None
    assert axes_of(None, "Anything", layout=None).figure.get_layout_engine() is None


@each_display
def test_displays_draw_on_one_figure(display):
    plt.switch_backend("agg")
    display.plot()
    assert len(plt.get_fignums()) == 1
    given = plt.figure().add_subplot()
    display.plot(ax=given)
    assert len(plt.get_fignums()) == 2 and given.has_data()


@each_display
def test_all_displays_say_alike_that_matplotlib_is_not_there(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    message = rf"{type(display).__name__}\.plot\(\) needs matplotlib, which is not installed\."
    with pytest.raises(ImportError, match=message):
        display.plot()
