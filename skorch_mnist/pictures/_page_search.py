"""The digits on a page: where a network finds them, cut out of the ink."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._digits import even_ink, in_picture
from ._finder import FoundBoxes, find_boxes
from ._ink import Map, brightness, contrast_map, ink_color, scale, with_open_eyes
from ._judge import likeness
from ._lines import Line, Lines, Mask, drawn, find_lines
from ._mnist_form import mnist_form
from ._shapes import Box, Shapes, extent, filled, find_shapes, ink_mask

_HIGH, _RATHER_LOW = 46, 0.25  # pixels: the height of low digits while they are cut out
_SMALL, _LARGE = 400, 1600  # pixels: bounds of the longer side of the page then
_LEAST, _SURE = 0.3, 0.5  # scores of boxes that may contain a digit, and even part of a shape
_WEIGHT, _FARTHEST = 0.15, 3.0  # of the likeness, which counts up to that far from the threshold
_NARROW, _MOST = 0.4, 1.0  # of its height: what is narrower looks like a 1, which counts less
_ENOUGH, _CLEARLY = -0.4, 0.4  # evidence of a digit, and of at least one on a page
_MOSTLY = 0.7  # of what was found: if fewer look like digits, the ink may be the paper
_PALEST = 0.35  # of the strength of clear digits: others are hardly paler
_MUCH_HIGHER = 3.0  # times the height of usual digits
_AS_HIGH = 0.75, 1.3  # times the height of a usual digit: most digits are as high
_MUCH_LOWER = 0.3  # of the highest digit: print as low is usually small print beside it
_REACH = 1.2, 1 / 12  # heights of a digit, and of the longer side: anything wider counts as paper
_NEARBY, _EDGE = 0.75, 0.33  # of that reach, and of the strength of ink as near
# In heights of a digit.
_THICKEST = 0.2  # anything thicker is not a line
_SHORTEST = 0.6  # shorter lines are not searched
_LONG = 3.0  # longer lines are not strokes
_OUTSIDE = 0.6  # of a line: with more of it outside of boxes, it is not a stroke
_CELLS = 9  # in a grid, at least
_IN_GRID = 0.7  # of the digits: with more of them in a grid, the others are not digits
_AROUND = 0.12  # of the size of a box: ink as far outside may belong to the digit
_NARROWEST = 0.25  # of its height: the width of a box while ink is shared
_INSIDE = 0.35  # of the ink of a piece: with less in the box, it belongs to something else
_OTHER = 0.3  # of a shape outside of all boxes: with more of it, it is something else
_WHOLE = 0.6  # of a shape: a digit with more of it has all of it
_FEWEST = 6  # pixels of a digit


class Candidate(NamedTuple):
    """A candidate for a digit."""

    box: Box
    image: NDArray[np.uint8]  # (28, 28), in the form of MNIST
    strength: float  # of its ink, which is 1 if it is black
    score: float  # how likely it is a digit, by where it is, 0 to 1
    alike: float  # how much it looks like a digit: 0 or more if it is accepted as one

    @property
    def evidence(self) -> float:
        """How likely it is a digit, by where it is and what it looks like: 0 if that is open."""
        logit = np.log(self.score / (1 - self.score))
        most = _FARTHEST if self.box.width > _NARROW * self.box.height else _MOST
        return float(logit + _WEIGHT * np.clip(self.alike, -_FARTHEST, most))


def digits_on(picture: NDArray[np.uint8], polarity: str) -> list[Candidate]:
    """Return the digits in a picture, in reading order.

    Parameters
    ----------
    picture : ndarray of shape (height, width) or (height, width, 3), dtype uint8
    polarity : {"auto", "dark_on_light", "light_on_dark"}
    """
    found = find_boxes(picture, _LEAST)
    if not len(found.boxes):
        return []
    page, zoom = _scaled(picture, found.boxes)
    found = found._replace(boxes=found.boxes / zoom)
    _, is_light = ink_color(page, polarity)
    candidates = _cut_out(page, found, is_light)
    alike = [k in candidates and candidates[k].alike >= 0 for k in range(len(found.boxes))]
    if polarity == "auto" and np.mean(alike) < _MOSTLY:
        for k, other in _cut_out(page, found, not is_light).items():
            candidates[k] = max(candidates.get(k, other), other, key=lambda some: some.alike)
    if max((some.evidence for some in candidates.values()), default=_ENOUGH) < _CLEARLY:
        return []
    digits = [some for some in candidates.values() if some.evidence >= _ENOUGH]
    digits = _without_pale(_without_small_print(_without_others(digits)))
    in_order = [digits[k] for k in in_reading_order([digit.box for digit in digits])]
    return [digit._replace(box=in_picture(digit.box, zoom, picture.shape)) for digit in in_order]


def _scaled(
    picture: NDArray[np.uint8], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], float]:
    """Return a picture at the size at which its digits are cut out, and how much larger it is."""
    longer = max(picture.shape[:2])
    high = float(np.quantile(boxes[:, 3] - boxes[:, 1], _RATHER_LOW))
    side = int(np.clip(longer * _HIGH / high, _SMALL, _LARGE))
    page = scale(picture, side, side)
    return page, longer / max(page.shape[:2])


def _without_pale(digits: list[Candidate]) -> list[Candidate]:
    """Drop what is much paler than clear digits, such as writing that shows through the sheet.

    The strokes of much higher digits are too wide for the paper that the ink was compared with.
    """
    clear = [digit for digit in digits if digit.alike >= 0]
    if not clear:
        return digits
    palest = _PALEST * float(np.quantile([digit.strength for digit in clear], 0.9))
    high = _MUCH_HIGHER * float(np.median([digit.box.height for digit in clear]))
    return [digit for digit in digits if digit.strength >= palest or digit.box.height > high]


def _without_others(digits: list[Candidate]) -> list[Candidate]:
    """Drop what looks different from a digit, and is not as high as most that look like one."""
    clear = [digit.box.height for digit in digits if digit.alike >= 0]
    if len(clear) < max(3, _MOSTLY * len(digits)):
        return digits
    low, high = (share * float(np.median(clear)) for share in _AS_HIGH)
    return [digit for digit in digits if digit.alike >= 0 or low < digit.box.height < high]


def _without_small_print(digits: list[Candidate]) -> list[Candidate]:
    """Drop what is much lower than a clear digit, if it does not look clearly like digits."""
    clear = [digit.box.height for digit in digits if min(digit.alike, digit.evidence) > 0]
    low = _MUCH_LOWER * max(clear, default=0)
    evidence = [digit.evidence for digit in digits if digit.box.height < low]
    if not evidence or np.median(evidence) >= _CLEARLY:
        return digits
    return [digit for digit in digits if digit.box.height >= low]


def _cut_out(page: NDArray[np.uint8], found: FoundBoxes, is_light: bool) -> dict[int, Candidate]:
    """Return a candidate for each box with ink, by the index of the box."""
    longer, heights = max(page.shape[:2]), found.boxes[:, 3] - found.boxes[:, 1]
    usual = float(np.median(heights))
    gray = brightness(page, np.full(3, 1 / 3, np.float32), is_light)
    reach = min(_REACH[0] * float(np.quantile(heights, 0.9)), _REACH[1] * longer)
    ink = contrast_map(gray, reach, is_light)
    mask = ink_mask(ink, _NEARBY * reach, _EDGE)
    owners, distances = _owners(found.boxes, mask.shape)
    covered, crossed = drawn(_lines_among(mask, distances, usual), mask)
    erased = covered & ~crossed
    shapes = find_shapes(mask & ~erased, ink, 0)
    ink = np.where(erased, 0, with_open_eyes(ink, gray, usual, is_light))
    outside = np.bincount(shapes.labels[owners < 0], minlength=len(shapes.boxes) + 1)[1:]
    is_other = outside > _OTHER * shapes.area  # a letter, of which a stroke is in a box
    unsure = found.scores < _SURE
    cut = {
        k: some
        for k, box in enumerate(found.boxes)
        if (some := _digit_in(k, box, owners, distances, shapes, is_other & unsure[k], ink))
    }
    alike = likeness([image for _, image, _ in cut.values()]).tolist()
    scores = found.scores[list(cut)].tolist()
    judged = {k: Candidate(*cut[k], *some) for k, *some in zip(cut, scores, alike, strict=True)}
    grid = _largest_grid(mask, covered, usual)
    inside = {k: some for k, some in judged.items() if grid[_middle(some.box)]}
    n_inside, n = (sum(c.evidence >= _ENOUGH for c in some.values()) for some in (inside, judged))
    return inside if n_inside > _IN_GRID * n else judged


def _middle(box: Box) -> tuple[int, int]:
    return (box.top + box.bottom) // 2, (box.left + box.right) // 2


def _largest_grid(mask: Mask, covered: Mask, usual: float) -> Mask:
    """Return the pixels inside of the grid with the most ink in its lines, if there is one.

    A grid is a shape with several cells, each of which is large enough for a digit.
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    of_lines = np.bincount(labels[mask & covered], minlength=count)
    shape = labels == of_lines.argmax()
    if not of_lines.any():
        return np.zeros_like(mask)
    outlines, tree = cv2.findContours(
        shape.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    n_cells = sum(
        parent >= 0 and cv2.contourArea(outline) > usual**2
        for outline, (*_, parent) in zip(outlines, tree[0], strict=True)
    )
    return filled(shape) if n_cells >= _CELLS else np.zeros_like(mask)


def _lines_among(mask: Mask, distances: NDArray[np.float32], usual: float) -> Lines:
    """Return the lines that are not strokes of digits: long ones, and those outside of boxes."""

    def others(lines: list[Line], distances: NDArray[np.float32]) -> list[Line]:
        return [
            line
            for line in lines
            if len(line.path) > _LONG * usual or np.mean(line.along(distances) > 1) > _OUTSIDE
        ]

    thickest = max(4, round(_THICKEST * usual))
    found = find_lines(mask, thickest, _SHORTEST * usual, hidden=True)
    return Lines(others(found.level, distances), others(found.upright, distances.T))


def _owners(
    boxes: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the index of the box that each pixel belongs to, -1 outside, and how far out it is.

    A distance of 0 is the middle of the box, and 1 is its side.
    """
    owners, distances = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32)
    for k, (left, top, right, bottom) in enumerate(boxes):
        high = bottom - top
        wide = max(right - left, _NARROWEST * high)
        margin = _AROUND * max(wide, high)
        x, y = (left + right) / 2, (top + bottom) / 2
        rows = slice(max(0, int(y - high / 2 - margin)), max(0, int(y + high / 2 + margin) + 1))
        columns = slice(max(0, int(x - wide / 2 - margin)), max(0, int(x + wide / 2 + margin) + 1))
        here, nearest = owners[rows, columns], distances[rows, columns]
        down = np.abs(np.arange(rows.start, rows.start + len(here)) + 0.5 - y) / (high / 2)
        across = np.abs(np.arange(columns.start, columns.start + here.shape[1]) + 0.5 - x)
        distance = np.maximum(down[:, None], across / (wide / 2)).astype(np.float32)
        nearer = distance < nearest
        here[nearer], nearest[nearer] = k, distance[nearer]
    return owners, distances


def _digit_in(
    k: int,
    box: NDArray[np.float64],
    owners: NDArray[np.int32],
    distances: NDArray[np.float32],
    shapes: Shapes,
    is_other: Mask,
    ink: Map,
) -> tuple[Box, NDArray[np.uint8], float] | None:
    """Return the box around the ink of a digit, the digit in the form of MNIST, and its strength.

    Where digits touch, each pixel belongs to the box in which it is nearer to the middle. Parts
    of shapes that are something else do not count.
    """
    left, top, right, bottom = box
    margin = max(right - left, bottom - top) / 2
    first, start = max(0, int(top - margin)), max(0, int(left - margin))
    here = np.s_[first : int(bottom + margin) + 1, start : int(right + margin) + 1]
    labels, distance, owner = shapes.labels[here], distances[here], owners[here]
    own, free = owner == k, owner < 0
    digit, strokes = np.zeros(labels.shape, bool), []
    for label in np.unique(labels[own]):
        piece = (labels == label) & own
        n = np.count_nonzero(piece)
        if not label or is_other[label - 1]:
            continue
        if np.count_nonzero(piece & (distance <= 1)) >= _INSIDE * n:
            whole = n >= _WHOLE * shapes.area[label - 1]
            digit |= (labels == label) & (own | free) if whole else piece
            strokes.append(float(shapes.stroke[label - 1]))
    if np.count_nonzero(digit) < _FEWEST:
        return None
    inside = extent(digit)
    mask, strength = np.pad(digit[inside.pixels], 3), np.pad(ink[here][inside.pixels], 3)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    even = even_ink(np.where(near, strength, 0), mask, max(1.0, float(np.median(strokes))))
    return inside.moved(start, first), mnist_form(even), float(np.median(ink[here][digit]))


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
