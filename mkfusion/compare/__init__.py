"""Comparisons of whole fusion methods on one data set."""

from mkfusion.compare._comparison import FusionComparison
from mkfusion.compare._run import compare_fusion

__all__ = ["FusionComparison", "compare_fusion"]
