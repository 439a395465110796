"""The images of a training with their labels, codes and weights, each with a number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import skorch.dataset
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Subset

from skorch_mnist._inputs import PixelStatistics, pixel_statistics

from ._split import split_rows

__all__ = ["ImageDataset", "Share", "innermost", "tensor_of"]

LARGEST_SHARE = 0.5  # of the free memory of a GPU that the images may take
ROWS_PER_TRANSFER = 8192
TORCH_DTYPES = frozenset("?bBhief")  # others become float32 before they are moved


class Share(NamedTuple):
    """The part of each batch that a process takes: neighbouring rows, as many as the others'."""

    rank: int
    n_processes: int

    def sizes(self, n_rows: int) -> list[int]:
        """Return how many of ``n_rows`` each process takes."""
        each, rest = divmod(n_rows, self.n_processes)
        return [each + (rank < rest) for rank in range(self.n_processes)]

    def rows(self, n_rows: int) -> slice:
        """Return the rows to read: the first where none is left, since a network needs an image."""
        sizes = self.sizes(n_rows)
        start = sum(sizes[: self.rank]) if sizes[self.rank] else 0
        return slice(start, start + max(1, sizes[self.rank]))


class ImageDataset(skorch.dataset.Dataset):
    """Canonical images with the user's labels, and the codes that the criterion sees.

    Parameters
    ----------
    X : array of shape (n_samples, channels, height, width), any real dtype
        An ndarray, something indexed by rows like one, or a tensor on a device.
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
        self._moved: ImageDataset | None = None

    def __getitem__(self, row: int) -> tuple[Any, torch.Tensor]:
        images, codes = self.take(np.array([row]))
        if isinstance(images, dict):
            return {key: value[0] for key, value in images.items()}, codes[0]
        return images[0], codes[0]

    def take(
        self, rows: NDArray[np.integer], share: Share | None = None
    ) -> tuple[Any, torch.Tensor]:
        """Gather the batch of ``rows``: images, in their dtype where torch has it, and codes.

        With ``share``, the images are those of this process, the codes and weights all.
        """
        read = rows if share is None else rows[share.rows(len(rows))]
        if isinstance(self.X, torch.Tensor):
            images = self.X[torch.from_numpy(read).to(self.X.device)]
        else:
            images = tensor_of(self.X[read])
        codes = torch.from_numpy(self.codes[rows])
        if self.sample_weight is None:
            return images, codes
        weight = torch.from_numpy(self.sample_weight[rows])
        return {"image": images, "sample_weight": weight}, codes

    def pixel_statistics(self) -> PixelStatistics:
        """Return the scale of the pixels of all images, weighted as they are."""
        return pixel_statistics(self.X, self.sample_weight)

    def split(
        self, fraction: float, random_state: np.random.RandomState
    ) -> tuple[Dataset[Any], Dataset[Any] | None]:
        """Return the images to train on and those for validation, drawn from each class alike."""
        rows: Any = split_rows(self.codes, fraction, random_state)
        whole: Any = self
        train, valid = (Subset(whole, part) for part in rows)
        return train, valid if len(valid) else None

    def moved_to(self, device: torch.device) -> ImageDataset:
        """Return the data set with its images on ``device``, if that is a CUDA GPU with room.

        They are moved once, however often this is asked. Images that are read lazily stay where
        they are.
        """
        if device.type != "cuda" or not isinstance(self.X, np.ndarray) or not len(self):
            return self
        if self._moved is None or self._moved.X.device != device:
            dtype = tensor_of(self.X[:1].copy()).dtype
            free, _ = torch.cuda.mem_get_info(device)
            if self.X.size * dtype.itemsize > free * LARGEST_SHARE:
                return self
            images = torch.empty(self.X.shape, dtype=dtype, device=device)
            for start in range(0, len(self), ROWS_PER_TRANSFER):
                rows = slice(start, start + ROWS_PER_TRANSFER)
                images[rows] = tensor_of(self.X[rows].copy()).to(device)
            self._moved = ImageDataset(images, self.y, self.codes, self.sample_weight)
        return self._moved


def innermost(dataset: Any) -> Any:
    """Return what the subsets are taken from."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def tensor_of(pixels: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor, in float32 where torch has not its dtype."""
    if pixels.dtype.char not in TORCH_DTYPES or not pixels.dtype.isnative:
        pixels = pixels.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels))
