"""Whether what was found looks like a digit to the classifier that comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import SIDE

if TYPE_CHECKING:
    from skorch_mnist.rejection import RejectingClassifier

# Digits in pictures differ more from MNIST than its test images do, so this is higher than for the
# classifier itself. Chosen on generated pictures and outliers.
ACCEPT = 0.995
_LOADING = Lock()


def pretrained() -> RejectingClassifier:
    """Return the classifier that comes with the package, loaded once."""
    with _LOADING:  # several threads may need it at the same time
        return _pretrained()


@cache
def _pretrained() -> RejectingClassifier:
    from skorch_mnist.rejection import RejectingClassifier

    classifier = RejectingClassifier.from_pretrained("digits")
    classifier.set_params(accept=ACCEPT)
    return classifier


def likeness(images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how much each image looks like a digit: its score minus the threshold.

    Parameters
    ----------
    images : ndarrays of shape (28, 28), 0 (paper) to 255 (ink)

    Returns
    -------
    ndarray of shape (n_images,), float64
        0 or more if the image is accepted as a digit.
    """
    if not len(images):
        return np.empty(0)
    classifier = pretrained()
    rows = np.reshape(images, (len(images), SIDE * SIDE))
    return np.asarray(classifier.score_samples(rows) - classifier.threshold_)
