"""Questions asked of fused models and of modalities, and their displays."""

from mkfusion.inspection._bias import UnimodalBias, unimodal_bias
from mkfusion.inspection._display_alignment import KernelAlignmentDisplay
from mkfusion.inspection._display_bias import UnimodalBiasDisplay
from mkfusion.inspection._display_emap import EmapDisplay
from mkfusion.inspection._display_importance import ModalityImportanceDisplay
from mkfusion.inspection._display_information import PartialInformationDisplay
from mkfusion.inspection._display_weights import WeightStabilityDisplay
from mkfusion.inspection._emap import AdditiveProjection, emap
from mkfusion.inspection._importance import ModalityImportance, modality_importance
from mkfusion.inspection._information import PartialInformation, partial_information
from mkfusion.inspection._kernel_alignment import KernelAlignment, kernel_alignment
from mkfusion.inspection._shapley import ShapleyValues, shapley_values
from mkfusion.inspection._stability import WeightStability, weight_stability

__all__ = [
    "AdditiveProjection",
    "EmapDisplay",
    "KernelAlignment",
    "KernelAlignmentDisplay",
    "ModalityImportance",
    "ModalityImportanceDisplay",
    "PartialInformation",
    "PartialInformationDisplay",
    "ShapleyValues",
    "UnimodalBias",
    "UnimodalBiasDisplay",
    "WeightStability",
    "WeightStabilityDisplay",
    "emap",
    "kernel_alignment",
    "modality_importance",
    "partial_information",
    "shapley_values",
    "unimodal_bias",
    "weight_stability",
]
