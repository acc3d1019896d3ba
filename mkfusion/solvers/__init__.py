"""Solvers of multiple kernel learning and their certificates: arrays in, named tuples out.

Importing this package imports Numba; nothing is compiled before the first solve.
"""

from mkfusion.solvers._best_subset import BestSubset, Subset, SubsetSearch
from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._cox import Cox
from mkfusion.solvers._features import few_features
from mkfusion.solvers._gated import Descent, GatedMachines, gates
from mkfusion.solvers._hard_margin import HardMargin
from mkfusion.solvers._limits import MAX_TIME, ROUNDING, TOO_MANY, Deadline, free_memory
from mkfusion.solvers._losses import Hinge, Loss, OneClass, Squared, Tube
from mkfusion.solvers._many import MANY_SAMPLES, MKLResult
from mkfusion.solvers._mkl import MANY_KERNELS, Setting, solve_mkl, solve_path
from mkfusion.solvers._rows import CACHE, bytes_of_rows
from mkfusion.solvers._segments import best_segmentations
from mkfusion.solvers._together import Path, solve_paths
from mkfusion.solvers._warping import warping_path

__all__ = [
    "BestSubset",
    "CACHE",
    "Cox",
    "Deadline",
    "Descent",
    "GatedMachines",
    "HardMargin",
    "Hinge",
    "Loss",
    "MANY_KERNELS",
    "MANY_SAMPLES",
    "MAX_TIME",
    "MKLResult",
    "OneClass",
    "Path",
    "ROUNDING",
    "Setting",
    "Squared",
    "Subset",
    "SubsetSearch",
    "TOO_MANY",
    "Tube",
    "best_segmentations",
    "bytes_of_rows",
    "few_features",
    "free_memory",
    "gates",
    "one_blas_thread",
    "solve_mkl",
    "solve_path",
    "solve_paths",
    "warping_path",
]
