"""Read pictures: convert files, PIL images and arrays to upright 8-bit arrays."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from skorch_mnist._geometry import SIDE

_PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS or 0  # Pillow itself rejects twice as many
_NUMBERS = "buif"  # kinds of dtypes
_BYTES = (bytes, bytearray, memoryview)
_NARROWEST = 20  # times longer than wide: a longer strip is not a picture
_FLAT = "Pass flat rows to the classifier directly, or reshape them to (n, height, width)."
_LONGEST = 255  # characters of a path
_SHOWN = 40  # characters of a longer string in messages
_STRIP = 4_000_000  # pixels to convert at a time, which takes little memory
# Pillow runs another program for the first two, and unpacks the others before their size is known.
_REFUSED = {"EPS", "WMF", "BLP", "ICNS", "ICO", "IPTC"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}  # brands of files
_LOADING = Lock()  # Pillow images are loaded lazily, and one may be in a batch twice
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {  # by EXIF orientation
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}


class PictureError(ValueError):
    """Raised if a picture cannot be read or does not show a digit."""


class DamagedPictureError(PictureError):
    """Raised if a decoder fails; the message ends with its reason."""


class HeicError(PictureError):
    """Raised for a picture of an iPhone if pillow-heif is not installed."""


class NoDigitError(PictureError):
    """Raised if a picture does not show a digit.

    Parameters
    ----------
    name : str
        Name of the picture, for the message.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)  # unpickling passes this argument again

    def __str__(self) -> str:
        return (
            f"No digit was found in {self.args[0]}, because nothing in it looks like ink. Leave a "
            'margin around the digit, and set polarity to "dark_on_light" or "light_on_dark".'
        )


