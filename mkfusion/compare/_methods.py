"""The methods that are compared: the registry of all that come with the package, and users' own.

To add one, write a function that builds it and an entry of `METHODS`: help, docstrings, tables, the
paragraph on methods and tests read everything else from there.
"""

# `mkfusion.X` loads X when it is first asked for: help lists the methods, and is not to wait.

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import mkfusion
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.compare._data import FeatureModalities, Setting, fingerprint
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._linear import PENALTIES, linear_candidates, linear_model, linear_words
from mkfusion.compare._machines import RidgeMachine, ScaledTarget
from mkfusion.compare._method import Candidates, Method, Params
from mkfusion.compare._survival import CombinedCox, CoxMachine, KaplanMeier, LateCox
from mkfusion.report import BEST_FUSION, BEST_SIMPLE, BEST_SINGLE, NOTHING

COSTS = (0.1, 1.0, 10.0, 100.0)
# The partial likelihood has a part for every event, however small C makes it.
COX_COSTS = (0.01, 0.1, 1.0, 10.0)
NORMS = (4 / 3, 2.0, 4.0)
FAST_COSTS = (1.0, 10.0)
FAST_COX_COSTS = (0.1, 1.0)
FAST_NORMS = (4 / 3, 2.0)
# Of the products of kernels beside the kernels themselves.
PRODUCT_WEIGHTS = (0.5, 1.0)
FAST_PRODUCT_WEIGHTS = (0.5,)
# Columns of a modality whose products are terms of interaction regression.
MOST_FACTORS = 10
FAST_MOST_FACTORS = 5
SHARED_COMPONENTS = 2

CHOSEN = (BEST_SINGLE, BEST_SIMPLE, BEST_FUSION)
# Compared whatever is asked for
ALWAYS = ("dummy", "single")
# What is said of samples without looking at any modality.
_KNOWN_WITHOUT = {
    "classification": "majority class",
    "regression": "mean",
    "survival": "Kaplan-Meier",
}
# Models without kernels, which a sentence names where they are ahead of all with kernels.
_PLAIN = ("linear", "linear_alone")


class PlannedMethod(NamedTuple):
    """A method on the data of a comparison.

    Attributes
    ----------
    method : Method
    label : str
        In tables.
    candidates : list of dict
        Values of what is tuned.
    reason : str
        Why it is not applicable to these data; empty where it is.
    given : dict
        What else the function that builds it must know.
    words : str
        In the paragraph on methods.
    """

    method: Method
    label: str
    candidates: Candidates
    reason: str = ""
    given: dict[str, Any] = {}
    words: str = ""

    @property
    def kind(self) -> str:
        """One of "baseline", "single" and "fusion"."""
        return self.method.kind

    @property
    def reference(self) -> str:
        """Which the paragraph cites."""
        return self.method.reference

    @property
    def simple(self) -> bool:
        """Whether the best simple baseline may be it."""
        return self.method.simple

    @property
    def plain(self) -> bool:
        """Whether it is a linear model of columns, without any kernel."""
        return self.method.key in _PLAIN

    @property
    def refuses_by(self) -> tuple[type[Exception], ...]:
        """What its estimator raises if data are not for it.

        Ours are given data of the right types: a TypeError of theirs is a fault.
        """
        return (ValueError, TypeError) if self.method.is_given else (ValueError,)

    def build(self, params: Params, data: FoldData) -> Any:
        """Return an estimator, not fitted."""
        return self.method.build(params, data, **self.given)

    @property
    def along_path(self) -> bool:
        """Whether kernel weights are learned for one C from those for another."""
        return self.method.estimator is _mkl

    def groups(self) -> list[list[int]]:
        """Return which candidates differ in C alone, so that they may be fitted together.

        What builds a method of the user's is not known to use C in its last step only. It goes by
        the key, which no method of the user's has from ours: other processes work on copies.
        """
        if self.method.key not in METHODS:
            return [[k] for k in range(len(self.candidates))]
        found: dict[tuple[Any, ...], list[int]] = {}
        for k, params in enumerate(self.candidates):
            rest = tuple((name, value) for name, value in params.items() if name != "C")
            found.setdefault(rest, []).append(k)
        return list(found.values())

    def hash(self, X: Any) -> str:
        """Return a name for what its scores depend on, beside those of the methods of the package.

        Raises
        ------
        ValueError
            If its estimator cannot be pickled.
        """
        own: list[Any] = [self.label, self.method.key, self.candidates]
        if self.method.key not in METHODS:
            try:
                own.append(joblib.hash(self.method.estimator))
            except Exception as error:  # whatever anyone's code raises when it is pickled
                raise ValueError(
                    f"estimator of method {self.method.key!r} cannot be pickled, which memory "
                    f"needs: {error}"
                ) from error
            own += [self.method.sees, fingerprint(X)]
        return joblib.hash(own)


