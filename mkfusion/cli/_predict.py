"""``mkfusion predict``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mkfusion import Modalities, UnknownCategoriesWarning
from mkfusion._types import Indices
from mkfusion.cli._cells import without_formulas
from mkfusion.cli._errors import (
    UsageError,
    as_usage_errors,
    close_names,
    listed,
    note,
    notes_for_warnings,
    output,
)
from mkfusion.cli._kinds import as_kind
from mkfusion.cli._model import Model, load_model
from mkfusion.cli._tables import (
    check_zeros,
    find_column,
    join,
    read_ids,
    read_table,
    stem,
    take,
)
from mkfusion.data import labels_from_decisions


def predict(options: argparse.Namespace) -> None:
    """Predict with a saved model, and write a table.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    UsageError
        If the model or the data are not for it.
    """
    for path in options.data if options.output is not None else ():
        if os.path.exists(path) and options.output.exists() and options.output.samefile(path):
            raise UsageError(f"-o {str(options.output)!r} is read as data; expected another file")
    model = load_model(options.model)
    X, names = _load_samples(model, options.data)
    _check_present(model, X, names)
    with notes_for_warnings(UnknownCategoriesWarning):
        table = _as_table(model, names, *_predict(model, X, options.model))
    if options.output is None:
        table.to_csv(sys.stdout, index=False)
        return
    with output(options.output) as file:
        table.to_csv(file, index=False)
    print(f"{len(table)} predictions written to {options.output}")


def _predict(model: Model, X: Modalities, path: str) -> tuple[Any, Any, Any]:
    """Return predictions, decision values and probabilities.

    Errors are here about the data or the model.
    """
    pipeline = model.pipeline
    try:
        with as_usage_errors(TypeError, ValueError):
            decisions = pipeline.decision_function(X) if hasattr(pipeline, "classes_") else None
            if model.curves is None or decisions is None:
                return pipeline.predict(X), decisions, None
            probabilities = model.curves.probabilities(decisions)
            # The likeliest class, so that no line contradicts itself
            likeliest = labels_from_decisions(probabilities, pipeline.classes_)
            return likeliest, decisions, probabilities
    except (ArithmeticError, AttributeError, LookupError, RuntimeError) as error:
        raise UsageError(
            f"{path!r} is no sound model that mkfusion fit has written: "
            f"{type(error).__name__}, {error}"
        ) from error


def _as_table(
    model: Model, names: Sequence[Any], predicted: Any, decisions: Any, probabilities: Any
) -> pd.DataFrame:
    """Return names, predictions, probabilities and decision values."""
    columns: dict[str, Any] = {model.id or "row": names, "prediction": predicted}
    if probabilities is not None:
        for label, values in zip(model.pipeline.classes_, probabilities.T, strict=True):
            columns[f"probability_{label}"] = values
        note(
            "probabilities are calibrated: on folds that were held out in training, a logistic "
            "curve of the decision values; the prediction is the likeliest class"
        )
    if decisions is not None:
        classes = model.pipeline.classes_
        if decisions.ndim == 1:
            columns[f"decision_{classes[1]}"] = decisions
        else:
            for label, values in zip(classes, decisions.T, strict=True):
                columns[f"decision_{label}"] = values
    return without_formulas(pd.DataFrame(columns))


def _load_samples(model: Model, paths: Sequence[str]) -> tuple[Modalities, list[Any]]:
    """Read the model's columns, and what names the samples."""
    if len(paths) > 1 and model.id is None:
        raise UsageError(
            f"{len(paths)} files cannot be joined: the model was fitted without --id COLUMN"
        )
    texts: set[str] = set()
    values: set[str] = set()
    for kinds in model.kinds.values():
        for column, kind in kinds.items():
            (texts if kind.holds_texts() else values).add(column)
    if model.id is not None:
        texts.add(model.id)
    frames = [read_table(path, texts, values - texts) for path in paths]
    if model.id is None:
        names: list[Any] = list(range(1, len(frames[0]) + 1))
        rows = [np.arange(len(names))]
    else:
        ids = []
        for path, frame in zip(paths, frames, strict=True):
            find_column("the model's --id", model.id, [path], [frame])
            ids.append(read_ids(path, frame[model.id]))
        for a, b in combinations(range(len(paths)), 2):
            check_zeros(model.id, [paths[a], paths[b]], [ids[a], ids[b]])
        names = pd.concat(ids).unique().tolist()
        rows = join(paths, ids, names)
        if not model.keeps:
            names, rows = _in_every_file(model, paths, frames, names, rows)
    data = {name: _modality(model, name, paths, frames, rows) for name in model.kinds}
    if all(part is None for part in data.values()):
        raise UsageError(f"{listed(paths)} has no column of any of the model's modalities")
    return Modalities(data), names


