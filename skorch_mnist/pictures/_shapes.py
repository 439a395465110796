"""Find connected shapes in a map of ink, and the ones that belong to one digit."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._ink import Map, border_of, ink_strength, noise_level
from ._lines import Mask
from ._mnist_form import distance_to_edge

_FAINTEST = 0.06  # of the brightness of the paper: anything fainter is not ink
_SEED = 0.5  # of the strength of the ink nearby: a stroke is darker than that somewhere
_SPECK = 0.02  # of the ink of the largest shape: less is dirt
_FEWEST = 4  # pixels of a shape
_ALONG = 0.5  # of the size of a shape: a shape with more pixels on the border runs along it
_MANY = 100  # shapes
_WEAKER = 0.45  # of the strength of a digit: none of its parts is weaker
_THICKER = 2.0  # times the stroke of a digit: none of its parts is thicker
_NEAR_DOT = 0.7  # of the size of a dot
_NEAR = 0.25  # of the size of a digit: its parts are not farther apart
_NEAR_AT_BORDER = 0.15  # a part that touches the border may belong to something else
_SOLID = 0.72  # of its box: a shape with more ink is a dot or a dash
_FLAT = 0.2  # of the side of the picture: the largest height of a line along it
_WIDEST = 0.4  # of the size of a shape: if its strokes are wider, it is a blot


class Box(NamedTuple):
    """Columns ``left`` to ``right`` and rows ``top`` to ``bottom`` in pixels, without the ends."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def size(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    @property
    def pixels(self) -> tuple[slice, slice]:
        """The index of its pixels in a map of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, right: int, down: int) -> Box:
        """Return the box as many pixels farther to the right and down."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)


class Shapes(NamedTuple):
    """The connected shapes in a picture. Shape k has label k + 1."""

    labels: NDArray[np.int32]  # (height, width); 0 is paper
    boxes: list[Box]
    area: NDArray[np.float64]  # pixels
    ink: NDArray[np.float64]  # the sum of the map of ink
    stroke: NDArray[np.float64]  # width of the strokes in pixels

    def mask(
        self, parts: list[int], rows: slice = slice(None), columns: slice = slice(None)
    ) -> Mask:
        """Return the pixels of some shapes, in the whole picture or in some rows and columns."""
        chosen = np.zeros(len(self.boxes) + 1, bool)
        chosen[np.array(parts, int) + 1] = True
        return np.asarray(chosen[self.labels[rows, columns]])


def ink_mask(contrast: Map, reach: float, edge: float = 0.4, weakest: float = 0.25) -> Mask:
    """Return where there is ink: a threshold with hysteresis that follows its strength.

    Parameters
    ----------
    contrast : ndarray of shape (height, width), 0 (paper) to 1 (ink)
    reach : float
        Pixels around a place in which the strongest ink counts.
    edge : float
        Share of that strength which a stroke has everywhere.
    weakest : float
        Share of the strongest ink of the picture: ink nearby counts as at least that strong.
    """
    noise = noise_level(contrast)
    calm = np.asarray(cv2.GaussianBlur(contrast, (0, 0), 1.0), np.float32)
    window = int(reach) | 1
    strong = cv2.dilate(calm, np.ones((window, window), np.uint8))
    strong = cv2.blur(strong, (window, window), borderType=cv2.BORDER_REPLICATE)
    strong = np.maximum(strong, weakest * ink_strength(calm))
    seeds = calm > np.maximum(_SEED * strong, max(_FAINTEST, 5 * noise))
    ink = calm > np.maximum(edge * strong, max(_FAINTEST / 2, 3 * noise))
    count, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    seen = np.zeros(count, bool)
    seen[labels[seeds]] = True
    seen[0] = False
    return np.asarray(seen[labels])


def find_shapes(mask: Mask, contrast: Map, speck: float = _SPECK) -> Shapes:
    """Return the connected shapes in a mask, without dirt.

    ``speck`` is the share of the ink of the largest shape: shapes with less are dirt.
    """
    pixels = mask.astype(np.uint8)
    count, found, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    labels = np.asarray(found, np.int32)
    inside = labels[mask]
    area = np.bincount(inside, minlength=count)[1:].astype(float)
    ink = np.bincount(inside, contrast[mask], count)[1:]
    depth = np.bincount(inside, distance_to_edge(mask)[mask], count)[1:]
    along = border_pixels(labels, count - 1) > _ALONG * stats[1:, 2:4].max(axis=1, initial=1)
    largest = ink[~along].max(initial=0) or ink.max(initial=0)
    keep = (ink >= speck * largest) & (area >= _FEWEST)
    renumber = np.zeros(count, np.int32)
    renumber[1:][keep] = np.arange(1, keep.sum() + 1)
    boxes = [
        Box(left, top, left + width, top + height)
        for left, top, width, height, _ in stats[1:][keep].tolist()
    ]
    area, ink, depth = area[keep], ink[keep], depth[keep]
    return Shapes(renumber[labels], boxes, area, ink, 4 * (depth / np.maximum(area, 1) - 0.5))


