"""Whether tables that belong together have their rows in one order, as far as their labels tell.

Labels are the index of pandas; what has none (arrays, lists, sparse matrices, polars) says nothing.
Row numbers, 0 to n - 1, say nothing about ids either. But splitting leaves some of the row numbers
in any order, which look like ids: where whole numbers meet ids that are none of them, they pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mkfusion._messages import shown

# What takes part in a fit is at least this part of all rows (the test rows of 20 folds), where both
# tables were split by hand. Targets and groups are split by searches that begin with very few.
_LEAST_SHARE = 1 / 20
_MOST_SHOWN = 3


def row_index(data: Any) -> Any:
    """Return the index of a pandas DataFrame or Series, or of `Modalities`; None if it has none."""
    index = getattr(data, "index", None)  # a method of lists
    return index if hasattr(index, "equals") else None


def is_default(index: Any) -> bool:
    """Return whether an index is the row numbers, which a table has if nobody gave it labels."""
    return _is_whole(index) and np.array_equal(np.asarray(index), np.arange(len(index)))


def names_rows_best(data: Mapping[str, Any]) -> str | None:
    """Return whose index is most likely ids: no whole numbers, or no row numbers; None if none has.

    Parameters
    ----------
    data : mapping from str to samples

    Returns
    -------
    str or None
    """
    indexes = {name: index for name, one in data.items() if (index := row_index(one)) is not None}
    for doubtful in (_is_whole, is_default):
        for name, index in indexes.items():
            if not doubtful(index):
                return name
    return next(iter(indexes), None)


def check_rows(X: Any, *, name: str = "X", strict: bool = False, **others: Any) -> None:
    """Refuse targets, groups, ... whose rows are in another order than those of the samples.

    Parameters
    ----------
    X : samples
    name : str, default="X"
        What the user calls them.
    strict : bool, default=False
        Whether whole numbers must be the same ones, unless they may be row numbers.
    **others : Series, DataFrame or anything
        By the names of arguments. What is of another length is left to others.

    Raises
    ------
    ValueError
        If their index is another one, and none of both may be row numbers.
    """
    index = row_index(X)
    if index is None:
        return
    for other, data in others.items():
        found = row_index(data)
        if found is not None and len(found) == len(index):
            check_labels({name: index, other: found}, strict=strict)


def check_labels(
    indexes: Mapping[str, Any],
    *,
    strict: bool = True,
    remedy: str = "{other}.loc[{one}.index]",
    keep: str = "{other}.set_axis({one}.index)",
) -> None:
    """Refuse indexes that differ, unless some may be row numbers.

    Parameters
    ----------
    indexes : mapping from str to pandas.Index
        By what users call the tables, all of one length.
    strict : bool, default=True
        As for :func:`check_rows`.
    remedy : str
        How to bring the rows of one into the order of the other.
    keep : str
        How to say that rows belong together as they stand.

    Raises
    ------
    ValueError
        If two of them are of the same ids in another order, or of other ids.
    """
    different: list[tuple[str, Any]] = []
    for other, index in indexes.items():
        if any(index is seen or _equal(index, seen) for _, seen in different):
            continue
        for one, seen in different:
            names = {"one": one, "other": other}
            as_they_stand = f"or {keep.format(**names)} if they belong together as they stand"
            here, there = _beginning(index, seen), _beginning(seen, index)
            if _same_in_any_order(seen, index):
                unique = seen.is_unique
                again = remedy.format(**names) if unique else "after sorting both"
                raise ValueError(
                    f"{other} has the ids of {one} in another order: {here} where "
                    f"{one} has {there}. Expected one order, {'as in ' * unique}{again}, "
                    f"{as_they_stand}."
                )
            if not (_says_nothing(seen, index, strict) or _says_nothing(index, seen, strict)):
                raise ValueError(
                    f"{other} has other ids than {one}: {here} where {one} has "
                    f"{there}. Expected the same ids in one order, as Modalities.aligned(...) "
                    f"makes them for tables, {as_they_stand}."
                )
        different.append((other, index))


def _is_whole(index: Any) -> bool:
    return bool(index.inferred_type == "integer")


def _equal(one: Any, other: Any) -> bool:
    return bool(one.equals(other)) or (
        len(one) == len(other) and one.tolist() == other.tolist()  # whatever the dtypes
    )


def _same_in_any_order(one: Any, other: Any) -> bool:
    if _is_whole(one) and _is_whole(other):
        return np.array_equal(np.sort(np.asarray(one)), np.sort(np.asarray(other)))
    return Counter(one.tolist()) == Counter(other.tolist())


def _says_nothing(index: Any, other: Any, strict: bool) -> bool:
    """Return whether an index may be row numbers, or some of them, beside one of ids."""
    if not _is_whole(index):
        return False
    if is_default(index) or not _is_whole(other):
        return True
    numbers = np.asarray(index)
    most = len(numbers) / _LEAST_SHARE if strict else np.inf
    return bool(numbers.min() >= 0 and numbers.max() < most)


def _beginning(index: Any, other: Any) -> str:
    """Show the first labels from where two indexes differ."""
    labels, others = index.tolist(), other.tolist()
    first = next(i for i, (a, b) in enumerate(zip(labels, others, strict=True)) if a != b)
    return ", ".join(map(shown, labels[first : first + _MOST_SHOWN]))


# ------------------------------------------------------------------------------------- alignment


def align(data: Mapping[str, Any], join: str) -> dict[str, Any]:
    """Return tables with the rows of the same samples, as `Modalities.aligned` documents.

    Parameters
    ----------
    data : mapping from str to DataFrame or Series
    join : {"inner", "outer"}

    Returns
    -------
    dict from str to DataFrame or Series
    """
    indexes = {name: _ids(name, one) for name, one in data.items()}
    (first, ids), *rest = indexes.items()
    for name, index in rest:
        if index.nlevels != ids.nlevels:
            raise ValueError(
                f"modality {name!r} has ids of {index.nlevels} level(s), modality {first!r} of "
                f"{ids.nlevels}; expected the same."
            )
        if index.inferred_type != ids.inferred_type and not index.isin(ids).any():
            raise ValueError(
                f"modality {name!r} has ids such as {shown(index[0])}, modality {first!r} such as "
                f"{shown(ids[0])}, and none of both has a sample of the other; expected ids of one "
                "type in the index."
            )
        if join == "inner":
            ids = ids[ids.isin(index)]
        else:
            ids = ids.append(index[~index.isin(ids)])
        if len(ids) == 0:
            raise ValueError(
                f"no sample of the modalities before is in modality {name!r}, whose ids are such "
                f'as {shown(index[0])}; expected some in common, or join="outer".'
            )
    return {name: one.reindex(ids) for name, one in data.items()}


def _ids(name: str, data: Any) -> Any:
    """Return the index of a table, each id once."""
    index = row_index(data)
    if index is None:
        raise TypeError(
            f"modality {name!r} is a {type(data).__name__}; expected a pandas DataFrame or Series "
            "with the ids of samples as its index."
        )
    if len(index) == 0:
        raise ValueError(f"modality {name!r} has no rows; expected some.")
    if index.to_frame().isna().any(axis=None):
        raise ValueError(f"modality {name!r} has rows without an id; expected one for each.")
    if not index.is_unique:
        repeated = index[index.duplicated()].unique()
        raise ValueError(
            f"modality {name!r} has {shown(repeated[0])} more than once in its index"
            f"{f' ({len(repeated)} such ids)' if len(repeated) > 1 else ''}; expected each sample "
            "once."
        )
    return index
