"""Files of AnnData, MuData, MNE, xarray, MATLAB and NumPy, written by these packages."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import savemat

from mkfusion.cli import _samples
from mkfusion.cli._errors import UsageError
from mkfusion.cli._parser import make_parser


def load(*arguments, least=1):
    """Return what a command would learn from."""
    options = make_parser().parse_args(["fit", *arguments, "-o", "model.skops"])
    return _samples.load_samples(options, least)


def predictions(run, arguments, files):
    """Fit, predict, and return the predictions."""
    code, _, said = run("fit", *arguments, "--C", "1", "-o", "m.skops")
    assert code == 0, said
    code, _, said = run("predict", "m.skops", *files, "-o", "p.csv")
    assert code == 0, said
    return pd.read_csv("p.csv")


@pytest.fixture
def by_sample(study):
    return study.set_index("sample")


def study_labels(by_sample):
    return by_sample["label"].tolist()


@pytest.fixture
def of_tables(folder, study, run):
    """Predictions of a model of the same samples in CSV files, by sample."""
    files = ("labels.csv", "accel.csv", "gyro.csv")
    arguments = (*files, "--target", "label", "--id", "sample")
    return predictions(run, arguments, files[1:]).set_index("sample")


@pytest.fixture
def ann():
    return pytest.importorskip("anndata", reason="needs mkfusion[omics]")


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_h5ad_is_a_modality_and_what_is_known_of_its_samples(
    ann, folder, by_sample, run, of_tables, kind
):
    obs = by_sample[["label", "subject", "size"]].rename_axis(None)
    accel = by_sample[["ax", "ay"]]
    adata = ann.AnnData(kind(accel.to_numpy()), obs=obs, var=pd.DataFrame(index=["ax", "ay"]))
    adata.obsm["gyro"] = by_sample[["g1", "g2"]].rename_axis(None)
    adata.write_h5ad("accel.h5ad")
    arguments = ("accel.h5ad", "gyro.csv", "--target", "label", "--id", "sample")
    samples = load(*arguments, "--groups", "subject")
    assert samples.X.names == ["accel", "gyro"]
    assert samples.y.tolist() == study_labels(by_sample)
    assert set(samples.unused) == {"size", "g1", "g2"}  # not learned from without a word
    found = predictions(run, arguments, ("accel.h5ad", "gyro.csv")).set_index("id")
    pd.testing.assert_frame_equal(found.loc[of_tables.index], of_tables, check_names=False)
    alone = load(
        *("accel.h5ad", "--target", "label", "--modality", "a=accel:*"),
        *("--modality", "g=gyro:*", "--modality", "clinical=obs:size"),
    )
    assert alone.X.names == ["a", "g", "clinical"]
    assert alone.id == ""
    np.testing.assert_allclose(alone.X["g"].to_numpy(), by_sample[["g1", "g2"]].to_numpy())


def test_h5mu_is_its_modalities_and_some_samples_lack_one(ann, folder, by_sample, capsys):
    md = pytest.importorskip("mudata", reason="needs mkfusion[omics]")
    parts = {}
    for name, columns, rows in (("accel", ["ax", "ay"], 40), ("gyro", ["g1", "g2"], 30)):
        table = by_sample[columns].iloc[:rows][::-1].rename_axis(None)
        parts[name] = ann.AnnData(table.to_numpy(), obs=table[[]], var=pd.DataFrame(index=columns))
    mdata = md.MuData(parts)
    for column in ("label", "size"):
        mdata.obs[column] = by_sample.loc[mdata.obs_names, column].to_numpy()
    mdata.write_h5mu("study.h5mu")
    samples = load("study.h5mu", "--target", "label", "--missing", "keep")
    assert samples.X.names == ["accel", "gyro"]
    there = [name.split("'")[1] for name in samples.names]
    assert samples.y.tolist() == by_sample.loc[there, "label"].tolist()
    np.testing.assert_array_equal(
        samples.X.present()[:, 1], [one in by_sample.index[:30] for one in there]
    )
    np.testing.assert_allclose(samples.X["accel"].to_numpy(), by_sample.loc[there, ["ax", "ay"]])
    said = capsys.readouterr().err
    assert (
        "'study.h5mu:obs' has 1 column not learned from: 'size'; --modality NAME=obs:COLUMNS"
        in said
    )
    with pytest.raises(UsageError, match=r"10 of 40 samples lack the modality 'gyro'"):
        load("study.h5mu", "--target", "label")


def test_fif_is_channels_by_type_with_events_as_target(folder, by_sample, run):
    mne = pytest.importorskip("mne", reason="needs mkfusion[eeg]")
    signals = by_sample[["ax", "ay", "g1", "g2"]].to_numpy()
    volts = signals.reshape(40, 2, 2) * 1e-6
    info = mne.create_info(["Fz", "E1"], 100.0, ["eeg", "eog"])
    codes = np.where(by_sample["label"] == "loud", 7, 3)
    events = np.column_stack([np.arange(40), np.zeros(40, int), codes])
    metadata = pd.DataFrame({"size": by_sample["size"].to_numpy()})
    epochs = mne.EpochsArray(
        volts,
        info,
        events,
        event_id={"calm": 3, "loud": 7},
        metadata=metadata,
        verbose="error",
    )
    epochs.save("study-epo.fif", verbose="error")
    arguments = ("study-epo.fif", "--target", "event")
    samples = load(*arguments)
    assert samples.X.names == ["eeg", "eog"]
    assert samples.y.tolist() == study_labels(by_sample)
    assert samples.X["eeg"].columns.tolist() == ["Fz 0 ms", "Fz 10 ms"]
    np.testing.assert_allclose(samples.X["eog"].to_numpy(), signals[:, 2:], rtol=1e-4)  # in uV
    found = predictions(run, arguments, ("study-epo.fif",))
    assert found["row"].tolist() == list(range(1, 41))
    assert (found["prediction"] == samples.y).mean() > 0.6
    raw = mne.io.RawArray(np.zeros((2, 500)), info, verbose="error")
    raw.save("raw.fif", verbose="error", overwrite=True)
    with pytest.raises(UsageError, match=r"'raw\.fif' cannot be read as MNE's Epochs"):
        load("raw.fif", "--target", "event")


def test_nc_is_its_variables_aligned_by_coordinate(folder, by_sample, run, of_tables):
    xr = pytest.importorskip("xarray", reason="needs mkfusion[xarray]")
    dataset = xr.Dataset(
        {
            "accel": (("axis", "sample"), by_sample[["ax", "ay"]].to_numpy().T),
            "gyro": (("sample", "side"), by_sample[["g1", "g2"]].to_numpy()),
            "label": ("sample", by_sample["label"].to_numpy().astype(object)),
        },
        coords={"sample": by_sample.index.to_numpy(dtype=object), "axis": ["ax", "ay"]},
    )
    dataset.to_netcdf("study.nc", engine="h5netcdf")
    for more in ((), ("--id", "sample")):
        arguments = ("study.nc", "--target", "label", *more)
        samples = load(*arguments)
        assert samples.X.names == ["accel", "gyro"]
        assert samples.y.tolist() == study_labels(by_sample)
        assert samples.X["gyro"].columns.tolist() == ["gyro_1", "gyro_2"]
    found = predictions(run, arguments, ("study.nc",)).set_index("sample")
    pd.testing.assert_frame_equal(found.loc[of_tables.index], of_tables, check_names=False)
    dataset.rename({"axis": "sample_", "label": "other"}).to_netcdf("no.nc", engine="h5netcdf")
    with pytest.raises(UsageError, match="--target 'label' is no column of"):
        load("no.nc", "--target", "label")


@pytest.mark.parametrize("ending", ["npz", "mat"])
def test_arrays_are_modalities_and_those_of_one_column_are_not(
    folder, by_sample, run, of_tables, ending, capsys
):
    arrays = {
        "accel": by_sample[["ax", "ay"]].to_numpy(),
        "gyro": by_sample[["g1", "g2"]].to_numpy().reshape(40, 1, 2),
        "label": by_sample["label"].to_numpy().astype(str),
        "sample": by_sample.index.to_numpy().astype(str),
        "size": by_sample["size"].to_numpy(),
        "info": np.arange(3),
    }
    name = f"study.{ending}"
    if ending == "npz":
        np.savez(name, **arrays)
    else:
        cells = arrays["sample"].astype(object)  # a cell array; labels are a matrix of characters
        savemat(name, {**arrays, "sample": cells, "accel": sparse.csc_matrix(arrays["accel"])})
    samples = load(name, "--target", "label")
    assert samples.X.names == ["accel", "gyro"]
    assert samples.y.tolist() == study_labels(by_sample)
    assert samples.names[1] == "row 2"
    assert samples.X["gyro"].columns.tolist() == ["gyro_1_1", "gyro_1_2"]
    said = capsys.readouterr().err
    assert "'info' is left out: expected arrays of 40 rows" in said
    arguments = (name, "--target", "label", "--id", "sample")
    found = predictions(run, arguments, (name,)).set_index("sample")
    pd.testing.assert_frame_equal(found.loc[of_tables.index], of_tables, check_names=False)
    by_sample[["size"]].iloc[::-1].to_csv("extra.csv")
    joined = load(name, "extra.csv", "--target", "label", "--id", "sample")
    assert joined.X.names == ["accel", "gyro", "extra"]
    assert joined.names == [f"sample {one!r}" for one in by_sample.index]
    np.testing.assert_allclose(joined.X["extra"]["size"], by_sample["size"])


def test_files_that_cannot_be_read_are_refused(folder, by_sample, monkeypatch):
    np.savez("objects.npz", label=np.array([{}, {}], dtype=object))
    with pytest.raises(UsageError, match=r"'objects\.npz' cannot be read as arrays"):
        load("objects.npz", "--target", "label")
    np.savez("sizes.npz", a=np.ones((3, 2)), b=np.ones((4, 2)), labels=np.ones(3))
    with pytest.raises(UsageError, match=r"no array 'label', and others have 3, 4 rows; did you"):
        load("sizes.npz", "--target", "label")
    for name in ("noise.npz", "noise.mat", "noise.h5ad", "noise.h5mu", "noise.fif", "noise.nc"):
        (folder / name).write_bytes(b"nothing of the kind" * 20)
        with pytest.raises(UsageError, match=rf"'{name}' cannot be read as|reading \.\w+ needs"):
            load(name, "--target", "label")
        with pytest.raises(UsageError, match="there is no file 'x"):
            load(f"x{name}", "--target", "label")
    h5py = pytest.importorskip("h5py", reason="needs mkfusion[xarray]")
    with h5py.File("new.mat", "w", userblock_size=512) as file:
        file["x"] = np.ones((3, 2))
    with open("new.mat", "r+b") as file:  # how MATLAB begins such a file
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(UsageError, match=r"MAT file of version 7\.3, .*save\(\.\.\., '-v7'\)"):
        load("new.mat", "--target", "label")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("a.h5ad", "anndata", "omics"),
        ("a.h5mu", "mudata", "omics"),
        ("a-epo.fif.gz", "mne", "eeg"),
        ("a.nc", "xarray", "xarray"),
    ],
)
def test_what_is_to_be_installed_is_said(folder, monkeypatch, name, package, extra):
    (folder / name).write_bytes(b"")
    real = sys.modules["importlib.util"].find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda one: None if one == package else real(one)
    )
    with pytest.raises(UsageError, match=rf"needs {package}: install mkfusion\[{extra}\]"):
        load(name, "--target", "label")
