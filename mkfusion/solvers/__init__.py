"""Solvers of multiple kernel learning and their certificates: arrays in, named tuples out.

Importing this package imports Numba; nothing is compiled before the first solve.
"""

from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._gated import Descent, GatedMachines, gates
from mkfusion.solvers._hard_margin import HardMargin
from mkfusion.solvers._limits import MAX_TIME, ROUNDING, Deadline
from mkfusion.solvers._losses import Hinge, Loss, OneClass, Squared, Tube
from mkfusion.solvers._many import MKLResult
from mkfusion.solvers._mkl import MANY_KERNELS, Setting, solve_mkl, solve_path
from mkfusion.solvers._together import Path, solve_paths

__all__ = [
    "Deadline",
    "Descent",
    "GatedMachines",
    "HardMargin",
    "Hinge",
    "Loss",
    "MANY_KERNELS",
    "MAX_TIME",
    "MKLResult",
    "OneClass",
    "Path",
    "ROUNDING",
    "Setting",
    "Squared",
    "Tube",
    "gates",
    "one_blas_thread",
    "solve_mkl",
    "solve_path",
    "solve_paths",
]