def wanted_methods(methods: Any) -> list[Method]:
    """Return the methods that a user asked for, after those that are always there.

    Parameters
    ----------
    methods : "all", or list of str and Method

    Returns
    -------
    list of Method
        In the order of `METHODS`, then users' own.

    Raises
    ------
    ValueError
        If there is no such method, or there are two of one name.
    """
    asked = [methods] if isinstance(methods, str | Method) else list(methods)
    unknown = [
        one
        for one in asked
        # A name that is no list is a slip, but for "all".
        if one is methods
        and one != "all"
        or not isinstance(one, Method)
        and one not in ("all", *METHODS)
    ]
    if unknown:
        alone = isinstance(methods, str | Method)
        came = f"is {shown(methods)}, no list" if alone else f"has {shown(unknown)}"
        raise ValueError(
            f'methods {came}; expected "all", or a list of some of {list(METHODS)} and of '
            "Method(...)."
        )
    names = {one for one in asked if isinstance(one, str)}
    own = [one for one in asked if isinstance(one, Method) and one not in METHODS.values()]
    ours = [
        method
        for key, method in METHODS.items()
        if key in ALWAYS or names & {"all", key} or method in asked
    ]
    for key, count in Counter(method.key for method in [*METHODS.values(), *own]).items():
        if count > 1 or key == "all":
            raise ValueError(
                f"methods has a Method of key {key!r}, which another one has; expected a key "
                f'unlike all others, unlike "all" and unlike those of the package, {list(METHODS)}.'
            )
    for method in own:
        if method.kind != "fusion" or method.question:
            raise ValueError(
                f"method {method.key!r} is of kind {shown(method.kind)} with question "
                f'{shown(method.question)}; expected kind "fusion" and no question: the others '
                "are of "
                "methods of the package."
            )
    return ours + own


def plan_methods(methods: Sequence[Method], setting: Setting) -> list[PlannedMethod]:
    """Return the methods on these data, those that are not applicable with their reasons.

    Parameters
    ----------
    methods : sequence of Method
    setting : Setting

    Returns
    -------
    list of PlannedMethod

    Raises
    ------
    ValueError
        If two of them have the same label.
    """
    planned = []
    for method in methods:
        reason = method.reason(setting) if method.kind != "single" else ""
        candidates = [] if reason else method.settings(setting)
        words = linear_words(method.words, setting)
        if method.kind == "single":
            for k, one in enumerate(setting.modalities):
                label = method.label.replace("{}", one.name)
                reason = method.reason(setting._replace(modalities=[one]))
                given = {"index": k}
                planned.append(PlannedMethod(method, label, candidates, reason, given, words))
            continue
        label = method.label
        if method.kind == "baseline":
            label += f" ({_KNOWN_WITHOUT[setting.task]})"
        planned.append(PlannedMethod(method, label, candidates, reason, words=words))
    labels = Counter([one.label for one in planned] + [*CHOSEN, NOTHING])
    twice = [label for label, count in labels.items() if count > 1]
    if twice:
        raise ValueError(
            f"methods and modalities have more than one of label {twice[0]!r}; expected another "
            "label for each."
        )
    return planned


# ---------------------------------------------------------------------------- their parts


def costs(setting: Setting) -> Candidates:
    """Return the values of C that all machines are tuned over."""
    values = FAST_COSTS if setting.fast else COSTS
    if setting.task == "survival":
        values = FAST_COX_COSTS if setting.fast else COX_COSTS
    return [{"C": C} for C in values]


def scaled_target(setting: Setting, estimator: Any) -> Any:
    """Let a regressor see a target of variance one, so that C means the same."""
    return ScaledTarget(estimator) if setting.task == "regression" else estimator


