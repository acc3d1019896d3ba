"""What the library advises, in the words of the command line: a call in Python is no help there.

Warnings and errors end in a sentence on what to do. Those that can come from a command and name
Python stand here beside the option that does the same, or as near as there is one.
"""

from __future__ import annotations

import re

_LOWER_C = "A smaller C is reached sooner (--C of mkfusion fit)."
_WITHOUT_LOCALIZED = "leave localized_mkl out of --methods"
_REMEDIES = tuple(
    (re.compile(advice), remedy)
    for advice, remedy in (
        # Kernels that are nearly constant, or nearly the identity
        (
            r"scale the columns \(StandardScaler\), or use RBFKernel\(\), whose default .*$",
            "--kernel NAME=rbf learns its width from them.",
        ),
        (
            r"Drop it, lower C, or learn weights by KernelCombiner\(.*$",
            "Leave its columns out (--exclude), take another kernel (--kernel NAME=linear), or "
            "lower C (--C of mkfusion fit).",
        ),
        # Fits that did not end
        (r"Raise max_iter, max_time, tol or gating_ridge, or bring the kernels to one scale\.", ""),
        (r"Raise [\w, ]+ or tol, or bring the kernels to one scale\.", _LOWER_C),
        (r"Standardise the features or bring the kernels to one scale \(.*?raise tol\.", _LOWER_C),
        (r"Raise [\w, ]+ or tol\.", ""),
        # Fits that take long, or too much memory
        (
            r"MKLClassifier, whose weights are the same for all samples, takes less of both; .*$",
            f"It takes less of both to {_WITHOUT_LOCALIZED}.",
        ),
        (
            r"MKLClassifier, whose weights are the same for all samples, takes less\.",
            f"{_WITHOUT_LOCALIZED}.",
        ),
        (r"NystroemKernels takes less of both; .*$", "Fewer samples take less of both."),
        (r"loss=\"epsilon_insensitive\" needs no more than cache_size.*$", "take fewer."),
        (r"Lower cache_size \(.*?\); or NystroemKernels .*$", "Take fewer samples."),
        # Samples that lack a modality
        (r"^missing='marginalise', and", "--missing keep, and"),
        (
            r"by a model without it\. missing='impute' and LateFusionClassifier\(.*$",
            "by a model without it: fit one for them (--exclude its columns).",
        ),
    )
)


def in_options(message: object) -> str:
    """Return a message whose advice is what a command can be told.

    Parameters
    ----------
    message : object
        A warning, an error or a text.

    Returns
    -------
    str
        As it was where it names nothing of Python.
    """
    words = " ".join(str(message).split())
    for advice, remedy in _REMEDIES:
        words = advice.sub(remedy, words)
    return words.strip()
