"""Unimodal bias: which modalities a fitted model ignores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils import check_random_state

from mkfusion._drawing import axes_of
from mkfusion._types import Floats
from mkfusion.data import read_target
from mkfusion.inspection._arguments import (
    check_count,
    check_jobs,
    check_level,
    check_margin,
    group_codes,
)
from mkfusion.inspection._display import as_frame, check_outcome, draw_intervals
from mkfusion.inspection._importance import permute_modalities
from mkfusion.inspection._intervals import percentiles
from mkfusion.inspection._responses import CachedResponses, label_of
from mkfusion.inspection._samples import ModalitySamples

# Predictions that change by a smaller share have not changed.
_UNCHANGED = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class UnimodalBias:
    """Outcome of :func:`unimodal_bias`; as a string, one plain line for each modality.

    Parameters
    ----------
    modality_names : list of n_modalities str
    changes : ndarray of shape (n_modalities,)
        Share of the predicted classes that change when the modality comes from other samples; of a
        regressor, the root mean square change in standard deviations of its predictions.
    losses : ndarray of shape (n_modalities,)
        What the score loses then, on average.
    intervals : ndarray of shape (n_modalities, 2)
        Of the losses.
    verdicts : list of n_modalities str
        "uses", "ignores", "misled" or "unclear".
    scoring : str
        Name of the score.
    margin : float
        Loss that does not matter.
    within_groups : bool, default=False
        Whether modalities come from other samples of the same group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mkfusion.inspection import unimodal_bias
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = X[:, 0] > 0
    >>> model = LogisticRegression().fit(X * [1, 0], y)
    >>> unimodal_bias(model, X, y, modalities=[("a", [0]), ("b", [1])], random_state=0).ignored
    ['b']
    """

    modality_names: list[str]
    changes: Floats
    losses: Floats
    intervals: Floats
    verdicts: list[str]
    scoring: str
    margin: float
    within_groups: bool = False

    @property
    def ignored(self) -> list[str]:
        """The modalities that the model ignores."""
        pairs = zip(self.modality_names, self.verdicts, strict=True)
        return [name for name, verdict in pairs if verdict == "ignores"]

    def __str__(self) -> str:
        return "\n".join(map(self._line, range(len(self.modality_names))))

    def __repr__(self) -> str:
        return f"<UnimodalBias: {self}>"

    def _line(self, m: int) -> str:
        name, change = self.modality_names[m], self.changes[m]
        if change <= _UNCHANGED and self.verdicts[m] == "ignores" and not self.intervals[m].any():
            return f"The model ignores {name}: its predictions are the same whatever that is."
        beginning = {
            "uses": f"The model uses {name}",
            "ignores": f"The model ignores {name}",
            "misled": f"The model is misled by {name}",
            "unclear": f"It is not clear whether the model uses {name}",
        }[self.verdicts[m]]
        low, high = self.intervals[m]
        where = " within groups" if self.within_groups else ""
        return (
            f"{beginning}: shuffling it{where} changes predictions by {change:.1%} and takes "
            f"{self.losses[m]:.3f} [{low:.3f}, {high:.3f}] off the {self.scoring}."
        )

    def to_frame(self) -> Any:
        """Return the outcome as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_modalities, 5)
            With columns verdict, change, loss, low and high.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        low, high = self.intervals.T
        return as_frame(
            {
                "verdict": self.verdicts,
                "change": self.changes,
                "loss": self.losses,
                "low": low,
                "high": high,
            },
            self.modality_names,
            "modality",
        )


