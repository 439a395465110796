"""Readers for tables with one image per row: CSV files and data frames."""

from __future__ import annotations

import os
from typing import Any

from sklearn.utils import Bunch

from ._bunch import check_flags, check_path
from ._cache import DatasetError
from ._frames import is_frame
from ._loading import load_images


def load_csv(
    path: str | os.PathLike[str],
    *,
    label: int | str | bool | None = None,
    sep: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load images from a CSV file with one image per row, such as MNIST from Kaggle.

    Parameters
    ----------
    path : path
        Text with columns separated by commas, semicolons, tabs or spaces, with or without a
        header, plain or compressed. The labels are in the column named "label", "labels", "class",
        "target", "y", "digit", "character" or "category". Without such a name, they are in the
        first or the last column if there is one column more than a square image requires.
        Otherwise, there are no labels, as in ``test.csv`` from Kaggle. Index columns are ignored.
    label, sep, image_shape, return_X_y
        As for :func:`load_images`.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`load_images`.

    Raises
    ------
    DatasetError
        If the file cannot be read, if it is not a table of numbers, or if it is not clear whether
        the labels are in the first or in the last column.
    ValueError
        If an argument is not valid.

    Examples
    --------
    >>> from skorch_mnist.datasets import load_csv
    >>> X, y = load_csv("digit-recognizer/train.csv", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (42000, 784)
    """
    return load_images(
        check_path("path", path), label=label, sep=sep, image_shape=image_shape,
        return_X_y=return_X_y,
    )  # fmt: skip


def load_frame(
    frame: Any,
    *,
    label: int | str | bool | None = None,
    image_shape: tuple[int, ...] | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load images from a data frame with one image per row, such as MNIST from OpenML.

    Parameters
    ----------
    frame : data frame of pandas, polars or Arrow
        One column per pixel, in row-major order, or a column of pictures: encoded, as in Hugging
        Face datasets, Pillow images or arrays. The column of labels is recognized as by
        :func:`load_csv`. ``fetch_openml("mnist_784").frame`` is such a data frame, with labels "0"
        to "9".
    label, image_shape, return_X_y
        As for :func:`load_images`.

    Returns
    -------
    sklearn.utils.Bunch or (data, target)
        As for :func:`load_images`.

    Raises
    ------
    DatasetError
        If ``frame`` is not a data frame, if it does not contain images, or if it is not clear which
        column has the labels.
    ValueError
        If an argument is not valid.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skorch_mnist.datasets import load_frame
    >>> frame = pd.DataFrame(np.zeros((2, 4), int)).assign(label=["7", "1"])
    >>> load_frame(frame).target
    array([7, 1])
    """
    check_flags(return_X_y=return_X_y)
    if not is_frame(frame):
        raise DatasetError(
            f"frame must be a data frame of pandas, polars or Arrow; got {type(frame).__name__}."
        )
    return load_images(frame, label=label, image_shape=image_shape, return_X_y=return_X_y)
