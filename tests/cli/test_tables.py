"""Files are joined as pandas joins them, and written whole or not at all."""

import os
import stat
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from mkfusion.cli._errors import UsageError, listed, output
from mkfusion.cli._kinds import Kind, as_kind
from mkfusion.cli._tables import check_common, join, read_ids, take
from mkfusion.cli._target import is_classification

# -------------------------------------------------------------------------------------- joining


def ids_of(values, path="a.csv"):
    return read_ids(path, pd.Series(values, name="who"))


@pytest.mark.parametrize("dtype", [np.int64, np.float64, str, "category"])
def test_ids_are_alike_in_every_form(dtype):
    assert ids_of(pd.Series([7, 10, -3]).astype(dtype)).tolist() == ["7", "10", "-3"]


def test_ids_stay_as_they_are_written():
    written = ["007", " a ", "1.50", "2.00", "+1.", "0.0", "00.0"]
    assert ids_of(written).tolist() == ["007", "a", "1.50", "2", "+1", "0", "00.0"]


def test_samples_are_found_where_they_are():
    rng = np.random.default_rng(0)
    samples = [f"s{k}" for k in range(30)]
    files = [rng.choice([f"s{k}" for k in range(50)], size, replace=False) for size in (9, 20, 50)]
    rows = join("abc", [ids_of(some) for some in files], samples)
    for some, found in zip(files, rows, strict=True):
        there = dict(zip(some, range(len(some)), strict=True))
        assert found.tolist() == [there.get(one, -1) for one in samples]


def test_many_ids_take_no_time():
    ids = ids_of(range(100_000))
    assert (join("a", [ids], ids.tolist()[::-1])[0] == np.arange(100_000)[::-1]).all()


@pytest.mark.parametrize("paths", [["a.csv"], ["b.csv", "a.csv"]])
def test_ids_that_are_there_twice_are_refused(paths):
    ids = [ids_of(["x", "y", "1"])] * (len(paths) - 1) + [ids_of(["x", "y", "x", "1", "1.0"])]
    with pytest.raises(UsageError) as said:
        join(paths, ids, ["x", "y"])
    expected = "--id 'who' of 'a.csv' names 2 samples more than once: 'x', '1'"
    way_out = "; a column that names the rows' subjects is for --groups"
    assert str(said.value) == expected + (way_out if len(paths) == 1 else "")


def test_files_without_a_common_id_say_what_theirs_are():
    with pytest.raises(UsageError, match="'a' has numbers such as 1, 'b' has texts such as 'x'"):
        check_common("who", "ab", [ids_of([1, 2]), ids_of(["x", "2.5y"])])


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([1.5, 2.5, np.nan]),
        pd.Series([True, False, True]),
        pd.Series(["a", None, "b"], dtype=object),
        pd.Series(pd.Categorical(["lo", "hi", "lo"], ["lo", "hi"], ordered=True)),
        pd.Series(pd.to_datetime(["2024-01-01", None, "2024-01-03"])),
    ],
)
def test_cells_are_taken_with_their_kind(cells):
    taken = take(cells, np.array([2, 0, -1, 0]))
    assert taken.isna().tolist() == [cells.isna()[2], False, True, False]
    assert taken[1] == taken[3] == cells[0]
    assert taken.dtype == (object if cells.dtype == bool else cells.dtype)
    if taken.dtype == object:
        assert taken[2] is None
    pd.testing.assert_series_equal(take(cells, np.arange(3)), cells)


# -------------------------------------------------------------------------------------- writing


@contextmanager
def full_disk():
    """No file grows beyond 1000 bytes: inside only, as reports of tests may be written to files."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write(path, content):
    with output(path) as file:
        file.write_bytes(content)


@pytest.mark.parametrize("there", [True, False])
def test_a_write_that_fails_half_way_changes_nothing(tmp_path, there):
    path = tmp_path / "model.skops"
    if there:
        path.write_bytes(b"good")
    refused = pytest.raises(UsageError, match=r"model.skops' cannot be written: .*too large")
    with refused, full_disk():
        write(path, bytes(5000))
    assert os.listdir(tmp_path) == (["model.skops"] if there else [])
    assert not there or path.read_bytes() == b"good"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_work_that_ends_on_the_way_changes_nothing(tmp_path, error):
    path = tmp_path / "out.csv"
    path.write_bytes(b"good")
    with pytest.raises(error), output(path) as file:
        file.write_bytes(b"half")
        raise error
    assert os.listdir(tmp_path) == ["out.csv"]
    assert path.read_bytes() == b"good"


def test_what_is_written_takes_the_place_and_rights_of_what_was_there(tmp_path):
    path, link = tmp_path / "out.csv", tmp_path / "link.csv"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with output(link) as file:
        assert file.parent == tmp_path and file.suffix == ".csv"
        file.write_bytes(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write(tmp_path / "other.csv", b"new")
    assert sorted(os.listdir(tmp_path)) == ["link.csv", "other.csv", "out.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_devices_stay_devices(tmp_path):
    (tmp_path / "full.csv").symlink_to("/dev/full")
    with pytest.raises(UsageError, match="No space left"):
        write(tmp_path / "full.csv", b"new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


# ------------------------------------------------------------------------------------- messages


def test_values_are_written_without_numpys_types():
    assert listed([np.float64(0.5), np.str_("rock"), np.int64(1)]) == "0.5, 'rock', 1"
    with pytest.raises(UsageError, match=r"c holds 0\.5 in row 1; expected text"):
        as_kind(pd.Series([np.float64(0.5)], dtype=object), Kind("text"), "c")
    with pytest.raises(UsageError, match=r"c holds 3\.0 in row 1; expected one of \[1, 2\]"):
        as_kind(pd.Series([np.float64(3)], dtype=object), Kind("levels", (np.int64(1), 2)), "c")


def test_whole_numbers_that_are_not_exact_are_no_classes():
    with pytest.raises(UsageError, match=r"numbers from 2\*\*53 on such as 9007199254740992"):
        is_classification(np.array([2.0**53, 2.0**54] * 5), "classification", "t")
