"""Batches: their number, their content, and the share of each process."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skorch_mnist._compat import uncompiled

from ._share import Share

TORCH_DTYPES = frozenset("?bBhief")  # others become float32 before they are moved
LOADER_ARGUMENTS = {"batch_size", "shuffle", "drop_last", "generator"}  # of our own loaders
ROWS_PER_BLOCK = 4096


def as_it_is(batch: Any) -> Any:
    """Return a batch unchanged: ``collate_fn`` for datasets that return whole batches."""
    return batch


def check_batch_size(batch_size: Any) -> int:
    """Return ``batch_size`` as an int; raise a ValueError if it is not a positive integer."""
    if not isinstance(batch_size, Integral) or int(batch_size) < 1:
        raise ValueError(f"batch_size={batch_size!r} is not valid: it must be a positive integer.")
    return int(batch_size)


def number_of_batches(n_rows: int, batch_size: int, drop_last: bool) -> int:
    """Return the number of batches; the last one may be smaller, unless ``drop_last``."""
    whole, rest = divmod(n_rows, batch_size)
    return whole if drop_last or not rest else whole + 1


class KeptRows:
    """Copies of small tensors of many batches, in few blocks of memory.

    Losses are kept until an epoch ends, and so are the outputs and labels that a callback scores.
    If each were a separate tensor, allocated between large short-lived ones, they would fragment
    the memory, and the process would grow by hundreds of megabytes.
    """

    def __init__(self) -> None:
        self.block: torch.Tensor | None = None
        self.start = 0

    def keep(self, rows: Any) -> Any:
        """Copy the rows of a tensor into a block; return other values unchanged."""
        if not isinstance(rows, torch.Tensor):
            return rows
        block, end = self.block, self.start + len(rows)
        if block is None or end > len(block):
            block = rows.new_empty((max(ROWS_PER_BLOCK, len(rows)), *rows.shape[1:]))
            self.block, self.start, end = block, 0, len(rows)
        part = block[self.start : end]
        self.start = end
        return part.copy_(rows)


def tensor_of(pixels: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor, in float32 if PyTorch does not support its dtype."""
    if pixels.dtype.char not in TORCH_DTYPES or not pixels.dtype.isnative:
        pixels = pixels.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels))


def shared_batches(loader: Any, share: Share) -> Iterator[tuple[Any, Any]]:
    """Yield batches with only the images of ``share``, but with all labels and weights.

    An ``ImageDataset`` reads only these images. Streams and custom loaders read all of them.
    """
    for reader in [loader, getattr(loader, "dataset", loader)]:
        if hasattr(reader, "share"):
            reader.share = share
    for X, codes in loader:
        images = image_of(X)
        if len(images) == len(codes):
            X = with_images(X, images[share.rows(len(codes))])
        yield X, codes


# --- content of a batch -----------------------------------------------------------------------


def image_of(x: Any) -> torch.Tensor:
    """Return the images of a batch, with or without weights."""
    image: torch.Tensor = x["image"] if isinstance(x, Mapping) else x
    return image


def with_images(x: Any, images: torch.Tensor) -> Any:
    """Return the batch ``x`` with other images and the same weights."""
    return {**x, "image": images} if isinstance(x, Mapping) else images


def weight_of(x: Any) -> torch.Tensor | None:
    """Return the weights of a batch, or None if it does not have any."""
    return x["sample_weight"] if isinstance(x, Mapping) else None


def weighted_loss(
    criterion: nn.Module, logits: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return the weighted mean of the losses of the samples.

    Raises
    ------
    ValueError
        If ``criterion`` does not return one loss per sample when its reduction is "none".
    """
    single = copy.copy(criterion)
    single.reduction = "none"  # type: ignore[assignment]
    losses: torch.Tensor = single(logits, codes)
    if losses.shape != weight.shape:
        raise ValueError(
            f"{type(criterion).__name__} with reduction='none' returns losses of shape "
            f"{tuple(losses.shape)} for {len(weight)} samples, which cannot be weighted. Use "
            "another criterion, or remove sample_weight and class_weight."
        )
    weights_of_classes = getattr(criterion, "weight", None)
    total = weight if weights_of_classes is None else weight * weights_of_classes[codes]
    smallest = torch.finfo(weight.dtype).tiny  # a batch may have only classes with weight 0
    return (losses * weight).sum() / total.sum().clamp_min(smallest)


def first_output(y_pred: Any) -> torch.Tensor:
    """Return the logits: the first item of a tuple, or everything that the module returned."""
    logits: torch.Tensor = y_pred[0] if isinstance(y_pred, tuple) else y_pred
    return logits


def checked_logits(y_pred: Any, n_samples: int, n_classes: int) -> torch.Tensor:
    """Return the logits that a module returned, as float32 of shape (n_samples, n_classes).

    Raises
    ------
    ValueError
        If the module returned something else.
    """
    logits = first_output(y_pred)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if shape is None or shape[1:] != (n_classes,):
        what = f"a {type(logits).__name__}" if shape is None else f"outputs of shape {shape}"
        raise ValueError(
            f"The module returned {what} for {n_samples} images and {n_classes} classes. It must "
            "return logits of shape (batch, n_classes), as a tensor or as the first item of a "
            "tuple. If you cannot change the module, wrap it in one that does."
        )
    return logits.float()


def note_about_failure(module: nn.Module, images: torch.Tensor) -> str:
    """Return a note for an error in ``module(images)``: the input, and what may help."""
    n_images, n_channels = images.shape[:2]
    notes = [
        f"{type(uncompiled(module)).__name__} was called with float32 images of shape "
        f"{tuple(images.shape)}: (batch, channels, height, width)."
    ]
    layers = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    expected = next((layer.in_channels for layer in layers), n_channels)
    if expected != n_channels:
        convert = f"expand(-1, {expected}, -1, -1)" if n_channels == 1 else "mean(1, keepdim=True)"
        notes.append(
            f"Its first convolution has in_channels={expected}. Add an argument image_shape to the "
            "module, which is filled in from the data as (channels, height, width), and set "
            "in_channels to its first item. Or wrap the module in one that calls it with "
            f"images.{convert}."
        )
    if n_images == 1 and module.training:
        notes.append(
            "The batch has a single image, from which batch normalization cannot learn. Set "
            "iterator_train__drop_last=True or another batch_size, or pass more images."
        )
    others = {str(p.dtype) for p in module.parameters()} - {str(torch.float32)}
    if others:
        notes.append(
            f"It has weights of {', '.join(sorted(others))}: convert it with its method float."
        )
    return " ".join(notes)
