"""Files of other programs, written here by their published formats."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    MKLClassifier,
    Modalities,
    PrecomputedKernel,
    load_gcta,
    load_libsvm,
)

rng = np.random.default_rng(0)
GENOTYPES = rng.integers(0, 3, size=(20, 60)).astype(float)
STANDARD = (GENOTYPES - GENOTYPES.mean(axis=0)) / GENOTYPES.std(axis=0)
GRM = STANDARD @ STANDARD.T / 60
PEOPLE = [f"NA{i}" for i in rng.permutation(20)]


def write_ids(prefix, families: list[str], people: list[str], header: str = "") -> None:
    lines = [f"{family}\t{one}\n" for family, one in zip(families, people, strict=True)]
    prefix.with_suffix(".grm.id").write_text(header + "".join(lines))


def write_binary(prefix, gram: np.ndarray) -> None:
    """The lower triangle with the diagonal, row by row, each a little-endian float of 4 bytes."""
    with open(prefix.with_suffix(".grm.bin"), "wb") as values:
        for i in range(len(gram)):
            for j in range(i + 1):
                values.write(struct.pack("<f", gram[i, j]))
    with open(prefix.with_suffix(".grm.N.bin"), "wb") as counts:
        counts.write(struct.pack("<f", 60.0) * (len(gram) * (len(gram) + 1) // 2))


def write_text(prefix, gram: np.ndarray) -> None:
    """Lines of two samples, counted from 1, the number of SNPs, and the value."""
    with gzip.open(prefix.with_suffix(".grm.gz"), "wt") as file:
        for i in range(len(gram)):
            for j in range(i + 1):
                file.write(f"{i + 1}\t{j + 1}\t6.000000e+01\t{gram[i, j]:.6e}\n")


@pytest.fixture
def chip(tmp_path):
    write_ids(tmp_path / "chip", ["f"] * 20, PEOPLE)
    return tmp_path / "chip"


@pytest.mark.parametrize("ending", ["", ".grm", ".grm.bin", ".grm.id"])
def test_binary(chip, ending) -> None:
    write_binary(chip, GRM)
    kernel = load_gcta(f"{chip}{ending}", name="chip 1")
    assert isinstance(kernel, PrecomputedKernel)
    assert kernel.ids == PEOPLE
    assert kernel.gram.dtype == np.float32
    np.testing.assert_array_equal(kernel.gram, GRM.astype(np.float32))
    asked = [PEOPLE[i] for i in (7, 2, 11)]
    found = kernel.fit(PEOPLE[:9])(asked, PEOPLE[:9])
    np.testing.assert_array_equal(found, GRM.astype(np.float32)[np.ix_([7, 2, 11], range(9))])
    assert kernel._label() == "chip 1"


def test_text(chip) -> None:
    write_text(chip, GRM)
    kernel = load_gcta(chip)
    np.testing.assert_allclose(kernel.gram, GRM, rtol=1e-6)
    np.testing.assert_array_equal(kernel.gram, kernel.gram.T)
    write_binary(chip, np.eye(20))  # then this one is read
    np.testing.assert_array_equal(load_gcta(chip).gram, np.eye(20))


def test_the_ids_of_families(tmp_path) -> None:
    write_binary(tmp_path / "a", GRM[:3, :3])
    write_ids(tmp_path / "a", ["f1", "f1", "f2"], ["1", "2", "1"])
    assert load_gcta(tmp_path / "a").ids == ["f1 1", "f1 2", "f2 1"]
    write_ids(tmp_path / "a", ["0"] * 3, ["1", "2", "3"], header="#FID\tIID\n")  # as of PLINK 2
    assert load_gcta(tmp_path / "a").ids == ["1", "2", "3"]


def test_in_a_pipeline(chip) -> None:
    write_binary(chip, GRM)
    y = (GENOTYPES[:, :5].sum(axis=1) > 5).astype(int)
    age = rng.normal(size=(20, 1))
    order = rng.permutation(20)
    X = Modalities(genome=[PEOPLE[i] for i in order], age=age[order])
    model = make_pipeline(
        ColumnKernelizer([("genome", load_gcta(chip), "genome"), ("age", "rbf", "age")]),
        MKLClassifier(C=10, p=2),
    )
    computed = make_pipeline(
        ColumnKernelizer([("genome", "linear", "genome"), ("age", "rbf", "age")]),
        MKLClassifier(C=10, p=2),
    )
    train, test = np.arange(14), np.arange(14, 20)
    found = model.fit(X[train], y[order][train]).decision_function(X[test])
    Z = Modalities(genome=STANDARD[order], age=age[order])
    expected = computed.fit(Z[train], y[order][train]).decision_function(Z[test])
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_what_is_no_grm(chip) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither .*chip\.grm\.bin nor .*chip\.grm\.gz"):
        load_gcta(chip)
    with pytest.raises(FileNotFoundError, match=r"other\.grm\.id"):
        load_gcta(chip.with_name("other"))
    write_text(chip, GRM[:19, :19])
    with pytest.raises(
        ValueError, match="has 190 lines; expected 210, one for each pair of the 20"
    ):
        load_gcta(chip)
    write_text(chip, np.eye(21))
    with pytest.raises(ValueError, match="has samples 1 to 21; expected 1 to 20"):
        load_gcta(chip)
    with gzip.open(chip.with_suffix(".grm.gz"), "wt") as file:
        file.write("1 1 0.5\n")
    with pytest.raises(ValueError, match="has lines of 3 fields; expected 4"):
        load_gcta(chip)
    write_binary(chip, GRM[:19, :19])
    with pytest.raises(ValueError, match="has 760 bytes; expected 840, the lower triangle"):
        load_gcta(chip)
    for line, found in (("", "no line"), ("f 1 2\n", "a line 'f 1 2'")):
        chip.with_suffix(".grm.id").write_text(line)
        with pytest.raises(ValueError, match=f"{found}; expected the ids of a family"):
            load_gcta(chip)


def write_libsvm(path, gram: np.ndarray, y: np.ndarray, numbers) -> None:
    with open(path, "w") as file:
        for label, number, row in zip(y, numbers, gram, strict=True):
            values = " ".join(f"{j}:{value!r}" for j, value in enumerate(row.tolist(), start=1))
            file.write(f"{label} 0:{number} {values}\n")


def test_libsvm(tmp_path) -> None:
    y = np.where(GENOTYPES[:, 0] > 0, 1, -1)
    train, test = np.arange(12), np.arange(12, 20)
    write_libsvm(tmp_path / "train", GRM[np.ix_(train, train)], y[train], train + 1)
    write_libsvm(tmp_path / "test", GRM[np.ix_(test, train)], y[test], [0] * 8)  # of no meaning
    gram, labels = load_libsvm(tmp_path / "train")
    np.testing.assert_array_equal(gram, GRM[np.ix_(train, train)])
    np.testing.assert_array_equal(labels, y[train])
    new, new_labels = load_libsvm(str(tmp_path / "test"))
    np.testing.assert_array_equal(new, GRM[np.ix_(test, train)])
    np.testing.assert_array_equal(new_labels, y[test])
    model = MKLClassifier(tol=1e-8).fit([gram], labels)
    machine = SVC(kernel="precomputed", tol=1e-8).fit(GRM[np.ix_(train, train)], y[train])
    np.testing.assert_allclose(
        model.decision_function([new]),
        machine.decision_function(GRM[np.ix_(test, train)]),
        atol=1e-4,
    )


def test_libsvm_lines_in_another_order(tmp_path) -> None:
    order = rng.permutation(20)
    write_libsvm(tmp_path / "train", GRM[order], np.arange(20), order + 1)  # columns as they were
    gram, labels = load_libsvm(tmp_path / "train")
    np.testing.assert_array_equal(gram, GRM[np.ix_(order, order)])
    np.testing.assert_array_equal(labels, np.arange(20))


def test_features_are_no_kernel(tmp_path) -> None:
    (tmp_path / "features").write_text("1 1:0.5 3:2\n-1 2:0.25\n")
    with pytest.raises(ValueError, match="has no numbers of samples.*load_svmlight_file"):
        load_libsvm(tmp_path / "features")
