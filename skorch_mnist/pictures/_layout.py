"""The digits among the shapes on a page, and their order."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ._lines import Mask
from ._shapes import Box, Shapes, around, border_pixels, bounds, is_blot, is_frame

_LARGEST = 0.4  # of the longer side of the page: larger shapes are not digits
# In heights of a usual digit.
_LARGER = 1.5, 4.0  # shapes that may be digits if most of the ink is in small print
_ENOUGH = 0.2  # of the ink of what looks like digits: larger shapes that hold more are the digits
_LOWEST = 0.5  # smaller shapes are dots, dashes and dirt
_HIGHEST = 1.8  # larger shapes are frames and pictures
_HIGHEST_JOINED = 3.0  # parts are not joined to anything higher; those of displays may be small
_LOWEST_BY_LINE = 0.7  # smaller shapes at a line are pieces of it
_NARROWEST_BY_LINE = 0.2  # so are narrower shapes,
_NARROW_ON_LINE = 0.6  # and narrower shapes in the middle of a line
_SEPARATOR = 0.35  # times its height: a narrower shape between two lines is a line
_USUAL = 0.7, 1.4  # the sizes of shapes that show how wide and how dark strokes are
_NEAR = 0.12  # small shapes that belong to a digit are nearer
_FLATTEST = 1.6  # times its height: a wider shape is a dash
_THINNEST = 0.45  # of the usual width of strokes: thinner shapes are pieces of lines
_WIDE = 1.0  # times its height and that of a usual digit: a wider shape may be several digits
_SURELY_WIDE = 1.4  # times its height: a wider shape is several digits
_ONE_STROKE = 1.7  # widths of a stroke: where digits touch, they share less ink
_TALL = 0.7  # of the height of touching digits: each of them is higher
_SLANT = 0.3  # pixels of ink that a cut may cross rather than move to the next column
_NARROW = 0.22  # of the height: the least width of a digit
_THIN_OUTLINE = 0.12  # of the size of a box: digits of displays have wider strokes
_DARK = 0.75  # quantile of the strength of ink: noise may look like most of the digits
_FAINTEST = 0.45  # of that strength: fainter shapes are stains and noise
_AT_BORDER = 0.3  # of the size of a shape: with more pixels on the border, it runs along it
_INNER = 0.2  # of the height of a shape: higher shapes in it are digits
_PRINT = 0.75  # of the usual size: letters of labels are smaller
_PRINT_BY_CELL = 1.3  # so are larger ones that are closer to each other than cells of a form:
_CLOSE = 0.7  # of the width of a cell
_WORD = 3  # letters
_LEVEL = 0.4  # of the height of the lower letter: letters of a word share more rows
_SPACE = 0.8  # of the height of the higher letter: they are nearer
_DUST = 0.08  # smaller shapes are never parts of a digit


def usual_height(
    shapes: Shapes, whole: Mask | None = None, between: tuple[float, float] = (0, np.inf)
) -> float:
    """Return the height of a usual digit in pixels, or 0 if nothing looks like a digit.

    Parameters
    ----------
    shapes : Shapes
    whole : ndarray of bool, shape (height, width), or None
        The pixels of shapes that do not touch a line. If there are a few, only they count.
    between : tuple of float
        The range of heights in pixels that digits may have in the cells of the page, if there are
        any. Without it, larger shapes with enough ink are the digits rather than small print.
    """
    boxes, longer = shapes.boxes, max(shapes.labels.shape)
    at_border = border_pixels(shapes.labels, len(boxes))
    empty = ~_contain_others(boxes)
    digits = [
        k
        for k, box in enumerate(boxes)
        if box.size < _LARGEST * longer
        and between[0] < box.height < between[1]
        and not at_border[k]
        and empty[k]
        and 0.1 * box.height < box.width <= _FLATTEST * box.height
        and not is_box(shapes, k)
        and not is_blot(shapes, k)
    ]
    apart = [k for k in digits if whole is None or is_whole(shapes, k, whole)]
    counted = apart if len(apart) >= 3 else digits
    total, usual = shapes.ink[digits].sum(), 0
    largest = _LARGER[1] if between[1] == np.inf else 0
    # Digits are larger than letters: if enough ink is in larger shapes, these are the digits.
    while len(counted) >= (3 if usual else 1) and shapes.ink[counted].sum() > _ENOUGH * total:
        # Most of the ink is in the digits, even if there are many dots, or letters in small print.
        counted.sort(key=lambda k: boxes[k].size)
        share = np.cumsum(shapes.ink[counted])
        usual = boxes[counted[int(np.searchsorted(share, share[-1] / 2))]].height
        counted = [k for k in digits if _LARGER[0] * usual < boxes[k].height < largest * usual]
    return float(usual)


def _contain_others(boxes: list[Box]) -> NDArray[np.bool_]:
    """Return whether each box contains several others that may be digits."""
    found = np.zeros(len(boxes), bool)
    if not boxes:
        return found
    tops, lefts, bottoms, rights = np.array(boxes).T
    rows, columns = (tops + bottoms) / 2, (lefts + rights) / 2
    heights = bottoms - tops
    # A page may have tens of thousands of dots: only boxes with several centers are looked into.
    centers = np.zeros((bottoms.max(), rights.max()))
    np.add.at(centers, (rows.astype(int), columns.astype(int)), 1)
    total = cv2.integral(centers)
    inside = total[bottoms, rights] - total[tops, rights] - total[bottoms, lefts]
    for k in np.flatnonzero(inside + total[tops, lefts] > 2):  # with its own center
        top, left, bottom, right = boxes[k]
        others = (top < rows) & (rows < bottom) & (left < columns) & (columns < right)
        others &= (heights > _INNER * (bottom - top)) & (heights < bottom - top)
        found[k] = others.sum() >= 2
    return found


def is_whole(shapes: Shapes, k: int, whole: Mask) -> bool:
    """Return whether a shape did not touch a line."""
    top, left, bottom, right = shapes.boxes[k]
    here = shapes.labels[top:bottom, left:right] == k + 1
    return bool(whole[top:bottom, left:right][here].all())


def is_box(shapes: Shapes, k: int) -> bool:
    """Return whether a shape is a printed box: a thin outline with four corners."""
    top, left, bottom, right = box = shapes.boxes[k]
    down, across = max(1, box.height // 6), max(1, box.width // 6)
    here = shapes.labels[top:bottom, left:right] == k + 1
    if shapes.stroke[k] > _THIN_OUTLINE * box.size or here[down:-down, across:-across].any():
        return False
    corners = [here[rows, columns] for rows in _ends(down) for columns in _ends(across)]
    return all(corner.any() for corner in corners)


def _ends(size: int) -> tuple[slice, slice]:
    return slice(None, size), slice(-size, None)


def separated(shapes: Shapes, usual: float) -> Mask:
    """Return the pixels of all shapes, without those where digits touch each other."""
    mask = shapes.labels > 0
    for k, box in enumerate(shapes.boxes):
        if _LOWEST * usual < box.height < _HIGHEST * usual:
            rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
            shape = shapes.labels[rows, columns] == k + 1
            remaining = shape.copy()
            _separate(remaining, float(shapes.stroke[k]), usual)
            mask[rows, columns] &= ~shape | remaining
    return mask


def _separate(shape: Mask, stroke: float, usual: float) -> None:
    """Clear the pixels of a shape where digits touch.

    A cut crosses one stroke, which digits such as 0 and 8 do not allow, unless the shape is surely
    wider than a digit. What remains on both sides is almost as high as the shape, which keeps
    digits such as 4 and 7 whole.
    """
    inked = [np.flatnonzero(shape.any(axis=axis)) for axis in (1, 0)]
    shape = shape[tuple(slice(some[0], some[-1] + 1) for some in inked)]
    height, width = shape.shape
    if width <= _WIDE * max(height, usual):
        return
    columns, rows = np.arange(width), np.arange(height)
    for margin in range(int(_NARROW * height) + 1, width // 2, max(1, height // 20)):
        cut = _cheapest_cut(shape, margin)
        # Of a cut that is one pixel wide, both sides would touch diagonally.
        sides = columns < cut[:, None], columns > cut[:, None] + 1
        if all(_rows_of(shape & side) > _TALL * height for side in sides):
            break
    else:
        return
    crossed = shape[rows, cut]
    strokes = np.count_nonzero(np.diff(crossed, prepend=False, append=False)) // 2
    if width < _SURELY_WIDE * height and (strokes > 1 or crossed.sum() > _ONE_STROKE * stroke + 1):
        return
    parts = [shape & side for side in sides]
    for part in parts:
        _separate(part, stroke, usual)
    shape &= parts[0] | parts[1]


def _rows_of(mask: Mask) -> int:
    rows = np.flatnonzero(mask.any(axis=1))
    return int(np.ptp(rows)) + 1 if len(rows) else 0


def _cheapest_cut(shape: Mask, margin: int) -> NDArray[np.intp]:
    """Return the column in each row of the path from top to bottom that crosses the least ink.

    The path is found by dynamic programming, like a seam in "seam carving" (Avidan and Shamir,
    2007). It stays ``margin`` columns away from both sides.
    """
    cost = shape[:, margin : shape.shape[1] - margin].astype(np.float32) + 0.001
    total = cost.copy()
    for row in range(1, len(cost)):
        before = total[row - 1]
        nearest = before.copy()
        nearest[1:] = np.minimum(nearest[1:], before[:-1] + _SLANT)
        nearest[:-1] = np.minimum(nearest[:-1], before[1:] + _SLANT)
        total[row] += nearest
    path = np.empty(len(cost), np.intp)
    path[-1] = int(total[-1].argmin())
    for row in range(len(cost) - 2, -1, -1):
        near = np.arange(max(0, path[row + 1] - 1), min(path[row + 1] + 2, cost.shape[1]))
        path[row] = near[(total[row, near] + _SLANT * (near != path[row + 1])).argmin()]
    return path + margin


def digits_among(
    shapes: Shapes, whole: Mask, covered: Mask, along: Mask, usual: float, cell: float
) -> list[list[int]]:
    """Return the parts of each digit: large shapes and the small ones that belong to them.

    Parameters
    ----------
    shapes : Shapes
    whole : ndarray of bool, shape (height, width)
        The pixels of shapes that do not touch a line.
    covered : ndarray of bool, shape (height, width)
        The pixels of lines.
    along : ndarray of bool, shape (height, width)
        Where pieces of lines may be that were not found.
    usual : float
        The height of a usual digit in pixels.
    cell : float
        The width of the cells of a form in pixels, 0 if there are none.
    """
    boxes = shapes.boxes
    apart = [is_whole(shapes, k, whole) for k in range(len(boxes))]
    alike = [
        k for k, box in enumerate(boxes) if apart[k] and _USUAL[0] < box.size / usual < _USUAL[1]
    ]
    stroke = float(np.median(shapes.stroke[alike])) if alike else 0.0
    strength = shapes.ink / np.maximum(shapes.area, 1)
    faintest = _FAINTEST * float(np.quantile(strength[alike], _DARK)) if alike else 0.0
    filled = _contain_others(boxes)
    at_border = border_pixels(shapes.labels, len(boxes))
    large, small = [], []
    for k, box in enumerate(boxes):
        if box.size > _HIGHEST * usual or filled[k] or strength[k] < faintest:
            continue
        if at_border[k] > _AT_BORDER * box.size:
            continue
        if is_box(shapes, k) or is_frame(shapes, k):
            continue
        if box.size < _LOWEST * usual:
            if box.size > _DUST * usual:
                small.append(k)
        elif (
            box.width <= _FLATTEST * box.height
            and shapes.stroke[k] > _THINNEST * stroke
            and (apart[k] or not _is_of_line(shapes, k, covered, along, usual))
        ):
            large.append(k)
    words = _words(boxes, [k for k, box in enumerate(boxes) if box.height < _PRINT * usual])
    letters = [k for k in large if boxes[k].height < _PRINT_BY_CELL * usual]
    words |= _words(boxes, letters, _CLOSE * cell)
    digits = _joined(shapes, [[k] for k in large if k not in words], _HIGHEST_JOINED * usual)
    edges = np.array([bounds(shapes, parts) for parts in digits], float).reshape(-1, 4)
    for k in small if digits else ():
        gaps = _gaps(boxes[k], edges)
        nearest = int(gaps.argmin())
        if apart[k] and gaps[nearest] <= _NEAR * usual:
            digits[nearest].append(k)
            edges[nearest] = around([Box(*edges[nearest]), boxes[k]])
    return digits


def _is_of_line(shapes: Shapes, k: int, covered: Mask, along: Mask, usual: float) -> bool:
    """Return whether a shape at a line is part of it, or is a line between two others."""
    top, left, bottom, right = box = shapes.boxes[k]
    if box.height < _LOWEST_BY_LINE * usual or box.width < _NARROWEST_BY_LINE * usual:
        return True
    if box.width < _NARROW_ON_LINE * usual and along[(top + bottom) // 2, (left + right) // 2]:
        return True
    around = covered[max(0, top - 3) : bottom + 3, max(0, left - 3) : right + 3]
    first, last = (around[rows] for rows in _ends(max(1, len(around) // 8)))
    return bool(first.any() and last.any() and box.width < _SEPARATOR * box.height)


def _words(boxes: list[Box], letters: list[int], farthest: float = np.inf) -> set[int]:
    """Return the letters of words in small print, whose centers are no farther apart."""
    edges = np.array([boxes[k] for k in letters], float).reshape(-1, 4)
    unseen = np.ones(len(letters), bool)
    words: set[int] = set()
    for first in range(len(letters)):
        word, waiting = [], [first] if unseen[first] else []
        while waiting:
            letter = waiting.pop()
            unseen[letter] = False
            word.append(letters[letter])
            beside = np.flatnonzero(unseen & _are_beside(edges[letter], edges, farthest))
            unseen[beside] = False
            waiting += beside.tolist()
        if len(word) >= _WORD:
            words.update(word)
    return words


def _are_beside(
    box: NDArray[np.float64], others: NDArray[np.float64], farthest: float
) -> NDArray[np.bool_]:
    """Return which other boxes may be the next letters of a word.

    A box is its top, left, bottom and right in pixels.
    """
    top, left, bottom, right = box
    tops, lefts, bottoms, rights = others.T
    heights = bottoms - tops
    level = np.minimum(bottom, bottoms) - np.maximum(top, tops)
    gaps = np.maximum(left, lefts) - np.minimum(right, rights)
    same_row = level > _LEVEL * np.minimum(bottom - top, heights)
    near = np.abs(left + right - lefts - rights) < 2 * farthest
    return np.asarray(same_row & near & (gaps < _SPACE * np.maximum(bottom - top, heights)))


def _joined(shapes: Shapes, digits: list[list[int]], highest: float) -> list[list[int]]:
    """Join parts that are close above each other, such as the bar of a 5 or a broken stroke.

    What would be higher than ``highest`` in pixels is not one digit.
    """
    digits = sorted(digits, key=lambda parts: bounds(shapes, parts).left)
    boxes = [bounds(shapes, parts) for parts in digits]
    edges = np.array(boxes, float).reshape(-1, 4)
    waiting = np.ones(len(digits), bool)
    joined = []
    for first, box in enumerate(boxes):
        if not waiting[first]:
            continue
        waiting[first] = False
        parts = [*digits[first]]
        while len(near := np.flatnonzero(waiting & _belong_together(box, edges, highest))):
            waiting[near[0]] = False
            parts += digits[near[0]]
            box = around([box, boxes[near[0]]])
        joined.append(parts)
    return joined


def _belong_together(box: Box, others: NDArray[np.float64], highest: float) -> NDArray[np.bool_]:
    """Return which other boxes contain parts of the digit in a box."""
    tops, lefts, bottoms, rights = others.T
    shared = np.minimum(box.right, rights) - np.maximum(box.left, lefts)
    apart = np.maximum(box.top, tops) - np.minimum(box.bottom, bottoms)
    heights, widths = bottoms - tops, rights - lefts
    beside = shared > 0.3 * np.minimum(box.width, widths)
    sizes = np.maximum(heights, widths)
    low = np.maximum(box.bottom, bottoms) - np.minimum(box.top, tops) <= highest
    return np.asarray(beside & low & (apart < 0.1 * np.maximum(box.size, sizes)))


def _gaps(box: Box, others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from a box to each of some others, 0 where they overlap."""
    tops, lefts, bottoms, rights = others.T
    down = np.maximum(box.top, tops) - np.minimum(box.bottom, bottoms)
    across = np.maximum(box.left, lefts) - np.minimum(box.right, rights)
    return np.asarray(np.hypot(np.maximum(down, 0), np.maximum(across, 0)))


def in_reading_order(shapes: Shapes, digits: list[list[int]]) -> list[list[int]]:
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
