"""Which strings are sequences of letters, rather than words, names, ids or codes."""

import re
from itertools import product

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from mkfusion.data import Column, holds_sequences, read_column
from mkfusion.datasets import load_promoters

rng = np.random.default_rng(0)
ACIDS = "ACDEFGHIKLMNPQRSTVWY"
DNA = load_promoters().data["sequence"]
# Some of human haemoglobin, insulin, ubiquitin and others, and pieces of them.
PROTEINS = [
    "MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKKVADALTNAVAHVDDMPNALSALSDLHAHKLR",
    "MVHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAHLDNLKGTFATLSELH",
    "MALWMRLLPLLALLALWGPDPAAAFVNQHLCGSHLVEALYLVCGERGFFYTPKTRREAEDLQVGQVELGGGPGAGSLQPLALEGSLQKRGIVE",
    "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG",
]
PEPTIDES = [protein[i : i + 9] for protein in PROTEINS for i in range(0, 60, 9)]
WORDS = {
    word
    for load in (load_breast_cancer, load_diabetes, load_iris, load_wine)
    for word in re.findall("[a-z]{8,}", load().DESCR)
}
NAMES = """alexander benedikt charlotte dominique elisabeth frederick giovanni henriette johannes
    katherine leonardo margarete nathaniel octavian penelope sebastian theodore valentina""".split()
MEDICINES = """PARACETAMOL IBUPROFEN METFORMIN AMLODIPINE SIMVASTATIN RAMIPRIL LISINOPRIL ATENOLOL
    DICLOFENAC MORPHINE TRAMADOL WARFARIN CLOPIDOGREL SERTRALINE DIAZEPAM PREDNISOLONE""".split()


def of_letters(alphabet: str, length: int, n: int = 30) -> list[str]:
    return ["".join(row) for row in rng.choice(list(alphabet), (n, length))]


def column(strings) -> Column:
    return read_column(np.array([*strings], dtype=object), "c")


@pytest.mark.parametrize(
    "strings",
    [
        DNA,
        [*DNA, None],
        [string.upper() for string in DNA],
        [string.replace("t", "u") for string in DNA],
        [string[:20].upper() + string[20:] for string in DNA],
        [string[: 20 + i % 9] for i, string in enumerate(DNA)],
        [f"{string[:9]}---{string[9:]}" for string in DNA],
        [f"{string}n" for string in DNA],
        [string[:17] for string in DNA[:10]],
        [*DNA[:30], *DNA[:20]],
        of_letters("HEC", 8),
        of_letters("ABCDE", 20),
        PEPTIDES,
        [f"{peptide}*" for peptide in PEPTIDES],
        [peptide.lower() for peptide in PEPTIDES],
        of_letters(ACIDS, 40),
        [string + "U" for string in of_letters(ACIDS, 150)],
    ],
)
def test_sequences(strings) -> None:
    assert holds_sequences(column(strings))


@pytest.mark.parametrize(
    "strings",
    [
        WORDS,
        [word.upper() for word in WORDS],
        NAMES,
        [name.title() for name in NAMES],
        [name.upper() for name in NAMES],
        MEDICINES,
        ["-".join(pair) for pair in product(NAMES[:6], MEDICINES[:6])],
        ["level 1", "level 2", "level 3"] * 9,
        [f"level {i}" for i in range(50)],
        [f"{i:09d}" for i in range(50)],
        [f"TCGA-AG-{i:04d}" for i in range(50)],
        ["SAMPLE" + "".join(pair) for pair in product("ACDEF", repeat=2)],  # they count in letters
        of_letters("01", 20),
        of_letters("0123456789abcdef", 32),
        of_letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 20),
        of_letters("acgt", 7),
        of_letters("acgtACGTnN-", 7),
        of_letters("åäöé", 9),
        ["acgtacgt cgta", *DNA],
        [f"{string}." for string in DNA],
        DNA[:9],  # too few to tell
        [*DNA[:10]] * 2,  # categories: each twice
        ["a" * i for i in range(8, 30)],
        ["-" * i for i in range(8, 30)],
        [""] * 20,
        of_letters(ACIDS, 20)[:10] + [word.title() for word in NAMES],
        [*DNA, 1],
        [string.encode() for string in DNA],
        range(50),
        [None] * 20,
    ],
)
def test_other_strings(strings) -> None:
    assert not holds_sequences(column(strings))


def test_a_categorical_column_holds_categories() -> None:
    pandas = pytest.importorskip("pandas")
    assert holds_sequences(read_column(pandas.Series(DNA), "c"))
    assert not holds_sequences(read_column(pandas.Series(DNA, dtype="category"), "c"))
