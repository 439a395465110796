"""Arrays with names, as in .npz files: which are images, which are their labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._values import Part, Shape, as_images, as_labels, as_pixels
from ._words import rest_of, role_of, subset_of

_SHOWN = 8  # arrays in a message
_FEWEST = 16  # pixels of an image in an array whose name says nothing


class Array(NamedTuple):
    """An array that can be read.

    Attributes
    ----------
    file : str
        Path of its file, with slashes.
    name : str
        Its name in the file, with slashes for groups; empty if the file holds nothing else.
    shape : tuple of int
    read : callable
        Returns it as an ndarray of real numbers or strings.
    transposed : bool
        Whether it holds images whose rows and columns are swapped, as those of EMNIST.
    """

    file: str
    name: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]
    transposed: bool = False

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.file}: {self.name}" if self.name else self.file

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self.file.split("/"), *(self.name.split("/") if self.name else ()))

    @property
    def own_name(self) -> str:
        """Its name in the file, or that of the file if it holds nothing else."""
        return self.name or self.file.rpartition("/")[2]

    @property
    def subset(self) -> str | None:
        return subset_of(self.parts)

    @property
    def dataset(self) -> tuple[str, ...]:
        """What tells datasets in one folder apart."""
        return rest_of(" ".join(self.parts[-2:] if self.name else self.parts[-1:]))

    @property
    def role(self) -> str | None:
        """Whether it holds images or labels, by its name and shape; None if neither."""
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
    """Return the images and labels of each subset, and the arrays that were left out.

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
            f"{name} holds no images. It has {_listed(arrays) or 'no arrays of numbers'}; expected "
            "an array of shape (n, height, width) or (n, pixels)"
        )
    return found, [array for array in arrays if array not in used]


def _listed(arrays: Sequence[Array]) -> str:
    shown = [f"{array.title} of shape {array.shape}" for array in arrays[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(arrays) > _SHOWN else "")


def _images_among(group: Sequence[Array], name: str) -> Array | None:
    images = [array for array in group if array.role == "images"]
    if len(images) > 1:  # those whose dataset has labels, if there are such
        labelled = {array.dataset for array in group if array.role == "labels"}
        images = [array for array in images if array.dataset in labelled] or images
    by_name = [array for array in images if role_of(array.own_name) == "images"]
    images = by_name or images
    if len({array.dataset for array in images}) > 1:
        raise DatasetError(
            f"{name} contains several datasets: {_listed(images)}. Pass the path of one of them"
        )
    # One may be a flat copy of the other, as in load_digits, or packed.
    if len({math.prod(array.shape) for array in images}) > 1:
        raise DatasetError(
            f"{name} has several arrays of images: {_listed(images)}. Pass one that has only one"
        )
    return max(images, key=lambda array: len(array.shape), default=None)


def _labels_among(group: Sequence[Array], images: Array, label: Any) -> Array | None:
    if label is not None:
        named = [array for array in group if label in (array.name, array.own_name)]
        if not named:
            raise DatasetError(f"label={label!r} is not valid: the arrays are {_listed(group)}")
        return named[0]
    labels = [array for array in group if array.role == "labels"]
    own = [array for array in labels if array.dataset == images.dataset] or labels
    lengths = {images.shape[0], images.shape[-1]}
    fitting = [array for array in own if lengths & {array.shape[0], array.shape[-1]}]
    if own and not fitting:
        raise DatasetError(
            f"{images.title} holds {images.shape[0]} images, but {own[0].title} holds "
            f"{max(own[0].shape)} labels. Pass two files that belong together"
        )
    by_name = [array for array in fitting if role_of(array.own_name) == "labels"] or fitting
    if len({array.dataset for array in by_name}) > 1:
        raise DatasetError(
            f"{_listed(by_name)} may hold the labels of {images.title}. Name one with label="
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
                f"{images.title} holds {len(values)} images, but {labels and labels.title} holds "
                f"{len(target)} labels. Pass two files that belong together"
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
        notes.append("rows and columns were swapped, because EMNIST is stored so")
    return np.ascontiguousarray(pixels), notes


# --- one array for each class -----------------------------------------------------------------


def _class_arrays(arrays: Sequence[Array]) -> dict[str | None, dict[Array, int]]:
    """Return arrays that hold one class each, as train0, train1 and so on, with their labels."""
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
