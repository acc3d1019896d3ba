"""The data sets arrive whole, in float64, with their terms."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from mkfusion import Modalities
from mkfusion.datasets import (
    load_basic_motions,
    load_exercises,
    load_mfeat,
    load_promoters,
    load_sonar,
)

SETS = {
    load_basic_motions: (
        {"accelerometer": (80, 3, 100), "gyroscope": (80, 3, 100)},
        {"Badminton": 20, "Running": 20, "Standing": 20, "Walking": 20},
    ),
    load_mfeat: (
        {
            "fou": (2000, 76),
            "fac": (2000, 216),
            "kar": (2000, 64),
            "pix": (2000, 240),
            "zer": (2000, 47),
            "mor": (2000, 6),
        },
        dict.fromkeys(range(10), 200),
    ),
    load_sonar: ({"bands": (208, 60)}, {"mine": 111, "rock": 97}),
}
TERMS = {load_basic_motions: "BSD-3-Clause", load_mfeat: "CC BY 4.0", load_sonar: "CC BY 4.0"}

each_set = pytest.mark.parametrize("load", SETS, ids=lambda load: load.__name__)


@each_set
def test_modalities_and_target(load):
    shapes, counts = SETS[load]
    bunch = load()
    assert isinstance(bunch.data, Modalities)
    assert {name: bunch.data[name].shape for name in bunch.data.names} == shapes
    for name in shapes:
        assert bunch.data[name].dtype == np.float64
        assert np.isfinite(bunch.data[name]).all()
    labels, found = np.unique(bunch.target, return_counts=True)
    assert dict(zip(labels.tolist(), found.tolist(), strict=True)) == counts
    assert bunch.target_names.tolist() == labels.tolist()
    assert bunch.target.shape == (len(bunch.data),)


@each_set
def test_description_states_source_and_terms(load):
    descr = load().DESCR
    assert "Source and terms" in descr
    assert TERMS[load] in descr


@each_set
def test_data_and_target_alone_are_the_same(load):
    bunch = load()
    X, y = load(return_X_y=True)
    np.testing.assert_array_equal(y, bunch.target)
    for name in bunch.data.names:
        np.testing.assert_array_equal(X[name], bunch.data[name])


def test_published_split_of_basic_motions():
    bunch = load_basic_motions()
    for part in ("train", "test"):
        _, counts = np.unique(bunch.target[bunch.split == part], return_counts=True)
        assert counts.tolist() == [10, 10, 10, 10]


def test_scikit_learn_splits_them():
    X, y = load_sonar(return_X_y=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0)
    assert (len(X_train), len(X_test)) == (156, 52)
    # Gorman's bands identify a sample: the rows still belong to their labels.
    row = {tuple(bands): label for bands, label in zip(X["bands"], y, strict=True)}
    assert [row[tuple(bands)] for bands in X_train["bands"]] == y_train.tolist()


# ------------------------------------------------------------------------------- promoters


def test_promoters():
    bunch = load_promoters()
    assert bunch.data.names == ["sequence"]
    sequences = bunch.data["sequence"]
    assert {len(sequence) for sequence in sequences} == {57}
    assert set("".join(sequences)) == set("acgt")
    assert len(set(sequences)) == len(set(bunch.name)) == 106
    labels, counts = np.unique(bunch.target, return_counts=True)
    assert labels.tolist() == bunch.target_names.tolist() == ["other", "promoter"]
    assert counts.tolist() == [53, 53]
    assert "Source and terms" in bunch.DESCR
    assert "CC BY 4.0" in bunch.DESCR
    X, y = load_promoters(return_X_y=True)
    assert X["sequence"] == sequences
    np.testing.assert_array_equal(y, bunch.target)


def test_windows_without_a_promoter_fit_together():
    """They name their place in one piece of DNA: where two overlap, they agree."""
    bunch = load_promoters()
    letters = {}
    for name, sequence, kind in zip(bunch.name, bunch.data["sequence"], bunch.target, strict=True):
        if kind == "other":
            for place, letter in enumerate(sequence, start=int(name)):
                assert letters.setdefault(place, letter) == letter
    assert len(letters) == 1302


def test_promoters_of_different_groups_share_no_long_run():
    bunch = load_promoters()
    seen = {}
    for sequence, group in zip(bunch.data["sequence"], bunch.group, strict=True):
        for run in {sequence[i : i + 15] for i in range(57 - 14)}:
            assert seen.setdefault(run, group) == group
    # The windows lie in twelve places of it.
    assert len(np.unique(bunch.group[bunch.target == "other"])) == 12


def test_exercises_are_recordings_of_two_sensors():
    sets = load_exercises()
    assert len(sets.recordings) == len(sets.target) == len(sets.subject) == 70
    pairs = set(zip(sets.subject.tolist(), sets.target.tolist(), strict=True))
    assert len(pairs) == 70  # each of ten people did each of seven exercises once
    for one in sets.recordings:
        assert one["accelerometer"].shape == one["gyroscope"].shape
        assert len(one["gyroscope"]) == 3
    # What moves little feels the pull of the earth: 1 g.
    pulls = [np.linalg.norm(one["accelerometer"].mean(axis=1)) for one in sets.recordings]
    assert 0.9 < np.median(pulls) < 1.1
    assert "Copyright (c) 2018, David M. Burns" in sets.DESCR
    recordings, target = load_exercises(return_X_y=True)
    np.testing.assert_array_equal(target, sets.target)
    np.testing.assert_array_equal(recordings[3]["gyroscope"], sets.recordings[3]["gyroscope"])
