"""The data sets: MNIST, downloaded once and verified, and digits that need no network."""

from __future__ import annotations

from ._cache import DatasetError
from ._digits28 import load_digits28
from ._mnist import fetch_mnist

__all__ = ["DatasetError", "fetch_mnist", "load_digits28"]
