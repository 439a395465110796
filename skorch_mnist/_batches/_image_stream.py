"""Images of a stream, which are read one after another and do not have indices."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from torch.utils.data import IterableDataset

from skorch_mnist._inputs._layouts import ImageShape, InputFormat
from skorch_mnist._inputs._pixels import PixelStatistics
from skorch_mnist._inputs._streams import LabelKeepingStream, StreamedImages, StreamSurvey
from skorch_mnist._inputs._validation import (
    CheckedImages,
    Given,
    all_classes,
    check_known,
    check_lazy_images,
    check_two_classes,
    weights_of_labels,
)
from skorch_mnist._progress import count_images

from ._batch import LOADER_ARGUMENTS, tensor_of
from ._split import N_BINS, split_bins
from ._stream_loader import StreamLoader


class ImageStream(IterableDataset[Any]):
    """The images of a stream, or a part of them, with the codes for the criterion.

    Iteration yields chunks: canonical images, codes, and for a part, the sum of the hashes of its
    images.

    Parameters
    ----------
    images : StreamedImages
    survey : StreamSurvey or None
        Result of the first pass; None for images without labels, in prediction.
    classes : ndarray of shape (n_classes,), optional
        All classes; some may be missing from the stream.
    weights : ndarray of shape (n_classes,), float32, or None
        Weight of each class in the loss.
    """

    X = y = None  # not available all at once
    classes: NDArray[Any]
    input_format: InputFormat
    image_shape: ImageShape
    expected: PixelStatistics | None = None  # to compare with the first chunk

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
            self.classes = classes
            self.rows = np.searchsorted(classes, survey.labels)
            self.codes = dict(zip(survey.labels.tolist(), self.rows.tolist(), strict=True))

    @classmethod
    def for_training(
        cls, estimator: Any, given: Given, *, known: NDArray[Any] | None, split: Any
    ) -> Self:
        """Read the stream once, to learn its labels, length and pixel statistics."""
        check_parameters(estimator, split)
        check_none(y=given.y, sample_weight=given.sample_weight)
        classes = all_classes(given.classes, known)
        checked = _check_first(estimator, given.X, reset=known is None)
        survey = StreamSurvey(checked.images, N_BINS if is_share(split) else 1, _watch(estimator))
        labels = survey.labels
        check_known(labels, classes)
        classes = labels if classes is None else classes
        weights = None
        if estimator.class_weight is not None:
            counts = survey.counts.sum(axis=1)
            of_label = weights_of_labels(estimator.class_weight, labels, counts, classes)
            weights = np.zeros(len(classes), np.float32)
            weights[np.searchsorted(classes, labels)] = of_label / of_label.max()
        check_two_classes(classes, type(estimator).__name__)
        stream = cls(checked.images, survey, classes, weights)
        stream.input_format = checked.input_format
        stream.image_shape = checked.images.layout.image_shape
        return stream

    @classmethod
    def for_validation(cls, estimator: Any, X: Any) -> Self:
        """Read the stream once, for its labels."""
        images = _check_first(estimator, X, reset=False).images
        estimator.pixel_statistics_.check_range(images)
        survey = StreamSurvey(images, watch=_watch(estimator))
        check_known(survey.labels, estimator.classes_)
        return cls(images, survey, estimator.classes_)

    @classmethod
    def for_inspection(cls, estimator: Any, X: Any, y: Any) -> Self:
        """Read the stream once, for its labels."""
        check_none(y=y)
        return cls.for_validation(estimator, X)

    @classmethod
    def for_prediction(cls, estimator: Any, X: Any) -> Self:
        """Check the first image; warn if the first chunk does not look like those in ``fit``."""
        stream = cls(_check_first(estimator, X, reset=False).images)
        stream.expected = estimator.pixel_statistics_
        return stream

    @classmethod
    def with_labels(cls, X: Any) -> tuple[Any, Any]:
        """Return a stream that stores its labels while it is read, and a function for them."""
        keeping = LabelKeepingStream(X)
        return keeping, lambda: keeping.labels

    @property
    def known(self) -> StreamSurvey:
        """Result of the first pass."""
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
            raise TypeError("The length of a stream is not known until it was read.")
        return int(self.counts.sum())

    @property
    def hash_sum(self) -> int:
        """Sum of the hashes of the images in this part, modulo 2**64; 0 without a split."""
        return 0 if self.chosen is None else int(self.known.hashes[self.chosen].sum())

    def add_to(self, sha256: Any, known: set[int]) -> None:
        """Add labels, hashes and part to a hash, which does not depend on the order of images."""
        own = hashlib.sha256(repr(self.known.labels.tolist()).encode())
        for part in (self.known.counts, self.known.hashes, self.chosen):
            own.update(b"" if part is None else np.ascontiguousarray(part).data)
        sha256.update(own.hexdigest().encode())

    def pixel_statistics(self) -> PixelStatistics:
        """Return the scale of the pixels, from the sums of the first pass."""
        weight = np.ones(len(self.rows)) if self.weights is None else self.weights[self.rows]
        return self.known.pixels.statistics(weight @ self.known.moments)

    def split(
        self, fraction: float, random_state: np.random.RandomState
    ) -> tuple[Self, Self | None]:
        """Choose images for validation by a hash of their pixels."""
        chosen = split_bins(self.known.counts, fraction, random_state)
        if not chosen.any():
            return self, None
        train, valid = copy.copy(self), copy.copy(self)
        train.chosen, valid.chosen = ~chosen, chosen
        return train, valid

    def loader(self, arguments: Mapping[str, Any], device: torch.device) -> StreamLoader:
        """Return batches; for prediction, in the order of the stream."""
        if self.survey is None:
            arguments = {name: arguments[name] for name in LOADER_ARGUMENTS & arguments.keys()}
        return StreamLoader(self, **arguments)

    def items(self, prefix: str) -> Any:
        """Raise a ValueError, because custom loaders need indices."""
        raise ValueError(
            f"X is a stream, which does not support {prefix} and {prefix}__collate_fn. Remove them."
        )

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
        known = self.survey is not None
        for images, labels, hashes in self.images.chunks(known, hashed=self.chosen is not None):
            if self.expected is not None:
                self.expected.check_range(images)
                self.expected = None
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
                f"The dataset X yielded pixels of dtype {images.dtype}, but {self.known.dtype} in "
                "the first pass. A stream must yield the same dtype in every pass."
            )
        return images.astype(self.known.dtype, copy=False)

    def _encode(self, labels: list[Any]) -> NDArray[np.int64]:
        try:
            return np.array([self.codes[label] for label in labels], np.int64)
        except KeyError as error:
            raise ValueError(
                f"The dataset X yielded the label {error.args[0]!r}, which was not in the first "
                "pass. A stream must yield the same images in every pass."
            ) from None


def _check_first(estimator: Any, X: Any, *, reset: bool) -> CheckedImages:
    return check_lazy_images(estimator, StreamedImages(X), reset=reset)


def _watch(estimator: Any) -> Any:
    """Return the function that shows the number of images read, if there is a progress bar."""
    return count_images if estimator.verbose >= 2 else iter


def is_share(split: Any) -> bool:
    """Whether ``train_split`` is a fraction of the images."""
    return split is not None and not callable(split)


def check_none(**given: Any) -> None:
    """Raise a ValueError if an argument that needs indices of samples is not None."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"X is a stream, whose images do not have indices, so {name} must be None. Labels "
                "come from its items (image, label), and class_weight can weight them."
            )


def check_parameters(estimator: Any, split: Any) -> None:
    """Raise a ValueError for parameters that need indices of images or all labels at once."""
    if isinstance(split, ValidSplit):
        raise ValueError(
            f"train_split={split!r} is not valid for a stream, whose images do not have indices. "
            "Set it to a fraction such as 0.2, predefined_split(valid) or None."
        )
    if is_share(split) and float(split) * N_BINS < 1:
        raise ValueError(
            f"train_split={split} is too small for a stream, which is split in steps of "
            f"1/{N_BINS} of each class. Use predefined_split(valid)."
        )
    listed = estimator.callbacks if isinstance(estimator.callbacks, list) else []
    callbacks = [callback[1] if isinstance(callback, tuple) else callback for callback in listed]
    scores = [callback for callback in callbacks if isinstance(callback, EpochScoring)]
    uncached = estimator.use_caching == "auto" and not all(score.use_caching for score in scores)
    if uncached or estimator.use_caching is False:
        raise ValueError(
            "X is a stream, which does not support use_caching=False, because scoring callbacks "
            "need the labels from the cache. Remove it."
        )
