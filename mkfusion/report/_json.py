"""Everything that a comparison found, in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from platform import platform, python_version
from typing import Any

import numpy as np

from mkfusion.report._by_risk import risk_groups
from mkfusion.report._held_out import performances
from mkfusion.report._limits import limitations
from mkfusion.report._result import Performance, Result
from mkfusion.report._text import verdict_sentences
from mkfusion.report._words import VERSIONS

# Counts up when what is written means something else than before.
FORMAT_VERSION = 1
# Of a fold's score: in the file of predictions, or nothing that is found.
_ELSEWHERE = ("held_out",)


def as_json(result: Result) -> str:
    """Return the results, the settings and where they come from.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        Numbers that are none are null, infinite ones the texts "Infinity" and "-Infinity".
    """
    record = {
        "format": "mkfusion comparison",
        "format_version": FORMAT_VERSION,
        "call": result.conditions_.call,
        "fingerprint": result.conditions_.fingerprint,
        "versions": {name: version(name) for name in VERSIONS} | {"Python": python_version()},
        "platform": platform(),
        "settings": _settings(result),
        "sentences": verdict_sentences(result),
        "limitations": limitations(result),
        "performance": {method: _performance(one) for method, one in performances(result).items()},
        "survival_by_risk": risk_groups(result),
        "subgroups": {method: result.subgroups(method) for method in performances(result)},
    }
    others = ("conditions_", "predictions_")
    found = {name: value for name, value in vars(result).items() if not name.startswith("_")}
    record |= {
        name.removesuffix("_"): value
        for name, value in found.items()
        if name.endswith("_") and name not in others
    }
    return json.dumps(_plain(record), indent=1, ensure_ascii=False, allow_nan=False)


def _settings(result: Result) -> dict[str, Any]:
    conditions = result.conditions_
    left = ("y", "modalities", "folds", "methods", "ids", "groups", "groupings", "call")
    told = {name: getattr(conditions, name) for name in conditions._fields if name not in left}
    modalities = [
        {name: getattr(one, name) for name in ("name", "shape", "kernel", "n_missing")}
        for one in conditions.modalities
    ]
    methods = [
        {name: getattr(one, name) for name in ("label", "kind", "simple", "words", "reference")}
        for one in conditions.methods
    ]
    return told | {
        "n_samples": len(conditions.y),
        "modalities": modalities,
        "methods": methods,
        "folds": [{"n_train": len(train), "test": test} for train, test in conditions.folds],
        "groupings": {one.name: one.labels for one in conditions.groupings},
    }


def _performance(one: Performance) -> dict[str, Any]:
    told: dict[str, Any] = {"measures": one.measures}
    if not hasattr(one, "classes"):
        curve = getattr(one, "calibration_curve", None)
        return told if curve is None else told | {"calibration_curve": curve()}
    told |= {"classes": one.classes, "confusion": one.confusion, "by_class": one.by_class}
    if "log_loss" in one.measures:
        there = [
            name
            for name, measures in zip(one.classes.tolist(), one.by_class, strict=True)
            if not np.isnan(measures["roc_auc"].value)
        ]
        for curve in ("roc_curve", "precision_recall_curve", "calibration_curve"):
            told[curve] = {str(name): getattr(one, curve)(name) for name in there}
    return told


def _plain(value: Any) -> Any:
    """Return what JSON knows."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        names = [name for name in value._fields if name not in _ELSEWHERE]
        return {name: _plain(getattr(value, name)) for name in names}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if not field.name.startswith("_")]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return " ".join(repr(value).split())
