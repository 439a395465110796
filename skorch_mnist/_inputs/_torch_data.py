"""PyTorch datasets, ``SliceDataset`` of skorch and Hugging Face datasets, read like arrays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import skorch.dataset
import torch
from numpy.typing import NDArray
from skorch.helper import SliceDataset
from torch.utils.data import Subset, TensorDataset

from ._layouts import Layout
from ._pixels import to_array

TORCH_DATA = torch.utils.data.Dataset, SliceDataset
KEYS = {0: "image", 1: "label"}  # keys of items that are dicts, by position in a tuple

# Where torchvision datasets list their labels; by name, because importing them takes a second.
LISTS: dict[str, Callable[[Any], Any]] = {
    "torchvision.datasets.mnist.MNIST": lambda dataset: dataset.targets,
    "torchvision.datasets.cifar.CIFAR10": lambda dataset: dataset.targets,
    "torchvision.datasets.usps.USPS": lambda dataset: dataset.targets,
    "torchvision.datasets.folder.DatasetFolder": lambda dataset: [s[1] for s in dataset.samples],
}


def images_of(X: Any) -> NDArray[Any] | DatasetImages:
    """Return the images of a dataset: its array if it has one, else images that are read lazily.

    Parameters
    ----------
    X : Dataset of PyTorch or Hugging Face, or SliceDataset
        Items are pairs ``(image, label)`` or dicts; those of a ``SliceDataset`` are images.

    Raises
    ------
    ValueError
        If ``X`` is empty or has no length.
    """
    if not hasattr(X, "__len__"):
        raise ValueError(
            f"X is a {type(X).__name__} without a length. Define __len__, or derive the class from "
            "torch.utils.data.IterableDataset."
        )
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s): the dataset X is empty.")
    dataset, rows = _inner(X)
    plain = not isinstance(X, SliceDataset) or (type(X) is SliceDataset and X.idx == 0)
    if plain and type(dataset) is skorch.dataset.Dataset and isinstance(dataset.X, np.ndarray):
        images: NDArray[Any] = dataset.X[rows]
        return images
    return DatasetImages(X)


def labels_of(dataset: Any, element: int | str = 1) -> NDArray[Any] | None:
    """Return the labels of a dataset, or None if it does not have any.

    The labels are those of the items. If the dataset is known to list them, no images are loaded.

    Parameters
    ----------
    dataset : Dataset of PyTorch or Hugging Face, or SliceDataset
    element : int or str
        Position of the label in an item, or its key.
    """
    inner, rows = _inner(dataset)
    held = type(inner) is skorch.dataset.Dataset and isinstance(inner.y, np.ndarray | None)
    if held and element == 1:
        return None if inner.y is None else inner.y[rows]
    numbers = np.arange(len(inner))[rows]
    listed = _listed_labels(inner) if element in (1, KEYS[1]) else None
    if listed is not None:
        labels: NDArray[Any] = listed[numbers]
        return labels
    if not len(numbers) or label_of(inner[int(numbers[0])], element) is None:
        return None
    return np.asarray([to_array(label_of(inner[int(i)], element)) for i in numbers])


def labels_in(y: Any) -> NDArray[Any] | None:
    """Return the labels of a dataset that was passed as ``y``."""
    if isinstance(y, SliceDataset) and type(y) is not SliceDataset:  # it may transform them
        return np.asarray([to_array(y[i]) for i in range(len(y))])
    return labels_of(y, getattr(y, "idx", 1))


def _listed_labels(dataset: Any) -> NDArray[Any] | None:
    """Return the list of labels of a dataset, if it is known to agree with the items."""
    kind: Any = type(dataset)
    if hasattr(kind, "with_format"):  # a Hugging Face dataset
        known = dataset.format["type"] != "custom" and KEYS[1] in dataset.format["columns"]
        return to_array(dataset.with_format("numpy")[KEYS[1]][:]) if known else None
    if kind is TensorDataset and len(dataset.tensors) > 1:
        return to_array(dataset.tensors[1])
    if getattr(dataset, "target_transform", None) is not None:
        return None
    for base in kind.__mro__:
        labels_listed_by = LISTS.get(f"{base.__module__}.{base.__qualname__}")
        if labels_listed_by is not None:
            labels = to_array(labels_listed_by(dataset))
            known = kind.__getitem__ is base.__getitem__ and kind.__len__ is base.__len__
            return labels if known and labels.dtype.kind in "iu" and labels.ndim == 1 else None
    return None


def _inner(dataset: Any) -> tuple[Any, Any]:
    """Return the dataset that slices and subsets wrap, and the rows that they select."""
    rows: Any = slice(None)
    if isinstance(dataset, SliceDataset):
        dataset, rows = dataset.dataset, dataset.indices_
    while type(dataset) is Subset:
        dataset, rows = dataset.dataset, np.asarray(dataset.indices)[rows]
    return dataset, rows


class DatasetImages:
    """The images of a dataset, read lazily and indexed by rows like an array.

    Nothing is kept in memory, so random transforms change an image each time it is read.

    Parameters
    ----------
    dataset : torch Dataset or SliceDataset
        Each item is an image, a tuple that starts with one, or a dict with the key "image". Images
        are PIL images, tensors or arrays.
    """

    layout: Layout | None = None

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.rows = np.arange(len(dataset))
        self.first = image_in(dataset[0], 0)
        self.item_shape = self.first.shape
        self.dtype = self.first.dtype

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, then the shape of each."""
        return (len(self), *(self.layout.image_shape if self.layout else self.item_shape))

    def arranged(self, layout: Layout) -> DatasetImages:
        """Set the layout of the images, and return self."""
        self.layout = layout
        return self

    def only(self, rows: NDArray[np.integer]) -> DatasetImages:
        """Return the images of ``rows``, still read lazily."""
        part = copy.copy(self)
        part.rows = self.rows[rows]
        return part

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        numbers = self.rows[rows].tolist()
        images = [image_in(self.dataset[i], i) for i in numbers]
        batch = stack_images(images, numbers, self.item_shape)
        return self.layout.arrange(batch) if self.layout else batch


