"""Torch data sets that give images one after the other, without numbers: streams."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from torch.utils.data import IterableDataset, get_worker_info

from skorch_mnist.layouts import Layout
from skorch_mnist.pixels import PixelMoments
from skorch_mnist.split import N_BINS
from skorch_mnist.torch_data import image_in, stack_images, to_array

__all__ = [
    "IMAGES_PER_CHUNK",
    "LabelKeepingStream",
    "StreamSurvey",
    "StreamedImages",
    "hashes_of",
    "is_stream",
]

IMAGES_PER_CHUNK = 64
MOST_SINGLE_LABELS = 1000  # where most images have one of their own


def is_stream(X: Any) -> bool:
    """Whether ``X`` gives its images one after the other, without numbers."""
    return isinstance(X, IterableDataset)


class StreamedImages:
    """The images of a stream as they come, chunk by chunk.

    Parameters
    ----------
    dataset : IterableDataset
        Its items are images, or tuples that begin with one: PIL images, tensors or arrays.

    Raises
    ------
    ValueError
        If there is no item, or the first is no image.
    """

    layout: Layout

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        items = iter(dataset)
        first = next(items, None)
        if first is None:
            raise ValueError("Found array with 0 sample(s): the data set X is empty.")
        image = image_in(first, 0)
        self.item_shape = image.shape
        self.dtype = image.dtype
        self._opened: Iterator[Any] | None = itertools.chain([first], items)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}

    def arranged(self, layout: Layout) -> StreamedImages:
        """Give the images in ``layout`` from now on."""
        self.layout = layout
        return self

    def chunks(self, labelled: bool) -> Iterator[tuple[NDArray[Any], list[Any]]]:
        """Read the stream once: images (n_samples, channels, height, width), and labels if asked.

        The first pass goes on where the first item was taken, as some streams cannot begin anew.
        In a worker process of a loader, the stream gives what it has for that worker.
        """
        items, self._opened = self._opened, None
        if items is None or get_worker_info() is not None:
            items = iter(self.dataset)
        numbered = enumerate(items)
        while chunk := list(itertools.islice(numbered, IMAGES_PER_CHUNK)):
            numbers = [number for number, _ in chunk]
            images = stack_images([item for _, item in chunk], numbers, self.item_shape)
            labels = [_label_in(item, number) for number, item in chunk] if labelled else []
            yield self.layout.arrange(images), labels


class LabelKeepingStream(IterableDataset[Any]):
    """A stream that keeps the labels of what it has given in its last pass, in ``labels``."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        self.labels: list[Any] = []
        for number, item in enumerate(self.dataset):
            self.labels.append(_label_in(item, number))
            yield item


def _label_in(item: Any, number: int) -> Any:
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        raise ValueError(
            f"Item {number} of the data set X has no label. Items of a stream to train on, or to "
            "score, must be (image, label)."
        )
    label = to_array(item[1])
    if label.ndim:
        raise ValueError(
            f"Item {number} of the data set X has a label of shape {label.shape}. Each item must "
            "be one image with one label: a stream gives images, not batches."
        )
    return label.item()


class StreamSurvey:
    """What the first pass over a stream teaches, in memory that does not grow with the images.

    Parameters
    ----------
    images : StreamedImages

    Attributes
    ----------
    dtype : dtype
        One that has room for all images.
    labels : ndarray of shape (n_labels,)
        In ascending order, each once.
    counts : ndarray of shape (n_labels, N_BINS), int64
        Images of each label whose hashes fall into each bin.
    hashes : ndarray of shape (n_labels, N_BINS), uint64
        Sum of these hashes.
    moments : ndarray of shape (n_labels, 3), float64
        Sums of the moments of the images of each label.

    Raises
    ------
    ValueError
        If an item is not valid, or labels are no classes or of several types.
    """

    def __init__(self, images: StreamedImages) -> None:
        self.dtype = images.dtype
        self.pixels = PixelMoments()
        rows: dict[Any, int] = {}
        n_images = 0
        self.counts = np.zeros((0, N_BINS), np.int64)
        self.hashes = np.zeros((0, N_BINS), np.uint64)
        self.moments = np.zeros((0, 3))
        for chunk, labels in images.chunks(labelled=True):
            row = np.array([rows.setdefault(label, len(rows)) for label in labels])
            n_images += len(labels)
            if len(rows) > len(self.counts):
                assert_all_finite(np.asarray(list(rows)), input_name="y")
                check_classification_targets(np.repeat(list(rows), 3))  # it warns of single ones
                if len(rows) > max(MOST_SINGLE_LABELS, n_images // 2):
                    raise ValueError(
                        f"The data set X has given {len(rows)} labels with {n_images} images. "
                        "Items must be (image, label), with the class of the image as label."
                    )
                new = ((0, len(rows) - len(self.counts)), (0, 0))
                self.counts, self.hashes = np.pad(self.counts, new), np.pad(self.hashes, new)
                self.moments = np.pad(self.moments, new)
            hashed = hashes_of(chunk)
            place = row, hashed % N_BINS
            np.add.at(self.counts, place, 1)
            np.add.at(self.hashes, place, hashed)
            np.add.at(self.moments, row, self.pixels.of(chunk).T)
            self.dtype = np.result_type(self.dtype, chunk)
        self.labels, order = np.unique(np.asarray(list(rows)), return_index=True)
        if len(self.labels) < len(rows):
            raise ValueError(
                "The data set X has labels of several types, such as 1 and '1'. Give it one."
            )
        self.counts, self.hashes = self.counts[order], self.hashes[order]
        self.moments = self.moments[order]


def hashes_of(images: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a hash of the pixels of each image, shape (n_samples,), the same in every process."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
