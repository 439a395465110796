"""Read pictures of the same size: picture files, and text that draws images with 0 and 1."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._content import Budget, File
from ._folders import PictureFormError
from ._kinds import decoded

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # tried in this order
_SEVERAL = ("GIF", "TIFF")  # formats that can contain several pictures


class Stack:
    """Pictures of the same size that become one array.

    Parameters
    ----------
    n_pictures : int
    budget : Budget
    """

    def __init__(self, n_pictures: int, budget: Budget) -> None:
        self.n_pictures, self.budget = n_pictures, budget
        self.images: NDArray[np.uint8] | None = None
        self.first = ""
        self.colors = 0  # number of pictures in color, which are converted to gray
        self._done = 0

    def reserve(self, shape: tuple[int, ...], name: str) -> None:
        """Check the size of the next picture, before it is decoded."""
        if self.images is None:
            self.budget.take(self.n_pictures * int(np.prod(shape)))
            self.images = np.empty((self.n_pictures, *shape), np.uint8)
            self.first = name
        elif shape != self.images.shape[1:]:
            height, width = self.images.shape[1:]
            raise PictureFormError(
                f"{name} is {shape[1]}x{shape[0]} pixels, but {self.first} is {width}x{height}"
            )

    def append(self, image: NDArray[Any], name: str) -> None:
        """Add a picture, uint8 of shape (height, width)."""
        self.reserve(image.shape, name)
        assert self.images is not None
        self.images[self._done] = image
        self._done += 1

    def decode(self, stream: IO[bytes], name: str) -> None:
        """Add the picture in a file."""
        from PIL import Image

        try:
            with Image.open(stream, formats=_FORMATS) as picture:
                self.reserve((picture.height, picture.width), name)
                if _holds_several(picture, stream):
                    raise PictureFormError(f"{name} contains several pictures")
                if picture.mode[0] in "IF" or picture.has_transparency_data:
                    raise PictureFormError(
                        f"{name} has {picture.mode} pixels, but must be gray or color"
                    )
                self.colors += picture.mode in ("RGB", "YCbCr", "CMYK")
                gray = picture if picture.mode == "L" else picture.convert("L")
                self.append(np.asarray(gray), name)
        except DatasetError:
            raise
        except Exception as error:  # a decoder may raise anything for a damaged file
            raise DatasetError(f"{name} cannot be read: {error}. Remove or replace it.") from error


def _holds_several(picture: Any, stream: IO[bytes]) -> bool:
    if picture.format == "PPM":
        bits = 1 if picture.mode == "1" else 8 * len(picture.getbands())
        row = (picture.width * bits + 7) // 8
        decoder, _, start, *_ = picture.tile[0]
        end = int(start) + row * picture.height
        return bool(decoder != "ppm_plain" and stream.seek(0, 2) > end + 2)
    return picture.format in _SEVERAL and getattr(picture, "n_frames", 1) > 1


def read_pictures(files: Sequence[File]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return gray pictures, (n, height, width), and notes."""
    stack = Stack(len(files), files[0].budget)
    for file in files:
        with file.seekable() as stream:
            stack.decode(stream, file.name)
    assert stack.images is not None
    return stack.images, _notes(stack)


def _notes(stack: Stack) -> list[str]:
    if not stack.colors:
        return []
    return [f"{stack.colors:,} pictures in color were converted to gray"]


# --- pictures in a column ---------------------------------------------------------------------


def is_picture(value: Any) -> bool:
    """Whether a value in a column is a picture: encoded, a Pillow image or an array."""
    if isinstance(value, dict):
        return "bytes" in value
    if isinstance(value, (list, tuple)):
        return bool(value) and not isinstance(value[0], str)
    return isinstance(value, (bytes, bytearray, np.ndarray)) or hasattr(value, "getbands")


def decode_column(
    values: Iterable[Any], n_values: int, budget: Budget, title: str
) -> tuple[NDArray[Any], list[str]]:
    """Return the pictures in a column, (n, height, width), or unchanged arrays, and notes."""
    stack = Stack(n_values, budget)
    arrays: list[NDArray[Any]] = []
    for number, value in enumerate(values):
        name = f"{title}, row {number}"
        if isinstance(value, dict):
            value = value.get("bytes")
        if isinstance(value, (bytes, bytearray)):
            stack.decode(io.BytesIO(value), name)
        elif hasattr(value, "getbands"):
            stack.colors += value.mode != "L"
            stack.append(np.asarray(value.convert("L")), name)
        elif value is None or isinstance(value, str):
            raise DatasetError(
                f"{name} contains {value!r} instead of a picture. If the pictures are in separate "
                "files, pass their folder."
            )
        else:
            arrays.append(np.asarray(value))
            if arrays[-1].shape != arrays[0].shape or arrays[-1].dtype.kind not in "buif":
                raise DatasetError(
                    f"{name} is an array of shape {arrays[-1].shape} and dtype {arrays[-1].dtype}, "
                    f"but the first one has shape {arrays[0].shape}. Expected numeric arrays of "
                    "the same shape."
                )
    if arrays and stack.images is None:
        return np.stack(arrays), []
    if stack.images is None or arrays:
        raise DatasetError(f"{title} has rows without a picture. Remove them.")
    return stack.images, _notes(stack)


# --- text -------------------------------------------------------------------------------------


def read_bitmaps(file: File) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return images that are drawn with 0 and 1 in a text file, and the labels below them.

    A line such as " 7" after an image is its label, as in the original digits of UCI.

    References
    ----------
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    rows: list[str] = []
    text = decoded(bytes(file.content()), file.name)
    for line in [*text.splitlines(), ""]:
        line = line.strip()
        if re.fullmatch(r"[01]{8,}", line):
            rows.append(line)
        elif rows:
            if len({len(row) for row in rows}) > 1:
                raise DatasetError(
                    f"{file.name} has an image with rows of different lengths. Make all rows the "
                    "same length."
                )
            bits = np.frombuffer("".join(rows).encode("ascii"), np.uint8) - ord("0")
            images.append(bits.reshape(len(rows), -1) * np.uint8(255))
            rows = []
            if re.fullmatch(r"\d{1,2}", line):
                labels.append(line)
    if labels and len(labels) != len(images):
        raise DatasetError(
            f"{file.name} has {len(images)} images, but only {len(labels)} labels. Put a label "
            "below each image, or below none."
        )
    return images, labels
