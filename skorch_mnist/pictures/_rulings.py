"""Ruled and squared paper: lines found in a map of ink, and taken out of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ._ink import Map, ink_strength, noise_level

_STEEPEST = 8.0  # degrees that lines may be tilted
_COVERED = 0.6  # of the picture's width: a shorter line is a stroke
_FEWEST = 3  # lines of one direction that are a ruling, however dark
_FAINT = 0.6  # of the darkest ink: so faint, a single line is a ruling too
_SMALLEST = 100  # pixels: no ruling is looked for in a smaller picture


class Line(NamedTuple):
    """A ruled line: for every column its row, or, where ``upright``, for every row its column."""

    upright: bool
    path: NDArray[np.intp]


def find_rulings(contrast: Map) -> list[Line]:
    """Return the thin, straight lines from one side of a map of ink to the other."""
    lines = []
    for upright, view in ((False, contrast), (True, contrast.T)):
        if min(view.shape) < _SMALLEST:
            continue
        ridge = _ridge(view)
        paths = _find_level_lines(ridge > max(3 * noise_level(view), 0.03), _thick(view))
        apart = [int(np.median(path)) // (4 * _thick(view)) for path in paths]
        if len(set(apart)) < _FEWEST:  # as dark as ink, they may be strokes that fill the picture
            darkest = ink_strength(view, max(20, view.size // 600))
            paths = [path for path in paths if _strength(ridge, path) < _FAINT * darkest]
        lines += [Line(upright, path) for path in paths]
    return lines


def erase_rulings(contrast: Map, lines: list[Line]) -> Map:
    """Return a map of ink without these lines."""
    cleaned = contrast.copy()
    for upright in sorted({line.upright for line in lines}):
        before = cleaned.T.copy() if upright else cleaned.copy()
        view = cleaned.T if upright else cleaned
        ridge = _ridge(before)
        for line in lines:
            if line.upright == upright:
                _erase(view, before, ridge, line.path)
    return cleaned


def _strength(ridge: Map, path: NDArray[np.intp]) -> float:
    """Return how dark a line is."""
    thick = _thick(ridge)
    rows = np.arange(-thick, thick + 1)[:, None] + path
    band = ridge[rows.clip(0, ridge.shape[0] - 1), np.arange(ridge.shape[1])]
    return float(np.median(band.max(axis=0)))


def _thick(contrast: Map) -> int:
    """Return the pixels that a line may be thick, and wander, to either side."""
    return max(3, round(0.012 * float(max(contrast.shape))))


def _ridge(contrast: Map) -> Map:
    """Return what is thin from above to below."""
    return np.asarray(contrast - ndimage.grey_opening(contrast, (2 * _thick(contrast) + 1, 1)))


def _find_level_lines(seen: NDArray[np.bool_], thick: int) -> list[NDArray[np.intp]]:
    """Return the row of each line in every column, by counting pixels along tilted rows."""
    width = seen.shape[1]
    # Half the resolution suffices; a line may wander by a pixel.
    half = ndimage.maximum_filter(seen, (3, 2))[::2, ::2]
    columns = np.arange(half.shape[1]) * 2 - width / 2
    rows = np.arange(half.shape[0])[:, None]
    candidates = []
    for slope in np.tan(np.deg2rad(np.arange(-_STEEPEST, _STEEPEST + 0.5, 0.5))):
        along = rows + np.rint(slope * columns / 2).astype(int)
        inside = (along >= 0) & (along < half.shape[0])
        hits = half[along.clip(0, half.shape[0] - 1), np.arange(half.shape[1])] & inside
        covered = hits.sum(axis=1) / np.maximum(inside.sum(axis=1), half.shape[1] / 2)
        # Unlike a long stroke, a line goes on to both sides, unless it leaves above or below.
        ends = np.array_split(hits | ~inside, 8, axis=1)
        reaches = (ends[0].mean(axis=1) > 0.5) & (ends[-1].mean(axis=1) > 0.5)
        candidates += [
            (covered[row], 2 * row, slope) for row in np.flatnonzero(reaches & (covered > _COVERED))
        ]
    paths: list[NDArray[np.intp]] = []
    columns = np.arange(width) - width / 2
    for _, row, slope in sorted(candidates, reverse=True):
        path = row + np.rint(slope * columns).astype(int)
        if all(np.median(np.abs(path - other)) > thick for other in paths):
            paths.append(path)
    return paths


def _erase(cleaned: Map, contrast: Map, ridge: Map, path: NDArray[np.intp]) -> None:
    """Put what is above and below in the place of a line, but keep ink that is darker than it."""
    height, width = contrast.shape
    thick = _thick(contrast)
    columns = np.arange(width)
    rows = np.arange(-thick, thick + 1)[:, None] + path
    band = rows.clip(0, height - 1)
    strength = _strength(ridge, path)
    above = contrast[(path - thick - 1).clip(0, height - 1), columns]
    below = contrast[(path + thick + 1).clip(0, height - 1), columns]
    # A stroke that crosses the line is bridged, a little to both sides as it may be slanted.
    crossed = ndimage.grey_dilation(np.minimum(above, below), thick)
    bridge = ndimage.grey_dilation(np.maximum(above, below), thick)
    values = contrast[band, columns]
    filled = np.minimum(values, np.where(crossed > strength, bridge, crossed))
    replaced = np.where(values > 1.6 * strength + 0.02, values, filled)
    inside = (rows >= 0) & (rows < height)
    where = band[inside], np.broadcast_to(columns, rows.shape)[inside]
    cleaned[where] = np.minimum(cleaned[where], replaced[inside])
