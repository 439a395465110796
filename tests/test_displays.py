"""Displays: what they draw, and where."""

from __future__ import annotations

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch import NeuralNetClassifier
from torch import nn

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.displays import (
    AttributionDisplay,
    FiltersDisplay,
    HistoryDisplay,
    MistakesDisplay,
    ReliabilityDisplay,
)
from skorch_mnist.recipes import FAST


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show was called"))


def curves_of(ax):
    curves = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    return {label: points for label, points in curves.items() if points}


def draw(display):
    display.figure_.canvas.draw()
    return [label.get_text() for label in display.ax_.get_yticklabels() if label.get_text()]


def test_from_estimator_draws_the_recorded_losses(fitted):
    display = HistoryDisplay.from_estimator(fitted)
    epochs = [1, 2, 3]
    for label, key in (("training", "train_loss"), ("validation", "valid_loss")):
        expected = np.column_stack([epochs, fitted.history_[:, key]])
        np.testing.assert_allclose(curves_of(display.ax_)[label], expected)
    assert display.figure_ is display.ax_.figure


def test_axes_are_labeled_and_logarithmic(fitted):
    ax = HistoryDisplay.from_estimator(fitted).ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]


losses = st.floats(1e-12, 1e6)


@settings(deadline=None, max_examples=10)
@given(st.lists(losses, min_size=1, max_size=30))
def test_any_positive_losses_are_drawn_over_whole_epochs_with_readable_ticks(values):
    display = HistoryDisplay(values).plot(ax=Figure().subplots())
    expected = [[epoch, loss] for epoch, loss in enumerate(values, start=1)]
    assert curves_of(display.ax_) == {"training": expected}
    labels = draw(display)
    assert labels and all(float(label.replace("\N{MINUS SIGN}", "-")) > 0 for label in labels)
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())


