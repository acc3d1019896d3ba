"""The plot of time against n and m, from what the section peers left behind."""

from __future__ import annotations

import csv
from pathlib import Path

PANELS = {
    "n": ("samples n", "{} kernels", "m"),
    "m": ("kernels m", "{} samples", "n"),
}
_OURS = "mkfusion"
_SALT = "mkfusion"


def draw(results: Path, target: Path) -> Path:
    """Draw ``results/peers.csv`` into an image file, and return its path."""
    import matplotlib

    source = results / "peers.csv"
    if not source.exists():
        raise SystemExit(
            f"{source} does not exist; first run: python -m benchmarks peers --out {results}"
        )
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # The same numbers make the same file.
    with matplotlib.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none"}):
        figure = _figure(rows)
        target.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"Date": None} if target.suffix == ".svg" else None
        figure.savefig(target, metadata=metadata)
    return target


def _figure(rows: list[dict[str, str]]) -> object:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    sides = list(dict.fromkeys(row["side"] for row in rows))
    for ax, (sweep, (label, title, other)) in zip(axes, PANELS.items(), strict=True):
        swept = [row for row in rows if row["sweep"] == sweep]
        for k, side in enumerate(sides):
            points = [(int(r[sweep]), float(r["fit_s"])) for r in swept if r["side"] == side]
            if points:
                ours = side.startswith(_OURS)
                ax.plot(*zip(*points, strict=True), marker="o", markersize=4, color=f"C{k}",
                        linewidth=2.5 if ours else 1.2, label=side)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel=label)
        ticks = sorted({int(row[sweep]) for row in swept})
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        if swept:
            ax.set_title(title.format(swept[0][other]))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("seconds to fit")
    handles: dict[str, object] = {}
    for ax in axes:
        handles.update(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside right center")
    return figure
