"""Estimators that learn kernel weights."""

from mkfusion.mkl._classifier import MKLClassifier
from mkfusion.mkl._classifier_cv import MKLClassifierCV
from mkfusion.mkl._clustering import MultipleKernelKMeans
from mkfusion.mkl._combiner import KernelCombiner
from mkfusion.mkl._localized import LocalizedMKLClassifier
from mkfusion.mkl._networks import similarity_network_fusion
from mkfusion.mkl._novelty import MKLNoveltyDetector
from mkfusion.mkl._path import mkl_path
from mkfusion.mkl._regressor import MKLRegressor
from mkfusion.mkl._regressor_cv import MKLRegressorCV
from mkfusion.mkl._selection import modality_groups as modality_groups
from mkfusion.mkl._selector import ModalitySelector, machine_of as machine_of
from mkfusion.mkl._survival import MKLSurvivalAnalysis

__all__ = [
    "KernelCombiner",
    "LocalizedMKLClassifier",
    "MKLClassifier",
    "MKLClassifierCV",
    "MKLNoveltyDetector",
    "MKLRegressor",
    "MKLRegressorCV",
    "MKLSurvivalAnalysis",
    "ModalitySelector",
    "MultipleKernelKMeans",
    "mkl_path",
    "similarity_network_fusion",
]