def test_draws_on_the_given_axes_without_a_new_figure():
    ax = Figure().subplots()
    display = HistoryDisplay([0.5, 0.2], [0.4, 0.3]).plot(ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert plt.get_fignums() == []


def test_plot_returns_the_display_and_can_be_called_again():
    display = HistoryDisplay([0.5, 0.2])
    assert display.plot() is display
    first = display.ax_
    assert display.plot().ax_ is not first


def test_one_epoch_is_drawn_as_a_point():
    display = HistoryDisplay([0.5], [0.3]).plot()
    assert curves_of(display.ax_) == {"training": [[1, 0.5]], "validation": [[1, 0.3]]}
    assert all(line.get_marker() == "o" for line in display.ax_.lines)
    draw(display)
    low, high = display.ax_.get_xlim()
    assert [tick for tick in display.ax_.get_xticks() if low <= tick <= high] == [1]


def test_without_validation_there_is_one_curve(digits):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(train_split=None, max_epochs=1, verbose=0).fit(X[:50], y[:50])
    assert list(curves_of(HistoryDisplay.from_estimator(clf).ax_)) == ["training"]


def test_validation_in_some_epochs_only_leaves_gaps():
    clf = fake_net([{"train_loss": 0.5, "valid_loss": 0.4}, {"train_loss": 0.3}])
    display = HistoryDisplay.from_estimator(clf)
    np.testing.assert_array_equal(display.valid, [0.4, np.nan])


def test_an_interrupted_epoch_leaves_a_gap():
    display = HistoryDisplay.from_estimator(fake_net([{"train_loss": 0.5}, {}]))
    np.testing.assert_array_equal(display.train, [0.5, np.nan])


def fake_net(epochs):
    net = NeuralNetClassifier(nn.Linear, module__in_features=2, module__out_features=2)
    net.initialize()
    net.history_.extend(epochs)
    return net


def test_works_for_stock_skorch_nets():
    X = np.random.RandomState(0).normal(size=(20, 2)).astype(np.float32)
    net = NeuralNetClassifier(
        nn.Linear,
        criterion=nn.CrossEntropyLoss,
        module__in_features=2,
        module__out_features=2,
        max_epochs=2,
        verbose=0,
    )
    ax = HistoryDisplay.from_estimator(net.fit(X, (X[:, 0] > 0).astype(int))).ax_
    assert set(curves_of(ax)) == {"training", "validation"}


def test_unfitted_estimator_is_an_error():
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(MNISTCNNClassifier())


@pytest.mark.parametrize(
    "display",
    [
        HistoryDisplay([0.5]),
        MistakesDisplay(np.zeros((1, 1, 2, 2)), [1], [2]),
        FiltersDisplay(np.zeros((1, 1, 2, 2))),
        AttributionDisplay(np.zeros((1, 1, 2, 2)), np.zeros((1, 2, 2))),
    ],
    ids=lambda display: type(display).__name__,
)
def test_without_matplotlib_the_error_says_how_to_install_it(display, monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        display.plot()
    message = f'{type(display).__name__} requires matplotlib: pip install "skorch_mnist[plot]"'
    assert str(caught.value) == message


# --- several histories, other records -------------------------------------------------------


def test_folds_are_drawn_as_mean_and_band(digits):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0)
    pipeline = make_pipeline(MinMaxScaler(), clf)
    folds = cross_validate(pipeline, X[:200], y[:200], cv=3, return_estimator=True)["estimator"]
    display = HistoryDisplay.from_estimator(folds)
    losses = np.array([fold[-1].history_[:, "train_loss"] for fold in folds])
    np.testing.assert_allclose(display.train, losses)
    drawn = np.array(curves_of(display.ax_)["training"])
    np.testing.assert_allclose(drawn, np.column_stack([[1, 2], losses.mean(axis=0)]))
    (outline,) = display.ax_.collections[0].get_paths()
    heights = outline.vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((losses.min(), losses.max()))


def test_the_mean_ends_with_the_shortest_fold_and_the_band_with_the_longest():
    fits = [[0.5, 0.3, 0.2], [0.7, 0.5], [0.6, 0.4, 0.3]]
    nets = [fake_net([{"train_loss": loss} for loss in losses]) for losses in fits]
    ax = HistoryDisplay.from_estimator(nets).ax_
    drawn = np.array(curves_of(ax)["training"])
    np.testing.assert_allclose(drawn, [[1, 0.6], [2, 0.4], [3, np.nan]])
    (outline,) = ax.collections[0].get_paths()
    at_the_end = outline.vertices[outline.vertices[:, 0] == 3, 1]
    assert (at_the_end.min(), at_the_end.max()) == (0.2, 0.3)


def test_folds_without_a_record_do_not_count():
    fits = [[{"train_loss": 0.5, "valid_loss": 0.4}], [{"train_loss": 0.7}]]
    ax = HistoryDisplay.from_histories(fits).ax_
    assert curves_of(ax) == {"training": [[1, 0.6]], "validation": [[1, 0.4]]}


def test_names_tell_displays_on_the_same_axes_apart(fitted):
    ax = Figure().subplots()
    for name in ("first", "second"):
        HistoryDisplay.from_estimator(fitted, name=name, ax=ax)
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == [
        "first (training)", "first (validation)", "second (training)", "second (validation)",
    ]  # fmt: skip
    assert len({line.get_color() for line in ax.lines}) == 4


def test_validation_has_the_same_color_in_every_plot(fitted):
    colors = []
    for kind in ("loss", "accuracy"):
        lines = HistoryDisplay.from_estimator(fitted, kind=kind).ax_.lines
        colors += [line.get_color() for line in lines if line.get_label() == "validation"]
    assert len(colors) == 2 and len(set(colors)) == 1


def test_a_named_learning_rate_has_a_legend():
    ax = HistoryDisplay([0.1, 0.2], kind="learning rate", name="one cycle").plot().ax_
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one cycle (training)"]


def test_accuracy_has_a_linear_axis(fitted):
    ax = HistoryDisplay.from_estimator(fitted, kind="accuracy").ax_
    expected = np.column_stack([[1, 2, 3], fitted.history_[:, "valid_acc"]])
    np.testing.assert_allclose(curves_of(ax)["validation"], expected)
    assert (ax.get_yscale(), ax.get_ylabel()) == ("linear", "accuracy")


def test_learning_rate_of_one_cycle(digits):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(**{**FAST, "max_epochs": 3}, random_state=0, verbose=0)
    ax = HistoryDisplay.from_estimator(clf.fit(X, y), kind="learning rate").ax_
    rates = clf.history_[:, "event_lr"]
    assert curves_of(ax)["training"] == [[n, rate] for n, rate in enumerate(rates, start=1)]
    assert 0 < rates[2] < rates[1] <= clf.lr and ax.get_legend() is None


def test_values_that_were_not_recorded_cannot_be_drawn(fitted):
    with pytest.raises(ValueError, match=r"not contain any learning rate values\. Set lr_schedule"):
        HistoryDisplay.from_estimator(fitted, kind="learning rate")
    with pytest.raises(ValueError, match=r"any accuracy values\. .* train_split must not be None"):
        HistoryDisplay.from_histories([[{"train_loss": 0.5}]], kind="accuracy")
    with pytest.raises(ValueError, match="must be one of 'loss', 'accuracy', 'learning rate'"):
        HistoryDisplay.from_estimator(fitted, kind="los")


def test_a_history_in_the_place_of_something_else_is_an_error(fitted):
    for wrong in (fitted.history_, [fitted.history_]):
        with pytest.raises(TypeError, match=r"but a history\. Use from_histories, as in "):
            HistoryDisplay.from_estimator(wrong)
    with pytest.raises(TypeError, match=r"must be a list of histories; got one\. Pass \[history\]"):
        HistoryDisplay.from_histories(fitted.history_)


@pytest.mark.parametrize(
    "display", [HistoryDisplay, FiltersDisplay, AttributionDisplay, MistakesDisplay]
)
def test_an_estimator_in_the_place_of_arrays_is_an_error(display, fitted):
    more = {HistoryDisplay: 0, FiltersDisplay: 0, AttributionDisplay: 1, MistakesDisplay: 2}
    with pytest.raises(TypeError, match=f"use {display.__name__}.from_estimator"):
        display(fitted, *[[]] * more[display])


# --- mistakes -------------------------------------------------------------------------------


def titles(display):
    return [small.get_title() for small in display.axes_]


def picture(small):
    return np.asarray(small.images[0].get_array())


def test_mistakes_are_the_most_confident_errors(digits, fitted):
    _, X, _, y = digits
    display = MistakesDisplay.from_estimator(fitted, X, y, n_images=5)
    proba = fitted.predict_proba(X)
    answers = proba.argmax(axis=1)
    wrong = np.flatnonzero(answers != y)
    rows = wrong[np.argsort(-proba[wrong].max(axis=1), kind="stable")][:5]
    assert len(rows) == 5
    expected = [f"{y[row]} read as {answers[row]}\n{proba[row].max():.1%}" for row in rows]
    assert titles(display) == expected
    for small, row in zip(display.axes_, rows, strict=True):
        np.testing.assert_array_equal(picture(small), X[row].reshape(28, 28))


def test_mistakes_from_predictions_with_labels_and_colors():
    X = np.zeros((3, 4, 4, 3), dtype=np.uint8)
    X[1, 0, 0] = [200, 100, 0]
    display = MistakesDisplay.from_predictions(X, ["a", "b", "c"], ["a", "c", "c"])
    assert titles(display) == ["b read as c"]
    np.testing.assert_allclose(picture(display.axes_[0])[0, 0], [1, 0.5, 0])


def test_the_display_shows_a_note_if_there_are_no_mistakes():
    display = MistakesDisplay.from_predictions(np.zeros((2, 4)), [1, 2], [1, 2])
    assert display.axes_ == []
    assert [text.get_text() for text in display.ax_.texts] == ["no mistakes"]


def test_mistakes_of_a_pipeline(digits):
    X, X_test, y, y_test = digits
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    pipeline = make_pipeline(MinMaxScaler(), clf).fit(X, y)
    assert len(MistakesDisplay.from_estimator(pipeline, X_test, y_test).axes_) == 24


def test_mistakes_of_a_pipeline_with_images_that_are_not_square(digits):
    X, _, y, _ = digits
    rows = X.reshape(-1, 28, 28)[:, :, 4:24].reshape(len(X), -1)
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0, image_shape=(28, 20))
    pipeline = make_pipeline(MinMaxScaler(), clf).fit(rows, y)
    display = MistakesDisplay.from_estimator(pipeline, rows, y, n_images=2)
    assert display.images.shape == (2, 1, 28, 20)


