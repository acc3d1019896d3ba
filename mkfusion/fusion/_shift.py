"""Modality shift: a primary modality, corrected by a gated offset from the others."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import HasMethods, Interval, Options, num_samples
from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.data import Known, about, blaming, labels_from_decisions, remember_features
from mkfusion.fusion._descent import descend
from mkfusion.fusion._experts import Expert, calibration, default_estimator, fit_experts, response
from mkfusion.fusion._features import Blocks, Entry, TransformerParameters
from mkfusion.fusion._missing import refuse_lacking
from mkfusion.kernels import SampleCompletion


class Offset(NamedTuple):
    """Gated linear offsets of several modalities, bounded together.

    Attributes
    ----------
    coef : list of n_others ndarray of shape (width, n_outputs)
    gate_coef : list of n_others ndarray of shape (width + n_outputs,)
    gate_intercept : ndarray of shape (n_others,)
    scale : float
        Typical norm of the scores, by which gates see them.
    bound : float
        What the norm of an offset stays below.
    """

    coef: list[Floats]
    gate_coef: list[Floats]
    gate_intercept: Floats
    scale: float
    bound: float

    def gates(self, blocks: Sequence[Any], scores: Floats) -> Floats:
        """Return how far each modality's gate is open, of shape (n_samples, n_others)."""
        opened = [
            _gate_score(block, scores / self.scale, coef) + intercept
            for block, coef, intercept in zip(
                blocks, self.gate_coef, self.gate_intercept, strict=True
            )
        ]
        return expit(np.array(opened).T.reshape(len(scores), len(opened)))

    def __call__(self, blocks: Sequence[Any], scores: Floats) -> Floats:
        """Return the offset of each score, of shape (n_samples, n_outputs)."""
        opened = self.gates(blocks, scores)
        free = np.zeros_like(scores)
        for k, (block, coef) in enumerate(zip(blocks, self.coef, strict=True)):
            free += opened[:, [k]] * np.asarray(block @ coef)
        return _shrink(free, self.bound)[:, np.newaxis] * free


def _gate_score(block: Any, scores: Floats, coef: Floats) -> Floats:
    """Return the linear score of a gate that sees a modality's features and the scores."""
    width = block.shape[1]
    return np.asarray(block @ coef[:width]) + scores @ coef[width:]


def _shrink(free: Floats, bound: float) -> Floats:
    """Return the factors that make norms smaller than the bound: smooth, about 1 for small ones."""
    return 1.0 / np.sqrt(1.0 + np.einsum("ic,ic->i", free, free) / bound**2)


