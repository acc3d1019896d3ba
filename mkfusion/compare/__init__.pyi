# What users import, and what the command line needs to ask for it in the same way.

from ._choices import (
    FusionChoices as FusionChoices,
    fusion_choices as fusion_choices,
)
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
    COX_COSTS as COX_COSTS,
    METHODS as METHODS,
)
from ._performance import SurvivalPerformance as SurvivalPerformance
from ._result import (
    FusionComparison as FusionComparison,
    Subgroup as Subgroup,
)
from ._run import (
    audit_target as audit_target,
    compare_fusion as compare_fusion,
    plan_comparison as plan_comparison,
    run_comparison as run_comparison,
)
from ._search import FusionSearchCV as FusionSearchCV
from ._survival import (
    FollowUp as FollowUp,
    KaplanMeier as KaplanMeier,
    survival_scorers as survival_scorers,
)

__all__ = [
    "FusionChoices",
    "FusionComparison",
    "Method",
    "Subgroup",
    "SurvivalPerformance",
    "compare_fusion",
    "fusion_choices",
]
