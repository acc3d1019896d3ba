"""HTML representation of composed kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["visual_block"]


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
    try:
        from sklearn.utils._repr_html.estimator import _VisualBlock
    except ImportError:  # scikit-learn < 1.7
        from sklearn.utils._estimator_html_repr import _VisualBlock

    def block(kernel: Any) -> Any:
        return _VisualBlock("parallel", kernel) if isinstance(kernel, list) else kernel

    names, kernels = zip(*named_kernels, strict=True)
    return _VisualBlock(
        "parallel", [block(kernel) for kernel in kernels], names=names, name_details=details
    )
