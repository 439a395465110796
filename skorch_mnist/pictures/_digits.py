"""The steps from a picture to the digit in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ._ink import Map, even_light, ink_color, ink_map
from ._mnist_form import mnist_form
from ._rulings import erase_rulings, find_rulings
from ._shapes import Box, Shapes, bounds, find_shapes, main_digit, stroke_width
from ._sheet import only_sheet

_SMALL, _LARGE = 240, 480  # pixels of the longer side while one digit is searched for
_TINY = 0.3  # of the longer side: a smaller digit is cropped and read again


class Stages(NamedTuple):
    """The intermediate results of :class:`DigitPreprocessor` for one picture."""

    picture: NDArray[np.uint8]  # (height, width, 3), scaled; cropped around a small digit
    ink: Map  # (height, width), 0 (paper) to 1 (ink), without light, paper and ruling
    digit: Map  # (height, width), 0 to 1, only the parts of the digit
    image: NDArray[np.uint8]  # (28, 28), 0 (paper) to 255 (ink), in the form of MNIST


def stages_of(picture: Image.Image, polarity: str, closer: bool = True) -> Stages | None:
    """Return the stages of the digit in a picture, or None if no digit was found."""
    scaled = scale(picture, _SMALL, _LARGE)
    ink = find_ink(scaled, polarity, max(scaled.size) / 3)
    shapes = find_shapes(ink)
    parts = main_digit(shapes)
    if not parts:
        return None
    box = bounds(shapes, parts)
    zoom = max(picture.size) / max(scaled.size)
    if closer and zoom > 1 and box.size < _TINY * max(scaled.size):
        around = _enlarged(box, zoom, picture.size)
        return stages_of(picture.crop(around), polarity, closer=False)
    digit = cut_out(ink, shapes, parts)
    return Stages(np.asarray(scaled), ink, digit, mnist_form(digit))


def scale(picture: Image.Image, small: int, large: int) -> Image.Image:
    """Return a picture whose longer side is between ``small`` and ``large`` pixels."""
    longer = max(picture.size)
    factor = min(max(longer, small), large) / longer
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    shrinking = factor < 1
    method = Image.Resampling.BOX if shrinking else Image.Resampling.BICUBIC
    return picture.resize((size[0], size[1]), method, reducing_gap=3.0 if shrinking else None)


def find_ink(picture: Image.Image, polarity: str, reach: float) -> Map:
    """Return the ink of a picture, without ruling and anything wider than its strokes.

    Strokes are assumed to be narrower than ``reach`` pixels.
    """
    pixels = only_sheet(np.asarray(picture, dtype=np.float32) / 255)
    weights, is_light = ink_color(pixels, polarity)
    gray: Map = pixels @ weights
    gray = 1 - gray if is_light else even_light(gray)
    rough = ink_map(gray, reach, is_light)
    lines = find_rulings(rough)
    rough = erase_rulings(rough, lines)
    shapes = find_shapes(rough)
    if not shapes.boxes:
        return rough
    # Now the width of the stroke is roughly known. Anything much wider is paper, unless removing it
    # makes the strokes hollow.
    mask = np.isin(shapes.labels, main_digit(shapes))
    core = mask & (rough > 0.8 * np.quantile(rough[mask], 0.95))
    for reached in (5 * stroke_width(mask) + 2, 10 * stroke_width(mask) + 2):
        if reached < reach:
            fine = erase_rulings(ink_map(gray, reached, is_light), lines)
            if np.median(fine[core]) > 0.6 * np.median(rough[core]):
                return fine
    return rough


def cut_out(ink: Map, shapes: Shapes, parts: list[int]) -> Map:
    """Return the ink of some shapes, cropped and scaled to a strength of 1."""
    box = bounds(shapes, parts)
    rows = slice(max(0, box.top - 3), box.bottom + 3)
    columns = slice(max(0, box.left - 3), box.right + 3)
    ink, mask = ink[rows, columns], np.isin(shapes.labels[rows, columns], parts)
    # The soft edge of the strokes is outside the shapes.
    alone = np.where(ndimage.binary_dilation(mask, iterations=2), ink, 0)
    return (alone / np.median(ink[mask])).clip(0, 1).astype(np.float32)


def _enlarged(box: Box, zoom: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box and its surroundings in the whole picture."""
    margin = 0.8 * box.size
    width, height = size
    return (
        max(0, int((box.left - margin) * zoom)),
        max(0, int((box.top - margin) * zoom)),
        min(width, int((box.right + margin) * zoom)),
        min(height, int((box.bottom + margin) * zoom)),
    )
