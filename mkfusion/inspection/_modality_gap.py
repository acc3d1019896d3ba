"""How far apart modalities lie in a space that they share, and what closing the gap does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils import check_array, check_random_state

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.cca import mean_reciprocal_rank, median_rank, recall_at_k
from mkfusion.data import check_rows
from mkfusion.inspection._arguments import check_count, check_names
from mkfusion.inspection._display import as_frame, check_outcome

# The lines between partners that a picture can hold.
_LINES = 100


@dataclass(frozen=True, eq=False, repr=False)
class ModalityGap:
    """Outcome of :func:`modality_gap`.

    What stands twice is before and after the gap is closed, in this order.

    Parameters
    ----------
    names : list of n_modalities str
    distances : ndarray of shape (n_modalities, n_modalities)
        Between the means of unit vectors, before: 0 for no gap, at most 2. Without the means they
        are 0, and near it once all vectors have length one again.
    separability : ndarray of shape (2,)
        Share of held-out vectors whose modality a linear classifier tells; chance is one over the
        number of modalities.
    recall : ndarray of shape (2, n_modalities, n_modalities)
        Share of samples of one modality (rows) whose partner in the other (columns) is the nearest;
        NaN on the diagonal.
    reciprocal_rank : ndarray of shape (2, n_modalities, n_modalities)
        Mean of one over the rank of the partner.
    median_rank : ndarray of shape (2, n_modalities, n_modalities)
        Median rank of the partner.
    points : ndarray of shape (2, n_modalities, n_samples, 2)
        Unit vectors along their first two principal axes, for the picture.

    Examples
    --------
    >>> from mkfusion.inspection import modality_gap
    >>> gap = modality_gap({"a": [[1, 0], [0, 1]], "b": [[1, 0], [0, 1]]}, cv=2)
    >>> gap.to_frame()["recall"].to_list()
    [1.0, 1.0]
    """

    names: list[str]
    distances: Floats
    separability: Floats
    recall: Floats
    reciprocal_rank: Floats
    median_rank: Floats
    points: Floats

    def __str__(self) -> str:
        before, after = self.separability
        chance = 1.0 / len(self.names)
        ways = ~np.eye(len(self.names), dtype=bool)
        ranks = [float(np.mean(ranks[ways])) for ranks in self.reciprocal_rank]
        return (
            f"means up to {self.distances.max():.2f} apart, modality told {before:.2f} (closed "
            f"{after:.2f}, chance {chance:.2f}), mean reciprocal rank {ranks[0]:.3f} (closed "
            f"{ranks[1]:.3f})"
        )

    def __repr__(self) -> str:
        return f"<ModalityGap: {self}>"

    def to_frame(self) -> Any:
        """Return what retrieval finds in each way, before and after, as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_modalities * (n_modalities - 1), 7)
            With columns distance, recall, reciprocal_rank, median_rank, and the last three of them
            again for the closed gap.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        ways = list(permutations(range(len(self.names)), 2))
        rows = tuple(np.array(ways).T)
        columns: dict[str, Any] = {"distance": self.distances[rows]}
        for when, name in enumerate(("", "closed_")):
            for measure in ("recall", "reciprocal_rank", "median_rank"):
                columns[f"{name}{measure}"] = getattr(self, measure)[when][rows]
        index = [f"{self.names[u]} to {self.names[v]}" for u, v in ways]
        return as_frame(columns, index, "way")


def modality_gap(
    scores: Mapping[str, ArrayLike], *, cv: int = 5, random_state: Any = None
) -> ModalityGap:
    """Ask how far apart modalities lie in a shared space, and what closing the gap does.

    In many a space, such as those of image and text encoders, all vectors of one modality lie on
    one side and all of the other on another, though partners are nearer than others. Cosines
    between modalities are then about the gap as well. It is closed here by subtracting from the
    unit vectors of each modality their mean, which needs no pairs.

    Parameters
    ----------
    scores : mapping of str to array-like of shape (n_samples, n_components)
        Scores of each modality in the shared space, rows are partners.
    cv : int, default=5
        Folds for the classifier that tells modalities apart. Partners stay together.
    random_state : int, RandomState instance or None, default=None
        Draws these folds.

    Returns
    -------
    ModalityGap

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two modalities, two of one name, or their shapes or the ids of their
        rows differ.

    See Also
    --------
    ModalityGapDisplay : Draws the space.
    mkfusion.ContrastiveAlignment, mkfusion.CCA : Their scores of training samples have no gap, for
        they subtract the means. New samples can have one, if an instrument has changed.

    Notes
    -----
    Whether the gap matters is for retrieval to say. A mean shift may do nothing or harm: where the
    order of neighbours was right despite the gap, for instance.

    For the classifier the mean that closes the gap is that of the training folds.

    References
    ----------
    Liang, Zhang, Kwon, Yeung and Zou, "Mind the gap: understanding the modality gap in multi-modal
    contrastive representation learning", NeurIPS (2022): the distance, and the shift.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import modality_gap
    >>> rng = np.random.default_rng(0)
    >>> idea = rng.normal(size=(60, 5))
    >>> text, image = idea + 3.0, idea - 3.0 + 0.3 * rng.normal(size=(60, 5))
    >>> gap = modality_gap({"text": text, "image": image}, random_state=0)
    >>> round(float(gap.distances[0, 1]), 1)
    1.9
    >>> float(gap.separability[0])
    1.0
    >>> before, closed = gap.reciprocal_rank[:, 0, 1]
    >>> bool(closed > 2 * before)
    True
    """
    if not isinstance(scores, Mapping):
        raise TypeError(
            f"scores is a {type(scores).__name__}; expected a mapping of names to scores."
        )
    names = check_names("scores", scores)
    if len(names) < 2:
        raise ValueError(f"scores has the modalities {names}; expected at least two.")
    tables = [
        check_array(one, dtype=np.float64, ensure_min_samples=2, input_name=name)
        for name, one in zip(names, scores.values(), strict=True)
    ]
    shapes = {name: table.shape for name, table in zip(names, tables, strict=True)}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"scores have the shapes {shown(shapes)}; expected partners in the same space."
        )
    first, *others = zip(names, scores.values(), strict=True)
    check_rows(first[1], name=first[0], strict=True, **dict(others))
    check_count("cv", cv, 2)
    n = len(tables[0])
    if cv > n:
        raise ValueError(f"cv is {cv}; expected at most the number of samples, {n}.")
    rng = check_random_state(random_state)
    units = np.stack([normalize(table) for table in tables])
    closed = _closed(units, units)
    means = units.mean(axis=1)
    distances = np.linalg.norm(means[:, np.newaxis] - means, axis=2)
    folds = list(KFold(cv, shuffle=True, random_state=rng).split(np.arange(n)))
    measures = np.full((3, 2, len(names), len(names)), np.nan)
    for when, space in enumerate((units, closed)):
        for u, v in permutations(range(len(names)), 2):
            pair = space[u], space[v]
            measures[:, when, u, v] = (
                recall_at_k(*pair),
                mean_reciprocal_rank(*pair),
                median_rank(*pair),
            )
    told = np.array([_told(units, folds, closing) for closing in (False, True)])
    points = np.stack([_plane(units), _plane(closed)])
    return ModalityGap(names, distances, told, measures[0], measures[1], measures[2], points)


