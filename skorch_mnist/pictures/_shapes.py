"""Connected shapes in a map of ink, and which of them belong to one digit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ._ink import Map, ink_strength, noise_level

_FAINTEST = 0.06  # of the brightness of the paper: anything fainter is not ink
_EDGE = 0.5  # of the strength of the ink: the threshold for ink
_SPECK = 0.02  # of the ink of the largest shape: less is dirt
_ALONG = 0.5  # of the size of a shape: a shape with more pixels on the border runs along it
_MANY = 100  # shapes
_NEAR = 0.3  # of the size of a digit: its parts are not farther apart


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` in pixels, without the ends."""

    top: int
    left: int
    bottom: int
    right: int

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


class Shapes(NamedTuple):
    """The connected shapes in a picture."""

    labels: NDArray[np.int32]  # (height, width); 0 is paper
    boxes: list[Box]  # of label 1, 2, ...
    ink: NDArray[np.float64]  # of label 1, 2, ...: the sum of the map of ink over it


def find_shapes(contrast: Map) -> Shapes:
    """Return the connected shapes in a map of ink, without dirt and noise."""
    noise = noise_level(contrast)
    calm = ndimage.gaussian_filter(contrast, 1.0)
    strength = max(_FAINTEST, 5 * noise)
    for strongest in (contrast.size // 600, 20):  # for a digit of usual size, then for a tiny one
        if (found_strength := ink_strength(calm, strongest)) > strength:
            strength = found_strength
            break
    else:
        return Shapes(np.zeros(contrast.shape, np.int32), [], np.zeros(0))
    found, count = ndimage.label(contrast > max(_EDGE * strength, 3 * noise), np.ones((3, 3)))
    index = np.arange(1, count + 1)
    peaks = ndimage.maximum(calm, found, index)
    ink = ndimage.sum(contrast, found, index)
    sizes = np.array([max(b.stop - b.start for b in box) for box in ndimage.find_objects(found)])
    along = _border_pixels(found, count) > _ALONG * sizes
    largest = ink[~along].max(initial=0) or ink.max()
    keep = (peaks > 0.6 * strength) & (ink >= _SPECK * largest)
    renumber = np.zeros(count + 1, np.int32)
    renumber[1:][keep] = np.arange(1, keep.sum() + 1)
    labels = renumber[found]
    boxes = [
        Box(rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]
    return Shapes(labels, boxes, ink[keep])


def main_digit(shapes: Shapes) -> list[int]:
    """Return the labels of the parts of the digit in a picture, an empty list if it is blank.

    The digit is the shape with the most ink and what is near it. Shapes at the border of the
    picture count less. Frames are ignored. Shapes that run along the border, such as a table around
    the paper, are ignored unless there is nothing else.
    """
    at_border = _border_pixels(shapes.labels, len(shapes.boxes))
    candidates = [k for k in range(1, len(shapes.boxes) + 1) if not is_frame(shapes, k)]
    digits = [k for k in candidates if at_border[k - 1] <= _ALONG * shapes.boxes[k - 1].size]
    others = set(digits or candidates)
    if not others:
        return []
    height, width = shapes.labels.shape

    def score(label: int) -> float:
        box = shapes.boxes[label - 1]
        touched = (box.top == 0, box.left == 0, box.bottom == height, box.right == width)
        return float(shapes.ink[label - 1] * 0.25 ** sum(touched))

    parts = [max(others, key=score)]
    if not at_border[parts[0] - 1]:
        others = {label for label in others if not at_border[label - 1]}
    others.discard(parts[0])
    if len(others) > _MANY:  # a page or a pattern: what belongs together is unknown
        return parts
    while others:
        distance = ndimage.distance_transform_edt(~np.isin(shapes.labels, parts))
        gaps = {label: distance[shapes.labels == label].min() for label in others}
        nearest = min(others, key=gaps.__getitem__)
        size = max(bounds(shapes, parts).size, shapes.boxes[nearest - 1].size)
        if gaps[nearest] > _NEAR * size:
            break
        parts.append(nearest)
        others.remove(nearest)
    return parts


def _border_pixels(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Return the number of border pixels of label 1, 2, ..."""
    border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    return np.bincount(border, minlength=count + 1)[1:]


def is_frame(shapes: Shapes, label: int) -> bool:
    """Return whether a shape is a printed box: empty inside except for other shapes."""
    box = shapes.boxes[label - 1]
    down, across = box.height // 5, box.width // 5
    inside = shapes.labels[
        box.top + down : box.bottom - down, box.left + across : box.right - across
    ]
    return bool((inside != label).all() and inside.any())


def bounds(shapes: Shapes, parts: list[int]) -> Box:
    """Return the smallest box around some shapes."""
    tops, lefts, bottoms, rights = zip(*(shapes.boxes[k - 1] for k in parts), strict=True)
    return Box(min(tops), min(lefts), max(bottoms), max(rights))


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Return the width of the strokes in a mask in pixels, hardly affected by blots and shadows."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    ridge = (depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)
    return float(2 * np.quantile(depth[ridge], 0.25))