def each_picture(pictures: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name, for messages, and the content of each picture, or of a single one."""
    shape: tuple[int, ...] = getattr(pictures, "shape", ())
    one = is_one(pictures) and getattr(getattr(pictures, "dtype", None), "kind", "f") in _NUMBERS
    if one and shape[1:] == (SIDE * SIDE,):
        raise ValueError(
            f"X of shape {tuple(shape)} looks like flat rows of pixels. {_FLAT} If it is a single "
            "picture, pass it in a list."
        )
    if one and not (len(shape) == 3 and shape[2] > 4):
        yield one_picture(pictures)
        return
    if (
        isinstance(pictures, (dict, set))
        or not hasattr(pictures, "__iter__")
        or getattr(pictures, "ndim", 1) == 0
    ):
        raise ValueError(
            f"X has type {type(pictures).__name__}, which is not supported. Pass a path, a file, "
            "bytes, a PIL image or an array of shape (height, width) or (height, width, channels), "
            "or a list of these."
        )
    elif getattr(pictures, "ndim", 1) == 2:  # a frame or array of paths
        if shape[1] != 1:
            raise ValueError(
                f"X has {shape[1]} columns. Pass one column of paths, or an array of numbers."
            )
        pictures = np.asarray(pictures, dtype=object).ravel()
    for number, picture in enumerate(pictures):
        yield _name(picture, f"picture {number}"), picture


def one_picture(picture: Any) -> tuple[str, Any]:
    """Return the name, for messages, and the content of a single picture."""
    return _name(picture, "the picture"), picture


def is_one(pictures: Any) -> bool:
    """Return whether ``pictures`` can be a single picture, as an array of shape (3, h, w) can."""
    if isinstance(pictures, (str, os.PathLike, Image.Image, *_BYTES)) or hasattr(pictures, "read"):
        return True
    shape: tuple[int, ...] = getattr(pictures, "shape", ())
    if len(shape) < 2 or hasattr(pictures, "columns"):
        return False
    return len(shape) == 2 or (len(shape) == 3 and (shape[2] <= 4 or shape[0] in (1, 3)))


def _name(picture: Any, otherwise: str) -> str:
    if isinstance(picture, (str, os.PathLike)):
        return os.fspath(picture) or f"{otherwise} (an empty path)"
    source = getattr(picture, "filename", "")
    if not source and hasattr(picture, "read"):
        source = getattr(picture, "name", "")  # the name of a pipe is a number
    return f"{otherwise} ({source})" if source and isinstance(source, str) else otherwise


def read_picture(picture: Any, name: str, max_pixels: int) -> NDArray[np.uint8]:
    """Return a picture, rotated as the camera was held, with a filled background.

    Returns
    -------
    ndarray of shape (height, width, 3) in RGB, or (height, width) in gray, dtype uint8

    Raises
    ------
    PictureError
        If the picture cannot be read, is not a picture, or has more than ``max_pixels`` pixels.
        Files are checked before they are decoded.
    """
    with _PILLOW_WARNINGS:
        if isinstance(picture, _BYTES):
            pixels = _from_bytes(picture, name, max_pixels)
        elif isinstance(picture, (str, os.PathLike)):
            pixels = _from_file(picture, name, max_pixels)
        elif isinstance(picture, Image.Image):
            with _LOADING:
                pixels = _decoded(picture, name, max_pixels)
        elif hasattr(picture, "read"):
            pixels = _from_bytes(_content(picture, name), name, max_pixels)
        else:
            pixels = _from_array(picture, name)
    height, width = pixels.shape[:2]
    if min(width, height) * _NARROWEST < max(width, height):
        raise PictureError(
            f"{name} is {width} pixels wide and {height} pixels high, which is too narrow for a "
            f"digit. {_FLAT}"
        )
    return np.ascontiguousarray(pixels)  # it may be turned; here, the file has been closed


class _PillowWarnings:
    """Hides what Pillow warns about while any thread is inside.

    Pillow warns at its own limit of pixels, which is not ours, and for damaged files, which give a
    picture or an error. ``warnings.catch_warnings`` alone is not safe if several threads use it.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(None, None, None)


_PILLOW_WARNINGS = _PillowWarnings()


@cache
def _register_heif() -> None:
    """Let Pillow read the pictures of iPhones if pillow-heif is installed."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _formats() -> list[str]:
    """Return the supported file formats."""
    _register_heif()
    Image.init()
    return [name for name in Image.ID if name not in _REFUSED]


def _content(file: Any, name: str) -> bytes | bytearray | memoryview:
    """Read an open file from its current position; Pillow would read it from its start."""
    try:
        content = file.read()
    except UnicodeError:
        content = ""
    except Exception as error:  # a file object may raise anything
        raise PictureError(f"{name} cannot be read: {error}") from error
    if isinstance(content, _BYTES):
        return content
    if hasattr(content, "close"):  # a coroutine, which would warn that it was never awaited
        content.close()
    hint = "Open the file in binary mode." if isinstance(content, str) else "Pass its content."
    raise PictureError(
        f"{name} cannot be read: its read() must return bytes, not {type(content).__name__}. {hint}"
    )


def _from_bytes(
    content: bytes | bytearray | memoryview, name: str, max_pixels: int
) -> NDArray[np.uint8]:
    try:
        file = io.BytesIO(content)
    except (BufferError, ValueError) as error:  # a memoryview of anything
        raise PictureError(f"{name} cannot be read: {error}") from error
    if not file.getvalue():
        raise PictureError(f"{name} is empty, or an open file that was already read to its end.")
    return _from_file(file, name, max_pixels)


def _from_file(file: Any, name: str, max_pixels: int) -> NDArray[np.uint8]:
    try:
        with Image.open(file, formats=_formats()) as image:
            return _decoded(image, name, max_pixels)
    except UnidentifiedImageError as error:
        if _is_heif(file) and "HEIF" not in Image.ID:
            raise HeicError(
                f"{name} has the format HEIC. Install pillow-heif to read it, with pip install "
                "pillow-heif, or try PNG or JPEG."
            ) from error
        raise PictureError(
            f"{name} is not in a supported picture format. Try PNG or JPEG."
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(name, min(max_pixels, 2 * _PILLOW_LIMIT))) from error
    except PictureError:
        raise
    except Exception as error:  # a decoder may raise anything for a damaged file
        if isinstance(error, OSError) and error.filename is not None:
            raise _not_opened(name, error) from error
        raise DamagedPictureError(f"{name} cannot be read: {error}") from error


def _is_heif(file: Any) -> bool:
    """Return whether a file that Pillow does not know is a HEIC picture."""
    if isinstance(file, io.BytesIO):
        head = bytes(file.getbuffer()[:12])
    else:
        with open(file, "rb") as stream:
            head = stream.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIF


def _not_opened(name: str, error: OSError) -> PictureError:
    """Return the error for a path that does not lead to a readable file."""
    scheme = name.partition(":")[0].lower()
    if len(name) > _LONGEST:
        name = f"{name[:_SHOWN]}..."
    if scheme in ("http", "https"):
        return PictureError(f"{name} is a URL. Download the picture, and pass its path or bytes.")
    if scheme == "data":
        return PictureError(f"{name} is a data URL. Pass the bytes that base64.b64decode returns.")
    return PictureError(f"{name} cannot be read: {error.strerror}")


def _too_large(name: str, max_pixels: int) -> str:
    return (
        f"{name} has more than {max_pixels:,} pixels and was not decoded, because it may be "
        "crafted to fill the memory. If you trust it, make it smaller or increase max_pixels "
        f"(Pillow itself rejects more than {2 * _PILLOW_LIMIT:,})."
    )


def _decoded(image: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    if not image.width * image.height:
        raise PictureError(f"{name} does not have any pixels.")
    if image.width * image.height > max_pixels:
        raise PictureError(_too_large(name, max_pixels))
    try:
        image.load()
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            pixels = _from_array(_joined(image, image.mode), name)
        elif image.has_transparency_data:
            pixels = _filled(image)
        else:
            pixels = _joined(image, "L" if image.mode == "L" else "RGB")
        turn = _UPRIGHT.get(_orientation(image))
        return pixels if turn is None else turn(pixels)
    except PictureError:
        raise
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise DamagedPictureError(f"{name} is damaged: {error}") from error


def _orientation(image: Image.Image) -> int:
    """Return how the camera was held, 1 (upright) to 8."""
    orientation = None
    with suppress(Exception):  # EXIF data can contain anything; the pixels are intact
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    return orientation if isinstance(orientation, int) else 1


def _strips(image: Image.Image, mode: str) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the rows of strips of a picture, and their pixels in another mode."""
    height = max(1, _STRIP // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        strip = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        yield slice(top, bottom), strip.convert(mode)


def _joined(image: Image.Image, mode: str) -> NDArray[Any]:
    """Return the pixels of a picture in another mode."""
    pixel = np.asarray(image.crop((0, 0, 1, 1)).convert(mode))[0, 0]
    pixels = np.empty((image.height, image.width, *pixel.shape), pixel.dtype)
    for rows, strip in _strips(image, mode):
        pixels[rows] = np.asarray(strip)
    return pixels


def _filled(image: Image.Image) -> NDArray[np.uint8]:
    """Put a transparent picture on white if its ink is dark, else on black."""
    light = covered = 0
    for _, strip in _strips(image, "RGBA"):
        cover = np.asarray(strip.getchannel("A"), np.uint32)
        light += int((np.asarray(strip.convert("L")) * cover).sum(dtype=np.uint64))
        covered += int(cover.sum(dtype=np.uint64))
    ground = "white" if light < 128 * covered or not covered else "black"
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, strip in _strips(image, "RGBA"):
        whole = Image.new("RGB", strip.size, ground)
        whole.paste(strip, mask=strip)
        pixels[rows] = np.asarray(whole)
    return pixels


def _from_array(picture: Any, name: str) -> NDArray[np.uint8]:
    """Return an array as a picture; ``_as_bytes`` says which values it may have."""
    try:
        array = np.asarray(picture)
    except Exception as error:
        raise PictureError(f"{name} is not a picture: {error}") from error
    if array.ndim == 3 and array.shape[2] > 4 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, 2)  # as PyTorch lays out a picture
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4) or not array.size:
        raise PictureError(
            f"{name} has type {type(picture).__name__} and shape {array.shape}, which is not "
            "supported. Pass one path, file, bytes, PIL image or array of shape (height, width) or "
            "(height, width, channels) with 1 to 4 channels."
        )
    array = _as_bytes(array, name)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        return _filled(Image.fromarray(array))
    return array


