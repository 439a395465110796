"""The default detector, and the images that it learns from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from skorch_mnist._batches._split import split_rows
from skorch_mnist._outliers import generate_outliers, with_outliers
from skorch_mnist.classifier import MNISTCNNClassifier
from skorch_mnist.recipes import FAST, FINE_TUNE

HELD_OUT = 0.1  # fraction of the images that set the threshold
# With fewer images, a single unusual one would move the threshold far.
LEAST_HELD_OUT = 200
N_CHECKED = 500  # generated outliers
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


def train_detector(
    detector: Any,
    how: str,
    images: NDArray[Any],
    codes: NDArray[np.int64],
    given: NDArray[Any] | None,
    n_classes: int,
    rng: np.random.Generator,
) -> None:
    """Call ``fit`` or ``partial_fit`` with images, generated outliers and given ones.

    At the rate of its first training, the default detector would forget what it has learned.
    """
    if how == "partial_fit" and isinstance(detector, MNISTCNNClassifier):
        detector.set_params(lr=min(detector.lr, FINE_TUNE["lr"]))
    shown, taught = with_outliers(images, codes, given, n_classes=n_classes, rng=rng)
    kwargs = {"classes": np.arange(n_classes + 1)} if how == "partial_fit" else {}
    getattr(detector, how)(shown, taught, **kwargs)


def check_rejection(rejecting: Any, images: NDArray[Any], codes: NDArray[np.int64]) -> None:
    """Warn if a classifier that was just fitted accepts most generated outliers.

    The outliers are new ones, made from held-out images (n, channels, height, width).
    """
    if rejecting.accept == 1 or not hasattr(rejecting, "pixel_statistics_"):
        return  # all are accepted, or the estimator may not take images of this shape
    outliers = generate_outliers(images, codes, N_CHECKED, np.random.default_rng(0))
    accepted = np.mean(rejecting.score_samples(outliers) >= rejecting.threshold_)
    if accepted > 0.5:
        warnings.warn(
            f"{accepted:.0%} of generated outliers, such as noise and scribbles, are accepted: "
            f"with accept={rejecting.accept:g}, the threshold is the score of unusual images, "
            "which is low if the networks have not learned them. Train on more images, or for more "
            "epochs if the accuracy is low. Or lower accept (on the command line, predict has "
            "--accept), which also rejects more images of known classes.",
            UserWarning,
            stacklevel=4,
        )


def held_out_rows(
    codes: NDArray[np.int64], random_state: np.random.RandomState
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows for training, and rows for the threshold; if none can be spared, all of them."""
    share = max(HELD_OUT, min(MOST_HELD_OUT, LEAST_HELD_OUT / len(codes)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning is about train_split
        train, held_out = split_rows(codes, share, random_state)
    return train, held_out if len(held_out) else train
