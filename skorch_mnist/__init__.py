"""A scikit-learn classifier for MNIST and datasets shaped like it, built on skorch and PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier as MNISTCNNClassifier
    from skorch_mnist.datasets import fetch_emnist as fetch_emnist
    from skorch_mnist.datasets import fetch_fashion_mnist as fetch_fashion_mnist
    from skorch_mnist.datasets import fetch_kmnist as fetch_kmnist
    from skorch_mnist.datasets import fetch_mnist as fetch_mnist
    from skorch_mnist.datasets import fetch_qmnist as fetch_qmnist
    from skorch_mnist.datasets import load_digits28 as load_digits28
    from skorch_mnist.datasets import load_images as load_images
    from skorch_mnist.network import MNISTCNN as MNISTCNN
    from skorch_mnist.pictures import DigitPreprocessor as DigitPreprocessor
    from skorch_mnist.reading import read_digits as read_digits

__version__ = "0.1.0"

_FETCHERS = [f"fetch_{name}" for name in ("emnist", "fashion_mnist", "kmnist", "mnist", "qmnist")]
_HOMES = {
    "DigitPreprocessor": "pictures",
    "MNISTCNN": "network",
    "MNISTCNNClassifier": "classifier",
    **dict.fromkeys([*_FETCHERS, "load_digits28", "load_images"], "datasets"),
    "read_digits": "reading",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
