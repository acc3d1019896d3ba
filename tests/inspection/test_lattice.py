"""Partial information of two to four sources, against dit, by hand, and by its properties."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mkfusion import Modalities
from mkfusion.inspection import information_lattice, partial_information

STORED = json.loads((Path(__file__).parent / "dit_lattices.json").read_text())
NAMES = "abcd"


def label(node: list[list[int]]) -> str:
    parts = sorted(node, key=lambda some: (len(some), some))
    return "".join("{" + ", ".join(NAMES[i] for i in some) + "}" for some in parts)


@pytest.mark.parametrize("problem", STORED["problems"], ids=lambda one: str(len(one["nodes"])))
def test_every_node_is_that_of_dit(problem) -> None:
    rows = np.repeat(problem["rows"], problem["counts"], axis=0)
    sources = dict(zip(NAMES, rows[:, :-1].T, strict=False))
    found = information_lattice(sources, rows[:, -1])
    assert len(found.parts) == len(problem["nodes"])
    for node, (redundancy, part) in problem["nodes"].items():
        name = label(json.loads(node))
        assert found.redundancies[name] == pytest.approx(redundancy, abs=1e-8)
        assert found.parts[name] == pytest.approx(part, abs=1e-8)
    assert sum(found.parts.values()) == pytest.approx(found.information)


def test_two_sources_are_those_of_partial_information() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(3, size=(2, 90))
    y = (a * b + rng.integers(2, size=90)) % 3
    two = partial_information(a, b, y, measure="i_min", names=("a", "b"))
    found = information_lattice(Modalities(a=a[:, np.newaxis], b=b[:, np.newaxis]), y)
    expected = [two.redundancy, two.unique_a, two.unique_b, two.synergy]
    nodes = ("{a}{b}", "{a}", "{b}", "{a, b}")
    np.testing.assert_allclose([found.parts[node] for node in nodes], expected, atol=1e-12)
    assert found.entropy == pytest.approx(two.entropy)


def test_copies_and_parity() -> None:
    bits = np.array([[i >> j & 1 for j in range(3)] for i in range(8)])
    copies = information_lattice(dict.fromkeys(NAMES, bits[:, 0]), bits[:, 0])
    assert copies.parts.pop("{a}{b}{c}{d}") == pytest.approx(1.0)
    assert max(copies.parts.values()) < 1e-12
    parity = information_lattice(dict(zip(NAMES, bits.T, strict=False)), bits.sum(axis=1) % 2)
    assert parity.parts["{a, b, c}"] == pytest.approx(1.0)
    assert str(parity) == "1.000 of 1.000 bits: {a, b, c} 1.000"
    assert parity.to_frame().shape == (18, 2)
    # Continuous columns in two halves each.
    noisy = {name: bit + 0.1 * np.arange(8) / 8 for name, bit in zip(NAMES, bits.T, strict=False)}
    binned = information_lattice(noisy, bits.sum(axis=1) % 2, bins=2)
    assert binned.parts["{a, b, c}"] == pytest.approx(1.0)


def published() -> dict[str, tuple[list[tuple[int, ...]], dict[str, float]]]:
    """Samples of sources and a target (the last), with what I_min says of them in the literature.

    AND: Williams and Beer (2010), figures in Griffith and Koch (2014). Pointwise unique: Finn and
    Lizier (2018). The others: Griffith and Koch (2014), with all of the information at one node.
    """
    pairs = [(a, b) for a in (0, 1) for b in (0, 1)]
    triples = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    shared = 0.75 * math.log2(4 / 3)  # 0.311
    return {
        "AND": ([(a, b, a & b) for a, b in pairs], {"{a}{b}": shared, "{a, b}": 0.5}),
        "UNQ": ([(a, b, 2 * a + b) for a, b in pairs], {"{a}{b}": 1.0, "{a, b}": 1.0}),
        "PWUNQ": (
            [(0, 1, 0), (1, 0, 0), (0, 2, 1), (2, 0, 1)],
            {"{a}{b}": 0.5, "{a, b}": 0.5},
        ),
        "XORDUPLICATE": ([(a, b, a, a ^ b) for a, b in pairs], {"{a, b}{b, c}": 1.0}),
        "XORLOSES": ([(a, b, a ^ b, a ^ b) for a, b in pairs], {"{c}{a, b}": 1.0}),
        "XORMULTICOAL": (
            [(2 * a + b, 2 * a + c, 2 * b + c, a ^ b ^ c) for a, b, c in triples],
            {"{a, b}{a, c}{b, c}": 1.0},
        ),
    }


@pytest.mark.parametrize("name", published())
def test_examples_of_the_literature(name) -> None:
    rows, parts = published()[name]
    table = np.array(rows)
    found = information_lattice(dict(zip(NAMES, table[:, :-1].T, strict=False)), table[:, -1])
    assert {node: bits for node, bits in found.parts.items() if bits > 1e-9} == pytest.approx(parts)


def test_zero_has_no_sign() -> None:
    a = np.array([0, 0, 1, 1])
    b = np.array([0, 1, 0, 1])
    for y in (a, b, a ^ b, a & b, np.zeros(4, dtype=int)):
        for measure in ("broja", "i_min"):
            found = partial_information(a, b, y, measure=measure)
            values = [v for v in vars(found).values() if isinstance(v, float)]
            assert min(values) >= 0.0
            assert all(math.copysign(1.0, v) == 1.0 for v in values)
            assert "-" not in str(found)
            assert "-" not in found.to_frame().round(3)["bits"].to_string()
        lattice = information_lattice({"a": a, "b": b, "c": a}, y)
        values = [*lattice.parts.values(), *lattice.redundancies.values(), lattice.entropy]
        assert all(math.copysign(1.0, v) == 1.0 for v in values)


def test_refusals() -> None:
    a = np.array([0, 0, 1, 1])
    three = dict.fromkeys("abc", a)
    for sources, options, error, message in (
        (three, {"measure": "broja"}, ValueError, "defined for two sources"),
        (three, {"measure": "i_ccs"}, ValueError, "measure is 'i_ccs'"),
        ({"a": a}, {}, ValueError, "1 entries"),
        (dict.fromkeys("abcde", a), {}, ValueError, "7579 nodes"),
        ([a, a], {}, TypeError, "sources is a list"),
        ({"a": a, "b": [0.5, np.nan, 1, 2]}, {"bins": 2}, ValueError, "NaN"),
        ({"a": a, 1: a, "1": a}, {}, ValueError, "sources has '1' more than once"),
        (three, {"bins": 1}, ValueError, "bins"),
        ({"a": a, "b": a[:3]}, {}, ValueError, "3"),
    ):
        with pytest.raises(error, match=message):
            information_lattice(sources, a, **options)
    with pytest.raises(ValueError, match="strict"):
        information_lattice({"y": np.tile(a, 10), "strict": np.arange(40)}, np.tile(a, 10))
