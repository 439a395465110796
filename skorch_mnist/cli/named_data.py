"""Datasets that commands load by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .config import Source
from .images import Data, Images, named, split
from .messages import Screen, UsageError

SILENCE = 5.0  # seconds without a response before "auto" gives up on a mirror
PATIENCE = 30.0  # seconds for all downloads before "auto" gives up

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
    """Return the name of a dataset for messages."""
    return TITLES.get(name, name)


def load_by_name(source: Source, screen: Screen) -> Data:
    """Load a dataset by name."""
    from skorch_mnist.datasets import DatasetError, download_limits

    for name in ("test_dataset", "preprocess", "label"):
        if getattr(source, name):
            raise UsageError(
                f"--{name.replace('_', '-')} is only for your own images: {source.dataset} already "
                "has test images in the form of MNIST"
            )
    if source.dataset == "digits":
        return bundled_digits()
    if source.dataset == "mnist":
        return mnist(source.data_home)
    if source.dataset != "auto":
        return relative_of_mnist(source)
    try:
        with download_limits(SILENCE, PATIENCE):
            return mnist(source.data_home)
    except DatasetError:
        screen.say("MNIST is not cached and could not be downloaded (--dataset mnist shows why).")
        screen.say("Using the digits bundled with scikit-learn INSTEAD OF MNIST.")
        return bundled_digits()


def mnist(data_home: str | None) -> Data:
    """Load MNIST."""
    from skorch_mnist.datasets import fetch_mnist

    train, test = (
        Images(*fetch_mnist(subset=subset, data_home=data_home, return_X_y=True))
        for subset in ("train", "test")
    )
    return Data("mnist", train, test)


def relative_of_mnist(source: Source) -> Data:
    """Load a dataset that is similar to MNIST; labels that are not digits are names."""
    from skorch_mnist import datasets

    name, options = source.dataset.replace("-", "_"), {}
    if source.dataset.startswith("emnist-"):
        name, options = "emnist", {"split": source.dataset.removeprefix("emnist-")}
    fetch: Callable[..., Any] = getattr(datasets, f"fetch_{name}")
    parts = [
        fetch(subset=subset, data_home=source.data_home, **options) for subset in ("train", "test")
    ]
    train, test = named(*parts)
    return Data(source.dataset, train, test)


def bundled_digits() -> Data:
    """Load the scikit-learn digits, with a fifth of them as test images."""
    from skorch_mnist.datasets import load_digits28

    return split("digits", Images(*load_digits28(return_X_y=True)))
