"""Kernels that users name by a word, one for each modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mkfusion
from mkfusion.cli._errors import UsageError, close_names
from mkfusion.cli._kinds import Kind
from mkfusion.cli._parser import KERNELS
from mkfusion.kernels import MeanFiller

# Of numbers as they are: their zero, or their sign, means something.
_AS_THEY_ARE = ("chi2", "tanimoto")
_OF_TABLES = ("clinical", "overlap")
_MADE = {
    "chi2": "ChiSquaredKernel",
    "clinical": "ClinicalKernel",
    "cosine": "CosineKernel",
    "laplacian": "LaplacianKernel",
    "linear": "LinearKernel",
    "matern": "MaternKernel",
    "overlap": "OverlapKernel",
    "polynomial": "PolynomialKernel",
    "rbf": "RBFKernel",
    "tanimoto": "TanimotoKernel",
}


def kernels_of_words(
    asked: Sequence[tuple[str, str]], kinds: dict[str, dict[str, Kind]]
) -> dict[str, Any]:
    """Return the kernels that were asked for, by modality.

    Parameters
    ----------
    asked : sequence of pairs (modality, word)
    kinds : dict of str to dict of str to Kind
        By modality and column.

    Returns
    -------
    dict of str to kernel
        Of numbers, in a pipeline that fills gaps and standardises (but for those that need the
        numbers as they are).

    Raises
    ------
    UsageError
        If there is no such modality or kernel, or it is not for what its columns hold.
    """
    made: dict[str, Any] = {}
    for name, word in asked:
        if name not in kinds:
            raise UsageError(f"--kernel {name!r} is no modality; {close_names(name, kinds)}")
        if name in made:
            raise UsageError(f"--kernel {name!r} is given twice")
        if word not in KERNELS:
            raise UsageError(
                f"--kernel {name}={word}: no kernel {word!r}; {close_names(word, KERNELS)}"
            )
        if word == "auto":
            continue
        kernel = getattr(mkfusion, _MADE[word])()
        if word not in _OF_TABLES:
            others = [column for column, kind in kinds[name].items() if kind.name != "number"]
            if others:
                raise UsageError(
                    f"--kernel {name}={word} is for numbers, and column {others[0]!r} holds none; "
                    f"for tables there are {' and '.join(_OF_TABLES)}"
                )
            scaled = () if word in _AS_THEY_ARE else (StandardScaler(),)
            kernel = make_pipeline(MeanFiller(), *scaled, kernel)
        made[name] = kernel
    return made
