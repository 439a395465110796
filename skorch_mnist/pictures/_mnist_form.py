"""Conversion of the ink of one digit to the form of MNIST."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import INNER, MIDDLE, SIDE

# Pixels. Measured: the strokes of 90% of the MNIST training images are between these widths.
_THINNEST, _THICKEST = 1.7, 4.4
_FINE = 140  # pixels of the longer side of the digit while its edge is drawn
_BLURRED = 6.0  # pixels then: the standard deviation of a blur that closes eyes
_FLATTEST = 0.02  # per pixel: a flatter edge counts as that steep
_SHARPER = 3.0  # times what the blur took


def mnist_form(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return one digit in the form of MNIST.

    Parameters
    ----------
    ink : ndarray of shape (height, width), dtype float32
        Only the digit, in any size. 0 is paper, 1 is ink and 0.5 is the edge of the stroke.

    Returns
    -------
    ndarray of shape (28, 28), dtype uint8, 0 (paper) to 255 (ink)
    """
    *_, size = _extent(ink > 0.5)
    ink = np.pad(ink, max(2, int(0.3 * size)))
    factor = _FINE / size
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    smooth = cv2.GaussianBlur(cv2.resize(ink, (width, height), interpolation=how), (0, 0), 1.0)
    sharp = _sharpened(np.asarray(smooth, np.float32))
    return centered(_normalize_stroke(sharp > 0.5 * min(1.0, float(sharp.max()))))


def _sharpened(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sharpen a digit that is out of focus, so that its holes are open; keep any other."""
    gradient = cv2.magnitude(cv2.Sobel(ink, -1, 1, 0), cv2.Sobel(ink, -1, 0, 1)) / 8
    edge = gradient[(ink > 0.3) & (ink < 0.7)]
    # The slope in the middle of an edge that was blurred with a standard deviation of s is
    # 1 / (s sqrt(2 pi)).
    slope = float(np.median(edge)) if edge.size else 1.0
    blur = 1 / (np.sqrt(2 * np.pi) * max(slope, _FLATTEST))
    if blur < _BLURRED:
        return ink
    return np.asarray(ink + _SHARPER * (ink - cv2.GaussianBlur(ink, (0, 0), blur)))


def _extent(inside: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return the rows and the columns of a mask with ink, and the longer side."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return rows, columns, int(max(np.ptp(rows), np.ptp(columns))) + 1


def _normalize_stroke(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Limit the width of the stroke to the range in MNIST."""
    *_, size = _extent(inside)
    # In a stroke of width w, the mean distance to its edge is w / 4. The transform computes the
    # distance to the next pixel outside, which is half a pixel more.
    depth = distance_to_edge(inside)
    width = 4 * (depth[inside].mean() - 0.5)
    # Growing by g on each side changes the width to w + 2g and the size of the digit to size + 2g.
    wanted = np.clip(INNER * width / size, _THINNEST, _THICKEST)
    grow = (wanted * size - INNER * width) / (2 * (INNER - wanted))
    if grow > 0:
        return np.asarray(distance_to_edge(~inside) <= grow)
    if grow < 0:
        return np.asarray(depth > -grow)
    return inside


def distance_to_edge(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance of each pixel inside to the nearest one outside, 0 for those outside.

    It is exact to 2%, which takes a sixth of the time of an exact transform (G. Borgefors,
    "Distance transformations in digital images", 1986).
    """
    return np.asarray(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))


def centered(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Scale a mask to 20 pixels, with its center of mass in the middle of 28 pixels."""
    rows, columns, size = _extent(inside)
    pixel = size / INNER
    starts = []
    for axis, inked in ((1, rows), (0, columns)):
        profile = inside.sum(axis=axis)
        center = profile @ np.arange(len(profile)) / profile.sum() + 0.5
        start = center - (MIDDLE + 0.5) * pixel
        # Keep all of a lopsided digit.
        starts.append(float(np.clip(start, inked[-1] + 1 - SIDE * pixel, inked[0])))
    top, left = starts
    # A mean over whole pixels of a finer grid: the grid has 8 points in each pixel of the image.
    points = (np.arange(8 * SIDE) + 0.5) * pixel / 8 - 0.5
    x, y = np.meshgrid((points + left).astype(np.float32), (points + top).astype(np.float32))
    fine = cv2.remap(inside.astype(np.uint8) * 255, x, y, cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
