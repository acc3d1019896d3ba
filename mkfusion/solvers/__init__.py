"""Solvers of multiple kernel learning and their certificates: arrays in, named tuples out.

Importing this package imports Numba; nothing is compiled before the first solve.
"""

from mkfusion.solvers._mkl import MKLResult, solve_mkl

__all__ = ["MKLResult", "solve_mkl"]
