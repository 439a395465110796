"""Pixels as arrays, and their scale, which ``fit`` learns and every batch is brought to."""

from __future__ import annotations

import math
import warnings
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

ROWS_PER_CHUNK = 2048  # 13 MB of doubles for 28x28 images
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)
OTHER_SCALE = 8  # a factor that tells 0..1, 0..16 and 0..255 apart

# Thresholds for inverted images. In these units, ten images of one class of MNIST are within 0.06
# of 0, and the ten boldest images of all are at 0.3.
MANY_IMAGES = 10
CLEARLY_SKEWED = 0.4  # share of the range between the mean of images and that of inverted ones
CLEARLY_INVERTED = 0.6  # share of the way between the two


def as_array(value: Any) -> Any:
    """Convert to an array, except for data frames and sparse arrays, which scikit-learn checks."""
    of_polars_or_arrow = hasattr(type(value), "columns") and hasattr(type(value), "shape")
    if value is None or of_polars_or_arrow or hasattr(value, "iloc") or hasattr(value, "toarray"):
        return value
    return to_array(value)


def to_array(value: Any) -> NDArray[Any]:
    """Return a tensor, image or sequence as an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return np.asarray(value.float() if value.dtype == torch.bfloat16 else value)
    return np.asarray(value)


def refuse_unread_images(X: Any) -> None:
    """Raise a ValueError for paths, and for a lazy frame of polars."""
    first = X.flat[0] if isinstance(X, np.ndarray) and X.ndim < 2 and X.size else None
    if isinstance(first, (str, PathLike)):
        what = "contains paths, such as" if X.ndim else "is the path"
        raise ValueError(
            f"X {what} {str(first)!r}, but must contain images. Read a dataset with "
            "skorch_mnist.load_images, a picture with skorch_mnist.read_digits, or a list of "
            "pictures with DigitPreprocessor."
        )
    if hasattr(first, "collect_schema"):
        raise ValueError(f"X is a {type(first).__name__}, which has no values. Pass X.collect().")


class PixelStatistics(NamedTuple):
    """The scale of the training images, computed over all pixels of all images."""

    mean: float
    std: float  # 1 if all pixels are equal
    low: float
    high: float

    def are_possible(self) -> bool:
        """Whether these numbers can be the result of ``fit``."""
        fit_into_float32 = all(
            type(number) is float and abs(number) <= LARGEST_FLOAT32 for number in self
        )
        return fit_into_float32 and self.std >= SMALLEST_FLOAT32 and self.low <= self.high

    def are_mostly_bright(self) -> bool:
        """Whether the images are mostly bright, as dark digits on a white background are."""
        return 2 * self.mean - self.low - self.high >= CLEARLY_SKEWED * (self.high - self.low) > 0

    def rounded(self) -> list[str]:
        """Return strings that identify these numbers, up to rounding errors."""
        return [f"{number:.9g}" for number in self]

    def standardize(self, images: torch.Tensor, channels_last: bool = False) -> torch.Tensor:
        """Return ``images`` as float32, scaled to mean 0 and standard deviation 1."""
        layout = torch.channels_last if channels_last else torch.preserve_format
        images = images.to(torch.float32, memory_format=layout)
        return (images - self.mean).div_(self.std)

    def check_range(self, images: Any) -> None:
        """Warn if the scale of images differs from that in ``fit``, or if they are inverted.

        Parameters
        ----------
        images : ndarray of shape (n_samples, ...), or lazy images with an attribute ``first``
        """
        self._check_scale(getattr(images, "first", images))
        if hasattr(images, "__len__") and len(images) >= MANY_IMAGES:  # not a stream
            self._check_inversion(images[:: math.ceil(len(images) / (2 * MANY_IMAGES))])

    def _check_scale(self, images: NDArray[Any]) -> None:
        """Warn if the scale of images differs from that in ``fit``.

        Both the brightest pixel and the mean must be far off, because images can be faint, and
        feature scalers can produce a few extreme pixels. Data with negative values is standardized,
        so its extremes are not informative. Of images that are read lazily, only the first is used.
        """
        if self.low < 0 or images.size == 0:
            return
        brightest = float(images.max())
        brighter = brightest > self.high * OTHER_SCALE
        fainter = 0 < brightest < self.high / OTHER_SCALE
        if not brighter and not fainter:
            return
        mean = float(images.mean(dtype=np.float64))
        if mean > self.mean * OTHER_SCALE if brighter else 0 < mean < self.mean / OTHER_SCALE:
            warnings.warn(
                f"The brightest pixel of X is {brightest:g}, but the classifier was fitted on "
                f"pixels from {self.low:g} to {self.high:g}: predictions will be poor. Rescale X "
                "to the range of the training images.",
                UserWarning,
                stacklevel=2,
            )

    def _check_inversion(self, images: NDArray[Any]) -> None:
        """Warn if the mean of images is near that of inverted training images.

        Only training images that are mostly dark or mostly bright allow this check. Images far
        outside of their range have another scale.
        """
        span, skew = self.high - self.low, self.low + self.high - 2 * self.mean
        lowest, brightest = float(images.min()), float(images.max())
        known = self.low - span / 4 <= lowest and brightest <= self.high + span / 4
        if not known or abs(skew) < CLEARLY_SKEWED * span or not span:
            return
        mean = float(images.mean(dtype=np.float64))
        if (mean - self.mean) / skew > CLEARLY_INVERTED:
            warnings.warn(
                f"The mean of the pixels in X is {mean:g}, but the classifier was fitted on pixels "
                f"from {self.low:g} to {self.high:g} with a mean of {self.mean:g}: X looks "
                f"inverted, and predictions will be poor. If it is inverted, pass "
                f"{self.low + self.high:g} - X.",
                UserWarning,
                stacklevel=2,
            )


def pixel_statistics(images: Any, weight: NDArray[np.float32] | None = None) -> PixelStatistics:
    """Return mean, standard deviation and range of ``images``, computed in double precision.

    Parameters
    ----------
    images : array of shape (n_samples, ...), any real dtype
    weight : ndarray of shape (n_samples,) or None
        Weight of each image in mean and standard deviation.

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
    """Number, sum and sum of squares of the pixels of images, computed chunk by chunk."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self.shift: float | None = None  # near the mean, so that the squares keep their precision

    def of(self, chunk: NDArray[Any]) -> NDArray[np.float64]:
        """Return the moments of each image in a chunk, shape (3, n_samples); update the range.

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
                f"X has pixels from {self.low:g} to {self.high:g}, which are too large for "
                "float32. Rescale X."
            )
        pixels = chunk.astype(np.float64)
        if self.shift is None:
            self.shift = float(pixels.mean())
        pixels -= self.shift
        n_pixels = np.full(len(pixels), pixels.shape[1])
        return np.stack([n_pixels, pixels.sum(axis=1), np.einsum("ij,ij->i", pixels, pixels)])

    def statistics(self, total: NDArray[np.float64]) -> PixelStatistics:
        """Return the scale of all images from the (weighted) sum of their moments, shape (3,)."""
        mean, mean_square = total[1:] / total[0]
        std = math.sqrt(max(mean_square - mean**2, 0.0)) if self.low < self.high else 0.0
        return PixelStatistics((self.shift or 0.0) + float(mean), std or 1.0, self.low, self.high)
