"""How images of a stream become batches: what ``batches`` does for images that have numbers."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from skorch_mnist.batches import BatchReader, KeptRows, check_batch_size
from skorch_mnist.image_dataset import tensor_of
from skorch_mnist.pixels import PixelStatistics
from skorch_mnist.split import split_bins
from skorch_mnist.streams import IMAGES_PER_CHUNK, StreamedImages, StreamSurvey

__all__ = ["ImageStream", "StreamLoader"]

# At most so much is held back to be shuffled.
SHUFFLED_IMAGES = 2**14
SHUFFLED_BYTES = 2**26

Rows = tuple[torch.Tensor, torch.Tensor]  # images and codes


class ImageStream(IterableDataset[Any]):
    """The images of a stream, or a part of them, with the codes that the criterion sees.

    Iterating yields chunks: canonical images, codes, and the sum of the hashes of the images where
    this is a part.

    Parameters
    ----------
    images : StreamedImages
    survey : StreamSurvey or None
        What a first pass has learned; None for images without labels, to be predicted.
    classes : ndarray of shape (n_classes,), optional
        All classes, of which the stream may lack some.
    weights : ndarray of shape (n_classes,), float32, or None
        Weight of each class in the loss.
    """

    def __init__(
        self,
        images: StreamedImages,
        survey: StreamSurvey | None = None,
        classes: NDArray[Any] | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.images = images
        self.survey = survey
        self.weights = weights
        self.chosen: NDArray[np.bool_] | None = None
        if survey is not None and classes is not None:
            self.rows = np.searchsorted(classes, survey.labels)
            self.codes = dict(zip(survey.labels.tolist(), self.rows.tolist(), strict=True))

    @property
    def known(self) -> StreamSurvey:
        """What the first pass has learned."""
        assert self.survey is not None
        return self.survey

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of images of each label, in this part."""
        counts = self.known.counts
        n_images: NDArray[np.int64] = np.where(self._chosen, counts, 0).sum(axis=1)
        return n_images

    def __len__(self) -> int:
        if self.survey is None:
            raise TypeError("the number of images in a stream is not known before its end")
        return int(self.counts.sum())

    @property
    def hash_sum(self) -> int:
        """Sum of the hashes of the images in this part, modulo 2**64; 0 without a split."""
        return 0 if self.chosen is None else int(self.known.hashes[self.chosen].sum())

    @property
    def _chosen(self) -> NDArray[np.bool_] | bool:
        return True if self.chosen is None else self.chosen

    @property
    def digest(self) -> str:
        """What tells these images, labels and parts from others; the order does not count."""
        sha256 = hashlib.sha256(repr(self.known.labels.tolist()).encode())
        for part in (self.known.counts, self.known.hashes, self.chosen):
            sha256.update(b"" if part is None else np.ascontiguousarray(part).data)
        return sha256.hexdigest()

    def pixel_statistics(self) -> PixelStatistics:
        """Return the scale of the pixels of all images, weighted as their classes are."""
        weight = np.ones(len(self.rows)) if self.weights is None else self.weights[self.rows]
        return self.known.pixels.statistics(weight @ self.known.moments)

    def split(
        self, fraction: float, random_state: np.random.RandomState
    ) -> tuple[ImageStream, ImageStream | None]:
        """Return the images to train on and those for validation, chosen by their pixels."""
        chosen = split_bins(self.known.counts, fraction, random_state)
        if not chosen.any():
            return self, None
        train, valid = copy.copy(self), copy.copy(self)
        train.chosen, valid.chosen = ~chosen, chosen
        return train, valid

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
        known = self.survey is not None
        for images, labels, hashes in self.images.chunks(known, hashed=self.chosen is not None):
            codes, hash_sum = np.zeros(len(images), np.int64), 0
            if known:
                images, codes = self._in_dtype(images), self._encode(labels)
            if self.chosen is not None and hashes is not None:
                bins = hashes % self.chosen.shape[1]
                ours = self.chosen[np.searchsorted(self.rows, codes), bins]
                images, codes = images[ours], codes[ours]
                hash_sum = int(hashes[ours].sum())
            yield tensor_of(images), torch.from_numpy(codes), hash_sum

    def _in_dtype(self, images: NDArray[Any]) -> NDArray[Any]:
        if not np.can_cast(images.dtype, self.known.dtype):
            raise ValueError(
                f"The data set X has given pixels of {images.dtype}, and of {self.known.dtype} "
                "when fit began. A stream must give the same dtype each time."
            )
        return images.astype(self.known.dtype, copy=False)

    def _encode(self, labels: list[Any]) -> NDArray[np.int64]:
        try:
            return np.array([self.codes[label] for label in labels], np.int64)
        except KeyError as error:
            raise ValueError(
                f"The data set X has given label {error.args[0]!r}, which it did not give when fit "
                "began. A stream must give the same images each time."
            ) from None