def fit_offset(
    blocks: Sequence[Any],
    scores: Floats,
    target: NDArray[Any],
    weights: Floats,
    *,
    several: bool,
    max_shift: float,
    alpha: float,
    max_iter: int,
    tol: float,
) -> tuple[Offset, Floats]:
    """Maximise the penalised likelihood of shifted scores.

    Parameters
    ----------
    blocks : sequence of n_others arrays or sparse matrices of shape (n_samples, width)
    scores : ndarray of shape (n_samples, n_outputs)
        Out of fold: log-probabilities of the classes up to a constant, or predictions.
    target : ndarray of shape (n_samples,)
        Positions of classes, or numbers.
    weights : ndarray of shape (n_samples,)
    several : bool
        Whether targets are classes.
    max_shift : float
        In units of the root mean square of the scores' norms around their mean.
    alpha : float
    max_iter : int
    tol : float

    Returns
    -------
    offset : Offset
    path : ndarray of shape (n_iter + 1,)
        The objective without offset and after every step; it never decreases.
    """
    share = weights / weights.sum()
    ridge = alpha / weights.sum()
    if several:
        unit = 1.0
    else:
        # In units of what the primary modality leaves, alpha does not depend on those of y.
        unit = float(np.sqrt(share @ (target - scores[:, 0]) ** 2)) or 1.0
        target = target / unit
        scores = scores / unit
    spread = float(np.sqrt(share @ np.sum((scores - share @ scores) ** 2, axis=1)))
    scale = spread or 1.0
    bound = max_shift * scale
    n_outputs = scores.shape[1]
    widths = [block.shape[1] for block in blocks]
    n_coef = sum(widths) * n_outputs
    n_gate = sum(widths) + len(widths) * n_outputs
    ends = np.cumsum([width * n_outputs for width in widths] + [w + n_outputs for w in widths])

    def read(parameters: Floats) -> Offset:
        pieces = np.split(parameters[: n_coef + n_gate], ends)[:-1]
        coef = [
            piece.reshape(width, n_outputs)
            for piece, width in zip(pieces[: len(widths)], widths, strict=True)
        ]
        return Offset(coef, pieces[len(widths) :], parameters[n_coef + n_gate :], scale, bound)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        offset = read(parameters)
        opened = offset.gates(blocks, scores)
        said = [np.asarray(b @ coef) for b, coef in zip(blocks, offset.coef, strict=True)]
        free = sum((opened[:, [k]] * one for k, one in enumerate(said)), np.zeros_like(scores))
        shrunk = _shrink(free, bound)[:, np.newaxis]
        value, slope = _loss_of_scores(scores + shrunk * free, target, share, several)
        # Through the bound, d(q h)/dh = q I - q^3 h h' / bound^2.
        inner = np.einsum("ic,ic->i", slope, free)[:, np.newaxis]
        slope = shrunk * slope - shrunk**3 * inner * free / bound**2
        of_coef, of_gate, of_intercept = [], [], []
        for k, block in enumerate(blocks):
            of_coef.append(np.asarray(block.T @ (opened[:, [k]] * slope)).ravel())
            through = np.einsum("ic,ic->i", slope, said[k]) * opened[:, k] * (1.0 - opened[:, k])
            of_gate += [np.asarray(block.T @ through), through @ scores / scale]
            of_intercept.append(through.sum())
        gradient = np.concatenate([*of_coef, *of_gate, np.array(of_intercept)])
        gradient[: n_coef + n_gate] += ridge * parameters[: n_coef + n_gate]
        penalty = float(parameters[: n_coef + n_gate] @ parameters[: n_coef + n_gate])
        return value + 0.5 * ridge * penalty, gradient

    start = np.zeros(n_coef + n_gate + len(widths))
    found, path = descend(loss, start, max_iter=max_iter, tol=tol)
    offset = read(found)
    return offset._replace(
        coef=[coef * unit for coef in offset.coef], scale=scale * unit, bound=bound * unit
    ), -path


def _loss_of_scores(
    scores: Floats, target: NDArray[Any], share: Floats, several: bool
) -> tuple[float, Floats]:
    """Return the mean log loss, or half the squared error, and its gradient in the scores."""
    if not several:
        residual = scores[:, 0] - target
        return 0.5 * float(share @ residual**2), (share * residual)[:, np.newaxis]
    right = scores[np.arange(len(target)), target]
    slope = softmax(scores, axis=1)
    slope[np.arange(len(target)), target] -= 1.0
    return float(share @ (logsumexp(scores, axis=1) - right)), share[:, np.newaxis] * slope


# A probability of 0 has no logarithm; a primary modality that is so sure can be shifted no more.
_LEAST_CHANCE = 1e-6


