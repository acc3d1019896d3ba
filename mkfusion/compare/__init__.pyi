# What users import, and what the command line needs to ask for it in the same way.

from ._data import (
    NothingToCompareError as NothingToCompareError,
    default_metrics as default_metrics,
)
from ._folds import (
    FOLDS as FOLDS,
    REPEATS as REPEATS,
    outer_splitter as outer_splitter,
    repeated_folds as repeated_folds,
)
from ._method import Method as Method
from ._methods import (
    ALWAYS as ALWAYS,
    COSTS as COSTS,
    METHODS as METHODS,
)
from ._result import FusionComparison as FusionComparison
from ._run import (
    compare_fusion as compare_fusion,
    plan_comparison as plan_comparison,
    run_comparison as run_comparison,
)

__all__ = ["FusionComparison", "Method", "compare_fusion"]
