"""Features that are made block by block, where workers of a cluster can import how."""

import os
import signal

import numpy as np

N, RANK, BLOCK = 4000, 6, 500


def made_block(block_info=None, folder=None):
    """Make a block, and note it; the process ends once block 3 is made for the fifth time."""
    i = block_info[None]["chunk-location"][0]
    (a, b), _ = block_info[None]["array-location"]
    if folder is not None:
        made, died = folder / f"made{i}", folder / "died"
        with made.open("a", encoding="ascii") as file:
            file.write(".")
        if i == 3 and made.stat().st_size >= 5 and not died.exists():
            died.write_text(str(os.getpid()), encoding="ascii")
            os.kill(os.getpid(), signal.SIGKILL)
    return np.random.default_rng(int(i)).normal(size=(b - a, 2 * RANK)).astype(np.float32)