def kernel_machine(setting: Setting, C: float, kernel: Any = "precomputed") -> Any:
    """Return a support vector machine, or kernel ridge or Cox regression, not fitted."""
    if setting.task == "survival":
        return CoxMachine(C, kernel)
    return SVC(C=C, kernel=kernel) if setting.classes else RidgeMachine(C, kernel)


def constant_predictor(setting: Setting) -> Any:
    """Return what predicts without looking at any modality, not fitted."""
    if setting.task == "survival":
        return KaplanMeier()
    return DummyClassifier() if setting.classes else DummyRegressor()


def _needs_features(setting: Setting) -> str:
    return "; ".join(f"{m.name!r} is {m.reason}" for m in setting.modalities if m.features is None)


def _needs_dense_features(setting: Setting) -> str:
    return "; ".join(f"{m.name!r} is {m.reason}" for m in setting.modalities if not m.dense)


def _needs_classes(setting: Setting) -> str:
    return "" if setting.classes else "LocalizedMKLClassifier is for classification only"


# ---------------------------------------------------------------------------- how to build each


def _dummy(params: Params, data: FoldData) -> Any:
    return constant_predictor(data.setting)


def _single(params: Params, data: FoldData, index: int) -> Any:
    weights = np.eye(len(data.setting.modalities))[index]
    if data.setting.task == "survival":
        return CombinedCox(params["C"], weights)
    machine = kernel_machine(data.setting, params["C"])
    return scaled_target(data.setting, make_pipeline(mkfusion.KernelCombiner(weights), machine))


def _early(params: Params, data: FoldData) -> Any:
    setting = data.setting
    machine = kernel_machine(setting, params["C"], "rbf")
    fusion: Any = (
        mkfusion.EarlyFusionClassifier if setting.classes else mkfusion.EarlyFusionRegressor
    )
    if setting.lacks and all(m.dense for m in setting.modalities):
        # Features are predicted; what they are made of may be no numbers.
        blocks = [(m.key, "passthrough", m.key) for m in setting.modalities]
        model = make_pipeline(_features(setting), fusion(machine, blocks, missing="impute"))
    else:
        blocks = [(m.key, m.features, m.key) for m in setting.modalities]
        model = fusion(machine, blocks, missing="marginalise" if setting.lacks else "error")
    return scaled_target(setting, model)


def _features(setting: Setting, most: int | None = None) -> FeatureModalities:
    return FeatureModalities([(m.key, m.features) for m in setting.modalities], most)


def _late(params: Params, data: FoldData, combine: str) -> Any:
    setting = data.setting
    C = params["C"]
    if setting.task == "survival":
        machines = dict(zip([m.key for m in setting.modalities], data.machines(), strict=True))
        return LateCox(C, machines)
    built, missing = data.experts(C, stack=combine == "stack")
    experts = [(m.key, one, m.key) for m, one in zip(setting.modalities, built, strict=True)]
    fusion: Any = mkfusion.LateFusionClassifier if setting.classes else mkfusion.LateFusionRegressor
    # The folds also calibrate probabilities: groups and time are respected there as well.
    model = fusion(experts, combine=combine, cv=data.folds(), missing=missing)
    return scaled_target(setting, model)


def _interaction(params: Params, data: FoldData) -> Any:
    setting = data.setting
    fusion: Any = (
        mkfusion.InteractionClassifier if setting.classes else mkfusion.InteractionRegressor
    )
    model = fusion(
        form="bilinear",
        penalty="ridge",
        missing="impute" if setting.lacks else "error",
        cv=data.folds(),
        random_state=setting.seed,
    )
    if setting.n_classes > 2:
        model = OneVsRestClassifier(model)
    most = FAST_MOST_FACTORS if setting.fast else MOST_FACTORS
    return make_pipeline(_features(setting, most), model)


def _cca(params: Params, data: FoldData) -> Any:
    setting = data.setting
    pipeline = make_pipeline(
        _features(setting),
        mkfusion.CCAFusion(
            n_components=params["n_components"], missing="impute" if setting.lacks else "error"
        ),
        StandardScaler(),
        kernel_machine(setting, params["C"], "rbf"),
    )
    return scaled_target(setting, pipeline)


def _cca_candidates(setting: Setting) -> Candidates:
    # A modality of one column has one component to share.
    most = min(SHARED_COMPONENTS, *(m.width for m in setting.modalities))
    counts = (most,) if setting.fast or most < 2 else (1, most)
    return [{"n_components": n, **cost} for n, cost in product(counts, costs(setting))]


