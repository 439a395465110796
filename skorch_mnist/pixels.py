"""The scale of the pixels: learned from the training images, applied to every batch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["PixelStatistics", "pixel_statistics"]

ROWS_PER_CHUNK = 2048  # 13 MB of doubles for 28x28 images
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)


class PixelStatistics(NamedTuple):
    """Scale of the training images: all pixels of all images together."""

    mean: float
    std: float  # 1 where all pixels are equal
    low: float
    high: float

    def are_possible(self) -> bool:
        """Whether ``fit`` may have found these numbers."""
        fit_into_float32 = all(
            type(number) is float and abs(number) <= LARGEST_FLOAT32 for number in self
        )
        return fit_into_float32 and self.std >= SMALLEST_FLOAT32 and self.low <= self.high

    def standardize(self, images: torch.Tensor, channels_last: bool = False) -> torch.Tensor:
        """Return ``images`` as float32 of mean 0 and standard deviation 1."""
        layout = torch.channels_last if channels_last else torch.preserve_format
        images = images.to(torch.float32, memory_format=layout)
        return (images - self.mean).div_(self.std)


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
