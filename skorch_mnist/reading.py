"""Read digits in pictures, with the classifier that comes with the package or with another one."""

from __future__ import annotations

import copy
import math
import warnings
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from skorch_mnist._geometry import SIDE
from skorch_mnist.pictures import DigitPreprocessor, find_digits
from skorch_mnist.pictures._judge import pretrained
from skorch_mnist.pictures._preprocessor import MAX_PIXELS
from skorch_mnist.rejection import RejectingClassifier

__all__ = ["Digit", "read_digits"]

IMAGE_SHAPE = (1, SIDE, SIDE)  # channels, height and width of a digit in the form of MNIST
N_PIXELS = SIDE * SIDE


class Digit(NamedTuple):
    """A digit in a picture.

    Attributes
    ----------
    label : object
        One of ``classes_`` of the classifier as a Python scalar, such as 7. None if a
        ``RejectingClassifier`` rejects this as not being a digit.
    probability : float
        Probability of the most probable label in [0, 1], assuming that this is a digit.
    box : tuple of int
        Left, top, right and bottom of the digit in the upright picture, in pixels, as for
        ``PIL.Image.crop``.
    """

    label: Any
    probability: float
    box: tuple[int, int, int, int]


def read_digits(
    picture: Any,
    *,
    classifier: Any = None,
    page: bool | str = "auto",
    polarity: str = "auto",
    max_pixels: int = MAX_PIXELS,
    accept: float | None = None,
) -> list[Digit]:
    """Read the digits in a picture: a single digit, a number, a row, a form or a grid.

    This requires no training and no network access. The first call loads the classifier that comes
    with the package.

    Parameters
    ----------
    picture : path, binary file, bytes, PIL image or array
        A drawing, photograph or scan, as for :func:`~skorch_mnist.pictures.find_digits`.
    classifier : fitted classifier or None, default=None
        Classifier of the digits, with ``predict_proba`` and ``classes_``. It receives an array of
        shape (n_digits, 784), with pixels from 0 (paper) to 255 (ink). An ``MNISTCNNClassifier``
        receives images instead of rows, with pixels in the range that it was trained on, such as 0
        to 1. Only a ``RejectingClassifier`` can distinguish letters and dirt from digits. If None,
        ``RejectingClassifier.from_pretrained("digits")`` is used.
    page : bool or "auto", default="auto"
        Whether the picture may show several digits. "auto" decides based on the picture.
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether ink is darker or lighter than its background.
    max_pixels : int, default=100_000_000
        A file with more pixels is rejected before it is decoded.
    accept : float in [0, 1] or None, default=None
        Fraction of digits to accept, 1 for all. A lower value rejects more images that are not
        digits. None uses the value of the ``RejectingClassifier``, or 0.995 for the one that comes
        with the package.

    Returns
    -------
    list of Digit
        Label, probability and box of each digit in reading order; empty if no digit was found.
        Anything that the classifier rejects has the label None.

    Raises
    ------
    PictureError
        If the picture cannot be read.
    sklearn.exceptions.NotFittedError
        If the classifier is not fitted.
    TypeError
        If the classifier does not have ``predict_proba``.
    ValueError
        If the classifier was fitted on other images, or if another argument is not valid.

    Warns
    -----
    UserWarning
        If an ``MNISTCNNClassifier`` was trained on dark digits on a light background.

    See Also
    --------
    skorch_mnist.pictures.find_digits : Find digits without reading them.

    Notes
    -----
    This function is thread-safe.

    Examples
    --------
    A seven, dark on light:

    >>> import numpy as np
    >>> from skorch_mnist import read_digits
    >>> picture = np.full((300, 200), 230, dtype=np.uint8)
    >>> picture[60:80, 50:150] = 40
    >>> for row in range(60, 240):
    ...     picture[row, 145 - row // 4 : 165 - row // 4] = 40
    >>> [digit] = read_digits(picture)
    >>> digit.label, digit.box
    (7, (50, 60, 150, 240))
    """
    if classifier is not None:
        check_classifier(classifier)
    if accept is not None:
        _check_accept(accept, classifier)
        classifier = copy.copy(pretrained() if classifier is None else classifier)
        classifier.set_params(accept=accept)
    return read_closely(
        picture, classifier, page=page, polarity=polarity, max_pixels=max_pixels
    ).digits


def as_json(image: str | None, digits: list[Digit]) -> dict[str, Any]:
    """Return the digits in a picture as a JSON object; ``image`` is its name, or None."""
    return {"image": image, "digits": [digit._asdict() for digit in digits]}


