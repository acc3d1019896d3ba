"""The door: what samples, columns, targets, weights, groups and folds are."""

from mkfusion.data._columns import (
    Columns,
    View,
    as_table,
    check_features,
    column_names,
    in_two_dimensions,
    resolve_columns,
    resolve_views,
    select_columns,
    take_views,
)
from mkfusion.data._modalities import Modalities, present_samples
from mkfusion.data._targets import read_labels

__all__ = [
    "Columns",
    "Modalities",
    "View",
    "as_table",
    "check_features",
    "column_names",
    "in_two_dimensions",
    "present_samples",
    "read_labels",
    "resolve_columns",
    "resolve_views",
    "select_columns",
    "take_views",
]
