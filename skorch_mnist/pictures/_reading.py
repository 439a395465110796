"""The reader for pictures: files, PIL images and arrays become upright RGB images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

_PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS or 0  # Pillow itself rejects twice as many
_NARROWEST = 20  # times longer than wide: a longer strip is not a picture


class PictureError(ValueError):
    """A picture cannot be read or does not show a digit."""


class NoDigitError(PictureError):
    """A picture does not show a digit.

    Parameters
    ----------
    name : str
        Name of the picture, for the message.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} does not show a digit: nothing in it stands out like ink. Leave a margin "
            'around the digit, and set polarity to "dark_on_light" or "light_on_dark"'
        )


def each_picture(pictures: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name, for messages, and the content of each picture, or of a single one."""
    if is_one(pictures):
        pictures = [pictures]
    elif (
        isinstance(pictures, (dict, set, bytes))
        or not hasattr(pictures, "__iter__")
        or hasattr(pictures, "read")
        or getattr(pictures, "ndim", 1) == 0
    ):
        raise ValueError(
            f"pictures of type {type(pictures).__name__} are not supported. Pass a path, a PIL "
            "image or an array of shape (height, width) or (height, width, channels), or a list "
            "of these"
        )
    elif getattr(pictures, "ndim", 1) == 2:  # a frame or array of paths
        if pictures.shape[1] != 1:
            raise ValueError(f"pictures have {pictures.shape[1]} columns. Pass one column of paths")
        pictures = np.asarray(pictures, dtype=object).ravel()
    for number, picture in enumerate(pictures):
        yield _name(picture, number), picture


def is_one(pictures: Any) -> bool:
    """Return whether ``pictures`` is a single picture."""
    if isinstance(pictures, (str, os.PathLike, Image.Image)):
        return True
    shape: tuple[int, ...] = getattr(pictures, "shape", ())
    if len(shape) < 2 or hasattr(pictures, "columns"):
        return False
    if getattr(getattr(pictures, "dtype", None), "kind", "f") not in "buif":
        return False
    return len(shape) == 2 or (len(shape) == 3 and shape[2] <= 4)


def _name(picture: Any, number: int) -> str:
    if isinstance(picture, (str, os.PathLike)):
        return os.fspath(picture)
    source = getattr(picture, "filename", "")
    return f"picture {number}" + (f" ({source})" if source else "")


def read_picture(picture: Any, name: str, max_pixels: int) -> Image.Image:
    """Return a picture in RGB, upright as the camera was held, with a filled background.

    Raises
    ------
    PictureError
        If it cannot be read, is not a picture, or has more than ``max_pixels`` pixels. Files are
        checked before they are decoded.
    """
    if isinstance(picture, (str, os.PathLike)):
        image = _from_file(picture, name, max_pixels)
    elif isinstance(picture, Image.Image):
        image = _decoded(picture, name, max_pixels)
    else:
        image = _from_array(picture, name)
    width, height = image.size
    if min(width, height) * _NARROWEST < max(width, height):
        raise PictureError(
            f"{name} is {width} pixels wide and {height} pixels high, too narrow a strip for a "
            "digit. Pass flat rows of pixels to the classifier directly, or reshape them to (n, "
            "height, width)"
        )
    return image


def _from_file(path: str | os.PathLike[str], name: str, max_pixels: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Pillow warns at its own limit. Ours is checked below, before decoding.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _decoded(image, name, max_pixels)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise PictureError(f"{name} cannot be read: {error.strerror}") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is not a picture that Pillow can read. Try PNG or JPEG"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(name, min(max_pixels, 2 * _PILLOW_LIMIT))) from error
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        raise PictureError(f"{name} cannot be read: {error}") from error


def _too_large(name: str, max_pixels: int) -> str:
    return (
        f"{name} has more than {max_pixels:,} pixels and was not decoded, because it may be "
        "crafted to fill the memory. If you trust it, make it smaller or increase max_pixels "
        f"(Pillow itself rejects more than {2 * _PILLOW_LIMIT:,})"
    )


def _decoded(image: Image.Image, name: str, max_pixels: int) -> Image.Image:
    if image.width * image.height > max_pixels:
        raise PictureError(_too_large(name, max_pixels))
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            return _from_array(np.asarray(image), name)
        if image.has_transparency_data:
            return _filled(image.convert("RGBA"))
        return image.convert("RGB")
    except PictureError:
        raise
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise PictureError(f"{name} is damaged: {error}") from error


def _filled(image: Image.Image) -> Image.Image:
    """Put a transparent picture on white if its ink is dark, or on black if it is light."""
    small = image.copy()
    small.thumbnail((256, 256))
    pixels = np.asarray(small)
    cover = pixels[..., 3].astype(float)
    brightness = (pixels[..., :3].mean(axis=-1) * cover).sum() / max(cover.sum(), 1)
    ground = Image.new("RGBA", image.size, "white" if brightness < 128 else "black")
    return Image.alpha_composite(ground, image).convert("RGB")


def _from_array(picture: Any, name: str) -> Image.Image:
    """Return an array as a picture. Its values are 0 to 1, 0 to 255 or 0 to 65,535."""
    try:
        array = np.asarray(picture)
    except Exception as error:
        raise PictureError(f"{name} is not a picture: {error}") from error
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4) or not array.size:
        raise PictureError(
            f"{name}, {type(picture).__name__} of shape {array.shape}, is not a picture. Pass an "
            "array of shape (height, width) or (height, width, channels) with 1 to 4 channels"
        )
    array = _as_bytes(array, name)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        return _filled(Image.fromarray(array).convert("RGBA"))
    return Image.fromarray(array).convert("RGB")


def _as_bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if array.dtype.kind not in "buif":
        raise PictureError(f"{name} has values of type {array.dtype}. Pass numbers")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 65_535:
        raise PictureError(
            f"{name} has values from {array.min()} to {array.max()}. Pass values from 0 to 1, 0 to "
            "255 or 0 to 65,535"
        )
    highest = array.max()
    # This holds for black ink on a transparent background too: its alpha channel has 255.
    scale = 255 if highest <= 1 else 1 if highest <= 255 else 255 / 65_535
    if array.dtype == np.uint8 and scale == 1:
        return array
    return (array.astype(np.float32) * scale).astype(np.uint8)
