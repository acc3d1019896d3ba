"""Comparisons of whole fusion methods on one data set."""

from mkfusion.compare._comparison import FusionComparison
from mkfusion.compare._folds import FAST_FOLDS as FAST_FOLDS, outer_splitter as outer_splitter
from mkfusion.compare._inputs import MOST_CLASSES as MOST_CLASSES
from mkfusion.compare._methods import COSTS as COSTS
from mkfusion.compare._run import compare_fusion

__all__ = ["FusionComparison", "compare_fusion"]
