"""Datasets: fetchers of the MNIST family, and readers for your own files."""

from __future__ import annotations

from ._cache import DatasetError
from ._digits28 import load_digits28
from ._download import download_limits
from ._fetch import fetch_emnist, fetch_fashion_mnist, fetch_kmnist, fetch_mnist, fetch_qmnist
from ._folders import PictureFormError, load_image_folder
from ._idx_files import load_idx
from ._loading import load_images
from ._tables import load_csv, load_frame

__all__ = [
    "DatasetError",
    "PictureFormError",
    "download_limits",
    "fetch_emnist",
    "fetch_fashion_mnist",
    "fetch_kmnist",
    "fetch_mnist",
    "fetch_qmnist",
    "load_csv",
    "load_digits28",
    "load_frame",
    "load_idx",
    "load_image_folder",
    "load_images",
]
