"""A paragraph on methods that can go into a paper, with its references."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkfusion.compare._comparison import FusionComparison


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
    "late_stack": "Wolpert. Stacked generalization. Neural Networks 5 (1992) 241–259.",
    "cca": "Carroll. Generalization of canonical correlation analysis to three or more sets of "
    "variables. Proceedings of the 76th Annual Convention of the APA (1968) 227–228.",
    "alignment": "Cortes, Mohri and Rostamizadeh. Algorithms for learning kernels based on "
    "centered alignment. Journal of Machine Learning Research 13 (2012) 795–828.",
    "mkl": "Kloft, Brefeld, Sonnenburg and Zien. lp-norm multiple kernel learning. Journal of "
    "Machine Learning Research 12 (2011) 953–997.",
    "tensor": "Zadeh, Chen, Poria, Cambria and Morency. Tensor fusion network for multimodal "
    "sentiment analysis. Proceedings of EMNLP (2017) 1103–1114.",
    "shapley": "Shapley. A value for n-person games. Contributions to the Theory of Games II "
    "(1953) 307–317.",
    "covert": "Covert, Lundberg and Lee. Understanding global feature contributions with additive "
    "importance measures. Advances in Neural Information Processing Systems 33 (2020) "
    "17212–17223.",
    "emap": "Hessel and Lee. Does my multimodal model learn cross-modal interactions? It's harder "
    "to tell than you might think! Proceedings of EMNLP (2020) 861–877.",
    "localized_mkl": "Gönen and Alpaydın. Localized multiple kernel learning. Proceedings of the "
    "25th International Conference on Machine Learning (2008) 352–359.",
}
_METHODS = {
    "early": "early fusion (a support vector machine with an RBF kernel on the features of all "
    "modalities, each modality scaled to the same total variance)",
    "late_mean": "late fusion by the mean of the modalities' predictions",
    "late_stack": "late fusion by stacking {late_stack}",
    "interaction": "ridge regression on main effects and products between modalities",
    "cca": "a support vector machine on shared and private canonical components {cca}",
    "uniform": "the unweighted sum of the kernels",
    "alignment": "kernels weighted by centred alignment with the target {alignment}",
    "l1_mkl": "multiple kernel learning with an L1 norm {mkl}",
    "lp_mkl": "multiple kernel learning with a tuned Lp norm {mkl}",
    "products": "a weighted sum of the kernels and their pairwise products {tensor}",
    "localized_mkl": "localized multiple kernel learning {localized_mkl}",
}


def paragraph(comparison: FusionComparison) -> tuple[str, list[str]]:
    """Return the paragraph, and its references in the order of their numbers.

    Parameters
    ----------
    comparison : FusionComparison

    Returns
    -------
    text : str
        With the numbers of references in brackets.
    references : list of str
    """
    conditions = comparison.conditions_
    classes = conditions.task == "classification"
    keys = list(
        dict.fromkeys(
            method.key
            for method in conditions.methods
            if method.label not in comparison.not_applicable_ and method.key in _METHODS
        )
    )
    names = [m.name for m in conditions.modalities]
    machine = "support vector machine" if classes else "support vector regression"
    grouped = (
        ""
        if conditions.n_groups is None
        else (
            f" None of the {conditions.n_groups} groups had samples on both sides of a split, "
            "inside or outside."
        )
    )
    test = (
        "the corrected resampled t-test {corrected_t}"
        if conditions.test == "corrected_t"
        else "Wilcoxon's signed-rank test {wilcoxon}"
    )
    baseline = "the majority class" if classes else "the mean of the target"
    template = (
        f"We compared {baseline}, a {machine} on each of {len(names)} modalities "
        f"({_braced(_listed(names))}), and {len(keys)} ways of fusing these: "
        f"{_listed([_METHODS[key] for key in keys])}. All were evaluated on the same "
        f"{len(conditions.folds)} folds by nested cross-validation {{nested}} (outer: "
        f"{_braced(conditions.outer)}; inner: {_braced(conditions.inner)}; "
        f"n = {len(conditions.y)}), with their parameters tuned by "
        f"{_braced(conditions.metrics[0])} within the training samples.{grouped} In each fold the "
        "best single modality, the best simple baseline and the best fusion method were chosen by "
        "their scores within the training samples, so that no test sample had a part in the "
        "choice. Differences of "
        f"{_braced(conditions.metrics[0])} were tested by {test} at alpha = {conditions.alpha:g}: "
        "of the best fusion method and the best single modality once, as planned beforehand; and "
        "of each fusion method and the best single modality, and of each that is no simple "
        "baseline and the best of these, with Holm's correction {holm} in either family. "
        f"{_answers(comparison, test)}"
        "Computations used mkfusion and scikit-learn {scikit-learn}, with random seed "
        f"{conditions.seed}."
    )
    return _numbered(template)


def _answers(comparison: FusionComparison, test: str) -> str:
    """Say how it was found which modality carries it, and whether they interact."""
    said = ""
    found = comparison.contributions_
    if found is not None:
        how = "all subsets" if found.exact else "random orders of the modalities in each fold"
        said += (
            "The contribution of each modality is its Shapley value {shapley} in the held-out "
            f"{_braced(comparison.conditions_.metrics[0])} above that of knowing nothing "
            f"{{covert}}, from machines fitted to the uniform kernel sum of {how} with the "
            "parameter that was tuned for all of them. "
        )
    if comparison.interactions_ is not None:
        said += (
            "Whether modalities interact was tested once, by the difference between the held-out "
            f"{_braced(comparison.conditions_.metrics[0])} of the machine on kernels and products "
            f"and that of its multimodally-additive projection {{emap}}, with {test}. "
        )
    return said


def _braced(text: str) -> str:
    """Protect braces of users' words from being taken for references."""
    return text.replace("{", "{{").replace("}", "}}")


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _numbered(template: str) -> tuple[str, list[str]]:
    cited: dict[str, int] = {}

    class Numbers(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return f"[{cited.setdefault(key, len(cited) + 1)}]"

    text = template.format_map(Numbers())
    return text, [_REFERENCES[key] for key in cited]
