"""Checks of custom samplers, which draw indices of training samples."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np

SOURCES = ("weights", "data_source", "dataset")  # attributes of samplers with one entry per sample


def check_samplers(loader: Any, n_samples: int) -> None:
    """Check that the samplers of a loader, if any, match its dataset.

    Parameters
    ----------
    loader : iterable
        Its samplers draw from its ``dataset``.
    n_samples : int
        Number of all samples, including those for validation.

    Raises
    ------
    ValueError
        If a sampler was made for more samples than there are.
    """
    for name in ("sampler", "batch_sampler"):
        sampler = getattr(loader, name, None)
        if sampler is None:
            continue
        n_drawn_from = size_of_source(getattr(sampler, "sampler", sampler), n_samples)
        if n_drawn_from > len(loader.dataset):
            raise ValueError(
                f"iterator_train__{name} draws from {n_drawn_from} samples, but only "
                f"{len(loader.dataset)} are used for training, because train_split sets samples "
                "aside, and samples with weight 0 are removed. Set train_split to None or "
                "predefined_split(valid), or create the sampler for the training samples."
            )


def size_of_source(sampler: Any, n_samples: int) -> int:
    """Return the number of samples that a sampler draws from, or 0 if it is not known.

    A sampler with only a length is assumed to draw from all samples if the lengths are equal.
    """
    sources = [getattr(sampler, name, None) for name in SOURCES]
    sizes = [len(source) for source in sources if isinstance(source, Sized)]
    indices = getattr(sampler, "indices", sampler)
    try:
        rows = np.asarray(indices)
    except ValueError:  # batches of several sizes
        rows = np.concatenate(indices)
    if rows.size and rows.dtype.kind in "iu":
        sizes.append(int(rows.max()) + 1)
    if not sizes and isinstance(sampler, Sized) and len(sampler) == n_samples:
        sizes = [n_samples]
    return max(sizes, default=0)