class StreamLoader:
    """Batches of a stream.

    Parameters
    ----------
    stream : ImageStream
    batch_size : int
        -1 takes all images in one batch.
    shuffle : bool
        Whether images are drawn from up to 16,384 that are held back, or 64 MB of them.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    generator : torch.Generator or None
        None draws from torch's global one.
    **others : object
        More arguments of ``DataLoader``, ``num_workers`` for instance.

    Raises
    ------
    ValueError
        If ``batch_size`` is not valid; if the stream does not give, in a pass, the images that it
        gave in the first one.
    """

    def __init__(
        self,
        stream: ImageStream,
        batch_size: Any,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
        **others: Any,
    ) -> None:
        self.n_rows = None if stream.survey is None else len(stream)
        everything = sys.maxsize if self.n_rows is None else self.n_rows
        self.batch_size = everything if batch_size == -1 else check_batch_size(batch_size)
        self.stream = stream
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.n_workers = others.get("num_workers", 0)
        self._chunks = DataLoader(
            stream,
            batch_size=None,
            collate_fn=BatchReader.collate,
            generator=generator,
            **others,
        )

    def __len__(self) -> int:
        whole, rest = divmod(len(self.stream), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    def __iter__(self) -> Iterator[tuple[Any, torch.Tensor]]:
        chunks = self._compared_pass() if self.stream.survey is not None else self._pass()
        if self.shuffle:
            chunks = shuffled(chunks, self.generator)
        kept = None if self.n_rows is None else KeptRows(self.n_rows)
        weights = None if self.stream.weights is None else torch.from_numpy(self.stream.weights)
        for images, codes in in_batches(chunks, self.batch_size):
            if self.drop_last and len(codes) < self.batch_size:
                return
            X = images if weights is None else {"image": images, "sample_weight": weights[codes]}
            yield X, codes if kept is None else kept.keep(codes)

    def _pass(self) -> Iterator[Rows]:
        """Yield the chunks of a stream of which nothing is known."""
        for images, codes, _ in self._chunks:
            yield images, codes

    def _compared_pass(self) -> Iterator[Rows]:
        """Yield chunks; raise a ValueError where they are not those of the first pass."""
        n_whole, hash_sum = len(self.stream), 0
        counts = np.zeros(self.stream.rows[-1] + 1, np.int64)
        for images, codes, hashed in self._chunks:
            counts += np.bincount(codes.numpy(), minlength=len(counts))
            hash_sum = (hash_sum + hashed) % 2**64
            if counts.sum() > n_whole:
                self._refuse("more")
            yield images, codes
        if counts.sum() < n_whole:
            self._refuse(str(counts.sum()))
        if (counts[self.stream.rows] != self.stream.counts).any():
            self._refuse("as many with other labels")
        if hash_sum != self.stream.hash_sum:
            self._refuse("others")

    def _refuse(self, got: str) -> None:
        name = type(self.stream.images.dataset).__name__
        if self.n_workers > 1 and got == "more":
            remedy = (
                f"With several workers, __iter__ of {name} must give each its share: see "
                "torch.utils.data.get_worker_info, or leave num_workers out."
            )
        else:
            remedy = f"__iter__ of {name} must begin anew each time, and give the same images."
            if self.stream.chosen is not None and got != "0":
                remedy += (
                    " A share for validation is told by its pixels: change images with augment, "
                    "not in the data set, or set train_split to None or predefined_split(valid)."
                )
        part = "" if self.stream.chosen is None else " of this part"
        raise ValueError(
            f"The data set X gave {self.n_rows} images{part} when fit began, now {got}. {remedy}"
        )


def in_batches(chunks: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Cut chunks into batches of ``size``; the last one has what is left."""
    waiting: list[Rows] = []
    n_waiting = 0
    for chunk in chunks:
        waiting.append(chunk)
        n_waiting += len(chunk[1])
        if n_waiting >= size:
            images, codes = together(waiting)
            n_whole = n_waiting - n_waiting % size
            for start in range(0, n_whole, size):
                yield images[start : start + size], codes[start : start + size]
            waiting, n_waiting = [(images[n_whole:], codes[n_whole:])], n_waiting - n_whole
    if n_waiting:
        yield together(waiting)


def shuffled(chunks: Iterable[Rows], generator: torch.Generator | None) -> Iterator[Rows]:
    """Hold images back, and give for each that comes another, drawn from those held."""
    held: list[Rows] = []
    n_held, capacity = 0, SHUFFLED_IMAGES
    for images, codes in chunks:
        if n_held < capacity:
            held.append((images, codes))
            n_held += len(codes)
            if len(codes):
                affordable = SHUFFLED_BYTES // images[0].nbytes
                capacity = max(IMAGES_PER_CHUNK, min(capacity, affordable))
            continue
        if len(held) > 1:
            held = [together(held)]
        of_held, codes_held = held[0]
        drawn = torch.randperm(n_held, generator=generator)[: len(codes)]
        out = of_held[drawn], codes_held[drawn]
        of_held[drawn], codes_held[drawn] = images, codes
        yield out
    if n_held:
        images, codes = together(held)
        order = torch.randperm(n_held, generator=generator)
        for rows in order.split(IMAGES_PER_CHUNK):
            yield images[rows], codes[rows]


def together(chunks: list[Rows]) -> Rows:
    """Return several chunks as one."""
    if len(chunks) == 1:
        return chunks[0]
    return torch.cat([images for images, _ in chunks]), torch.cat([codes for _, codes in chunks])
