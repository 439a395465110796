"""Convert stored pixels and labels to the form in which they are returned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError

Shape = tuple[int, ...]  # (height, width), or (height, width, 3) for color
_FIRST = 100  # images that usually show whether all pixels are 0 or 1
_ROWS = 2**22  # pixels to convert at a time
_ROUNDED = 0.13  # of 1/255: largest error of pixels that were divided by 255 and then rounded
_LARGEST = 2**16  # pixels per side


class Part(NamedTuple):
    """Images, and their labels if there are any.

    Attributes
    ----------
    images : ndarray of shape (n, height, width), or (n, height, width, 3) for color
    labels : ndarray of shape (n,) or None
        Stored labels: numbers or strings.
    class_names : sequence of str
        Names of the labels 0, 1 and so on, if the file contains them.
    notes : sequence of str
        Descriptions of what was recognized.
    """

    images: NDArray[Any]
    labels: NDArray[Any] | None
    class_names: Sequence[str] = ()
    notes: Sequence[str] = ()


# --- shapes -----------------------------------------------------------------------------------


def check_image_shape(image_shape: Any) -> Shape | None:
    """Return the shape of images as (height, width) or (height, width, 3).

    Raises
    ------
    ValueError
        If it is not a shape.
    """
    if image_shape is None:
        return None
    sides = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    valid = all(isinstance(k, (int, np.integer)) and 0 < k <= _LARGEST for k in sides)
    if valid and len(sides) == 3 and 1 in (sides[0], sides[2]):
        sides = sides[1:] if sides[0] == 1 else sides[:2]
    if not valid or not (len(sides) == 2 or (len(sides) == 3 and 3 in (sides[0], sides[2]))):
        raise ValueError(
            f"image_shape={image_shape!r} is not valid: it must be (height, width), (3, height, "
            "width) or (height, width, 3)."
        )
    return sides


def side_of(n_pixels: int) -> int | None:
    """Return the side of a square image, or None if the image is not square."""
    side = math.isqrt(max(n_pixels, 0))
    return side if side > 0 and side * side == n_pixels else None


def fits(n_pixels: int, image_shape: Shape | None) -> bool:
    """Whether this number of pixels forms an image of the given shape, or a square one."""
    if image_shape is None:
        return side_of(n_pixels) is not None
    return math.prod(image_shape) == n_pixels


def as_images(values: NDArray[Any], image_shape: Shape | None, name: str) -> NDArray[Any]:
    """Return pixels (n, ...) as (n, height, width), or (n, height, width, 3) for color.

    Raises
    ------
    DatasetError
        If it is not known how the pixels form an image.
    """
    item = values.shape[1:]
    if len(item) == 1:
        shape = image_shape
        if shape is None and (side := side_of(item[0])):
            shape = side, side
        if shape is None or math.prod(shape) != item[0]:
            raise DatasetError(
                f"{name} has {item[0]} pixels per image, which do not form "
                + ("a square" if image_shape is None else f"an image of shape {image_shape}")
                + ". Expected a square number, such as 784. For other images, pass image_shape="
                "(height, width), or (3, height, width) for color."
            )
        return as_images(values.reshape(len(values), *shape), None, name)
    if len(item) == 2 and 1 in item and item != (1, 1):
        return as_images(values.reshape(len(values), -1), image_shape, name)
    if len(item) == 3 and 1 in (item[0], item[2]):
        return values.reshape(len(values), *(item[1:] if item[0] == 1 else item[:2]))
    if len(item) == 3 and item[2] != 3 and item[0] == 3:
        return values.transpose(0, 2, 3, 1)
    if len(item) == 2 or (len(item) == 3 and item[2] == 3):
        return values
    raise DatasetError(
        f"{name} has shape {values.shape}. Expected images of shape (n, height, width) or "
        "(n, pixels), or with 1 or 3 channels."
    )


# --- pixels -----------------------------------------------------------------------------------


def as_pixels(images: NDArray[Any], name: str, tabular: bool = False) -> tuple[NDArray[Any], str]:
    """Convert pixels from 0 to 255, or from 0 to 1, to uint8; keep others; return also a note.

    Parameters
    ----------
    images : ndarray of shape (n, ...)
    name : str
    tabular : bool
        Whether to raise an error for integers outside of 0 to 255 and for fractions beyond 255,
        because they may come from another column of the table.

    Raises
    ------
    DatasetError
        If the pixels are not real numbers, or not finite.
    """
    if images.dtype.kind not in "buif":
        raise DatasetError(f"{name} has dtype {images.dtype}, but pixels must be real numbers.")
    if not images.size:
        raise DatasetError(f"{name} does not contain images.")
    if images.dtype == np.uint8 and images[:_FIRST].max() > 1:
        return images, ""  # bytes need no other checks
    low, high = images.min(), images.max()
    if not np.isfinite(low) or not np.isfinite(high):
        place = np.argwhere(~np.isfinite(images))[0].tolist()
        raise DatasetError(f"{name} has {images[tuple(place)]} in image {place[0]}, pixel "
                           f"{place[1:]}; expected finite numbers.")  # fmt: skip
    if low >= 0 and high <= 255:
        scale = 255 if high <= 1 and (high > 0 or images.dtype.kind == "f") else 1
        if images.dtype == np.uint8 and scale == 1:
            return images, ""
        pixels = _as_bytes(images, scale)
        if pixels is not None:
            return pixels, "pixels from 0 to 1 were multiplied by 255" if scale == 255 else ""
    lowest = -255 if images.dtype.kind == "f" else 0
    if tabular and (low < lowest or high > 255):
        wrong = (images < lowest) | (images > 255)
        row, *pixel = np.argwhere(wrong)[0].tolist()
        at = pixel[0] * images.shape[2] + pixel[1]
        raise DatasetError(
            f"{name} has {images[(row, *pixel)]:g} in row {row}, pixel {at}; expected integers "
            "from 0 to 255, or fractions. If this is not a pixel, pass the name of the column of "
            "labels as label."
        )
    if images.dtype.kind == "f":
        return images.astype(np.float32, copy=False), ""
    return images, ""


def _as_bytes(images: NDArray[Any], scale: int) -> NDArray[np.uint8] | None:
    """Return pixels times ``scale`` as uint8, or None if the products are not integers."""
    pixels = np.empty(images.shape, np.uint8)
    step = max(1, _ROWS // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        values = images[rows]
        if values.dtype.kind == "f":
            scaled = values * values.dtype.type(scale)
            rounded = np.rint(scaled)
            if np.abs(scaled - rounded).max() > (_ROUNDED if scale == 255 else 0):
                return None
            pixels[rows] = rounded
        else:
            pixels[rows] = values
            pixels[rows] *= np.uint8(scale)
    return pixels


# --- labels -----------------------------------------------------------------------------------


def as_labels(values: Any, name: str) -> tuple[NDArray[Any], str]:
    """Return labels as integers or strings, and a note on their form.

    Raises
    ------
    DatasetError
        If there is not exactly one label for each image.
    """
    labels, note = np.asarray(values), ""
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.ravel()
    if labels.ndim == 2 and labels.dtype.kind in "buif":
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DatasetError(
                f"{name} has labels of shape {labels.shape}; expected one label for each image."
            )
        labels, note = labels.argmax(axis=1), "one-hot"
    if labels.ndim != 1:
        raise DatasetError(f"{name} has labels of shape {labels.shape}; expected (n,).")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise DatasetError(f"{name} has missing labels. Fill or drop these rows.")
        whole = np.abs(labels) < 2**53
        if whole.all() and (labels == np.floor(labels)).all():
            return labels.astype(np.int64), note
        return labels.astype(str), note
    if labels.dtype.kind in "iub":
        return labels.astype(np.int64), note
    return _as_strings(labels, name), note


def _as_strings(labels: NDArray[Any], name: str) -> NDArray[Any]:
    words = []
    for label in labels.tolist():
        if label is None or label != label or label in ("", b""):
            raise DatasetError(f"{name} has missing labels. Fill or drop these rows.")
        if isinstance(label, bytes):
            label = label.decode("utf-8", "replace")
        words.append(str(label).strip())
    try:  # "7" and "7.0" are numbers, too
        numbers = np.array([float(word) for word in words])
    except ValueError:
        return np.array(words, dtype=str)
    return as_labels(numbers, name)[0] if np.isfinite(numbers).all() else np.array(words, str)


def joined(
    labels: Sequence[NDArray[Any]], class_names: Sequence[str]
) -> tuple[NDArray[Any], list[str], str]:
    """Return labels of several parts as one array, the names of the classes, and a note."""
    if any(part.dtype.kind != "i" for part in labels):  # concatenate would truncate numbers
        target = np.concatenate([part.astype(str) for part in labels])
        return target, np.unique(target).tolist(), "the labels are strings"
    target = np.concatenate(labels)
    if class_names and target.min() >= 0 and target.max() < len(class_names):
        return target, list(class_names), "the labels are the numbers of the names in target_names"
    return target, [str(label) for label in np.unique(target)], ""