def test_invalid_input_of_mistakes():
    with pytest.raises(ValueError, match="y_true has dtype <U1, but y_pred has dtype int64"):
        MistakesDisplay.from_predictions(np.zeros((2, 4)), ["1", "2"], [1, 1])
    with pytest.raises(ValueError, match="X must be a numeric array of images"):
        MistakesDisplay.from_predictions(["seven.jpg", "four.png"], [1, 2], [1, 1])
    with pytest.raises(ValueError, match="n_images=0 is not valid: it must be a positive"):
        MistakesDisplay.from_predictions(np.zeros((2, 4)), [1, 2], [1, 1], n_images=0)
    with pytest.raises(ValueError, match="y_pred has 1 values, but X has 2 images"):
        MistakesDisplay.from_predictions(np.zeros((2, 4)), [1, 2], [1])
    with pytest.raises(ValueError, match="probabilities has 3 values, but X has 2 images"):
        MistakesDisplay.from_predictions(np.zeros((2, 4)), [1, 2], [1, 2], np.ones(3))
    with pytest.raises(ValueError, match=r"\[2, 1\]"):
        MistakesDisplay.from_estimator(DummyClassifier(), np.zeros((2, 4)), [1])
    with pytest.raises(ValueError, match="image_shape"):
        MistakesDisplay.from_predictions(np.zeros((2, 4)), [1, 2], [1, 1], image_shape=(3, 3))


