"""The data sets that commands work on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ._messages import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.datasets._download import Limits

SILENCE = 5.0  # seconds without an answer before "auto" gives up a mirror
PATIENCE = 30.0  # seconds for all downloads together before "auto" gives up


class Digits(NamedTuple):
    """Images in flat rows, as the fetchers give them, and labels, for training and for testing."""

    name: str
    X_train: NDArray[np.uint8]
    X_test: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    y_test: NDArray[np.int64]


def load_digits(dataset: str, data_home: Path | None) -> Digits:
    """Load the data set; "auto" says so where it has to do without MNIST."""
    from skorch_mnist.datasets import DatasetError
    from skorch_mnist.datasets._download import PATIENT, Limits

    if dataset == "digits":
        return bundled_digits()
    if dataset == "mnist":
        return mnist(data_home, PATIENT)
    try:
        return mnist(data_home, Limits(SILENCE, time.monotonic() + PATIENCE))
    except DatasetError as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        say(f"MNIST is not at hand: {reason} (--dataset mnist says why).")
        say("The digits bundled with scikit-learn are used INSTEAD OF MNIST.")
        return bundled_digits()


def mnist(data_home: Path | None, limits: Limits) -> Digits:
    """Load MNIST."""
    from skorch_mnist.datasets._fetch import load_mnist_arrays

    X_train, y_train = load_mnist_arrays("train", data_home=data_home, limits=limits)
    X_test, y_test = load_mnist_arrays("test", data_home=data_home, limits=limits)
    train, test = (X.reshape(len(X), -1) for X in (X_train, X_test))
    return Digits("MNIST", train, test, y_train, y_test)


def bundled_digits() -> Digits:
    """Load scikit-learn's digits, a fifth of them to test on."""
    from sklearn.model_selection import train_test_split

    from skorch_mnist.datasets import load_digits28

    X, y = load_digits28(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    return Digits("scikit-learn's digits", *parts)
