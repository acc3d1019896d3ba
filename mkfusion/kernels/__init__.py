"""Similarities between samples, and the stack that several of them make.

Here stands what other parts of the package use. What users import stands in `mkfusion/__init__.pyi`
only, each kernel with its file, so that a new one is a file and a line there.
"""

from mkfusion.kernels._adapters import PipelineKernel
from mkfusion.kernels._kernel import (
    Bundle,
    Kernel,
    ScaledKernel,
    SumKernel,
    join_input_tags,
    kernel_label,
    sees_numbers,
    takes_table,
)
from mkfusion.kernels.kernelizer._column_kernelizer import ColumnKernelizer
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView
from mkfusion.kernels.kernelizer._filler import MeanFiller
from mkfusion.kernels.kernelizer._interactions import InteractionKernels
from mkfusion.kernels.kernelizer._kernelizer import Entry, Kernelizer
from mkfusion.kernels.kernelizer._lacking import (
    SampleCompletion,
    complete_samples,
    complete_training,
    everything,
)
from mkfusion.kernels.kernelizer._missing import Marginaliser
from mkfusion.kernels.kernelizer._normalize import CosineNormalization
from mkfusion.kernels.tables._variables import Cells, Graded, Nominal

__all__ = [
    "Bundle",
    "Cells",
    "ColumnKernelizer",
    "CosineNormalization",
    "Entry",
    "FittedKernel",
    "Graded",
    "InteractionKernels",
    "Kernel",
    "KernelView",
    "Kernelizer",
    "Marginaliser",
    "MeanFiller",
    "Nominal",
    "PipelineKernel",
    "SampleCompletion",
    "ScaledKernel",
    "SumKernel",
    "complete_samples",
    "complete_training",
    "everything",
    "join_input_tags",
    "kernel_label",
    "sees_numbers",
    "takes_table",
]