class Reading(NamedTuple):
    """The digits in a picture, and how they were read."""

    digits: list[Digit]
    images: NDArray[np.uint8]  # (n_digits, 28, 28), 0 (paper) to 255 (ink)
    probabilities: NDArray[np.float64]  # (n_digits, n_classes)


def read_closely(picture: Any, classifier: Any, **options: Any) -> Reading:
    """Read a picture; the arguments are those of ``read_digits``, already checked."""
    found = find_digits(picture, **options)
    if not len(found.images):
        return Reading([], found.images, np.empty((0, 0)))
    if classifier is None:
        classifier = pretrained()
    labels, probabilities = classify(_in_range(found.images, classifier), classifier)
    digits = [
        Digit(label, float(row.max()), tuple(box))
        for label, row, box in zip(labels, probabilities, found.boxes.tolist(), strict=True)
    ]
    return Reading(digits, found.images, probabilities)


def classify(images: NDArray[Any], classifier: Any) -> tuple[list[Any], NDArray[np.float64]]:
    """Return the label of each image as a Python scalar, and the probability of each class.

    The label of a rejected image is None.
    """
    shape = getattr(classifier, "image_shape_", ())
    if math.prod(shape) * len(images) == images.size and hasattr(classifier, "pixel_statistics_"):
        images = images.reshape(len(images), *shape)  # rows would need the names of columns
    classes = np.asarray(classifier.classes_).tolist()
    if not isinstance(classifier, RejectingClassifier):
        probabilities = np.asarray(classifier.predict_proba(images))
        return [classes[code] for code in probabilities.argmax(axis=1)], probabilities
    log_proba, scores = classifier._log_proba_and_scores(images)
    labels = [classes[code] for code in log_proba.argmax(axis=1)]
    accepted = scores >= classifier.threshold_
    labels = [label if known else None for label, known in zip(labels, accepted, strict=True)]
    return labels, np.exp(log_proba)


def _in_range(images: NDArray[np.uint8], classifier: Any) -> NDArray[Any]:
    """Return rows of pixels in the range of the training images of the classifier."""
    rows = images.reshape(len(images), N_PIXELS)
    known = getattr(classifier, "pixel_statistics_", None)
    return rows if known is None else known.low + rows * (known.high - known.low) / 255


def _check_accept(accept: Any, classifier: Any) -> None:
    """Raise an error unless ``accept`` is valid for the classifier."""
    if not isinstance(accept, Real) or not 0 <= float(accept) <= 1:
        raise ValueError(f"accept={accept!r} is not valid: it must be a number in [0, 1].")
    if classifier is not None and not isinstance(classifier, RejectingClassifier):
        raise ValueError(
            f"accept={accept!r} is not valid for {type(classifier).__name__}, which does not "
            "reject images. Pass a RejectingClassifier."
        )


def check_classifier(classifier: Any) -> None:
    """Raise an error unless the classifier is fitted and takes images in the form of MNIST."""
    if isinstance(classifier, type) or not hasattr(classifier, "predict_proba"):
        raise TypeError(
            f"classifier={classifier!r} is not valid: it must be a fitted classifier with "
            "predict_proba, such as the result of MNISTCNNClassifier.load."
        )
    if any(isinstance(step, DigitPreprocessor) for _, step in getattr(classifier, "steps", ())):
        raise ValueError(
            "classifier is a pipeline with a DigitPreprocessor, but read_digits prepares the "
            "digits itself. Pass only the steps after it, as in classifier[1:]."
        )
    if not hasattr(classifier, "classes_"):
        raise NotFittedError(
            f"This {type(classifier).__name__} instance is not fitted yet. Call fit before passing "
            "it as classifier."
        )
    n_pixels = getattr(classifier, "n_features_in_", N_PIXELS)
    shape = getattr(classifier, "image_shape_", IMAGE_SHAPE)
    if n_pixels != N_PIXELS or shape != IMAGE_SHAPE:
        of_shape = f" of shape {shape}" if hasattr(classifier, "image_shape_") else ""
        raise ValueError(
            f"classifier was fitted on images{of_shape} with {n_pixels} pixels, but digits are "
            f"converted to {IMAGE_SHAPE}, {N_PIXELS} pixels. Pass a classifier that was fitted on "
            "such images."
        )
    known = getattr(classifier, "pixel_statistics_", None)
    if known is not None and known.are_mostly_bright():
        warnings.warn(
            f"classifier was fitted on pixels from {known.low:g} to {known.high:g} with a mean of "
            f"{known.mean:g}, that is, on dark digits on a light background, but read_digits "
            "passes light digits on a dark background: predictions will be poor. Fit it on "
            f"inverted images, {known.low + known.high:g} - X.",
            UserWarning,
            stacklevel=3,
        )
