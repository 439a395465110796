"""The figures that commands write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .images import Images
    from .metrics import Metrics

MOST_COUNTED = 20  # classes up to which a confusion matrix shows numbers
MOST_MISTAKES = 32
LONGEST = 24  # characters of a label


def recorded_kinds(histories: Sequence[Any]) -> list[str]:
    """Return the kinds of curves that were recorded; a single epoch has no curve."""
    from skorch_mnist.displays import recorded_kinds as recorded

    return recorded(histories) if max(map(len, histories)) > 1 else []


def history(histories: Sequence[Any], kind: str, title: str = "") -> Figure:
    """Draw the curves of training runs."""
    from skorch_mnist.displays import HistoryDisplay

    figure = new_figure(6.4, 4.4)
    display = HistoryDisplay.from_histories(histories, kind=kind, ax=figure.subplots())
    display.ax_.set_title(title, parse_math=False)
    return figure


def confusions(metrics: Metrics, title: str = "") -> Figure:
    """Draw the confusion matrix."""
    from sklearn.metrics import ConfusionMatrixDisplay

    labels = [as_plotted(one.label) for one in metrics.classes]
    counted = len(labels) <= MOST_COUNTED
    side = max(6.0, (0.5 if counted else 0.22) * len(labels))
    figure = new_figure(side, side)
    display = ConfusionMatrixDisplay(metrics.confusion_matrix, display_labels=labels)
    display.plot(
        ax=figure.subplots(),
        cmap="Blues",
        colorbar=False,
        include_values=counted,
        xticks_rotation="vertical" if max(map(len, labels)) > 2 else "horizontal",
    )
    display.ax_.set_title(title, parse_math=False)
    return figure


def as_plotted(label: Any) -> str:
    """Shorten a label for an axis, and escape it, so that it is not read as a formula."""
    text = str(label)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return text.replace("$", r"\$")


def reliability(images: Images, proba: Any, classes: Any) -> Figure:
    """Draw a reliability diagram."""
    from skorch_mnist.displays import ReliabilityDisplay

    figure = new_figure(5.2, 4.6)
    ReliabilityDisplay.from_predictions(
        images.y, proba, classes=classes, name="predictions", ax=figure.subplots()
    )
    return figure


def mistakes(images: Images, proba: Any, classes: Any, image_shape: tuple[int, ...]) -> Figure:
    """Draw the wrong predictions with the highest probability."""
    answers = classes[proba.argmax(axis=1)]
    return _wrong(images.X, images.y, answers, image_shape, proba.max(axis=1))


def rejected(images: Images, accepted: Any, image_shape: tuple[int, ...]) -> Figure:
    """Draw the first images that were rejected."""
    import numpy as np

    X, y = images.X[~accepted], images.y[~accepted].astype(str)
    return _wrong(X, y, np.full(len(y), "nothing"), image_shape)


def _wrong(X: Any, y: Any, answers: Any, image_shape: Any, probabilities: Any = None) -> Figure:
    import matplotlib.pyplot as plt

    from skorch_mnist.displays import MistakesDisplay

    display = MistakesDisplay.from_predictions(
        X, y, answers, probabilities, image_shape=image_shape, n_images=MOST_MISTAKES
    )
    figure: Figure = display.figure_
    plt.close(figure)  # do not show it in a window
    return figure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, with its size in inches, that is not shown in a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
