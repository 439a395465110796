"""The digits on a page."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import SIDE

from ._attempts import stages_of
from ._candidates import Candidate
from ._digits import Kind, Stages, in_picture
from ._ink import ink_color, is_text_light, scale
from ._judge import likeness
from ._page_search import Reading, search
from ._preprocessor import MAX_PIXELS, check_max_pixels, check_polarity
from ._reading import is_one, one_picture, read_picture
from ._sheet import only_sheet

_SMALL, _LARGE = 1000, 1600  # pixels of the longer side of a page while digits are searched for
_ALIKE = 0.6  # of the height of the highest digit: several digits are mostly as high
_LARGE_DIGIT = 0.3  # of the longer side: a smaller one may be one of many on a page
_AT_SIDE = 0.01  # of the longer side: what is as near to a side reaches it
_SURELY = 4.0  # above the threshold: lines and dirt rarely look so much like a digit
_CROPPED = 200  # pixels of the longer side: in a larger picture, no digit reaches two sides
_HIGH = 0.5  # of the height of a digit: what may be another digit beside it
_INKED = 0.12  # of its pixels
_LEGIBLE = 6  # pixels: the smallest height of a digit
_SEGMENTS = 4  # of a digit on a display: up to four of them look like a 1
_MOSTLY = 0.7  # of the shapes on a page: if as many look like digits, it is one
_HARDLY = 1 / 3  # of these shapes: if fewer look like digits, they are dirt around a single digit
_NARROW, _MANY = 0.4, 8  # of its height: a narrower digit may be a line of a page with many digits


class FoundDigits(NamedTuple):
    """The digits on a page, in reading order.

    Attributes
    ----------
    boxes : ndarray of shape (n_digits, 4), dtype int64
        Left, top, right and bottom of each digit on the page, in pixels, as for
        ``PIL.Image.crop``.
    crops : list of ndarray of shape (height, width, 3), dtype uint8
        The content of the boxes, in the colors of the page.
    images : ndarray of shape (n_digits, 28, 28), dtype uint8, 0 (paper) to 255 (ink)
        Each digit in the form of MNIST, without its neighbors, ready for a classifier.
    """

    boxes: NDArray[np.int64]
    crops: list[NDArray[np.uint8]]
    images: NDArray[np.uint8]


def find_digits(
    image: Any,
    *,
    page: bool | str = True,
    polarity: str = "auto",
    max_pixels: int = MAX_PIXELS,
) -> FoundDigits:
    """Find the digits on a page: a number, a row, a form or a grid.

    Rows are read from top to bottom, and each row from left to right. Digits are told from lines,
    boxes, small print, blots and dirt by their geometry, and by what looks like a digit to the
    classifier that comes with the package: faint and thin digits among others are found, digits
    that touch are separated, and what is as large as a digit but does not look like one is dropped
    if most of the others do. If there is a grid, only the digits in it are returned.

    Parameters
    ----------
    image : path, binary file, bytes, PIL image or array
        An upright page, as for :meth:`DigitPreprocessor.stages`: an array of shape (3, height,
        width) is in color.
    page : bool or "auto", default=True
        Whether the page may show several digits. False finds a single digit, like
        :class:`DigitPreprocessor`. "auto" decides based on what looks like a digit.
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether ink is darker or lighter than its background.
    max_pixels : int, default=100_000_000
        A file or PIL image with more pixels is rejected before it is decoded.

    Returns
    -------
    FoundDigits
        ``boxes``, ``crops`` and ``images`` of the digits in reading order; empty for a blank page.

    Raises
    ------
    PictureError
        If the page cannot be read.
    ValueError
        If another argument is not valid.

    See Also
    --------
    skorch_mnist.read_digits : Find the digits and read them.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch_mnist.pictures import find_digits
    >>> page = np.full((100, 200), 240, dtype=np.uint8)
    >>> page[20:80, 30:36] = page[25:75, 120:126] = 30
    >>> found = find_digits(page)
    >>> found.images.shape, (found.boxes[:, 0] / 10).round()
    ((2, 28, 28), array([ 3., 12.]))
    """
    check_polarity(polarity)
    check_max_pixels(max_pixels)
    if not is_one(image):
        shape = f" of shape {image.shape}" if hasattr(image, "shape") else ""
        raise ValueError(
            f"Expected a single picture, got {type(image).__name__}{shape}. Pass a path, a file, "
            "bytes, a PIL image or an array of shape (height, width), (height, width, channels) or "
            "(3, height, width)."
        )
    if not isinstance(page, bool) and page != "auto":
        raise ValueError(f'page={page!r} is not valid: it must be True, False or "auto".')
    name, content = one_picture(image)
    picture = read_picture(content, name, max_pixels)
    if page is True:
        reading, zoom = _read(picture, polarity, None)
        if reading.digits:
            return _in_picture(picture, reading.digits, zoom)
    single = stages_of(picture, polarity, retry=True)
    if page == "auto" and (single is None or not _is_alone(single, picture)):
        reading, zoom = _read(picture, polarity, single)
        if single is None or _is_page(reading, single, zoom):
            return _in_picture(picture, reading.digits, zoom)
    if single is None:
        return _digits_at(picture, [], [])
    return _digits_at(picture, [single.box], [single.image])


def _is_alone(single: Stages, picture: NDArray[np.uint8]) -> bool:
    """Return whether a digit looks like one, is large, and has nothing as large beside it."""
    (height, width), (left, top, right, bottom) = picture.shape[:2], single.box
    if max(right - left, bottom - top) < _LARGE_DIGIT * max(height, width):
        return False
    sides = np.array([left, top, width - right, height - bottom]) <= _AT_SIDE * max(height, width)
    if sides.sum() > 1 and max(height, width) > _CROPPED:
        return False
    digit = single.kinds == Kind.DIGIT
    dirt = (single.kinds == Kind.DIRT).astype(np.uint8)
    _, _, beside, _ = cv2.connectedComponentsWithStats(dirt, connectivity=8)
    rows = np.ptp(np.flatnonzero(digit.any(axis=1))) + 1
    is_high = beside[1:, cv2.CC_STAT_HEIGHT] > _HIGH * rows
    is_large = beside[1:, cv2.CC_STAT_AREA] > _INKED * digit.sum()
    lines = single.kinds == Kind.RULING  # maybe of a grid
    if (is_high & is_large).any() or dirt.sum() + lines.sum() > digit.sum():
        return False
    return bool(likeness([single.image])[0] >= _SURELY)


def _is_page(reading: Reading, single: Stages, zoom: float) -> bool:
    """Return whether there are several digits rather than a single one, its parts and dirt."""
    left, top, right, bottom = single.box
    is_digit = _is_digit(single)
    clear = [digit for digit in reading.clear if zoom * digit.box.height >= _LEGIBLE]
    may_be_line = right - left < _NARROW * (bottom - top)
    if may_be_line and len(clear) > max(_MANY, len(reading.digits) / 2):
        return True
    # Beside a single digit, letters and dirt may look like digits.
    found = reading.usual if is_digit else reading.digits
    if len(found) < 2:
        return False
    heights = zoom * np.array([digit.box.height for digit in found])
    alike = np.array([digit.is_digit for digit in found])
    if not is_digit and not alike.any():
        return bool(np.median(heights) > _ALIKE * heights.max())
    are_digits = alike & (heights >= _LEGIBLE)
    if are_digits.sum() > _SEGMENTS and are_digits.mean() >= _MOSTLY:
        return True
    if are_digits.mean() < _HARDLY:
        return False
    as_high = are_digits & (heights > _ALIKE * (bottom - top))
    x, y = (zoom * np.array([digit.box.center for digit in found])).T
    outside = (x < left) | (x > right) | (y < top) | (y > bottom)
    return bool((as_high & outside).any() or (as_high.sum() > 1 and not is_digit))


def _is_digit(single: Stages | None) -> bool:
    return single is not None and bool(likeness([single.image])[0] >= 0)


def _in_picture(picture: NDArray[np.uint8], digits: list[Candidate], zoom: float) -> FoundDigits:
    boxes = [in_picture(digit.box, zoom, picture.shape) for digit in digits]
    return _digits_at(picture, boxes, [digit.image for digit in digits])


def _digits_at(picture: NDArray[np.uint8], boxes: list[Any], images: list[Any]) -> FoundDigits:
    crops = [picture[top:bottom, left:right] for left, top, right, bottom in boxes]
    return FoundDigits(
        np.array(boxes, np.int64).reshape(-1, 4),
        [np.stack([crop] * 3, axis=-1) if crop.ndim == 2 else crop.copy() for crop in crops],
        np.array(images, np.uint8).reshape(-1, SIDE, SIDE),
    )


def _read(
    picture: NDArray[np.uint8], polarity: str, single: Stages | None
) -> tuple[Reading, float]:
    """Return the best reading of a page, and how many times larger the picture is than the page.

    That is the first reading if it is convincing.
    """
    page = only_sheet(scale(picture, _SMALL, _LARGE))
    zoom = max(picture.shape[:2]) / max(page.shape[:2])
    _, is_light = ink_color(page, polarity)
    best = search(page, is_light)
    others = [not is_light] if polarity == "auto" else []
    tries = [(other, False) for other in others] + [(some, True) for some in (is_light, *others)]
    # The strokes of a single digit that fills the picture are too thick for a page.
    may_be_text = single is None or len(best.digits) > 1
    if others and is_text_light(page) != is_light and may_be_text:
        # What is around thick strokes, and in their eyes, is smaller than the digits, or rarer.
        other = search(page, *tries.pop(0))
        best = max(best, other, key=lambda some: (some.readable, some.ink))
    if best.share >= _MOSTLY or _is_digit(single):
        return best, zoom
    for assumed in tries:
        reading = search(page, *assumed)
        if reading.share >= _MOSTLY and reading.readable > best.ink:
            return reading, zoom
    return best, zoom
