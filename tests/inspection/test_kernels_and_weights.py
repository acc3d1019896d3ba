"""Alignment of kernels, and the stability of their weights."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    KernelCombiner,
    KernelStack,
    MKLClassifier,
    MKLRegressor,
    Modalities,
    RBFKernel,
)
from mkfusion.inspection import (
    EmapDisplay,
    KernelAlignmentDisplay,
    ModalityImportanceDisplay,
    PartialInformationDisplay,
    UnimodalBiasDisplay,
    WeightStabilityDisplay,
    kernel_alignment,
    modality_importance,
    weight_stability,
)


@pytest.fixture
def grams():
    rng = np.random.default_rng(0)
    return [rbf_kernel(rng.normal(size=(30, 2)), gamma=gamma) for gamma in (0.1, 1.0, 5.0)]


def by_formula(K, L):
    H = np.eye(len(K)) - 1.0 / len(K)
    K, L = H @ K @ H, H @ L @ H
    return np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))


def test_alignment_is_the_formula(grams):
    y = np.arange(30) % 3
    found = kernel_alignment(grams, y)
    target = (y[:, np.newaxis] == y).astype(float)
    for i, K in enumerate(grams):
        assert found.target[i] == pytest.approx(by_formula(K, target))
        for j, L in enumerate(grams):
            assert found.alignment[i, j] == pytest.approx(by_formula(K, L))
    numbers = np.linspace(-1, 1, 30) ** 3
    found = kernel_alignment(grams, numbers)
    assert found.target[0] == pytest.approx(by_formula(grams[0], np.outer(numbers, numbers)))


def test_blocks_scales_and_shifts_do_not_matter(grams, monkeypatch):
    wanted = kernel_alignment(grams, np.arange(30) % 2)
    monkeypatch.setattr("mkfusion.stack._views.BLOCK_BYTES", 8 * 30 * 3 * 7)
    found = kernel_alignment([5.0 * K + 2.0 for K in grams], np.arange(30) % 2)
    np.testing.assert_allclose(found.alignment, wanted.alignment)
    np.testing.assert_allclose(found.target, wanted.target)


def test_any_stack_will_do_and_constants_are_aligned_with_nothing(grams):
    X = np.random.default_rng(0).normal(size=(20, 3))
    kernels = [("a", ["rbf", "linear"], [0]), ("b", "rbf", [1, 2])]
    stack = ColumnKernelizer(kernels).fit_transform(X)
    found = kernel_alignment(stack)
    assert found.names == stack.names
    assert found.target is None
    np.testing.assert_allclose(found.alignment, found.alignment.T)
    np.testing.assert_allclose(np.diagonal(found.alignment), 1.0)
    constant = kernel_alignment(KernelStack([np.ones((30, 30)), grams[0]]), np.arange(30) % 2)
    np.testing.assert_array_equal(constant.alignment, [[0.0, 0.0], [0.0, 1.0]])
    assert constant.target[0] == 0.0
    assert kernel_alignment(grams, np.arange(30), names=list("abc")).to_frame().shape == (3, 4)


def test_alignment_refuses_what_it_cannot_compare(grams):
    stack = KernelStack(grams)
    with pytest.raises(ValueError, match="expected square kernels"):
        kernel_alignment(stack[:10])
    with pytest.raises(ValueError, match="y has 3 samples"):
        kernel_alignment(stack, [1, 2, 3])
    for constant in (np.ones(30), np.full(30, "rock")):
        with pytest.raises(ValueError, match=r"y is (1\.0|'rock') for every sample"):
            kernel_alignment(stack, constant)
    with pytest.raises(ValueError, match="target_type is"):
        kernel_alignment(stack, np.arange(30), target_type="labels")
    with pytest.raises(ValueError, match="expected 3, one for each"):
        kernel_alignment(stack, names=["a"])


@pytest.mark.parametrize(
    "display, argument",
    [
        (EmapDisplay, "projection"),
        (KernelAlignmentDisplay, "alignment"),
        (ModalityImportanceDisplay, "importance"),
        (PartialInformationDisplay, "information"),
        (UnimodalBiasDisplay, "bias"),
        (WeightStabilityDisplay, "stability"),
    ],
)
def test_displays_refuse_what_is_no_outcome(display, argument):
    with pytest.raises(TypeError, match=rf"{argument} is a int; expected a \w+, which \w+ returns"):
        display(3)


@pytest.fixture
def two():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 2))
    X = Modalities(
        signal=a, twin=a + 0.01 * rng.normal(size=a.shape), noise=rng.normal(size=(80, 2))
    )
    return X, (a[:, 0] > 0).astype(int)


KERNELS = [(name, "rbf", name) for name in ("signal", "twin", "noise")]


def models():
    yield make_pipeline(ColumnKernelizer(KERNELS), MKLClassifier())
    yield make_pipeline(ColumnKernelizer(KERNELS), MKLRegressor())
    yield make_pipeline(
        ColumnKernelizer(KERNELS), KernelCombiner("alignf"), SVC(kernel="precomputed")
    )
    yield GridSearchCV(
        make_pipeline(ColumnKernelizer(KERNELS), MKLClassifier()),
        {"mklclassifier__C": [0.1, 1.0]},
        cv=2,
    )


@pytest.mark.parametrize(
    "model", list(models()), ids=["classifier", "regressor", "combiner", "search"]
)
def test_twins_take_turns_and_noise_is_left_out(two, model):
    X, y = two
    found = weight_stability(model, X, y, n_bootstraps=15, random_state=0)
    assert found.kernel_names == ["signal:rbf", "twin:rbf", "noise:rbf"]
    assert found.draws.shape == (15, 3)
    assert found.weights[2] < 0.2
    assert found.selection_frequencies[:2].sum() >= 1.0
    assert (found.intervals[:, 0] <= found.intervals[:, 1]).all()


def test_weights_are_not_importance():
    """Noise that separates the training samples gets weight, and is worth nothing for others."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    signal = np.column_stack([1.2 * (2 * y - 1) + rng.normal(size=400), rng.normal(size=400)])
    X = Modalities(signal=signal, noise=rng.normal(size=(400, 200)))
    kernelizer = ColumnKernelizer([("signal", RBFKernel(), "signal"), ("noise", "rbf", "noise")])
    model = make_pipeline(kernelizer, MKLClassifier(p=1, C=10)).fit(X[:200], y[:200])
    assert model[-1].weights_[1] > 0.5
    found = modality_importance(model, X[200:], y[200:], random_state=0)
    assert found.importances[0] > 0.2
    assert abs(found.importances[1]) < 0.05


