"""Continuous recordings: from streams of sensors to windows that can be learned from."""

from mkfusion.recordings._alignment import AlignmentDisplay, alignment_path, synchronise
from mkfusion.recordings._changes import change_points
from mkfusion.recordings._expected import ExpectedAlignmentDisplay
from mkfusion.recordings._windows import cut_windows

__all__ = [
    "AlignmentDisplay",
    "ExpectedAlignmentDisplay",
    "alignment_path",
    "change_points",
    "cut_windows",
    "synchronise",
]
