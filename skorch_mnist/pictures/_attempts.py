"""Find the digit in a picture, under other assumptions if the result does not look like one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ._digits import (
    LARGE,
    SMALL,
    Assumptions,
    Stages,
    in_picture,
    stages_assuming,
    stages_in,
    with_margin,
)
from ._finder import find_boxes
from ._ink import border_of, scale, separation, two_tones
from ._judge import likeness
from ._shapes import Box

_CLEARLY = 4.4  # above the threshold: pieces of a letter rarely look so much like a digit
_SMALLER = 0.25  # times the size of the first result: what is smaller is dirt
_POORLY = 2.5  # above the threshold: what looks less like a digit may be hidden by something
_AT_SIDE = 0.01  # of the longer side: what is as near to a side reaches it
_RATHER = 3.0  # above the threshold: in pictures that a digit may fill, there are fewer pieces
_MORE, _LESS = 1.0, 1.0  # how much more a digit in a margin must look like one, or less if larger
_LARGER = 1.15  # times the size of the first result
_OF_DATASET = 64  # pixels of the longer side: images that small are usually parts of a dataset
_TWO_TONES, _SEPARATE = 0.75, 0.8  # of the variance of brightness is between ink and paper
_AT_BORDER = 0.02  # of the border: what a digit that fills a picture covers at least
_MARGIN = 0.25  # of the longer side
_OF_CELL = 200  # pixels of the longer side: a larger picture of a cell shows its edges clearly
_LONG, _THIN = 0.5, 4.0  # of the side, and times its width: an edge of a cell is longer
_EDGE = 0.2  # of the picture: where such an edge is
_WIDE = 0.85  # of the longer side: what is wider is not inside of a cell
_LEAST = 0.3  # score of what the finder sees
_BESIDE = 0.3  # of the size of a digit: what is around it in that search
_CUT = 0.12  # of the picture, on each side: the edges


def retried(picture: NDArray[np.uint8], polarity: str, first: Stages | None) -> Stages | None:
    """Return the stages of the digit in a picture, or None if no digit was found.

    If the first result does not look like a digit, other assumptions are tried: that the digit
    fills the picture, that its color tells it from shadows, that only the darkest ink or also
    fainter ink belongs to it, that it is out of focus, or that it is inside of a cell.
    """
    _, alike = _most_alike([first])
    if first is not None and (other := _in_margin(picture, polarity, first, alike)) is not None:
        return other
    if (other := _by_color(picture, first, alike)) is not None:
        return other
    others = _others(picture, Assumptions(polarity), first, alike)
    return next((other for other in others if _most_alike([other])[1] >= _CLEARLY), first)


def _others(
    picture: NDArray[np.uint8], usual: Assumptions, first: Stages | None, alike: float
) -> Iterator[Stages | None]:
    """Yield the stages under one assumption after the other."""
    blurred = usual._replace(is_blurred=True)
    if alike < _POORLY:
        yield stages_assuming(picture, blurred)
        yield _where_found(picture, usual)
    if first is not None and _may_be_inside(picture, first, alike):
        yield _stages_inside(picture, blurred)
    if alike < _POORLY:
        yield stages_assuming(
            picture,
            usual._replace(strict=(0.75, 0.7), exact=(0.7, 0.65), has_pale_strokes=False),
        )
        yield stages_assuming(picture, usual._replace(strict=(0.35, 0.35), exact=(0.3, 0.3)))


def _most_alike(attempts: list[Stages | None]) -> tuple[Stages | None, float]:
    """Return the result that looks most like a digit, and how much."""
    found = [stages for stages in attempts if stages is not None]
    if not found:
        return None, -np.inf
    alike = likeness([stages.image for stages in found])
    return found[int(alike.argmax())], float(alike.max())


def _in_margin(
    picture: NDArray[np.uint8], polarity: str, first: Stages, alike: float
) -> Stages | None:
    """Return the stages of the digit in a margin, if that looks better.

    If a digit fills its picture, it is hard to tell from the paper. Pieces of the paper may look
    like a 1, but they are smaller than the digit.
    """
    gray = scale(picture, 0, SMALL).mean(axis=-1)
    bright = gray > two_tones(gray)
    separate = separation(gray, bright)
    if separate < _TWO_TONES or not _AT_BORDER < border_of(bright).mean() < 1 - _AT_BORDER:
        return None
    is_small = max(picture.shape[:2]) <= _OF_DATASET and separate > _SEPARATE
    if alike >= _CLEARLY and not is_small:
        return None
    polarities = ("dark_on_light", "light_on_dark") if polarity == "auto" else (polarity,)
    other, other_alike = _most_alike([_stages_in_margin(picture, p) for p in polarities])
    if other is None:
        return None
    is_larger = other.box.size > _LARGER * first.box.size and not _is_edge(other, picture)
    enough = alike - _LESS if is_small and is_larger else alike + _MORE
    return other if other_alike >= max(_RATHER, enough) else None


def _by_color(picture: NDArray[np.uint8], first: Stages | None, alike: float) -> Stages | None:
    """Return the stages of the digit in color, if that looks like one, and a shadow may hide it.

    The edge of a shadow or of the picture may look like a 1.
    """
    if first is not None and alike >= _CLEARLY and not reaches_side(first, picture):
        return None
    colored = stages_assuming(picture, Assumptions("dark_on_light", by_color=True))
    if colored is None or _is_edge(colored, picture):
        return None
    if first is not None and colored.box.size < _SMALLER * first.box.size:
        return None
    return colored if _most_alike([colored])[1] >= _CLEARLY else None


def reaches_side(stages: Stages, picture: NDArray[np.uint8]) -> bool:
    """Return whether a digit reaches a side of its picture, as a shadow or an edge may do."""
    (height, width), (left, top, right, bottom) = picture.shape[:2], stages.box
    near = _AT_SIDE * max(height, width)
    return bool(min(left, top, width - right, height - bottom) <= near)


def _where_found(picture: NDArray[np.uint8], assumed: Assumptions) -> Stages | None:
    """Return the stages of the digit where the finder sees one, if it does."""
    found = find_boxes(picture, _LEAST)
    if not len(found.boxes):
        return None
    around = with_margin(Box(*np.rint(found.boxes[0]).astype(int).tolist()), _BESIDE)
    return stages_in(picture, in_picture(around, 1, picture.shape), assumed)


def _may_be_inside(picture: NDArray[np.uint8], first: Stages, alike: float) -> bool:
    """Return whether the edges of a picture, such as those of a cell, may hide the digit inside."""
    longer = max(picture.shape[:2])
    is_narrower = first.box.size < _WIDE * longer
    return longer <= _OF_CELL and (_is_edge(first, picture) or (alike < 0 and is_narrower))


def _is_edge(stages: Stages, picture: NDArray[np.uint8]) -> bool:
    """Return whether a result, which may look like a 1, is an edge of the picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = stages.box
    x, y = (left + right) / 2, (top + bottom) / 2
    across, down = right - left, bottom - top
    is_upright = down > max(_LONG * height, _THIN * across)
    is_level = across > max(_LONG * width, _THIN * down)
    at_side, at_end = min(x, width - x) < _EDGE * width, min(y, height - y) < _EDGE * height
    return bool((is_upright and at_side) or (is_level and at_end))