def _as_bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Scale an array whose largest value can be 1, 16 (as in ``load_digits``), 255 or 65,535."""
    if array.dtype.kind not in _NUMBERS:
        raise PictureError(
            f"{name} of shape {array.shape} has values of type {array.dtype}. Pass real numbers."
        )
    sample = array[::16, ::16]
    if array.dtype == np.uint8 and sample.max() > 1:  # nothing else to check
        return array
    lowest, highest = float(array.min()), float(array.max())
    if not (lowest >= 0 and highest <= 65_535):  # or not a number
        values = f"values from {array.min()} to {array.max()}" if lowest == lowest else "NaN values"
        raise PictureError(
            f"{name} of shape {array.shape} has {values}. Pass values from 0 to 1, 0 to 16, 0 to "
            "255 or 0 to 65,535."
        )
    if array.dtype == np.uint8 and highest > 1:
        return array
    # This holds for black ink on a transparent background too: its alpha channel has 255.
    scale = 255 / next(top for top in (1, 16, 255, 65_535) if highest <= top)
    pixels = np.empty(array.shape, np.uint8)
    height = max(1, _STRIP // array.shape[1])
    for top in range(0, len(array), height):
        pixels[top : top + height] = array[top : top + height].astype(np.float32) * scale
    return pixels
