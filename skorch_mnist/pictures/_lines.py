"""Straight lines in a mask of ink: rulings, boxes, frames and grids."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # (height, width)

_STEEPEST = 0.35  # rows per column: a line that is steeper is a stroke
_GAP = 1.6  # times the largest thickness: pieces of a line are not farther apart
_GAP_OF_LONG = 0.5  # times the length of the shorter of two pieces: nor than that,
_INKED = 0.9  # unless there is ink in as much of the gap between them
_LONGEST_GAP = 20  # times the largest thickness: no inked gap is longer, even in a row of digits
_BENT = 0.1  # pixels per pixel of an inked gap by which the line may bend in it
_THIN = 0.25  # of the largest thickness: that of lines on which strokes as thick as others end
_STEADY = 0.8  # of a piece: the smallest share that is straight and as thick as the rest


class Line(NamedTuple):
    """A line that is roughly level, or upright in the transposed mask."""

    start: int  # column
    path: NDArray[np.float32]  # row in each column from ``start`` on
    thickness: float  # pixels

    @property
    def end(self) -> int:
        """The column after the last one."""
        return self.start + len(self.path)

    def along(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of a map of the picture in each pixel of the path."""
        rows = np.rint(self.path).astype(int).clip(0, len(values) - 1)
        return np.asarray(values[rows, np.arange(self.start, self.end)])


class Lines(NamedTuple):
    """The lines in a picture."""

    level: list[Line]
    upright: list[Line]  # rows and columns are exchanged


def find_lines(mask: Mask, thickest: int, shortest: float, *, hidden: bool = False) -> Lines:
    """Return the straight or slightly bent lines in a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    thickest : int
        Pixels. Anything thicker is not a line.
    shortest : float
        Pixels. Anything shorter is not a line, but perhaps the stroke of a digit.
    hidden : bool
        Whether to follow lines through strokes. Those of a single digit may be as long as lines.
    """
    level, upright = (
        _level_lines(view, thickest, shortest, hidden) for view in (mask, mask.T.copy())
    )
    return Lines(level, upright)


def _level_lines(mask: Mask, thickest: int, shortest: float, hidden: bool) -> list[Line]:
    """Join the pieces of lines, which are interrupted where something crosses them."""
    pieces = _level_pieces(mask, thickest)
    if hidden:
        rest = mask & ~_along(pieces, mask.shape)
        thin = _level_pieces(rest, max(3, round(_THIN * thickest)))
        pieces += [piece for piece in thin if len(piece.path) > thickest]
    pieces.sort(key=lambda piece: piece.start)
    heads = np.array([(p.start, len(p.path), p.path[:3].mean(), p.thickness) for p in pieces])
    heads = heads.reshape(-1, 4)
    near_ink = cv2.dilate((mask & hidden).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    used = np.zeros(len(pieces), bool)
    lines = []
    for first in range(len(pieces)):
        if used[first]:
            continue
        used[first] = True
        chain = [pieces[first]]
        while (following := _next(chain[-1], heads, used, near_ink, thickest)) is not None:
            used[following] = True
            chain.append(pieces[following])
        if max(piece.end for piece in chain) - chain[0].start >= shortest:
            line = _joined(chain, thickest)
            if abs(line.path[-1] - line.path[0]) <= _STEEPEST * len(line.path):
                lines.append(_prolonged(line, near_ink, thickest))
    return lines


def _next(
    last: Line, heads: NDArray[np.float64], used: Mask, near_ink: Mask, thickest: int
) -> int | None:
    """Return the index of the piece with which a chain continues after its last piece, if any.

    The head of a piece is its start, its length, its first row and its thickness.
    """
    first = np.searchsorted(heads[:, 0], last.end - thickest)
    starts, lengths, rows, thicknesses = heads[first:].T
    gaps = starts - last.end
    ends = last.path[-3 * thickest :]
    third = max(1, len(ends) // 3)
    slope = (ends[-third:].mean() - ends[:third].mean()) / max(1, 2 * len(ends) / 3)
    expected = last.path[-3:].mean() + np.clip(slope, -0.3, 0.3) * (gaps + 2)
    off = np.abs(rows - expected)
    straight = np.maximum(1.6, 0.6 * np.maximum(last.thickness, thicknesses))
    shorter = np.minimum(len(last.path), lengths)
    near = gaps <= np.maximum(_GAP * thickest, _GAP_OF_LONG * shorter)
    within = np.where(near, straight, straight + _BENT * gaps)
    possible = ~used[first:] & (off <= within) & (near | (gaps <= _LONGEST_GAP * thickest))
    for k in first + np.flatnonzero(possible):
        is_next = near[k - first] and off[k - first] <= straight[k - first]
        if is_next or _is_inked(last, heads[k], near_ink):
            return int(k)
    return None


def _is_inked(piece: Line, head: NDArray[np.float64], near_ink: Mask) -> bool:
    """Return whether there is ink along the gap between a piece and the head of another one."""
    columns = np.arange(piece.end, int(head[0]))
    path = np.interp(columns, (piece.end, head[0]), (piece.path[-3:].mean(), head[2]))
    return bool(near_ink[np.rint(path).astype(int), columns].mean() > _INKED)


def _prolonged(line: Line, near_ink: Mask, thickest: int) -> Line:
    """Return a line with the ends that are hidden in strokes."""
    height, width = near_ink.shape
    window = min(len(line.path), 6 * thickest)
    ends = []
    for path, column, step in (
        (line.path[:window], line.start - 1, -1),
        (line.path[::-1][:window], line.end, 1),
    ):
        half = max(1, window // 2)
        slope = (path[:half].mean() - path[-half:].mean()) / half
        columns = np.arange(column, column + step * len(line.path) // 2, step)
        rows = path[0] + slope * np.arange(1, len(columns) + 1)
        seen = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height - 1)
        seen[seen] = near_ink[np.rint(rows[seen]).astype(int), columns[seen]]
        ends.append(rows[: len(seen) if seen.all() else int(seen.argmin())])
    path = np.concatenate([ends[0][::-1], line.path, ends[1]]).astype(np.float32)
    return Line(line.start - len(ends[0]), path, line.thickness)


def _level_pieces(mask: Mask, thickest: int) -> list[Line]:
    """Return the shapes that are thin in the vertical direction, straight and steady."""
    pixels = mask.astype(np.uint8)
    tall = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8)) > 0
    flat = (mask & ~tall).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=8)
    pieces = []
    for label in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_WIDTH] >= max(6, thickest)):
        left, top, width, height, _ = stats[label].tolist()
        if height > 0.5 * width + 2 * thickest:
            continue
        part = labels[top : top + height, left : left + width] == label
        counts = part.sum(axis=0)
        path = (np.arange(height) @ part) / np.maximum(counts, 1)
        thickness = float(np.median(counts))
        if np.mean(counts <= 1.7 * thickness + 1) < _STEADY:
            continue
        off = np.abs(_fitted(path, 2 if width > 6 * thickest else 1) - path)
        if np.mean(off <= max(1.0, 0.5 * thickness)) < _STEADY:
            continue
        pieces.append(Line(left, (path + top).astype(np.float32), thickness))
    return pieces


