"""A convolutional classifier for MNIST, and every data set shaped like it, for scikit-learn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.datasets import fetch_mnist, load_digits28
    from skorch_mnist.network import MNISTCNN

__version__ = "0.1.0"

__all__ = ["MNISTCNN", "MNISTCNNClassifier", "__version__", "fetch_mnist", "load_digits28"]

_HOMES = {
    "MNISTCNN": "network",
    "MNISTCNNClassifier": "classifier",
    "fetch_mnist": "datasets",
    "load_digits28": "datasets",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
