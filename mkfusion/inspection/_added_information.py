"""Whether each modality says of a target what the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mkfusion._drawing import axes_of
from mkfusion._types import Floats
from mkfusion.inspection._display import as_frame, check_outcome
from mkfusion.inspection._multiplicity import holm
from mkfusion.inspection._score_tests import Contrast, centre
from mkfusion.inspection._tested_samples import (
    ALPHA,
    TestedSamples,
    tested_samples,
)
from mkfusion.solvers import one_blas_thread


@dataclass(frozen=True, eq=False, repr=False)
class AddedInformation:
    """Outcome of :func:`added_information`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    pvalue : float
        Of "one of the modalities says all that the others say": the largest of `single_pvalues`.
        Where it is small, no single modality suffices.
    single_pvalues : ndarray of shape (n_modalities,)
        Of "all others together add nothing to this one".
    pvalues : ndarray of shape (n_modalities,)
        Of "this one adds nothing to all others together".
    adjusted_pvalues : ndarray of shape (n_modalities,)
        `pvalues` with Holm's correction for their number.
    n_samples : int
        How many were looked at.
    n_groups : int
        `n_samples` if there are no groups.
    n_lacking : int
        How many samples lack a modality, or several.
    warnings : tuple of str
        What limits the answers, in sentences.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import added_information
    >>> a, b = np.random.default_rng(0).normal(size=(2, 60))
    >>> found = added_information(
    ...     [np.outer(a, a), np.outer(b, b)], a + b, task="regression", random_state=0
    ... )
    >>> found.pvalue < 0.05, found.modality_names
    (True, ['kernel0', 'kernel1'])
    """

    modality_names: list[str]
    pvalue: float
    single_pvalues: Floats
    pvalues: Floats
    adjusted_pvalues: Floats
    n_samples: int
    n_groups: int
    n_lacking: int
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"one modality says all that the others say: p = {self.pvalue:.3g}"]
        lines += [
            f"  {name} adds nothing to all others: p = {p:.3g}, {adjusted:.3g} by Holm"
            for name, p, adjusted in zip(
                self.modality_names, self.pvalues, self.adjusted_pvalues, strict=True
            )
        ]
        return "\n".join([*lines, *self.warnings])

    def __repr__(self) -> str:
        return f"<AddedInformation of {', '.join(self.modality_names)}: p = {self.pvalue:.3g}>"

    def to_frame(self) -> Any:
        """Return the p-values as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_modalities, 3)
            With columns others_add (`single_pvalues`), adds (`pvalues`) and adds_holm.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = {
            "others_add": self.single_pvalues,
            "adds": self.pvalues,
            "adds_holm": self.adjusted_pvalues,
        }
        return as_frame(columns, self.modality_names, "modality")


def added_information(
    kernels_or_X: Any,
    y: ArrayLike,
    *,
    modalities: Any = None,
    groups: ArrayLike | None = None,
    present: ArrayLike | None = None,
    task: str = "auto",
    n_signs: int = 1999,
    n_permutations: int = 999,
    max_samples: int = 1500,
    random_state: Any = None,
) -> AddedInformation:
    """Test whether modalities say of a target what the others do not.

    A question about the data, not about how well a model predicts: a modality may well carry
    information that too few samples make no use of. What is tested is information *beyond what the
    kernels of the others say*; if a kernel misses something in its own modality, another that tells
    it does add.

    Parameters
    ----------
    kernels_or_X : KernelStack, list of ndarray of shape (n, n), ndarray of shape \
            (n, n, n_kernels), Modalities, or DataFrame or array of shape (n, n_features)
        Gram matrices between the samples, not centred; or raw samples, of which each modality gets
        the kernel that ``"auto"`` stands for in :class:`~mkfusion.ColumnKernelizer`.
    y : array-like of shape (n,)
        Numbers, or class labels.
    modalities : mapping from str to kernels, or list of (name, columns) pairs, default=None
        For kernels: which of them are each modality's, by name or index; of several ones the mean
        is taken, after scaling. Each kernel is a modality by default. For raw samples: as in
        :func:`modality_importance`, and all of `Modalities` by default.
    groups : array-like of shape (n,), default=None
        Samples of one group, such as a subject, may be alike in y for reasons of their own.
    present : array-like of shape (n, n_modalities), default=None
        For kernels: which samples have which modality (booleans); the values of a kernel where one
        lacks it do not count. Raw samples say it themselves.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is; "auto" takes fractions for numbers, and few different values for classes.
    n_signs : int, default=1999
        Signs of the residuals that are drawn.
    n_permutations : int, default=999
        Permutations that are drawn; enough for 25 modalities.
    max_samples : int, default=1500
        Of more samples a random part is tested, of whole groups: time grows with their cube.
    random_state : int, RandomState instance or None, default=None
        Draws signs and permutations. The same seed gives the same p-values.

    Returns
    -------
    AddedInformation

    Raises
    ------
    ValueError, TypeError
        If there are fewer than 30 samples, 10 groups, or 8 samples of a class, for which the level
        of the test is not known; if a modality or y is constant; or too few draws for the
        number of modalities.

    See Also
    --------
    interaction_information : Whether modalities interact.
    AddedInformationDisplay : Draws the outcome.
    partial_information : How much information of which kind there is, in bits.

    Notes
    -----
    Does E add to N? The null model is a kernel machine on the kernels of N, with a variance for
    each, fitted by restricted maximum likelihood (penalised quasi-likelihood for classes, one
    against the rest if there are several), and a random intercept for groups. Its whitened
    residuals are compared with the kernel of E, with its product with that of N, with a narrower
    version of it, and with products within E: ``u' S u``, a score test of a variance component
    (Maity and Lin, 2011). Two null distributions stand for it: random signs of the residuals (of
    whole groups), and permutations of E's samples (of whole groups), where each statistic is
    divided by what is expected of it, ``tr S``: a kernel that agrees with those of N has less in
    the directions that these leave than a permuted one. The p-value of each is that of the best
    statistic, with the choice accounted for; the test's is the larger of both. Neither alone keeps
    its level everywhere.

    "No single modality says all" is rejected for every modality or not at all: the largest of the
    p-values needs no correction (Berger, 1982). With two modalities both questions are one.

    No test of conditional independence keeps its level for every distribution (Shah and Peters,
    2020). ``python -m benchmarks verdicts`` measures it for many.

    References
    ----------
    Maity and Lin, "Powerful tests for detecting a gene effect in the presence of possible gene-gene
    interactions using garrote kernel machines", Biometrics 67 (2011).

    Wu et al., "Rare-variant association testing for sequencing data with the sequence kernel
    association test", American Journal of Human Genetics 89 (2011).

    Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982).

    Shah and Peters, "The hardness of conditional independence testing and the generalised
    covariance measure", Annals of Statistics 48 (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Modalities
    >>> from mkfusion.inspection import added_information
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(gait=rng.normal(size=(80, 2)), noise=rng.normal(size=(80, 2)))
    >>> y = X["gait"][:, 0] + 0.5 * rng.normal(size=80)
    >>> found = added_information(X, y, random_state=0)
    >>> (found.pvalues < 0.05).tolist()
    [True, False]
    """
    with one_blas_thread():
        tested = tested_samples(
            kernels_or_X,
            y,
            modalities=modalities,
            groups=groups,
            present=present,
            task=task,
            n_signs=n_signs,
            n_permutations=n_permutations,
            max_samples=max_samples,
            random_state=random_state,
        )
        return _added_information(tested)


