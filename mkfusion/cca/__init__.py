"""Shared spaces between modalities, and what they are used for."""

from mkfusion.cca._analysis import CCA, MultisetCCA
from mkfusion.cca._contrastive import ContrastiveAlignment
from mkfusion.cca._correspondence import Correspondence, correspondence
from mkfusion.cca._fusion import CCAFusion
from mkfusion.cca._inference import (
    CrossValidatedCorrelations,
    PermutationTest,
    canonical_permutation_test,
    cross_validated_correlations,
)
from mkfusion.cca._kernel import KernelCCA
from mkfusion.cca._prediction import ModalityPrediction, predict_modality
from mkfusion.cca._retrieval import (
    Retrieved,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    recall_at_k,
    retrieve,
)
from mkfusion.cca._zero_shot import ZeroShotClassifier

__all__ = [
    "CCA",
    "CCAFusion",
    "ContrastiveAlignment",
    "Correspondence",
    "CrossValidatedCorrelations",
    "KernelCCA",
    "ModalityPrediction",
    "MultisetCCA",
    "PermutationTest",
    "Retrieved",
    "ZeroShotClassifier",
    "canonical_permutation_test",
    "correspondence",
    "cross_validated_correlations",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "median_rank",
    "predict_modality",
    "recall_at_k",
    "retrieve",
]
