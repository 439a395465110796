"""The digits on a page."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import SIDE

from ._digits import cut_out, find_ink, scale
from ._mnist_form import mnist_form
from ._preprocessor import MAX_PIXELS, check_max_pixels, check_polarity
from ._reading import each_picture, is_one, read_picture
from ._shapes import Box, Shapes, bounds, find_shapes, is_frame

_SMALL, _LARGE = 480, 1600  # pixels of the longer side of a page while digits are searched for
_LOWEST = 0.35  # of the usual digit height: lower shapes are dots, dashes and dirt
_HIGHEST = 3.0  # times the usual digit height: higher shapes are frames and pictures


class FoundDigits(NamedTuple):
    """The digits on a page, in reading order.

    Attributes
    ----------
    boxes : ndarray of shape (n_digits, 4), dtype int64
        Left, top, right and bottom of each digit on the page in pixels, as for ``Image.crop`` of
        Pillow.
    crops : list of ndarray of shape (height, width, 3), dtype uint8
        The content of the boxes, in the colors of the page.
    images : ndarray of shape (n_digits, 28, 28), dtype uint8, 0 (paper) to 255 (ink)
        Each digit in the form of MNIST, without its neighbors, ready for a classifier.
    """

    boxes: NDArray[np.int64]
    crops: list[NDArray[np.uint8]]
    images: NDArray[np.uint8]


def find_digits(image: Any, *, polarity: str = "auto", max_pixels: int = MAX_PIXELS) -> FoundDigits:
    """Find the digits on a page: a number, a row, a form.

    Rows are read from top to bottom, and each row from left to right. Digits that touch each other
    count as one, and anything else that is as large as a digit counts as a digit.

    Parameters
    ----------
    image : path, PIL image or array of shape (height, width) or (height, width, channels)
        An upright page, as for :meth:`DigitPreprocessor.transform`.
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether ink is darker or lighter than its background.
    max_pixels : int, default=100_000_000
        A file with more pixels is rejected before it is decoded.

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
        raise ValueError(
            f"image must be a single picture; got {type(image).__name__}. Pass a path, a PIL image "
            "or an array of shape (height, width) or (height, width, channels)"
        )
    ((name, content),) = each_picture([image])
    page = read_picture(content, name, max_pixels)
    scaled = scale(page, _SMALL, _LARGE)
    ink = find_ink(scaled, polarity, max(scaled.size) / 4)
    shapes = find_shapes(ink)
    digits = _in_reading_order(shapes, _grouped(shapes))
    zoom = max(page.size) / max(scaled.size)
    boxes = np.array([_in_page(bounds(shapes, parts), zoom, page.size) for parts in digits])
    images = [mnist_form(cut_out(ink, shapes, parts)) for parts in digits]
    return FoundDigits(
        boxes.astype(np.int64).reshape(-1, 4),
        [np.asarray(page.crop(tuple(box))) for box in boxes.tolist()],
        np.array(images, np.uint8).reshape(-1, SIDE, SIDE),
    )


def _grouped(shapes: Shapes) -> list[list[int]]:
    """Return the labels of each digit: large shapes and the small ones that belong to them."""
    heights = np.array([box.size for box in shapes.boxes])
    if not len(heights):
        return []
    # Most of the ink is in the digits, even if there are many dots.
    order = np.argsort(heights)
    usual = heights[order][np.searchsorted(np.cumsum(shapes.ink[order]), shapes.ink.sum() / 2)]
    frames = [is_frame(shapes, label) for label in range(1, len(heights) + 1)]
    fitting = (heights <= _HIGHEST * usual) & ~np.array(frames)
    large = np.flatnonzero(fitting & (heights >= _LOWEST * usual)) + 1
    small = np.flatnonzero(fitting & (heights < _LOWEST * usual)) + 1
    digits = _joined(shapes, [[int(label)] for label in large])
    reach = 0.12 * usual
    for label in small:
        gaps = [_gap(shapes.boxes[label - 1], bounds(shapes, parts)) for parts in digits]
        if gaps and min(gaps) <= reach:
            digits[int(np.argmin(gaps))].append(int(label))
    return digits


def _joined(shapes: Shapes, digits: list[list[int]]) -> list[list[int]]:
    """Join parts that are close above each other, such as the bar of a 5 or a broken stroke."""
    waiting = sorted(digits, key=lambda parts: bounds(shapes, parts).left)
    joined: list[list[int]] = []
    while waiting:
        parts = waiting.pop(0)
        box = bounds(shapes, parts)
        for k, other in enumerate(waiting):
            beside = bounds(shapes, other)
            if beside.left >= box.right:
                joined.append(parts)
                break
            if _belong_together(box, beside):
                waiting[k] = parts + other
                waiting.sort(key=lambda parts: bounds(shapes, parts).left)
                break
        else:
            joined.append(parts)
    return joined


def _belong_together(a: Box, b: Box) -> bool:
    shared = min(a.right, b.right) - max(a.left, b.left)
    apart = max(a.top, b.top) - min(a.bottom, b.bottom)
    return shared > 0.3 * min(a.width, b.width) and apart < 0.1 * max(a.size, b.size)


def _gap(a: Box, b: Box) -> float:
    """Return the distance between two boxes, 0 if they overlap."""
    down = max(a.top, b.top) - min(a.bottom, b.bottom)
    across = max(a.left, b.left) - min(a.right, b.right)
    return float(np.hypot(max(down, 0), max(across, 0)))


def _in_reading_order(shapes: Shapes, digits: list[list[int]]) -> list[list[int]]:
    """Sort digits into rows, which may be tilted, and each row from left to right."""
    rows: list[list[tuple[Box, list[int]]]] = []
    placed = sorted(((bounds(shapes, parts), parts) for parts in digits), key=lambda d: d[0].left)
    for box, parts in placed:
        middle = (box.top + box.bottom) / 2
        near = [row for row in rows if row[-1][0].top < middle < row[-1][0].bottom]
        if near:
            best = min(near, key=lambda row: abs(row[-1][0].top + row[-1][0].bottom - 2 * middle))
            best.append((box, parts))
        else:
            rows.append([(box, parts)])
    rows.sort(key=lambda row: float(np.mean([box.top + box.bottom for box, _ in row])))
    return [parts for row in rows for _, parts in row]


def _in_page(box: Box, zoom: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box in the unscaled page."""
    width, height = size
    return (
        int(box.left * zoom),
        int(box.top * zoom),
        min(width, int(np.ceil(box.right * zoom))),
        min(height, int(np.ceil(box.bottom * zoom))),
    )