def image_in(item: Any, number: int) -> NDArray[Any]:
    """Return the image of an item, which is an image, a tuple that starts with one, or a dict.

    Raises
    ------
    ValueError
        If the image does not consist of real numbers.
    """
    first = item[0] if isinstance(item, (tuple, list)) else item
    if isinstance(item, Mapping):
        first = item.get(KEYS[0], item)
    image = to_array(first)
    if image.dtype.kind not in "buif":
        raise ValueError(
            f"Item {number} of the dataset X is a {type(first).__name__}, not an image. Items must "
            'be (image, label) or {"image": image, "label": label} with a PIL image, tensor or '
            "array of real numbers."
        )
    return image


def label_of(item: Any, element: Any = 1) -> Any:
    """Return the label of an item, or None if it does not have one."""
    if isinstance(item, Mapping):
        return item.get(KEYS.get(element, element))
    paired = isinstance(item, (tuple, list)) and len(item) > element
    return item[element] if paired else None


def stack_images(
    images: list[NDArray[Any]], numbers: list[int], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return images as one array of shape (n_samples, *shape).

    Raises
    ------
    ValueError
        If an image has another shape, or contains NaN or infinity.
    """
    for number, image in zip(numbers, images, strict=True):
        if image.shape != shape:
            raise ValueError(
                f"Item {number} of the dataset X has shape {image.shape}, but item 0 has {shape}. "
                "All images must have the same shape. Resize them in the transform of the dataset."
            )
    batch = np.stack(images)
    if batch.dtype.kind == "f" and not np.isfinite(batch).all():
        raise ValueError("Input X contains NaN or infinity.")
    return batch
