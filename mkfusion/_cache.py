"""A folder for compiled code where Numba would find none."""

import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path


def ensure_cache_folder() -> None:
    """Name Numba a folder of this user's among temporary files if it can write nowhere else.

    Numba keeps what it compiled beside the package or in the user's cache folder. Where both are
    read-only, as in many containers, it refuses to compile at all.
    """
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    if os.environ.get("NUMBA_CACHE_DIR") or _writable(Path(__file__).parent) or _writable(user):
        return
    folder = _own_folder()
    os.environ["NUMBA_CACHE_DIR"] = folder  # for processes that begin here as well
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder


def _writable(folder: Path) -> bool:
    """Whether a folder can be written to, or be made."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return os.access(there, os.W_OK)


def _own_folder() -> str:
    """Return a folder that nobody else can have put compiled code into."""
    if not hasattr(os, "getuid"):
        return tempfile.mkdtemp(prefix="mkfusion-")
    folder = Path(tempfile.gettempdir()) / f"mkfusion-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
        return str(folder)
    return tempfile.mkdtemp(prefix="mkfusion-")
