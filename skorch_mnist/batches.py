"""How images become batches on the device: one gather per batch, scaled there."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import skorch.dataset
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset, Subset

__all__ = [
    "BatchReader",
    "ImageDataset",
    "PixelStatistics",
    "image_of",
    "pixel_statistics",
    "weight_of",
    "weighted_loss",
]

ROWS_PER_CHUNK = 2048  # 13 MB of doubles for 28x28 images
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
TORCH_DTYPES = frozenset("?bBhief")  # others become float32 before they are moved


class ImageDataset(skorch.dataset.Dataset):
    """Canonical images with the user's labels, and the codes that the criterion sees.

    Parameters
    ----------
    X : array of shape (n_samples, channels, height, width), any real dtype
        An ndarray, or something indexed by rows like one.
    y : ndarray of shape (n_samples,) or None
        Labels as the user gave them.
    codes : ndarray of shape (n_samples,), int64, or None
        Index of each label in ``classes_``.
    sample_weight : ndarray of shape (n_samples,), float32, or None
        Positive weights. Where given, ``X`` of a batch is a dict of ``image`` and
        ``sample_weight``.
    """

    def __init__(
        self,
        X: Any,
        y: NDArray[Any] | None = None,
        codes: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(X, y, length=len(X))
        self.codes = np.zeros(len(X), dtype=np.int64) if codes is None else codes
        self.sample_weight = sample_weight

    def __getitem__(self, row: int) -> tuple[Any, torch.Tensor]:
        images, codes = self.take(np.array([row]))
        if isinstance(images, dict):
            return {key: value[0] for key, value in images.items()}, codes[0]
        return images[0], codes[0]

    def take(self, rows: NDArray[np.integer]) -> tuple[Any, torch.Tensor]:
        """Gather the batch of ``rows``: images, in their dtype where torch has it, and codes."""
        pixels = self.X[rows]
        if pixels.dtype.char not in TORCH_DTYPES or not pixels.dtype.isnative:
            pixels = pixels.astype(np.float32)
        images = torch.from_numpy(np.ascontiguousarray(pixels))
        codes = torch.from_numpy(self.codes[rows])
        if self.sample_weight is None:
            return images, codes
        weight = torch.from_numpy(self.sample_weight[rows])
        return {"image": images, "sample_weight": weight}, codes


class BatchReader(Dataset[Any]):
    """An ``ImageDataset``, or a subset of one, of which a ``DataLoader`` fetches whole batches.

    A ``DataLoader`` hands all row numbers of a batch to ``__getitems__``, where there is one; its
    ``collate_fn`` has nothing left to do.
    """

    def __init__(self, dataset: ImageDataset | Subset[Any]) -> None:
        self.rows = np.arange(len(dataset))
        while isinstance(dataset, Subset):
            self.rows = np.asarray(dataset.indices)[self.rows]
            dataset = dataset.dataset  # type: ignore[assignment]
        self.dataset: ImageDataset = dataset

    @staticmethod
    def reads(dataset: Any) -> bool:
        """Whether ``dataset`` is made of an ``ImageDataset``."""
        while isinstance(dataset, Subset):
            dataset = dataset.dataset
        return isinstance(dataset, ImageDataset)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, numbers: list[int]) -> tuple[Any, torch.Tensor]:
        return self.dataset.take(self.rows[numbers])

    @staticmethod
    def collate(batch: Any) -> Any:
        """Return the batch as it is."""
        return batch


def image_of(x: Any) -> torch.Tensor:
    """Return the images of a batch, with or without weights."""
    image: torch.Tensor = x["image"] if isinstance(x, Mapping) else x
    return image


def weight_of(x: Any) -> torch.Tensor | None:
    """Return the weights of a batch, None where it has none."""
    return x["sample_weight"] if isinstance(x, Mapping) else None


def weighted_loss(
    criterion: nn.Module, logits: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return the weighted mean of the loss of each sample; equal weights give the plain mean.

    Raises
    ------
    ValueError
        If ``criterion`` does not give a loss of each sample where its reduction is "none".
    """
    single = copy.copy(criterion)
    single.reduction = "none"  # type: ignore[assignment]
    losses: torch.Tensor = single(logits, codes)
    if losses.shape != weight.shape:
        raise ValueError(
            f"{type(criterion).__name__} with reduction='none' gives losses of shape "
            f"{tuple(losses.shape)} for {len(weight)} samples: it cannot be weighted. Use another "
            "criterion, or neither sample_weight nor class_weight."
        )
    weights_of_classes = getattr(criterion, "weight", None)
    total = weight if weights_of_classes is None else weight * weights_of_classes[codes]
    smallest = torch.finfo(weight.dtype).tiny  # a batch may hold classes of weight 0 only
    return (losses * weight).sum() / total.sum().clamp_min(smallest)


class PixelStatistics(NamedTuple):
    """Scale of the training images: all pixels of all images together."""

    mean: float
    std: float  # 1 where all pixels are equal
    low: float
    high: float

    def standardize(self, images: torch.Tensor, channels_last: bool = False) -> torch.Tensor:
        """Return ``images`` as float32 of mean 0 and standard deviation 1."""
        layout = torch.channels_last if channels_last else torch.preserve_format
        images = images.to(torch.float32, memory_format=layout)
        return (images - self.mean) / self.std


def pixel_statistics(images: Any, weight: NDArray[np.float32] | None = None) -> PixelStatistics:
    """Mean, standard deviation and range of ``images``, chunk by chunk in double precision.

    Parameters
    ----------
    images : array of shape (n_samples, ...), any real dtype
    weight : ndarray of shape (n_samples,) or None
        How much each image counts for mean and standard deviation.

    Raises
    ------
    ValueError
        If a pixel is too large for float32.
    """
    moments = np.zeros(3)  # sums of weight, of pixels and of squares
    low, high = np.inf, -np.inf
    shift = 0.0  # near the mean, so that the squares keep their digits
    for start in range(0, len(images), ROWS_PER_CHUNK):
        rows = slice(start, start + ROWS_PER_CHUNK)
        chunk = images[rows].reshape(-1, math.prod(images.shape[1:]))
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        if max(abs(low), abs(high)) > LARGEST_FLOAT32:
            raise ValueError(
                f"X has pixels in {low:g}..{high:g}, too large for float32. Rescale X."
            )
        pixels = chunk.astype(np.float64)
        if start == 0:
            shift = float(pixels.mean())
        pixels -= shift
        of_image = np.stack(
            [
                np.full(len(pixels), pixels.shape[1]),
                pixels.sum(axis=1),
                np.einsum("ij,ij->i", pixels, pixels),
            ]
        )
        moments += of_image.sum(axis=1) if weight is None else of_image @ weight[rows]
    mean, mean_square = moments[1:] / moments[0]
    std = math.sqrt(max(mean_square - mean**2, 0.0)) if low < high else 0.0
    return PixelStatistics(shift + float(mean), std or 1.0, low, high)
