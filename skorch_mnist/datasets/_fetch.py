"""The MNIST family: the function that fetches each data set."""

from __future__ import annotations

import os
import string
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from . import _descriptions
from ._bunch import check_choice, check_flags, present
from ._cache import DatasetError, read_file
from ._cache import data_home as resolve_home
from ._files import EMNIST, EMNIST_SPLITS, FASHION_MNIST, KMNIST, MNIST, QMNIST, Source
from ._idx import parse_idx

_DIGITS = tuple(string.digits)
_GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_HIRAGANA = tuple("おきすつなはまやれを")
_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Small letters whose shape differs from the capital's keep a class of their own.
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
_EMNIST_NAMES = {
    "balanced": tuple(_MERGED),
    "byclass": tuple(_CHARACTERS),
    "bymerge": tuple(_MERGED),
    "digits": _DIGITS,
    "letters": tuple(string.ascii_lowercase),
    "mnist": _DIGITS,
}


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load MNIST, 70,000 handwritten digits, downloading it the first time (12 MB).

    Every file is verified by SHA-256 whenever it is read.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        60,000 images, 10,000 images, or all 70,000: the training images, then the test images.
    data_home : str, path-like or None, default=None
        Folder of the data sets. ``None`` takes the environment variable ``SKORCH_MNIST_HOME``
        or, where that is unset, the user's cache folder. The files are in ``MNIST/raw``
        inside it, unpacked or as ``.gz``: a folder that torchvision filled is used as it is.
    download_if_missing : bool, default=True
        Whether a missing or damaged file is downloaded; otherwise it is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.
    as_slice_dataset : bool, default=False
        Whether ``data`` is a :class:`skorch.helper.SliceDataset` of images instead of an array.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (n_samples, 784), dtype uint8, one image a row, 0 to 255; or
        a ``SliceDataset`` of n_samples images of shape (28, 28).
        ``images`` : ndarray of shape (n_samples, 28, 28), dtype uint8, on the same memory.
        ``target`` : ndarray of shape (n_samples,), dtype int64, 0 to 9.
        ``target_names`` : list of str, "0" to "9".
        ``DESCR`` : str, origin, licence and split.
    (data, target) : tuple
        With ``return_X_y=True``, these two alone.

    Raises
    ------
    ValueError
        If an argument is not one of its valid values.
    DatasetError
        If a file is missing or damaged and was not downloaded, or the folder is not writable.

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
    where, form = (data_home, download_if_missing), (return_X_y, as_slice_dataset)
    return _fetch(MNIST, _DIGITS, _descriptions.MNIST, subset, where, form)


def fetch_fashion_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load Fashion-MNIST, 70,000 garments of ten kinds, downloading it the first time (31 MB).

    Parameters, errors and warnings are those of :func:`fetch_mnist`; the files are in
    ``FashionMNIST/raw``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As from :func:`fetch_mnist`; ``target_names`` are the kinds, "T-shirt/top" to
        "Ankle boot".

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", 2017, https://arxiv.org/abs/1708.07747
    """
    where, form = (data_home, download_if_missing), (return_X_y, as_slice_dataset)
    return _fetch(FASHION_MNIST, _GARMENTS, _descriptions.FASHION_MNIST, subset, where, form)


def fetch_kmnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load Kuzushiji-MNIST, 70,000 cursive hiragana, downloading it the first time (21 MB).

    Parameters, errors and warnings are those of :func:`fetch_mnist`; the files are in
    ``KMNIST/raw``. Nobody publishes the SHA-256 of the unpacked files: it is recorded beside them
    once the archive was verified. A file that others unpacked, its archive gone, is taken as it is
    if its form is right, and recorded.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As from :func:`fetch_mnist`; ``target_names`` are the characters, "お" to "を".

    References
    ----------
    T. Clanuwat et al., "Deep learning for classical Japanese literature", 2018,
    https://arxiv.org/abs/1812.01718
    """
    where, form = (data_home, download_if_missing), (return_X_y, as_slice_dataset)
    return _fetch(KMNIST, _HIRAGANA, _descriptions.KMNIST, subset, where, form)


