"""Figures of other solvers that are quoted, not measured in the run that prints them."""

from __future__ import annotations

from typing import NamedTuple

SOURCE = (
    "quoted: mkfusion's measurements of the authors' codes on two noisy cores of another run "
    "(November 2026), breast cancer, n = 569, m = 30 RBF and polynomial kernels of unit trace"
)
LARGER_SOURCE = "quoted: the same run, n about 1000"
RATIO_SOURCE = (
    "quoted: the same run; whole fit as a multiple of averaging the kernels and fitting one SVC"
)


class Quoted(NamedTuple):
    """Seconds of one fit; None where the code failed or was not run."""

    solver: str
    p: float
    C: float
    seconds: float | None
    note: str


_SMO_MKL = "SMO-MKL, C++ of Vishwanathan et al., NIPS 2010; penalty form, eps 1e-3"
_SPG = "SPG-GMKL, C++ of its authors"
_SHOGUN_LIGHT = "SHOGUN 3.2, interleaved SVMlight"
_SHOGUN_LIBSVM = "SHOGUN 3.2, LibSVM wrapper"

SAME_KIND = (
    Quoted(_SMO_MKL, 1.1, 1.0, 0.057, ""),
    Quoted(_SMO_MKL, 2.0, 1.0, 0.054, ""),
    Quoted(_SMO_MKL, 1.1, 100.0, 0.077, ""),
    Quoted(_SMO_MKL, 2.0, 100.0, 0.073, ""),
    Quoted(_SPG, 1.1, 1.0, 0.162, ""),
    Quoted(_SPG, 2.0, 1.0, 0.118, ""),
    Quoted(_SPG, 1.1, 100.0, None, "fails"),
    Quoted(_SHOGUN_LIGHT, 1.1, 1.0, 0.190, ""),
    Quoted(_SHOGUN_LIGHT, 2.0, 1.0, 0.120, ""),
    Quoted(_SHOGUN_LIGHT, 1.1, 100.0, 0.272, ""),
    Quoted(_SHOGUN_LIBSVM, 1.1, 1.0, 47.0, ""),
    Quoted(_SHOGUN_LIBSVM, 2.0, 1.0, 6.8, ""),
    Quoted(_SHOGUN_LIBSVM, 1.1, 100.0, 17.1, ""),
)

# At p = 1, for three values of C.
SPARSE = (
    (_SPG, "0.13 / 0.27 / 0.67 s"),
    ("SimpleMKL, Matlab code in Octave, gap 1e-3", "2.3 / 4.8 / 64.6 s"),
)

# n about 1000, C = 10, p = 1.33 and 2, by the number of kernels.
LARGER = (
    (10, "0.075 to 0.096 s"),
    (50, "0.47 to 0.70 s"),
    (200, "2.5 s"),
)

# Peer, breast cancer with n = 569 and m = 20, digits with n = 1797 and m about 50.
RATIOS = (
    ("MKLpy EasyMKL", "6.9", "10.1"),
    ("MKLpy AverageMKL", "2.2", "3.7"),
    ("MKLpy RMKL", "231", "-"),
    ("MKLpy GRAM", "315", "-"),
    ("MKLpy CKA", "601", "-"),
    ("MKLpy MEMO", "3010", "-"),
    ("himalaya, fixed weights", "34", "57"),
    ("himalaya, random search", "2493", "-"),
    ("himalaya, hyper-gradient", "5121", "-"),
    ("scikit-multimodallearn MKL", "378", "-"),
    ("mklaren ALIGNF", "1055", "-"),
    ("mklaren ALIGN", "61", "249"),
)
