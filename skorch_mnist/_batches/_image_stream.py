"""The images of a stream with their codes and weights: an image data set without numbers."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from skorch_mnist._inputs import PixelStatistics, StreamedImages, StreamSurvey

from ._image_dataset import tensor_of
from ._split import split_bins

__all__ = ["ImageStream"]


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
        counts = self.known.counts if self.chosen is None else self.known.counts * self.chosen
        n_images: NDArray[np.int64] = counts.sum(axis=1)
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
