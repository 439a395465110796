"""Fetchers of the MNIST family of datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._bunch import check_choice, check_flags, description, present
from ._cache import DatasetError, read_file
from ._cache import data_home as resolve_home
from ._files import EMNIST, EMNIST_SPLITS, FASHION_MNIST, KMNIST, MNIST, QMNIST, Source
from ._idx import parse_idx


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load MNIST, 70,000 handwritten digits, downloading it the first time (12 MB).

    The SHA-256 of every file is verified each time the file is read.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or all of them in this order.
    data_home : str, path-like or None, default=None
        Folder of the datasets. ``None`` uses the environment variable ``SKORCH_MNIST_HOME`` or,
        if this is not set, the user's cache folder. The files are in its subfolder
        ``MNIST/raw``, unpacked or as ``.gz``. This is the layout of torchvision, so you can use a
        folder that torchvision has downloaded.
    download_if_missing : bool, default=True
        Whether to download a missing or damaged file. If False, such a file raises an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.
    as_slice_dataset : bool, default=False
        Whether ``data`` is a :class:`skorch.helper.SliceDataset` of images instead of an array.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (n_samples, 784), dtype uint8, one image per row, 0 to 255; or
        a ``SliceDataset`` of n_samples images of shape (28, 28).
        ``images`` : ndarray of shape (n_samples, 28, 28), dtype uint8, a view of the same memory.
        ``target`` : ndarray of shape (n_samples,), dtype int64, 0 to 9.
        ``target_names`` : list of str, "0" to "9".
        ``DESCR`` : str, origin, license and split.
    (data, target) : tuple if ``return_X_y`` is True

    Raises
    ------
    ValueError
        If an argument is not valid.
    DatasetError
        If a file is missing or damaged and was not downloaded, or if the folder is not writable.

    Warns
    -----
    UserWarning
        If a damaged file was found and replaced.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
    http://yann.lecun.com/exdb/mnist/

    Examples
    --------
    >>> from skorch_mnist.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y.shape  # doctest: +SKIP
    ((10000, 784), (10000,))
    """
    return _fetch(MNIST, subset, data_home, download_if_missing, return_X_y, as_slice_dataset)


def fetch_fashion_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load Fashion-MNIST, 70,000 images of clothes, downloading it the first time (31 MB).

    Parameters, errors and warnings are the same as for :func:`fetch_mnist`. The files are in
    ``FashionMNIST/raw``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`fetch_mnist`; ``target_names`` are the ten kinds of clothes, "T-shirt/top" to
        "Ankle boot".

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", 2017, https://arxiv.org/abs/1708.07747
    """
    return _fetch(
        FASHION_MNIST, subset, data_home, download_if_missing, return_X_y, as_slice_dataset
    )


def fetch_kmnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load Kuzushiji-MNIST, 70,000 hiragana characters, downloading it the first time (21 MB).

    Parameters, errors and warnings are the same as for :func:`fetch_mnist`. The files are in
    ``KMNIST/raw``. The SHA-256 of the unpacked files is not published. It is recorded next to each
    file after its archive was verified. If another program has unpacked a file and there is no
    archive, the file is accepted if its format is valid, and its SHA-256 is recorded.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`fetch_mnist`; ``target_names`` are the characters, "お" to "を".

    References
    ----------
    T. Clanuwat et al., "Deep learning for classical Japanese literature", 2018,
    https://arxiv.org/abs/1812.01718
    """
    return _fetch(KMNIST, subset, data_home, download_if_missing, return_X_y, as_slice_dataset)


def fetch_qmnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load QMNIST, MNIST with 60,000 test images, downloading it the first time (20 MB).

    Parameters, errors and warnings are the same as for :func:`fetch_mnist`, except that
    ``subset="test"`` has 60,000 images and "all" has 120,000. The files are in ``QMNIST/raw`` and
    are verified like those of :func:`fetch_kmnist`.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`fetch_mnist`.

    References
    ----------
    C. Yadav, L. Bottou, "Cold case: the lost MNIST digits", 2019,
    https://arxiv.org/abs/1905.10498
    """
    return _fetch(QMNIST, subset, data_home, download_if_missing, return_X_y, as_slice_dataset)


def fetch_emnist(
    *,
    split: str = "balanced",
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load EMNIST, handwritten digits and letters, downloading it the first time (562 MB).

    The published images are transposed; the returned images are upright. Labels start at 0 in
    every split. All splits are in one archive, which is kept, so that it is downloaded only once.
    Files are verified like those of :func:`fetch_kmnist`. Errors and warnings are the same as for
    :func:`fetch_mnist`.

    Parameters
    ----------
    split : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}, default="balanced"
        The characters to load; ``DESCR`` describes each split. In this order, the numbers of
        training and test images are 112,800 and 18,800; 697,932 and 116,323; 697,932 and 116,323;
        240,000 and 40,000; 124,800 and 20,800; 60,000 and 10,000.
    subset, data_home, download_if_missing, return_X_y, as_slice_dataset
        As for :func:`fetch_mnist`. The files are in ``EMNIST/raw``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`fetch_mnist`; ``target_names`` are the characters, "a" to "z" for "letters".

    References
    ----------
    G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten
    letters", 2017, https://arxiv.org/abs/1702.05373
    """
    check_choice("split", split, tuple(EMNIST_SPLITS))
    return _fetch(
        EMNIST[split], subset, data_home, download_if_missing, return_X_y, as_slice_dataset
    )


def _fetch(
    source: Source,
    subset: str,
    data_home: str | os.PathLike[str] | None,
    download_if_missing: bool,
    return_X_y: bool,
    as_slice_dataset: bool,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Check the arguments of a fetcher, and load its dataset in the requested form."""
    form = {"return_X_y": return_X_y, "as_slice_dataset": as_slice_dataset}
    check_flags(download_if_missing=download_if_missing, **form)
    check_choice("subset", subset, (*source.files, "all"))
    folder = resolve_home(data_home) / source.folder
    parts = []
    for name in source.files if subset == "all" else (subset,):
        for file in source.files[name]:
            content = read_file(
                file,
                folder,
                mirrors=source.mirrors,
                download_if_missing=download_if_missing,
                stacklevel=4,  # the caller of the fetcher
            )
            try:
                parts.append(parse_idx(content))
            except ValueError as error:  # the size is correct, but another program wrote the file
                raise DatasetError(f"{folder / file.name} is damaged: {error}.") from error
    images = parts[0] if len(parts) == 2 else np.concatenate(parts[0::2])
    labels = np.concatenate([part[:, 0] if part.ndim == 2 else part for part in parts[1::2]])
    target = labels.astype(np.int64) - source.first_label
    if source.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    _check_content(source, folder, images, target)
    return present(images, target, description(source.descr), source.target_names, **form)


def _check_content(
    source: Source, folder: Path, images: NDArray[Any], target: NDArray[np.int64]
) -> None:
    """Raise a DatasetError unless the files contain images of 28x28 pixels and valid labels."""
    last = len(source.target_names) - 1
    if images.shape == (len(target), 28, 28) and target.min() >= 0 and target.max() <= last:
        return
    first = source.first_label
    raise DatasetError(
        f"{folder} contains images of shape {images.shape} and labels from {target.min() + first} "
        f"to {target.max() + first}; expected {len(target)} images of 28x28 pixels and labels from "
        f"{first} to {first + last}. The files seem to belong to another dataset. Delete them to "
        "download them again."
    )
