"""Find images and labels among named arrays, as in .npz files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._values import Part, Shape, as_images, as_labels, as_pixels
from ._words import rest_of, role_of, some, subset_of

_BLOCK = 256  # images to copy at a time
_SHOWN = 8  # arrays in a message
_TYPES = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.float64}  # types of OpenCV, by size
_FEWEST = 16  # pixels of an image in an array whose name does not say what it contains


class Array(NamedTuple):
    """An array that can be read.

    Attributes
    ----------
    file : str
        Path of the file, with slashes.
    name : str
        Name in the file, with slashes for groups; empty if the file contains only this array.
    shape : tuple of int
    read : callable
        Returns an ndarray of real numbers or strings.
    transposed : bool
        Whether rows and columns of the images are swapped, as in EMNIST.
    """

    file: str
    name: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]
    transposed: bool = False

    @property
    def title(self) -> str:
        """Name in messages."""
        return f"{self.file}: {self.name}" if self.name else self.file

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self.file.split("/"), *(self.name.split("/") if self.name else ()))

    @property
    def own_name(self) -> str:
        """Name in the file, or the name of the file if it contains only this array."""
        return self.name or self.file.rpartition("/")[2]

    @property
    def subset(self) -> str | None:
        return subset_of(self.parts)

    @property
    def dataset(self) -> tuple[str, ...]:
        """Words that distinguish datasets in the same folder."""
        return rest_of(" ".join(self.parts[-2:] if self.name else self.parts[-1:]))

    @property
    def role(self) -> str | None:
        """Whether it contains "images" or "labels", by name and shape; None if neither."""
        named = role_of(self.own_name)
        n_dims = len([side for side in self.shape if side != 1])
        if not self.shape or not math.prod(self.shape):
            return None
        if n_dims >= 3:
            return "images" if len(self.shape) <= 4 and named != "labels" else None
        if n_dims == 2:
            return named or ("images" if self.shape[1] >= _FEWEST else None)
        return "labels" if named != "images" else None


def read_arrays(
    arrays: Sequence[Array], label: Any, image_shape: Shape | None, name: str
) -> tuple[dict[str | None, Part], list[Array]]:
    """Return the images and labels of each subset, and the arrays that were ignored.

    Raises
    ------
    DatasetError
        If it is not clear which arrays belong together.
    """
    classes = _class_arrays(arrays)
    if classes:
        parts = {subset: _joined(group, image_shape) for subset, group in classes.items()}
        used = [array for group in classes.values() for array in group]
        return parts, [array for array in arrays if array not in used]
    found: dict[str | None, Part] = {}
    used = []
    for subset in dict.fromkeys(array.subset for array in arrays):
        group = [array for array in arrays if array.subset == subset]
        images = _images_among(group, name)
        if images is None:
            continue
        labels = _labels_among(group, images, label)
        found[subset] = _part(images, labels, image_shape)
        used += [images, *([labels] if labels else [])]
    if not found:
        raise DatasetError(
            f"No images were found in {name}. It has {_listed(arrays) or 'no arrays of numbers'}, "
            "but images must be an array of shape (n, height, width) or (n, pixels)."
        )
    return found, [array for array in arrays if array not in used]


def _listed(arrays: Sequence[Array]) -> str:
    shown = [f"{array.title} of shape {array.shape}" for array in arrays]
    return some(shown, _SHOWN)


def _images_among(group: Sequence[Array], name: str) -> Array | None:
    images = [array for array in group if array.role == "images"]
    if len(images) > 1:  # prefer those whose dataset has labels
        labelled = {array.dataset for array in group if array.role == "labels"}
        images = [array for array in images if array.dataset in labelled] or images
    by_name = [array for array in images if role_of(array.own_name) == "images"]
    images = by_name or images
    if len({array.dataset for array in images}) > 1:
        raise DatasetError(
            f"{name} contains several datasets: {_listed(images)}. Pass the path of one of them."
        )
    # One may be a flat copy of the other, as in load_digits, or compressed.
    if len({math.prod(array.shape) for array in images}) > 1:
        raise DatasetError(
            f"{name} has several arrays of images: {_listed(images)}. Pass a file or dict with "
            "only one of them."
        )
    return max(images, key=lambda array: len(array.shape), default=None)


def _labels_among(group: Sequence[Array], images: Array, label: Any) -> Array | None:
    if label is not None:
        named = [array for array in group if label in (array.name, array.own_name)]
        if not named:
            raise DatasetError(
                f"label={label!r} is not valid: it must be the name of one of {_listed(group)}."
            )
        return named[0]
    labels = [array for array in group if array.role == "labels"]
    own = [array for array in labels if array.dataset == images.dataset] or labels
    lengths = {images.shape[0], images.shape[-1]}
    fitting = [array for array in own if lengths & {array.shape[0], array.shape[-1]}]
    if own and not fitting:
        raise DatasetError(
            f"{images.title} has {images.shape[0]} images, but {own[0].title} has "
            f"{max(own[0].shape)} labels. Pass images and labels that belong together."
        )
    by_name = [array for array in fitting if role_of(array.own_name) == "labels"] or fitting
    if len({array.dataset for array in by_name}) > 1:
        raise DatasetError(
            f"The labels of {images.title} can be in any of these arrays: {_listed(by_name)}. Pass "
            "the name of one of them as label."
        )
    return by_name[0] if by_name else None


def _part(images: Array, labels: Array | None, image_shape: Shape | None) -> Part:
    """Read images and their labels."""
    notes = []
    target = None
    if labels is not None:
        target, note = as_labels(labels.read(), labels.title)
        notes = [f"labels from {labels.title}" + (f", which are {note}" if note else "")]
    values = images.read()
    if target is not None and len(values) != len(target):
        if values.shape[-1] != len(target):
            raise DatasetError(
                f"{images.title} has {len(values)} images, but {labels and labels.title} has "
                f"{len(target)} labels. Pass images and labels that belong together."
            )
        values = np.moveaxis(values, -1, 0)
    pixels, more = _arranged(values, images, image_shape)
    return Part(pixels, target, notes=[*notes, *more])


def _arranged(
    values: NDArray[Any], array: Array, image_shape: Shape | None
) -> tuple[NDArray[Any], list[str]]:
    pixels, note = as_pixels(as_images(values, image_shape, array.title), array.title)
    notes = [note] if note else []
    if array.transposed:
        pixels = pixels.swapaxes(1, 2)
        notes.append("rows and columns were swapped, because EMNIST stores images transposed")
    return _in_rows(pixels), notes


def _in_rows(images: NDArray[Any]) -> NDArray[Any]:
    """Return images in row-major order; MATLAB uses column-major order."""
    any_type = _TYPES.get(images.itemsize)
    if any_type is None or images.strides[0] != images.itemsize:
        return np.ascontiguousarray(images)
    import cv2  # transposes in a third of the time that NumPy takes

    rows = np.empty(images.shape, images.dtype)
    flat = rows.reshape(len(rows), -1).view(any_type)
    for start in range(0, len(images), _BLOCK):  # one block fits into the cache of a CPU
        columns = np.moveaxis(images[start : start + _BLOCK], 0, -1).reshape(flat.shape[1], -1)
        cv2.transpose(columns.view(any_type), flat[start : start + _BLOCK])
    return rows


# --- one array for each class -----------------------------------------------------------------


def _class_arrays(arrays: Sequence[Array]) -> dict[str | None, dict[Array, int]]:
    """Return arrays of one class each, such as train0 and train1, with their labels."""
    found: dict[str | None, dict[Array, int]] = {}
    for array in arrays:
        number = re.fullmatch(r"(?:.*[^\d])?(\d{1,3})", array.name)
        if number is None or len(array.shape) < 2 or re.search(r"arr_\d+$", array.name):
            return {}
        found.setdefault(array.subset, {})[array] = int(number[1])
    of_classes = all(
        len(group) > 1
        and len({array.shape[1:] for array in group}) == 1
        and len({*group.values()}) == len(group)
        for group in found.values()
    )
    return found if of_classes else {}


def _joined(group: dict[Array, int], image_shape: Shape | None) -> Part:
    ordered = sorted(group, key=lambda array: group[array])
    values = [array.read() for array in ordered]
    labels = np.repeat([group[array] for array in ordered], [len(part) for part in values])
    pixels, notes = _arranged(np.concatenate(values), ordered[0], image_shape)
    return Part(pixels, labels, notes=["one array for each class", *notes])