def _combined(params: Params, data: FoldData) -> Any:
    setting = data.setting
    if setting.task == "survival":
        n = len(setting.modalities)
        return CombinedCox(params["C"], np.full(n, 1.0 / n))
    target = "classes" if setting.classes else "continuous"
    combiner = mkfusion.KernelCombiner(params.get("weighting", "uniform"), target_type=target)
    return scaled_target(setting, make_pipeline(combiner, kernel_machine(setting, params["C"])))


def _alignment_candidates(setting: Setting) -> Candidates:
    weightings = ("alignf",) if setting.fast else ("alignf", "alignment")
    return [{"weighting": w, **cost} for w, cost in product(weightings, costs(setting))]


def _mkl(params: Params, data: FoldData) -> Any:
    if data.setting.classes:
        return mkfusion.MKLClassifier(**params)
    if data.setting.task == "survival":
        return CombinedCox(**params)
    return scaled_target(data.setting, mkfusion.MKLRegressor(loss="squared_error", **params))


def _l1_candidates(setting: Setting) -> Candidates:
    return [{"p": 1.0, **cost} for cost in costs(setting)]


def _lp_candidates(setting: Setting) -> Candidates:
    norms = FAST_NORMS if setting.fast else NORMS
    return [{"p": p, **cost} for p, cost in product(norms, costs(setting))]


def _products(params: Params, data: FoldData) -> Any:
    setting = data.setting
    machine = kernel_machine(setting, params["C"])
    if setting.n_classes > 2:
        # Pairs of classes that vote, as in SVC, are no affine function of the kernel.
        machine = OneVsRestClassifier(machine)
    combiner = FunctionTransformer(with_products, kw_args={"weight": params["weight"]})
    return scaled_target(setting, make_pipeline(combiner, machine))


