"""The fields of forms: rows of boxes or combs, with a digit in each cell."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._lines import Line, Lines, Mask

_HIGHEST = 0.12  # of the longer side of the page: higher bars are not those of cells
_LOWEST = 3  # times the thickness of the line below: lower bars are its unevenness
_SLANTS = (-0.08, -0.04, 0.0, 0.04, 0.08)  # of a bar to the perpendicular, in perspective
_ALIKE = 0.12  # of the height of a bar: the largest difference from the others of its field
_REGULAR = 0.06  # of the width of a cell: the largest difference from the others
_STEADY = 0.75  # of the distances between bars that must be regular; those in text are not
_FEWEST = 3  # bars
_SPACE = 0.45  # of the width of a cell: cells that do not touch are nearer
_CELL = 0.5, 6.0  # times the height of the bars: the widths of cells
_CROSSED = 0.5  # of the bars of a field: in squared paper and grids, more of them cross their line
_BESIDE, _ABOVE = (
    1.2,
    1.6,
)  # widths of a cell: digits may be as far beside the bars and above the line
_WIDEST = 2.5  # times the thickness of the line below: wider bars are strokes


class Field(NamedTuple):
    """A row of cells."""

    bars: list[Line]  # between the cells, upright: rows and columns are exchanged
    widths: NDArray[np.float64]  # of cells in pixels


def find_fields(mask: Mask, lines: Lines) -> list[Field]:
    """Return the rows of cells that stand on level lines.

    The bars between cells are thin, upright and equally high, stand on a line at regular distances,
    and do not cross it. Those of boxes reach the line above, those of combs do not.
    """
    fields = [_field(mask, line) for line in lines.level]
    return [field for field in fields if field is not None]


def field_mask(fields: list[Field], shape: tuple[int, ...]) -> Mask:
    """Return where digits in fields may be."""
    drawing = np.zeros(shape, np.uint8)
    for field in fields:
        wide = float(np.median(field.widths))
        ends = [(bar.path[-1], bar.end) for bar in field.bars]
        corners = [
            (x + side * _BESIDE * wide, y - up * wide)
            for x, y in ends
            for side in (-1, 1)
            for up in (0, _ABOVE)
        ]
        cv2.fillConvexPoly(drawing, cv2.convexHull(np.array(corners).astype(np.int32)), 1)
    return drawing > 0


def _field(mask: Mask, line: Line) -> Field | None:
    """Return the row of cells on a line, if any."""
    half = int(np.ceil(line.thickness / 2)) + 1
    bars = _bars(mask, line, half)
    if len(bars) < _FEWEST:
        return None
    alike = np.abs(bars[:, 1:2] - bars[:, 1]) <= _ALIKE * bars[:, 1]
    bars = bars[alike[alike.sum(axis=1).argmax()]]
    if len(bars) < _FEWEST:
        return None
    high, steps = np.median(bars[:, 1]), np.diff(bars[:, 0])
    wide = np.median(steps[steps > _SPACE * np.median(steps)])
    regular = np.abs(steps - wide) <= _REGULAR * wide
    times = np.rint(steps / wide)  # bars that digits touch may be missing
    fits = (steps < _SPACE * wide) | (np.abs(steps - times * wide) <= _REGULAR * wide)
    if regular.sum() < _FEWEST - 1 or fits.mean() < _STEADY:
        return None
    if not _CELL[0] * high < wide < _CELL[1] * high:
        return None
    if np.mean([_continues(mask, line, bar, half) for bar in bars]) > _CROSSED:
        return None
    uprights = []
    for x, tall, slant, thick in bars:
        path = x + slant * np.arange(int(tall) + half, -1, -1)
        start = int(line.row(x)) - len(path) + 1
        uprights.append(Line(start, path.astype(np.float32), float(thick)))
    return Field(uprights, steps[regular])


def _bars(mask: Mask, line: Line, half: int) -> NDArray[np.float64]:
    """Return the column, the height, the slant and the thickness of each bar on a line."""
    height, width = mask.shape
    columns = np.arange(max(0, line.start - half), min(width, line.end + half))
    base = np.array([line.row(column) for column in columns])
    touched = mask[np.rint(base - half).astype(int).clip(0, height - 1), columns]
    columns, base = columns[touched], base[touched]
    slope = float(line.path[-1] - line.path[0]) / len(line.path)
    heights, slants = _heights(mask, columns, base, slope, half)
    bars = []
    for group in np.split(np.arange(len(columns)), 1 + np.flatnonzero(np.diff(columns) > 1)):
        high = heights[group].max(initial=0)
        tall = group[heights[group] > (1 - _ALIKE) * high]
        if high >= _LOWEST * line.thickness and len(tall) <= _WIDEST * line.thickness:
            bars.append((columns[tall].mean(), high, np.median(slants[tall]), len(tall)))
    return np.array(bars, float).reshape(-1, 4)


def _continues(mask: Mask, line: Line, bar: NDArray[np.float64], half: int) -> bool:
    """Return whether a bar continues below its line or above its end."""
    x, high, slant, _ = bar
    row = line.row(x)
    for up in (-2 * half, high + 3 * half):
        y, across = round(row - up), round(x + slant * up)
        if mask[max(0, y - 1) : y + 2, max(0, across - 1) : across + 2].any():
            return True
    return False


def _heights(
    mask: Mask, columns: NDArray[np.intp], base: NDArray[np.float64], slope: float, half: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return how high the ink is above a line in some columns, and its slant there."""
    width = mask.shape[1]
    up = np.arange(half, int(_HIGHEST * max(mask.shape)))
    rows = np.rint(base - up[:, None]).astype(int)
    best, slants = np.zeros(len(columns), int), np.zeros(len(columns))
    for slant in _SLANTS:
        across = np.rint(columns + (slope + slant) * up[:, None]).astype(int)
        inside = (rows >= 0) & (across >= 0) & (across < width)
        inked = inside & mask[rows.clip(0), across.clip(0, width - 1)]
        high = np.logical_and.accumulate(inked).sum(axis=0)
        slants[high > best] = slope + slant
        best = np.maximum(best, high)
    return best, slants