def _added_information(tested: TestedSamples) -> AddedInformation:
    n_modalities = len(tested.names)
    kernels, sharp = tested.centred(), tested.sharpened()
    every = list(range(n_modalities))
    rest = [[j for j in every if j != m] for m in every]
    single = np.array([_contrast(tested, kernels, sharp, [m], rest[m]) for m in every])
    if n_modalities == 2:
        adds = single[::-1].copy()
    else:
        adds = np.array([_contrast(tested, kernels, sharp, rest[m], [m]) for m in every])
    n_samples, n_groups, n_lacking = tested.counts
    return AddedInformation(
        list(tested.names),
        float(single.max()),
        single,
        adds,
        np.array(holm(adds.tolist())),
        n_samples,
        n_groups,
        n_lacking,
        tested.warnings,
    )


def _contrast(
    tested: TestedSamples,
    kernels: Sequence[Floats],
    sharp: Sequence[Floats],
    null: Sequence[int],
    new: Sequence[int],
) -> float:
    """Return the p-value of "the new modalities add nothing to the null ones"."""
    products = [kernels[i] * kernels[j] for i, j in combinations(new, 2)]
    contrast = Contrast(
        np.mean([kernels[j] for j in null], axis=0),
        np.mean([kernels[j] for j in new], axis=0),
        np.mean([sharp[j] for j in new], axis=0),
        centre(np.sum(products, axis=0)) if products else None,
    )
    whitened = tested.whiten([kernels[j] for j in null])
    by_signs = contrast.by_signs(whitened, tested.groups, tested.draws)
    return max(by_signs, contrast.by_permutations(whitened, tested.draws))


class AddedInformationDisplay:
    """P-values of what modalities add, on a logarithmic scale.

    Parameters
    ----------
    information : AddedInformation
        Outcome of :func:`added_information`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    added_information : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Modalities
    >>> from mkfusion.inspection import AddedInformationDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(gait=rng.normal(size=(40, 2)), noise=rng.normal(size=(40, 2)))
    >>> display = AddedInformationDisplay.from_samples(X, X["gait"][:, 0], random_state=0)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['gait', 'noise']
    """

    def __init__(self, information: AddedInformation) -> None:
        check_outcome("information", information, AddedInformation, "added_information")
        self.information = information

    @classmethod
    def from_samples(cls, kernels_or_X: Any, y: Any, *, ax: Any = None, **options: Any) -> Self:
        """Test what modalities add, and draw it.

        Parameters
        ----------
        kernels_or_X : kernels or raw samples
            As for :func:`added_information`.
        y : array-like of shape (n,)
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`added_information`.

        Returns
        -------
        AddedInformationDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`added_information`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(added_information(kernels_or_X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the p-values of each modality, and the line of 5 %.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        AddedInformationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        found = self.information
        names = found.modality_names
        ax = axes_of(ax, "AddedInformationDisplay", 1.5 + 0.4 * len(names))
        places = np.arange(len(names))
        ax.plot(found.adjusted_pvalues, places, "o", label="adds to all others (Holm)")
        if len(names) > 2:
            ax.plot(found.single_pvalues, places, "s", mfc="none", label="the others add to it")
        ax.axvline(ALPHA, color="grey", lw=1)
        ax.set_xscale("log")
        ax.set_yticks(places, names)
        ax.set(xlabel="p-value", ylim=(len(names) - 0.5, -0.5))
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
