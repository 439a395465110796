"""The reader for your own IDX files."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._bunch import check_flags, check_path, present
from ._cache import DatasetError
from ._gzip import check_packed_size, gunzip
from ._idx import LONGEST_HEADER, idx_size, parse_idx


def load_idx(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load images and labels from IDX files, the format of MNIST, unpacked or as ``.gz``.

    Parameters
    ----------
    images : path
        File with n images: unsigned bytes of shape (n, height, width).
    labels : path or None, default=None
        File with n labels: integers of shape (n,), or of shape (n, k) with the label in the first
        column, as in QMNIST.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (n, height * width), dtype uint8.
        ``images`` : ndarray of shape (n, height, width), dtype uint8, a view of the same memory.
        ``target`` : ndarray of shape (n,), dtype int64, or None if there are no labels.
        ``target_names`` : list of str, the labels.
        ``DESCR`` : str, the path of the images.
    (data, target) : tuple if ``return_X_y`` is True

    Raises
    ------
    DatasetError
        If a file cannot be read or is not a complete IDX file, or if the two files do not match.

    Examples
    --------
    >>> from skorch_mnist.datasets import load_idx
    >>> X, y = load_idx(
    ...     "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", return_X_y=True
    ... )  # doctest: +SKIP
    """
    check_flags(return_X_y=return_X_y)
    check_path("images", images)
    if labels is not None:
        check_path("labels", labels)
    pixels = _read_idx(images)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DatasetError(
            f"{os.fspath(images)} contains {pixels.dtype} of shape {pixels.shape}; expected "
            "images: uint8 of shape (n, height, width)."
        )
    target = None
    if labels is not None:
        found = _read_idx(labels)
        target = found[:, 0] if found.ndim == 2 and found.size else found
        if target.ndim != 1 or target.dtype.kind not in "iu":
            raise DatasetError(
                f"{os.fspath(labels)} contains {found.dtype} of shape {found.shape}; expected "
                "labels: integers of shape (n,)."
            )
        if len(target) != len(pixels):
            raise DatasetError(
                f"{os.fspath(images)} has {len(pixels)} images, but {os.fspath(labels)} has "
                f"{len(target)} labels. Pass two files that belong together."
            )
        target = target.astype(np.int64)
    descr = f"Images read from {os.fspath(images)}."
    return present(pixels, target, descr, return_X_y=return_X_y)


def _read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Check the size of an IDX file or its gzip archive, and return its array."""
    try:
        with open(path, "rb") as stream:
            length = os.fstat(stream.fileno()).st_size
            if stream.read(2) == b"\x1f\x8b":
                stream.seek(0)
                with gzip.open(stream) as unpacked:
                    size = idx_size(unpacked.read(LONGEST_HEADER))
                check_packed_size(length, size)
                stream.seek(0)
                return parse_idx(gunzip(stream, size))
            stream.seek(0)
            if (size := idx_size(stream.read(LONGEST_HEADER))) != length:
                raise ValueError(f"expected {size} bytes according to its header, got {length}")
            return parse_idx(np.fromfile(path, np.uint8))
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{os.fspath(path)} is damaged or not an IDX file: {error}.") from error
    except OSError as error:
        raise DatasetError(f"{os.fspath(path)} cannot be read: {error.strerror}.") from error
