"""Compiled code has a folder, even where nothing but temporary files can be written."""

import os
import sys
from pathlib import Path

import pytest

import mkfusion
from mkfusion import _cache

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="users have no numbers here")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine where only the folder of temporary files can be written."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(_cache.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(_cache.os, "access", lambda path, mode: False)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "numba")
    return tmp_path


def named(monkeypatch):
    _cache.ensure_cache_folder()
    folder = os.environ.get("NUMBA_CACHE_DIR")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return folder


def test_own_folder_among_temporary_files_is_used_again(nowhere, monkeypatch):
    first = named(monkeypatch)
    assert Path(first).parent == nowhere
    assert os.stat(first).st_mode & 0o777 == 0o700
    assert named(monkeypatch) == first


@pytest.mark.parametrize("planted", ["open", "file", "link"])
def test_folder_that_others_may_have_filled_is_not_used(nowhere, monkeypatch, planted):
    folder = nowhere / f"mkfusion-{os.getuid()}"
    if planted == "open":
        folder.mkdir()
        folder.chmod(0o777)
    elif planted == "file":
        folder.write_text("")
    else:
        (nowhere / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(nowhere / "elsewhere")
    found = Path(named(monkeypatch))
    assert found != folder and found.parent == nowhere
    assert os.stat(found).st_mode & 0o777 == 0o700


def test_folders_that_can_be_written_are_left_to_numba(nowhere, monkeypatch):
    package = Path(mkfusion.__file__).parent
    monkeypatch.setattr(_cache.os, "access", lambda path, mode: Path(path) == package)
    assert named(monkeypatch) is None
