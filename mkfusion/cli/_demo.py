"""``mkfusion demo``: `compare_fusion` on data that come with the package, and kernel weights."""

from __future__ import annotations

import argparse
import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import mkfusion.compare
from mkfusion import (
    ColumnKernelizer,
    LinearKernel,
    Method,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.cli._console import Report, print_comparison
from mkfusion.cli._errors import UsageError, output
from mkfusion.datasets import load_basic_motions, load_mfeat
from mkfusion.report import BEST_FUSION, BEST_SINGLE, verdict_sentences

# What follows was fixed before any score was seen; nothing in it is tuned to the data.
COSTS = (1.0, 10.0, 100.0)
INNER_FOLDS = 3
# Standardised columns lie at a mean squared distance of two per column, so these multiples of
# 1 / n_columns run from nearly linear (exp(-1/4) between strangers) to local (exp(-4)).
WIDTHS = (0.125, 0.5, 2.0)
# 400 of the 2,000 numerals keep the demonstration of mfeat within a minute on two cores.
DEFAULT_SAMPLES = {"basic_motions": None, "mfeat": 400}

# What fusion has nothing to add to, beside what it has: descriptions that are weak alone.
CONTRAST, CONTRAST_SAMPLES, CONTRAST_FOLDS = ("fou", "mor"), 300, 5

Columns = Callable[[np.ndarray], np.ndarray]


class StudyModality(NamedTuple):
    """One description of one modality: a function from its samples to columns."""

    name: str
    modality: str
    columns: Columns


class Study(NamedTuple):
    """Samples, labels, and the views of them that get kernels."""

    title: str
    X: Modalities
    y: np.ndarray
    views: tuple[StudyModality, ...]


class LearnedWeights(NamedTuple):
    """What a method has learned on the training samples of every fold."""

    method: str
    kernel_names: list[str]
    weights: np.ndarray  # (n_folds, n_kernels)
    gap: float  # the worst of the folds
    tol: float


def demo(options: argparse.Namespace) -> None:
    """Compare on data that come with the package, print the report and draw the weights.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    UsageError
        If matplotlib is missing, or the samples are too few or too many.
    """
    if not options.no_plot and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("drawing needs matplotlib: install mkfusion[plot], or pass --no-plot")
    study, n_all = _study_for(options.data, options.samples, options.seed, options.cv)
    methods = demo_methods(study)
    found = compare(study, methods, cv=options.cv, seed=options.seed)
    learned = [learned_weights(found, study, method) for method in methods]
    report = Report()
    print_demo(found, study, n_all, learned, report)
    if options.data == "basic_motions":
        print_contrast(found, contrast(options.seed), report)
    if not options.no_plot:
        draw_weights(found, study, learned, options.output)
        report.path("Weights drawn in", options.output)


# ---------------------------------------------------------------------------- data


def _statistics(series: np.ndarray) -> np.ndarray:
    """Mean, spread and range of every axis: (n, axes, times) to (n, 4 * axes)."""
    return np.hstack([series.mean(2), series.std(2), series.min(2), series.max(2)])


def _log_spectrum(series: np.ndarray) -> np.ndarray:
    """Log power at every frequency of every axis: (n, axes, times) to (n, axes * frequencies)."""
    centred = series - series.mean(axis=2, keepdims=True)
    # The constant term is zero now; log1p keeps a sensor at rest finite.
    power = np.abs(np.fft.rfft(centred, axis=2)[:, :, 1:]) ** 2 / series.shape[2]
    return np.log1p(power).reshape(len(series), -1)


def _as_is(table: np.ndarray) -> np.ndarray:
    return table


def load_study(name: str, samples: int | None, seed: int) -> tuple[Study, int]:
    """Load a study, cut to `samples` with the classes in proportion; also give the full size."""
    if name == "mfeat":
        X, y = load_mfeat(return_X_y=True)
        title = "Multiple Features (10 handwritten digits)"
        views = [StudyModality(modality, modality, _as_is) for modality in X.names]
    else:
        X, y = load_basic_motions(return_X_y=True)
        title = "BasicMotions (smart watch, 4 activities)"
        views = [
            StudyModality(f"{modality}_{kind}", modality, columns)
            for modality in X.names
            for kind, columns in (("statistics", _statistics), ("spectrum", _log_spectrum))
        ]
    n_all = len(y)
    wanted = samples or DEFAULT_SAMPLES[name] or n_all
    if wanted < n_all:
        rows, _ = train_test_split(
            np.arange(n_all), train_size=wanted, stratify=y, random_state=seed
        )
        rows.sort()
        X, y = X[rows], y[rows]
    return Study(title, X, y, tuple(views)), n_all


def _study_for(data: str, samples: int | None, seed: int, cv: int) -> tuple[Study, int]:
    """Load the study, or say which option asks for more samples than there are."""
    full, n_all = load_study(data, None, seed)
    n_classes = len(np.unique(full.y))
    # The largest fold takes ceil(size / cv) of a class; the inner folds need one each of the rest.
    least = next(size for size in count(cv) if size - math.ceil(size / cv) >= INNER_FOLDS)
    if samples is not None and not n_classes * least <= samples <= n_all:
        raise UsageError(
            f"argument --samples: {data} with --cv {cv} takes {n_classes * least} to {n_all} "
            f"samples, got {samples}"
        )
    study, n_all = load_study(data, samples, seed)
    smallest = int(np.unique(study.y, return_counts=True)[1].min())
    if cv > smallest:
        raise UsageError(
            f"argument --cv: at most {smallest} folds, the size of the smallest class of these "
            f"{len(study.y)} samples of {data}, got {cv}"
        )
    return study, n_all


# ---------------------------------------------------------------------------- the comparison


def kernel_entries(study: Study) -> list[tuple[str, list[Any], str]]:
    """Entries for ColumnKernelizer: each view with three RBF widths and a linear kernel."""
    entries = []
    for view in study.views:
        n_columns = view.columns(study.X[view.modality][:1]).shape[1]
        kernels = [RBFKernel(gamma=float(f"{width / n_columns:.2g}")) for width in WIDTHS]
        columns = FunctionTransformer(view.columns)
        pipelines: list[Any] = [
            make_pipeline(columns, StandardScaler(), kernel)
            for kernel in [*kernels, LinearKernel()]
        ]
        entries.append((view.name, pipelines, view.modality))
    return entries


def demo_methods(study: Study) -> list[Method]:
    """Return multiple kernel learning on several kernels of each view, in two norms."""
    entries = kernel_entries(study)
    return [
        Method(
            f"L{p}-MKL",
            make_pipeline(ColumnKernelizer(entries), MKLClassifier(p=p)),
            candidates={"mklclassifier__C": COSTS},
        )
        for p in (1, 2)
    ]


def compare(study: Study, methods: Sequence[Method], *, cv: int, seed: int) -> Any:
    """Compare these methods, and simple ones, on the same folds."""
    simple: list[str | Method] = ["early", "uniform"]
    return mkfusion.compare.compare_fusion(
        study.X,
        study.y,
        methods=[*simple, *methods],
        scoring="accuracy",
        cv=cv,
        inner_cv=INNER_FOLDS,
        fast=True,
        random_state=seed,
        verbose=True,
    )


def contrast(seed: int) -> Any:
    """Compare where two modalities have what neither has alone: a few seconds."""
    X, y = load_mfeat(return_X_y=True)
    rows, _ = train_test_split(
        np.arange(len(y)), train_size=CONTRAST_SAMPLES, stratify=y, random_state=seed
    )
    rows.sort()
    return mkfusion.compare.compare_fusion(
        Modalities({name: X[name][rows] for name in CONTRAST}),
        y[rows],
        methods=["early", "uniform"],
        scoring="accuracy",
        cv=CONTRAST_FOLDS,
        inner_cv=INNER_FOLDS,
        fast=True,
        random_state=seed,
        verbose=False,
    )


def learned_weights(found: Any, study: Study, method: Method) -> LearnedWeights:
    """Learn again, on the training samples of each fold, what was scored on its test samples."""
    machines = []
    folds = found.conditions_.folds
    for score in (one for one in found.results_ if one.method == method.label):
        train = folds[score.fold - 1][0]
        with warnings.catch_warnings():
            # The gap that was reached is printed, and marked where it is above the tolerance.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = clone(method.estimator).set_params(**score.params)
            machines.append(model.fit(study.X[train], study.y[train])[-1])
    return LearnedWeights(
        method.label,
        list(machines[0].kernel_names_),
        np.array([machine.weights_ for machine in machines]),
        max(machine.duality_gap_ for machine in machines),
        machines[0].tol,
    )


# ---------------------------------------------------------------------------- on paper


def print_demo(
    found: Any, study: Study, n_all: int, learned: Sequence[LearnedWeights], report: Report
) -> None:
    """Print what was compared, what was found, and the weights."""
    n, names = len(study.y), learned[0].kernel_names
    report.say(study.title, "bold")
    if n < n_all:
        report.say(f"{n} samples of {n_all}, drawn in proportion to the classes.")
    report.say(
        f"{' and '.join(one.method for one in learned)} weigh {len(names)} kernels, "
        f"{len(WIDTHS) + 1} of each description; the others have one kernel of each modality."
    )
    report.say()
    # Within 80 columns: the verdicts go by it.
    print_comparison(found, report, left_out=("p, Holm",))
    report.say("Kernel weights, mean (sd) over the folds", "bold")
    rows = [
        [name, *(_weight(one.weights[:, k]) for one in learned)] for k, name in enumerate(names)
    ]
    report.table(["kernel", *(one.method for one in learned)], rows)
    report.say()
    report.say(
        "A weight says how large a part of the function lies in its kernel, on the training "
        "samples. It is not importance: what a modality is worth, the scores above tell."
    )
    for one in learned:
        mark = "! above the tolerance: " if one.gap > one.tol else ""
        report.say(f"{mark}{one.method}: {_shares(study, one)}; largest duality gap {one.gap:.1e}")
    report.say()


def print_contrast(found: Any, other: Any, report: Report) -> None:
    """Say where fusion helps and where it does not, with the verdicts."""
    report.say("Where fusion helps, and where it does not", "bold")
    report.say(
        f"Beside the smart watch, {CONTRAST_SAMPLES} handwritten numerals by two descriptions that "
        "are weak alone, the Fourier coefficients of their outline and six morphological features; "
        "chosen to show what it looks like where fusion has something to add."
    )
    cases = {"smart watch": found, "numerals": other}
    rows = [
        [
            name,
            *(f"{one.scores(kind).mean():.3f}" for kind in (BEST_SINGLE, BEST_FUSION)),
            f"{one.losses(BEST_SINGLE).mean() - one.losses(BEST_FUSION).mean():+.3f}",
            one.verdict_.verdict,
        ]
        for name, one in cases.items()
    ]
    report.table(["accuracy", "best single", "best fusion", "log-loss saved", "verdict"], rows)
    report.say()
    for name, one in cases.items():
        head, *rest = verdict_sentences(one)
        perfect = [sentence for sentence in rest if "makes no error" in sentence]
        report.say(" ".join([f"{name.capitalize()}: {head}", *perfect]))
    report.say()


def _weight(weights: np.ndarray) -> str:
    # A kernel that no fold used is a different fact from one with a tiny weight.
    return f"{weights.mean():.4f} ({weights.std(ddof=1):.4f})" if weights.any() else "0"


def _shares(study: Study, learned: LearnedWeights) -> str:
    """Percentage of the summed weight that each modality's kernels have, over all folds."""
    mean = learned.weights.mean(axis=0)
    owners = _owners(study, learned.kernel_names)
    shares = {
        modality: mean[[owner == modality for owner in owners]].sum() / mean.sum()
        for modality in study.X.names
    }
    return ", ".join(f"{modality} {share:.0%}" for modality, share in shares.items())


def _owners(study: Study, kernel_names: Sequence[str]) -> list[str]:
    """Name the modality of each kernel."""
    modality = {view.name: view.modality for view in study.views}
    return [modality[name.split(":")[0]] for name in kernel_names]


def draw_weights(found: Any, study: Study, learned: Sequence[LearnedWeights], path: Path) -> None:
    """Draw the learned weight of every kernel, one panel per method."""
    # A bare Figure needs no display, no backend and no global state.
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    names = learned[0].kernel_names
    colour = {modality: f"C{k}" for k, modality in enumerate(study.X.names)}
    colours = [colour[owner] for owner in _owners(study, names)]
    position = np.arange(len(names))

    figure = Figure(figsize=(11, 2.2 + 0.27 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(learned), sharey=True, squeeze=False)[0]
    for panel, one in zip(panels, learned, strict=True):
        panel.barh(
            position,
            one.weights.mean(axis=0),
            xerr=one.weights.std(axis=0, ddof=1),
            color=colours,
            error_kw={"elinewidth": 1, "ecolor": "0.3"},
        )
        accuracy = found.scores(one.method).mean()
        score = f"accuracy {accuracy:.3f}, largest gap {one.gap:.1e}"
        panel.set_title(f"{one.method}: {score}", fontsize=10)
        panel.set_xlabel("kernel weight")
        panel.set_xlim(left=0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="x", alpha=0.3)
        panel.set_axisbelow(True)
    panels[0].set_yticks(position, names, fontsize=9)
    panels[0].set_ylim(len(names) - 0.4, -0.6)  # the first kernel on top
    figure.legend(
        handles=[Patch(color=colour[modality], label=modality) for modality in colour],
        loc="outside lower center",
        ncols=len(colour),
        frameon=False,
    )
    n_folds = len(found.conditions_.folds)
    figure.suptitle(f"{study.title}\nkernel weights over {n_folds} folds: bars are means, lines sd")
    with output(path) as file:
        figure.savefig(file, dpi=150, format="png")
