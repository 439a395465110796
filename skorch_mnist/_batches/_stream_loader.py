"""The loader of a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from skorch_mnist._inputs._streams import IMAGES_PER_CHUNK

from ._batch import as_it_is, check_batch_size, number_of_batches

# Limits of the buffer for shuffling.
SHUFFLED_IMAGES = 2**14
SHUFFLED_BYTES = 2**26

Rows = tuple[torch.Tensor, torch.Tensor]  # images and codes


class StreamLoader:
    """Loader of a stream.

    Parameters
    ----------
    stream : ImageStream
    batch_size : int
        -1 puts all images into one batch.
    shuffle : bool
        Whether to draw images from a buffer of up to 16,384 images, or 64 MB.
    drop_last : bool
        Whether to drop the last batch if it is incomplete.
    generator : torch.Generator or None
        If None, the global generator is used.
    **others : object
        More arguments of ``DataLoader``, such as ``num_workers``.

    Raises
    ------
    ValueError
        If ``batch_size`` is not valid, or if a pass yields other images than the first pass.
    """

    def __init__(
        self,
        stream: Any,
        batch_size: Any,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
        **others: Any,
    ) -> None:
        self.n_rows = None if stream.survey is None else len(stream)
        everything = sys.maxsize if self.n_rows is None else self.n_rows
        self.batch_size = everything if batch_size == -1 else check_batch_size(batch_size)
        self.stream = stream
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.n_workers = others.get("num_workers", 0)
        self._chunks = DataLoader(
            stream,
            batch_size=None,
            collate_fn=as_it_is,
            generator=generator,
            **others,
        )

    def __len__(self) -> int:
        n_rows = len(self.stream) if self.n_rows is None else self.n_rows  # schedules ask often
        return number_of_batches(n_rows, self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[tuple[Any, torch.Tensor]]:
        chunks = self._compared_pass() if self.stream.survey is not None else self._pass()
        if self.shuffle:
            chunks = shuffled(chunks, self.generator)
        weights = None if self.stream.weights is None else torch.from_numpy(self.stream.weights)
        for images, codes in in_batches(chunks, self.batch_size):
            if self.drop_last and len(codes) < self.batch_size:
                return
            X = images if weights is None else {"image": images, "sample_weight": weights[codes]}
            yield X, codes

    def _pass(self) -> Iterator[Rows]:
        """Yield the chunks of a stream that has not been read before."""
        for images, codes, _ in self._chunks:
            yield images, codes

    def _compared_pass(self) -> Iterator[Rows]:
        """Yield chunks; raise a ValueError if they differ from those of the first pass."""
        n_whole, n, hash_sum = len(self.stream), 0, 0
        counts = np.zeros(self.stream.rows[-1] + 1, np.int64)
        for images, codes, hashed in self._chunks:
            n += len(codes)
            counts += np.bincount(codes.numpy(), minlength=len(counts))
            hash_sum = (hash_sum + hashed) % 2**64
            if n > n_whole:
                self._refuse("more")
            yield images, codes
        if n < n_whole:
            self._refuse(str(n))
        if (counts[self.stream.rows] != self.stream.counts).any():
            self._refuse("as many with other labels")
        if hash_sum != self.stream.hash_sum:
            self._refuse("as many with other pixels")

    def _refuse(self, got: str) -> None:
        name = type(self.stream.images.dataset).__name__
        if self.n_workers > 1 and got == "more":
            remedy = (
                f"With several workers, __iter__ of {name} must yield a different share in each "
                "worker. See torch.utils.data.get_worker_info, or remove num_workers."
            )
        else:
            remedy = f"__iter__ of {name} must start over and yield the same images in every pass."
            if self.stream.chosen is not None and got != "0":
                remedy += (
                    " Images for validation are recognized by their pixels. Set augment instead of "
                    "changing images in the dataset, or set train_split to None or "
                    "predefined_split(valid)."
                )
        part = "" if self.stream.chosen is None else " of this part"
        raise ValueError(
            f"The dataset X yielded {self.n_rows} images{part} in the first pass, but now {got}. "
            f"{remedy}"
        )


def in_batches(chunks: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Yield batches of ``size`` from chunks; the last one has the remaining images."""
    waiting: list[Rows] = []
    n_waiting = 0
    for chunk in chunks:
        waiting.append(chunk)
        n_waiting += len(chunk[1])
        if n_waiting >= size:
            images, codes = together(waiting)
            n_whole = n_waiting - n_waiting % size
            for start in range(0, n_whole, size):
                yield images[start : start + size], codes[start : start + size]
            waiting, n_waiting = [(images[n_whole:], codes[n_whole:])], n_waiting - n_whole
    if n_waiting:
        yield together(waiting)


def shuffled(chunks: Iterable[Rows], generator: torch.Generator | None) -> Iterator[Rows]:
    """Fill a buffer with images; for each further image, yield a random one from the buffer."""
    held: list[Rows] = []
    n_held, capacity = 0, SHUFFLED_IMAGES
    for images, codes in chunks:
        if n_held < capacity:
            held.append((images, codes))
            n_held += len(codes)
            if len(codes):
                affordable = SHUFFLED_BYTES // images[0].nbytes
                capacity = max(IMAGES_PER_CHUNK, min(capacity, affordable))
            continue
        if len(held) > 1:
            held = [together(held)]
        of_held, codes_held = held[0]
        drawn = torch.randperm(n_held, generator=generator)[: len(codes)]
        out = of_held[drawn], codes_held[drawn]
        of_held[drawn], codes_held[drawn] = images, codes
        yield out
    if n_held:
        images, codes = together(held)
        order = torch.randperm(n_held, generator=generator)
        for rows in order.split(IMAGES_PER_CHUNK):
            yield images[rows], codes[rows]


def together(chunks: list[Rows]) -> Rows:
    """Concatenate chunks."""
    if len(chunks) == 1:
        return chunks[0]
    return torch.cat([images for images, _ in chunks]), torch.cat([codes for _, codes in chunks])
