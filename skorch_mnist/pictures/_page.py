"""The digits on a page."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import SIDE

from ._attempts import stages_of
from ._digits import Kind, Stages, cut_out, in_picture
from ._fields import find_fields
from ._ink import brightness, contrast_map, ink_color, is_text_light, scale, with_open_eyes
from ._judge import likeness
from ._layout import digits_among, in_reading_order, separated, usual_height
from ._lines import Grid, Mask, drawn, extended, find_lines, grids
from ._mnist_form import mnist_form
from ._preprocessor import MAX_PIXELS, check_max_pixels, check_polarity
from ._reading import is_one, one_picture, read_picture
from ._shapes import bounds, filled, find_shapes, ink_mask
from ._sheet import only_sheet

_SMALL, _LARGE = 1000, 1600  # pixels of the longer side of a page while digits are searched for
_REACH = 1 / 12  # of the longer side: anything wider counts as paper
_THICKEST = 0.016  # of the longer side: anything thicker is not a line
_SHORTEST = 0.08  # of the longer side: a shorter line may be the stroke of a digit
_LONGER = 1.5  # times the height of a usual digit: so may a line shorter than that
_CELL = 0.9  # times the height of a usual digit: a smaller cell of a grid does not hold one
_IN_GRID = 0.25, 0.9  # times the side of a cell: the heights of the digits in a grid
_IN_FIELD = 0.5, 1.4  # times the width of a cell: and of those in the fields of a form
_EDGE = 0.33  # of the strength of ink nearby: lines of a grid are fainter than digits
_MISSED = 3  # times the height of a digit: the missed part of a line is shorter
_ALONG = 0.4  # of the height of a digit: the width of the band around a line for its pieces
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
_SMALLER_GRID = 0.3  # of the area of the largest grid: smaller ones are not searched
_MUCH = 0.25  # of the lines of all grids: a shape with as many is a grid


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

    Rows are read from top to bottom, and each row from left to right. Digits that touch are
    separated if they share at most one stroke. Lines, boxes, small print, blots and dirt are
    ignored; anything else that is as large as a digit is treated as one. If there is a grid, only
    the digits in it are returned.

    Parameters
    ----------
    image : path, binary file, bytes, PIL image or array
        An upright page, as for :meth:`DigitPreprocessor.stages`: an array of shape (3, height,
        width) is in color.
    page : bool or "auto", default=True
        Whether the page may show several digits. False finds a single digit, like
        :class:`DigitPreprocessor`. "auto" decides based on the picture: on what looks like a digit
        to the classifier that comes with the package.
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
        found = _on_page(picture, polarity, is_surely_page=True)
        if len(found.boxes):
            return found
    single = stages_of(picture, polarity, retry=True)
    if page == "auto" and (single is None or not _is_alone(single, picture)):
        found = _on_page(picture, polarity, is_surely_page=False)
        if single is None or _is_page(found, single):
            return found
    if single is None:
        return _empty(picture)
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


def _is_page(found: FoundDigits, single: Stages) -> bool:
    """Return whether there are several digits rather than a single one, its parts and dirt."""
    heights = found.boxes[:, 3] - found.boxes[:, 1]
    if len(heights) < 2:
        return False
    alike = likeness([single.image, *found.images]) >= 0
    is_digit, are_digits = alike[0], alike[1:] & (heights >= _LEGIBLE)
    if not alike.any():
        return bool(np.median(heights) > _ALIKE * heights.max())
    if are_digits.sum() > _SEGMENTS and are_digits.mean() >= _MOSTLY:
        return True
    if are_digits.mean() < _HARDLY:
        return False
    left, top, right, bottom = single.box
    as_high = are_digits & (heights > _ALIKE * (bottom - top))
    x, y = (found.boxes[:, :2] + found.boxes[:, 2:]).T / 2
    outside = (x < left) | (x > right) | (y < top) | (y > bottom)
    return bool((as_high & outside).any() or (as_high.sum() > 1 and not is_digit))


def _digits_at(picture: NDArray[np.uint8], boxes: list[Any], images: list[Any]) -> FoundDigits:
    crops = [picture[top:bottom, left:right] for left, top, right, bottom in boxes]
    return FoundDigits(
        np.array(boxes, np.int64).reshape(-1, 4),
        [np.stack([crop] * 3, axis=-1) if crop.ndim == 2 else crop.copy() for crop in crops],
        np.array(images, np.uint8).reshape(-1, SIDE, SIDE),
    )


def _empty(picture: NDArray[np.uint8]) -> FoundDigits:
    return _digits_at(picture, [], [])


def _on_page(picture: NDArray[np.uint8], polarity: str, is_surely_page: bool) -> FoundDigits:
    """Return the digits in a picture, dark or light ones."""
    scaled = only_sheet(scale(picture, _SMALL, _LARGE))
    _, is_light = ink_color(scaled, polarity)
    found = _of_polarity(picture, scaled, is_light)
    # The strokes of a single digit that fills the picture are too thick for a page.
    may_be_text = is_surely_page or len(found.boxes) > 1
    if polarity == "auto" and is_text_light(scaled) != is_light and may_be_text:
        # What is around thick strokes, and in their eyes, is smaller than the digits, or rarer.
        found = max(found, _of_polarity(picture, scaled, not is_light), key=_total_height)
    return found


def _total_height(found: FoundDigits) -> int:
    """Return the sum of the heights of all digits."""
    return int((found.boxes[:, 3] - found.boxes[:, 1]).sum())


def _of_polarity(
    picture: NDArray[np.uint8], scaled: NDArray[np.uint8], is_light: bool
) -> FoundDigits:
    longer = max(scaled.shape[:2])
    gray = brightness(scaled, np.full(3, 1 / 3, np.float32), is_light)
    ink = contrast_map(gray, _REACH * longer, is_light)
    mask = ink_mask(ink, 0.75 * _REACH * longer, _EDGE)
    thickest = max(4, round(_THICKEST * longer))
    usual = usual_height(find_shapes(mask, ink, 0))
    lines = find_lines(mask, thickest, max(_SHORTEST * longer, _LONGER * usual), hidden=True)
    found = grids(lines, thickest, _CELL * usual)
    fields = [] if found else find_fields(mask, lines)
    lines.upright.extend(bar for field in fields for bar in field.bars)
    covered, crossed = drawn(lines, mask)
    erased = covered & ~crossed
    ink = np.where(erased, 0, ink)
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    on_lines = np.bincount(labels[covered & mask].astype(np.intp), minlength=count) > 0
    whole = mask & ~on_lines[labels]
    written = _written(labels, found, covered & mask) if found else mask
    shapes = find_shapes(mask & ~erased & written, ink, 0)
    cell = float(np.median(np.concatenate([field.widths for field in fields]))) if fields else 0.0
    usual = 0.0
    if found or fields:
        side = np.median([grid.side for grid in found]) if found else cell
        low, high = _IN_GRID if found else _IN_FIELD
        usual = usual_height(shapes, None, (low * side, high * side))
    usual = usual or usual_height(shapes, whole) or usual_height(shapes)
    if not usual:
        return _empty(picture)
    along = extended(lines, mask.shape, _MISSED * usual, _ALONG * usual)
    shapes = find_shapes(separated(shapes, usual), ink, 0)
    digits = in_reading_order(shapes, digits_among(shapes, whole, covered, along, usual, cell))
    ink = np.where(erased, 0, with_open_eyes(ink, gray, usual, is_light))
    zoom = max(picture.shape[:2]) / longer
    boxes = [in_picture(bounds(shapes, parts), zoom, picture.shape) for parts in digits]
    return _digits_at(picture, boxes, [mnist_form(cut_out(ink, shapes, parts)) for parts in digits])


def _written(labels: NDArray[Any], found: list[Grid], covered: Mask) -> Mask:
    """Return where digits may be if there are grids: inside of the large ones."""
    largest = max(grid.area for grid in found)
    drawing = np.zeros(labels.shape, np.uint8)
    for grid in found:
        if grid.area > _SMALLER_GRID * largest:
            cv2.fillConvexPoly(drawing, np.rint(grid.outline).astype(np.int32), 1)
    inside = drawing > 0
    # Some lines of the grid may have been missed, but they are part of the same shape.
    pixels = np.bincount(labels[covered & inside])
    for label in np.flatnonzero(pixels > _MUCH * pixels.sum()):
        inside |= filled(labels == label)
    return inside
