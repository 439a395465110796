"""What training and prediction ask of images, whether they are numbered or come in a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from skorch_mnist._inputs import ImageShape, InputFormat, PixelStatistics

__all__ = ["LabeledImages"]


class LabeledImages(Dataset[Any]):
    """The protocol of ``ImageDataset`` and ``ImageStream``.

    Training, prediction and checkpoints use these methods, and need not know which of the two they
    have.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    input_format : InputFormat
        What ``for_training`` has learned, for the estimator to keep.
    image_shape : tuple of (channels, height, width)
    X : array of shape (n_samples, channels, height, width) or None
    y : ndarray of shape (n_samples,) or None
        Images, and labels as the user gave them, for callbacks; None for a stream.
    """

    classes: NDArray[Any]
    input_format: InputFormat
    image_shape: ImageShape
    X: Any
    y: NDArray[Any] | None

    @classmethod
    def for_training(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: Any,
        *,
        known: NDArray[Any] | None,
        split: Any,
    ) -> Self:
        """Return checked samples to train on.

        Parameters
        ----------
        estimator, X, y :
            As in ``check_images_and_labels``. Of the parameters of ``estimator``, ``class_weight``
            counts, and for streams ``callbacks``, ``use_caching`` and ``verbose``.
        sample_weight : array-like of shape (n_samples,), number or None
        classes : array-like of shape (n_classes,) or None
            All classes, if the caller names them.
        known : ndarray of shape (n_classes,) or None
            All classes of an earlier call, with which images and labels are compared. None learns
            everything anew.
        split : float, callable or None
            How samples will be set aside for validation.

        Raises
        ------
        ValueError
            If the samples are not valid, or do not go together with a parameter.
        """
        raise NotImplementedError

    @classmethod
    def for_validation(cls, estimator: Any, X: Any) -> Self:
        """Return the images and labels of a dataset that the user has set aside."""
        raise NotImplementedError

    @classmethod
    def for_prediction(cls, estimator: Any, X: Any) -> Self:
        """Return images without labels; warn if they are on another scale than those of ``fit``."""
        raise NotImplementedError

    @classmethod
    def with_labels(cls, X: Any) -> tuple[Any, Any]:
        """Return ``X``, and a function that returns its labels once ``X`` has been read.

        Raises
        ------
        ValueError
            If it does not have labels.
        """
        raise NotImplementedError

    def split(
        self, fraction: float, random_state: np.random.RandomState
    ) -> tuple[Self, Self | None]:
        """Return the images to train on, and those for validation if any can be spared."""
        raise NotImplementedError

    def loader(self, arguments: Mapping[str, Any], device: torch.device) -> Any:
        """Return an iterable of batches, made with arguments of ``DataLoader``."""
        raise NotImplementedError

    def items(self, prefix: str) -> Any:
        """Return a dataset of single items, for a loader of the user under ``prefix``."""
        raise NotImplementedError

    def pixel_statistics(self) -> PixelStatistics:
        """Return the scale of the pixels of all images, weighted as the images are."""
        raise NotImplementedError

    def add_to(self, sha256: Any, known: set[int]) -> None:
        """Add these images to a hash; ``known`` names the sources that are in it already."""
        raise NotImplementedError
