"""Similarities between samples, and the stack that several of them make."""

from mkfusion.kernels._adapters import PipelineKernel, join_input_tags, takes_table
from mkfusion.kernels._precomputed import PrecomputedKernel
from mkfusion.kernels._rows import (
    ChiSquaredKernel,
    CosineKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)
from mkfusion.kernels.kernelizer._column_kernelizer import ColumnKernelizer
from mkfusion.kernels.kernelizer._composite import CompositeKernel
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView
from mkfusion.kernels.kernelizer._interactions import InteractionKernels, interaction_kernels
from mkfusion.kernels.kernelizer._kernelizer import Entry, Kernelizer
from mkfusion.kernels.kernelizer._missing import Marginaliser
from mkfusion.kernels.kernelizer._normalize import CosineNormalization
from mkfusion.kernels.kernelizer._nystroem import NystroemKernels
from mkfusion.kernels.kernelizer._rbf_bank import RBFBank
from mkfusion.kernels.signals._alignment import GlobalAlignmentKernel, SoftDTWKernel
from mkfusion.kernels.signals._covariance import CovarianceKernel
from mkfusion.kernels.signals._cross_correlation import CrossCorrelationKernel
from mkfusion.kernels.signals._spectra import CoherenceKernel, PowerSpectrumKernel
from mkfusion.kernels.strings._strings import SpectrumKernel, WeightedDegreeKernel
from mkfusion.kernels.tables._tables import ClinicalKernel, FrequencyKernel, OverlapKernel
from mkfusion.kernels.tables._variables import Cells, Graded, Nominal

__all__ = [
    "Cells",
    "ChiSquaredKernel",
    "ClinicalKernel",
    "CoherenceKernel",
    "ColumnKernelizer",
    "CompositeKernel",
    "CosineKernel",
    "CosineNormalization",
    "CovarianceKernel",
    "CrossCorrelationKernel",
    "Entry",
    "FittedKernel",
    "FrequencyKernel",
    "GlobalAlignmentKernel",
    "Graded",
    "InteractionKernels",
    "KernelView",
    "Kernelizer",
    "LaplacianKernel",
    "LinearKernel",
    "Marginaliser",
    "Nominal",
    "NystroemKernels",
    "OverlapKernel",
    "PipelineKernel",
    "PolynomialKernel",
    "PowerSpectrumKernel",
    "PrecomputedKernel",
    "RBFBank",
    "RBFKernel",
    "SoftDTWKernel",
    "SpectrumKernel",
    "WeightedDegreeKernel",
    "interaction_kernels",
    "join_input_tags",
    "takes_table",
]