def _closed(units: Floats, known: Floats) -> Floats:
    """Return unit vectors (V, n, k) less the means of known ones, of unit length again."""
    shifted = units - known.mean(axis=1, keepdims=True)
    return np.stack([normalize(one) for one in shifted])


def _told(units: Floats, folds: list[Any], closing: bool) -> float:
    """Return how often a linear classifier tells the modality of held-out vectors."""
    right = 0.0
    for train, test in folds:
        known, new = units[:, train], units[:, test]
        if closing:
            known, new = _closed(known, known), _closed(new, known)
        labels = [np.repeat(np.arange(len(one)), one.shape[1]) for one in (known, new)]
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(known.reshape(-1, known.shape[2]), labels[0])
        right += np.sum(model.predict(new.reshape(-1, new.shape[2])) == labels[1])
    return float(right) / (units.shape[0] * units.shape[1])


def _plane(space: Floats) -> Floats:
    """Return vectors (V, n, k) along the first two principal axes of all of them."""
    flat = space.reshape(-1, space.shape[2])
    centred = flat - flat.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    points = centred @ axes.T
    if points.shape[1] == 1:  # a space of one dimension
        points = np.hstack([points, np.zeros_like(points)])
    return np.asarray(points.reshape(*space.shape[:2], 2))


class ModalityGapDisplay:
    """The unit vectors of modalities in a shared space, on their first two principal axes.

    Parameters
    ----------
    gap : ModalityGap
        Outcome of :func:`modality_gap`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    modality_gap : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import ModalityGapDisplay
    >>> idea = np.random.default_rng(0).normal(size=(60, 5))
    >>> display = ModalityGapDisplay.from_scores({"text": idea + 3.0, "image": idea - 3.0})
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['text', 'image']
    """

    def __init__(self, gap: ModalityGap) -> None:
        check_outcome("gap", gap, ModalityGap, "modality_gap")
        self.gap = gap

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, ArrayLike],
        *,
        closed: bool = False,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Measure the gap, and draw the space.

        Parameters
        ----------
        scores : mapping of str to array-like of shape (n_samples, n_components)
            As for :func:`modality_gap`.
        closed : bool, default=False
            Whether to draw the space after the gap is closed.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`modality_gap`.

        Returns
        -------
        ModalityGapDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`modality_gap`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(modality_gap(scores, **options)).plot(ax=ax, closed=closed)

    def plot(self, ax: Any = None, *, closed: bool = False) -> Self:
        """Draw the space.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        closed : bool, default=False
            Whether to draw it after the gap is closed.

        Returns
        -------
        ModalityGapDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        gap, when = self.gap, int(closed)
        ax = axes_of(ax, "ModalityGapDisplay", 4.5)
        points = gap.points[when]
        lines = slice(None, None, -(-points.shape[1] // _LINES))
        for u, v in combinations(range(len(points)), 2):
            ends = np.stack([points[u, lines], points[v, lines]])
            ax.plot(*ends.transpose(2, 0, 1), color="grey", lw=0.4, alpha=0.6, zorder=0)
        for v, (name, some) in enumerate(zip(gap.names, points, strict=True)):
            ax.scatter(*some.T, s=8, color=f"C{v}", label=name)
        ax.set(xlabel="first principal axis", ylabel="second principal axis", aspect="equal")
        ax.legend(loc="best")
        ways = ~np.eye(len(points), dtype=bool)
        state = "closed" if closed else f"{gap.distances.max():.2f} apart"
        ax.set_title(
            f"{state}: modality told {gap.separability[when]:.2f}, mean reciprocal rank "
            f"{np.mean(gap.reciprocal_rank[when][ways]):.3f}",
            fontsize="medium",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
