"""Similarities between samples, and the stack that several of them make."""

from mkfusion.kernels._bank import RBFBank
from mkfusion.kernels._feature_kernels import (
    ChiSquaredKernel,
    CosineKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)
from mkfusion.kernels._precomputed import PrecomputedKernel
from mkfusion.kernels.algebra._composite import CompositeKernel
from mkfusion.kernels.algebra._interactions import InteractionKernels, interaction_kernels
from mkfusion.kernels.kernelizer._column_kernelizer import ColumnKernelizer
from mkfusion.kernels.kernelizer._kernelizer import Kernelizer
from mkfusion.kernels.signals._alignment import GlobalAlignmentKernel, SoftDTWKernel
from mkfusion.kernels.signals._covariance import CovarianceKernel
from mkfusion.kernels.signals._cross_correlation import CrossCorrelationKernel
from mkfusion.kernels.signals._spectra import CoherenceKernel, PowerSpectrumKernel
from mkfusion.kernels.stack._low_rank import NystroemKernels
from mkfusion.kernels.stack._stack import KernelStack
from mkfusion.kernels.strings._strings import SpectrumKernel, WeightedDegreeKernel
from mkfusion.kernels.tables._categories import FrequencyKernel, OverlapKernel
from mkfusion.kernels.tables._tables import ClinicalKernel

__all__ = [
    "ChiSquaredKernel",
    "ClinicalKernel",
    "CoherenceKernel",
    "ColumnKernelizer",
    "CompositeKernel",
    "CosineKernel",
    "CovarianceKernel",
    "CrossCorrelationKernel",
    "FrequencyKernel",
    "GlobalAlignmentKernel",
    "InteractionKernels",
    "KernelStack",
    "Kernelizer",
    "LaplacianKernel",
    "LinearKernel",
    "NystroemKernels",
    "OverlapKernel",
    "PolynomialKernel",
    "PowerSpectrumKernel",
    "PrecomputedKernel",
    "RBFBank",
    "RBFKernel",
    "SoftDTWKernel",
    "SpectrumKernel",
    "WeightedDegreeKernel",
    "interaction_kernels",
]
