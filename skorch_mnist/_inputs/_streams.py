"""Streams: PyTorch datasets that yield images one after another, without indices."""

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
from ._pixels import PixelMoments, to_array
from ._torch_data import image_in, label_of, stack_images

IMAGES_PER_CHUNK = 64
NOTHING = object()
ENOUGH_IMAGES = 20_000  # to know that labels are unique values, not classes


class Chunk(NamedTuple):
    """Some consecutive images of a stream.

    Attributes
    ----------
    images : ndarray of shape (n_samples, channels, height, width)
    labels : list
        Python numbers and strings; None if they were not requested.
    hashes : ndarray of shape (n_samples,), uint64, or None
        Hash of the pixels of each image in its own dtype, the same in every process.
    """

    images: NDArray[Any]
    labels: list[Any]
    hashes: NDArray[np.uint64] | None


class StreamedImages:
    """The images of a stream, read chunk by chunk.

    Parameters
    ----------
    dataset : IterableDataset
        As in ``DatasetImages``.

    Raises
    ------
    ValueError
        If the stream is empty, or the first item is not an image.
    """

    layout: Layout

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        items = iter(dataset)
        first = next(items, NOTHING)
        if first is NOTHING:
            raise ValueError("Found array with 0 sample(s): the dataset X is empty.")
        self.first = image_in(first, 0).copy()
        self.item_shape = self.first.shape
        self.dtype = self.first.dtype
        self._opened: Iterator[Any] | None = itertools.chain([first], items)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}

    def arranged(self, layout: Layout) -> StreamedImages:
        """Set the layout of the images, and return self."""
        self.layout = layout
        return self

    def chunks(self, labelled: bool, hashed: bool = False) -> Iterator[Chunk]:
        """Read the stream once, with labels and hashes if requested.

        The first pass continues after the first item, because some streams cannot start again. In a
        worker process of a loader, the stream yields the share of that worker. Items are copied
        immediately, because a stream may close an item, or overwrite it with the next one.
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
    """A stream that keeps the labels of its last pass in ``labels``."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        self.labels: list[Any] = []
        for number, item in enumerate(self.dataset):
            self.labels.append(label_in(item, number))
            yield item


def label_in(item: Any, number: int) -> Any:
    """Return the label of an item, as a Python number or string.

    Raises
    ------
    ValueError
        If it does not have exactly one label.
    """
    label = label_of(item)
    if label is None:
        raise ValueError(
            f"Item {number} of the dataset X does not have a label. For training and scoring, the "
            "items of a stream must be (image, label)."
        )
    label = to_array(label)
    if label.ndim:
        raise ValueError(
            f"Item {number} of the dataset X has a label of shape {label.shape}. Each item must "
            "have one label, which is a number or a string: batches and one-hot labels are not "
            "supported."
        )
    return label.item()


class StreamSurvey:
    """Labels and pixel statistics of a stream, from its first pass; no images are kept.

    Parameters
    ----------
    images : StreamedImages
    n_bins : int
        Number of bins for the images of a label, by their hashes; 1 does not compute hashes.
    watch : callable, optional
        Shows the progress while it yields the given chunks.

    Attributes
    ----------
    dtype : dtype
        A dtype that can hold all images.
    labels : ndarray of shape (n_labels,)
        In ascending order, unique.
    counts : ndarray of shape (n_labels, n_bins), int64
        Number of images of each label in each bin.
    hashes : ndarray of shape (n_labels, n_bins), uint64
        Sum of their hashes.
    moments : ndarray of shape (n_labels, 3), float64
        Sum of the moments of the images of each label.

    Raises
    ------
    ValueError
        If an item is not valid, or if labels are not classes or have different types.
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
                "The dataset X has labels of different types, such as 1 and 'a'. Convert them to "
                "one type."
            )
        self.counts, self.hashes = self.counts[order], self.hashes[order]
        self.moments = self.moments[order]

    @staticmethod
    def _check_labels(labels: list[Any], n_labels: int, n_images: int) -> None:
        assert_all_finite(np.asarray(labels), input_name="y")
        check_classification_targets(np.repeat(labels, 3))  # warns about labels that occur once
        if n_images >= ENOUGH_IMAGES and n_labels > n_images // 2:
            raise ValueError(
                f"The first {n_images} images of the dataset X have {n_labels} different labels. "
                "Items must be (image, label), where the label is the class of the image."
            )

    def _make_room(self, n_labels: int) -> None:
        """Enlarge the tables for this many labels, doubling their size."""
        n_held = len(self.counts)
        if n_labels > n_held:
            more = ((0, max(n_labels, 2 * n_held) - n_held), (0, 0))
            self.counts, self.hashes = np.pad(self.counts, more), np.pad(self.hashes, more)
            self.moments = np.pad(self.moments, more)


def hashes_of(images: list[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return a hash of the pixels of each image, shape (n_samples,)."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
