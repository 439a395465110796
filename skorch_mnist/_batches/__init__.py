"""How images become the batches that a network learns from."""

from ._augmentation import random_affine
from ._image_dataset import ImageDataset, Share, innermost
from ._image_stream import ImageStream
from ._loader import (
    BatchLoader,
    BatchReader,
    KeptRows,
    image_of,
    weight_of,
    weighted_loss,
    with_images,
)
from ._split import N_BINS
from ._stream_loader import StreamLoader

__all__ = [
    "N_BINS",
    "BatchLoader",
    "BatchReader",
    "ImageDataset",
    "ImageStream",
    "KeptRows",
    "Share",
    "StreamLoader",
    "image_of",
    "innermost",
    "random_affine",
    "weight_of",
    "weighted_loss",
    "with_images",
]
