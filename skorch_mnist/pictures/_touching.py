"""Separate digits that touch each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._candidates import Candidate, shared
from ._digits import even_ink
from ._ink import Map
from ._judge import likeness
from ._layout import is_box
from ._lines import Mask
from ._mnist_form import mnist_form
from ._shapes import Box, Shapes, around, border_pixels, is_blot, is_frame

_LOWEST, _HIGHEST = 0.5, 1.8  # times the height of a usual digit: those of digits that touch
_WIDE = 1.0  # times its height and that of a usual digit: a wider shape may be several digits
_SURELY_WIDE = 1.4  # times its height: a wider shape is several digits
_ONE_STROKE = 1.7  # widths of a stroke: where digits touch, they share less ink
_TALL = 0.7  # of the height of touching digits: each of them is higher
_SLANT = 0.3  # pixels of ink that a cut may cross rather than move to the next column
_NARROW = 0.22  # of the height: the least width of a digit
# In heights of a usual digit.
_ROW = 0.6, 8.0  # the widths of shapes that are searched for digits
_STEP = 1 / 6  # the distance between two cuts that are tried
_PIECE = 1.6  # the largest height and width of a digit between two cuts
_AT_BORDER = 0.3  # of the size of a shape: with more pixels on the border, it runs along it
_INSIDE = 0.9  # of the box of a digit in that of a shape
_COVERED = 0.7  # of the width of a shape: if digits cover more, nothing is missing
_SURE, _NOT = 4.5, -3.0  # above the threshold: beyond these, pieces are equally good or bad
_EACH = 1.0  # above the threshold: how much better a piece must be for one more cut
_ALL = 2.0  # above the threshold: all pieces of a shape look as much like digits


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


def recut(shapes: Shapes, ink: Map, usual: float, digits: list[Candidate]) -> list[Candidate]:
    """Return the digits, with those that touch cut where all pieces look like digits.

    Parameters
    ----------
    shapes : Shapes
        The shapes before they were separated.
    ink : ndarray of shape (height, width), 0 (paper) to 1 (ink)
    usual : float
        The height of a usual digit in pixels.
    digits : list of Candidate
    """
    at_border = border_pixels(shapes.labels, len(shapes.boxes))
    sure = [digit.box for digit in digits if digit.is_digit]
    for k, box in enumerate(shapes.boxes):
        if not _ROW[0] * usual < box.height < _HIGHEST * usual:
            continue
        if not _ROW[0] * usual < box.width < _ROW[1] * usual:
            continue
        if at_border[k] > _AT_BORDER * box.size or is_box(shapes, k) or is_frame(shapes, k):
            continue
        known = sum(digit.width for digit in sure if shared(digit, box) > _INSIDE)
        if known > _COVERED * box.width or is_blot(shapes, k):
            continue
        pieces = _pieces(shapes, k, ink, usual)
        # The strokes of a letter may look like 1s, but not all of them are as high as it.
        lowest = min((piece.box.height for piece in pieces), default=0)
        if len(pieces) < 2 or lowest < _TALL * box.height:
            continue
        if min(piece.alike for piece in pieces) >= _ALL:
            whole = around([piece.box for piece in pieces])
            digits = [digit for digit in digits if shared(digit.box, whole) < _COVERED] + pieces
    return digits


def _pieces(shapes: Shapes, k: int, ink: Map, usual: float) -> list[Candidate]:
    """Return the pieces of a shape that look most like digits, found by dynamic programming.

    Recognizing what is between any two of many cuts is the usual way to read touching digits
    (R. G. Casey and E. Lecolinet, "A survey of methods and strategies in character segmentation",
    1996).
    """
    box = shapes.boxes[k]
    mask = shapes.labels[box.top : box.bottom, box.left : box.right] == k + 1
    ink = ink[box.top : box.bottom, box.left : box.right]
    cuts = _cuts(mask, max(2, round(_STEP * usual)))
    columns = np.arange(box.width)
    places, boxes, images = [], [], []
    costs = np.full((len(cuts), len(cuts)), np.inf)
    for i, before in enumerate(cuts):
        for j, after in enumerate(cuts[i + 1 :], i + 1):
            if after.mean() - before.mean() > _PIECE * usual:
                break
            piece = mask & (columns > before[:, None]) & (columns < after[:, None])
            if not piece.any():
                costs[i, j] = 0.0
                continue
            inside = _extent(piece)
            if not _LOWEST * usual <= inside.height <= _PIECE * usual:
                continue
            here = np.s_[inside.top : inside.bottom, inside.left : inside.right]
            part = np.pad(piece[here], 3)
            alone = np.where(part, np.pad(ink[here], 3), 0)
            places.append((i, j))
            boxes.append(inside.moved(box.top, box.left))
            images.append(mnist_form(even_ink(alone, part, float(shapes.stroke[k]))))
    some = [Candidate(*each) for each in zip(boxes, images, likeness(images).tolist(), strict=True)]
    found = dict(zip(places, some, strict=True))
    for place, piece in found.items():
        costs[place] = _EACH + _SURE - np.clip(piece.alike, _NOT, _SURE)
    return [found[place] for place in _shortest_path(costs) if place in found]


def _cuts(mask: Mask, step: int) -> list[NDArray[np.intp]]:
    """Return the column in each row of cuts through a shape, from before it to behind it."""
    height, width = mask.shape
    cuts = [np.full(height, -1)]
    for center in range(step, width - step // 2, step):
        first = max(0, center - step)
        if center + step - first > 2:
            cut = _cheapest_cut(mask[:, first : center + step], 0) + first
            if cut.mean() > cuts[-1].mean() + 1:
                cuts.append(cut)
    return [*cuts, np.full(height, width)]


def _extent(mask: Mask) -> Box:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _shortest_path(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the cheapest steps from the first to the last point; empty if it is out of reach."""
    total, before = np.full(len(costs), np.inf), np.zeros(len(costs), int)
    total[0] = 0.0
    for j in range(1, len(costs)):
        ways = total[:j] + costs[:j, j]
        before[j] = ways.argmin()
        total[j] = ways[before[j]]
    steps, j = [], len(costs) - 1
    while j and np.isfinite(total[j]):
        steps.append((int(before[j]), j))
        j = int(before[j])
    return steps
