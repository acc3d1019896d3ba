"""Warnings of many fits: each once, whatever its figures."""

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, DegenerateKernelWarning, MKLClassifier, Modalities
from mkfusion._repeated import Once, heard
from mkfusion.inspection import shapley_values, weight_stability


def warn_of(*messages, category=UserWarning):
    for message in messages:
        warnings.warn(message, category, stacklevel=1)
    return len(messages)


def shown_of(*calls):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        outcomes = list(Once().outcomes(heard(warn_of, *messages) for messages in calls))
    assert outcomes == [len(messages) for messages in calls]
    return [str(one.message) for one in shown]


def test_figures_and_what_follows_the_name_make_no_other_warning():
    said = "Kernel 'wide:cosine' is {} of its norm (at t = {}), as 'others' {}"
    first = said.format("91%", -0.5, 1)
    assert shown_of([first], [said.format("93.25%", "1.2e-05", 2), "12 of 4 cells"]) == [
        first,
        "12 of 4 cells",
    ]
    assert shown_of(["3 of 40 cells", "5 of 40 cells"]) == ["3 of 40 cells"]


def test_other_names_are_other_warnings():
    said = [
        "Kernel 'm1' is 3",
        "Kernel 'm2' is 3",
        "Kernel '1' is 3",
        "gene1 dropped",
        "gene2 dropped",
    ]
    assert shown_of(said, said[::-1]) == said


def test_classes_of_warnings_are_kept_apart_and_errors_stay_errors():
    once = Once()
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for category in (UserWarning, RuntimeWarning, UserWarning):
            with once.listening():
                warn_of("1 a", category=category)
    assert [one.category for one in shown] == [UserWarning, RuntimeWarning]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="1 a"):
            heard(warn_of, "1 a")


def test_what_was_said_before_an_error_is_shown():
    def fail():
        warn_of("look here")
        raise KeyError("gone")

    with pytest.warns(UserWarning, match="look here"), pytest.raises(KeyError):
        heard(fail)


def test_inspection_that_fits_often_warns_once():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = Modalities(wide=rng.normal(size=(60, 600)), few=rng.normal(size=(60, 2)) + y[:, None])
    kernels = [(name, "auto", name) for name in X.names]
    model = make_pipeline(ColumnKernelizer(kernels), MKLClassifier())
    parts = [(name, name) for name in X.names]
    for ask in (
        lambda: weight_stability(model, X, y, n_bootstraps=2, random_state=0),
        lambda: shapley_values(model, X, y, modalities=parts, cv=2),
    ):
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            ask()
        said = [str(one.message) for one in shown if one.category is DegenerateKernelWarning]
        assert len(said) == 1 and said[0].startswith("Kernel 'wide:")
