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

from mkfusion import (
    MissingCellsWarning,
    MKLSurvivalAnalysis,
    Modalities,
    UnknownCategoriesWarning,
)
from mkfusion._types import Indices, Mask
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
from mkfusion.cli._files import OWN_IDS, id_names, read_tables, turn_by_features, use_ids
from mkfusion.cli._kinds import as_kind
from mkfusion.cli._model import Model, load_model
from mkfusion.cli._samples import note_gaps
from mkfusion.cli._tables import (
    check_zeros,
    join,
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
    X, names, label = _load_samples(model, options.data)
    _check_present(model, X, names, label)
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning):
        table = _as_table(model, names, label, *_predict(model, X, options.model))
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
            if isinstance(pipeline[-1], MKLSurvivalAnalysis):
                return pipeline.predict(X), None, _survival(pipeline, X)
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


def _survival(pipeline: Any, X: Modalities) -> pd.DataFrame:
    """Return the probabilities to survive the quartiles of the times of events in training."""
    machine, kernels = pipeline[-1], pipeline[:-1].transform(X)
    # Of few events some are the same.
    times = np.unique(np.quantile(machine.event_times_, [0.25, 0.5, 0.75], method="nearest"))
    chances = machine.predict_survival_function(kernels, times)
    return pd.DataFrame(
        {f"survival_{time:.15g}": one for time, one in zip(times, chances.T, strict=True)}
    )


def _as_table(
    model: Model,
    names: Sequence[Any],
    label: str,
    predicted: Any,
    decisions: Any,
    probabilities: Any,
) -> pd.DataFrame:
    """Return names, predictions, probabilities and decision values."""
    if isinstance(probabilities, pd.DataFrame):
        note(
            "risk is the logarithm of the relative hazard; survival_T the probability to have no "
            "event up to T, at the quartiles of the times of events in training"
        )
        table = pd.DataFrame({label: names, "risk": predicted})
        return without_formulas(pd.concat([table, probabilities], axis=1))
    columns: dict[str, Any] = {label: names, "prediction": predicted}
    if model.curves is not None and probabilities is not None:
        for label, values in zip(model.pipeline.classes_, probabilities.T, strict=True):
            columns[f"probability_{label}"] = values
        note(
            f"probabilities are calibrated: on folds that were held out in training, "
            f"{model.curves.words} of the decision values; the prediction is the likeliest class"
        )
    if decisions is not None:
        classes = model.pipeline.classes_
        if decisions.ndim == 1:
            columns[f"decision_{classes[1]}"] = decisions
        else:
            for label, values in zip(classes, decisions.T, strict=True):
                columns[f"decision_{label}"] = values
    return without_formulas(pd.DataFrame(columns))


def _load_samples(model: Model, paths: Sequence[str]) -> tuple[Modalities, list[Any], str]:
    """Read the model's columns, what names the samples, and what that is."""
    if len(paths) > 1 and model.id is None:
        raise UsageError(
            f"{len(paths)} files cannot be joined: the model was fitted without --id COLUMN"
        )
    texts: set[str] = set()
    values: set[str] = set()
    for kinds in model.kinds.values():
        for column, kind in kinds.items():
            (texts if kind.holds_texts() else values).add(column)
    known = values - texts - set(id_names(model.id))
    tables = [
        one for path in paths for one in read_tables(path, model.id, model.target, texts, known)
    ]
    tables = turn_by_features(tables, values | texts)
    wanted = values | texts
    tables = [one for one in tables if wanted.intersection(one.frame.columns)] or tables[:1]
    paths, frames = [table.path for table in tables], [table.frame for table in tables]
    label = "row"
    nameless = model.id == OWN_IDS and len(tables) == 1 and tables[0].ids is None
    if model.id is None or nameless:
        names: list[Any] = list(range(1, len(frames[0]) + 1))
        rows = [np.arange(len(names))] * len(tables)
    else:
        ids = use_ids(tables, model.id, model.id_regex)
        label = str(ids[0].name or "id")
        for a, b in combinations(range(len(paths)), 2):
            check_zeros(label, [paths[a], paths[b]], [ids[a], ids[b]])
        names = pd.concat(ids).unique().tolist()
        rows = join(paths, ids, names)
        if not model.keeps:
            names, rows = _in_every_file(label, paths, names, rows)
    data = {name: _modality(model, name, paths, frames, rows) for name in model.kinds}
    if all(part is None for part in data.values()):
        raise UsageError(f"{listed(paths)} has no column of any of the model's modalities")
    return Modalities(data), names, label


def _in_every_file(
    label: str,
    paths: Sequence[str],
    names: list[Any],
    rows: list[Indices],
) -> tuple[list[Any], list[Indices]]:
    """Leave out samples that are not in all files: new patients may stand beside complete files."""
    there = np.all([some >= 0 for some in rows], axis=0)
    kept = np.flatnonzero(there)
    if len(kept) == len(names):
        return names, rows
    if len(kept) == 0:
        raise UsageError(f"no {label} is in all of {listed(paths)}")
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


def _check_present(model: Model, X: Modalities, names: Sequence[Any], label: str) -> None:
    """Refuse samples that lack what the model needs."""
    present = X.present()
    for name, there in zip(X.names, present.T, strict=True):
        lacking = np.flatnonzero(~there)
        if len(lacking) and not model.keeps:
            raise UsageError(
                f"{len(lacking)} of {len(X)} samples lack the modality {name!r}, such as "
                f"{_named(label, names[lacking[0]])}; a model fitted with --missing keep allows it"
            )
        if X[name] is None or model.takes_gaps[name]:
            continue
        table = X[name][there]
        partial = table.isna().to_numpy()
        if partial.any():
            row, column = np.argwhere(partial)[0]
            sample = names[np.flatnonzero(there)[row]]
            raise UsageError(
                f"column {table.columns[column]!r} is empty for {_named(label, sample)}; modality "
                f"{name!r} had no empty cells when the model was fitted"
            )
    _tell_of_gaps(model, X, present)
    note_gaps(X, model.kinds)
    nothing = np.flatnonzero(~present.any(axis=1))
    if len(nothing):
        raise UsageError(
            f"{len(nothing)} of {len(X)} samples have no modality at all, such as "
            f"{_named(label, names[nothing[0]])}; expected at least one"
        )


def _tell_of_gaps(model: Model, X: Modalities, present: Mask) -> None:
    """Say which modality some samples lack, and which columns are empty in all that have it."""
    for name, there in zip(X.names, present.T, strict=True):
        if X[name] is None:
            continue
        if not there.all():
            note(f"{(~there).sum()} of {len(X)} samples lack the modality {name!r}, and are kept")
        empty = [one for one in model.kinds[name] if there.any() and X[name][one].isna().all()]
        if empty:
            note(f"modality {name!r}: no sample has a value of {listed(empty)}")


def _named(label: str, name: Any) -> str:
    return f"{label} {name!r}"
