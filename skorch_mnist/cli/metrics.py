"""The accuracy and other metrics of a classifier, with confidence intervals."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.rejection import RejectingClassifier

    from .images import Images

CONFIDENCE = 0.95  # for all intervals
N_BINS = 10  # for the expected calibration error


class Figure(NamedTuple):
    """A figure, and its 95% confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class ClassMetrics(NamedTuple):
    """The metrics of one class."""

    label: Any
    n_images: int
    precision: Figure
    recall: Figure
    f1: Figure


class Rejection(NamedTuple):
    """The fraction of accepted images, and the accuracy on them."""

    accepted: Figure
    accuracy: Figure


class Metrics(NamedTuple):
    """The metrics over all predictions, and for each class."""

    n_images: int
    accuracy: Figure
    macro_f1: float
    log_loss: float
    expected_calibration_error: float
    classes: list[ClassMetrics]
    confusion_matrix: NDArray[np.int64]
    rejection: Rejection | None = None  # if the classifier rejects images

    def as_json(self) -> dict[str, Any]:
        """Return the figures in JSON types."""
        return {
            **self._asdict(),
            "accuracy": self.accuracy._asdict(),
            "classes": [
                {
                    name: value._asdict() if isinstance(value, Figure) else value
                    for name, value in one._asdict().items()
                }
                for one in self.classes
            ],
            "confusion_matrix": self.confusion_matrix.tolist(),
            "rejection": self.rejection
            and {name: figure._asdict() for name, figure in self.rejection._asdict().items()},
        }


def predictions_of(
    clf: MNISTCNNClassifier | RejectingClassifier, X: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Return the probability of each class, and, if the classifier rejects, what it accepts."""
    from skorch_mnist.reading import classify
    from skorch_mnist.rejection import RejectingClassifier

    labels, proba = classify(X, clf)
    rejects = isinstance(clf, RejectingClassifier)
    return proba, np.array([label is not None for label in labels]) if rejects else None


def measure_classifier(clf: MNISTCNNClassifier | RejectingClassifier, images: Images) -> Metrics:
    """Compute the metrics of a classifier, as ``measure`` does."""
    proba, accepted = predictions_of(clf, images.X)
    return measure(images.y, proba, clf.classes_, accepted)


def measure(
    y_true: NDArray[Any],
    proba: NDArray[Any],
    classes: NDArray[Any],
    accepted: NDArray[np.bool_] | None = None,
) -> Metrics:
    """Compute the metrics of predictions.

    The intervals of accuracy, precision and recall are Wilson intervals, computed from the counts
    in the confusion matrix. F1 is 2 J / (1 + J), where J, the Jaccard index, is the fraction of
    correct predictions among all images that belong to the class or were assigned to it. Its
    interval is the Wilson interval of J after the same transformation.

    Parameters
    ----------
    y_true : ndarray of shape (n_images,)
        True labels, all among ``classes``.
    proba : ndarray of shape (n_images, n_classes)
        Probability of each class.
    classes : ndarray of shape (n_classes,)
        Labels in ascending order.
    accepted : ndarray of shape (n_images,), bool, or None
        Whether each image was accepted, if the classifier rejects images. All other metrics are
        computed over all images.

    Raises
    ------
    ValueError
        If a probability is not finite.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    from sklearn.metrics import confusion_matrix, log_loss

    from skorch_mnist.displays import expected_calibration_error

    if not np.isfinite(proba).all():
        raise ValueError(
            "the classifier returns probabilities that are NaN or infinite, because its training "
            "diverged: train it with a lower lr"
        )
    codes = np.searchsorted(classes, y_true)
    n_images, n_classes = proba.shape
    matrix = confusion_matrix(codes, proba.argmax(axis=1), labels=range(n_classes))
    right, true, answered = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    figures = [
        ClassMetrics(
            label=classes[k].item(),
            n_images=int(true[k]),
            precision=share(int(right[k]), int(answered[k])),
            recall=share(int(right[k]), int(true[k])),
            f1=f1_of(share(int(right[k]), int(true[k] + answered[k] - right[k]))),
        )
        for k in range(n_classes)
    ]
    rejection = None
    if accepted is not None:
        rejection = rejection_of(proba.argmax(axis=1) == codes, accepted)
    return Metrics(
        n_images=n_images,
        accuracy=share(int(right.sum()), n_images),
        macro_f1=statistics.fmean(one.f1.value for one in figures),
        log_loss=float(log_loss(codes, proba.astype(np.float64), labels=range(n_classes))),
        expected_calibration_error=expected_calibration_error(codes, proba, n_bins=N_BINS),
        classes=figures,
        confusion_matrix=matrix,
        rejection=rejection,
    )


def rejection_of(right: NDArray[np.bool_], accepted: NDArray[np.bool_]) -> Rejection:
    """Return the metrics of a classifier that rejects images."""
    n_accepted = int(accepted.sum())
    return Rejection(
        accepted=share(n_accepted, len(accepted)),
        accuracy=share(int((right & accepted).sum()), n_accepted),
    )


def share(n_right: int, n_all: int) -> Figure:
    """Return a fraction and its Wilson interval, which is 0 to 1 if ``n_all`` is 0."""
    from scipy.stats import binomtest

    if not n_all:
        return Figure(0.0, 0.0, 1.0)
    interval = binomtest(n_right, n_all).proportion_ci(CONFIDENCE, method="wilson")
    return Figure(n_right / n_all, float(interval.low), float(interval.high))


def f1_of(jaccard: Figure) -> Figure:
    """Return the F1 of a class from its Jaccard index."""
    return Figure(*(2 * value / (1 + value) for value in jaccard))
