"""The digits among the shapes on a page, and their order."""

from __future__ import annotations

from itertools import chain

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
FLATTEST = 1.6  # times its height: a wider shape is a dash
_THINNEST = 0.45  # of the usual width of strokes: thinner shapes are pieces of lines
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
        and 0.1 * box.height < box.width <= FLATTEST * box.height
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
            box.width <= FLATTEST * box.height
            and shapes.stroke[k] > _THINNEST * stroke
            and (apart[k] or not _is_of_line(shapes, k, covered, along, usual))
        ):
            large.append(k)
    prints = words(boxes, [k for k, box in enumerate(boxes) if box.height < _PRINT * usual])
    letters = [k for k in large if boxes[k].height < _PRINT_BY_CELL * usual]
    in_words = set(chain(*prints, *words(boxes, letters, _CLOSE * cell)))
    digits = _joined(shapes, [[k] for k in large if k not in in_words], _HIGHEST_JOINED * usual)
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


def words(boxes: list[Box], letters: list[int], farthest: float = np.inf) -> list[list[int]]:
    """Group letters into words: neighbors whose centers are at most ``farthest`` pixels apart."""
    edges = np.array([boxes[k] for k in letters], float).reshape(-1, 4)
    unseen = np.ones(len(letters), bool)
    found = []
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
            found.append(word)
    return found


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


def in_reading_order(boxes: list[Box]) -> list[int]:
    """Return the order of digits: in rows, which may be tilted, and each row from left to right."""
    rows: list[list[int]] = []
    for k in sorted(range(len(boxes)), key=lambda k: boxes[k].left):
        middle = (boxes[k].top + boxes[k].bottom) / 2
        near = [row for row in rows if boxes[row[-1]].top < middle < boxes[row[-1]].bottom]
        if near:
            min(near, key=lambda row: abs(_twice_middle(boxes[row[-1]]) - 2 * middle)).append(k)
        else:
            rows.append([k])
    rows.sort(key=lambda row: float(np.mean([_twice_middle(boxes[k]) for k in row])))
    return [k for row in rows for k in row]


def _twice_middle(box: Box) -> int:
    return box.top + box.bottom