# --- reliability ----------------------------------------------------------------------------


def test_reliability_and_its_error():
    proba = np.array([[0.95, 0.05], [0.05, 0.95], [0.45, 0.55], [0.55, 0.45]])
    display = ReliabilityDisplay.from_predictions(
        ["a", "a", "b", "b"], proba, classes=["a", "b"], name="mine"
    )
    np.testing.assert_allclose(display.line_.get_xydata(), [[0.55, 0.5], [0.95, 0.5]])
    assert display.expected_calibration_error_ == pytest.approx((0.05 + 0.45) / 2)
    assert display.ax_.get_xlabel() == "probability of the predicted class"
    assert "mine" in [text.get_text() for text in display.ax_.get_legend().get_texts()]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_calibration_error_is_at_most_one_and_zero_for_certainty(seed, n_bins):
    rng = np.random.RandomState(seed)
    y = rng.randint(3, size=20)
    ax = Figure().subplots()
    sure = ReliabilityDisplay.from_predictions(y, np.eye(3)[y], n_bins=n_bins, ax=ax)
    assert sure.expected_calibration_error_ == 0
    other = rng.dirichlet(np.ones(3), size=20)
    error = ReliabilityDisplay.from_predictions(y, other, n_bins=n_bins, ax=ax)
    assert 0 <= error.expected_calibration_error_ <= 1


def test_reliability_of_an_estimator(digits, fitted):
    _, X, _, y = digits
    display = ReliabilityDisplay.from_estimator(fitted, X, y)
    confidence = fitted.predict_proba(X).max(axis=1)
    assert display.line_.get_xdata().max() <= confidence.max()
    assert 0 < display.expected_calibration_error_ < 1


