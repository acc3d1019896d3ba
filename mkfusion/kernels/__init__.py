"""Similarities between samples, and the stack that several of them make."""

from mkfusion.kernels._bank import RBFBank
from mkfusion.kernels._column_kernelizer import ColumnKernelizer
from mkfusion.kernels._feature_kernels import (
    ChiSquaredKernel,
    CosineKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)
from mkfusion.kernels._kernelizer import Kernelizer
from mkfusion.kernels._stack import KernelStack

__all__ = [
    "ChiSquaredKernel",
    "ColumnKernelizer",
    "CosineKernel",
    "KernelStack",
    "Kernelizer",
    "LaplacianKernel",
    "LinearKernel",
    "PolynomialKernel",
    "RBFBank",
    "RBFKernel",
]
