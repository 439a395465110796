"""Find the digit in a picture, step by step."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._ink import (
    Map,
    border_of,
    brightness,
    contrast_map,
    in_clear_tones,
    in_color,
    ink_color,
    scale,
    with_open_eyes,
)
from ._lines import Line, Lines, Mask, drawn, find_lines
from ._mnist_form import distance_to_edge, mnist_form
from ._shapes import Box, Shapes, bounds, find_shapes, ink_mask, is_frame, main_digit
from ._sheet import only_sheet, without_edges

SMALL, LARGE = 160, 256  # pixels of the longer side while one digit is searched for
_TINY = 0.3  # of the longer side: a smaller digit is cropped and read again
_THICKEST = 0.05  # of the longer side: a thicker line is a stroke
_COVERED = 0.4  # of the picture: a shorter line is a stroke
_LONGER = 1.3  # times the size of the digit: a shorter line is a stroke, unless it crosses all
_FAR_LONGER = 2.0  # times the size of the digit: a longer line across all is a fold, even if dark
_PALE = 0.2, 0.3  # of the ink nearby: edges that are tried once the digit is found
_GAINED, _LOST = 0.05, 0.02  # of the digit: less is its soft edge; more would be another shape
_SOFTER = 1.0  # pixels by which a lower edge makes strokes wider
_AS_WIDE = 0.8, 1.2  # times the width of the strokes that were found first
_REACHES = 3, 6  # times the width of strokes: wider is paper, unless strokes lose their ink
_FILLED = 0.6  # of the ink: strokes that keep less have lost it
_PARTS = (12, 6, 3)  # of the longer side: strokes are narrower than one of these
_EDGE = 0.04  # of the width: a line that ends as near to the side crosses the picture
_AS_DARK = 0.65  # of the ink of the digit: what is as dark is ink
_HOLLOW = 0.1  # of the area of the digit: more new ink means that only edges were found
_FEWEST = 3  # parallel lines: as many are a ruling even if they are dark
_FAINT = 0.6  # of the ink of the digit: a fainter line is a ruling even if it is alone
_WEAKEST = 0.3  # of the usual strength of ink: a weaker stroke counts as that strong
_THIN = 0.6  # of the width of the strokes: thinner lines are rulings, not parts of strokes


class Stages(NamedTuple):
    """The intermediate results of :class:`DigitPreprocessor` for one picture."""

    picture: NDArray[np.uint8]  # (height, width, 3), scaled; cropped, or with a margin
    ink: Map  # (height, width), 0 (paper) to 1 (ink), without light, paper and ruling
    kinds: NDArray[np.uint8]  # (height, width): members of Kind
    digit: Map  # (height, width), 0 to 1, only the parts of the digit
    image: NDArray[np.uint8]  # (28, 28), 0 (paper) to 255 (ink), in the form of MNIST
    box: Box  # of the digit in the whole picture


class Kind(IntEnum):
    """The kind of a pixel in a picture.

    Attributes
    ----------
    PAPER : 0
        The background.
    DIGIT : 1
        A part of the digit.
    RULING : 2
        A line of ruled or squared paper.
    FRAME : 3
        A printed box around the digit.
    DIRT : 4
        Anything else that looks like ink.
    """

    PAPER = 0
    DIGIT = 1
    RULING = 2
    FRAME = 3
    DIRT = 4


class Assumptions(NamedTuple):
    """What ink is: its polarity, and the edge and the weakest ink for ``ink_mask``."""

    polarity: str
    strict: tuple[float, float] = (0.5, 0.5)  # while the width of strokes is not known
    exact: tuple[float, float] = (0.45, 0.4)  # once it is known
    has_pale_strokes: bool = True
    is_blurred: bool = False  # eyes are closed
    by_color: bool = False  # brightness says nothing, because of a shadow


def stages_assuming(
    picture: NDArray[np.uint8], assumed: Assumptions, closer: bool = True
) -> Stages | None:
    """Return the stages of the digit if the assumptions hold, or None if no digit was found."""
    scaled = scale(picture, SMALL, LARGE)
    found = _search(scaled, assumed)
    if found is None or not found.parts:
        return None
    box = bounds(found.shapes, found.parts)
    longer = max(found.ink.shape)
    zoom = max(picture.shape[:2]) / longer
    if closer and zoom > 1 and box.size < _TINY * longer:
        return stages_in(picture, in_picture(with_margin(box), zoom, picture.shape), assumed)
    digit = cut_out(found.ink, found.shapes, found.parts)
    whole = in_picture(box, zoom, picture.shape)
    return Stages(scaled.copy(), found.ink, found.kinds(), digit, mnist_form(digit), whole)


def stages_in(picture: NDArray[np.uint8], box: Box, assumed: Assumptions) -> Stages | None:
    """Return the stages of the digit in a part of a picture."""
    stages = stages_assuming(picture[box.pixels], assumed, closer=False)
    if stages is None:
        return None
    return stages._replace(box=stages.box.moved(box.left, box.top))


def _search(scaled: NDArray[np.uint8], assumed: Assumptions) -> _Found | None:
    """Return the digit, without ruling and without anything wider than its strokes."""
    sheet = only_sheet(without_edges(scaled))
    pixels = in_color(sheet) if assumed.by_color else in_clear_tones(sheet)
    if pixels is None:
        return None
    weights, is_light = ink_color(pixels, assumed.polarity)
    gray = brightness(pixels, weights, is_light)
    reaches = [max(gray.shape) / part for part in _PARTS]
    for reach, wider in zip(reaches, [*reaches[1:], None], strict=True):
        found = _roughly(gray, reach, is_light, assumed.strict)
        if wider is None or (found.parts and not found.is_hollow(gray, wider, is_light)):
            break
    if not found.parts:
        return found
    # Now the stroke width is roughly known. Anything much wider is paper, unless removing it makes
    # the strokes hollow.
    width = max(1.0, float(found.shapes.stroke[found.parts[0]]))
    mask = found.shapes.mask(found.parts)
    core = mask & (found.ink > 0.8 * np.quantile(found.ink[mask], 0.95))
    for times in _REACHES:
        reach = min(times * width + 2, reaches[-1])
        ink = np.where(found.erased, 0, contrast_map(gray, reach, is_light))
        if np.median(ink[core]) > _FILLED * np.median(found.ink[core]):
            break
    shapes = find_shapes(ink_mask(ink, reaches[-1], *assumed.exact) & ~found.erased, ink)
    found = found._replace(ink=ink, shapes=shapes, parts=main_digit(shapes))
    if found.parts and assumed.is_blurred:
        size = bounds(found.shapes, found.parts).size
        ink = with_open_eyes(ink, gray, size, is_light)
        return found._replace(ink=np.where(found.erased, 0, ink))
    if not found.parts or not assumed.has_pale_strokes:
        return found
    return found.with_pale_strokes(reaches[-1])


class _Found(NamedTuple):
    """A digit in a scaled picture."""

    ink: Map
    shapes: Shapes
    parts: list[int]  # shapes of the digit
    frames: Mask
    rulings: Mask

    @property
    def erased(self) -> Mask:
        """The pixels of lines and frames."""
        return self.frames | self.rulings

    def kinds(self) -> NDArray[np.uint8]:
        """Return the kind of each pixel."""
        kinds = np.where(self.shapes.labels > 0, Kind.DIRT, Kind.PAPER).astype(np.uint8)
        kinds[self.rulings] = Kind.RULING
        kinds[self.frames] = Kind.FRAME
        kinds[self.shapes.mask(self.parts)] = Kind.DIGIT
        return kinds

    def with_pale_strokes(self, reach: float) -> _Found:
        """Return the digit with its pale parts, if they continue its strokes.

        Where the pen presses less, a stroke may have a fifth of the ink that it has elsewhere.
        """
        digit = self.shapes.mask(self.parts)
        stroke = self.shapes.stroke[self.parts[0]]
        at_border = border_of(digit).sum()
        others = (self.shapes.labels > 0) & ~digit
        for edge in _PALE:
            shapes = find_shapes(ink_mask(self.ink, reach, edge, edge) & ~self.erased, self.ink)
            parts = main_digit(shapes)
            if not parts:
                continue
            paler = shapes.mask(parts)
            gained = paler & (cv2.dilate(digit.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
            apart = paler & ~np.isin(shapes.labels, np.unique(shapes.labels[digit]))
            ratio = (shapes.stroke[parts[0]] - _SOFTER) / stroke
            if (
                gained.sum() > _GAINED * digit.sum()
                and 4 * (distance_to_edge(paler)[gained].mean() - 0.5) > _THIN * stroke
                and (digit & ~paler).sum() <= _LOST * digit.sum()
                and border_of(paler).sum() <= at_border
                and not (apart & others).any()
                and _AS_WIDE[0] <= ratio <= _AS_WIDE[1]
            ):
                return self._replace(shapes=shapes, parts=parts)
        return self

    def is_hollow(self, gray: Map, wider: float, is_light: bool) -> bool:
        """Return whether allowing wider strokes would add ink that is as dark as the digit."""
        ink = np.where(self.erased, 0, contrast_map(gray, wider, is_light))
        digit = self.shapes.mask(self.parts)
        dark = ink > _AS_DARK * np.median(ink[digit])
        known = cv2.dilate((self.shapes.labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
        return bool((dark & (known == 0)).sum() > _HOLLOW * digit.sum())


def _roughly(gray: Map, reach: float, is_light: bool, strict: tuple[float, float]) -> _Found:
    """Return the digit if its strokes are narrower than ``reach`` pixels."""
    ink = contrast_map(gray, reach, is_light)
    mask = ink_mask(ink, reach, *strict)
    shapes = find_shapes(mask, ink)
    frames = shapes.mask([k for k in range(len(shapes.boxes)) if is_frame(shapes, k)])
    if frames.any():
        frames = cv2.dilate(frames.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    rulings = _rulings(mask & ~frames, ink)
    if frames.any() or rulings.any():
        ink = np.where(frames | rulings, 0, ink)
        shapes = find_shapes(ink_mask(ink, reach, *strict) & ~(frames | rulings), ink)
    return _Found(ink, shapes, main_digit(shapes), frames, rulings)


def _rulings(mask: Mask, contrast: Map) -> Mask:
    """Return the pixels of ruled lines, except where a stroke crosses them."""
    height, width = mask.shape
    thickest = max(3, round(_THICKEST * max(mask.shape)))
    found = find_lines(mask, thickest, _COVERED * min(mask.shape))
    level = [x for x in found.level if len(x.path) >= _COVERED * width]
    upright = [x for x in found.upright if len(x.path) >= _COVERED * height]
    if not level and not upright:
        return np.zeros(mask.shape, bool)
    covered, _ = drawn(Lines(level, upright), mask)
    shapes = find_shapes(mask & ~covered, contrast)
    parts = main_digit(shapes)
    if not parts:
        return np.zeros(mask.shape, bool)
    digit = shapes.mask(parts)
    strength = float(np.median(contrast[digit]))
    stroke = float(shapes.stroke[parts[0]])
    size = bounds(shapes, parts).size

    def rulings_among(lines: list[Line], view: Map) -> list[Line]:
        return [
            line
            for line in lines
            if (_crosses(line, view) or len(line.path) > _LONGER * size)
            and (
                len(lines) >= _FEWEST
                or (_crosses(line, view) and len(line.path) > _FAR_LONGER * size)
                or line.thickness < _THIN * stroke
                or np.median(line.along(view)) < _FAINT * strength
            )
        ]

    rulings = Lines(rulings_among(level, contrast), rulings_among(upright, contrast.T))
    covered, crossed = drawn(rulings, mask)
    return covered & ~crossed


def _crosses(line: Line, picture: Map) -> bool:
    """Return whether a line reaches from one side of the picture to the other."""
    width = picture.shape[1]
    edge = _EDGE * width + 2
    return bool(line.start <= edge and line.end >= width - edge)


def cut_out(ink: Map, shapes: Shapes, parts: list[int]) -> Map:
    """Return the ink of some shapes, cropped and scaled to a strength of 1."""
    box = bounds(shapes, parts)
    rows = slice(max(0, box.top - 3), box.bottom + 3)
    columns = slice(max(0, box.left - 3), box.right + 3)
    ink, mask = ink[rows, columns], shapes.mask(parts, rows, columns)
    # The soft edge of the strokes is outside the shapes.
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return even_ink(np.where(near, ink, 0), mask, float(shapes.stroke[parts[0]]))


def even_ink(ink: Map, mask: Mask, stroke: float) -> Map:
    """Return the ink of a digit, scaled to a strength of 1 everywhere in its mask."""
    return np.asarray((ink / _strength(ink, mask, stroke)).clip(0, 1))


def _strength(ink: Map, mask: Mask, stroke: float) -> Map:
    """Return the strength of the ink nearby: the pen may press unevenly."""
    window = 2 * max(1, round(stroke)) + 1
    square = np.ones((window, window), np.uint8)
    calm = cv2.blur(np.where(mask, ink, 0), (3, 3))
    nearby = cv2.blur(cv2.dilate(calm, square), (window, window))
    usual = float(np.median(ink[mask]))
    return np.asarray(np.clip(nearby, _WEAKEST * usual, usual), np.float32)


def with_margin(box: Box, share: float = 1.0) -> Box:
    """Return a box and its surroundings, as far as a share of its size."""
    left, top, right, bottom = box
    margin = round(share * box.size)
    return Box(left - margin, top - margin, right + margin, bottom + margin)


def in_picture(box: Box, zoom: float, shape: tuple[int, ...]) -> Box:
    """Return a box in the whole picture, which is ``zoom`` times as large: at least one pixel."""
    left, top = (
        min(max(0, round(side * zoom)), length - 1)
        for side, length in ((box.left, shape[1]), (box.top, shape[0]))
    )
    return Box(
        left,
        top,
        max(left + 1, min(shape[1], round(box.right * zoom))),
        max(top + 1, min(shape[0], round(box.bottom * zoom))),
    )