def fetch_qmnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load QMNIST, MNIST with 60,000 test images, downloading it the first time (20 MB).

    Parameters, errors and warnings are those of :func:`fetch_mnist`, but ``subset="test"`` is
    60,000 images and "all" 120,000; the files are in ``QMNIST/raw``, and verified as those of
    :func:`fetch_kmnist`.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As from :func:`fetch_mnist`.

    References
    ----------
    C. Yadav, L. Bottou, "Cold case: the lost MNIST digits", 2019,
    https://arxiv.org/abs/1905.10498
    """
    where, form = (data_home, download_if_missing), (return_X_y, as_slice_dataset)
    return _fetch(QMNIST, _DIGITS, _descriptions.QMNIST, subset, where, form)


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

    The images are published transposed; these are upright. Labels begin with 0 in every split.
    All splits come in one archive, which is kept, so that another split needs no download; files
    are verified as those of :func:`fetch_kmnist`.

    Parameters
    ----------
    split : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}, default="balanced"
        Which characters, and how many: ``DESCR`` tells. Training and test images are 112,800 and
        18,800; 697,932 and 116,323; the same; 240,000 and 40,000; 124,800 and 20,800; 60,000 and
        10,000.
    subset, data_home, download_if_missing, return_X_y, as_slice_dataset
        As in :func:`fetch_mnist`; the files are in ``EMNIST/raw``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As from :func:`fetch_mnist`; ``target_names`` are the characters, "a" to "z" for "letters".

    Raises
    ------
    ValueError, DatasetError
        As from :func:`fetch_mnist`.

    References
    ----------
    G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten
    letters", 2017, https://arxiv.org/abs/1702.05373
    """
    check_choice("split", split, tuple(EMNIST_SPLITS))
    where, form = (data_home, download_if_missing), (return_X_y, as_slice_dataset)
    names = _EMNIST_NAMES[split]
    n_train, n_test = EMNIST_SPLITS[split]
    title = f'EMNIST, split "{split}"'
    descr = _descriptions.EMNIST.format(
        split=split,
        line="-" * len(title),
        n_images=n_train + n_test,
        n_train=n_train,
        n_test=n_test,
        n_classes=len(names),
        what={10: "digits", 26: "letters"}.get(len(names), "characters"),
    )
    return _fetch(EMNIST[split], names, descr, subset, where, form)


def _fetch(
    source: Source,
    target_names: tuple[str, ...],
    descr: str,
    subset: str,
    where: tuple[str | os.PathLike[str] | None, bool],
    form: tuple[bool, bool],
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Return what a fetcher returns, from its arguments in this order."""
    (home, download), (return_X_y, as_slice_dataset) = where, form
    flags = {"return_X_y": return_X_y, "as_slice_dataset": as_slice_dataset}
    check_flags(download_if_missing=download, **flags)
    images, target = load_arrays(
        source,
        len(target_names),
        subset,
        data_home=home,
        download_if_missing=download,
        stacklevel=4,
    )
    return present(images, target, target_names, descr, **flags)


def load_arrays(
    source: Source,
    n_classes: int,
    subset: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    stacklevel: int = 3,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load the images (n, 28, 28) uint8, upright, and labels (n,) int64 from 0 of a data set."""
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
                stacklevel=stacklevel + 1,
            )
            try:
                parts.append(parse_idx(content))
            except ValueError as error:  # with the right size, but stored by others
                raise DatasetError(f"{folder / file.name} is damaged: {error}") from error
    images = parts[0] if len(parts) == 2 else np.concatenate(parts[0::2])
    labels = np.concatenate([part[:, 0] if part.ndim == 2 else part for part in parts[1::2]])
    target = labels.astype(np.int64) - source.first_label
    if source.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    whole = images.shape == (len(target), 28, 28)
    if not whole or target.min() < 0 or target.max() >= n_classes:  # stored by others, too
        raise DatasetError(
            f"{folder} holds images of shape {images.shape} and labels from {labels.min()} to "
            f"{labels.max()}, expected {len(target)} images of 28x28 pixels and labels from "
            f"{source.first_label} to {source.first_label + n_classes - 1}: the files are not what "
            "their names say; delete them to have them downloaded again"
        )
    return images, target
