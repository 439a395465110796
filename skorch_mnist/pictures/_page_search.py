"""Search a page for digits under some assumptions."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._candidates import Candidate, candidates, chosen, missed, without_letters
from ._fields import Field, field_mask, find_fields
from ._ink import Map, brightness, contrast_map, with_open_eyes
from ._layout import digits_among, in_reading_order, is_box, usual_height
from ._lines import Grid, Mask, drawn, extended, find_lines, grids
from ._shapes import Shapes, filled, find_shapes, ink_mask, is_blot
from ._touching import recut, separated

_REACH = 1 / 12  # of the longer side: anything wider counts as paper
_NEARBY = 0.75  # of that reach: the ink around a place that is compared with it
_EDGE, _STRICT_EDGE = 0.33, 0.6  # of the strength of ink nearby: lines of a grid are fainter
_THICKEST = 0.016  # of the longer side: anything thicker is not a line
_SHORTEST = 0.08  # of the longer side: a shorter line may be the stroke of a digit
_LONGER = 1.5  # times the height of a usual digit: so may a line shorter than that
_CELL = 0.9  # times the height of a usual digit: a smaller cell of a grid does not hold one
_IN_GRID = 0.25, 0.9  # times the side of a cell: the heights of the digits in a grid
_IN_FIELD = 0.5, 1.4  # times the width of a cell: and of those in the fields of a form
_MISSED = 3  # times the height of a digit: the missed part of a line is shorter
_ALONG = 0.4  # of the height of a digit: the width of the band around a line for its pieces
_AROUND_LINE = 5  # pixels: the width of the band for narrow pieces
_LOCAL = 1.2, 0.45  # heights of a digit that count as nearby, and the edge of ink among them
_AS_HIGH = 0.75, 1.3  # times the height of a digit: those beside the fields of a form
_SURELY = 4.5  # above the threshold: so much do these look like digits
_SMALLER_GRID = 0.3  # of the area of the largest grid: smaller ones are not searched
_MUCH = 0.25  # of the lines of all grids: a shape with as many is a grid
_SIZES = 0.012, 0.4  # of the longer side: the heights of digits
_WIDTHS = 0.3, 1.6  # times their height: the widths of digits other than 1
_MANY, _FEW = 30, 0.5  # shapes, and of these: if fewer look like digits, it is a pattern or noise
_JUDGED = 300  # shapes: as many can be judged in a fraction of a second
_LIKELY = 3.0  # above the threshold: shapes that show how high digits are


class Reading(NamedTuple):
    """What was found on a page, in reading order."""

    usual: list[Candidate]  # what is a digit by its geometry
    digits: list[Candidate]  # these or others, by how much they look like digits

    @property
    def ink(self) -> int:
        """The height of everything that was found, in pixels."""
        return sum(digit.box.height for digit in self.digits)

    @property
    def clear(self) -> list[Candidate]:
        """What looks like digits, except 1s, which pieces of lines and dirt look like."""
        return [digit for digit in self.digits if digit.is_digit and not digit.is_narrow]

    @property
    def readable(self) -> int:
        """The height of what clearly looks like digits, in pixels."""
        return sum(digit.box.height for digit in self.clear)

    @property
    def share(self) -> float:
        """The share of that in everything else than 1s, 0 to 1; 0 if there are not several."""
        wide = sum(digit.box.height for digit in self.digits if not digit.is_narrow)
        return self.readable / wide if len(self.clear) > 1 else 0.0


def search(page: NDArray[np.uint8], is_light: bool, judged: bool = False) -> Reading:
    """Return what may be digits on a page.

    Parameters
    ----------
    page : ndarray of shape (height, width, 3)
        The page, scaled.
    is_light : bool
        Whether its ink is lighter than its paper.
    judged : bool
        Whether the usual height of digits is that of what looks like digits, rather than that of
        most of the ink.
    """
    longer = max(page.shape[:2])
    gray = brightness(page, np.full(3, 1 / 3, np.float32), is_light)
    ink = contrast_map(gray, _REACH * longer, is_light)
    nearby = _NEARBY * _REACH * longer
    mask = ink_mask(ink, nearby, _EDGE)
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
    written = ~erased & (_written(labels, found, covered & mask) if found else True)
    joined = find_shapes(mask & written, ink, 0)
    cell = float(np.median(np.concatenate([field.widths for field in fields]))) if fields else 0.0
    side = float(np.median([grid.side for grid in found])) if found else cell
    usual = _usual_height(joined, ink, whole, side, bool(found), judged)
    if not usual:
        return Reading([], [])
    along = extended(lines, mask.shape, _MISSED * usual, _ALONG * usual)
    shapes = find_shapes(separated(joined, usual), ink, 0)
    eyes = np.where(erased, 0, with_open_eyes(ink, gray, usual, is_light))
    first = candidates(shapes, eyes, digits_among(shapes, whole, covered, along, usual, cell))
    heights = [digit.box.height for digit in first if digit.is_digit]
    if len(first) > _MANY and len(heights) < _FEW * len(first):
        return Reading(_ordered(first), _ordered(first))
    usual = float(np.median(heights)) if len(heights) > 2 else usual
    digits = recut(joined, eyes, usual, first)
    band = cv2.dilate((covered | along).astype(np.uint8), np.ones((_AROUND_LINE,) * 2, np.uint8))
    near = contrast_map(gray, _LOCAL[0] * usual, is_light)
    strict = find_shapes(ink_mask(ink, nearby, _STRICT_EDGE) & written, ink, 0)
    local = find_shapes(ink_mask(near, _LOCAL[0] * usual, _LOCAL[1]) & written, near, 0)
    others = [
        other
        for some, strength in ((shapes, ink), (strict, ink), (local, near))
        for other in missed(some, strength, eyes, usual, digits, band > 0)
    ]
    if fields:
        digits, others = _in_fields(fields, mask.shape, usual, digits, others)
    others = without_letters(others, shapes, usual, digits)
    return Reading(_ordered(first), _ordered(chosen(digits, others, usual)))


def _ordered(digits: list[Candidate]) -> list[Candidate]:
    return [digits[k] for k in in_reading_order([digit.box for digit in digits])]


def _usual_height(
    shapes: Shapes, ink: Map, whole: Mask, side: float, has_grid: bool, judged: bool
) -> float:
    """Return the height of a usual digit in pixels, or 0; ``side`` is that of cells, if any."""
    usual = _judged_height(shapes, ink) if judged else 0.0
    if not usual and side:
        low, high = _IN_GRID if has_grid else _IN_FIELD
        usual = usual_height(shapes, None, (low * side, high * side))
    return usual or usual_height(shapes, whole) or usual_height(shapes)


def _judged_height(shapes: Shapes, ink: Map) -> float:
    """Return the usual height of shapes that look like digits, or 0 if there are not several."""
    low, high = (share * max(shapes.labels.shape) for share in _SIZES)
    possible = [
        k
        for k, box in enumerate(shapes.boxes)
        if low < box.height < high
        and _WIDTHS[0] * box.height < box.width < _WIDTHS[1] * box.height
        and not is_blot(shapes, k)
        and not is_box(shapes, k)
    ]
    possible.sort(key=lambda k: -shapes.ink[k])
    digits = candidates(shapes, ink, [[k] for k in possible[:_JUDGED]])
    heights = np.sort([digit.box.height for digit in digits if digit.alike > _LIKELY])
    if len(heights) < 2:
        return 0.0
    total = np.cumsum(heights)
    return float(heights[int(np.searchsorted(total, total[-1] / 2))])


def _in_fields(
    fields: list[Field],
    shape: tuple[int, int],
    usual: float,
    digits: list[Candidate],
    others: list[Candidate],
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the digits and the others that are in fields, or are surely digits."""
    inside = field_mask(fields, shape)

    def is_inside(some: Candidate) -> bool:
        top, left, bottom, right = some.box
        return bool(inside[(top + bottom) // 2, (left + right) // 2])

    def is_as_high(some: Candidate) -> bool:
        return _AS_HIGH[0] < some.box.height / usual < _AS_HIGH[1]

    def is_clear(some: Candidate) -> bool:
        return some.alike > _SURELY and not some.is_narrow

    return (
        [
            digit
            for digit in digits
            if is_inside(digit) or (digit.is_digit and (not digit.is_narrow or is_as_high(digit)))
        ],
        [other for other in others if is_inside(other) or (is_clear(other) and is_as_high(other))],
    )


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
