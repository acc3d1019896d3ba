"""Paths between two signals against all of them, and streams on one clock."""

import numpy as np
import pandas as pd
import pytest

from mkfusion import AlignmentDisplay, SoftDTWKernel, alignment_path, cut_windows, synchronise
from oracles.alignments import all_paths


def cost_of(path, x, z):
    return sum(((x[:, i] - z[:, j]) ** 2).sum() for i, j in path)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (4, 1), (5, 5), (6, 4), (4, 6)])
@pytest.mark.parametrize("radius", [None, 1, 2])
def test_no_path_is_better(n, m, radius):
    rng = np.random.default_rng(n * 10 + m)
    x, z = rng.normal(size=(2, n)), rng.normal(size=(2, m))
    allowed = [
        path
        for path in all_paths(n, m)
        if radius is None
        or all(abs(i * (m - 1) / max(n - 1, 1) - j) <= radius + 1e-9 for i, j in path)
    ]
    if not allowed:
        with pytest.raises(ValueError, match="leaves no path"):
            alignment_path(x, z, radius=radius)
        return
    found = alignment_path(x, z, radius=radius)
    best = min(cost_of(path, x, z) for path in allowed)
    np.testing.assert_allclose(found.cost, best)
    np.testing.assert_allclose(cost_of(found.path, x, z), best)
    assert [tuple(pair) for pair in found.path.tolist()] in allowed


def test_a_stretched_signal_is_found_again():
    x = np.sin(np.linspace(0, 9, 40)) + np.linspace(0, 1, 40)
    copies = np.random.default_rng(0).integers(1, 4, size=40)
    found = alignment_path(x, np.repeat(x, copies))
    assert found.cost == 0.0
    np.testing.assert_array_equal(found.path[:, 0], np.repeat(np.arange(40), copies))
    np.testing.assert_array_equal(found.path[:, 1], np.arange(copies.sum()))
    # And back: the same pairs.
    back = alignment_path(np.repeat(x, copies), x)
    np.testing.assert_array_equal(back.path[:, ::-1], found.path)


def test_picture_joins_what_belongs_together():
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 30)), rng.normal(size=(2, 45))
    display = AlignmentDisplay.from_signals(x, z).plot()
    assert len(display.lines_) == 4
    joined = [(int(a[0]), int(b[0])) for a, b in display.matches_.get_segments()]
    pairs = [tuple(pair) for pair in alignment_path(x, z).path.tolist()]
    assert set(joined) <= set(pairs)
    assert {joined[0], joined[-1]} == {(0, 0), (29, 44)}
    # The first signal is above the second everywhere.
    above = min(line.get_ydata().min() for line in display.lines_[:2])
    assert above > max(line.get_ydata().max() for line in display.lines_[2:])
    ax = display.figure_.add_subplot()
    assert AlignmentDisplay.from_signals([0, 0], [0, 0]).plot(ax=ax).ax_ is ax


@pytest.mark.parametrize(
    ("x", "z", "more", "message"),
    [
        (np.zeros((2, 5)), np.zeros((3, 5)), {}, "x has 2 channels and z has 3"),
        ([0.0, np.nan], [0.0], {}, "x is nan in channel 0 at step 1"),
        ([0.0], ["a"], {}, "z is an array of shape"),
        ([], [0.0], {}, "x is an array of shape"),
        ([0.0], [0.0], {"radius": -1}, "radius is -1"),
        ([0.0], [0.0], {"radius": 1.5}, "radius is 1.5"),
        (
            np.zeros(10**6),
            np.zeros(10**6),
            {},
            r"to align 1000000 steps with 1000000 needs 7.45e\+03 GiB of memory, of which",
        ),
        (
            [1e200, 0.0],
            [0.0],
            {},
            r"x has a number of size 1e\+200, and squared differences overflow",
        ),
        ([0.0], [[0.0, -1.7e308]], {}, r"z has a number of size 1.7e\+308"),
        (pd.DataFrame({"a": [0.0, np.nan]}), [0.0], {}, "x is nan in channel 0 at step 1"),
        (pd.DataFrame({"a": ["up"]}), [0.0], {}, "column 'a' of x is nominal; expected numbers"),
    ],
)
def test_bad_signals_are_refused(x, z, more, message):
    with pytest.raises((ValueError, TypeError, MemoryError), match=message):
        alignment_path(x, z, **more)


def test_rows_of_tables_are_time_steps():
    """As in `cut_windows` and `synchronise`; arrays have the channels first."""
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, 7)), rng.normal(size=(2, 5))
    tables = [pd.DataFrame(signal.T, columns=["ax", "ay"]) for signal in (x, z)]
    expected = alignment_path(x, z)
    for given in (tables, [x, tables[1]], [one.convert_dtypes() for one in tables]):
        found = alignment_path(*given)
        np.testing.assert_array_equal(found.path, expected.path)
        assert found.cost == expected.cost
    np.testing.assert_array_equal(AlignmentDisplay.from_signals(*tables).x, x)
    series = [pd.Series(signal[0]) for signal in (x, z)]
    assert alignment_path(*series).cost == alignment_path(x[0], z[0]).cost
    kernel = SoftDTWKernel(band=3).fit([x, z])
    shares = kernel.expected_alignment(x, z)
    np.testing.assert_array_equal(kernel.expected_alignment(*tables), shares)
    together = synchronise({"one": tables[0], "other": x}, to=1.0, rate=1.0)
    np.testing.assert_array_equal(together.streams["one"], together.streams["other"])


