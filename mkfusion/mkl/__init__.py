"""Estimators that learn kernel weights."""

from mkfusion.mkl._classifier import MKLClassifier
from mkfusion.mkl._path import mkl_path

__all__ = ["MKLClassifier", "mkl_path"]
