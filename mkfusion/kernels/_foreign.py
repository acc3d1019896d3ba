"""Kernels in the files of other programs."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from mkfusion._types import Floats
from mkfusion.kernels._precomputed import PrecomputedKernel

_GCTA_ENDINGS = (".grm.bin", ".grm.gz", ".grm.id", ".grm.N.bin", ".grm")


def load_gcta(prefix: str | os.PathLike[str], *, name: str = "gcta") -> PrecomputedKernel:
    r"""Read a genetic relationship matrix that GCTA or PLINK wrote.

    Parameters
    ----------
    prefix : str or path-like
        What the program was called with: the files are ``prefix.grm.id`` and ``prefix.grm.bin``
        (``--make-grm-bin``), or ``prefix.grm.gz`` (``--make-grm-gz``) where there is no such. One
        of their names will do. The numbers of SNPs, ``prefix.grm.N.bin``, are not needed.
    name : str, default="gcta"
        What to call the kernel in a stack.

    Returns
    -------
    PrecomputedKernel
        Not fitted. Its `gram` (n, n) is float32 from ``.grm.bin`` and float64 from ``.grm.gz``; its
        `ids` are the individuals' ids, strings, and "family individual" where an individual's id
        occurs in several families.

    Raises
    ------
    FileNotFoundError
        If a file is lacking.
    ValueError
        If it is something else, or cut off.

    Notes
    -----
    GCTA standardises genotypes by the allele frequencies of all samples, those held out too.
    Relationships are at most of a few percent between unrelated people: let
    :class:`~mkfusion.ColumnKernelizer` normalise the kernel.

    References
    ----------
    Yang, Lee, Goddard and Visscher, "GCTA: a tool for genome-wide complex trait analysis", American
    Journal of Human Genetics 88, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from mkfusion import load_gcta
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "chip.grm.id").write_text("f1\tanna\nf1\tben\n")
    ...     np.array([1.0, 0.5, 0.75], dtype="<f4").tofile(Path(folder, "chip.grm.bin"))
    ...     kernel = load_gcta(Path(folder, "chip"))
    >>> kernel.fit(["anna", "ben"])(["ben", "anna"])
    array([[0.75, 0.5 ],
           [0.5 , 1.  ]], dtype=float32)
    """
    stem = os.fspath(prefix)
    for ending in _GCTA_ENDINGS:
        if stem.endswith(ending):
            stem = stem.removesuffix(ending)
            break
    names, binary, text = (Path(stem + ending) for ending in (".grm.id", ".grm.bin", ".grm.gz"))
    ids = _gcta_ids(names)
    if not binary.exists() and not text.exists():
        raise FileNotFoundError(f"neither {binary} nor {text} is there; expected one of them.")
    gram = (_gcta_binary if binary.exists() else _gcta_text)(
        binary if binary.exists() else text, len(ids)
    )
    return PrecomputedKernel(gram, ids, name=name)


def _gcta_ids(path: Path) -> list[str]:
    """Return the ids of individuals, with their families where they need them."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [fields for fields in lines if fields and not fields[0].startswith("#")]
    wrong = [fields for fields in pairs if len(fields) > 2]
    if wrong or not pairs:
        found = f"a line {' '.join(wrong[0])!r}" if wrong else "no line"
        raise ValueError(
            f"{path} has {found}; expected the ids of a family and of an individual on each."
        )
    ids = [fields[-1] for fields in pairs]
    return ids if len(set(ids)) == len(ids) else [" ".join(fields) for fields in pairs]


def _gcta_binary(path: Path, n: int) -> NDArray[np.float32]:
    """Return the matrix of which the lower triangle is in a file, row by row."""
    size, expected = path.stat().st_size, 2 * n * (n + 1)
    if size != expected:
        raise ValueError(
            f"{path} has {size} bytes; expected {expected}, the lower triangle between the {n} "
            "samples of the ids' file in single precision."
        )
    triangle = np.fromfile(path, dtype="<f4").astype(np.float32, copy=False)
    gram = np.empty((n, n), dtype=np.float32)
    start = 0
    for i in range(n):
        row = triangle[start : start + i + 1]
        gram[i, : i + 1] = row
        gram[: i + 1, i] = row
        start += i + 1
    return gram


def _gcta_text(path: Path, n: int) -> Floats:
    """Return the matrix of lines "i j number-of-SNPs value", which count from 1."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines: Any = np.loadtxt(file, dtype=np.float64, ndmin=2)
    if lines.shape[1] != 4:
        raise ValueError(f"{path} has lines of {lines.shape[1]} fields; expected 4.")
    i, j = (lines[:, field].astype(np.intp) - 1 for field in (0, 1))
    if i.min() < 0 or j.min() < 0 or max(i.max(), j.max()) >= n:
        raise ValueError(
            f"{path} has samples {min(i.min(), j.min()) + 1} to {max(i.max(), j.max()) + 1}; "
            f"expected 1 to {n}, those of the ids' file."
        )
    seen = np.zeros((n, n), dtype=bool)
    seen[i, j] = seen[j, i] = True
    if not seen.all() or len(lines) != n * (n + 1) // 2:
        raise ValueError(
            f"{path} has {len(lines)} lines; expected {n * (n + 1) // 2}, one for each pair of the "
            f"{n} samples of the ids' file."
        )
    gram = np.empty((n, n))
    gram[i, j] = gram[j, i] = lines[:, 3]
    return gram


def load_libsvm(path: str | os.PathLike[str]) -> tuple[Floats, Floats]:
    r"""Read a precomputed kernel as LIBSVM takes it (``svm-train -t 4``).

    Each line is ``label 0:number 1:value 2:value ...``: the values of one sample with all training
    samples, whose numbers count from 1.

    Parameters
    ----------
    path : str or path-like
        Also compressed by gzip or bzip2 where the name ends so.

    Returns
    -------
    gram : ndarray of shape (n_samples, n_train)
        One of the kernels that ``MKLClassifier().fit([gram], y)`` takes, or ``predict`` where the
        samples are new. In a file of all training samples, columns are in the order of the lines.
    y : ndarray of shape (n_samples,)
        The labels.

    Raises
    ------
    ValueError
        If it is something else, as a file of features is.

    See Also
    --------
    sklearn.datasets.load_svmlight_file : For files of features.

    References
    ----------
    Chang and Lin, "LIBSVM: a library for support vector machines", ACM Transactions on Intelligent
    Systems and Technology 2, 2011; the README of LIBSVM has the format.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from mkfusion import load_libsvm
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train").write_text("1 0:1 1:4 2:6\n-1 0:2 1:6 2:18\n")
    ...     gram, y = load_libsvm(Path(folder, "train"))
    >>> gram
    array([[ 4.,  6.],
           [ 6., 18.]])
    >>> y
    array([ 1., -1.])
    """
    sparse, y = load_svmlight_file(os.fspath(path), zero_based=True)
    table = sparse.toarray()
    if table.shape[1] < 2 or np.count_nonzero(sparse.indices == 0) < len(table):
        raise ValueError(
            f"{os.fspath(path)} has no numbers of samples, 0:1, 0:2, ...; expected a precomputed "
            "kernel. Features are read by sklearn.datasets.load_svmlight_file."
        )
    numbers, gram = table[:, 0], table[:, 1:]
    if gram.shape[0] == gram.shape[1]:
        if np.array_equal(np.sort(numbers), np.arange(1.0, len(gram) + 1)):
            gram = gram[:, numbers.astype(np.intp) - 1]
    return np.ascontiguousarray(gram), y
