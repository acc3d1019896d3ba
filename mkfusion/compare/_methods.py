"""The methods that are compared: how to build each, and what is tuned."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, SVR

from mkfusion import (
    CCAFusion,
    ColumnKernelizer,
    EarlyFusionClassifier,
    EarlyFusionRegressor,
    InteractionClassifier,
    InteractionRegressor,
    KernelCombiner,
    KernelStack,
    LateFusionClassifier,
    LateFusionRegressor,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLRegressor,
)
from mkfusion.compare._contributions import share_out
from mkfusion.compare._features import Described, FeatureModalities, Lookup
from mkfusion.compare._interactions import part_with
from mkfusion.compare._within import Within

# All by their names in `methods`; dummy and single modalities are always there.
METHODS = (
    "dummy",
    "single",
    "early",
    "late_mean",
    "late_stack",
    "interaction",
    "cca",
    "uniform",
    "alignment",
    "l1_mkl",
    "lp_mkl",
    "products",
    "localized_mkl",
)
# Ways of fusing that learn nothing about how much a modality counts, and no fusion at all.
SIMPLE = ("dummy", "early", "late_mean", "uniform")

COSTS = (0.1, 1.0, 10.0, 100.0)
NORMS = (4 / 3, 2.0, 4.0)
FAST_COSTS = (1.0, 10.0)
FAST_NORMS = (4 / 3, 2.0)
# Of the products of kernels beside the kernels themselves.
PRODUCT_WEIGHTS = (0.5, 1.0)
FAST_PRODUCT_WEIGHTS = (0.5,)
# Columns of a modality whose products are terms of interaction regression.
MOST_FACTORS = 10
FAST_MOST_FACTORS = 5
SHARED_COMPONENTS = 2


Build = Callable[[dict[str, Any], Within], Any]
Inquire = Callable[[Any, dict[str, Any], Within], dict[str, Any]]


class Setting(NamedTuple):
    """What the methods must know.

    Attributes
    ----------
    modalities : list of Described
    classes : bool
        Whether the task is classification.
    n_classes : int
    fast : bool
    seed : int
    """

    modalities: list[Described]
    classes: bool
    n_classes: int
    fast: bool
    seed: int

    @property
    def missing(self) -> str:
        """How the kernelizer treats samples that lack a modality."""
        lacking = any(modality.n_missing for modality in self.modalities)
        return "marginalise" if lacking else "error"

    def kernelizer(self) -> ColumnKernelizer:
        """Return one kernel of each modality, not fitted."""
        return ColumnKernelizer(
            [(m.key, clone(m.kernel), m.key) for m in self.modalities], missing=self.missing
        )


class Method(NamedTuple):
    """A method, not fitted.

    Attributes
    ----------
    key : str
        Of `METHODS`.
    label : str
        In tables.
    kind : {"baseline", "single", "fusion"}
    sees : {"nothing", "alone", "kernels", "rows", "samples"}
        What its estimator is given: kernels of each modality by itself or of all of them, the
        positions of samples in kernels, or raw samples.
    build : callable
        From values of what is tuned, and what else there is of its training samples, to an
        estimator.
    candidates : list of dict
        Values of what is tuned.
    reason : str
        Why it is not applicable to these data; empty where it is.
    inquire : callable or None
        What else it tells, beside its scores, about an outer fold: from the fitted model, the
        values that were chosen, and the samples.
    """

    key: str
    label: str
    kind: str
    sees: str
    build: Build | None
    candidates: list[dict[str, Any]]
    reason: str = ""
    inquire: Inquire | None = None

    @property
    def simple(self) -> bool:
        """Whether it is one of the simple baselines."""
        return self.key in SIMPLE


def make_methods(wanted: tuple[str, ...], setting: Setting) -> list[Method]:
    """Return the methods, those that are not applicable with their reasons.

    Parameters
    ----------
    wanted : tuple of str
        Of `METHODS`.
    setting : Setting

    Returns
    -------
    list of Method
        In the order of `METHODS`.
    """
    made = {"dummy": [_dummy(setting)], "single": _singles(setting)}
    makers = {
        "early": _early,
        "late_mean": _late,
        "late_stack": _late,
        "interaction": _interaction,
        "cca": _cca,
        "uniform": _combined,
        "alignment": _combined,
        "l1_mkl": _mkl,
        "lp_mkl": _mkl,
        "products": _products,
        "localized_mkl": _localized,
    }
    for key, maker in makers.items():
        if key in wanted:
            method = maker(key, setting)
            if len(setting.modalities) < 2:
                method = method._replace(reason="there is one modality only")
            made[key] = [method]
    return [method for key in METHODS for method in made.get(key, [])]


def _costs(setting: Setting) -> list[dict[str, Any]]:
    return [{"C": C} for C in (FAST_COSTS if setting.fast else COSTS)]


def _scaled_target(setting: Setting, estimator: Any) -> Any:
    """Let a regressor see a target of variance one, so that C and epsilon mean the same."""
    if setting.classes:
        return estimator
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())


def _machine(setting: Setting, C: float, kernel: Any = "precomputed") -> Any:
    return SVC(C=C, kernel=kernel) if setting.classes else SVR(C=C, kernel=kernel)


def _know_nothing(setting: Setting) -> Any:
    return DummyClassifier() if setting.classes else DummyRegressor()


def _dummy(setting: Setting) -> Method:
    def build(params: dict[str, Any], within: Within) -> Any:
        return _know_nothing(setting)

    label = "majority class" if setting.classes else "mean"
    return Method("dummy", f"no modality ({label})", "baseline", "nothing", build, [{}])


def _singles(setting: Setting) -> list[Method]:
    methods = []
    for k, modality in enumerate(setting.modalities):
        weights = np.eye(len(setting.modalities))[k]

        def build(params: dict[str, Any], within: Within, weights: Any = weights) -> Any:
            machine = make_pipeline(KernelCombiner(weights), _machine(setting, params["C"]))
            return _scaled_target(setting, machine)

        methods.append(
            Method("single", f"{modality.name} alone", "single", "alone", build, _costs(setting))
        )
    return methods


def _combined(key: str, setting: Setting) -> Method:
    target = "classes" if setting.classes else "continuous"

    def build(params: dict[str, Any], within: Within) -> Any:
        combiner = KernelCombiner(params.get("weighting", "uniform"), target_type=target)
        return _scaled_target(setting, make_pipeline(combiner, _machine(setting, params["C"])))

    def inquire(model: Any, params: dict[str, Any], within: Within) -> dict[str, Any]:
        machine = _scaled_target(setting, _machine(setting, params["C"]))
        return share_out(machine, _know_nothing(setting), within, setting.seed)

    if key == "uniform":
        label, costs = "uniform kernel sum", _costs(setting)
        return Method(key, label, "fusion", "kernels", build, costs, inquire=inquire)
    weightings = ("alignf",) if setting.fast else ("alignf", "alignment")
    candidates = [{"weighting": w, **c} for w in weightings for c in _costs(setting)]
    return Method(key, "alignment weights", "fusion", "kernels", build, candidates)


def with_products(stack: KernelStack, weight: float) -> NDArray[np.float64]:
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


def _products(key: str, setting: Setting) -> Method:
    def build(params: dict[str, Any], within: Within) -> Any:
        machine = _machine(setting, params["C"])
        if setting.n_classes > 2:
            # Pairs of classes that vote, as in SVC, are no affine function of the kernel.
            machine = OneVsRestClassifier(machine)
        combiner = FunctionTransformer(with_products, kw_args={"weight": params["weight"]})
        return _scaled_target(setting, make_pipeline(combiner, machine))

    def inquire(model: Any, params: dict[str, Any], within: Within) -> dict[str, Any]:
        return part_with(model, within)

    weights = FAST_PRODUCT_WEIGHTS if setting.fast else PRODUCT_WEIGHTS
    candidates = [{"weight": w, **cost} for w, cost in product(weights, _costs(setting))]
    # A modality that a sample lacks counts as zero, which depends on no other modality.
    label = "kernel sum and products"
    return Method(key, label, "fusion", "alone", build, candidates, inquire=inquire)


def _mkl(key: str, setting: Setting) -> Method:
    norms = (1.0,) if key == "l1_mkl" else (FAST_NORMS if setting.fast else NORMS)

    def build(params: dict[str, Any], within: Within) -> Any:
        if setting.classes:
            return MKLClassifier(**params)
        return _scaled_target(setting, MKLRegressor(**params))

    candidates = [{"p": p, **cost} for p, cost in product(norms, _costs(setting))]
    label = "L1 MKL" if key == "l1_mkl" else "Lp MKL"
    return Method(key, label, "fusion", "kernels", build, candidates)


def _localized(key: str, setting: Setting) -> Method:
    def build(params: dict[str, Any], within: Within) -> Any:
        n_init = 1 if setting.fast else 3
        return LocalizedMKLClassifier(random_state=setting.seed, n_init=n_init, **params)

    reason = "" if setting.classes else "LocalizedMKLClassifier is for classification only"
    label = "localized MKL"
    return Method(key, label, "fusion", "kernels", build, _costs(setting), reason)


def _lacking(setting: Setting) -> str:
    """Say why a method that needs every modality of every sample cannot have it."""
    lacking = [f"{m.n_missing} samples lack {m.name!r}" for m in setting.modalities if m.n_missing]
    return "; ".join(lacking)


def _early(key: str, setting: Setting) -> Method:
    blocks = [(m.key, m.features, m.key) for m in setting.modalities]

    def build(params: dict[str, Any], within: Within) -> Any:
        fusion = EarlyFusionClassifier if setting.classes else EarlyFusionRegressor
        return _scaled_target(setting, fusion(_machine(setting, params["C"], "rbf"), blocks))

    without = [f"{m.name!r} is {m.reason}" for m in setting.modalities if m.features is None]
    reason = _lacking(setting) or "; ".join(without)
    return Method(key, "early fusion", "fusion", "samples", build, _costs(setting), reason)


def _late(key: str, setting: Setting) -> Method:
    def build(params: dict[str, Any], within: Within) -> Any:
        experts = [
            (m.key, _machine(setting, params["C"], Lookup(gram)), m.key)
            for m, gram in zip(setting.modalities, within.grams(), strict=True)
        ]
        fusion = LateFusionClassifier if setting.classes else LateFusionRegressor
        # The folds also calibrate probabilities: groups and time are respected there as well.
        combine = "mean" if key == "late_mean" else "stack"
        return _scaled_target(setting, fusion(experts, combine=combine, cv=within.folds()))

    label = "late fusion, mean" if key == "late_mean" else "late fusion, stacked"
    return Method(key, label, "fusion", "rows", build, _costs(setting))


def _needs_features(setting: Setting) -> str:
    reasons = [f"{m.name!r} is {m.reason}" for m in setting.modalities if not m.dense]
    return _lacking(setting) or "; ".join(reasons)


def _interaction(key: str, setting: Setting) -> Method:
    features = [(m.key, m.features) for m in setting.modalities]
    most = FAST_MOST_FACTORS if setting.fast else MOST_FACTORS

    def build(params: dict[str, Any], within: Within) -> Any:
        interaction = InteractionClassifier if setting.classes else InteractionRegressor
        model = interaction(
            form="bilinear", penalty="ridge", cv=within.folds(), random_state=setting.seed
        )
        if setting.n_classes > 2:
            model = OneVsRestClassifier(model)
        return make_pipeline(FeatureModalities(features, most), model)

    reason = _needs_features(setting)
    return Method(key, "interaction regression", "fusion", "samples", build, [{}], reason)


def _cca(key: str, setting: Setting) -> Method:
    features = [(m.key, m.features) for m in setting.modalities]

    def build(params: dict[str, Any], within: Within) -> Any:
        pipeline = make_pipeline(
            FeatureModalities(features),
            CCAFusion(n_components=params["n_components"]),
            StandardScaler(),
            _machine(setting, params["C"], "rbf"),
        )
        return _scaled_target(setting, pipeline)

    # A modality of one column has one component to share.
    most = min(SHARED_COMPONENTS, *(m.width for m in setting.modalities))
    counts = (most,) if setting.fast or most < 2 else (1, most)
    candidates = [{"n_components": n, **cost} for n, cost in product(counts, _costs(setting))]
    reason = _needs_features(setting)
    return Method(key, "CCA fusion", "fusion", "samples", build, candidates, reason)
