"""The data sets that commands know by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ._config import Source
from ._images import Data, Images, named, split
from ._messages import Screen, UsageError

SILENCE = 5.0  # seconds without an answer before "auto" gives up a mirror
PATIENCE = 30.0  # seconds for all downloads together before "auto" gives up

EMNIST = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
NAMES = (
    "auto",
    "mnist",
    "fashion-mnist",
    "kmnist",
    "qmnist",
    *(f"emnist-{split}" for split in EMNIST),
    "digits",
)
TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "Kuzushiji-MNIST",
    "qmnist": "QMNIST",
    **{f"emnist-{split}": f"EMNIST, {split}" for split in EMNIST},
    "digits": "scikit-learn's digits",
}


def title_of(name: str) -> str:
    """Return the name of a data set as texts write it."""
    return TITLES.get(name, name)


def load_by_name(source: Source, screen: Screen) -> Data:
    """Load one of the data sets that have names."""
    from skorch_mnist.datasets import DatasetError
    from skorch_mnist.datasets._download import PATIENT, Limits

    for name in ("test_dataset", "preprocess"):
        if getattr(source, name):
            raise UsageError(
                f"--{name.replace('_', '-')} goes with the path of images of your own, not with "
                f"{source.dataset}, which has images to test on and MNIST's form"
            )
    if source.dataset == "digits":
        return bundled_digits()
    if source.dataset == "mnist":
        return mnist(source.data_home, PATIENT)
    if source.dataset != "auto":
        return relative_of_mnist(source)
    try:
        return mnist(source.data_home, Limits(SILENCE, time.monotonic() + PATIENCE))
    except DatasetError as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        screen.say(f"MNIST is not at hand: {reason} (--dataset mnist says why).")
        screen.say("The digits bundled with scikit-learn are used INSTEAD OF MNIST.")
        return bundled_digits()


def mnist(data_home: str | None, limits: Any) -> Data:
    """Load MNIST."""
    from skorch_mnist.datasets._fetch import load_mnist_arrays

    parts = []
    for subset in ("train", "test"):
        images, labels = load_mnist_arrays(subset, data_home=data_home, limits=limits)
        parts.append(Images(images.reshape(len(images), -1), labels))
    return Data("mnist", *parts)


def relative_of_mnist(source: Source) -> Data:
    """Load a data set of MNIST's family, its labels by name where they are no digits."""
    from skorch_mnist import datasets

    name, options = source.dataset.replace("-", "_"), {}
    if source.dataset.startswith("emnist-"):
        name, options = "emnist", {"split": source.dataset.removeprefix("emnist-")}
    fetch: Callable[..., Any] = getattr(datasets, f"fetch_{name}")
    parts = [
        fetch(subset=subset, data_home=source.data_home, **options) for subset in ("train", "test")
    ]
    return Data(source.dataset, *named(*parts))


def bundled_digits() -> Data:
    """Load scikit-learn's digits, a fifth of them to test on."""
    from skorch_mnist.datasets import load_digits28

    return split("digits", Images(*load_digits28(return_X_y=True)))
