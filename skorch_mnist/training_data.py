"""The data of a training: checked, encoded, and split into those to learn from and the others."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d
from torch.utils.data import Dataset, Subset

from skorch_mnist.batches import BatchReader, ImageDataset, innermost
from skorch_mnist.data_parallel import Processes
from skorch_mnist.net import ImageClassifierNet
from skorch_mnist.split import split_rows
from skorch_mnist.validation import (
    check_images,
    check_images_and_labels,
    check_pixel_range,
    check_weights,
)
from skorch_mnist.whole_epochs import SplitData

__all__ = ["CheckedData"]


class CheckedData(ImageClassifierNet):
    """A net that checks what it is given, before anything is initialized."""

    _random_state: np.random.RandomState
    class_weight: Any
    classes_inferred_: NDArray[Any]
    early_stopping: bool

    def _check_training_data(
        self, X: Any, y: Any, sample_weight: Any, classes: Any = None, *, known: bool
    ) -> ImageDataset:
        """Return the checked samples; learn classes and shape, or compare with those known."""
        images, image_shape, y = check_images_and_labels(self, X, y, reset=not known)
        announced = None if classes is None else np.unique(column_or_1d(classes))
        if known and announced is not None and not np.array_equal(announced, self.classes_):
            raise ValueError(
                f"classes={announced} are not those of the first call, {self.classes_}."
            )
        all_classes = self.classes_ if known else announced
        if all_classes is not None:
            self._check_labels(y, all_classes)
        images, y, weight = check_weights(sample_weight, self.class_weight, images, y, all_classes)
        self.classes_inferred_ = np.unique(y) if all_classes is None else all_classes
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes to tell apart; y has 1 class, "
                f"{self.classes_[0]}."
            )
        self.image_shape_ = image_shape
        return ImageDataset(images, y, self._encode(y), weight)

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
        codes = getattr(innermost(data.train), "codes", np.zeros(0, np.int64))
        digest = hashlib.sha256(codes.tobytes()).hexdigest()
        facts = self._seed, digest, self.classes_.tolist(), self.pixel_statistics_
        processes.check_agreement(
            facts,
            "The processes that train together have other images or labels, or another "
            "random_state: call fit with the same in all of them.",
        )

    def _split(self, dataset: ImageDataset) -> SplitData:
        """Set samples aside for validation, as ``train_split`` says."""
        if callable(self.train_split):
            parts = self.get_split_datasets(dataset, dataset.y)
            data = SplitData(parts.train, self._as_labelled_images(parts.valid))
        elif self.train_split is None:
            data = SplitData(dataset, None)
        else:
            train, valid = split_rows(dataset.codes, float(self.train_split), self._random_state)
            data = SplitData(
                Subset(dataset, train),  # type: ignore[arg-type]
                Subset(dataset, valid) if len(valid) else None,  # type: ignore[arg-type]
            )
        if self.early_stopping and data.valid is None:
            raise ValueError(
                "early_stopping=True needs validation samples: set train_split to a share such as "
                "0.2, pass more samples, or set early_stopping=False."
            )
        return data

    def _as_labelled_images(self, dataset: Dataset[Any] | None) -> Dataset[Any] | None:
        """Return a data set of the user's, such as ``predefined_split`` gives, in our form."""
        if dataset is None or BatchReader.reads(dataset):
            return dataset
        images, _, y = check_images_and_labels(self, dataset, None, reset=False)
        return ImageDataset(images, y, self._encode(y))

    def get_dataset(self, X: Any, y: Any = None) -> Dataset[Any]:
        """Return ``X`` as the data set that the iterator reads."""
        if BatchReader.reads(X):
            dataset: Dataset[Any] = X
            return dataset
        images = check_images(self, X)
        statistics = self.pixel_statistics_
        check_pixel_range(images, (statistics.low, statistics.high), statistics.mean)
        return ImageDataset(images)
