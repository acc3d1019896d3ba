"""Small real multimodal data, shipped with the package and loaded offline."""

from mkfusion.datasets._loaders import (
    load_basic_motions,
    load_exercises,
    load_mfeat,
    load_photographs,
    load_promoters,
    load_sonar,
)

__all__ = [
    "load_basic_motions",
    "load_exercises",
    "load_mfeat",
    "load_photographs",
    "load_promoters",
    "load_sonar",
]
