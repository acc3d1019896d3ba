"""The door: what samples, columns, targets, weights, groups and folds are.

How users say what to learn from is read here, once, for all that learn: samples by
:func:`read_samples` and :func:`read_again`, targets by :func:`read_labels` and
:func:`read_numbers`, weights, groups and folds by :func:`read_weights`, :func:`read_groups` and
:func:`read_splits`, and what a column holds by :func:`read_columns`.
"""

from mkfusion.data._cells import find_infinity, naming_columns
from mkfusion.data._columns import (
    Columns,
    as_table,
    column_names,
    in_two_dimensions,
    names_within,
    resolve_columns,
    select_columns,
    top_levels,
)
from mkfusion.data._containers import as_plain, with_numbers
from mkfusion.data._folds import find_splitter, read_splits, splits_among
from mkfusion.data._kinds import Column, as_numbers, holds_texts, read_column, read_columns
from mkfusion.data._missing import (
    MISSING,
    Known,
    blaming,
    known_parts,
    listed,
    missing_message,
    read_known,
    refuse_empty,
    refuse_misnamed,
    those,
)
from mkfusion.data._modalities import Modalities, present_samples
from mkfusion.data._reading import (
    Samples,
    View,
    about,
    as_matrix,
    check_entries,
    check_features,
    read_again,
    read_samples,
    remember_features,
    resolve_views,
    rollback,
)
from mkfusion.data._row_labels import check_labels, check_rows, row_index
from mkfusion.data._targets import (
    MOST_CLASSES,
    Labels,
    has_fractions,
    is_uneven,
    labels_from_decisions,
    one_target,
    read_groups,
    read_labels,
    read_numbers,
    read_target,
    read_weights,
    seems_classes,
)
from mkfusion.data._warnings import (
    MissingCellsWarning,
    MissingModalityWarning,
    UnknownCategoriesWarning,
)

__all__ = [
    "Column",
    "Columns",
    "Known",
    "Labels",
    "MISSING",
    "MOST_CLASSES",
    "MissingCellsWarning",
    "MissingModalityWarning",
    "Modalities",
    "Samples",
    "UnknownCategoriesWarning",
    "View",
    "about",
    "as_matrix",
    "as_numbers",
    "as_plain",
    "as_table",
    "blaming",
    "check_entries",
    "check_features",
    "check_labels",
    "check_rows",
    "column_names",
    "find_infinity",
    "find_splitter",
    "has_fractions",
    "holds_texts",
    "in_two_dimensions",
    "is_uneven",
    "names_within",
    "naming_columns",
    "known_parts",
    "labels_from_decisions",
    "listed",
    "missing_message",
    "one_target",
    "present_samples",
    "read_again",
    "read_column",
    "read_columns",
    "read_groups",
    "read_known",
    "read_labels",
    "read_numbers",
    "read_samples",
    "read_splits",
    "read_target",
    "read_weights",
    "refuse_empty",
    "refuse_misnamed",
    "remember_features",
    "resolve_columns",
    "resolve_views",
    "rollback",
    "row_index",
    "seems_classes",
    "select_columns",
    "splits_among",
    "top_levels",
    "with_numbers",
    "those",
]
