"""The demonstration on paper: its tables, and the picture of the weights."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mkfusion.compare._demo import COSTS, INNER_FOLDS, Demo, Outcome

_LEAST_WIDTH = 80  # of the console: the tables fit, and a narrower terminal breaks their lines


def report_console() -> Console:
    """Console on standard output: rich in a terminal, plain text elsewhere.

    Returns
    -------
    rich.console.Console
    """
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    return console


def learned(demo: Demo) -> list[Outcome]:
    """Outcomes of the methods that learn weights over the kernels of all modalities.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.

    Returns
    -------
    list of Outcome
        In the table's order.
    """
    return [outcome for outcome in demo.outcomes if outcome.method.endswith("-MKL")]


def print_report(demo: Demo, console: Console) -> None:
    """Print what was compared, the scores, the weights, and what they say.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.
    console : rich.console.Console
        Where to print.
    """

    def say(*lines: str) -> None:
        for line in lines:
            console.print(line, soft_wrap=True)

    n = len(demo.study.y)
    drawn = "" if n == demo.n_all else f" of {demo.n_all}, drawn in proportion to the classes"
    costs = ", ".join(f"{C:g}" for C in COSTS)
    say(
        f"[bold]{demo.study.title}[/bold]",
        f"{n} samples{drawn}",
        f"{len(demo.study.modalities)} modalities: {', '.join(demo.study.modalities)}",
        f"{demo.cv}-fold stratified cross-validation, seed {demo.seed}; all methods have the same "
        "folds and",
        f"choose C among {costs} by {INNER_FOLDS}-fold cross-validation within the training folds.",
        "A modality alone is the unweighted sum of its kernels.",
        "",
        "[bold]Accuracy on the held-out folds[/bold]",
    )
    console.print(_score_table(demo))
    late = [o for o in demo.outcomes if o.gap is not None and o.tol is not None and o.gap > o.tol]
    if late:
        say(f"! above the tolerance: {', '.join(outcome.method for outcome in late)}")
    say(
        "Largest gap: every fit is proved to be at most this share above its optimum.",
        "Seconds: all folds, the choice of C included.",
        "",
    )
    say(*comparison(demo), "")
    say("[bold]Kernel weights, mean (sd) over the folds[/bold]")
    console.print(_weight_table(demo))
    say("Kernels are cosine-normalised, so their weights compare. Share of the weight:")
    say(*(f"  {outcome.method}: {_shares(demo, outcome)}" for outcome in learned(demo)), "")
    say(
        f"{demo.seconds:.0f} s in all, of which {demo.warm_up_seconds:.1f} s preparing: "
        "Numba compiles once per machine"
    )


def comparison(demo: Demo) -> list[str]:
    """Put fusion beside the best single modality, fold by fold.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.

    Returns
    -------
    list of str
        Lines to print.
    """
    alone = [outcome for outcome in demo.outcomes if outcome.method.endswith(" alone")]
    best = max(alone, key=lambda outcome: outcome.scores.mean())
    if best.scores.min() == 1:
        return [
            f"{best.method[0].upper()}{best.method[1:]} makes no error on any fold, so these data",
            "cannot show whether fusion helps.",
        ]
    lines = [f"Gain over {best.method}, which these scores chose as the best: mean (sd)"]
    for outcome in learned(demo):
        gain = outcome.scores - best.scores
        lines.append(f"  {outcome.method}: {gain.mean():+.3f} ({gain.std(ddof=1):.3f})")
    return lines


def _shares(demo: Demo, outcome: Outcome) -> str:
    """Percentage of the summed weight that each modality's kernels have, over all folds."""
    assert outcome.weights is not None
    mean = outcome.weights.mean(axis=0)
    owners = _owners(demo, outcome)
    shares = {
        modality: mean[[owner == modality for owner in owners]].sum() / mean.sum()
        for modality in demo.study.modalities
    }
    return ", ".join(f"{modality} {share:.0%}" for modality, share in shares.items())


def _owners(demo: Demo, outcome: Outcome) -> list[str]:
    """Name the modality of each kernel."""
    modality = {view.name: view.modality for view in demo.study.views}
    return [modality[name.split(":")[0]] for name in outcome.kernel_names]


def _score_table(demo: Demo) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for header in ("kernels", "chosen C", "mean", "sd", "largest gap", "seconds"):
        table.add_column(header, justify="right", no_wrap=True)
    best = max(outcome.scores.mean() for outcome in demo.outcomes)
    for outcome in demo.outcomes:
        gap = "-" if outcome.gap is None else f"{outcome.gap:.1e}"
        if outcome.gap is not None and outcome.tol is not None and outcome.gap > outcome.tol:
            gap += " !"
        mean = outcome.scores.mean()
        low, high = min(outcome.costs), max(outcome.costs)
        table.add_row(
            outcome.method,
            outcome.kernels,
            f"{low:g}" if low == high else f"{low:g}..{high:g}",
            f"{mean:.3f}",
            f"{outcome.scores.std(ddof=1):.3f}",
            gap,
            f"{outcome.seconds:.2f}",
            style="bold" if mean == best else "",
        )
    return table


def _weight_table(demo: Demo) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("kernel", no_wrap=True)
    outcomes = learned(demo)
    for outcome in outcomes:
        table.add_column(outcome.method, justify="right", no_wrap=True)
    for k, name in enumerate(outcomes[0].kernel_names):
        cells = []
        for outcome in outcomes:
            assert outcome.weights is not None
            weights = outcome.weights[:, k]
            # A kernel that no fold used is a different fact from one with a tiny weight.
            used = f"{weights.mean():.4f} ({weights.std(ddof=1):.4f})"
            cells.append(used if weights.any() else "0")
        table.add_row(name, *cells)
    return table


def draw_weights(demo: Demo, path: Path) -> None:
    """Draw the learned weight of every kernel, one panel per method.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.
    path : pathlib.Path
        The PNG file to write.
    """
    # A bare Figure needs no display, no backend and no global state.
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    outcomes = learned(demo)
    names = outcomes[0].kernel_names
    colour = {modality: f"C{k}" for k, modality in enumerate(demo.study.modalities)}
    colours = [colour[owner] for owner in _owners(demo, outcomes[0])]
    position = np.arange(len(names))

    figure = Figure(figsize=(11, 2.2 + 0.27 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
    for panel, outcome in zip(panels, outcomes, strict=True):
        assert outcome.weights is not None
        panel.barh(
            position,
            outcome.weights.mean(axis=0),
            xerr=outcome.weights.std(axis=0, ddof=1),
            color=colours,
            error_kw={"elinewidth": 1, "ecolor": "0.3"},
        )
        score = f"accuracy {outcome.scores.mean():.3f}, largest gap {outcome.gap:.1e}"
        panel.set_title(f"{outcome.method}: {score}", fontsize=10)
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
    figure.suptitle(
        f"{demo.study.title}\nkernel weights over {demo.cv} folds: bars are means, lines sd"
    )
    figure.savefig(path, dpi=150, format="png")
