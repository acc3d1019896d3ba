"""Comparisons of whole fusion methods on one data set."""

import lazy_loader

# `__init__.pyi` lists the names; each is loaded when it is first asked for, so that what lists the
# methods (the help of the command line) does not wait for what runs them.
__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "FusionChoices",
    "FusionComparison",
    "Method",
    "Subgroup",
    "SurvivalPerformance",
    "compare_fusion",
    "fusion_choices",
]