def _stages_inside(picture: NDArray[np.uint8], assumed: Assumptions) -> Stages | None:
    """Return the stages of the digit in a picture without its edges."""
    height, width = picture.shape[:2]
    down, across = round(_CUT * height), round(_CUT * width)
    return stages_in(picture, Box(across, down, width - across, height - down), assumed)


def _stages_in_margin(picture: NDArray[np.uint8], polarity: str) -> Stages | None:
    """Return the stages of the digit in a picture with a margin in the color of its paper."""
    scaled = scale(picture, SMALL, LARGE)
    gray = scaled.mean(axis=-1)
    is_paper = (gray > two_tones(gray)) != (polarity == "light_on_dark")
    color = np.median(scaled[is_paper], axis=0) if is_paper.any() else np.zeros(3)
    margin = round(_MARGIN * max(scaled.shape[:2]))
    height, width = (side + 2 * margin for side in scaled.shape[:2])
    whole = np.full((height, width, 3), color, np.uint8)
    whole[margin:-margin, margin:-margin] = scaled
    stages = stages_assuming(whole, Assumptions(polarity))
    if stages is None:
        return None
    zoom = max(picture.shape[:2]) / max(scaled.shape[:2])
    box = in_picture(stages.box.moved(-margin, -margin), zoom, picture.shape)
    return stages._replace(box=box)
