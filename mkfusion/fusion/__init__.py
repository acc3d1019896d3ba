"""Fusion of features, of predictions, and of both: what kernel fusion is compared with."""

from mkfusion.fusion._early import EarlyFusionClassifier, EarlyFusionRegressor
from mkfusion.fusion._gated import GatedFusionClassifier, GatedFusionRegressor
from mkfusion.fusion._late import LateFusionClassifier, LateFusionRegressor
from mkfusion.fusion._privileged import PrivilegedClassifier
from mkfusion.fusion._shift import ModalityShiftClassifier, ModalityShiftRegressor
from mkfusion.fusion.interaction._classifier import InteractionClassifier
from mkfusion.fusion.interaction._display import InteractionDisplay
from mkfusion.fusion.interaction._inference import InteractionTest
from mkfusion.fusion.interaction._regressor import InteractionRegressor

__all__ = [
    "EarlyFusionClassifier",
    "EarlyFusionRegressor",
    "GatedFusionClassifier",
    "GatedFusionRegressor",
    "InteractionClassifier",
    "InteractionDisplay",
    "InteractionRegressor",
    "InteractionTest",
    "LateFusionClassifier",
    "LateFusionRegressor",
    "ModalityShiftClassifier",
    "ModalityShiftRegressor",
    "PrivilegedClassifier",
]
