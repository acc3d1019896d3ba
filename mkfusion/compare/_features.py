"""Which features of the modality that carries it the uniform kernel sum goes by."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

import mkfusion
from mkfusion._repeated import Once, heard
from mkfusion.compare._data import RefusalError, Samples, fingerprint, refusals, without_advice
from mkfusion.compare._evaluate import Job, quiet_cache_misses
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._folds import Fold
from mkfusion.compare._methods import kernel_machine, scaled_target
from mkfusion.compare._questions import MOST_ALIGNED
from mkfusion.inspection import (
    FeatureImportance,
    ModalityTable,
    conclude_features,
    fold_features,
    group_columns,
    outputs_of,
    responses_of,
)
from mkfusion.report import Conditions

# Features, or groups of those that are alike, that are shuffled in every fold,
_MOST_GROUPS = 30
# and times that each of them is, over all folds.
_LEAST_SHUFFLES = 10


def run_features(
    job: Job, conditions: Conditions, index: int, costs: list[float], n_jobs: int | None
) -> FeatureImportance | str:
    """Shuffle the features of one modality on the test samples of folds, or read what is there.

    Parameters
    ----------
    job : Job
    conditions : Conditions
    index : int
        Of the modality.
    costs : list of n_folds float
        C of the uniform kernel sum.
    n_jobs : int or None

    Returns
    -------
    FeatureImportance or str
        Or why there is none.
    """
    described = job.samples.setting.modalities[index]
    try:
        table = ModalityTable(job.samples.modalities[described.key], described.name)
    except TypeError:
        return f"{described.name} has no columns that could be told apart"
    if len(table.names) < 2:
        return f"{described.name} has one column only"
    folds = [Fold(*fold) for fold in conditions.folds]
    slow = len(table.data.shape) == 3 or len(table) > MOST_ALIGNED
    if slow:  # each shuffle takes a kernel of all test samples: one draw of the folds
        folds = [fold for fold, one in zip(folds, conditions.repeats, strict=True) if one == 1]
    # Groups by features alone, of all samples, so that they are the same in all folds.
    groups = group_columns(table.observations(), _MOST_GROUPS, job.samples.setting.seed)
    n_repeats = -(-_LEAST_SHUFFLES // len(folds))
    cached = job.memory.cache(_ask, ignore=["samples", "fold", "members"])
    found = Parallel(n_jobs=n_jobs)(
        delayed(heard)(
            cached,
            f"{job.key} {fingerprint([fold.train, fold.test])}" if job.key else "",
            index,
            C,
            n_repeats,
            job.samples,
            fold,
            groups.members,
        )
        for fold, C in zip(folds, costs, strict=False)
    )
    try:
        with quiet_cache_misses():
            by_fold = list(Once().outcomes(found))
        classes = np.unique(conditions.y) if conditions.task == "classification" else None
        with refusals(ValueError):  # of a metric that is no number of shuffled samples
            return conclude_features(
                table,
                described.name,
                groups,
                by_fold,
                outputs_of(classes),
                conditions.metrics[0],
                conditions.test_to_train,
                1 - conditions.alpha,
            )
    except RefusalError as error:
        return str(error)


def _ask(
    key: str,
    index: int,
    C: float,
    n_repeats: int,
    samples: Samples,
    fold: Fold,
    members: list[list[int]],
) -> Any:
    """Fit the uniform kernel sum to a fold, and shuffle features of one modality."""
    with threadpool_limits(limits=1, user_api="blas"):
        return fold_of_features(index, C, n_repeats, FoldData(samples, fold), members)


def fold_of_features(
    index: int, C: float, n_repeats: int, data: FoldData, members: list[list[int]]
) -> Any:
    """Shuffle features of one modality on the test samples of a fold.

    Parameters
    ----------
    index : int
        Of the modality.
    C : float
    n_repeats : int
    data : FoldData
    members : list of n_groups lists of int
        Which features are shuffled together.

    Returns
    -------
    FoldFeatures
    """
    setting, modalities = data.setting, data.samples.modalities
    described = setting.modalities[index]
    share = 1 / len(setting.modalities)
    kernelizer = setting.kernelizer()
    train, test = data.computed(kernelizer)
    y_train, y_test = (data.samples.y[rows] for rows in data.rows)
    weights = np.full(len(setting.modalities), share)
    machine = scaled_target(setting, kernel_machine(setting, C))
    machine.fit(train.combine(weights), y_train)
    whole = test.combine(weights)
    others = whole - share * test.gram(index)
    held = modalities[data.rows.test]

    def score(table: Any) -> float:
        with refusals(ValueError), without_advice():
            shuffled = mkfusion.Modalities(
                {name: table if name == described.key else held[name] for name in held.names}
            )
            gram = kernelizer.transform(shuffled).gram(index)
        return data.score(machine, others + share * gram, y_test)

    return fold_features(
        ModalityTable(modalities[described.key], described.name),
        data.rows.test,
        members,
        score,
        responses_of(machine, whole, np.unique(data.samples.y) if setting.classes else None),
        n_repeats,
        # Other orders in each fold
        np.random.RandomState([setting.seed, crc32(data.rows.test.tobytes())]),
    )
