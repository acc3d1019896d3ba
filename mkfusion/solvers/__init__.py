"""Solvers of multiple kernel learning and their certificates: arrays in, named tuples out.

Importing this package imports Numba; nothing is compiled before the first solve.
"""

from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._losses import Hinge, Loss, OneClass, Squared, Tube
from mkfusion.solvers._mkl import MANY_KERNELS, Setting, solve_mkl, solve_path
from mkfusion.solvers._types import MKLResult

__all__ = [
    "MANY_KERNELS",
    "Hinge",
    "Loss",
    "MKLResult",
    "OneClass",
    "Setting",
    "Squared",
    "Tube",
    "one_blas_thread",
    "solve_mkl",
    "solve_path",
]