def with_products(stack: mkfusion.KernelStack, weight: float) -> Floats:
    """Return the mean of kernels, and of the products of two of them, in one matrix.

    Parameters
    ----------
    stack : KernelStack of shape (n_rows, n_columns, n_kernels)
    weight : float
        Of the products.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    total, squares = np.zeros((2, *stack.shape[:2]))
    n = stack.shape[2]
    for k in range(n):
        gram = stack.gram(k)
        total += gram
        squares += gram * gram
    # All products of two at once: those of each with all, less those with itself.
    return (1 - weight) / n * total + weight / (n * (n - 1)) * (total * total - squares)


def _product_candidates(setting: Setting) -> Candidates:
    weights = FAST_PRODUCT_WEIGHTS if setting.fast else PRODUCT_WEIGHTS
    return [{"weight": w, **cost} for w, cost in product(weights, costs(setting))]


def _localized(params: Params, data: FoldData) -> Any:
    # One start is enough to choose C by.
    n_init = 1 if data.setting.fast or data.inner else 3
    return mkfusion.LocalizedMKLClassifier(random_state=data.setting.seed, n_init=n_init, **params)


# ---------------------------------------------------------------------------- the registry

_KLOFT = (
    "Kloft, Brefeld, Sonnenburg and Zien. lp-norm multiple kernel learning. Journal of Machine "
    "Learning Research 12 (2011) 953–997."
)

_REGISTERED = (
    Method(
        "dummy",
        _dummy,
        label="no modality",
        summary="the majority class, the mean, or the Kaplan-Meier estimate",
        kind="baseline",
        simple=True,
        sees="nothing",
    ),
    Method(
        "single",
        _single,
        candidates=costs,
        label="{} alone",
        summary="every modality by itself",
        kind="single",
        sees="alone",
    ),
    Method(
        "linear_alone",
        linear_model,
        candidates=linear_candidates,
        label="penalised linear ({})",
        summary="lasso, elastic net or ridge of every modality by itself",
        words=f"a penalised linear model ({PENALTIES}) on the features of every modality",
        kind="single",
        simple=True,
        sees="modalities",
        needs=_needs_features,
    ),
    Method(
        "linear",
        linear_model,
        candidates=linear_candidates,
        label="penalised linear (joined)",
        summary="lasso, elastic net or ridge of all columns",
        words=f"a penalised linear model ({PENALTIES}) on the features of all modalities",
        reference="Friedman, Hastie and Tibshirani. Regularization paths for generalized linear "
        "models via coordinate descent. Journal of Statistical Software 33 (2010) 1–22.",
        simple=True,
        sees="modalities",
        needs=_needs_features,
    ),
    Method(
        "early",
        _early,
        candidates=costs,
        label="early fusion",
        summary="one machine on the features of all modalities",
        words="early fusion (a kernel machine with an RBF kernel on the features of all "
        "modalities, each modality scaled to the same total variance)",
        simple=True,
        sees="modalities",
        needs=_needs_features,
        survival=False,
    ),
    Method(
        "late_mean",
        partial(_late, combine="mean"),
        candidates=costs,
        label="late fusion, mean",
        summary="mean of the predictions of one machine for each modality",
        words="late fusion by the mean of the modalities' predictions",
        simple=True,
        sees="rows",
    ),
    Method(
        "late_stack",
        partial(_late, combine="stack"),
        candidates=costs,
        label="late fusion, stacked",
        summary="a model of these predictions, learned on held-out ones",
        words="late fusion by stacking",
        reference="Wolpert. Stacked generalization. Neural Networks 5 (1992) 241–259.",
        sees="completed rows",
        survival=False,
    ),
    Method(
        "interaction",
        _interaction,
        label="interaction regression",
        summary="ridge regression on features and their products between modalities",
        words="ridge regression on main effects and products between modalities",
        sees="modalities",
        needs=_needs_dense_features,
        survival=False,
    ),
    Method(
        "cca",
        _cca,
        candidates=_cca_candidates,
        label="CCA fusion",
        summary="one machine on what modalities share (canonical correlation)",
        words="a kernel machine on shared and private canonical components",
        reference="Carroll. Generalization of canonical correlation analysis to three or more sets "
        "of variables. Proceedings of the 76th Annual Convention of the APA (1968) 227–228.",
        sees="modalities",
        needs=_needs_dense_features,
        survival=False,
    ),
    Method(
        "uniform",
        _combined,
        candidates=costs,
        label="uniform kernel sum",
        summary="sum of the kernels; also tells which modality carries it",
        words="the unweighted sum of the kernels",
        simple=True,
        sees="kernels",
        question="contributions",
    ),
    Method(
        "alignment",
        _combined,
        candidates=_alignment_candidates,
        label="alignment weights",
        summary="kernels weighted by how alike they and the target are",
        words="kernels weighted by centred alignment with the target",
        reference="Cortes, Mohri and Rostamizadeh. Algorithms for learning kernels based on "
        "centered alignment. Journal of Machine Learning Research 13 (2012) 795–828.",
        sees="kernels",
        survival=False,
    ),
    Method(
        "l1_mkl",
        _mkl,
        candidates=_l1_candidates,
        label="L1 MKL",
        summary="multiple kernel learning that leaves kernels out",
        words="multiple kernel learning with an L1 norm",
        reference=_KLOFT,
        sees="kernels",
    ),
    Method(
        "lp_mkl",
        _mkl,
        candidates=_lp_candidates,
        label="Lp MKL",
        summary="multiple kernel learning that weighs all kernels",
        words="multiple kernel learning with a tuned Lp norm",
        reference=_KLOFT,
        sees="kernels",
    ),
    Method(
        "products",
        _products,
        candidates=_product_candidates,
        label="kernel sum and products",
        summary="kernels and products of two; also tells whether modalities interact",
        words="a weighted sum of the kernels and their pairwise products",
        reference="Zadeh, Chen, Poria, Cambria and Morency. Tensor fusion network for multimodal "
        "sentiment analysis. Proceedings of EMNLP (2017) 1103–1114.",
        # A modality that a sample lacks counts as zero, which depends on no other modality.
        sees="alone",
        question="interactions",
        survival=False,
    ),
    Method(
        "localized_mkl",
        _localized,
        candidates=costs,
        label="localized MKL",
        summary="kernel weights that depend on the sample",
        words="localized multiple kernel learning",
        reference="Gönen and Alpaydın. Localized multiple kernel learning. Proceedings of the 25th "
        "International Conference on Machine Learning (2008) 352–359.",
        sees="kernels",
        needs=_needs_classes,
        survival=False,
    ),
)
# By their names in `methods`; those that are no fusion are always there.
METHODS = {method.key: method for method in _REGISTERED}
