"""A paragraph on methods that can go into a paper, with its references."""

from __future__ import annotations

from collections.abc import Sequence

from mkfusion.report._result import Result

_REFERENCES = {
    "scikit-learn": "Pedregosa et al. Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12 (2011) 2825–2830.",
    "nested": "Cawley and Talbot. On over-fitting in model selection and subsequent selection bias "
    "in performance evaluation. Journal of Machine Learning Research 11 (2010) 2079–2107.",
    "corrected_t": "Nadeau and Bengio. Inference for the generalization error. Machine Learning 52 "
    "(2003) 239–281.",
    "maity": "Maity and Lin. Powerful tests for detecting a gene effect in the presence of "
    "possible gene-gene interactions using garrote kernel machines. Biometrics 67 (2011) "
    "1271–1284.",
    "berger": "Berger. Multiparameter hypothesis testing and acceptance sampling. Technometrics 24 "
    "(1982) 295–300.",
    "li": "Li and Cui. Gene-centric gene-gene interaction: a model-based kernel machine method. "
    "Annals of Applied Statistics 6 (2012) 1134–1161.",
    "holm": "Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal "
    "of Statistics 6 (1979) 65–70.",
    "shapley": "Shapley. A value for n-person games. Contributions to the Theory of Games II "
    "(1953) 307–317.",
    "covert": "Covert, Lundberg and Lee. Understanding global feature contributions with additive "
    "importance measures. Advances in Neural Information Processing Systems 33 (2020) "
    "17212–17223.",
    "emap": "Hessel and Lee. Does my multimodal model learn cross-modal interactions? It's harder "
    "to tell than you might think! Proceedings of EMNLP (2020) 861–877.",
}


_LOSSES = {
    "classification": "the log-loss of probabilities, calibrated within the training samples where "
    "a method has none,",
    "regression": "squared error",
    "survival": "the integrated Brier score, weighted for censoring,",
}


# What is known without any modality, and the machine on one.
_MACHINES = {
    "classification": ("the majority class", "support vector machine"),
    "regression": ("the mean of the target", "kernel ridge regression"),
    "survival": ("the Kaplan-Meier estimate", "kernel Cox regression"),
}


class _Citations:
    """Numbers references in the order in which they are first cited."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def __call__(self, reference: str) -> str:
        if reference not in self.references:
            self.references.append(reference)
        return f"[{self.references.index(reference) + 1}]"


def paragraph(result: Result) -> tuple[str, list[str]]:
    """Return the paragraph, and its references in the order of their numbers.

    Parameters
    ----------
    result : Result

    Returns
    -------
    text : str
        With the numbers of references in brackets.
    references : list of str
    """
    conditions = result.conditions_
    metric = conditions.metrics[0]
    cite = _Citations()
    fusions = [
        f"{method.words} {cite(method.reference)}" if method.reference else method.words
        for method in conditions.methods
        if method.kind == "fusion" and method.label not in result.not_applicable_
    ]
    names = [m.name for m in conditions.modalities]
    plain = dict.fromkeys(m.words for m in conditions.methods if m.kind == "single" and m.plain)
    nothing, machine = _MACHINES[conditions.task]
    grouped = (
        ""
        if conditions.n_groups is None
        else (
            f" None of the {conditions.n_groups} groups had samples on both sides of a split, "
            "inside or outside."
        )
    )
    # Sentence by sentence, so that references have the numbers that readers meet first.
    text = (
        f"We compared {nothing}, a {machine} "
        f"on each of {len(names)} modalities ({_listed(names)}), "
        f"{''.join(f'{words}, ' for words in plain)}and {len(fusions)} ways of fusing "
        f"these: {_listed(fusions)}. All were evaluated on the same {len(conditions.folds)} folds "
        f"by nested cross-validation {cite(_REFERENCES['nested'])} (outer: {conditions.outer}; "
        f"inner: {conditions.inner}; n = {len(conditions.y)}), with their parameters tuned by "
        f"{metric} within the training samples.{grouped} In each fold the best single modality, "
        "the best simple baseline and the best fusion method were chosen by their scores within "
        "the training samples, so that no test sample had a part in the choice. "
    )
    test = f"the corrected resampled t-test {cite(_REFERENCES['corrected_t'])}"
    first = ""
    if result.information_ is not None:
        first = (
            "Whether any single modality says all that the others say was tested first, by kernel "
            f"score tests of variance components {cite(_REFERENCES['maity'])} with random signs "
            f"and permutations, of which the largest p value counts {cite(_REFERENCES['berger'])}. "
        )
    sequence = " in this sequence" if first else ""
    text += first + (
        f"Differences of {_LOSSES[conditions.task]} were tested by {test}, one-sided at alpha = "
        f"{conditions.alpha:g}: of the best fusion method with both the best single modality and "
        f"knowing nothing once{sequence}, as planned beforehand; and of each fusion method with "
        "the same references, and of each that is no simple baseline with the best of these, with "
        f"Holm's correction {cite(_REFERENCES['holm'])} in either family. "
    )
    text += _answers(result, cite)
    text += (
        f"Computations used mkfusion and scikit-learn {cite(_REFERENCES['scikit-learn'])}, with "
        f"random seed {conditions.seed}."
    )
    return text, cite.references


def _answers(result: Result, cite: _Citations) -> str:
    """Say how it was found which modality carries it, and whether they interact."""
    metric, text = result.conditions_.metrics[0], ""
    found = result.contributions_
    if found is not None:
        how = "all subsets" if found.exact else "random orders of the modalities in each fold"
        text += (
            "The contribution of each modality is its Shapley value "
            f"{cite(_REFERENCES['shapley'])} in the held-out {metric} above that of knowing "
            f"nothing {cite(_REFERENCES['covert'])}, from machines fitted to the uniform kernel "
            f"sum of {how} with the parameter that was tuned for all of them. "
        )
    interactions = result.interactions_
    if interactions is not None and not interactions.reason:
        text += (
            "Whether modalities interact was tested once, by a kernel score test of products of "
            f"the modalities' kernels {cite(_REFERENCES['li'])}. "
        )
    if interactions is not None and interactions.projected is not None:
        text += (
            "What interactions are good for is the difference between the held-out "
            f"{metric} of the machine on kernels and products and that of its "
            f"multimodally-additive projection {cite(_REFERENCES['emap'])}. "
        )
    return text


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
