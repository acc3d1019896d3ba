"""Contrastive alignment of several modalities by linear maps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import permutations
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, StrOptions
from mkfusion._types import Floats
from mkfusion.cca._contrast import infonce, margin_loss, solve_contrast
from mkfusion.cca._reading import PAIR, as_numbers, read_analysis, refuse_constant
from mkfusion.cca._retrieval import mean_reciprocal_rank
from mkfusion.cca._solver import Solution, solve_maxvar, standardize, whiten
from mkfusion.cca._space import REMEDY, LinearSpace
from mkfusion.data import about, blaming, column_names, remember_features

# Components beyond those of the canonical correlations start at so much of the shortest of these.
_SMALL = 0.1


class ContrastiveAlignment(LinearSpace):
    """Linear maps into a space where samples are nearer to their own partners than to others.

    For samples x_i and y_i of two modalities, with cosines s_ij of their scores A'x_i and B'y_j,
    the maps minimise the mean over samples of

    - "infonce": ``- log(exp(s_ii / temperature) / sum_j exp(s_ij / temperature))``, the
      cross-entropy of finding the partner of x_i among all y_j, and of y_i among all x_j;
    - "margin": ``sum_{j != i} max(0, margin - s_ii + s_ij)``, of the triplets (x_i, y_i, y_j) and
      (y_i, x_i, x_j),

    over the samples j of the same batch, plus a ridge; a mean over pairs if there are more
    modalities than two.

    Parameters
    ----------
    n_components : int, default=10
        Dimensions of the shared space.
    loss : {"infonce", "margin"}, default="infonce"
        What is to be small, see above.
    temperature : float, default=0.1
        Of "infonce", from 0.001 to 1000: the lower, the more the nearest wrong ones count.
    margin : float, default=0.2
        Of "margin": by how much the right cosine shall be larger than a wrong one.
    regularisation : float, default=0.1
        Ridge, up to 1e6: times ``||A||_F^2`` over the mean squared length of the training samples'
        scores, and likewise for the others. It does not depend on the length of A, as cosines do
        not.
    batch_size : int, default=256
        Most samples that are told apart from one another, at least 3. The batches are drawn once.
    scale : bool, default=True
        Whether to divide each column by its standard deviation first.
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None for all modalities
        of X if it is `Modalities`; otherwise they are X and y.
    tol : float, default=1e-3
        Largest entry of the gradient at which L-BFGS stops.
    max_iter : int, default=500
        Most iterations of it.
    random_state : int, RandomState instance or None, default=None
        Draws the batches, and where components begin that canonical correlations do not have.

    Attributes
    ----------
    weights_ : list of ndarray of shape (n_columns, n_components)
        Scores are ``(samples - means_[v]) @ weights_[v]``; those of the training samples have the
        mean squared length 1. Components come by the variance of all scores.
    means_ : list of ndarray of shape (n_columns,)
        Means of the columns.
    objective_ : float
        The loss and the ridge.
    n_iter_ : int
        Iterations of L-BFGS.
    modality_names_ : list of str
        "X" and "y" where these are the modalities.
    n_features_in_ : int
        Number of columns or modalities of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    CCA, MultisetCCA : The start of this one, in closed form.
    recall_at_k, mean_reciprocal_rank, median_rank : How good is it?
    mkfusion.inspection.modality_gap : Do the modalities lie apart?

    Notes
    -----
    The problem is not convex. It starts from canonical correlations, shrunk by the same ridge, with
    each component as long as it holds, and never ends above them. What it finds is not better as a
    rule than that start: retrieval by ``cca.canonical_correlations_ * scores`` is as good on the
    digits of ``load_mfeat``, and takes no iterations. Reasons for this one are more than two
    modalities, and a loss that says what retrieval is about.

    So that there is a gradient everywhere, the kink of the margin loss is rounded within 0.01 of
    it, and the squared length of a score in a cosine is that plus a tenth of the mean one:
    s_ij are a little smaller than cosines, and much for samples in the middle.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding",
    arXiv:1807.03748 (2018).

    Frome et al., "DeViSE: a deep visual-semantic embedding model", NeurIPS (2013): the margin.

    Radford et al., "Learning transferable visual models from natural language supervision", ICML
    (2021): both directions.

    Examples
    --------
    >>> from mkfusion import ContrastiveAlignment, recall_at_k
    >>> from mkfusion.datasets import load_mfeat
    >>> X, y = load_mfeat(return_X_y=True)
    >>> views = [(name, name) for name in ("fou", "zer")]
    >>> space = ContrastiveAlignment(modalities=views, random_state=0).fit(X[::4])
    >>> query = space.transform_modality(X["fou"][1::4], "fou")
    >>> gallery = space.transform_modality(X["zer"][1::4], "zer")
    >>> recall_at_k(query, gallery, 10) > 0.25  # of 500; chance is 0.02
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearSpace._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"infonce", "margin"})],
        "temperature": [Interval(Real, 1e-3, 1e3, closed="both")],
        "margin": [Interval(Real, 0, 2, closed="right")],
        "regularisation": [Interval(Real, 0, 1e6, closed="both")],
        "batch_size": [Interval(Integral, 3, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 10,
        *,
        loss: str = "infonce",
        temperature: float = 0.1,
        margin: float = 0.2,
        regularisation: float = 0.1,
        batch_size: int = 256,
        scale: bool = True,
        modalities: list[tuple[str, Any]] | None = None,
        tol: float = 1e-3,
        max_iter: int = 500,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.temperature = temperature
        self.margin = margin
        self.regularisation = regularisation
        self.batch_size = batch_size
        self.scale = scale
        self.modalities = modalities
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the maps.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            All modalities, or the first of two.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The second modality, where X is the first. Ignored where X holds all of them.

        Returns
        -------
        self : object
            Fitted alignment.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or modalities are not there, do not vary or are not
            finite numbers.
        """
        self._validate_params()
        rng = check_random_state(self.random_state)
        asked = self._all_or_given(X)
        if asked is not None and len(asked) < 2:
            raise ValueError(
                f"modalities are {[name for name, *_ in asked]}; expected at least two."
            )
        samples = read_analysis(self, X, y, asked)
        names = samples.names or list(PAIR)
        ridge = float(self.regularisation)
        tables, blocks = [], []
        for name, data in zip(names, samples.parts, strict=True):
            with about(name if samples.views else ""), blaming(data, REMEDY):
                tables.append(standardize(as_numbers(self, data), self.scale))
            # In these coordinates D the ridge is (1 + ridge) ||D||^2 / ||H D||^2, less one.
            table = tables[-1]
            blocks.append(whiten(table.samples, ridge / (1.0 + ridge), table.rounding))
        Hs = [block.H for block in blocks]
        refuse_constant(names, [H.shape[1] for H in Hs])
        n = len(Hs[0])
        loss = infonce(self.temperature) if self.loss == "infonce" else margin_loss(self.margin)
        # No batch of one sample: they are as large as each other.
        batches = np.array_split(rng.permutation(n), -(-n // self.batch_size))
        start = _start(Hs, self.n_components, rng)
        found = solve_contrast(
            Hs, start, loss, 1.0 + ridge, batches, float(self.tol), self.max_iter
        )
        if not found.converged:
            warnings.warn(
                f"ContrastiveAlignment did not settle within {found.n_iter} iterations "
                f"(max_iter={self.max_iter}). Raise max_iter, tol or regularisation.",
                ConvergenceWarning,
                stacklevel=2,
            )
        remember_features(self, samples.X)
        self._views = samples.views
        self._column_names = [column_names(data) for data in samples.parts]
        self.modality_names_ = names
        self.means_ = [table.mean for table in tables]
        weights = [
            block.W @ D / table.deviation[:, np.newaxis]
            for block, table, D in zip(
                blocks, tables, _by_variance(Hs, found.directions), strict=True
            )
        ]
        self.weights_ = weights
        self.objective_ = found.objective - len(Hs)
        self.n_iter_ = found.n_iter
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean reciprocal rank of partners, for searches of parameters.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            As in `fit`.

        Returns
        -------
        float
            Mean over all ways from one modality to another. It depends on how many samples there
            are.

        Raises
        ------
        ValueError, TypeError
            If `y` is lacking where the modalities are X and y, or the samples are not like those
            of `fit`.
        """
        check_is_fitted(self)
        scores = self._scores(X, y)
        if len(scores) == 1:
            raise ValueError("y is None; expected the second modality, as in fit.")
        return float(np.mean([mean_reciprocal_rank(a, b) for a, b in permutations(scores, 2)]))

    def _n_components(self) -> int:
        return int(self.weights_[0].shape[1])


def _start(blocks: Sequence[Floats], k: int, rng: Any) -> list[Floats]:
    """Return canonical directions, as long as they hold, and small ones where there are no more."""
    known = min(k, *(block.shape[1] for block in blocks))
    solution: Solution = solve_maxvar(blocks, known)
    # The mean correlation of maxvar, whose shares have squares that sum to one.
    strength = np.sqrt(np.clip((solution.objective - 1.0) / (len(blocks) - 1), 1e-3, None))
    start = []
    for D, share in zip(solution.directions, solution.shares, strict=True):
        lengths = strength * np.maximum(share, 1e-3)
        more = rng.standard_normal((len(D), k - known)) * (_SMALL * lengths.min() / len(D) ** 0.5)
        start.append(np.hstack([D * lengths, more]))
    return start


def _by_variance(blocks: Sequence[Floats], directions: Sequence[Floats]) -> list[Floats]:
    """Return directions turned, all in the same way, to the principal axes of all scores.

    No cosine changes. Signs make the longest weight of the first modality positive.
    """
    moments = sum((H @ D).T @ (H @ D) for H, D in zip(blocks, directions, strict=True))
    axes = np.linalg.eigh(moments)[1][:, ::-1]
    first = directions[0] @ axes
    largest = np.abs(first).argmax(axis=0)
    signs = np.where(first[largest, np.arange(first.shape[1])] < 0.0, -1.0, 1.0)
    return [D @ (axes * signs) for D in directions]
