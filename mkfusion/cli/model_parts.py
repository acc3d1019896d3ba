"""The classes inside model files, under names that stay.

A model file names public classes as `mkfusion.RBFKernel`, the others by this module and the name
here, never by the module where a class happens to be defined: it may move, or be called otherwise,
and files still find it (``from … import NewName as OldName``). None of them does more at loading
than to take its attributes.
"""

from mkfusion.kernels import (
    Bundle,
    Cells,
    CosineNormalization,
    Entry,
    FittedKernel,
    Graded,
    KernelView,
    Marginaliser,
    MeanFiller,
    Nominal,
    PipelineKernel,
    ScaledKernel,
    SumKernel,
)
from mkfusion.stack import FactorView

__all__ = [
    "Bundle",
    "Cells",
    "CosineNormalization",
    "Entry",
    "FactorView",
    "FittedKernel",
    "Graded",
    "KernelView",
    "Marginaliser",
    "MeanFiller",
    "Nominal",
    "PipelineKernel",
    "ScaledKernel",
    "SumKernel",
]