def _fitted(path: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return the polynomial of degree 1 or 2 with the least squares, by orthogonal polynomials."""
    x = np.arange(len(path)) - (len(path) - 1) / 2
    fit = np.full(len(path), path.mean())
    for basis in (x, x**2 - np.mean(x**2))[:degree]:
        fit += (basis @ path) / (basis @ basis) * basis
    return fit


def _along(pieces: list[Line], shape: tuple[int, ...]) -> Mask:
    """Return the pixels of pieces of lines."""
    found = np.zeros(shape, bool)
    for piece in pieces:
        half = int(np.ceil(piece.thickness / 2)) + 1
        rows = np.rint(piece.path).astype(int) + np.arange(-half, half + 1)[:, None]
        found[rows.clip(0, shape[0] - 1), np.arange(piece.start, piece.end)] = True
    return found


def _joined(chain: list[Line], thickest: int) -> Line:
    start, end = chain[0].start, max(piece.end for piece in chain)
    path = np.full(end - start, np.nan)
    for piece in chain:
        path[piece.start - start : piece.end - start] = piece.path
    known = np.flatnonzero(~np.isnan(path))
    path = np.interp(np.arange(len(path)), known, path[known]).astype(np.float32)
    window = (min(len(path), 2 * thickest) | 1, 1)
    smooth = cv2.blur(path[None], window, borderType=cv2.BORDER_REPLICATE)[0]
    thickness = np.average([p.thickness for p in chain], weights=[len(p.path) for p in chain])
    return Line(start, smooth, float(thickness))


def drawn(lines: Lines, mask: Mask) -> tuple[Mask, Mask]:
    """Return the pixels of lines, and the pixels where a stroke of ``mask`` crosses a line."""
    level, bridges = _drawn(lines.level, mask)
    # A line is not a stroke across others.
    upright, upright_bridges = _drawn(lines.upright, (mask & (~level | bridges)).T)
    covered = level | upright.T
    return covered, (bridges & ~upright.T) | (upright_bridges.T & mask)


def _drawn(lines: list[Line], mask: Mask) -> tuple[Mask, Mask]:
    height = len(mask)
    covered, bridged = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    for line in lines:
        columns = np.arange(line.start, line.end)
        half = line.thickness / 2 + 1
        reach = int(np.ceil(line.thickness)) + 2
        offsets = np.arange(-reach, reach + 1)[:, None]
        rows = np.rint(line.path).astype(int) + offsets
        above = mask[np.rint(line.path - half - 1).astype(int).clip(0, height - 1), columns]
        below = mask[np.rint(line.path + half + 1).astype(int).clip(0, height - 1), columns]
        # The stroke may be slanted.
        slanted = np.ones((1, 2 * max(1, round(line.thickness / 2)) + 1), np.uint8)
        near_above, near_below = (
            cv2.dilate(row[None].astype(np.uint8), slanted)[0] > 0 for row in (above, below)
        )
        crossed = np.broadcast_to((above & near_below) | (below & near_above), rows.shape)
        inked = mask[rows.clip(0, height - 1), columns]
        # The edge of a line is uneven: its ink ends nearby, that of a stroke does not.
        up, down = (np.logical_and.accumulate(side) for side in (inked[reach::-1], inked[reach:]))
        edge = np.concatenate([(up & ~up[-1])[:0:-1], down & ~down[-1]])
        inside = (rows >= 0) & (rows < height) & (edge | (np.abs(offsets) <= np.ceil(half)))
        where = rows[inside], np.broadcast_to(columns, rows.shape)[inside]
        covered[where] = True
        bridged[where] |= crossed[inside]
    return covered, bridged
