"""HistoryDisplay: what it draws, and where."""

from __future__ import annotations

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetClassifier
from torch import nn

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.displays import HistoryDisplay


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show was called"))
    yield
    plt.close("all")


def curves_of(ax):
    return {line.get_label(): line.get_xydata().tolist() for line in ax.lines}


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


def test_axes_are_labelled_and_logarithmic(fitted):
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


def test_draws_on_the_axes_given_and_makes_no_figure():
    ax = Figure().subplots()
    display = HistoryDisplay([0.5, 0.2], [0.4, 0.3]).plot(ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert plt.get_fignums() == []


def test_plot_returns_itself_and_may_be_repeated():
    display = HistoryDisplay([0.5, 0.2])
    assert display.plot() is display
    first = display.ax_
    assert display.plot().ax_ is not first


def test_one_epoch_is_a_point_at_1():
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
    np.testing.assert_array_equal(display.valid_loss, [0.4, np.nan])


def test_an_interrupted_epoch_leaves_a_gap():
    display = HistoryDisplay.from_estimator(fake_net([{"train_loss": 0.5}, {}]))
    np.testing.assert_array_equal(display.train_loss, [0.5, np.nan])


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
    with pytest.raises(NotFittedError, match="not fitted yet"):
        HistoryDisplay.from_estimator(MNISTCNNClassifier())


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        HistoryDisplay([0.5]).plot()
    message = 'HistoryDisplay needs matplotlib: pip install "skorch_mnist[plot]".'
    assert str(caught.value) == message
