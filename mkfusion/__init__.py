"""Multiple kernel learning for multimodal data, certified, in scikit-learn's style."""

from mkfusion.kernels import (
    ChiSquaredKernel,
    ColumnKernelizer,
    CosineKernel,
    Kernelizer,
    KernelStack,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFBank,
    RBFKernel,
)
from mkfusion.mkl import MKLClassifier, mkl_path
from mkfusion.modalities import Modalities

__all__ = [
    "ChiSquaredKernel",
    "ColumnKernelizer",
    "CosineKernel",
    "KernelStack",
    "Kernelizer",
    "LaplacianKernel",
    "LinearKernel",
    "MKLClassifier",
    "Modalities",
    "PolynomialKernel",
    "RBFBank",
    "RBFKernel",
    "mkl_path",
]

__version__ = "0.1.0"
