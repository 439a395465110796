"""The reader for images in any common form."""

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
from ._values import check_image_shape, numbered
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
    """Load images and labels from a file, folder, archive or object of any common form.

    The form is recognized by the content. ``DESCR`` says what was recognized: the format, where the
    labels come from, and what was left out. If something may mean two things, an error says so.

    Parameters
    ----------
    path : path, data frame, dataset or dict of arrays
        A file: NumPy (.npz, .npy), IDX, MATLAB, HDF5, Parquet, CSV with any usual separator, ARFF,
        libsvm, a picture, or text that draws images with 0 and 1. A folder: files of these
        formats, pictures in one folder for each class, pictures with the label in their names, or
        pictures and a table of their names and labels. An archive of these: zip, tar, gzip, bzip2
        or xz; it is unpacked in memory. HDF5 needs h5py, and Parquet pyarrow. An object: a data
        frame of pandas, polars or Arrow, a dataset or a dict of datasets of Hugging Face, a
        dataset of PyTorch, or a dict of arrays.
    subset : {"train", "validation", "test"} or None, default=None
        Which images to return, if names say which are for what. None returns all that have labels:
        those for training, then those for validation, then those for testing.
    label : int, str, False or None, default=None
        Where the labels are. In a table, the name or the number of a column, where -1 is the last;
        False if it has none. For names such as ``7_00001.png``, the number of the part: 0. In files
        of arrays, the name of an array. None finds out.
    sep : str or None, default=None
        What separates columns of text: a comma, a semicolon, a tab, or a space, which stands for
        any white space. None finds out.
    image_shape : (height, width), (3, height, width) or None, default=None
        Shape of the images in flat rows. None takes them to be squares.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (n, n_pixels), one image per row. dtype uint8 if pixels are 0
        to 255, or 0 to 1, which are multiplied by 255; else as they are stored, float64 as float32.
        ``images`` : ndarray of shape (n, height, width), or (n, height, width, 3) for color, a view
        of the same memory.
        ``target`` : ndarray of shape (n,), dtype int64, or None without labels.
        ``target_names`` : list of str, the labels. Labels that are not integers are numbered in
        sorted order.
        ``subsets`` : dict of str to slice, the rows of "train", "validation" and "test", as far as
        they are known.
        ``DESCR`` : str, what was recognized.
    (data, target) : tuple
        With ``return_X_y=True``, only these two.

    Raises
    ------
    DatasetError
        If it cannot be read, is damaged or may mean several things. Pickles are never loaded.
    ValueError
        If an argument is not valid.

    See Also
    --------
    load_image_folder : Names of pictures that differ in size, for a ``DigitPreprocessor``.

    Notes
    -----
    Nothing is written, and no code in a file is run. A file that unpacks to more than 32 times its
    size, and more than 256 MB, is refused.

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
            f"subset={subset!r} is not valid: it must be {', '.join(map(repr, SUBSETS))} or None"
        )
    if label is not None and label is not False and not isinstance(label, (int, np.integer, str)):
        raise ValueError(f"label={label!r} is not valid: it must be an int, a string or False")
    if label is True:
        raise ValueError("label=True is not valid: name the column of labels")
    if sep is not None and sep not in SEPARATORS:
        valid = ", ".join(map(repr, SEPARATORS))
        raise ValueError(f"sep={sep!r} is not valid: it must be {valid} or None")
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
    """Return the images of one subset, or of all that have labels."""
    order = [name for name in (*SUBSETS, None) if name in parts]
    notes = [*notes]
    if subset is not None:
        if subset not in parts:
            known = ", ".join(str(name) for name in order if name) or "none"
            raise DatasetError(
                f"{title} does not say which images are for {subset}; the subsets that it names: "
                f"{known}. Pass subset=None for all images"
            )
        order = [subset]
    elif any(parts[name].labels is not None for name in order):
        bare = [name for name in order if parts[name].labels is None]
        order = [name for name in order if name not in bare]
        notes += [
            f"left out: {len(parts[name].images):,} images"
            + (f' for {name}, subset="{name}"' if name else "")
            + ", because they have no labels"
            for name in bare
        ]
    chosen = [parts[name] for name in order]
    if len({part.images.shape[1:] for part in chosen}) > 1:
        shapes = ", ".join(f"{name}: {parts[name].images.shape}" for name in order)
        raise DatasetError(f"{title} has images that differ in size: {shapes}. Pass subset=")
    images = chosen[0].images
    if len(chosen) > 1:
        images = np.concatenate([part.images for part in chosen])
    target = names = None
    labels = [part.labels for part in chosen if part.labels is not None]
    if labels:
        class_names = next((part.class_names for part in chosen if part.class_names), ())
        of_parts, names = numbered(labels, class_names)
        target = of_parts[0] if len(of_parts) == 1 else np.concatenate(of_parts)
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
        *([f"images in this order: {', '.join(counts)}"] if counts else []),
        *([] if labels else ["no labels were found"]),
    ]
    descr = f"Images read from {title}.\n" + "\n".join(
        f"{note[0].upper()}{note[1:]}." for note in notes
    )
    bunch = present(images, target, descr, names, return_X_y=return_X_y)
    if isinstance(bunch, Bunch):
        bunch.subsets = subsets
    return bunch
