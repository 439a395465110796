"""The scale of the pixels: learned from the training images, applied to every batch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["PixelMoments", "PixelStatistics", "pixel_statistics"]

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

    def rounded(self) -> list[str]:
        """Return texts that tell these numbers from others, but for the order of their sums."""
        return [f"{number:.9g}" for number in self]

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
    moments, total = PixelMoments(), np.zeros(3)
    for start in range(0, len(images), ROWS_PER_CHUNK):
        rows = slice(start, start + ROWS_PER_CHUNK)
        of_images = moments.of(images[rows])
        total += of_images.sum(axis=1) if weight is None else of_images @ weight[rows]
    return moments.statistics(total)


class PixelMoments:
    """Number, sum and squares of the pixels of images that come in chunks."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self.shift: float | None = None  # near the mean, so that the squares keep their digits

    def of(self, chunk: NDArray[Any]) -> NDArray[np.float64]:
        """Return the moments of each image of a chunk, shape (3, n_samples); note the range.

        Raises
        ------
        ValueError
            If a pixel is too large for float32.
        """
        chunk = chunk.reshape(len(chunk), -1)
        self.low = min(self.low, float(chunk.min()))
        self.high = max(self.high, float(chunk.max()))
        if max(abs(self.low), abs(self.high)) > LARGEST_FLOAT32:
            raise ValueError(
                f"X has pixels in {self.low:g}..{self.high:g}, too large for float32. Rescale X."
            )
        pixels = chunk.astype(np.float64)
        if self.shift is None:
            self.shift = float(pixels.mean())
        pixels -= self.shift
        n_pixels = np.full(len(pixels), pixels.shape[1])
        return np.stack([n_pixels, pixels.sum(axis=1), np.einsum("ij,ij->i", pixels, pixels)])

    def statistics(self, total: NDArray[np.float64]) -> PixelStatistics:
        """Return the scale of all images, of which ``total`` is the (weighted) sum of moments."""
        mean, mean_square = total[1:] / total[0]
        std = math.sqrt(max(mean_square - mean**2, 0.0)) if self.low < self.high else 0.0
        return PixelStatistics((self.shift or 0.0) + float(mean), std or 1.0, self.low, self.high)
