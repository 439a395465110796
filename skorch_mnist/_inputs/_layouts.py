"""Image shapes: the meaning of each axis, and the order of axes that the network receives."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ImageShape = tuple[int, int, int]
NAMES_OF_LABELS = ("class", "label", "labels", "target", "targets")
PIXEL_DTYPES = (
    "bool",
    *(f"{kind}{n}" for kind in ("uint", "int") for n in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)


class InputFormat(NamedTuple):
    """Shape and dtype of the images that were passed to ``fit``."""

    shape: tuple[int, ...]  # of one image, such as (784,), (28, 28) or (28, 28, 3)
    dtype: str  # one of PIXEL_DTYPES

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: np.dtype[Any]) -> InputFormat:
        """Return the format of images; a dtype that not every machine supports becomes float64."""
        name = dtype.name  # NumPy computes it each time
        return cls(tuple(shape), name if name in PIXEL_DTYPES else "float64")


class Layout(NamedTuple):
    """How the items of an input become images of shape (channels, height, width)."""

    image_shape: ImageShape
    channels_last: bool = False
    padding: int = 0  # zeros to append to a flat row

    def arrange(self, items: NDArray[Any]) -> NDArray[Any]:
        """Reshape items, stacked along the first axis, to images; return a view if possible."""
        if self.channels_last:
            items = np.moveaxis(items, -1, 1)
        if self.padding:
            items = np.pad(items, ((0, 0), (0, self.padding)))
        return items.reshape(len(items), *self.image_shape)


def check_image_shape(image_shape: tuple[int, ...]) -> ImageShape:
    """Return ``(channels, height, width)`` for a two- or three-element shape."""
    sides = tuple(image_shape)
    if len(sides) not in (2, 3) or not all(
        isinstance(side, Integral) and not isinstance(side, bool) and side > 0 for side in sides
    ):
        raise ValueError(
            f"image_shape={image_shape!r} is not valid: it must be (height, width) or (channels, "
            "height, width), with positive integers."
        )
    channels, height, width = sides if len(sides) == 3 else (1, *sides)
    return int(channels), int(height), int(width)


def infer_layout(item_shape: tuple[int, ...], image_shape: ImageShape | None = None) -> Layout:
    """Return the layout of items of ``item_shape``.

    Parameters
    ----------
    item_shape : tuple of int
        Shape of one item: ``(pixels,)``, ``(height, width)``, ``(channels, height, width)`` or
        ``(height, width, channels)``.
    image_shape : tuple of (channels, height, width) or None
        The required shape of an image; None infers it.

    Raises
    ------
    ValueError
        If an item cannot be an image, or does not have ``image_shape``.
    """
    if 0 in item_shape:
        raise ValueError(f"X has items of shape {item_shape}, which have no pixels.")
    if image_shape is None:
        return _guess_layout(item_shape)
    channels, height, width = image_shape
    if item_shape in [(channels * height * width,), image_shape]:
        return Layout(image_shape)
    if channels == 1 and item_shape == (height, width):
        return Layout(image_shape)
    if item_shape == (height, width, channels):
        return Layout(image_shape, channels_last=True)
    if len(item_shape) == 1:
        raise ValueError(
            f"X has {item_shape[0]} pixels per row, but image_shape={image_shape} requires "
            f"{channels * height * width}. Set image_shape to the (height, width) or (channels, "
            "height, width) of the images."
        )
    raise ValueError(
        f"X has images of shape {item_shape}, but (channels, height, width) = {image_shape} is "
        "expected, with channels first or last. Resize the images, or set image_shape and fit "
        "again."
    )


def known_layout(item_shape: tuple[int, ...], image_shape: ImageShape) -> Layout:
    """Return the layout of items that have as many pixels as those in ``fit``.

    Raises
    ------
    ValueError
        If the items are not images of ``image_shape``.
    """
    if len(item_shape) == 1:
        return Layout(image_shape, padding=math.prod(image_shape) - item_shape[0])
    return infer_layout(item_shape, image_shape)


def learn_layout(item_shape: tuple[int, ...], image_shape: tuple[int, ...] | None) -> Layout:
    """Return the layout of the items passed to ``fit``.

    Parameters
    ----------
    item_shape : tuple of int
        As in ``infer_layout``.
    image_shape : tuple of int or None
        The parameter of the classifier.

    Raises
    ------
    ValueError
        As ``infer_layout`` and ``check_image_shape``.

    Warns
    -----
    UserWarning
        If rows are padded because their pixels do not form a square.
    """
    layout = infer_layout(
        item_shape, None if image_shape is None else check_image_shape(image_shape)
    )
    if layout.padding:
        n_pixels, side = item_shape[0], layout.image_shape[1]
        hint = " If X still contains the label column, drop it." if n_pixels == 785 else ""
        warnings.warn(
            f"X has {n_pixels} pixels per row, which do not form a square image: rows are padded "
            f"with zeros to {side}x{side}. If the images have another shape, set image_shape to "
            f"(height, width) or (channels, height, width).{hint}",
            UserWarning,
            stacklevel=2,
        )
    return layout


def check_column_names(names: Sequence[str], image_shape: tuple[int, ...] | None) -> None:
    """Check that the columns of a data frame passed to ``fit`` are pixels in their order.

    Raises
    ------
    ValueError
        If there is one column more than pixels, which is named like labels, or if the numbers in
        the names are sorted as text.

    Warns
    -----
    UserWarning
        If a column is named like labels, but the images need it.
    """
    labels = [name for name in names if name.lower() in NAMES_OF_LABELS]
    if labels:
        n_pixels = len(names) - 1
        needed = math.isqrt(n_pixels) ** 2 if image_shape is None else math.prod(image_shape)
        if n_pixels == needed:
            raise ValueError(
                f"X has the column {labels[0]!r} in addition to {n_pixels} columns of pixels. Drop "
                "it from X, and pass it as y."
            )
        warnings.warn(
            f"X has the column {labels[0]!r}, which is used as a pixel. If it contains labels, "
            "drop it.",
            UserWarning,
            stacklevel=2,
        )
    if len({re.sub(r"\d+", "", name) for name in names}) != 1 or list(names) != sorted(names):
        return
    numbers = [[int(digits) for digits in re.findall(r"\d+", name)] for name in names]
    for place in range(1, len(names)):
        if numbers[place - 1] > numbers[place]:
            raise ValueError(
                f"The columns of X are sorted as text: {str(names[place - 1])!r} is followed by "
                f"{str(names[place])!r}, so the pixels of the images are in the wrong places. Sort "
                "the columns by their numbers."
            )


def _guess_layout(item_shape: tuple[int, ...]) -> Layout:
    if len(item_shape) == 1:
        side = math.isqrt(max(item_shape[0] - 1, 0)) + 1
        return Layout((1, side, side), padding=side * side - item_shape[0])
    if len(item_shape) == 2:
        return Layout((1, *item_shape))
    if len(item_shape) == 3 and item_shape[0] in (1, 3):
        return Layout((item_shape[0], item_shape[1], item_shape[2]))
    if len(item_shape) == 3 and item_shape[2] in (1, 3):
        return Layout((item_shape[2], item_shape[0], item_shape[1]), channels_last=True)
    raise ValueError(
        f"X has items of shape {item_shape}, which are not images. Pass rows (n, pixels), gray "
        "images (n, height, width), or images with 1 or 3 channels, first or last. For another "
        "number of channels, set image_shape=(channels, height, width)."
    )
