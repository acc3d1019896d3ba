"""Kernels in words."""

from __future__ import annotations

import re
from typing import Any

_STEPS = {
    "MeanFiller": "gaps filled by means",
    "SimpleImputer": "gaps filled",
    "StandardScaler": "columns standardised",
    "TfidfVectorizer": "words counted by tf-idf",
}
# Names that are no words, within those of kernels.
_SPELLED = {"r b f": "RBF", "d t w": "DTW", "p c a": "PCA"}


def kernel_in_words(kernel: Any) -> str:
    """Return a kernel, or a pipeline that ends in one, in words.

    Parameters
    ----------
    kernel : kernel, Pipeline, str or list of them

    Returns
    -------
    str
        Parameters that are not the defaults in parentheses.
    """
    if isinstance(kernel, str):
        return f"{kernel} kernel"
    if isinstance(kernel, list | tuple):
        return " and ".join(kernel_in_words(one) for one in kernel)
    if type(kernel).__name__ == "SumKernel":
        return " plus ".join(kernel_in_words(one) for one in kernel.kernels)
    if type(kernel).__name__ == "ScaledKernel":
        return f"{kernel.scale:.3g} times {kernel_in_words(kernel.kernel)}"
    if not hasattr(kernel, "steps"):
        return _words(kernel)
    *before, last = [step for _, step in kernel.steps]
    prepared = [_words(step) for step in before if step not in (None, "passthrough")]
    return kernel_in_words(last) + (f" ({', '.join(prepared)})" if prepared else "")


def _words(step: Any) -> str:
    said = " ".join(repr(step).split())
    name = type(step).__name__
    changed = said.removeprefix(name)
    # What does not say so how it was made has no parameters to tell of.
    settings = f" {changed}" if changed.startswith("(") and changed not in ("()", said) else ""
    if name in _STEPS:
        return _STEPS[name] + settings
    spaced = re.sub(r"(?<=[A-Za-z])(?=[A-Z])", " ", name).lower()
    for letters, word in _SPELLED.items():
        spaced = re.sub(rf"\b{letters}\b", word, spaced)
    return spaced + settings
