"""How images become batches: kept in their own dtype, one gather for each batch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import skorch.dataset
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset, Subset

__all__ = [
    "BatchLoader",
    "BatchReader",
    "ImageDataset",
    "KeptRows",
    "Share",
    "image_of",
    "innermost",
    "weight_of",
    "weighted_loss",
    "with_images",
]

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
            images = _tensor_of(self.X[read])
        codes = torch.from_numpy(self.codes[rows])
        if self.sample_weight is None:
            return images, codes
        weight = torch.from_numpy(self.sample_weight[rows])
        return {"image": images, "sample_weight": weight}, codes

    def moved_to(self, device: torch.device) -> ImageDataset:
        """Return the data set with its images on ``device``, if that is a CUDA GPU with room.

        They are moved once, however often this is asked. Images that are read lazily stay where
        they are.
        """
        if device.type != "cuda" or not isinstance(self.X, np.ndarray) or not len(self):
            return self
        if self._moved is None or self._moved.X.device != device:
            dtype = _tensor_of(self.X[:1].copy()).dtype
            free, _ = torch.cuda.mem_get_info(device)
            if self.X.size * dtype.itemsize > free * LARGEST_SHARE:
                return self
            images = torch.empty(self.X.shape, dtype=dtype, device=device)
            for start in range(0, len(self), ROWS_PER_TRANSFER):
                rows = slice(start, start + ROWS_PER_TRANSFER)
                images[rows] = _tensor_of(self.X[rows].copy()).to(device)
            self._moved = ImageDataset(images, self.y, self.codes, self.sample_weight)
        return self._moved


class BatchReader(Dataset[Any]):
    """An ``ImageDataset``, or a subset of one, of which a ``DataLoader`` fetches whole batches.

    A ``DataLoader`` hands all row numbers of a batch to ``__getitems__``, where there is one; its
    ``collate_fn`` has nothing left to do.
    """

    share: Share | None = None

    def __init__(self, dataset: ImageDataset | Subset[Any]) -> None:
        self.rows = np.arange(len(dataset))
        while isinstance(dataset, Subset):
            self.rows = np.asarray(dataset.indices)[self.rows]
            dataset = dataset.dataset  # type: ignore[assignment]
        self.dataset: ImageDataset = dataset

    @staticmethod
    def reads(dataset: Any) -> bool:
        """Whether ``dataset`` is made of an ``ImageDataset``."""
        return isinstance(innermost(dataset), ImageDataset)

    def moved_to(self, device: torch.device) -> BatchReader:
        """Return a reader of the same rows, with the images on ``device`` if they have room."""
        reader = copy.copy(self)
        reader.dataset = self.dataset.moved_to(device)
        return reader

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, numbers: Any) -> tuple[Any, torch.Tensor]:
        return self.dataset.take(self.rows[numbers], self.share)

    @staticmethod
    def collate(batch: Any) -> Any:
        """Return the batch as it is."""
        return batch


class BatchLoader:
    """Batches of a reader, one gather each: a ``DataLoader`` without workers, less its overhead.

    Parameters
    ----------
    reader : BatchReader
    batch_size : int
    shuffle : bool
        Whether each pass takes the images in a new order, drawn from ``generator``.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    generator : torch.Generator or None
        None draws from torch's global one.

    Raises
    ------
    ValueError
        If ``batch_size`` is no positive integer.
    """

    def __init__(
        self,
        reader: BatchReader,
        batch_size: Any,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if not isinstance(batch_size, Integral) or int(batch_size) < 1:
            raise ValueError(f"batch_size must be a positive integer; got {batch_size!r}.")
        self.reader = reader
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator

    def __len__(self) -> int:
        whole, rest = divmod(len(self.reader), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    def __iter__(self) -> Iterator[tuple[Any, torch.Tensor]]:
        order = np.arange(len(self.reader))
        if self.shuffle:
            # As DataLoader and RandomSampler draw: first a seed for workers, then the order.
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
            order = torch.randperm(len(order), generator=self.generator).numpy()
            torch.randperm(len(order), generator=self.generator)  # a sampler's for no rows more
        labels = KeptRows(len(order))
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            images, codes = self.reader.__getitems__(order[start : start + self.batch_size])
            yield images, labels.keep(codes)


class KeptRows:
    """Small tensors of many batches in one block of memory.

    Losses are kept until an epoch ends, and so are the outputs and labels that a callback scores.
    As tensors of their own, small ones among large ones that come and go, they leave holes that fit
    no large one: the process grows by hundreds of megabytes.

    Parameters
    ----------
    n_rows : int
        How many rows will come.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.start = 0
        self.block: torch.Tensor | None = None

    def keep(self, rows: Any) -> Any:
        """Return a copy of a tensor's rows, in the block; other outputs as they are."""
        if not isinstance(rows, torch.Tensor):
            return rows
        if self.block is None:
            self.block = rows.new_empty((self.n_rows, *rows.shape[1:]))
        part = self.block[self.start : self.start + len(rows)]
        self.start += len(rows)
        return part.copy_(rows)


def innermost(dataset: Any) -> Any:
    """Return what the subsets are taken from."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def _tensor_of(pixels: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor, in float32 where torch has not its dtype."""
    if pixels.dtype.char not in TORCH_DTYPES or not pixels.dtype.isnative:
        pixels = pixels.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels))


def image_of(x: Any) -> torch.Tensor:
    """Return the images of a batch, with or without weights."""
    image: torch.Tensor = x["image"] if isinstance(x, Mapping) else x
    return image


def with_images(x: Any, images: torch.Tensor) -> Any:
    """Return the batch ``x`` with other images, and the weights that it has."""
    return {**x, "image": images} if isinstance(x, Mapping) else images


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
