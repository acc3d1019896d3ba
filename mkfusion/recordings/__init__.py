"""Continuous recordings: from streams of sensors to windows that can be learned from."""

from mkfusion.recordings._alignment import (
    Alignment,
    AlignmentDisplay,
    Synchronised,
    alignment_path,
    synchronise,
)
from mkfusion.recordings._changes import Segmentation, change_points
from mkfusion.recordings._expected import ExpectedAlignmentDisplay
from mkfusion.recordings._windows import Windows, cut_windows

__all__ = [
    "Alignment",
    "AlignmentDisplay",
    "ExpectedAlignmentDisplay",
    "Segmentation",
    "Synchronised",
    "Windows",
    "alignment_path",
    "change_points",
    "cut_windows",
    "synchronise",
]