class ModalityShift(TransformerParameters):
    """Correct what a primary modality says by the others."""

    primary: str | None
    estimator: Any
    modalities: Sequence[Any] | None
    max_shift: float
    alpha: float
    cv: Any
    max_iter: int
    tol: float
    n_jobs: int | None
    _completion: SampleCompletion

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "primary": [str, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "modalities": [list, tuple, None],
        "max_shift": [Interval(Real, 0, None, closed="right")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "calibrate": [Options(str, {"auto", "sigmoid", "isotonic"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
        **TransformerParameters._missing_constraints,
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the primary modality's estimator, and the offset to what it says out of fold.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimator, which must take it, and the
            offset.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that keeps groups together.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities or columns are not there, or the
            estimator cannot be fitted; the message says of which modality.
        """
        if hasattr(self.primary, "fit"):
            raise TypeError(
                f"primary is {shown(self.primary)}; expected the name of a modality, or "
                f"{type(self).__name__}(estimator=...) for the primary modality's estimator."
            )
        self._validate_params()
        training, entries = self._read_training(X, y, sample_weight)
        samples, targets, weights, completion, known = training
        views = samples.views
        first = self._first(entries)
        # The offsets' features before the experts: what is wrong with them is known at once.
        others = [k for k in range(len(views)) if k != first]
        # Features of 0 shift nothing, whatever the gate says.
        gaps = "refuse" if self.missing == "error" else "fill"
        blocks = Blocks([entries[k] for k in others], scaled=True, absent="zero", gaps=gaps)
        self._refuse_unshiftable(entries[first].name, known.present[:, first])
        features = blocks.fit(_some(known, others), targets.given, weights)
        expert = self._expert(entries[first], known.parts[first], targets.classes)
        splits = training.splits(self.cv, groups)
        (fitted,), held_out = fit_experts(
            [expert], targets, weights, splits, held_out=True, n_jobs=self.n_jobs
        )
        assert held_out is not None
        rows = held_out.rows
        share = training.share[rows]
        if not share.any():
            raise ValueError("sample_weight is 0 for all samples that cv holds out.")
        offset, path = fit_offset(
            [block[rows] for block in features],
            self._scores(held_out.responses[:, 0]),
            targets.codes[rows],
            share,
            several=targets.classes is not None,
            max_shift=self.max_shift,
            alpha=self.alpha,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        remember_features(self, samples.X)
        self._completion, self._first_view, self._others = completion, first, others
        self._blocks, self._offset = blocks, offset
        self.estimator_ = fitted
        self.primary_ = views[first].name
        self.other_names_ = [views[k].name for k in others]
        self.coef_ = dict(zip(self.other_names_, offset.coef, strict=True))
        self.max_norm_ = offset.bound
        self.objectives_ = path
        self.n_iter_ = len(path) - 1
        if targets.classes is not None:
            self.classes_ = targets.classes
        return self

    def _first(self, entries: list[Entry]) -> int:
        """Return which modality is primary."""
        names = [entry.name for entry in entries]
        if self.primary is None:
            return 0
        if self.primary not in names:
            raise ValueError(
                f"primary is {shown(self.primary)}; expected one of the modalities {names}."
            )
        return names.index(self.primary)

    def _expert(self, entry: Entry, data: Any, classes: Any) -> Expert:
        """Return what is to be fitted to the primary modality."""
        with about(entry.name):
            if entry.transformer is not None:
                raise ValueError(
                    "it is primary and has a transformer of its own; expected (name, columns), and "
                    "a Pipeline of both as the estimator."
                )
            estimator = self.estimator
            if estimator is None:
                estimator = default_estimator(data, classes)
            method = None
            if classes is not None:
                method = calibration(estimator, self.calibrate)
            return Expert(entry.name, estimator, data, np.ones(num_samples(data), bool), method)

    def _scores(self, said: Floats) -> Floats:
        """Return what can be shifted: predictions, or centred logarithms of probabilities."""
        if said.shape[1] == 1:
            return said
        logs = np.log(np.maximum(said, _LEAST_CHANCE))
        return logs - logs.mean(axis=1, keepdims=True)

    @staticmethod
    def _refuse_unshiftable(primary: str, present: Mask) -> None:
        refuse_lacking(
            primary,
            present,
            "it is primary, and without it nothing is there to shift; expected it in all of them, "
            "missing='impute', or late fusion with missing='marginalise'.",
        )

    def _read(self, X: Any) -> tuple[list[Any], Floats, Mask]:
        """Return the other modalities' features, the primary's scores, and where others are."""
        check_is_fitted(self)
        known = self._completion.read(self, X)
        self._refuse_unshiftable(self.primary_, known.present[:, self._first_view])
        others = _some(known, self._others)
        blocks = self._blocks.transform(others)
        part = known.parts[self._first_view]
        with about(self.primary_), blaming(part):
            said = response(self.estimator_, part, getattr(self, "classes_", None))
        return blocks, self._scores(said), others.present

    def shift(self, X: Any) -> Floats:
        """Return what the other modalities add to the scores of the primary.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, 1)
            Norms of rows are below `max_norm_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take.
        """
        blocks, scores, _ = self._read(X)
        return self._offset(blocks, scores)

    def gate(self, X: Any) -> Floats:
        """Return how far the gates of the other modalities are open.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_others)
            Between 0 and 1; in the order of `other_names_`. 0 where a modality is missing.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        blocks, scores, present = self._read(X)
        return self._offset.gates(blocks, scores) * present

    def _shifted(self, X: Any) -> Floats:
        """Return shifted scores, of shape (n_samples, n_outputs)."""
        blocks, scores, _ = self._read(X)
        return scores + self._offset(blocks, scores)


def _some(known: Known, which: list[int]) -> Known:
    """Return what there is of some modalities."""
    return Known([known.parts[k] for k in which], known.present[:, which])


class ModalityShiftClassifier(ClassifierMixin, ModalityShift):
    """Correct the probabilities from one modality by a bounded, gated offset from the others.

    Parameters
    ----------
    primary : str, default=None
        Name of the modality that speaks for itself; None is the first.
    estimator : classifier, default=None
        The primary modality's; None is logistic regression on scaled columns.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        As in :class:`EarlyFusionClassifier`. The primary modality has no transformer; what it needs
        belongs to the estimator. None is all of `Modalities`, or one modality of all columns, which
        nothing then corrects.
    max_shift : float, default=1.0
        What the norm of an offset stays below, in units of the primary's root-mean-square score.
        ``numpy.inf`` is no bound.
    alpha : float, default=1.0
        Ridge on the coefficients of the offset and the gates. Features are scaled by modality.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the offset is learned, and probabilities calibrated. An int is stratified
        and not shuffled.
    calibrate : {"auto", "sigmoid", "isotonic"}, default="auto"
        "auto" calibrates (by "sigmoid") only a classifier that has a `decision_function` but no
        `predict_proba`; otherwise as in :class:`LateFusionClassifier`.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; a modality other than the primary shifts nothing where it is missing; or columns of
        numbers are predicted from the other modalities by ridge regression. A sample without the
        primary is refused but with "impute". Gaps in features of the others are their means in the
        training samples, but with "error".
    n_jobs : int, default=None
        Folds to fit at the same time.

    Attributes
    ----------
    estimator_ : classifier
        The primary modality's, fitted to all training samples.
    primary_ : str
        The primary modality.
    other_names_ : list of n_others str
        The other modalities.
    coef_ : dict of str to ndarray of shape (n_features_of_it, n_classes)
        What features of each other modality add to scores where its gate is open.
    max_norm_ : float
        What norms of offsets stay below.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Penalised log-likelihood per sample out of fold: of the primary modality alone, and after
        every step. It never decreases.
    n_iter_ : int
        Steps.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    GatedFusionClassifier : No modality is primary.

    Notes
    -----
    In networks, what is seen and heard shifts the representation of a word, by a gated vector whose
    length is bounded in proportion to that of the word's (RAVEN; the multimodal adaptation gate).
    This is the linear counterpart. Scores s(x_1) of the primary modality are the logarithms of its
    probabilities, less their mean, and::

        h = sum_k sigmoid(v_k' [z_k, s] + c_k) W_k' z_k,
        p(y | x) = softmax(s + h / sqrt(1 + ||h||^2 / bound^2)),

    with features z_k of the other modalities, scaled to a total variance of 1 each. W, v and c
    maximise the log-likelihood less alpha / 2 (||W||^2 + ||v||^2), by L-BFGS, from W = 0: the
    primary modality alone. Its scores are predicted out of fold. Otherwise there would be nothing
    left to correct where it remembers the training samples.

    The bound differs from that of the gate in the papers: it is the same for all samples. In
    proportion to their own scores, an offset could not change the class of any of two.

    References
    ----------
    Wang, Shen, Liu, Liang, Zadeh and Morency, "Words can shift: dynamically adjusting word
    representations using nonverbal behaviors", AAAI 2019. Rahman, Hasan, Lee, Zadeh, Mao, Morency
    and Hoque, "Integrating multimodal information in large pretrained transformers", ACL 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from mkfusion import ModalityShiftClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> modalities = [("acids", [1, 2, 3]), ("colour", [9, 10])]
    >>> model = ModalityShiftClassifier("acids", modalities=modalities).fit(X, y)
    >>> round(model.estimator_.score(X[:, [1, 2, 3]], y), 2), round(model.score(X, y), 2)
    (0.78, 0.89)
    >>> bool((model.objectives_[1:] >= model.objectives_[:-1]).all())
    True
    """

    def __init__(
        self,
        primary: str | None = None,
        estimator: Any = None,
        modalities: list[Any] | None = None,
        *,
        max_shift: float = 1.0,
        alpha: float = 1.0,
        cv: Any = 5,
        calibrate: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        missing: str = "error",
        n_jobs: int | None = None,
    ) -> None:
        self.primary = primary
        self.estimator = estimator
        self.modalities = modalities
        self.max_shift = max_shift
        self.alpha = alpha
        self.cv = cv
        self.calibrate = calibrate
        self.max_iter = max_iter
        self.tol = tol
        self.missing = missing
        self.n_jobs = n_jobs

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of every class.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return np.asarray(softmax(self._shifted(X), axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        shifted = self._shifted(X)
        return labels_from_decisions(shifted, self.classes_)


class ModalityShiftRegressor(RegressorMixin, ModalityShift):
    """Correct the predictions from one modality by a bounded, gated offset from the others.

    Parameters
    ----------
    primary : str, default=None
        Name of the modality that speaks for itself; None is the first.
    estimator : regressor, default=None
        The primary modality's; None is ridge regression on scaled columns.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        As in :class:`EarlyFusionRegressor`. The primary modality has no transformer; what it needs
        belongs to the estimator. None is all of `Modalities`, or one modality of all columns, which
        nothing then corrects.
    max_shift : float, default=1.0
        What an offset stays below, in units of the standard deviation of the primary's predictions.
        ``numpy.inf`` is no bound.
    alpha : float, default=1.0
        Ridge on the coefficients of the offset, in units of what the primary modality leaves
        unexplained, and of the gates. Features are scaled by modality.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the offset is learned. An int is not shuffled.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; a modality other than the primary shifts nothing where it is missing; or columns of
        numbers are predicted from the other modalities by ridge regression. A sample without the
        primary is refused but with "impute". Gaps in features of the others are their means in the
        training samples, but with "error".
    n_jobs : int, default=None
        Folds to fit at the same time.

    Attributes
    ----------
    estimator_ : regressor
        The primary modality's, fitted to all training samples.
    primary_ : str
        The primary modality.
    other_names_ : list of n_others str
        The other modalities.
    coef_ : dict of str to ndarray of shape (n_features_of_it, 1)
        What features of each other modality add to predictions where its gate is open.
    max_norm_ : float
        What offsets stay below.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Minus half the squared error per sample out of fold, as a share of the primary modality's,
        less the penalty: of the primary modality alone, and after every step. It never decreases.
    n_iter_ : int
        Steps.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    GatedFusionRegressor : No modality is primary.

    Notes
    -----
    As :class:`ModalityShiftClassifier`, with predictions for scores and squared errors for log
    losses.

    References
    ----------
    Wang, Shen, Liu, Liang, Zadeh and Morency, "Words can shift: dynamically adjusting word
    representations using nonverbal behaviors", AAAI 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import ModalityShiftRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> modalities = [("body", ["age", "sex", "bmi", "bp"]), ("blood", slice("s1", "s6"))]
    >>> model = ModalityShiftRegressor("body", modalities=modalities).fit(X, y)
    >>> round(model.estimator_.score(X[["age", "sex", "bmi", "bp"]], y), 2)
    0.4
    >>> round(model.score(X, y), 2)
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        k: v for k, v in ModalityShift._parameter_constraints.items() if k != "calibrate"
    }

    def __init__(
        self,
        primary: str | None = None,
        estimator: Any = None,
        modalities: list[Any] | None = None,
        *,
        max_shift: float = 1.0,
        alpha: float = 1.0,
        cv: Any = 5,
        max_iter: int = 1000,
        tol: float = 1e-6,
        missing: str = "error",
        n_jobs: int | None = None,
    ) -> None:
        self.primary = primary
        self.estimator = estimator
        self.modalities = modalities
        self.max_shift = max_shift
        self.alpha = alpha
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.missing = missing
        self.n_jobs = n_jobs

    def predict(self, X: Any) -> Floats:
        """Return the prediction for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._shifted(X)[:, 0]
