"""Lines of ruled and squared paper: find them in a map of ink and erase them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ._ink import Map, ink_strength, noise_level

_STEEPEST = 8.0  # degrees by which lines may be tilted
_COVERED = 0.6  # of the width of the picture: a shorter line is a stroke
_FEWEST = 3  # parallel lines: as many are a ruling even if they are dark
_FAINT = 0.6  # of the darkest ink: a fainter line is a ruling even if it is alone
_SMALLEST = 100  # pixels: smaller pictures are not searched for rulings


class Line(NamedTuple):
    """A ruled line: its row in every column or, if ``upright``, its column in every row."""

    upright: bool
    path: NDArray[np.intp]


def find_rulings(contrast: Map) -> list[Line]:
    """Return the thin, straight lines that cross a map of ink from side to side."""
    lines = []
    for upright, view in ((False, contrast), (True, contrast.T)):
        if min(view.shape) < _SMALLEST:
            continue
        ridge = _ridge(view)
        paths = _find_level_lines(ridge > max(3 * noise_level(view), 0.03), _thick(view))
        apart = [int(np.median(path)) // (4 * _thick(view)) for path in paths]
        if len(set(apart)) < _FEWEST:  # dark ones may be strokes across the picture
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
    """Return the darkness of a line."""
    thick = _thick(ridge)
    rows = np.arange(-thick, thick + 1)[:, None] + path
    band = ridge[rows.clip(0, ridge.shape[0] - 1), np.arange(ridge.shape[1])]
    return float(np.median(band.max(axis=0)))


def _thick(contrast: Map) -> int:
    """Return the pixels by which a line may extend or wander to either side."""
    return max(3, round(0.012 * float(max(contrast.shape))))


def _ridge(contrast: Map) -> Map:
    """Return what is thin in the vertical direction."""
    return np.asarray(contrast - ndimage.grey_opening(contrast, (2 * _thick(contrast) + 1, 1)))


def _find_level_lines(seen: NDArray[np.bool_], thick: int) -> list[NDArray[np.intp]]:
    """Return the row of each line in every column, found by counting pixels along tilted rows."""
    width = seen.shape[1]
    # Half the resolution is enough, as a line may wander by a pixel.
    half = ndimage.maximum_filter(seen, (3, 2))[::2, ::2]
    columns = np.arange(half.shape[1]) * 2 - width / 2
    rows = np.arange(half.shape[0])[:, None]
    candidates = []
    for slope in np.tan(np.deg2rad(np.arange(-_STEEPEST, _STEEPEST + 0.5, 0.5))):
        along = rows + np.rint(slope * columns / 2).astype(int)
        inside = (along >= 0) & (along < half.shape[0])
        hits = half[along.clip(0, half.shape[0] - 1), np.arange(half.shape[1])] & inside
        covered = hits.sum(axis=1) / np.maximum(inside.sum(axis=1), half.shape[1] / 2)
        # Unlike a long stroke, a line reaches both sides, unless it leaves at the top or bottom.
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
    """Replace a line by what is above and below it, but keep ink that is darker than the line."""
    height, width = contrast.shape
    thick = _thick(contrast)
    columns = np.arange(width)
    rows = np.arange(-thick, thick + 1)[:, None] + path
    band = rows.clip(0, height - 1)
    strength = _strength(ridge, path)
    above = contrast[(path - thick - 1).clip(0, height - 1), columns]
    below = contrast[(path + thick + 1).clip(0, height - 1), columns]
    # Bridge a stroke that crosses the line; it may be slanted, so bridge a little to both sides.
    crossed = ndimage.grey_dilation(np.minimum(above, below), thick)
    bridge = ndimage.grey_dilation(np.maximum(above, below), thick)
    values = contrast[band, columns]
    filled = np.minimum(values, np.where(crossed > strength, bridge, crossed))
    replaced = np.where(values > 1.6 * strength + 0.02, values, filled)
    inside = (rows >= 0) & (rows < height)
    where = band[inside], np.broadcast_to(columns, rows.shape)[inside]
    cleaned[where] = np.minimum(cleaned[where], replaced[inside])
