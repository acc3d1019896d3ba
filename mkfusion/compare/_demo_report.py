"""The demonstration on paper: its tables, and the picture of the weights."""

from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from mkfusion.compare._demo import Demo, Outcome

# Wide enough that no line breaks where nobody sees a terminal (a pipe, a file).
_WIDTH_WHEN_PIPED = 120


def report_console() -> Console:
    """Console on standard output: rich in a terminal, plain text elsewhere.

    Returns
    -------
    rich.console.Console
    """
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_WHEN_PIPED)


def learned(demo: Demo) -> list[Outcome]:
    """Outcomes of the methods that learn weights over the kernels of all modalities.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.

    Returns
    -------
    list of Outcome
        Those with more than one distinct weight, in the table's order.
    """
    return [outcome for outcome in demo.outcomes if outcome.method.endswith("-MKL")]


def print_report(demo: Demo, console: Console) -> None:
    """Print what was compared, the scores, and the weights.

    Parameters
    ----------
    demo : Demo
        A finished demonstration.
    console : rich.console.Console
        Where to print.
    """
    n = len(demo.study.y)
    console.print(f"[bold]{demo.study.title}[/bold]")
    drawn = "" if n == demo.n_all else f" of {demo.n_all}, drawn in proportion to the classes"
    modalities = ", ".join(demo.study.modalities)
    console.print(f"{n} samples{drawn}; modalities: {modalities}", soft_wrap=True)
    console.print(
        f"{demo.cv}-fold stratified cross-validation, seed {demo.seed}, the same folds for every "
        f"method; C = {demo.C:g} for all, set beforehand",
        soft_wrap=True,
    )
    console.print()
    console.print(_score_table(demo, console))
    late = [o for o in demo.outcomes if o.gap is not None and o.tol is not None and o.gap > o.tol]
    if late:
        names = ", ".join(outcome.method for outcome in late)
        console.print(f"! above the tolerance: {names}", soft_wrap=True)
    console.print()
    console.print(_weight_table(demo, console))
    console.print()
    console.print(
        f"Preparation (compiling, once per machine), not counted above: "
        f"{demo.warm_up_seconds:.1f} s",
        soft_wrap=True,
    )


def _table(title: str, console: Console) -> Table:
    style = box.SIMPLE_HEAD if console.is_terminal else None
    return Table(title=title, title_justify="left", box=style, pad_edge=False)


def _score_table(demo: Demo, console: Console) -> Table:
    table = _table("Accuracy on the held-out folds", console)
    table.add_column("method", no_wrap=True)
    for header in ("kernels", "mean", "sd", "certified gap", "seconds"):
        table.add_column(header, justify="right", no_wrap=True)
    best = max(outcome.scores.mean() for outcome in demo.outcomes)
    for outcome in demo.outcomes:
        gap = "-" if outcome.gap is None else f"{outcome.gap:.1e}"
        if outcome.gap is not None and outcome.tol is not None and outcome.gap > outcome.tol:
            gap += " !"
        mean = outcome.scores.mean()
        table.add_row(
            outcome.method,
            str(outcome.n_kernels),
            f"{mean:.4f}",
            f"{outcome.scores.std(ddof=1):.4f}",
            gap,
            f"{outcome.seconds:.2f}",
            style="bold" if mean == best else "",
        )
    return table


def _weight_table(demo: Demo, console: Console) -> Table:
    table = _table("Kernel weights, mean (sd) over the folds", console)
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

    outcomes = learned(demo)
    names = outcomes[0].kernel_names
    owner = {view.name: view.modality for view in demo.study.views}
    modalities = demo.study.modalities
    colours = [f"C{modalities.index(owner[name.split(':')[0]])}" for name in names]
    position = np.arange(len(names))

    figure = Figure(figsize=(11, 1.8 + 0.27 * len(names)), layout="constrained")
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
        score = f"accuracy {outcome.scores.mean():.3f}, gap at most {outcome.gap:.0e}"
        panel.set_title(f"{outcome.method}: {score}", fontsize=10)
        panel.set_xlabel("kernel weight")
        panel.set_xlim(left=0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="x", alpha=0.3)
        panel.set_axisbelow(True)
    panels[0].set_yticks(position, names, fontsize=8)
    panels[0].invert_yaxis()
    for modality in modalities:
        panels[-1].barh(0, 0, color=f"C{modalities.index(modality)}", label=modality)
    panels[-1].legend(title="modality", fontsize=8, frameon=False, loc="best")
    figure.suptitle(f"{demo.study.title}: weights over {demo.cv} folds (bars: mean, lines: sd)")
    figure.savefig(path, dpi=150, format="png")
