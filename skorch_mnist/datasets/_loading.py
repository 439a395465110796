"""The reader for images in any common format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._bunch import check_flags, check_path, present
from ._cache import DatasetError
from ._objects import read_object
from ._reading import Parts, read_path
from ._text import SEPARATORS
from ._values import check_image_shape, joined
from ._words import SUBSETS


def load_images(
    path: Any,
    *,
    subset: str | None = None,
    label: int | str | bool | None = None,
    sep: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load images and labels from a file, folder, archive or object in any common format.

    The format is recognized by the content. ``DESCR`` describes the format, the source of the
    labels, and what was ignored. If the content is ambiguous, an error is raised.

    Parameters
    ----------
    path : path, data frame, dataset or dict of arrays
        A file: NumPy (.npz, .npy), IDX, MATLAB, HDF5, Parquet, CSV with any common separator, ARFF,
        libsvm, a picture, or text that draws images with 0 and 1. A folder: files in these formats,
        pictures in one folder per class, pictures with the label in their names, or pictures with a
        table of their names and labels. An archive of these: zip, tar, gzip, bzip2 or xz, which is
        unpacked in memory. HDF5 requires h5py, and Parquet requires pyarrow. An object: a data
        frame of pandas, polars or Arrow, a Hugging Face dataset or a dict of them, a PyTorch
        dataset, or a dict of arrays.
    subset : {"train", "validation", "test"} or None, default=None
        The images to return, if the subsets can be recognized by names. None returns all images
        with labels, in the order training, validation, test.
    label : int, str, False or None, default=None
        Location of the labels. In a table, the name or the index of a column, where -1 is the last
        one, or False if there are no labels. In file names such as ``7_00001.png``, the index of a
        word or number: 0. In files of arrays, the name of an array. None detects it.
    sep : str or None, default=None
        Separator of columns in text: a comma, a semicolon, a tab, or a space, which stands for any
        white space. None detects it.
    image_shape : (height, width), (3, height, width) or None, default=None
        Shape of the images in flat rows. If None, they are assumed to be square.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (n, n_pixels), one image per row. The dtype is uint8 if pixels
        are from 0 to 255, or from 0 to 1, which are multiplied by 255. Otherwise, it is the stored
        dtype, or float32 instead of float64.
        ``images`` : ndarray of shape (n, height, width), or (n, height, width, 3) for color, a view
        of the same memory.
        ``target`` : ndarray of shape (n,), the labels, or None if there are none. The dtype is
        int64 if all of them are integers, also as text such as "7". Otherwise, they are strings.
        ``target_names`` : list of str, the classes in ascending order. If the data has names for
        numbers from 0, as Hugging Face datasets do, these names.
        ``subsets`` : dict of str to slice, the rows of "train", "validation" and "test", if known.
        ``DESCR`` : str, a description of what was recognized.
    (data, target) : tuple if ``return_X_y`` is True

    Raises
    ------
    DatasetError
        If the data cannot be read, is damaged or is ambiguous. Pickles are never loaded.
    ValueError
        If an argument is not valid.

    See Also
    --------
    load_image_folder : Load the names of pictures of any size, for a ``DigitPreprocessor``.

    Notes
    -----
    No files are written, and no code in a file is run. A file that unpacks to more than 32 times
    its size plus 256 MB is rejected.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch_mnist import load_digits28, load_images
    >>> digits = load_digits28()
    >>> bunch = load_images({"x_train": digits.images, "y_train": digits.target})
    >>> bunch.data.shape, bunch.subsets
    ((1797, 784), {'train': slice(0, 1797, None)})
    """
    check_flags(return_X_y=return_X_y)
    if subset is not None and subset not in SUBSETS:
        raise ValueError(
            f"subset={subset!r} is not valid: it must be {', '.join(map(repr, SUBSETS))} or None."
        )
    if label is not None and label is not False and not isinstance(label, (int, np.integer, str)):
        raise ValueError(f"label={label!r} is not valid: it must be an int, a string or False.")
    if label is True:
        raise ValueError("label=True is not valid: pass the name of the column of labels.")
    if sep is not None and sep not in SEPARATORS:
        valid = ", ".join(map(repr, SEPARATORS))
        raise ValueError(f"sep={sep!r} is not valid: it must be {valid} or None.")
    shape = check_image_shape(image_shape)
    if isinstance(path, (str, os.PathLike)):
        title = check_path("path", path)
        parts, notes = read_path(title, label, sep, shape)
        return _presented(parts, notes, title, subset, return_X_y)
    parts, title = read_object(path, label, shape)
    return _presented(parts, [], title, subset, return_X_y)


def _presented(
    parts: Parts, notes: Sequence[str], title: str, subset: str | None, return_X_y: bool
) -> Bunch | tuple[Any, Any]:
    """Return the images of one subset, or of all subsets with labels."""
    order = [name for name in (*SUBSETS, None) if name in parts]
    notes = [*notes]
    if subset is not None:
        if subset not in parts:
            known = ", ".join(str(name) for name in order if name) or "none"
            raise DatasetError(
                f"subset={subset!r} was not found in {title}. Subsets: {known}. Pass subset=None "
                "for all images."
            )
        order = [subset]
    elif any(parts[name].labels is not None for name in order):
        bare = [name for name in order if parts[name].labels is None]
        order = [name for name in order if name not in bare]
        notes += [
            f"ignored: {len(parts[name].images):,} images"
            + (f' for {name}, subset="{name}"' if name else "")
            + ", because they have no labels"
            for name in bare
        ]
    chosen = [parts[name] for name in order]
    if len({part.images.shape[1:] for part in chosen}) > 1:
        shapes = ", ".join(f"{name}: {parts[name].images.shape}" for name in order)
        raise DatasetError(
            f"The subsets of {title} have images of different sizes: {shapes}. Pass one of them as "
            "subset."
        )
    images = chosen[0].images
    if len(chosen) > 1:
        images = np.concatenate([part.images for part in chosen])
    target, names, form = None, None, "no labels were found"
    labels = [part.labels for part in chosen if part.labels is not None]
    if labels:
        class_names = next((part.class_names for part in chosen if part.class_names), ())
        target, names, form = joined(labels, class_names)
    stops = np.cumsum([len(part.images) for part in chosen]).tolist()
    subsets = {
        name: slice(stop - len(part.images), stop)
        for name, part, stop in zip(order, chosen, stops, strict=True)
        if name is not None
    }
    counts = [f"{len(parts[name].images):,} {name}" for name in order if name]
    notes = [
        *notes,
        *dict.fromkeys(note for part in chosen for note in part.notes),
        *([f"order of the images: {', '.join(counts)}"] if counts else []),
        *([form] if form else []),
    ]
    descr = f"Images read from {title}.\n" + "\n".join(
        f"{note[0].upper()}{note[1:]}." for note in notes
    )
    bunch = present(images, target, descr, names, return_X_y=return_X_y)
    if isinstance(bunch, Bunch):
        bunch.subsets = subsets
    return bunch
