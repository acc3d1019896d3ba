# What users import; `__init__.py` loads each name when it is first asked for.

from . import compare as compare, datasets as datasets, inspection as inspection, testing as testing
from .cca import (
    CCA as CCA,
    CCAFusion as CCAFusion,
    ContrastiveAlignment as ContrastiveAlignment,
    Correspondence as Correspondence,
    CrossValidatedCorrelations as CrossValidatedCorrelations,
    KernelCCA as KernelCCA,
    ModalityPrediction as ModalityPrediction,
    MultisetCCA as MultisetCCA,
    PermutationTest as PermutationTest,
    Retrieved as Retrieved,
    ZeroShotClassifier as ZeroShotClassifier,
    canonical_permutation_test as canonical_permutation_test,
    correspondence as correspondence,
    cross_validated_correlations as cross_validated_correlations,
    mean_average_precision as mean_average_precision,
    mean_reciprocal_rank as mean_reciprocal_rank,
    median_rank as median_rank,
    predict_modality as predict_modality,
    recall_at_k as recall_at_k,
    retrieve as retrieve,
)
from .compare import (
    FusionSearchCV as FusionSearchCV,
    Method as Method,
    compare_fusion as compare_fusion,
)
from .data import (
    ConstantPredictionWarning as ConstantPredictionWarning,
    MissingCellsWarning as MissingCellsWarning,
    MissingModalityWarning as MissingModalityWarning,
    Modalities as Modalities,
    UnknownCategoriesWarning as UnknownCategoriesWarning,
)
from .fusion import (
    EarlyFusionClassifier as EarlyFusionClassifier,
    EarlyFusionRegressor as EarlyFusionRegressor,
    GatedFusionClassifier as GatedFusionClassifier,
    GatedFusionRegressor as GatedFusionRegressor,
    InteractionClassifier as InteractionClassifier,
    InteractionDisplay as InteractionDisplay,
    InteractionRegressor as InteractionRegressor,
    InteractionTest as InteractionTest,
    LateFusionClassifier as LateFusionClassifier,
    LateFusionRegressor as LateFusionRegressor,
    ModalityShiftClassifier as ModalityShiftClassifier,
    ModalityShiftRegressor as ModalityShiftRegressor,
    PrivilegedClassifier as PrivilegedClassifier,
)
from .inspection import (
    emap as emap,
)
from .kernels._distances import DistanceKernel as DistanceKernel
from .kernels._foreign import load_gcta as load_gcta, load_libsvm as load_libsvm
from .kernels._intersection import IntersectionKernel as IntersectionKernel
from .kernels._kernel import Kernel as Kernel
from .kernels._matern import MaternKernel as MaternKernel
from .kernels._precomputed import PrecomputedKernel as PrecomputedKernel
from .kernels._rows import (
    ChiSquaredKernel as ChiSquaredKernel,
    CosineKernel as CosineKernel,
    FeatureKernel as FeatureKernel,
    LaplacianKernel as LaplacianKernel,
    LinearKernel as LinearKernel,
    PolynomialKernel as PolynomialKernel,
    RBFKernel as RBFKernel,
)
from .kernels._tanimoto import TanimotoKernel as TanimotoKernel
from .kernels.images._images import ImageKernel as ImageKernel
from .kernels.kernelizer._column_kernelizer import ColumnKernelizer as ColumnKernelizer
from .kernels.kernelizer._composite import CompositeKernel as CompositeKernel
from .kernels.kernelizer._interactions import (
    InteractionKernels as InteractionKernels,
    interaction_kernels as interaction_kernels,
)
from .kernels.kernelizer._kernelizer import Kernelizer as Kernelizer
from .kernels.kernelizer._nystroem import NystroemKernels as NystroemKernels
from .kernels.kernelizer._rbf_bank import RBFBank as RBFBank
from .kernels.signals._alignment import (
    GlobalAlignmentKernel as GlobalAlignmentKernel,
    SoftDTWKernel as SoftDTWKernel,
)
from .kernels.signals._covariance import CovarianceKernel as CovarianceKernel
from .kernels.signals._cross_correlation import CrossCorrelationKernel as CrossCorrelationKernel
from .kernels.signals._spectra import (
    CoherenceKernel as CoherenceKernel,
    PowerSpectrumKernel as PowerSpectrumKernel,
)
from .kernels.strings._strings import (
    SpectrumKernel as SpectrumKernel,
    WeightedDegreeKernel as WeightedDegreeKernel,
)
from .kernels.tables._tables import (
    ClinicalKernel as ClinicalKernel,
    FrequencyKernel as FrequencyKernel,
    OverlapKernel as OverlapKernel,
)
from .mkl import (
    KernelCombiner as KernelCombiner,
    LocalizedMKLClassifier as LocalizedMKLClassifier,
    MKLClassifier as MKLClassifier,
    MKLClassifierCV as MKLClassifierCV,
    MKLNoveltyDetector as MKLNoveltyDetector,
    MKLRegressor as MKLRegressor,
    MKLRegressorCV as MKLRegressorCV,
    MKLSurvivalAnalysis as MKLSurvivalAnalysis,
    ModalitySelector as ModalitySelector,
    MultipleKernelKMeans as MultipleKernelKMeans,
    mkl_path as mkl_path,
    similarity_network_fusion as similarity_network_fusion,
)
from .recordings import (
    Alignment as Alignment,
    AlignmentDisplay as AlignmentDisplay,
    ExpectedAlignmentDisplay as ExpectedAlignmentDisplay,
    Segmentation as Segmentation,
    Synchronised as Synchronised,
    Windows as Windows,
    alignment_path as alignment_path,
    change_points as change_points,
    cut_windows as cut_windows,
    synchronise as synchronise,
)
from .stack import (
    DegenerateKernelWarning as DegenerateKernelWarning,
    KernelStack as KernelStack,
)

__version__: str
