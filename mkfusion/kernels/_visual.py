"""HTML representation of composed kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mkfusion._compat import VisualBlock


def visual_block(
    named_kernels: Sequence[tuple[str, Any]], details: Sequence[str] | None = None
) -> Any:
    """Show kernels side by side, each under its name.

    Parameters
    ----------
    named_kernels : sequence of (name, kernel) pairs
    details : sequence of str, default=None
        Shown on demand for each name, such as columns.
    """

    def block(kernel: Any) -> Any:
        return VisualBlock("parallel", kernel) if isinstance(kernel, list) else kernel

    names, kernels = zip(*named_kernels, strict=True)
    return VisualBlock(
        "parallel", [block(kernel) for kernel in kernels], names=names, name_details=details
    )
