"""The default detector, and the images that it learns from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from skorch_mnist._batches._split import split_rows
from skorch_mnist.classifier import MNISTCNNClassifier
from skorch_mnist.recipes import FAST

HELD_OUT = 0.1  # fraction of the images that set the threshold
# With fewer images, a single unusual one would move the threshold far.
LEAST_HELD_OUT = 200
MOST_HELD_OUT = 1 / 3  # fraction, if there are few images
DETECTOR: dict[str, Any] = {
    **FAST,
    "module__widths": (16, 32),
    "module__padding": True,
    "max_epochs": 3,
    "augment": "affine",
    "verbose": 0,
}


def new_detector() -> MNISTCNNClassifier:
    """Return a small network that is trained for three epochs."""
    return MNISTCNNClassifier(**DETECTOR)


def seed(estimators: Sequence[Any], random_state: np.random.RandomState) -> None:
    """Set the parameter ``random_state`` where it is None, except in frozen estimators."""
    drawn = random_state.randint(2**31 - 1)
    for estimator in estimators:
        is_frozen = isinstance(estimator, FrozenEstimator)
        if not is_frozen and getattr(estimator, "random_state", drawn) is None:
            estimator.set_params(random_state=drawn)


def held_out_rows(
    codes: NDArray[np.int64], random_state: np.random.RandomState
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows for training, and rows for the threshold; if none can be spared, all of them."""
    share = max(HELD_OUT, min(MOST_HELD_OUT, LEAST_HELD_OUT / len(codes)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning is about train_split
        train, held_out = split_rows(codes, share, random_state)
    return train, held_out if len(held_out) else train
