"""Windows of recordings: what stands in them, what label they take; groups share nothing."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GroupKFold

from mkfusion import cut_windows
from mkfusion.datasets import load_exercises


def ramp(n_channels, n_steps, rate):
    """A stream whose values are the times of its steps, times the number of the channel."""
    return np.arange(1, n_channels + 1)[:, np.newaxis] * np.arange(n_steps) / rate


def brute(values, rate, length, step):
    """Windows of a regular stream, by slices."""
    n, n_steps = round(length * rate), values.shape[1]
    starts = range(0, n_steps - n + 1, round(step * rate))
    return np.array([values[:, i : i + n] for i in starts])


@pytest.mark.parametrize(("rate", "step"), [(50.0, 2.0), (12.5, 0.4), (32.0, 0.25)])
def test_windows_of_a_regular_stream_are_its_slices(rate, step):
    values = np.random.default_rng(0).normal(size=(3, 977))
    X, y, groups, times, recording = cut_windows(
        {"a": values}, length=4.0, step=step, rate=rate, n_blocks=1
    )
    wanted = brute(values, rate, 4.0, step)
    np.testing.assert_array_equal(X["a"], wanted)
    np.testing.assert_allclose(times[:, 0], step * np.arange(len(wanted)))
    np.testing.assert_allclose(times[:, 1] - times[:, 0], 4.0)
    assert y is None
    assert set(groups) == {"0"}
    assert set(recording) == {0}


def test_each_modality_keeps_its_rate_and_windows_are_of_the_same_time():
    recording = {"fast": ramp(2, 5000, 100.0), "slow": ramp(1, 200, 4.0)}
    windows = cut_windows(recording, 5.0, step=2.5, rate={"fast": 100, "slow": 4}, n_blocks=1)
    assert windows.data["fast"].shape == (19, 2, 500)
    assert windows.data["slow"].shape == (19, 1, 20)
    for name in windows.data.names:  # the first value is the time at which a window starts
        np.testing.assert_allclose(windows.data[name][:, 0, 0], windows.times[:, 0])


def table(n=600, rate=20.0):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=["ax", "ay", "gx", "gy"])
    frame["t"] = np.arange(n) / rate
    frame["what"] = np.where(np.arange(n) < n // 2, "walk", "run")
    frame["who"] = np.where(np.arange(n) < n // 2, "ann", "bob")
    return frame


MODALITIES = {"accel": ["ax", "ay"], "gyro": ["gx", "gy"]}


def test_one_table_gives_the_same_in_whatever_container_and_however_its_times_are_told():
    frame = table()
    wanted = cut_windows(frame, 3.0, modalities=MODALITIES, time="t", labels="what", groups="who")
    dated = frame.assign(
        t=pd.Timestamp("2026-03-01", tz="Europe/Paris") + pd.to_timedelta(frame["t"], "s")
    )
    ways = {
        "index": (frame.set_index("t"), None),
        "durations": (frame.assign(t=pd.to_timedelta(frame["t"], "s")), "t"),
        "dates": (dated, "t"),
        "index of dates": (dated.set_index("t"), None),
        "polars": (pl.from_pandas(frame), "t"),
        "arrow": (frame.convert_dtypes(dtype_backend="pyarrow"), "t"),
    }
    for name, (data, time) in ways.items():
        found = cut_windows(
            data, 3.0, modalities=MODALITIES, time=time, labels="what", groups="who"
        )
        np.testing.assert_array_equal(found.groups, wanted.groups, err_msg=name)
        np.testing.assert_array_equal(found.target, wanted.target, err_msg=name)
        for modality in MODALITIES:
            np.testing.assert_allclose(
                found.data[modality], wanted.data[modality], atol=1e-4, err_msg=name
            )
    assert wanted.groups.tolist() == ["ann"] * 5 + ["bob"] * 5
    np.testing.assert_array_equal(wanted.data["gyro"][1], frame[["gx", "gy"]].iloc[60:120].T)
    since = cut_windows(dated, 3.0, modalities=MODALITIES, time="t").times[0, 0]
    assert pd.to_datetime(since, unit="s", utc=True) == dated["t"][0]


def test_groups_share_no_time_step():
    """A change of one block changes no window of another, and grouped folds split no overlap."""
    values = np.random.default_rng(2).normal(size=(1, 1003))

    def windows(data, **more):
        return cut_windows({"a": data}, 2.0, step=0.3, rate=9.7, n_blocks=5, **more)

    before = windows(values)
    names = np.unique(before.groups)
    assert len(names) == 5
    for k, name in enumerate(names):
        ends = np.linspace(0, 1003 / 9.7, 6)[k : k + 2]
        changed = values.copy()
        times = np.arange(1003) / 9.7
        changed[:, (times >= ends[0]) & (times < ends[1])] = 99.0
        different = (windows(changed).data["a"] != before.data["a"]).any(axis=(1, 2))
        np.testing.assert_array_equal(different, before.groups == name)
    for train, test in GroupKFold(5).split(before.times, groups=before.groups):
        apart = before.times[test, 0][:, None] >= before.times[train, 1] - 1e-9
        apart |= before.times[test, 1][:, None] <= before.times[train, 0] + 1e-9
        assert apart.all()
    margin = windows(values, margin=3.0)
    for name, other in zip(names, names[1:], strict=False):
        gap = margin.times[margin.groups == other].min() - margin.times[margin.groups == name].max()
        assert gap >= 6.0


def share(start, stop, first, last):
    return max(0.0, min(stop, last) - max(start, first)) / (stop - start)


def test_labels_of_stretches_by_majority_purity_and_last():
    stretches = [(0.0, 7.0, "sit"), (7.0, 12.5, "walk"), (15.0, 30.0, "sit")]
    data = {"a": np.zeros((1, 300))}

    def labelled(**more):
        found = cut_windows(data, 4.0, step=1.0, rate=10.0, labels=stretches, n_blocks=1, **more)
        return dict(zip(found.times[:, 0].round(6).tolist(), found.target.tolist(), strict=True))

    for purity in (0.0, 0.5, 0.8, 1.0):
        wanted = {}
        for start in np.arange(27.0):
            shares = {"sit": 0.0, "walk": 0.0}
            for first, last, name in stretches:
                shares[name] += share(start, start + 4, first, last)
            best = max(shares, key=shares.get)  # the first of equals
            if shares[best] > 0 and shares[best] >= purity - 1e-9:
                wanted[start] = best
        assert labelled(purity=purity) == wanted
    last = labelled(label="last")
    assert {last[start] for start in (0.0, 3.0, 12.0, 26.0)} == {"sit"}
    assert last[4.0] == last[8.0] == "walk"
    assert not {9.0, 10.0, 11.0} & last.keys()  # end where nothing is known


def test_labels_of_steps_and_their_mean():
    rng = np.random.default_rng(3)
    heart = rng.normal(70, 5, size=200)
    heart[50:60] = np.nan
    found = cut_windows(
        {"a": np.zeros((1, 200))},
        2.0,
        rate=10.0,
        labels=heart,
        label="mean",
        purity=0.4,
        n_blocks=1,
    )
    np.testing.assert_allclose(found.target, np.nanmean(heart.reshape(10, 20), axis=1))
    words = np.repeat(["a", "b"], 100)
    words = cut_windows({"a": np.zeros((1, 200))}, 2.0, rate=10.0, labels=words, n_blocks=1)
    assert words.target.tolist() == ["a"] * 5 + ["b"] * 5
    numbers = cut_windows({"a": np.zeros((1, 200))}, 2.0, rate=10.0, labels=np.repeat([3, 1], 100))
    assert numbers.target.dtype.kind == "i"


@pytest.mark.parametrize("offset", [0.0, 0.0959, 0.1781])
@pytest.mark.parametrize(("label", "length", "step"), [("last", 4.0, 2.0), ("majority", 4.0, 4.0)])
def test_dates_which_are_rounded_give_the_labels_that_seconds_give(label, length, step, offset):
    # Windows end where another label begins, and are half of one label and half of the next.
    n = 400
    frame = pd.DataFrame({"a": np.arange(n) * 1.0, "y": [f"at{i // 20}" for i in range(n)]})
    found = []
    for start in (pd.Timedelta(0), pd.Timestamp("2024-05-01")):
        begin = start + pd.Timedelta(offset, unit="s")
        table = frame.set_axis(begin + pd.to_timedelta(np.arange(n) * 100, unit="ms"))
        windows = cut_windows(
            table, length, step=step, modalities={"m": ["a"]}, labels="y", label=label, n_blocks=1
        )
        found.append((windows.data["m"], windows.target))
    (values, target), (others, other_target) = found
    np.testing.assert_allclose(values, others)
    taken = values[:, 0, -1 if label == "last" else 0]
    assert target.tolist() == other_target.tolist() == [f"at{int(row) // 20}" for row in taken]


@pytest.mark.parametrize(("ms", "length", "step"), [(1, 2.0, 0.5), (2, 0.054, 0.008)])
def test_fast_streams_of_dates_are_taken_as_they_are(ms, length, step):
    # In seconds since 1970 a millisecond is off by 1 in 10,000.
    values = np.random.default_rng(0).normal(size=(1, 6000))
    begin = pd.Timestamp("2024-05-01 10:00:00.095917")
    index = begin + pd.to_timedelta(np.arange(6000) * ms, unit="ms")
    table = pd.DataFrame({"a": values[0]}, index=index)
    windows = cut_windows(table, length, step=step, modalities={"a": ["a"]}, n_blocks=1)
    np.testing.assert_array_equal(windows.data["a"], brute(values, 1000 / ms, length, step))


def test_gaps_are_interpolated_up_to_a_share_and_lack_the_modality_beyond():
    values = ramp(2, 400, 10.0)
    values[:, [13, 57]] = np.nan  # two single values
    values[1, 120:135] = np.nan  # 15 of 40 in one channel: 0.1875 of both
    values[:, 200:280] = np.nan
    data = {"a": values, "b": np.zeros(400)}
    found = cut_windows(data, 4.0, rate=10.0, n_blocks=1)
    assert (
        found.data.present()[:, 0].tolist()
        == [True] * 3 + [False] + [True] + [False] * 2 + [True] * 3
    )
    assert found.data.present()[:, 1].all()
    # Interpolation of a line is the line.
    np.testing.assert_allclose(found.data["a"][:2], brute(ramp(2, 400, 10.0), 10.0, 4, 4)[:2])
    kept = cut_windows(data, 4.0, rate=10.0, n_blocks=1, max_missing=0.2)
    assert kept.data.present()[3, 0]
    alone = cut_windows({"a": values}, 4.0, rate=10.0, n_blocks=1)
    assert alone.times[:, 0].tolist() == [0, 4, 8, 16, 28, 32, 36]


def test_irregular_times_are_interpolated_and_lost_steps_are_gaps():
    rng = np.random.default_rng(4)
    times = np.arange(400) / 10.0 + rng.uniform(-0.03, 0.03, size=400)
    frame = pd.DataFrame({"t": times, "v": 2.0 * times + 1.0})
    found = cut_windows({"a": frame}, 4.0, time="t", rate=10.0, n_blocks=1)
    starts = found.data["a"][:, 0, :1]
    np.testing.assert_allclose(found.data["a"][:, 0], starts + 0.2 * np.arange(40), atol=2e-4)
    lost = frame.drop(index=range(100, 130))
    there = cut_windows({"a": lost}, 4.0, time="t", rate=10.0, n_blocks=1).times[:, 0]
    assert set(found.times[:, 0].round(3)) - set(there.round(3)) == set(
        found.times[2:4, 0].round(3)
    )


def test_a_faster_clock_interpolates_and_a_slower_one_is_refused():
    frame = pd.DataFrame({"v": 3.0 * np.arange(100)}, index=np.arange(100) / 5)
    found = cut_windows({"a": frame}, 2.0, rate=20.0, n_blocks=1)
    np.testing.assert_allclose(found.data["a"][0, 0], 0.75 * np.arange(40), atol=1e-9)
    assert len(found.times) == 10
    with pytest.raises(ValueError, match="synchronise puts it on a slower clock"):
        cut_windows({"a": frame}, 2.0, rate=1.0)


def test_labels_of_rows_follow_them_into_the_recordings_of_a_table():
    frame = table().sample(frac=1.0, random_state=0).sort_values("t")
    frame["who"] = np.where(np.arange(600) % 2, "ann", "bob")  # taken in turn
    options = {"modalities": MODALITIES, "time": "t", "groups": "who"}
    wanted = cut_windows(frame, 3.0, labels="what", **options)
    for labels in (frame["what"], frame["what"].tolist(), frame["what"].to_numpy()):
        found = cut_windows(frame, 3.0, labels=labels, **options)
        np.testing.assert_array_equal(found.target, wanted.target)
    halves = [(0.0, 15.0, "walk"), (15.0, 30.0, "run")]
    np.testing.assert_array_equal(
        cut_windows(frame, 3.0, labels=halves, **options).target, wanted.target
    )


def test_a_name_is_the_same_as_a_whole_number_and_as_a_float():
    recordings = [{"a": np.zeros(40)}] * 3
    found = cut_windows(recordings, 1.0, rate=10.0, groups=[1, 2, 1.0])
    np.testing.assert_array_equal(found.groups[found.recording == 2], found.groups[0])
    tables = [pd.DataFrame({"a": np.zeros(40), "who": who}) for who in (3, 3.0, 4)]
    asked = {"modalities": {"a": ["a"]}, "rate": 10.0, "groups": "who"}
    assert len(set(cut_windows(tables, 1.0, **asked).groups)) == 2


def test_labels_keep_their_kind():
    stretches = [(0, 2, 1), (2, 4, "1")]
    found = cut_windows({"a": np.zeros(40)}, 1.0, rate=10.0, labels=stretches, n_blocks=1)
    assert found.target.tolist() == [1, 1, "1", "1"]


def test_streams_begin_and_end_when_they_like():
    late = pd.DataFrame({"v": np.arange(100.0)}, index=10.0 + np.arange(100) / 10)
    found = cut_windows(
        {"a": pd.DataFrame({"v": np.arange(300.0)}, index=np.arange(300) / 10), "b": late},
        5.0, n_blocks=1,
    )  # fmt: skip
    assert found.data.present().tolist() == [[True, 2 <= k < 4] for k in range(6)]
    np.testing.assert_array_equal(found.data["b"][2, 0], np.arange(50.0))


def test_shipped_recordings_keep_a_person_together():
    sets = load_exercises()
    X, y, groups, _, recording = cut_windows(
        sets.recordings, 4.0, rate=sets.rate, labels=sets.target, groups=sets.subject
    )
    n_windows = [one["gyroscope"].shape[1] // 50 for one in sets.recordings]
    assert len(X) == sum(n_windows)
    np.testing.assert_array_equal(recording, np.repeat(np.arange(70), n_windows))
    np.testing.assert_array_equal(y, sets.target[recording])
    np.testing.assert_array_equal(groups, sets.subject[recording].astype(str))


A = np.zeros((2, 100))
ONE, TWO = {"a": A}, [{"a": A}] * 2
FRAME = pd.DataFrame(A.T, columns=["x", "y"])
SWAPPED = [{"a": FRAME}, {"a": FRAME[["y", "x"]]}]
TIMED = {"rate": None, "modalities": MODALITIES, "time": "t"}
REFUSED = [
    ([], {}, "recordings is empty"),
    (ONE, {"rate": None}, "nothing says when the time steps of 'a'"),
    ({"a": A.T}, {}, "100 channels and 2 time steps"),
    (A, {}, "recordings is a ndarray"),
    (ONE, {"length": 0.0}, "length is 0.0; expected a positive"),
    (ONE, {"length": 0.01}, "a time step every 0.1"),
    (ONE, {"length": 20.0, "n_blocks": 1}, "the longest recording has 10; expected shorter"),
    (ONE, {"length": 2.0}, "the longest of 10 blocks of a recording has 1; .* a smaller n_blocks"),
    ({"a": A + np.nan}, {}, "no window of 1 seconds has at most 10% missing"),
    (ONE, {"labels": [(90, 99, "x")]}, "a label for 50% of its time"),
    ({}, {}, "recordings is an empty mapping"),
    ({"a": A[:, :0]}, {}, "2 channels and 0 time steps"),
    (ONE, {"rate": {"a": 10, "b": 5}}, r"rate names \['b'\]; expected modalities"),
    (ONE, {"rate": -3}, "rate is -3"),
    (ONE, {"step": np.nan}, "step is nan"),
    (ONE, {"label": "most"}, "label is 'most'"),
    (ONE, {"purity": 2}, "purity is 2; expected a share"),
    (ONE, {"max_missing": None}, "max_missing is None; expected a share"),
    (ONE, {"margin": -1}, "margin is -1; expected a number from 0 on"),
    (ONE, {"n_blocks": 0}, "n_blocks is 0"),
    (ONE, {"n_blocks": 10**9}, "the longest of 1000000000 blocks of a recording has 1e-08"),
    ({"a": A + np.inf}, {}, "is infinite in channel 0"),
    (ONE, {"labels": ["x"] * 9}, "9 labels for 100 steps"),
    (ONE, {"labels": [(3, 1, "x")]}, "expected start < stop"),
    (ONE, {"labels": [(0, 4, "x"), (3, 5, "y")]}, "do not overlap"),
    (ONE, {"labels": "x", "label": "mean"}, "labels are no numbers"),
    (TWO, {"labels": ["x"]}, "labels has 1 entries"),
    (TWO, {"groups": ["x"]}, "groups has 1 entries"),
    (TWO, {"groups": [["x"], ["y"]]}, "groups has .'x'.; expected one name"),
    (TWO, {"groups": ["x", None]}, "groups has a missing name"),
    ([{"a": A}, {"b": A}], {}, "expected the same modalities"),
    ([{"a": A}, {"a": A[:1]}], {}, "has 1 channels, before it had 2"),
    (SWAPPED, {}, "has the columns .'y', 'x'., before it had .'x', 'y'"),
    (table(), {"rate": None, "time": "t"}, "modalities is None"),
    (table(), {"rate": None, "modalities": MODALITIES}, "nothing says when"),
    (table(), TIMED | {"time": "T"}, "time is 'T'"),
    (table(), TIMED | {"time": "what"}, "expected dates, durations or seconds"),
    (table(), TIMED | {"modalities": {"a": ["what"]}}, "is nominal"),
    (table(), TIMED | {"groups": "whose"}, "groups is 'whose'; expected a column"),
    (ONE, {"labels": {}}, r"labels has the label \{\}; expected texts or numbers"),
    (table()[::-1], TIMED, "seconds before the one before it; expected times that increase"),
    (table().assign(t=0.0), TIMED, "at the time of the one before it"),
]


@pytest.mark.parametrize(("recordings", "more", "message"), REFUSED, ids=[m for *_, m in REFUSED])
def test_bad_input_is_refused(recordings, more, message):
    with pytest.raises((ValueError, TypeError), match=message):
        cut_windows(recordings, **({"length": 1.0, "rate": 10} | more))
