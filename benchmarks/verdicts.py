"""How often tests and comparisons are wrong: simulated samples, of which the truth is known.

Information: the tests of added_information and interaction_information, in cells of which each has
a range that its share of claims, in per cent, is to be in. "fusion": no single modality says all;
"interactions": they interact; "adds XY": any of these modalities adds to all others, by Holm. Where
a claim is false, its share is an error rate, which alpha = 0.05 is to bound; where it is true, the
power. error: Monte Carlo standard error of the share, in points. inside: "near" is outside by less
than two of those that the nearest bound would have.

Prediction: each run draws n samples of two modalities of three columns and asks compare_fusion,
with few values to tune. helps, complementary, lower: share of runs with that verdict; interact:
share of runs that say "they interact". fusion and interactions: whether they do help in truth.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import numpy as np
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.utils.parallel import Parallel, delayed

from benchmarks._report import Report
from benchmarks._truths import (
    LINEAR,
    N_WIDE,
    NARROW,
    Truth,
    correlated_total,
    nothing,
    only_a,
    product,
    rbf_kernels,
    simulate,
    total,
    weak_b,
    wide_a,
    wiggly,
)
from mkfusion import Modalities
from mkfusion.compare import compare_fusion
from mkfusion.inspection import added_information, interaction_information

ALPHA = 0.05
# In per cent, of claims that are false
MOST_ERRORS = 8.0
# Of tests in cells without power to measure: a fifth of the defaults, for time. Fewer draws keep
# the level as well, and cost a little power.
DRAWS = {"n_signs": 399, "n_permutations": 199}


class Claim(NamedTuple):
    """What is claimed, and the range of its share in per cent.

    Attributes
    ----------
    what : str
        "fusion", "interactions", or "adds" and letters of modalities: that any of these does.
    least, most : float
    """

    what: str
    least: float
    most: float

    @property
    def is_true(self) -> bool:
        """Whether it is true, so that its share is a power."""
        return self.most > MOST_ERRORS


class Cell(NamedTuple):
    """A truth, what is made of its number, and what is claimed of it."""

    name: str
    truth: Truth
    task: str
    n: int
    claims: tuple[Claim, ...]
    run_share: float = 1.0


class Compared(NamedTuple):
    """A truth for whole comparisons, and whether fusion and interactions help."""

    name: str
    truth: Truth
    fusion: bool
    interactions: bool


class Grid(NamedTuple):
    """Cells of tests, their runs, truths of comparisons, their samples and runs."""

    cells: tuple[Cell, ...]
    cell_runs: int
    compared: tuple[Compared, ...]
    n: int
    n_runs: int


def fusion(least: float, most: float) -> Claim:
    """Claim that no single modality says all."""
    return Claim("fusion", least, most)


def interactions(least: float, most: float) -> Claim:
    """Claim that modalities interact."""
    return Claim("interactions", least, most)


def adds(which: str, least: float, most: float) -> Claim:
    """Claim that any of some modalities adds to all others."""
    return Claim(f"adds {which}", least, most)


A, AB, AXB = Truth(only_a), Truth(total), Truth(product)
CORRELATED = Truth(only_a, correlated=True)
BOTH = Truth(correlated_total, correlated=True)
GROUPS = {
    "20 x 4": (20, 4, 4),
    "20 x 2": (20, 2, 2),
    "60 x 4": (60, 4, 4),
    "20 x 1-6": (20, 1, 6),
}
COPY = {"C": "A"}
BOTH_TASKS = ("numbers", "classes")


def _two_modalities() -> list[Cell]:
    """Return cells in which A alone, or neither modality, says something."""
    skewed, copy = Truth(only_a, noise="skewed"), Truth(only_a, names="A", copies={"B": "A"})
    cells = [
        Cell("only A", A, "numbers", 80, (fusion(2, 7), interactions(1, 6))),
        Cell("only A", A, "classes", 80, (fusion(2, 7), interactions(2, 8))),
        Cell("only A", A, "10:90", 80, (fusion(2, 7),)),
        Cell("skewed noise, only A", skewed, "numbers", 80, (fusion(2, 7), interactions(1, 7))),
    ]
    for task in BOTH_TASKS:
        cells += [
            Cell("correlated, only A", CORRELATED, task, 80, (fusion(0, 7), interactions(0, 7))),
            Cell("noise", Truth(nothing), task, 80, (fusion(0, 3),)),
            Cell("copy", copy, task, 80, (fusion(0, 3),)),
        ]
    for task in BOTH_TASKS:
        for n, share in ((60, 1.0), (150, 0.6)):
            cells.append(Cell("only A", A, task, n, (fusion(2, 8), interactions(1, 8)), share))
    for task in BOTH_TASKS:
        cells += [
            Cell(f"only A, B missing ({kind})", truth, task, 80, (fusion(0, 8),))
            for kind in ("rows", "imputed")
            for truth in [Truth(only_a, missing=kind)]
        ]
    return cells


def _grouped() -> list[Cell]:
    """Return cells of subjects of which only A says something."""
    cells = []
    for (name, sizes), share in zip(GROUPS.items(), (1.0, 1.0, 0.3, 1.0), strict=True):
        null = (fusion(0, 7), interactions(0, 6))
        n = sizes[0] * (sizes[1] + sizes[2]) // 2
        cells.append(
            Cell(f"{name}, only A", Truth(only_a, 0.5, sizes=sizes), "numbers", n, null, share)
        )
    for name, truth, task in (
        ("only A", Truth(only_a, 0.5), "classes"),
        ("correlated", Truth(only_a, 0.5, correlated=True), "numbers"),
        ("noise", Truth(nothing, 0.5), "numbers"),
        ("constant y", Truth(only_a, 0.5, constant=True), "numbers"),
    ):
        truth = truth._replace(sizes=GROUPS["20 x 4"])
        cells.append(Cell(f"20 x 4, {name}", truth, task, 80, (fusion(0, 7), interactions(0, 7))))
    return cells


def _several() -> list[Cell]:
    """Return cells of three and four modalities."""
    return [
        Cell(name, truth, "numbers", 80, claims)
        for name, truth, claims in (
            ("M = 3, only A", Truth(only_a, names="ABC"), (fusion(0, 7), adds("BC", 0, 5))),
            ("M = 3, only A = C", Truth(only_a, copies=COPY), (fusion(0, 7), adds("ABC", 0, 5))),
            ("M = 4, only A", Truth(only_a, names="ABCD"), (fusion(0, 7), adds("BCD", 0, 5))),
            (
                "M = 3, A and B",
                Truth(total, names="ABC"),
                (fusion(95, 100), adds("B", 95, 100), adds("C", 0, 5)),
            ),
            (
                "M = 3, A = C and B",
                Truth(total, copies=COPY),
                (fusion(95, 100), adds("B", 95, 100), adds("AC", 0, 5)),
            ),
            (
                "M = 3, A x B",
                Truth(product, 0.5, names="ABC"),
                (fusion(50, 90), interactions(75, 100)),
            ),
        )
    ]


def _three_classes() -> list[Cell]:
    null = (fusion(0, 7), interactions(0, 7))
    return [
        Cell("only A", A, "three", 80, null),
        Cell("only A", A, "75:15:10", 80, null),
        Cell("sum", AB, "softmax", 80, (interactions(0, 8),)),
        Cell("sum", AB, "ordered", 80, (interactions(0, 8),)),
        Cell("product", AXB, "three", 80, (fusion(85, 100), interactions(90, 100))),
    ]


def _other_kernels() -> list[Cell]:
    wide, both = {"A": N_WIDE}, {"A": N_WIDE, "B": N_WIDE}
    return [
        Cell(f"{name}, only A", truth, task, 80, (fusion(0, 7),))
        for task in BOTH_TASKS
        for name, truth in (
            ("wide linear", Truth(wide_a, width=wide, kernel=LINEAR)),
            ("both wide linear", Truth(wide_a, width=both, kernel=LINEAR)),
            ("narrow RBF", Truth(only_a, kernel=NARROW)),
        )
    ]


def _other_data() -> list[Cell]:
    """Return cells of modalities that are no columns of numbers."""
    cells = []
    for kind in ("series", "texts", "graphs", "categories", "mixed"):
        null = (fusion(0, 7), interactions(0, 7))
        cells += [
            Cell(f"{kind}, only A", Truth(only_a, kind=kind), task, 80, null) for task in BOTH_TASKS
        ]
    return cells


def _effects() -> list[Cell]:
    """Return cells in which both modalities say something."""
    cells = [
        Cell("sum", AB, "numbers", 80, (fusion(95, 100), interactions(0, 7))),
        Cell("sum", AB, "classes", 80, (fusion(95, 100), interactions(0, 7))),
        Cell("sum", AB, "10:90", 80, (interactions(0, 7),)),
        Cell("both, correlated", BOTH, "numbers", 80, (fusion(80, 100), interactions(0, 7))),
        Cell("product", AXB, "numbers", 80, (fusion(90, 100), interactions(90, 100))),
        Cell("product", AXB, "classes", 80, (fusion(90, 100), interactions(80, 100))),
        Cell("product", AXB, "classes", 60, (fusion(60, 85), interactions(80, 97))),
    ]
    for name, signal, claims in (
        ("sum", total, (fusion(55, 85),)),
        ("product", product, (fusion(75, 97), interactions(90, 100))),
    ):
        truth = Truth(signal, 0.5, sizes=GROUPS["20 x 4"])
        cells.append(Cell(f"20 x 4, {name}", truth, "numbers", 80, claims))
    weak, wiggle = Truth(weak_b, r2=0.5), Truth(wiggly)
    for truth, name, task, ranges in (
        (weak, "weak B", "numbers", ((35, 65), (55, 75), (90, 100))),
        (weak, "weak B", "classes", ((10, 35), (20, 40), (50, 85))),
        (wiggle, "wiggly B", "numbers", ((5, 25), (15, 32), (80, 100))),
    ):
        for n, share, wanted in zip((60, 80, 150), (1.0, 1.0, 0.4), ranges, strict=True):
            cells.append(Cell(name, truth, task, n, (fusion(*wanted),), share))
    return cells


def _large() -> list[Cell]:
    claims = (fusion(2, 8), interactions(1, 8))
    return [Cell("only A", A, task, 400, claims, 0.2) for task in BOTH_TASKS]


def _by_default() -> list[Cell]:
    """Return cells with the kernels that "auto" gives numbers."""
    cells = []
    for task in BOTH_TASKS:
        for name, signal, claims in (
            ("only A", only_a, (fusion(2, 8), interactions(1, 8))),
            ("sum", total, (fusion(95, 100), interactions(0, 7))),
            ("product", product, (fusion(90, 100), interactions(80, 100))),
        ):
            truth = Truth(signal, kernel="auto")
            cells.append(Cell(f"auto, {name}", truth, task, 80, claims))
    return cells


COMPARED = (
    Compared("noise", Truth(nothing), False, False),
    Compared("one modality", A, False, False),
    Compared("copies", Truth(only_a, names="A", copies={"B": "A"}), False, False),
    Compared("sum", AB, True, False),
    Compared("product", AXB, True, True),
)
CELLS = (
    *_two_modalities(),
    *_grouped(),
    *_several(),
    *_three_classes(),
    *_other_kernels(),
    *_other_data(),
    *_effects(),
    *_by_default(),
    *_large(),
)
FULL = Grid(CELLS, 500, COMPARED, 80, 60)
QUICK = Grid(CELLS, 10, COMPARED, 80, 4)
METHODS = ["early", "late_mean", "uniform", "l1_mkl", "products"]
CELL_COLUMNS = "truth task n claim runs least most share error inside".split()
COLUMNS = "truth task n runs fusion interactions helps complementary lower interact".split()


def seed_of(name: str, task: str, run: int) -> int:
    """Return a seed of its own for each draw."""
    return crc32(f"{name} {task} {run}".encode())


def claims_of(cell: Cell, run: int) -> list[bool]:
    """Return which of the claims of a cell are made about one draw."""
    seed = seed_of(cell.name, cell.task, run)
    drawn = simulate(cell.truth, cell.task, cell.n, np.random.default_rng(seed))
    options = {
        "groups": drawn.groups,
        "task": "regression" if drawn.y.dtype.kind == "f" else "classification",
        "random_state": seed,
        **({} if any(claim.is_true for claim in cell.claims) else DRAWS),
    }
    X = drawn.X
    if isinstance(X, Modalities) and X.present().all():
        X = rbf_kernels(X)  # once for both
    questions = {claim.what for claim in cell.claims}
    made: dict[str, bool] = {}
    if questions - {"interactions"}:
        found = added_information(X, drawn.y, **options)
        made["fusion"] = found.pvalue <= ALPHA
        for what in questions - {"fusion", "interactions"}:
            letters = what.removeprefix("adds ")
            some = [name[0] in letters for name in found.modality_names]
            made[what] = bool((found.adjusted_pvalues[some] <= ALPHA).any())
    if "interactions" in questions:
        made["interactions"] = interaction_information(X, drawn.y, **options).pvalue <= ALPHA
    return [made[claim.what] for claim in cell.claims]


def run_cells(report: Report, grid: Grid) -> None:
    """Simulate every cell, and say which shares are outside of their range."""
    table = report.table("information", CELL_COLUMNS)
    outside = 0
    for cell in grid.cells:
        n_runs = max(2, round(grid.cell_runs * cell.run_share))
        made = np.array(
            Parallel(n_jobs=-1)(delayed(claims_of)(cell, run) for run in range(n_runs)), dtype=float
        )
        for claim, share in zip(cell.claims, 100 * made.mean(axis=0), strict=True):
            error = np.sqrt(share * (100 - share) / n_runs)
            bound = min(max(share, claim.least), claim.most)
            beyond, tolerated = abs(share - bound), 2 * np.sqrt(bound * (100 - bound) / n_runs)
            inside = "yes" if beyond == 0.0 else "near" if beyond < tolerated else "no"
            outside += inside == "no"
            table.add(
                truth=cell.name,
                task=cell.task,
                n=cell.n,
                claim=claim.what,
                runs=n_runs,
                least=claim.least,
                most=claim.most,
                share=float(share),
                error=float(error),
                inside=inside,
            )
    report.say()
    report.target("cells outside of their range", outside, 0)
    report.say()


def ask(compared: Compared, task: str, n: int, run: int) -> tuple[str, str]:
    """Return what one comparison says of fusion and of interactions."""
    seed = seed_of(compared.name, task, run)
    drawn = simulate(compared.truth, task, n, np.random.default_rng(seed))
    kind = "classification" if task == "classes" else "regression"
    repeated = RepeatedStratifiedKFold if task == "classes" else RepeatedKFold
    cv = repeated(n_splits=5, n_repeats=5, random_state=run)
    found = compare_fusion(
        drawn.X, drawn.y, task=kind, cv=cv, methods=METHODS, fast=True, random_state=run
    )
    assert found.interactions_ is not None
    return found.verdict_.verdict, found.interactions_.verdict


def compare(report: Report, grid: Grid) -> None:
    """Simulate whole comparisons, and compare the rates of errors with alpha."""
    table = report.table("verdicts", COLUMNS)
    wrong: list[bool] = []
    for one in grid.compared:
        for task in ("classes", "numbers"):
            said = Parallel(n_jobs=-1)(
                delayed(ask)(one, task, grid.n, run) for run in range(grid.n_runs)
            )
            helps = [of_fusion == "helps" for of_fusion, _ in said]
            interact = [of_interactions == "they interact" for _, of_interactions in said]
            wrong += [] if one.fusion else helps
            wrong += [] if one.interactions else interact
            table.add(
                truth=one.name,
                task=task,
                n=grid.n,
                runs=grid.n_runs,
                fusion="yes" if one.fusion else "no",
                interactions="yes" if one.interactions else "no",
                helps=float(np.mean(helps)),
                complementary=float(np.mean([said_one == "complementary" for said_one, _ in said])),
                lower=float(np.mean([said_one == "lower" for said_one, _ in said])),
                interact=float(np.mean(interact)),
            )
    report.say()
    report.target(f"wrong claims, of {len(wrong)}", float(np.mean(wrong)), ALPHA)
    report.say()


def run(report: Report, grid: Grid) -> None:
    """Run the tests' cells, then the comparisons."""
    run_cells(report, grid)
    if grid.compared:
        compare(report, grid)