def test_invalid_input_of_reliability():
    for n_bins in (0, -1, 2.5, "a"):
        with pytest.raises(ValueError, match=r"n_bins=.* is not valid: it must be a positive"):
            ReliabilityDisplay.from_predictions([0], [[0.5, 0.5]], n_bins=n_bins)
    with pytest.raises(ValueError, match=r"y_proba must have values in .*; got values from 1 to 9"):
        ReliabilityDisplay.from_predictions([0, 1], [[9, 1], [2, 8]])
    with pytest.raises(ValueError, match="it does not contain any of the labels in y_true"):
        ReliabilityDisplay.from_predictions(["0", "1"], [[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(ValueError, match=r"\b0\b"):
        ReliabilityDisplay.from_predictions([], np.zeros((0, 2)))
    with pytest.raises(ValueError, match="y_proba has 2 columns, but classes has 3 labels"):
        ReliabilityDisplay.from_predictions([0], [[0.5, 0.5]], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"\b2\b.*\b1\b"):
        ReliabilityDisplay.from_predictions([0, 1], [[0.5, 0.5]])


def test_reliability_plotted_again_looks_the_same():
    display = ReliabilityDisplay.from_predictions([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    labels = display.ax_.get_xlabel(), display.ax_.get_ylabel()
    assert display.plot(ax=Figure().subplots(), linestyle=":", color="red") is display
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == labels
    assert display.line_.get_color() == "red"


# --- filters and attributions ---------------------------------------------------------------


def test_filters_are_those_of_the_first_convolution(fitted):
    display = FiltersDisplay.from_estimator(fitted)
    weights = fitted.module_.conv1.weight.detach().numpy()
    assert len(display.axes_) == 16
    for small, kernel in zip(display.axes_, weights, strict=True):
        np.testing.assert_array_equal(picture(small), kernel[0])
        assert small.images[0].get_clim() == pytest.approx(
            (-abs(weights).max(), abs(weights).max())
        )


@pytest.mark.parametrize("display", [FiltersDisplay, HistoryDisplay, AttributionDisplay])
def test_other_estimators_are_rejected(display, digits):
    X, _, y, _ = digits
    arguments = (X[:2],) if display is AttributionDisplay else ()
    with pytest.raises(
        TypeError, match=rf"{display.__name__} requires a fitted MNISTCNNClassifier; "
    ):
        display.from_estimator(DummyClassifier().fit(X, y), *arguments)


def test_filters_of_a_pipeline(fitted):
    assert len(FiltersDisplay.from_estimator(make_pipeline(MinMaxScaler(), fitted)).axes_) == 16


def test_network_without_filters_is_an_error():
    with pytest.raises(ValueError, match="Linear does not have a two-dimensional convolution"):
        FiltersDisplay.from_estimator(fake_net([{}]))
    with pytest.raises(NotFittedError):
        FiltersDisplay.from_estimator(MNISTCNNClassifier())


class Corner(ClassifierMixin, BaseEstimator):
    """A classifier that looks at one pixel."""

    classes_ = np.array(["dark", "light"])
    image_shape_ = (1, 14, 14)

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        light = np.asarray(X).reshape(len(X), 14, 14)[:, 3, 4] / 255
        return np.column_stack([1 - light, light])


def test_attribution_is_at_the_pixel_that_decides():
    X = np.full((1, 14, 14), 10, dtype=np.uint8)
    X[0, 3, 4] = 255
    display = AttributionDisplay.from_estimator(Corner(), X)
    assert titles(display) == ["light"]
    (attribution,) = display.attributions
    assert np.unravel_index(attribution.argmax(), attribution.shape) == (3, 4)
    assert attribution[3, 4] == pytest.approx(245 / 255)
    assert attribution[8:].max() == 0 and attribution.min() == 0
    np.testing.assert_array_equal(picture(display.axes_[0]), X[0])
    np.testing.assert_array_equal(display.axes_[0].images[1].get_array(), attribution)


def test_attribution_of_the_classifier(digits, fitted):
    _, X, _, _ = digits
    display = AttributionDisplay.from_estimator(fitted, X[:2])
    assert display.attributions.shape == (2, 28, 28)
    assert np.abs(display.attributions).max() <= 1
    assert titles(display) == [str(label) for label in fitted.predict(X[:2])]


@pytest.mark.parametrize(
    "n", [1, 2, 5, *(pytest.param(n, marks=pytest.mark.slow) for n in (24, 30))]
)
def test_images_do_not_overlap_and_lie_within_their_axes(n):
    for ax in (None, Figure(figsize=(5, 4)).subplots()):
        images = np.zeros((n, 1, 8, 8))
        display = MistakesDisplay(images, np.zeros(n), np.ones(n), np.ones(n)).plot(ax=ax)
        display.figure_.canvas.draw()
        boxes = [small.get_window_extent() for small in display.axes_]
        whole = display.figure_.bbox
        for number, box in enumerate(boxes):
            assert whole.x0 <= box.x0 < box.x1 <= whole.x1
            assert whole.y0 <= box.y0 < box.y1 <= whole.y1
            assert not any(box.overlaps(other) for other in boxes[:number])