def test_tables_of_other_channels_are_refused():
    table = pd.DataFrame(np.zeros((4, 2)), columns=["ax", "ay"])
    with pytest.raises(ValueError, match=r"x has the columns .*ax.* and z has .*ay"):
        alignment_path(table, table[["ay", "ax"]])
    assert alignment_path(table[["ax"]], table[["ay"]]).cost == 0.0  # what a single one is called
    with pytest.raises(ValueError, match="x has 4 channels and z has 2.*come first is x.T"):
        alignment_path(table.to_numpy(), table)


def test_numbers_that_are_large_but_can_be_squared_are_aligned():
    x, z = np.array([0.0, 1e150, 0.0]), np.array([0.0, 0.0, 1e150, 0.0])
    assert alignment_path(x, z).cost == 0.0


@pytest.mark.parametrize("to", [1e12, 1e300])
def test_a_clock_too_fast_for_memory_is_refused_before(to):
    message = r"to=1e\+\d+ instants in each of 99.9 seconds, of 2 channels, needs .* GiB .* slower"
    with pytest.raises(MemoryError, match=message):
        synchronise({"a": np.zeros((2, 1000))}, to=to, rate=10.0)


@pytest.mark.parametrize("more", [{"step": 1e-12}, {"step": 1e-300}, {"rate": 1e12}])
def test_windows_too_many_for_memory_are_refused_before(more):
    times = pd.DataFrame({"v": np.zeros(100)}, index=np.arange(100) / 10.0)
    with pytest.raises(MemoryError, match=r"windows of 2 seconds of .* values, every step=.* GiB"):
        cut_windows({"a": times}, 2.0, **{"n_blocks": 1, **more})


def test_a_faster_stream_is_averaged_around_the_instants():
    """What is too fast for the clock vanishes; picking every tenth step would show it as slow."""
    t = np.arange(2000) / 100.0
    wave = np.sin(2 * np.pi * 9.0 * t)
    slow = np.sin(2 * np.pi * 0.2 * t)
    found = synchronise({"a": np.array([wave, slow])}, to=10.0, rate=100.0)
    np.testing.assert_allclose(found.times, np.arange(200) / 10.0)
    assert np.abs(wave[::10]).max() > 0.9
    assert np.abs(found.streams["a"][0, 1:]).max() < 0.2
    np.testing.assert_allclose(found.streams["a"][1, 1:-1], slow[10:-10:10], atol=0.02)
    by_hand = [wave[10 * k - 5 : 10 * k + 5].mean() for k in range(1, 199)]
    np.testing.assert_allclose(found.streams["a"][0, 1:199], by_hand, atol=1e-12)


def test_streams_share_the_time_that_all_have():
    early = pd.DataFrame({"v": np.arange(100.0)}, index=np.arange(100) / 10)
    late = pd.DataFrame({"v": np.arange(30.0)}, index=4.0 + np.arange(30) / 2)
    late.iloc[4:8] = np.nan
    found = synchronise({"a": early, "b": late}, to=10.0)
    np.testing.assert_allclose([found.times[0], found.times[-1]], [4.0, 9.9])
    np.testing.assert_allclose(found.streams["a"][0], np.arange(40, 100))
    line = (found.times - 4.0) * 2
    there = ~np.isnan(found.streams["b"][0])
    np.testing.assert_allclose(found.streams["b"][0, there], line[there], atol=1e-9)
    # From three quarters of a step after the last value to as much before the next.
    np.testing.assert_array_equal(there, (line <= 3.75) | (line >= 7.25))
    same = synchronise({"a": early}, to=10.0)
    np.testing.assert_array_equal(same.streams["a"][0], np.arange(100.0))


def test_streams_of_different_times_are_refused():
    one = pd.DataFrame({"v": np.zeros(10)}, index=np.arange(10) / 10)
    with pytest.raises(ValueError, match="ends at 0.9 seconds before another begins at 5"):
        synchronise({"a": one, "b": one.set_axis(5 + np.arange(10) / 10)}, to=1.0)
    with pytest.raises(ValueError, match="to is 0"):
        synchronise({"a": one}, to=0)


def test_dates_are_synchronised_as_seconds_are():
    # Steps half way between two instants of the clock go to the later one, on any clock.
    rng = np.random.default_rng(0)
    steps = pd.to_timedelta(np.arange(400) * 5, unit="ms")
    fast, slow = rng.normal(size=400), rng.normal(size=100)
    found = []
    for start in (pd.Timedelta(0), pd.Timestamp("2024-05-01 10:00:00.0959")):
        recording = {
            "fast": pd.DataFrame({"f": fast}, index=start + steps),
            "slow": pd.DataFrame({"s": slow}, index=start + 4 * steps[:100]),
        }
        found.append(synchronise(recording, to=100.0))
    assert len(found[0].times) == len(found[1].times)
    for name in ("fast", "slow"):
        np.testing.assert_allclose(
            found[0].streams[name], found[1].streams[name], rtol=1e-3, atol=1e-4
        )
