"""Estimators that learn kernel weights."""

from mkfusion.mkl._classifier import MKLClassifier

__all__ = ["MKLClassifier"]
