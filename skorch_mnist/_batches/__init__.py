"""Labeled images, and the batches that a network learns from."""

from ._augmentation import augmented
from ._batch import (
    KeptRows,
    first_output,
    image_of,
    shared_batches,
    weight_of,
    weighted_loss,
    with_images,
)
from ._image_dataset import ImageDataset, LabeledImages, dataset_class, fingerprint, own_form
from ._share import Share

__all__ = [
    "ImageDataset",
    "KeptRows",
    "LabeledImages",
    "Share",
    "augmented",
    "dataset_class",
    "fingerprint",
    "first_output",
    "image_of",
    "own_form",
    "shared_batches",
    "weight_of",
    "weighted_loss",
    "with_images",
]
