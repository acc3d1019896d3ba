"""One estimator per modality: fitting them, and predicting out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import BaseComposition, HasMethods, Options, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import Known, about, blaming, check_entries, remember_features, splits_among
from mkfusion.fusion._fitting import (
    Targets,
    Training,
    default_scaler,
    fit_weighted,
    read_training,
    seen_by,
)
from mkfusion.fusion._missing import TakesMissing, positions, refuse_nan
from mkfusion.kernels import SampleCompletion

_Splits = list[tuple[Indices, Indices]]


class Expert(NamedTuple):
    """An estimator that is to be fitted to one modality.

    Attributes
    ----------
    name : str
    estimator : estimator
    data : samples
        Its modality's, of the samples that have it.
    present : ndarray of shape (n_samples,), dtype=bool
        Which samples these are.
    calibrate : str or None
        Method of calibration; None for the estimator as it is.
    """

    name: str
    estimator: Any
    data: Any
    present: Mask
    calibrate: str | None = None


class HeldOut(NamedTuple):
    """What experts say of samples that they were not fitted to.

    Attributes
    ----------
    rows : ndarray of shape (n_held_out,)
        The samples that some split holds out.
    responses : ndarray of shape (n_held_out, n_experts, n_outputs)
        Probabilities of the classes, or a prediction; their means over several splits. 0 where a
        sample lacks an expert's modality.
    present : ndarray of shape (n_held_out, n_experts), dtype=bool
        Where it has it.
    """

    rows: Indices
    responses: Floats
    present: Mask


def default_estimator(data: Any, classes: Any) -> Any:
    """Return a linear model of scaled columns."""
    return make_pipeline(default_scaler(data), Ridge() if classes is None else LogisticRegression())


def response(estimator: Any, data: Any, classes: NDArray[Any] | None) -> Floats:
    """Return probabilities of all classes, or predictions, of shape (n_samples, n_outputs)."""
    data = seen_by(estimator, data)
    if classes is None:
        predicted = np.asarray(estimator.predict(data), dtype=np.float64)
        refuse_nan(predicted, type(estimator).__name__)
        return predicted.reshape(len(predicted), 1)
    found = np.asarray(estimator.predict_proba(data), dtype=np.float64)
    refuse_nan(found, type(estimator).__name__)
    chances = np.zeros((len(found), len(classes)))
    chances[:, np.searchsorted(classes, estimator.classes_)] = found
    return chances


def calibration(estimator: Any, method: str) -> str | None:
    """Return how an estimator's probabilities are calibrated: None if they are left as they are."""
    if method != "auto":
        return method
    return None if hasattr(estimator, "predict_proba") else "sigmoid"


def fit_experts(
    experts: Sequence[Expert],
    targets: Targets,
    weights: Floats | None,
    splits: _Splits | None,
    *,
    held_out: bool,
    n_jobs: int | None,
) -> tuple[list[Any], HeldOut | None]:
    """Fit every expert to all samples and, if asked to, to the training part of every split.

    Parameters
    ----------
    experts : sequence of Expert
    targets : Targets
    weights : ndarray of shape (n_samples,) or None
    splits : list of (training rows, held-out rows), or None
        Needed to hold out, and to calibrate.
    held_out : bool
        Whether to predict out of fold.
    n_jobs : int or None

    Returns
    -------
    fitted : list of n_experts estimators
    held_out : HeldOut or None
    """
    everything = np.arange(len(targets.given))
    parts = [(everything, everything[:0])]
    if held_out:
        assert splits is not None
        parts += splits
    found = Parallel(n_jobs=n_jobs)(
        delayed(_fit_expert)(expert, targets, weights, splits, train, test)
        for expert in experts
        for train, test in parts
    )
    found = [found[i : i + len(parts)] for i in range(0, len(found), len(parts))]
    fitted = [first for (first, _), *_ in found]
    if not held_out:
        return fitted, None
    n_outputs = 1 if targets.classes is None else len(targets.classes)
    total = np.zeros((len(everything), len(experts), n_outputs))
    count = np.zeros(len(everything))
    present = np.stack([expert.present for expert in experts], axis=1)
    for s, (_, test) in enumerate(parts[1:], start=1):
        count[test] += 1
        for k, of_expert in enumerate(found):
            total[test[present[test, k]], k] += of_expert[s][1]
    rows = np.flatnonzero(count)
    means = total[rows] / count[rows, np.newaxis, np.newaxis]
    return fitted, HeldOut(rows, means, present[rows])


def _fit_expert(
    expert: Expert,
    targets: Targets,
    weights: Floats | None,
    splits: _Splits | None,
    train: Indices,
    test: Indices,
) -> tuple[Any, Floats | None]:
    with about(expert.name), blaming(expert.data):
        estimator = clone(expert.estimator)
        held = len(test) > 0
        whole = len(train) == len(targets.given) and not held
        train, test = train[expert.present[train]], test[expert.present[test]]
        if not len(train):
            raise ValueError("no training sample of one of the splits has it; expected some.")
        if expert.calibrate is not None:
            assert splits is not None
            estimator = CalibratedClassifierCV(
                estimator, method=expert.calibrate, cv=_inside(train, splits)
            )
        data, place = seen_by(estimator, expert.data), positions(expert.present)
        fit_weighted(
            estimator,
            data if whole else safe_indexing(data, place[train]),
            targets.given[train],
            None if weights is None else weights[train],
        )
        if not held:
            return estimator, None
        # The estimator of a split is not needed any more.
        if not len(test):
            return None, np.empty((0, 1 if targets.classes is None else len(targets.classes)))
        return None, response(estimator, safe_indexing(data, place[test]), targets.classes)