def main_digit(shapes: Shapes) -> list[int]:
    """Return the parts of the digit in a picture, or an empty list if it is blank.

    The digit is the shape with the most ink, and the shapes near it. Shapes at the border of the
    picture have less weight. Frames are ignored. Blots, and shapes that run along the border, such
    as a table around the paper, are ignored unless there is nothing else.
    """
    at_border = border_pixels(shapes.labels, len(shapes.boxes))
    candidates = [k for k in range(len(shapes.boxes)) if not is_frame(shapes, k)]
    inner = [
        k
        for k in candidates
        if at_border[k] <= _ALONG * shapes.boxes[k].size and not crosses_picture(shapes, k)
    ]
    largest = shapes.ink[inner].max(initial=0)
    digits = [k for k in inner if not is_blot(shapes, k) and shapes.ink[k] > 0.1 * largest]
    others = set(inner or candidates)
    if not others:
        return []
    height, width = shapes.labels.shape

    def score(k: int) -> float:
        box = shapes.boxes[k]
        touched = (box.top == 0, box.left == 0, box.bottom == height, box.right == width)
        return float(shapes.ink[k] * 0.25 ** sum(touched))

    main = max(digits or others, key=score)
    parts = [main]
    others.discard(main)
    if len(others) > _MANY:  # a page or a pattern, where the parts of a digit are not known
        return parts
    while others:
        gaps = _gaps(shapes, parts, others)
        size = bounds(shapes, parts).size
        near = {
            k: gap
            for k, gap in gaps.items()
            if gap <= _reach(shapes, k, main, size, at_border)
            and (
                is_blot(shapes, k)
                or bounds(shapes, [*parts, k]).size
                <= 1.5 * max(size, shapes.boxes[k].size) + 2 * gap
            )
        }
        if not near:
            break
        nearest = min(near, key=near.__getitem__)
        parts.append(nearest)
        others.remove(nearest)
    return parts


def _reach(shapes: Shapes, k: int, main: int, size: int, at_border: NDArray[np.intp]) -> float:
    """Return how far in pixels a shape may be from the others of the digit."""
    box, stroke = shapes.boxes[k], float(shapes.stroke[main])
    strength, similar = shapes.ink / shapes.area, shapes.stroke[k] / max(stroke, 1e-6)
    if strength[k] < _WEAKER * strength[main] or shapes.stroke[k] > _THICKER * stroke + 1:
        return -1.0
    if box.size > 0.9 * size and (similar < 0.5 or min(box.height, box.width) < 0.2 * box.size):
        return -1.0  # a line
    solid = shapes.area[k] > _SOLID * box.height * box.width
    reach = (_NEAR_DOT if solid else _NEAR) * min(size, box.size)
    if at_border[k] and not at_border[main]:
        return _NEAR_AT_BORDER / _NEAR * reach if similar > 0.5 else -1.0
    return max(reach, 1.5 * stroke if similar > 0.5 else 0.0)


def _gaps(shapes: Shapes, parts: list[int], others: set[int]) -> dict[int, float]:
    """Return the distance in pixels between some shapes and each of the others."""
    distance = distance_to_edge(~shapes.mask(parts))
    gaps = {}
    for k in others:
        here = shapes.boxes[k].pixels
        gaps[k] = float(distance[here][shapes.labels[here] == k + 1].min())
    return gaps


def border_pixels(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Return the number of pixels of each shape at the border of the picture."""
    return np.bincount(border_of(labels), minlength=count + 1)[1:]


def filled(mask: Mask) -> Mask:
    """Fill the holes of a mask."""
    found = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    whole = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(whole, found[0], -1, 1, cv2.FILLED)
    return whole > 0


def is_frame(shapes: Shapes, k: int) -> bool:
    """Return whether a shape is a printed box: only other shapes are inside."""
    box = shapes.boxes[k]
    down, across = box.height // 5, box.width // 5
    inside = shapes.labels[
        box.top + down : box.bottom - down, box.left + across : box.right - across
    ]
    return bool((inside != k + 1).all() and inside.any())


def crosses_picture(shapes: Shapes, k: int) -> bool:
    """Return whether a shape is a line from one side of the picture to the other, as a fold is."""
    (height, width), box = shapes.labels.shape, shapes.boxes[k]
    is_level = box.width == width and box.height < _FLAT * width
    is_upright = box.height == height and box.width < _FLAT * height
    return bool(is_level or is_upright)


def is_blot(shapes: Shapes, k: int) -> bool:
    """Return whether a shape does not consist of strokes."""
    return bool(shapes.stroke[k] > _WIDEST * shapes.boxes[k].size)


def bounds(shapes: Shapes, parts: list[int]) -> Box:
    """Return the smallest box around some shapes."""
    lefts, tops, rights, bottoms = zip(*(shapes.boxes[k] for k in parts), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def extent(mask: Mask) -> Box:
    """Return the smallest box around the pixels of a mask."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
