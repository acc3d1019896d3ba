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
    "wilcoxon": "Wilcoxon. Individual comparisons by ranking methods. Biometrics Bulletin 1 (1945) "
    "80–83.",
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
    classes = conditions.task == "classification"
    cite = _Citations()
    fusions = [
        f"{method.words} {cite(method.reference)}" if method.reference else method.words
        for method in conditions.methods
        if method.kind == "fusion" and method.label not in result.not_applicable_
    ]
    names = [m.name for m in conditions.modalities]
    plain = dict.fromkeys(m.words for m in conditions.methods if m.kind == "single" and m.plain)
    machine = "support vector machine" if classes else "support vector regression"
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
        f"We compared {'the majority class' if classes else 'the mean of the target'}, a {machine} "
        f"on each of {len(names)} modalities ({_listed(names)}), "
        f"{''.join(f'{words}, ' for words in plain)}and {len(fusions)} ways of fusing "
        f"these: {_listed(fusions)}. All were evaluated on the same {len(conditions.folds)} folds "
        f"by nested cross-validation {cite(_REFERENCES['nested'])} (outer: {conditions.outer}; "
        f"inner: {conditions.inner}; n = {len(conditions.y)}), with their parameters tuned by "
        f"{metric} within the training samples.{grouped} In each fold the best single modality, "
        "the best simple baseline and the best fusion method were chosen by their scores within "
        "the training samples, so that no test sample had a part in the choice. "
    )
    name = (
        "the corrected resampled t-test"
        if conditions.test == "corrected_t"
        else "Wilcoxon's signed-rank test"
    )
    test = f"{name} {cite(_REFERENCES[conditions.test])}"
    text += (
        f"Differences of {metric} were tested by {test} at alpha = {conditions.alpha:g}: "
        "of the best fusion method and the best single modality once, as planned beforehand; and "
        "of each fusion method and the best single modality, and of each that is no simple "
        "baseline and the best of these, with Holm's correction "
        f"{cite(_REFERENCES['holm'])} in either family. "
    )
    text += _answers(result, test, cite)
    text += (
        f"Computations used mkfusion and scikit-learn {cite(_REFERENCES['scikit-learn'])}, with "
        f"random seed {conditions.seed}."
    )
    return text, cite.references


def _answers(result: Result, test: str, cite: _Citations) -> str:
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
    if result.interactions_ is not None:
        text += (
            f"Whether modalities interact was tested once, by the difference between the held-out "
            f"{metric} of the machine on kernels and products and that of its "
            f"multimodally-additive projection {cite(_REFERENCES['emap'])}, with {test}. "
        )
    return text


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