def unimodal_bias(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    modalities: list[tuple[str, Any]] | None = None,
    scoring: Any = None,
    margin: float = 0.01,
    n_repeats: int = 20,
    n_bootstraps: int = 500,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> UnimodalBias:
    """Say which modalities a fitted model ignores.

    Models that are fitted to several modalities often lean on the one that is easiest to learn
    from, and would predict the same without the others. Each modality is taken from other samples,
    as a whole, and it is seen what this does to the predictions and to the score.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Held-out samples.
    y : array-like of shape (n_samples,)
        Target.
    modalities : list of (name, columns) pairs, default=None
        Which modalities there are. `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. None is all of `Modalities`.
    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_val_score`; None is accuracy or R². It sees what
        is predicted only, not the samples.
    margin : float, default=0.01
        Loss of score that does not matter, so that "ignores" is more than a lack of evidence.
    n_repeats : int, default=20
        Permutations of each modality.
    n_bootstraps : int, default=500
        Draws of the samples for the intervals.
    confidence_level : float, default=0.95
    groups : array-like of shape (n_samples,), default=None
        As in :func:`modality_importance`.
    n_jobs : int, default=None
        Permutations at the same time. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws permutations and bootstraps.

    Returns
    -------
    UnimodalBias

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two modalities, or an argument is out of its range.

    See Also
    --------
    modality_importance : The same losses, and what a model can do without a modality.
    UnimodalBiasDisplay : Draws the outcome.

    Notes
    -----
    A model "uses" a modality if the interval of the loss is above 0, is "misled" by it if it is
    below; it "ignores" it if neither predictions nor score change, or the interval is below the
    margin. With anything else it is "unclear": more samples will tell.

    With `groups`, all of this is about differences within groups. A modality that is the same for
    all samples of a group, such as the age of a subject, cannot be judged so: it is "unclear" if
    one from other groups would change the predictions.

    References
    ----------
    Wu, Jastrzebski, Cho and Geras, "Characterizing and overcoming the greedy nature of learning in
    multi-modal deep neural networks", ICML (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import unimodal_bias
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = X[:, 0] > 0
    >>> model = DecisionTreeClassifier(max_depth=1).fit(X, y)
    >>> print(unimodal_bias(model, X, y, modalities=[("a", [0]), ("b", [1])], random_state=0))
    The model uses a: shuffling it changes predictions by 48.8% and takes ... off the accuracy.
    The model ignores b: its predictions are the same whatever that is.
    """
    check_count("n_repeats", n_repeats, 1)
    check_count("n_bootstraps", n_bootstraps, 1)
    check_level(confidence_level)
    check_margin(margin)
    check_jobs(n_jobs)
    parts = ModalitySamples(X, modalities)
    target = read_target(parts.X, y)
    codes = group_codes(groups, parts.X)
    rng = check_random_state(random_state)
    found = permute_modalities(
        estimator, parts, target, scoring, codes, n_repeats, n_bootstraps, n_jobs, rng
    )
    rows = np.arange(len(parts))
    predicted = found.plain.predict(rows)

    def change(responses: CachedResponses) -> float:
        other = responses.predict(rows)
        if is_classifier(estimator):
            return float(np.mean(predicted != other))
        spread = float(np.std(predicted))
        return float(np.sqrt(np.mean((predicted - other) ** 2))) / (spread or 1.0)

    changes = np.array([np.mean([change(one) for one in some]) for some in found.permuted])

    def is_unchanged(m: int) -> bool:
        # Scores of classifiers see more than the classes that are predicted.
        seen = np.abs(found.repeats[m]).max() if is_classifier(estimator) else 0.0
        return bool(changes[m] <= _UNCHANGED and seen <= _UNCHANGED)

    def verdict_of(m: int) -> str:
        if not is_unchanged(m):
            return _verdict(low[m], high[m], margin)
        if codes is None:
            return "ignores"
        order = rng.permutation(len(parts))
        mixed = parts.recombine([order if k == m else rows for k in range(len(parts.names))], rows)
        return "unclear" if change(CachedResponses(estimator, mixed)) > _UNCHANGED else "ignores"

    low, high = percentiles(found.draws, confidence_level)
    return UnimodalBias(
        modality_names=parts.names,
        changes=changes,
        losses=found.repeats.mean(axis=1),
        intervals=np.stack([low, high], axis=1),
        verdicts=[verdict_of(m) for m in range(len(parts.names))],
        scoring=label_of(estimator, scoring),
        margin=margin,
        within_groups=codes is not None,
    )


def _verdict(low: float, high: float, margin: float) -> str:
    if low > 0.0:
        return "uses"
    if high < 0.0:
        return "misled"
    return "ignores" if high <= margin else "unclear"


class UnimodalBiasDisplay:
    """What is lost without each modality, and whether the model uses it.

    Parameters
    ----------
    bias : UnimodalBias
        Outcome of :func:`unimodal_bias`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    unimodal_bias : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import UnimodalBiasDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = X[:, 0] > 0
    >>> display = UnimodalBiasDisplay.from_estimator(
    ...     DecisionTreeClassifier(max_depth=1).fit(X, y), X, y, modalities=[("a", [0]), ("b", [1])]
    ... )
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['a: uses', 'b: ignores']
    """

    def __init__(self, bias: UnimodalBias) -> None:
        check_outcome("bias", bias, UnimodalBias, "unimodal_bias")
        self.bias = bias

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **options: Any
    ) -> Self:
        """Find out which modalities a model ignores, and draw it.

        Parameters
        ----------
        estimator : fitted classifier or regressor
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Held-out samples.
        y : array-like of shape (n_samples,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`unimodal_bias`.

        Returns
        -------
        UnimodalBiasDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`unimodal_bias`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(unimodal_bias(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the losses; within the grey band they do not matter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        UnimodalBiasDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        found = self.bias
        ax = axes_of(ax, "UnimodalBiasDisplay", 1.2 + 0.4 * len(found.modality_names))
        pairs = zip(found.modality_names, found.verdicts, strict=True)
        names = [f"{name}: {verdict}" for name, verdict in pairs]
        label = f"loss of {found.scoring} when permuted"
        ax.axvspan(-found.margin, found.margin, color="0.9", zorder=0)
        draw_intervals(ax, names, found.losses, found.intervals, label)
        self.ax_, self.figure_ = ax, ax.figure
        return self
