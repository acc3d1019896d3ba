"""Questions asked of fused models and of modalities, and their displays."""

from mkfusion.inspection._added_information import (
    AddedInformation,
    AddedInformationDisplay,
    added_information,
)
from mkfusion.inspection._arguments import check_jobs as check_jobs
from mkfusion.inspection._audit import audit
from mkfusion.inspection._audit_outcome import DataAudit, Finding
from mkfusion.inspection._bias import UnimodalBias, UnimodalBiasDisplay, unimodal_bias
from mkfusion.inspection._closed_form import project_kernels as project_kernels
from mkfusion.inspection._emap import AdditiveProjection, EmapDisplay, emap
from mkfusion.inspection._importance import (
    ModalityImportance,
    ModalityImportanceDisplay,
    ShapleyValues,
    modality_importance,
    shapley_shares as shapley_shares,
    shapley_values,
)
from mkfusion.inspection._information import (
    PartialInformation,
    PartialInformationDisplay,
    partial_information,
)
from mkfusion.inspection._interaction_information import (
    InteractionInformation,
    interaction_information,
)
from mkfusion.inspection._intervals import (
    UNBOUNDED as UNBOUNDED,
    Bounds as Bounds,
    corrected_interval as corrected_interval,
    difference_bounds as difference_bounds,
    score_bounds as score_bounds,
)
from mkfusion.inspection._kernel_alignment import (
    KernelAlignment,
    KernelAlignmentDisplay,
    kernel_alignment,
)
from mkfusion.inspection._multiplicity import holm as holm
from mkfusion.inspection._performance import (
    ClassificationPerformance,
    Measure as Measure,
    RegressionPerformance,
    classification_performance,
    regression_performance,
)
from mkfusion.inspection._responses import scored_answers as scored_answers
from mkfusion.inspection._stability import WeightStability, WeightStabilityDisplay, weight_stability

# For users; the names that are imported as themselves above are for the comparison of methods.
__all__ = [
    "AddedInformation",
    "AddedInformationDisplay",
    "AdditiveProjection",
    "ClassificationPerformance",
    "DataAudit",
    "EmapDisplay",
    "Finding",
    "InteractionInformation",
    "KernelAlignment",
    "KernelAlignmentDisplay",
    "ModalityImportance",
    "ModalityImportanceDisplay",
    "PartialInformation",
    "PartialInformationDisplay",
    "RegressionPerformance",
    "ShapleyValues",
    "UnimodalBias",
    "UnimodalBiasDisplay",
    "WeightStability",
    "WeightStabilityDisplay",
    "added_information",
    "audit",
    "classification_performance",
    "emap",
    "interaction_information",
    "kernel_alignment",
    "modality_importance",
    "partial_information",
    "regression_performance",
    "shapley_values",
    "unimodal_bias",
    "weight_stability",
]
