"""The readers for tables with one image per row: CSV files and data frames."""

from __future__ import annotations

import gzip
import math
import os
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._bunch import check_flags, check_path, number_labels, present
from ._cache import DatasetError

_LABELS = ("label", "labels", "class", "target", "y")


def load_csv(path: str | os.PathLike[str], *, return_X_y: bool = False) -> Bunch | tuple[Any, Any]:
    """Load images from a CSV file with one image per line, such as MNIST from Kaggle.

    Parameters
    ----------
    path : path
        CSV file, plain or ``.gz``, with or without a header. The label is in the column named
        "label", "labels", "class", "target" or "y". Without such a name it is in the first column
        if there is one column more than a square image needs. Otherwise there are no labels, as
        in ``test.csv`` from Kaggle.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`load_idx`; images are square.

    Raises
    ------
    DatasetError
        If the file cannot be read, is not a table of integers, or has pixels outside 0 to 255.

    Examples
    --------
    >>> from skorch_mnist.datasets import load_csv
    >>> X, y = load_csv("digit-recognizer/train.csv", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (42000, 784)
    """
    check_flags(return_X_y=return_X_y)
    name = check_path("path", path)
    opener: Any = gzip.open if name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as stream:
            first = stream.readline().rstrip("\r\n")
            names = [part.strip().strip('"') for part in first.split(",")]
            numbers = [str(number) for number in range(len(names))]  # the default names in pandas
            skipped = int(names == numbers or not all(part.lstrip("-").isdigit() for part in names))
            stream.seek(0)
            with warnings.catch_warnings():
                # It warns about an empty file, which is an error below.
                warnings.simplefilter("ignore", UserWarning)
                table = np.loadtxt(
                    stream, np.int32, delimiter=",", skiprows=skipped, ndmin=2, quotechar='"'
                )
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{name} is not a table of integers separated by commas: "
            f"{str(error).partition('; use `usecols`')[0]}"
        ) from error
    except OSError as error:
        raise DatasetError(f"{name} cannot be read: {error.strerror}") from error
    if not table.size:
        raise DatasetError(f"{name} holds no images")
    if skipped and not {"", "id", "index", "unnamed: 0"}.isdisjoint(map(str.lower, names)):
        raise DatasetError(
            f"{name} has an index column. Write the file without it (to_csv(..., index=False))"
        )
    lowered = [part.lower() for part in names] if skipped else []
    labelled = [lowered.index(known) for known in _LABELS if known in lowered]
    column = labelled[0] if labelled else 0 if _side(table.shape[1] - 1) else None
    target = None if column is None else table[:, column].astype(np.int64)
    pixels = table if column is None else np.delete(table, column, axis=1)
    images = _square_images(pixels, name)
    return present(images, target, f"Images read from {name}.", return_X_y=return_X_y)


def load_frame(frame: Any, *, return_X_y: bool = False) -> Bunch | tuple[Any, Any]:
    """Load images from a pandas data frame with one image per row, such as MNIST from OpenML.

    Parameters
    ----------
    frame : pandas.DataFrame
        Pixels in row-major order and, optionally, labels in the column named "label", "labels",
        "class", "target" or "y". Labels are numbers or strings.
        ``fetch_openml("mnist_784").frame`` is such a data frame, with labels "0" to "9".
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`load_idx`; images are square. Labels that are not integers are numbered in
        sorted order, and ``target_names`` lists them.

    Raises
    ------
    DatasetError
        If the pixels are not integers from 0 to 255, or if they do not make square images.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skorch_mnist.datasets import load_frame
    >>> frame = pd.DataFrame(np.zeros((2, 4), int)).assign(label=["7", "1"])
    >>> load_frame(frame).target
    array([7, 1])
    """
    check_flags(return_X_y=return_X_y)
    if not hasattr(frame, "columns") or not hasattr(frame, "iloc"):
        raise DatasetError(f"frame must be a pandas DataFrame; got {type(frame).__name__}")
    names = [str(column).lower() for column in frame.columns]
    found = [names.index(known) for known in _LABELS if known in names]
    others = [k for k in range(len(names)) if not found or k != found[0]]
    try:
        pixels = frame.iloc[:, others].to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"frame has pixels that are not numbers: {error}") from error
    images = _square_images(pixels, "frame")
    labels = frame.iloc[:, found[0]].to_numpy() if found else None
    if labels is not None and any(label != label or label is None for label in labels):
        raise DatasetError(
            f"frame has missing labels in its column {frame.columns[found[0]]!r}. Fill or drop "
            "these rows"
        )
    target = target_names = None
    if labels is not None:
        if labels.dtype.kind == "f" and (labels == np.floor(labels)).all():
            labels = labels.astype(np.int64)
        target, target_names = number_labels([str(label) for label in labels])
    return present(images, target, "Images from a data frame.", target_names, return_X_y=return_X_y)


def _side(pixels: int) -> int | None:
    """Return the side of a square image, or None if the image is not square."""
    side = math.isqrt(max(pixels, 0))
    return side if side > 0 and side * side == pixels else None


def _square_images(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Check rows of pixels, and return them as square images of bytes."""
    side = _side(pixels.shape[1])
    if side is None:
        raise DatasetError(
            f"{name} has {pixels.shape[1]} columns of pixels, which do not make a square image. "
            "Expected a square number, such as 784, and optionally a column of labels named "
            f"{', '.join(_LABELS[:-1])} or {_LABELS[-1]}"
        )
    wrong = ~((pixels >= 0) & (pixels <= 255) & (pixels == np.floor(pixels)))
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        raise DatasetError(
            f"{name} has {pixels[row, column]} in row {row}, pixel {column}; expected "
            "integers from 0 to 255"
        )
    return pixels.astype(np.uint8).reshape(-1, side, side)