def _inside(train: Indices, splits: _Splits) -> _Splits:
    """Return the splits among training rows only, numbered by their places among these.

    What the splitter keeps together, as groups, stays together.
    """
    inner = splits_among(train, splits)
    if not inner:
        raise ValueError(
            f"cv makes {len(splits)} splits; expected three or more where probabilities are "
            "calibrated and combined by what was learned out of fold: each training part is split "
            "again."
        )
    return inner


class ExpertFusion(TakesMissing, BaseComposition):
    """Fit one estimator per modality; what is common to those that do."""

    estimators: Sequence[tuple[str, Any, Any]] | None
    estimator: Any
    modalities: Sequence[tuple[str, Any]] | None
    cv: Any
    n_jobs: int | None
    _completion: SampleCompletion

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [list, tuple, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "modalities": [list, tuple, None],
        "cv": ["cv_object"],
        "calibrate": [Options(str, {"auto", "sigmoid", "isotonic"})],
        "n_jobs": [Integral, None],
        **TakesMissing._missing_constraints,
    }

    @property
    def _named_estimators(self) -> list[tuple[str, Any]]:
        """Pairs (name, estimator), none where they are malformed: `fit` refuses them."""
        try:
            return [(name, estimator) for name, estimator, _ in self.estimators or []]
        except (TypeError, ValueError):
            return []

    @_named_estimators.setter
    def _named_estimators(self, pairs: list[tuple[str, Any]]) -> None:
        self.estimators = [
            (name, estimator, columns)
            for (name, estimator), (_, _, columns) in zip(pairs, self.estimators or [], strict=True)
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the modalities' estimators included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``name`` and ``name__parameter`` of each of `estimators`, and
            ``estimator__parameter``.

        Returns
        -------
        dict
        """
        return self._get_params("_named_estimators", deep=deep)

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the modalities' estimators included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : object
        """
        return self._set_params("_named_estimators", **params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, X: Any, y: Any, sample_weight: Any) -> Training:
        """Check everything that `fit` was given, and find the modalities."""
        if hasattr(self.estimators, "fit"):
            name = type(self).__name__
            raise TypeError(
                f"estimators is {shown(self.estimators)}; expected a list of tuples (name, "
                f"estimator, columns), or {name}(estimator=...) to clone one for each modality."
            )
        self._validate_params()
        pairs = self.modalities
        if self.estimators is not None:
            if self.estimator is not None or self.modalities is not None:
                raise ValueError(
                    "estimators is given, and estimator or modalities as well; expected either "
                    "estimators, or an estimator that is cloned for each of the modalities."
                )
            check_entries(self.estimators, "estimators", ("(name, estimator, columns)",))
            for i, entry in enumerate(self.estimators):
                if not hasattr(entry[1], "fit"):
                    raise TypeError(f"estimators[{i}] has {shown(entry[1])}, which has no fit.")
            self._validate_names([name for name, _, _ in self.estimators])
            pairs = [(name, columns) for name, _, columns in self.estimators]
        return read_training(self, X, y, sample_weight, pairs)

    def _fit_experts(
        self, training: Training, groups: Any, *, held_out: bool, calibrate: str | None
    ) -> tuple[list[Any], HeldOut | None]:
        """Fit every expert, and predict out of fold if asked to.

        Parameters
        ----------
        training : Training
        groups : array-like of shape (n_samples,) or None
        held_out : bool
        calibrate : {"auto", "sigmoid", "isotonic"} or None
        """
        names, targets, known = training.samples.names, training.targets, training.known
        experts = []
        for i, (name, part) in enumerate(zip(names, known.parts, strict=True)):
            with about(name):
                if self.estimators is not None:
                    estimator = self.estimators[i][1]
                elif self.estimator is not None:
                    estimator = self.estimator
                else:
                    estimator = default_estimator(part, targets.classes)
                method = None if calibrate is None else calibration(estimator, calibrate)
                experts.append(Expert(name, estimator, part, known.present[:, i], method))
        asked = held_out or any(expert.calibrate for expert in experts)
        splits = training.splits(self.cv, groups) if asked else None
        return fit_experts(
            experts, targets, training.weights, splits, held_out=held_out, n_jobs=self.n_jobs
        )

    def _keep(self, training: Training, fitted: list[Any]) -> None:
        """Remember what was learned: at the end, so that nothing is kept of a fit that fails."""
        remember_features(self, training.samples.X)
        self._completion = training.completion
        self.estimators_ = fitted
        self.modality_names_ = training.samples.names
        if training.targets.classes is not None:
            self.classes_ = training.targets.classes

    def _known(self, X: Any) -> Known:
        """Return what there is of each modality of new samples."""
        check_is_fitted(self)
        return self._completion.read(self, X)

    def _responses(self, known: Known) -> Floats:
        """Return what the experts say, of shape (n_samples, n_experts, n_outputs).

        0 where a sample lacks an expert's modality.
        """
        classes = getattr(self, "classes_", None)
        n_outputs = 1 if classes is None else len(classes)
        found = np.zeros((*known.present.shape, n_outputs))
        pairs = zip(self.modality_names_, self.estimators_, known.parts, strict=True)
        for k, (name, estimator, part) in enumerate(pairs):
            if part is not None:
                with about(name), blaming(part):
                    found[known.rows(k), k] = response(estimator, part, classes)
        return found
