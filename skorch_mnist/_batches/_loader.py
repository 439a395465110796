"""How images become batches: one gather for each, and what a batch holds."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, Subset

from ._image_dataset import ImageDataset, Share, innermost

__all__ = [
    "BatchLoader",
    "BatchReader",
    "KeptRows",
    "check_batch_size",
    "image_of",
    "number_of_batches",
    "weight_of",
    "weighted_loss",
    "with_images",
]


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
        self.reader = reader
        self.n_rows = len(reader)
        self.batch_size = check_batch_size(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator

    def __len__(self) -> int:
        return number_of_batches(self.n_rows, self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[tuple[Any, torch.Tensor]]:
        order = np.arange(self.n_rows)
        if self.shuffle:
            # As DataLoader and RandomSampler draw: first a seed for workers, then the order.
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
            order = torch.randperm(len(order), generator=self.generator).numpy()
            torch.randperm(len(order), generator=self.generator)  # a sampler's for no rows more
        labels = KeptRows(len(order))
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            images, codes = self.reader.__getitems__(order[start : start + self.batch_size])
            yield images, labels.keep(codes)


def check_batch_size(batch_size: Any) -> int:
    """Return a size as an int; raise a ValueError if it is no positive integer."""
    if not isinstance(batch_size, Integral) or int(batch_size) < 1:
        raise ValueError(f"batch_size must be a positive integer; got {batch_size!r}.")
    return int(batch_size)


def number_of_batches(n_rows: int, batch_size: int, drop_last: bool) -> int:
    """Return how many batches so many rows make; the last may not be full."""
    whole, rest = divmod(n_rows, batch_size)
    return whole if drop_last or not rest else whole + 1


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
