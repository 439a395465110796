"""Torch data sets that give images one after the other, without numbers: streams."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from torch.utils.data import IterableDataset, get_worker_info

from ._layouts import Layout
from ._pixels import PixelMoments
from ._torch_data import image_in, stack_images, to_array

__all__ = [
    "IMAGES_PER_CHUNK",
    "Chunk",
    "LabelKeepingStream",
    "StreamSurvey",
    "StreamedImages",
    "is_stream",
]

IMAGES_PER_CHUNK = 64
NOTHING = object()
ENOUGH_IMAGES = 20_000  # to know that most have a label of their own, and no class


def is_stream(X: Any) -> bool:
    """Whether ``X`` gives its images one after the other, without numbers."""
    return isinstance(X, IterableDataset)


class Chunk(NamedTuple):
    """Some images that came one after the other.

    Attributes
    ----------
    images : ndarray of shape (n_samples, channels, height, width)
    labels : list
        As Python's numbers and texts; None where they are not wanted.
    hashes : ndarray of shape (n_samples,), uint64, or None
        Of the pixels of each image in its own dtype, the same in every process.
    """

    images: NDArray[Any]
    labels: list[Any]
    hashes: NDArray[np.uint64] | None


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
        first = next(items, NOTHING)
        if first is NOTHING:
            raise ValueError("Found array with 0 sample(s): the data set X is empty.")
        self.first = image_in(first, 0).copy()
        self.item_shape = self.first.shape
        self.dtype = self.first.dtype
        self._opened: Iterator[Any] | None = itertools.chain([first], items)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}

    def arranged(self, layout: Layout) -> StreamedImages:
        """Give the images in ``layout`` from now on."""
        self.layout = layout
        return self

    def chunks(self, labelled: bool, hashed: bool = False) -> Iterator[Chunk]:
        """Read the stream once, with labels and hashes if they are wanted.

        The first pass goes on where the first item was taken, as some streams cannot begin anew.
        In a worker process of a loader, the stream gives what it has for that worker. An item is
        copied as it comes: the stream may close it, or write the next one over it.
        """
        items, self._opened = self._opened, None
        if items is None or get_worker_info() is not None:
            items = iter(self.dataset)
        read = (
            (number, image_in(item, number).copy(), label_in(item, number) if labelled else None)
            for number, item in enumerate(items)
        )
        while chunk := list(itertools.islice(read, IMAGES_PER_CHUNK)):
            numbers, images, labels = map(list, zip(*chunk, strict=True))
            stacked = self.layout.arrange(stack_images(images, numbers, self.item_shape))
            yield Chunk(stacked, labels, hashes_of(images) if hashed else None)


class LabelKeepingStream(IterableDataset[Any]):
    """A stream that keeps the labels of what it has given in its last pass, in ``labels``."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        self.labels: list[Any] = []
        for number, item in enumerate(self.dataset):
            self.labels.append(label_in(item, number))
            yield item


def label_in(item: Any, number: int) -> Any:
    """Return the label of an item, as Python's number or text.

    Raises
    ------
    ValueError
        If it has none, or several.
    """
    if not isinstance(item, (tuple, list)) or len(item) < 2 or item[1] is None:
        raise ValueError(
            f"Item {number} of the data set X has no label. Items of a stream to train on, or to "
            "score, must be (image, label)."
        )
    label = to_array(item[1])
    if label.ndim:
        raise ValueError(
            f"Item {number} of the data set X has a label of shape {label.shape}. Each item must "
            "be one image with one label, a number or a text: neither a batch, nor one-hot."
        )
    return label.item()


class StreamSurvey:
    """What the first pass over a stream teaches, in memory that does not grow with the images.

    Parameters
    ----------
    images : StreamedImages
    n_bins : int
        Into how many bins the images of a label are put by their hashes; 1 does without hashes.
    watch : callable, optional
        Yields the chunks that it is given, as they are, and shows how it goes.

    Attributes
    ----------
    dtype : dtype
        One that has room for all images.
    labels : ndarray of shape (n_labels,)
        In ascending order, each once.
    counts : ndarray of shape (n_labels, n_bins), int64
        Images of each label whose hashes fall into each bin.
    hashes : ndarray of shape (n_labels, n_bins), uint64
        Sum of these hashes.
    moments : ndarray of shape (n_labels, 3), float64
        Sums of the moments of the images of each label.

    Raises
    ------
    ValueError
        If an item is not valid, or labels are no classes or of several types.
    """

    def __init__(
        self,
        images: StreamedImages,
        n_bins: int = 1,
        watch: Callable[[Iterator[Chunk]], Iterator[Chunk]] = iter,
    ) -> None:
        self.dtype = images.dtype
        self.pixels = PixelMoments()
        rows: dict[Any, int] = {}
        n_images = 0
        self.counts = np.zeros((0, n_bins), np.int64)
        self.hashes = np.zeros((0, n_bins), np.uint64)
        self.moments = np.zeros((0, 3))
        for chunk in watch(images.chunks(labelled=True, hashed=n_bins > 1)):
            n_known = len(rows)
            row = np.array([rows.setdefault(label, len(rows)) for label in chunk.labels])
            n_images += len(row)
            if len(rows) > n_known:
                self._check_labels(list(rows)[n_known:], len(rows), n_images)
                self._make_room(len(rows))
            hashes = np.zeros(len(row), np.uint64) if chunk.hashes is None else chunk.hashes
            place = row, hashes % n_bins
            np.add.at(self.counts, place, 1)
            np.add.at(self.hashes, place, hashes)
            np.add.at(self.moments, row, self.pixels.of(chunk.images).T)
            self.dtype = np.result_type(self.dtype, chunk.images)
        self.labels, order = np.unique(np.asarray(list(rows)), return_index=True)
        if set(self.labels.tolist()) != set(rows):
            raise ValueError(
                "The data set X has labels of several types, such as 1 and 'a'. Give it one."
            )
        self.counts, self.hashes = self.counts[order], self.hashes[order]
        self.moments = self.moments[order]

    @staticmethod
    def _check_labels(labels: list[Any], n_labels: int, n_images: int) -> None:
        assert_all_finite(np.asarray(labels), input_name="y")
        check_classification_targets(np.repeat(labels, 3))  # it warns of labels that occur once
        if n_images >= ENOUGH_IMAGES and n_labels > n_images // 2:
            raise ValueError(
                f"The data set X has given {n_labels} labels with {n_images} images. Items must "
                "be (image, label), with the class of the image as label."
            )

    def _make_room(self, n_labels: int) -> None:
        """Let the tables grow, by doubling, to hold so many labels."""
        n_held = len(self.counts)
        if n_labels > n_held:
            more = ((0, max(n_labels, 2 * n_held) - n_held), (0, 0))
            self.counts, self.hashes = np.pad(self.counts, more), np.pad(self.hashes, more)
            self.moments = np.pad(self.moments, more)


def hashes_of(images: list[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return a hash of the pixels of each image, shape (n_samples,)."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
