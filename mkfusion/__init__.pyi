# What users import; `__init__.py` loads each name when it is first asked for.

from . import compare as compare, datasets as datasets, inspection as inspection
from .cca import (
    CCA as CCA,
    CCAFusion as CCAFusion,
    KernelCCA as KernelCCA,
    MultisetCCA as MultisetCCA,
    ZeroShotClassifier as ZeroShotClassifier,
    canonical_permutation_test as canonical_permutation_test,
    cross_validated_correlations as cross_validated_correlations,
    mean_average_precision as mean_average_precision,
    recall_at_k as recall_at_k,
    retrieve as retrieve,
)
from .compare import (
    compare_fusion as compare_fusion,
)
from .data import (
    Modalities as Modalities,
)
from .fusion import (
    EarlyFusionClassifier as EarlyFusionClassifier,
    EarlyFusionRegressor as EarlyFusionRegressor,
    GatedFusionClassifier as GatedFusionClassifier,
    GatedFusionRegressor as GatedFusionRegressor,
    InteractionClassifier as InteractionClassifier,
    InteractionDisplay as InteractionDisplay,
    InteractionRegressor as InteractionRegressor,
    LateFusionClassifier as LateFusionClassifier,
    LateFusionRegressor as LateFusionRegressor,
    ModalityShiftClassifier as ModalityShiftClassifier,
    ModalityShiftRegressor as ModalityShiftRegressor,
)
from .inspection import (
    emap as emap,
)
from .kernels import (
    ChiSquaredKernel as ChiSquaredKernel,
    ClinicalKernel as ClinicalKernel,
    CoherenceKernel as CoherenceKernel,
    ColumnKernelizer as ColumnKernelizer,
    CompositeKernel as CompositeKernel,
    CosineKernel as CosineKernel,
    CovarianceKernel as CovarianceKernel,
    CrossCorrelationKernel as CrossCorrelationKernel,
    FrequencyKernel as FrequencyKernel,
    GlobalAlignmentKernel as GlobalAlignmentKernel,
    InteractionKernels as InteractionKernels,
    Kernelizer as Kernelizer,
    LaplacianKernel as LaplacianKernel,
    LinearKernel as LinearKernel,
    NystroemKernels as NystroemKernels,
    OverlapKernel as OverlapKernel,
    PolynomialKernel as PolynomialKernel,
    PowerSpectrumKernel as PowerSpectrumKernel,
    PrecomputedKernel as PrecomputedKernel,
    RBFBank as RBFBank,
    RBFKernel as RBFKernel,
    SoftDTWKernel as SoftDTWKernel,
    SpectrumKernel as SpectrumKernel,
    WeightedDegreeKernel as WeightedDegreeKernel,
    interaction_kernels as interaction_kernels,
)
from .mkl import (
    KernelCombiner as KernelCombiner,
    LocalizedMKLClassifier as LocalizedMKLClassifier,
    MKLClassifier as MKLClassifier,
    MKLNoveltyDetector as MKLNoveltyDetector,
    MKLRegressor as MKLRegressor,
    mkl_path as mkl_path,
)
from .stack import (
    KernelStack as KernelStack,
)

__version__: str
