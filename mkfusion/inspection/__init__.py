"""Questions asked of fused models and of modalities, and their displays."""

from mkfusion.inspection._added_information import (
    AddedInformation,
    AddedInformationDisplay,
    added_information,
)
from mkfusion.inspection._arguments import check_jobs as check_jobs, check_scores as check_scores
from mkfusion.inspection._audit import audit
from mkfusion.inspection._audit_outcome import DataAudit, Finding
from mkfusion.inspection._bias import UnimodalBias, UnimodalBiasDisplay, unimodal_bias
from mkfusion.inspection._closed_form import project_kernels as project_kernels
from mkfusion.inspection._emap import AdditiveProjection, EmapDisplay, emap
from mkfusion.inspection._emap_table import EmapTable, emap_table
from mkfusion.inspection._estimates import (
    Sampling as Sampling,
    concordance_estimate as concordance_estimate,
)
from mkfusion.inspection._feature_groups import (
    ModalityTable as ModalityTable,
    group_columns as group_columns,
)
from mkfusion.inspection._feature_importance import (
    FeatureImportance,
    FeatureImportanceDisplay,
    conclude_features as conclude_features,
    feature_importance,
    fold_features as fold_features,
    outputs_of as outputs_of,
    responses_of as responses_of,
)
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
from mkfusion.inspection._lattice import InformationLattice, information_lattice
from mkfusion.inspection._modality_gap import ModalityGap, ModalityGapDisplay, modality_gap
from mkfusion.inspection._modality_path import (
    ModalityPath,
    ModalityPathDisplay,
    modality_path,
)
from mkfusion.inspection._multiplicity import holm as holm
from mkfusion.inspection._performance import (
    ClassificationPerformance,
    Measure,
    RegressionPerformance,
    classification_performance,
    measures_frame as measures_frame,
    regression_performance,
)
from mkfusion.inspection._projection import (
    KernelProjection,
    KernelProjectionDisplay,
    kernel_projection,
)
from mkfusion.inspection._responses import (
    answers_of as answers_of,
    scored_answers as scored_answers,
)
from mkfusion.inspection._stability import WeightStability, WeightStabilityDisplay, weight_stability

# For users; the names that are imported as themselves above are for the comparison of methods.
__all__ = [
    "ModalityPath",
    "ModalityPathDisplay",
    "modality_path",
    "AddedInformation",
    "AddedInformationDisplay",
    "AdditiveProjection",
    "ClassificationPerformance",
    "DataAudit",
    "EmapDisplay",
    "EmapTable",
    "FeatureImportance",
    "FeatureImportanceDisplay",
    "Finding",
    "InformationLattice",
    "InteractionInformation",
    "KernelAlignment",
    "KernelAlignmentDisplay",
    "KernelProjection",
    "KernelProjectionDisplay",
    "Measure",
    "ModalityGap",
    "ModalityGapDisplay",
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
    "emap_table",
    "feature_importance",
    "information_lattice",
    "interaction_information",
    "kernel_alignment",
    "kernel_projection",
    "modality_gap",
    "modality_importance",
    "partial_information",
    "regression_performance",
    "shapley_values",
    "unimodal_bias",
    "weight_stability",
]
