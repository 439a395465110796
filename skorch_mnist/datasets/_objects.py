"""Read images from objects: Hugging Face and PyTorch datasets, data frames, dicts of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._arrays import Array, read_arrays
from ._cache import DatasetError
from ._content import Budget
from ._frames import is_frame, read_frame
from ._pictures import decode_column
from ._values import Part, Shape, as_images, as_labels, as_pixels
from ._words import subset_in

_UNLIMITED = 2**50  # bytes; objects in memory are trusted


def read_object(
    value: Any, label: Any, image_shape: Shape | None
) -> tuple[dict[str | None, Part], str]:
    """Return the images of each subset of an object, and its name.

    Raises
    ------
    ValueError
        If the object is of another kind.
    DatasetError
        If it does not contain images.
    """
    title = f"a {type(value).__name__}"
    if is_frame(value):
        part = read_frame(value, label, image_shape, title, Budget(_UNLIMITED))
        return {None: part}, title
    if isinstance(value, Mapping):
        return _read_mapping(value, label, image_shape, title), title
    has_items = hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__")
    if has_items and not isinstance(value, (bytes, list, tuple)) and not hasattr(value, "dtype"):
        return {None: _read_dataset(value, label, image_shape, title)}, title
    hint = " without streaming=True" if hasattr(value, "with_format") else ""
    raise ValueError(
        f"path must be a path, a data frame, a dataset with a length{hint}, or a dict of arrays; "
        f"got {type(value).__name__}."
    )


def _read_mapping(
    values: Mapping[Any, Any], label: Any, image_shape: Shape | None, title: str
) -> dict[str | None, Part]:
    """Read arrays by name, or datasets by subset."""
    if is_frame(values.get("frame")):  # of fetch_openml
        return {None: read_frame(values["frame"], label, image_shape, title, Budget(_UNLIMITED))}
    if values and all(hasattr(value, "with_format") for value in values.values()):
        parts = {}
        for name, dataset in values.items():
            subset = subset_in(str(name))
            if subset in parts:
                raise DatasetError(f"{title} has several datasets for {subset}. Pass one of them.")
            parts[subset] = _read_dataset(dataset, label, image_shape, f"{title}, {name!r}")
        return parts
    arrays = []
    for name, value in values.items():
        if (hasattr(value, "shape") and hasattr(value, "dtype")) or is_frame(value):
            array = np.asarray(value)
            arrays.append(Array(title, str(name), array.shape, lambda array=array: array))  # type: ignore[misc]
    parts, _ = read_arrays(arrays, label, image_shape, title)
    return parts


def _read_dataset(dataset: Any, label: Any, image_shape: Shape | None, title: str) -> Part:
    if not len(dataset):
        raise DatasetError(f"{title} is empty.")
    if hasattr(type(dataset), "with_format") and dataset.format["type"] != "custom":
        part = _read_hugging_face(dataset, label, image_shape, title)
        if part is not None:
            return part
    return _read_items(dataset, image_shape, title)


def _read_hugging_face(
    dataset: Any, label: Any, image_shape: Shape | None, title: str
) -> Part | None:
    """Read the encoded pictures of a Hugging Face dataset; return None if it has only paths."""
    table = dataset.with_format("arrow")[:]
    for name in table.column_names:
        first = table.column(name)[0].as_py()
        if isinstance(first, dict) and first.get("path") and not first.get("bytes"):
            return None
    part = read_frame(table, label, image_shape, title, Budget(_UNLIMITED))
    for feature in dataset.features.values():
        if hasattr(feature, "names") and not part.class_names and part.labels is not None:
            part = part._replace(class_names=list(feature.names))
    return part


def _read_items(dataset: Any, image_shape: Shape | None, title: str) -> Part:
    """Read the items of a dataset: pairs (image, label), dicts or images.

    Attributes such as ``data`` and ``targets`` are not used, because a transform changes the items.
    """
    images, labels = [], []
    for number in range(len(dataset)):
        item = dataset[number]
        if isinstance(item, Mapping):
            item = item.get("image"), item.get("label")
        elif not isinstance(item, (tuple, list)):
            item = item, None
        images.append(item[0] if hasattr(item[0], "getbands") else np.asarray(item[0]))
        labels.append(item[1] if len(item) > 1 else None)
    values, notes = decode_column(images, len(images), Budget(_UNLIMITED), title)
    pixels, note = as_pixels(as_images(values, image_shape, title), title)
    notes += [note] if note else []
    if all(label is None for label in labels):
        return Part(pixels, None, notes=notes)
    target, _ = as_labels(np.asarray([np.asarray(label) for label in labels]), title)
    # In torchvision, the classes of MNIST are "0 - zero", "1 - one" and so on.
    names = [str(name).partition(" - ")[0] for name in getattr(dataset, "classes", ())]
    return Part(pixels, target, names, ["labels from the items", *notes])
