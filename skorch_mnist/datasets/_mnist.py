"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._cache import data_home as resolve_home
from ._cache import read_file
from ._files import MNIST, MNIST_FOLDER, MNIST_MIRRORS
from ._idx import parse_idx

_DESCR = """\
The MNIST database of handwritten digits
----------------------------------------
70,000 grey images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9.

Split: 60,000 images for training and 10,000 for testing, by different writers. One half of each
was written by employees of the US Census Bureau, the other half by high-school students. Each
digit was fitted into 20x20 pixels and placed with its centre of mass in the middle of the image.

Origin: Yann LeCun, Corinna Cortes and Christopher J. C. Burges, from NIST's Special Databases 1
and 3. http://yann.lecun.com/exdb/mnist/
Licence: Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0).

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load MNIST, downloading it the first time (12 MB; each file is verified by SHA-256).

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
    check_flags(
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_slice_dataset=as_slice_dataset,
    )
    images, target = load_mnist_arrays(
        subset, data_home=data_home, download_if_missing=download_if_missing
    )
    return present(images, target, _DESCR, return_X_y=return_X_y, as_slice_dataset=as_slice_dataset)


def load_mnist_arrays(
    subset: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    timeout: float = 30.0,
    deadline: float | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load the images (n, 28, 28) uint8 and labels (n,) int64 of ``fetch_mnist``.

    A mirror that is silent for ``timeout`` seconds is given up; all downloads together are
    given up after ``deadline`` seconds (None: never).
    """
    valid = (*MNIST, "all")
    if not isinstance(subset, str) or subset not in valid:
        raise ValueError(f"subset={subset!r} is not valid; choose one of {', '.join(valid)}")
    folder = resolve_home(data_home) / MNIST_FOLDER
    until = None if deadline is None else time.monotonic() + deadline
    parts = []
    for name in MNIST if subset == "all" else (subset,):
        for file in MNIST[name]:
            content = read_file(
                file,
                folder,
                mirrors=MNIST_MIRRORS,
                download_if_missing=download_if_missing,
                timeout=timeout,
                until=until,
            )
            parts.append(parse_idx(content))
    images = parts[0] if len(parts) == 2 else np.concatenate(parts[0::2])
    return images, np.concatenate(parts[1::2]).astype(np.int64)


def check_flags(**flags: object) -> None:
    """Raise a ValueError that names the first argument which is no bool."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name}={value!r} is not valid; give True or False")


def present(
    images: NDArray[np.uint8],
    target: NDArray[np.int64],
    descr: str,
    *,
    return_X_y: bool,
    as_slice_dataset: bool,
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Return images (n, height, width) and target (n,) in the form that the caller asked for."""
    data: Any = images.reshape(len(images), -1)
    if as_slice_dataset:
        from skorch.dataset import Dataset
        from skorch.helper import SliceDataset

        data = SliceDataset(Dataset(images, target))
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        images=images,
        target=target,
        target_names=[str(digit) for digit in range(10)],
        DESCR=descr,
    )