def test_kernels_are_bootstrapped_on_both_sides(two):
    X, y = two
    grams = ColumnKernelizer(KERNELS).fit_transform(X)
    model = MKLClassifier(p=2, tol=1e-6)
    options = {"n_bootstraps": 8, "random_state": 1}
    found = weight_stability(model, grams, y, **options)
    array = weight_stability(model, np.asarray(grams), y, n_jobs=2, **options)
    listed = weight_stability(model, [grams.gram(k) for k in range(3)], y, **options)
    # However kernels are held they are solved to the same tolerance, not the same digits.
    np.testing.assert_allclose(found.draws, array.draws, rtol=1e-2)
    np.testing.assert_allclose(array.draws, listed.draws, rtol=1e-2)
    np.testing.assert_array_equal(found.selection_frequencies, 1.0)
    assert "signal:rbf" in repr(found)


def test_stability_of_each_class_is_that_of_the_class_against_the_others():
    """Weights of a class are learned alone: those of two classes, it and the others."""
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    X = rng.normal(size=(60, 2)) + 2.0 * np.column_stack([y == "a", y == "b"])
    grams = ColumnKernelizer([("one", "rbf", [0]), ("two", "rbf", [1])]).fit_transform(X)
    model = MKLClassifier(p=2, per_class_weights=True, tol=1e-6)
    options = {"n_bootstraps": 6, "groups": np.arange(60) // 3, "random_state": 0}
    found = weight_stability(model, grams, y, **options)
    assert found.draws.shape == (6, 3, 2) and found.classes.tolist() == ["a", "b", "c"]
    for u, label in enumerate("abc"):
        alone = weight_stability(MKLClassifier(p=2, tol=1e-6), grams, y == label, **options)
        np.testing.assert_allclose(found.weights[u], alone.weights, rtol=1e-3)
        np.testing.assert_allclose(found.draws[:, u], alone.draws, rtol=1e-2, atol=1e-4)
        np.testing.assert_allclose(found.intervals[u], alone.intervals, rtol=1e-2, atol=1e-4)
        np.testing.assert_array_equal(found.selection_frequencies[u], alone.selection_frequencies)
    frame = found.to_frame()
    assert frame.index.tolist() == found.kernel_names * 3
    assert frame["class"].tolist() == list("aabbcc")
    np.testing.assert_array_equal(frame[["low", "high"]], found.intervals.reshape(6, 2))
    assert f"a, one:rbf: {found.weights[0, 0]:.3f} (100%)" in repr(found)
    pytest.importorskip("matplotlib").use("Agg")
    display = WeightStabilityDisplay(found).plot()
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == [f"{label}, {name}:rbf" for label in "abc" for name in ("one", "two")]


def test_stability_refuses_what_has_no_weights(two, monkeypatch):
    X, y = two
    with pytest.raises(TypeError, match="has no weights_"):
        weight_stability(make_pipeline(StandardScaler(), SVC()), X["signal"], y)
    one = MKLClassifier()
    grams = ColumnKernelizer(KERNELS).fit_transform(X)
    for change, message in [
        ({"n_bootstraps": np.int64(0)}, "n_bootstraps is 0; expected"),
        ({"confidence_level": "x"}, "confidence_level is 'x'; expected a number in"),
        ({"n_jobs": "x"}, "n_jobs is 'x'; expected None, or a whole number"),
        ({"groups": np.full(80, "ann")}, "groups is 'ann' for every sample; expected two groups"),
    ]:
        with pytest.raises(ValueError, match=message):
            weight_stability(one, grams, y, **change)
    with pytest.raises(ValueError, match="X has 1 sample; expected at least 2"):
        weight_stability(MKLRegressor(), grams[:1, :1], y[:1])
    with pytest.raises(TypeError, match="estimator is a NoneType"):
        weight_stability(None, grams, y)
    monkeypatch.setattr("mkfusion.inspection._stability._MAX_DRAWS", 1)
    with pytest.raises(ValueError, match="lacked a class"):
        weight_stability(MKLClassifier(), grams, y, groups=y)


def test_displays_draw(two, grams):
    pytest.importorskip("matplotlib").use("Agg")

    X, y = two
    model = make_pipeline(ColumnKernelizer(KERNELS), MKLClassifier())
    display = WeightStabilityDisplay.from_estimator(model, X, y, n_bootstraps=5, random_state=0)
    assert len(display.ax_.texts) == 3
    assert "not importance" in display.ax_.get_xlabel()
    assert display.stability.to_frame().shape == (3, 4)
    display = KernelAlignmentDisplay.from_stack(grams, np.arange(30) % 2)
    assert len(display.ax_.texts) == 12
    assert display.figure_ is display.ax_.figure