def _in_every_file(
    model: Model,
    paths: Sequence[str],
    frames: Sequence[pd.DataFrame],
    names: list[Any],
    rows: list[Indices],
) -> tuple[list[Any], list[Indices]]:
    """Leave out samples that are not in all files: new patients may stand beside complete files."""
    wanted = {column for kinds in model.kinds.values() for column in kinds}
    used = [f for f, frame in enumerate(frames) if wanted.intersection(frame.columns)]
    there = np.all([rows[f] >= 0 for f in used], axis=0)
    kept = np.flatnonzero(there)
    if not used or len(kept) == len(names):
        return names, rows
    if len(kept) == 0:
        raise UsageError(f"no {model.id} is in all of {listed([paths[f] for f in used])}")
    left_out = [names[i] for i in np.flatnonzero(~there)]
    note(
        f"{len(left_out)} of {len(names)} samples are not in all files, and are left out: "
        f"{listed(left_out)}; a model fitted with --missing keep predicts them"
    )
    return [names[i] for i in kept], [some[kept] for some in rows]


def _modality(
    model: Model,
    name: str,
    paths: Sequence[str],
    frames: Sequence[pd.DataFrame],
    rows: Sequence[Indices],
) -> Any:
    """Return a modality's columns, None where there are none and the model allows for it."""
    kinds = model.kinds[name]
    having = _files_with(list(kinds), frames, name, paths)
    lacking = [column for column in kinds if column not in having]
    if len(lacking) == len(kinds) and model.keeps:
        note(f"no sample has the modality {name!r}: none of its columns is there")
        return None
    if lacking:
        there = [column for frame in frames for column in frame.columns]
        raise UsageError(
            f"{listed(paths)} lacks {len(lacking)} of the {len(kinds)} columns of the model's "
            f"modality {name!r}: {listed(lacking)}; {close_names(lacking[0], there)}"
        )
    columns = []
    for column, kind in kinds.items():
        f = having[column]
        where = f"column {column!r} of {paths[f]!r}"
        cells = as_kind(frames[f][column].reset_index(drop=True), kind, where)
        if kind.name == "text" and kind.levels:
            unseen = cells[cells.notna() & ~cells.isin(list(kind.levels))]
            if len(unseen):
                note(
                    f"{where} holds values that the model does not know, in {len(unseen)} of "
                    f"{len(cells)} rows, and that are like no others: {listed(sorted(set(unseen)))}"
                )
        columns.append(take(cells, rows[f]))
    return pd.concat(columns, axis=1)


def _files_with(
    columns: Sequence[str], frames: Sequence[pd.DataFrame], name: str, paths: Sequence[str]
) -> dict[str, int]:
    """Return in which file each of a modality's columns is, all in one if one has them all."""
    whole = [f for f, frame in enumerate(frames) if set(columns) <= set(frame.columns)]
    named = [f for f in whole if stem(paths[f]) == name]
    if named or len(whole) == 1:
        return dict.fromkeys(columns, (named or whole)[0])
    having: dict[str, int] = {}
    for column in columns:
        files = [f for f, frame in enumerate(frames) if column in frame.columns]
        if len(files) > 1:
            raise UsageError(
                f"column {column!r} of the model's modality {name!r} is in "
                f"{listed([paths[f] for f in files])}; expected it in one file"
            )
        if files:
            having[column] = files[0]
    return having


def _check_present(model: Model, X: Modalities, names: Sequence[Any]) -> None:
    """Refuse samples that lack what the model needs."""
    present = X.present()
    for name, there in zip(X.names, present.T, strict=True):
        lacking = np.flatnonzero(~there)
        if len(lacking) and not model.keeps:
            raise UsageError(
                f"{len(lacking)} of {len(X)} samples lack the modality {name!r}, such as "
                f"{_named(model, names[lacking[0]])}; a model fitted with --missing keep allows it"
            )
        if X[name] is None or model.takes_gaps[name]:
            continue
        table = X[name][there]
        partial = table.isna().to_numpy()
        if partial.any():
            row, column = np.argwhere(partial)[0]
            sample = names[np.flatnonzero(there)[row]]
            raise UsageError(
                f"column {table.columns[column]!r} is empty for {_named(model, sample)}; modality "
                f"{name!r} had no empty cells when the model was fitted"
            )
    nothing = np.flatnonzero(~present.any(axis=1))
    if len(nothing):
        raise UsageError(
            f"{len(nothing)} of {len(X)} samples have no modality at all, such as "
            f"{_named(model, names[nothing[0]])}; expected at least one"
        )


def _named(model: Model, name: Any) -> str:
    return f"row {name}" if model.id is None else f"{model.id} {name!r}"
