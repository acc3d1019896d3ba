"""Containers of other packages, made by these packages: their samples, ids, gaps and units."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline

from mkfusion import (
    ColumnKernelizer,
    CovarianceKernel,
    CrossCorrelationKernel,
    DegenerateKernelWarning,
    LateFusionClassifier,
    MKLClassifier,
    Modalities,
    PolynomialKernel,
    RBFKernel,
)

N = 24
IDS = [f"p{i:02}" for i in range(N)]
GENES = [f"g{j}" for j in range(5)]
PROTEINS = ["CD3", "CD4", "CD8"]


@pytest.fixture
def rna():
    return np.random.default_rng(0).poisson(2.0, (N, 5)).astype(np.float32)


@pytest.fixture
def obs():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "diagnosis": np.tile(["ill", "well"], N // 2),
            "patient": np.repeat(np.arange(N // 2), 2),
            "age": rng.integers(30, 80, N),
            "sex": pd.Categorical(np.tile(["f", "f", "m"], N // 3)),
        },
        index=IDS,
    )


def kernels_of(X, kernel="auto", **options):
    return ColumnKernelizer([(name, kernel, name) for name in X.names], **options)


def machine_for(X, **options):
    return make_pipeline(kernels_of(X, **options), MKLClassifier())


# ------------------------------------------------------------------------------------- AnnData


@pytest.fixture
def ann():
    return pytest.importorskip("anndata", reason="needs mkfusion[omics]")


@pytest.fixture
def adata(ann, rna, obs):
    adata = ann.AnnData(rna, obs=obs, var=pd.DataFrame(index=GENES))
    adata.layers["log"] = np.log1p(rna)
    adata.layers["counts"] = sparse.csc_matrix(rna)
    adata.obsm["X_pca"] = rna[:, :2].astype(np.float64)
    adata.obsm["protein"] = pd.DataFrame(rna[:, :3] * 2, index=IDS, columns=PROTEINS)
    return adata


def test_anndata_is_its_matrices_and_the_columns_that_are_asked_for(adata, rna, obs):
    X = Modalities.from_anndata(
        adata, name="rna", layer="log", obs=["age", "sex"], obsm=["X_pca", "protein"]
    )
    assert X.names == ["rna", "obs", "X_pca", "protein"]
    assert X.index.tolist() == IDS
    pd.testing.assert_frame_equal(X["rna"], pd.DataFrame(np.log1p(rna), IDS, GENES))
    pd.testing.assert_frame_equal(X["obs"], obs[["age", "sex"]])
    np.testing.assert_array_equal(X["X_pca"].to_numpy(), rna[:, :2])
    assert X["X_pca"].columns.tolist() == ["X_pca_1", "X_pca_2"]
    assert X["protein"].columns.tolist() == PROTEINS
    assert Modalities.from_anndata(adata).names == ["X"]


def test_anndata_is_learned_from_as_tables_are(adata, rna, obs):
    X = Modalities.from_anndata(adata, obs=["age", "sex"])
    by_hand = Modalities(X=pd.DataFrame(rna, IDS, GENES), obs=obs[["age", "sex"]])
    y = adata.obs["diagnosis"]
    # Sums round as the order in memory has it, which depends on pandas' version.
    model = machine_for(X).set_params(mklclassifier__tol=1e-9)
    found = cross_val_predict(model, X, y, cv=4, method="decision_function")
    expected = cross_val_predict(model, by_hand, y, cv=4, method="decision_function")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_targets_in_another_order_are_refused_by_the_ids(adata, ann):
    y = adata.obs["diagnosis"]
    for one in (adata, ann.AnnData(sparse.csr_matrix(adata.X), obs=adata.obs)):
        X = Modalities.from_anndata(one)
        with pytest.raises(ValueError, match="ids of X in another order"):
            machine_for(X).fit(X, y[::-1])
        train, test = train_test_split(X, random_state=0)
        machine_for(X).fit(train, y.loc[train.index])
        assert not set(train.index) & set(test.index)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_matrices_stay_sparse_and_keep_their_ids(ann, rna, obs, kind):
    adata = ann.AnnData(kind(rna), obs=obs, var=pd.DataFrame(index=GENES))
    X = Modalities.from_anndata(adata)
    assert type(X["X"]) is sparse.csr_matrix
    np.testing.assert_array_equal(X["X"].toarray(), rna)
    rows = np.array([5, 2, 9])
    for some in (X[rows], X[IDS.index("p05") : 6]):
        assert some.index.tolist() == [IDS[i] for i in (rows if len(some) == 3 else [5])]
    again = pickle.loads(pickle.dumps(X))
    assert again.index.tolist() == IDS
    without = ann.AnnData(None, obs, pd.DataFrame(index=GENES), layers={"n": kind(rna)})
    layer = Modalities.from_anndata(without, layer="n")
    np.testing.assert_array_equal(layer["X"].toarray(), rna)


def test_views_are_the_samples_that_they_show(adata, ann, rna):
    shown = np.array([7, 3, 11, 20])
    for one in (adata, ann.AnnData(sparse.csr_matrix(rna), obs=adata.obs)):
        X = Modalities.from_anndata(one[shown])
        assert X.index.tolist() == [IDS[i] for i in shown]
        matrix = X["X"]
        if sparse.issparse(matrix):
            assert type(matrix) is sparse.csr_matrix  # not one that leads back to the whole
            matrix = matrix.toarray()
        np.testing.assert_array_equal(np.asarray(matrix), rna[shown])
    with_proteins = Modalities.from_anndata(adata[shown], obs=["age"], obsm=["protein", "X_pca"])
    assert type(with_proteins["obs"]) is pd.DataFrame
    np.testing.assert_array_equal(with_proteins["protein"].to_numpy(), 2 * rna[shown, :3])
    np.testing.assert_array_equal(with_proteins["X_pca"].to_numpy(), rna[shown, :2])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, which AnnData causes
def test_genes_of_the_same_name_are_refused_with_the_remedy(ann, rna, obs):
    var = pd.DataFrame(index=["g0", "g0", "g2", "g3", "g4"])
    with pytest.warns(UserWarning, match="not unique"):
        adata = ann.AnnData(rna, obs=obs, var=var)
    said = r"adata\.var_names has 'g0' more than once \(1 such names\); .*var_names_make_unique"
    with pytest.raises(ValueError, match=said):
        Modalities.from_anndata(adata)
    adata.var_names_make_unique()
    X = Modalities.from_anndata(adata)
    assert X["X"].columns.tolist() == ["g0", "g0-1", "g2", "g3", "g4"]


def test_anndata_that_cannot_be_read_is_refused_by_name(adata, ann, rna, obs, tmp_path):
    for arguments, said in (
        ({"obs": ["Age"]}, r"obs has 'Age', which is not in adata\.obs; there are .*'age'"),
        ({"obs": "age"}, "obs is 'age'; expected a list"),
        ({"obsm": ["X_umap"]}, r"obsm has 'X_umap', .*adata\.obsm; there are \['X_pca'"),
        ({"layer": "raw"}, r"layer has 'raw', which is not in adata\.layers; .*'counts'"),
        ({"name": "protein", "obsm": ["protein"]}, "two modalities have the name 'protein'"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            Modalities.from_anndata(adata, **arguments)
    with pytest.warns(UserWarning, match="not unique"):
        twice = ann.AnnData(rna, obs=obs.set_axis(["p00", *IDS[:-1]]))
    with pytest.raises(ValueError, match=r"adata\.obs_names has 'p00' more than once \(1 such"):
        Modalities.from_anndata(twice)
    adata.write_h5ad(tmp_path / "a.h5ad")
    backed = ann.read_h5ad(tmp_path / "a.h5ad", backed="r")
    with pytest.raises(TypeError, match=r"adata is on disk .*adata\.to_memory\(\)"):
        Modalities.from_anndata(backed)
    backed.file.close()
    with pytest.raises(ValueError, match="adata has no X; expected layer="):
        Modalities.from_anndata(ann.AnnData(None, obs=obs))
    with pytest.raises(ValueError, match="adata has no samples"):
        Modalities.from_anndata(adata[[]])
    with pytest.raises(TypeError, match="adata is a DataFrame; expected AnnData"):
        Modalities.from_anndata(obs)
    adata.obs["diagnosis"] = adata.obs["diagnosis"].where(adata.obs["age"] < 60)
    X = Modalities.from_anndata(adata)
    with pytest.raises(ValueError, match=r"y has \d+ missing labels .* such as that of sample"):
        machine_for(X).fit(X, adata.obs["diagnosis"])


def test_anndata_as_a_modality_or_as_x_names_the_way(adata):
    for use in (
        lambda: Modalities(rna=adata),
        lambda: LateFusionClassifier().fit(adata, adata.obs["age"]),
    ):
        with pytest.raises(TypeError, match=r"is a AnnData; .*Modalities\.from_anndata"):
            use()


# -------------------------------------------------------------------------------------- MuData


@pytest.fixture
def mdata(ann, rna, obs):
    md = pytest.importorskip("mudata", reason="needs mkfusion[omics]")
    order = np.random.default_rng(2).permutation(N)
    proteins = rna[:, :3] * 2 + 1
    first = ann.AnnData(sparse.csr_matrix(rna[:18]), pd.DataFrame(index=IDS[:18]))
    first.var_names = GENES
    first.layers["log"] = sparse.csr_matrix(np.log1p(rna[:18]))
    second = ann.AnnData(proteins[order], pd.DataFrame(index=[IDS[i] for i in order]))
    second.var_names = PROTEINS
    third = ann.AnnData(proteins[6:], pd.DataFrame(index=IDS[6:]))
    third.var_names = [f"m{j}" for j in range(3)]
    mdata = md.MuData({"rna": first, "protein": second, "meth": third})
    for column in obs:
        mdata.obs[column] = obs.loc[mdata.obs_names, column]
    return mdata


def test_mudata_is_aligned_by_name_and_lacks_what_is_not_there(mdata, rna):
    X = Modalities.from_mudata(mdata, obs=["age", "sex"], layers={"rna": "log"})
    rows = [IDS.index(one) for one in mdata.obs_names]
    assert X.names == ["rna", "protein", "meth", "obs"]
    assert X.index.tolist() == mdata.obs_names.tolist()
    present = X.present()
    np.testing.assert_array_equal(present[:, 0], np.array(rows) < 18)
    assert present[:, 1].all()
    np.testing.assert_array_equal(present[:, 2], np.array(rows) >= 6)
    np.testing.assert_allclose(
        X["rna"].toarray()[present[:, 0]], np.log1p(rna[rows])[present[:, 0]], rtol=1e-6
    )
    np.testing.assert_array_equal(X["protein"].to_numpy(), rna[rows, :3] * 2 + 1)
    np.testing.assert_array_equal(
        X["meth"].to_numpy()[present[:, 2]], (rna[rows, :3] * 2 + 1)[present[:, 2]]
    )


def test_mudata_is_learned_from_as_aligned_tables_are(mdata, rna, obs):
    X = Modalities.from_mudata(mdata)
    proteins = pd.DataFrame(rna[:, :3] * 2 + 1, IDS)
    by_hand = Modalities.aligned(
        rna=pd.DataFrame(rna[:18], IDS[:18]), protein=proteins, meth=proteins[6:], join="outer"
    )
    kernels = kernels_of(X, RBFKernel(), missing="marginalise")
    found = kernels.fit_transform(X)
    expected = kernels.fit_transform(by_hand)
    there = [by_hand.index.get_loc(one) for one in X.index]
    for m in range(3):
        np.testing.assert_allclose(
            np.asarray(found.combine(np.eye(3)[m])),
            np.asarray(expected.combine(np.eye(3)[m]))[np.ix_(there, there)],
            rtol=1e-5,
            atol=1e-7,
        )
    model = machine_for(X, missing="marginalise").fit(X, mdata.obs["diagnosis"])
    assert model.score(X, mdata.obs["diagnosis"]) > 0.5


def test_mudata_that_cannot_be_read_is_refused_by_name(mdata, adata, ann, rna, tmp_path):
    md = pytest.importorskip("mudata", reason="needs mkfusion[omics]")
    for arguments, said in (
        ({"obs": ["rna:age"]}, r"obs has 'rna:age', which is not in mdata\.obs; there are"),
        ({"layers": {"cnv": "log"}}, r"layers has 'cnv', which is not in mdata\.mod; .*'meth'"),
        ({"layers": {"rna": "raw"}}, r"layer has 'raw', .*mdata\['rna'\]\.layers; .*\['log'\]"),
        ({"layers": "log"}, "layers is 'log'; expected a mapping"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            Modalities.from_mudata(mdata, **arguments)
    with pytest.raises(TypeError, match="mdata is AnnData; .*from_anndata"):
        Modalities.from_mudata(adata)
    with pytest.raises(TypeError, match="adata is a MuData; .*from_mudata"):
        Modalities.from_anndata(mdata)
    with pytest.raises(TypeError, match=r"X is a MuData; .*Modalities\.from_mudata"):
        LateFusionClassifier().fit(mdata, np.zeros(N))
    mdata.write_h5mu(tmp_path / "a.h5mu")
    backed = md.read_h5mu(tmp_path / "a.h5mu", backed=True)
    with pytest.raises(TypeError, match=r"mdata is on disk .*mdata\.to_memory\(\)"):
        Modalities.from_mudata(backed)
    backed.file.close()
    mdata["rna"].obs_names = ["new", *mdata["rna"].obs_names[1:]]
    with pytest.raises(ValueError, match=r"mdata\['rna'\] has 'new' in obs_names.*mdata\.update"):
        Modalities.from_mudata(mdata)
    two = {name: ann.AnnData(rna, pd.DataFrame(index=[f"{name}{i}" for i in IDS])) for name in "ab"}
    by_genes = md.MuData(two, axis=1)
    with pytest.raises(ValueError, match="mdata has axis=1: .* share variables"):
        Modalities.from_mudata(by_genes)


# --------------------------------------------------------------------------------- MNE's Epochs


@pytest.fixture
def recording():
    """Epochs of 3 EEG channels, 1 bad, 2 EOG, 1 magnetometer, 1 gradiometer and triggers."""
    mne = pytest.importorskip("mne", reason="needs mkfusion[eeg]")
    kinds = ["eeg"] * 3 + ["eog"] * 2 + ["mag", "grad", "stim"]
    names = ["Fz", "Cz", "Pz", "E1", "E2", "M1", "G1", "STI"]
    info = mne.create_info(names, 100.0, kinds)
    info["bads"] = ["Cz"]
    size = np.array([1e-6] * 5 + [1e-15, 1e-13, 1.0])[:, np.newaxis]
    volts = np.random.default_rng(3).normal(size=(N, 8, 20)) * size
    volts[:, 7] = np.arange(N)[:, np.newaxis] % 2  # triggers are the target
    events = np.column_stack([np.arange(N) * 20, np.zeros(N, int), np.arange(N) % 2 + 1])
    metadata = pd.DataFrame({"rt": np.arange(N) / 10, "load": ["lo", "hi"] * (N // 2)})
    return mne.EpochsArray(
        volts,
        info,
        events,
        event_id={"left": 1, "right": 2},
        tmin=0.0,
        metadata=metadata,
        verbose="error",
    )


def test_channels_by_type_in_units_that_do_not_vanish(recording):
    X = Modalities.from_mne(recording, metadata=["rt", "load"])
    assert X.names == ["eeg", "eog", "mag", "grad", "metadata"]  # no triggers
    units = {"eeg": "uV", "eog": "uV", "mag": "fT", "grad": "fT/cm"}
    for kind, unit in units.items():
        np.testing.assert_allclose(
            X[kind], recording.get_data(picks=kind, units={kind: unit}), rtol=1e-12
        )
    assert X["eeg"].shape == (N, 2, 20)  # without the bad one
    assert X["metadata"]["load"].tolist() == ["lo", "hi"] * (N // 2)
    y = recording.events[:, 2]
    model = make_pipeline(
        ColumnKernelizer(
            [
                ("eeg", CovarianceKernel(), "eeg"),
                ("eog", CrossCorrelationKernel(), "eog"),
                ("table", "auto", "metadata"),
            ]
        ),
        MKLClassifier(),
    )
    assert model.fit(X, y).predict(X).shape == (N,)


def test_epochs_in_volts_vanish_where_those_in_microvolts_do_not(recording):
    kernels = ColumnKernelizer([("eeg", PolynomialKernel(gamma=1.0), "eeg")], normalize=None)
    flat = Modalities(eeg=recording.get_data(picks="eeg").reshape(N, -1))
    with pytest.warns(DegenerateKernelWarning):
        MKLClassifier().fit(kernels.fit_transform(flat), recording.events[:, 2])
    X = Modalities.from_mne(recording)
    gram = np.asarray(
        kernels.fit_transform(Modalities(eeg=X["eeg"].reshape(N, -1))).combine(np.ones(1))
    )
    assert np.ptp(gram) > 1


def test_what_was_dropped_is_in_neither_samples_nor_events(recording):
    kept = recording[np.arange(N) != 5]
    X = Modalities.from_mne(kept, metadata=["rt"])
    assert len(X) == len(kept.events) == N - 1
    assert X.index.tolist() == kept.metadata.index.tolist()
    np.testing.assert_array_equal(X["metadata"]["rt"], np.delete(np.arange(N) / 10, 5))


def test_epochs_that_cannot_be_read_are_refused_by_name(recording):
    mne = pytest.importorskip("mne", reason="needs mkfusion[eeg]")
    for arguments, said in (
        ({"metadata": ["RT"]}, r"metadata has 'RT', which is not in epochs\.metadata; .*'rt'"),
        ({"metadata": "rt"}, "metadata is 'rt'; expected a list"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            Modalities.from_mne(recording, **arguments)
    plain = recording.copy()
    plain.metadata = None
    with pytest.raises(ValueError, match=r"metadata is \['rt'\], and epochs\.metadata is None"):
        Modalities.from_mne(plain, metadata=["rt"])
    raw = mne.io.RawArray(
        np.zeros((1, 500)), mne.create_info(["Fz"], 100.0, "eeg"), verbose="error"
    )
    with pytest.raises(TypeError, match="epochs is a RawArray; expected MNE's Epochs"):
        Modalities.from_mne(raw)
    events = np.column_stack([np.arange(50, 450, 100), np.zeros(4, int), np.ones(4, int)])
    lazy = mne.Epochs(raw, events, tmin=0, tmax=0.2, baseline=None, verbose="error")
    with pytest.raises(ValueError, match=r"epochs has not been searched .*epochs\.load_data\(\)"):
        Modalities.from_mne(lazy)
    lazy.drop_bad(verbose="error")
    assert Modalities.from_mne(lazy)["eeg"].shape == (4, 1, 21)
    with pytest.raises(TypeError, match="epochs is EpochsSpectrum, of powers"):
        Modalities.from_mne(recording.compute_psd(picks="eeg", n_jobs=1, verbose="error"))
    with pytest.raises(ValueError, match="epochs has no samples"):
        Modalities.from_mne(recording[[]])
    with pytest.raises(ValueError, match="no good channel of signals"):
        Modalities.from_mne(recording.copy().pick(["STI"]))
    with pytest.raises(TypeError, match=r"X is a EpochsArray; .*Modalities\.from_mne"):
        LateFusionClassifier().fit(recording, recording.events[:, 2])


# ------------------------------------------------------------------------------ xarray Datasets


@pytest.fixture
def dataset(rna, obs):
    xr = pytest.importorskip("xarray", reason="needs mkfusion[xarray]")
    signals = np.random.default_rng(4).normal(size=(2, N, 7))
    return xr.Dataset(
        {
            "rna": (("gene", "subject"), rna.T),
            "accel": (("channel", "subject", "time"), signals),
            "age": ("subject", obs["age"].to_numpy()),
            "diagnosis": ("subject", obs["diagnosis"].to_numpy()),
            "weights": (("channel", "time"), signals[:, 0]),
        },
        coords={"subject": IDS, "gene": GENES, "site": ("subject", np.arange(N) % 3)},
    )


def test_variables_are_modalities_with_samples_first(dataset, rna, obs):
    X = Modalities.from_xarray(dataset, dim="subject", table=["age", "site"])
    assert X.names == ["rna", "accel", "table"]  # not what has no subjects
    assert X.index.tolist() == IDS
    pd.testing.assert_frame_equal(X["rna"], pd.DataFrame(rna, IDS, GENES), check_names=False)
    np.testing.assert_array_equal(X["accel"], dataset["accel"].values.transpose(1, 0, 2))
    assert X["table"]["site"].tolist() == [i % 3 for i in range(N)]
    y = dataset["diagnosis"].to_series()
    only = Modalities.from_xarray(dataset, dim="subject", variables=["rna"])
    with pytest.raises(ValueError, match="ids of X in another order"):
        machine_for(only).fit(only, y[::-1])
    train = only[: N // 2]
    machine_for(only).fit(train, y.loc[train.index])
    unnamed = Modalities.from_xarray(dataset.drop_vars(["subject", "gene"]), dim="subject")
    assert unnamed.index is None
    np.testing.assert_array_equal(unnamed["rna"], rna)


def test_datasets_are_aligned_by_coordinate(dataset, rna):
    xr = pytest.importorskip("xarray", reason="needs mkfusion[xarray]")
    order = np.random.default_rng(5).permutation(N)[:18]
    parts = [dataset[["rna"]], dataset[["accel"]].isel(subject=order)]
    merged = xr.merge(parts, join="outer", compat="no_conflicts")
    X = Modalities.from_xarray(merged, dim="subject")
    assert X.present()[:, 0].all()
    there = [one in {IDS[i] for i in order} for one in X.index]
    np.testing.assert_array_equal(X.present()[:, 1], there)
    rows = [IDS.index(one) for one in X.index]
    np.testing.assert_array_equal(X["rna"].to_numpy(), rna[rows])


def test_datasets_that_cannot_be_read_are_refused_by_name(dataset):
    xr = pytest.importorskip("xarray", reason="needs mkfusion[xarray]")
    for arguments, said in (
        ({"dim": "sample"}, r"dim is 'sample'; .* one of \['gene', 'subject'"),
        ({"dim": "subject", "variables": ["cnv"]}, r"variables has 'cnv', .*\['rna', 'accel'\]"),
        ({"dim": "subject", "variables": ["age"]}, "dimension 'subject' and others"),
        ({"dim": "subject", "table": ["rna"]}, "table has 'rna', .*dimension 'subject' alone"),
    ):
        with pytest.raises(ValueError, match=said):
            Modalities.from_xarray(dataset, **arguments)
    with pytest.raises(TypeError, match="dataset is a DataArray; expected an xarray Dataset"):
        Modalities.from_xarray(dataset["rna"], dim="subject")
    with pytest.raises(ValueError, match="coordinate 'subject' of dataset has 'p00' more than"):
        Modalities.from_xarray(xr.concat([dataset[["rna"]]] * 2, "subject"), dim="subject")
    with pytest.raises(ValueError, match="dataset has no samples"):
        Modalities.from_xarray(dataset.isel(subject=[]), dim="subject")
    with pytest.raises(ValueError, match="no variable of dimension 'subject' and others"):
        Modalities.from_xarray(dataset[["age"]], dim="subject")
    with pytest.raises(TypeError, match=r"X is a Dataset; .*Modalities\.from_xarray"):
        LateFusionClassifier().fit(dataset, np.zeros(N))
