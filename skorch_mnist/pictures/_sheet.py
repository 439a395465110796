"""Remove what surrounds the paper: a darker table, or the edge of a window."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ._ink import border_of
from ._shapes import filled

_UNLIKE = 30  # of 255: the smallest step from paper to a line along the side
_ALL_ALONG = 0.8  # of a side: what a line along it covers at least
_DEEPEST = 0.08  # of the height: the thickest line along the side
_FREE = 0.2  # of the pixels next to the line: what the digit covers at most
_COARSE = 100  # pixels of the longer side while a sheet is searched for
_SMALLEST = 0.2  # of the picture: the smallest area of a sheet
_STEP = 0.35  # of full brightness: the smallest step from table to paper; a shadow has less
_DARKER = 0.5  # of the brightness of the paper: a smaller step will do in a dark picture
_CUT_OFF = 0.1  # of the border and of the table: the largest bright share; uneven light has more
_CONVEX = 0.92  # of its convex hull: the smallest area of a sheet; a digit has less
_SHARP = 0.5  # of the contrast: the smallest step at the edge; the light of a lamp fades
_INKED = 0.2  # of the sheet: the largest share of ink; the hole of a light 0 is larger


def without_edges(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace lines along the sides of a picture, as around a window, with paper.

    A digit at the side of the picture does not cover all of it.
    """
    paper = np.median(pixels[::2, ::2].reshape(-1, 3), axis=0)
    unlike = np.abs(pixels - paper.astype(np.float32)).max(axis=-1) > _UNLIKE
    replaced = pixels.copy()
    for turn in range(4):
        turned, covered = np.rot90(replaced, turn), np.rot90(unlike, turn).mean(axis=1)
        depth = int(np.argmin(covered > _ALL_ALONG)) + 1  # with the soft edge of the line
        inside = covered[depth : 2 * depth + 1]
        if 1 < depth <= _DEEPEST * len(covered) + 1 and inside.mean() < _FREE:
            turned[:depth] = paper
    return replaced


def only_sheet(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace a table around a sheet of paper, if there is one, with paper."""
    height, width = pixels.shape[:2]
    factor = min(1, _COARSE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    gray = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).mean(axis=-1) / 255
    low, high = np.quantile(gray, (0.05, 0.95))
    if high - low <= min(_STEP, _DARKER * high):
        return pixels
    bright = gray > (low + high) / 2
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=4)
    sheet = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    whole = filled(sheet)
    around = bright[~whole]
    if whole.mean() < _SMALLEST or not around.size or around.mean() > _CUT_OFF:
        return pixels
    if border_of(sheet).mean() > _CUT_OFF or not 0 < 1 - sheet.sum() / whole.sum() < _INKED:
        return pixels
    outline = cv2.convexHull(np.argwhere(whole)[:, ::-1].astype(np.int32))
    hull = np.zeros(whole.shape, np.uint8)
    cv2.fillConvexPoly(hull, outline, 1)
    if whole.sum() < _CONVEX * hull.sum() or _edge_step(gray, whole) < _SHARP * (high - low):
        return pixels
    inner = cv2.erode(whole.astype(np.uint8), np.ones((5, 5), np.uint8))
    outside = cv2.resize(inner, (width, height), interpolation=cv2.INTER_NEAREST) == 0
    replaced = pixels.copy()
    replaced[outside] = np.median(pixels[~outside][::4], axis=0)
    return replaced


def _edge_step(gray: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> float:
    """Return the step in brightness at the edge of a mask: inside minus outside."""
    pixels, square = mask.astype(np.uint8), np.ones((3, 3), np.uint8)
    inside = mask & (cv2.erode(pixels, square, iterations=2) == 0)
    outside = (cv2.dilate(pixels, square, iterations=2) > 0) & ~mask
    if not outside.any():
        return 0.0
    return float(np.median(gray[inside]) - np.median(gray[outside]))
