"""``mkfusion demo``."""

import argparse
import importlib.util

from mkfusion.cli._errors import UsageError


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
    from mkfusion.compare import _demo
    from mkfusion.compare._demo_report import draw_weights, print_report, report_console
    from mkfusion.compare._progress import Progress

    if not options.no_plot and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("drawing needs matplotlib: install mkfusion[plot], or pass --no-plot")
    try:
        found = _demo.run_demo(
            options.data,
            cv=options.cv,
            seed=options.seed,
            samples=options.samples,
            progress=Progress(),
        )
    except _demo.UsageError as error:
        raise UsageError(str(error)) from error
    console = report_console()
    print_report(found, console)
    if not options.no_plot:
        draw_weights(found, options.output)
        console.print(f"Weights drawn in {options.output}", soft_wrap=True)
