"""The data of a training: checked, encoded, and split into those to learn from and the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from torch.utils.data import Dataset

from skorch_mnist._batches import N_BINS, BatchReader, ImageDataset, ImageStream, innermost
from skorch_mnist._inputs import (
    Chunk,
    StreamedImages,
    StreamSurvey,
    check_images,
    check_images_and_labels,
    check_pixel_range,
    check_stream,
    check_weights,
    is_stream,
    weights_of_labels,
)
from skorch_mnist._net import ImageClassifierNet
from skorch_mnist._processes import Processes
from skorch_mnist._progress import count_images
from skorch_mnist.whole_epochs import SplitData

__all__ = ["CheckedData"]


class CheckedData(ImageClassifierNet):
    """A net that checks what it is given, before anything is initialized."""

    _random_state: np.random.RandomState
    callbacks: Any
    class_weight: Any
    classes_inferred_: NDArray[Any]
    early_stopping: bool
    use_caching: Any

    def _check_training_data(
        self, X: Any, y: Any, sample_weight: Any, classes: Any = None, *, known: bool, split: Any
    ) -> ImageDataset | ImageStream:
        """Return the checked samples; learn classes and shape, or compare with those known.

        ``split`` is what will set some of them aside, ``train_split`` or None.
        """
        if is_stream(X):
            self._check_parameters_for_streams(split)
            images, image_shape = check_stream(self, X, y, sample_weight, reset=not known)
            all_classes = self._announced(classes, known)
            stream = self._survey(images, all_classes, N_BINS if is_share(split) else 1)
            self.image_shape_ = image_shape
            return stream
        images, image_shape, y = check_images_and_labels(self, X, y, reset=not known)
        all_classes = self._announced(classes, known)
        if all_classes is not None:
            self._check_labels(y, all_classes)
        images, y, weight = check_weights(sample_weight, self.class_weight, images, y, all_classes)
        self._learn_classes(y, all_classes)
        self.image_shape_ = image_shape
        return ImageDataset(images, y, self._encode(y), weight)

    def _survey(
        self, images: StreamedImages, all_classes: NDArray[Any] | None, n_bins: int
    ) -> ImageStream:
        """Go through a stream once, and learn what arrays show at once."""
        survey = StreamSurvey(images, n_bins, self._watch)
        labels = survey.labels
        if all_classes is not None:
            self._check_labels(labels, all_classes)
        weights = None
        if self.class_weight is not None:
            counts = survey.counts.sum(axis=1)
            classes = labels if all_classes is None else all_classes
            of_label = weights_of_labels(self.class_weight, labels, counts, classes)
            weights = np.zeros(len(classes), np.float32)
            weights[np.searchsorted(classes, labels)] = of_label / of_label.max()
        self._learn_classes(labels, all_classes)
        return ImageStream(images, survey, self.classes_, weights)

    def _watch(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Show how many images have been read, if the bar of the training will be shown."""
        return count_images(chunks) if self.verbose >= 2 else chunks

    def _check_parameters_for_streams(self, split: Any) -> None:
        """Raise a ValueError for parameters that ask for images, or all labels, by number."""
        if isinstance(split, ValidSplit):
            raise ValueError(
                f"train_split={split!r} takes images by number, which a stream has "
                "not. Set a share such as 0.2, predefined_split(valid), or None."
            )
        if is_share(split) and float(split) * N_BINS < 1:
            raise ValueError(
                f"train_split={split} is too small for a stream, of which a share is "
                f"taken in steps of 1/{N_BINS} of each class. Use predefined_split(valid)."
            )
        listed = self.callbacks if isinstance(self.callbacks, list) else []
        own = [callback[1] if isinstance(callback, tuple) else callback for callback in listed]
        scores = [callback for callback in own if isinstance(callback, EpochScoring)]
        asked = self.use_caching == "auto" and not all(score.use_caching for score in scores)
        if asked or self.use_caching is False:
            raise ValueError(
                "X is a stream, whose labels come with its batches: scores cannot do without them. "
                "Leave use_caching=False out."
            )

    def _announced(self, classes: Any, known: bool) -> NDArray[Any] | None:
        """Return all classes, where they are known before the labels are."""
        announced = None if classes is None else np.unique(column_or_1d(classes))
        if known and announced is not None and not np.array_equal(announced, self.classes_):
            raise ValueError(
                f"classes={announced} are not those of the first call, {self.classes_}."
            )
        return self.classes_ if known else announced

    def _learn_classes(self, y: NDArray[Any], all_classes: NDArray[Any] | None) -> None:
        self.classes_inferred_ = np.unique(y) if all_classes is None else all_classes
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes to tell apart; y has 1 class, "
                f"{self.classes_[0]}."
            )

    @staticmethod
    def _check_labels(y: NDArray[Any], classes: NDArray[Any]) -> None:
        """Raise a ValueError for labels that are not among ``classes``."""
        strangers = np.setdiff1d(y, classes)
        if len(strangers):
            raise ValueError(f"y has labels {strangers} that are not among classes {classes}.")

    def _encode(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the index of each label in ``classes_``."""
        self._check_labels(y, self.classes_)
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _check_processes_agree(self, processes: Processes, data: SplitData) -> None:
        """Raise a ValueError, in all processes that train together, if they have other data."""
        source = innermost(data.train)
        if isinstance(source, ImageStream):
            digest = source.digest
        else:
            codes = getattr(source, "codes", np.zeros(0, np.int64))
            digest = hashlib.sha256(codes.tobytes()).hexdigest()
        facts = self._seed, digest, self.classes_.tolist(), self.pixel_statistics_.rounded()
        processes.check_agreement(
            facts,
            "The processes that train together have other images or labels, or another "
            "random_state: call fit with the same in all of them.",
        )

    def _split(self, dataset: ImageDataset | ImageStream) -> SplitData:
        """Set samples aside for validation, as ``train_split`` says."""
        if callable(self.train_split):
            parts = self.get_split_datasets(dataset, getattr(dataset, "y", None))
            data = SplitData(parts.train, self._as_labelled_images(parts.valid))
        elif self.train_split is None:
            data = SplitData(dataset, None)
        else:
            data = SplitData(*dataset.split(float(self.train_split), self._random_state))
        if self.early_stopping and data.valid is None:
            raise ValueError(
                "early_stopping=True needs validation samples: set train_split to a share such as "
                "0.2, pass more samples, or set early_stopping=False."
            )
        return data

    def _as_labelled_images(self, dataset: Dataset[Any] | None) -> Dataset[Any] | None:
        """Return a data set of the user's, such as ``predefined_split`` gives, in our form."""
        if dataset is None or BatchReader.reads(dataset) or isinstance(dataset, ImageStream):
            return dataset
        if is_stream(dataset):
            streamed, _ = check_stream(self, dataset, reset=False)
            self._check_pixel_range(streamed)
            survey = StreamSurvey(streamed, watch=self._watch)
            self._check_labels(survey.labels, self.classes_)
            return ImageStream(streamed, survey, self.classes_)
        images, _, y = check_images_and_labels(self, dataset, None, reset=False)
        self._check_pixel_range(images)
        return ImageDataset(images, y, self._encode(y))

    def get_dataset(self, X: Any, y: Any = None) -> Dataset[Any]:
        """Return ``X`` as the data set that the iterator reads."""
        if BatchReader.reads(X) or isinstance(X, ImageStream):
            dataset: Dataset[Any] = X
            return dataset
        if is_stream(X):
            streamed, _ = check_stream(self, X, reset=False)
            self._check_pixel_range(streamed)
            return ImageStream(streamed)
        images = check_images(self, X)
        self._check_pixel_range(images)
        return ImageDataset(images)

    def _check_pixel_range(self, images: Any) -> None:
        """Warn where images are on another scale than those that were trained on."""
        statistics = self.pixel_statistics_
        check_pixel_range(images, (statistics.low, statistics.high), statistics.mean)


def is_share(split: Any) -> bool:
    """Whether ``train_split`` is the share of the images that is kept for validation."""
    return split is not None and not callable(split)
