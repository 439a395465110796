"""Candidates for the digits on a page, and how much each looks like a digit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._digits import cut_out
from ._ink import Map
from ._judge import likeness
from ._layout import FLATTEST, is_box, words
from ._lines import Mask
from ._mnist_form import mnist_form
from ._shapes import Box, Shapes, border_pixels, bounds, is_blot

_CLEARLY = 4.0  # above the threshold: pieces of lines and letters rarely look so much like a digit
_HEIGHTS = 0.55, 1.5  # times the height of a usual digit: those of digits
_LETTERS = 0.2, 1.5  # times that height: those of letters
_NARROW = 0.4  # of its height: a narrower shape may be a piece of a line,
_HIGH, _STRONG = 0.7, 0.7  # unless it is at least as high and as dark, compared with usual digits
_FAINT = 0.3  # times as dark as a usual digit: anything fainter is a stain or noise
_DARK = 0.85  # quantile of the ink in the box of a digit: that of its strokes
_AT_BORDER = 0.3  # of the size of a shape: with more pixels on the border, it runs along it
_SHARED, _SAME = 0.3, 0.7  # of the smaller of two boxes: they show some of the same ink, or all
_DIGITS = 0.6  # of the letters of a word: if as many are digits, it is a number
_UNLIKE = -4.0  # above the threshold: most digits in bad pictures look more like one
_AS_HIGH = 0.75, 1.35  # times the height of a usual digit: most digits are as high
_MOSTLY = 0.6  # of the shapes on a page: if as many look like digits, the others can be judged


class Candidate(NamedTuple):
    """A candidate for a digit."""

    box: Box
    image: NDArray[np.uint8]  # (28, 28), in the form of MNIST
    alike: float  # how much it looks like a digit: 0 or more if it is accepted as one

    @property
    def is_digit(self) -> bool:
        """Whether it looks like a digit."""
        return self.alike >= 0

    @property
    def is_narrow(self) -> bool:
        """Whether it may be a piece of a line."""
        return self.box.width <= _NARROW * self.box.height


def candidates(shapes: Shapes, ink: Map, digits: list[list[int]]) -> list[Candidate]:
    """Return a candidate for each list of parts."""
    images = [mnist_form(cut_out(ink, shapes, parts)) for parts in digits]
    boxes = [bounds(shapes, parts) for parts in digits]
    return [Candidate(*some) for some in zip(boxes, images, likeness(images).tolist(), strict=True)]


def shared(box: Box, other: Box) -> float:
    """Return how much of the smaller of two boxes is in the other one, 0 to 1."""
    down = min(box.bottom, other.bottom) - max(box.top, other.top)
    across = min(box.right, other.right) - max(box.left, other.left)
    smaller = min(box.height * box.width, other.height * other.width)
    return max(down, 0) * max(across, 0) / smaller


def missed(
    shapes: Shapes, ink: Map, eyes: Map, usual: float, digits: list[Candidate], lines: Mask
) -> list[Candidate]:
    """Return the shapes that clearly look like digits, where none of ``digits`` is.

    Parameters
    ----------
    shapes : Shapes
    ink, eyes : ndarray of shape (height, width), 0 (paper) to 1 (ink)
        The ink in which the shapes were found, and that with open eyes.
    usual : float
        The height of a usual digit in pixels.
    digits : list of Candidate
    lines : ndarray of bool, shape (height, width)
        Where pieces of lines may be.
    """
    taken = [digit.box for digit in digits if digit.is_digit]
    usually = float(np.median([_darkness(ink, box) for box in taken])) if len(taken) > 2 else 0.0
    at_border = border_pixels(shapes.labels, len(shapes.boxes))

    def may_be_digit(k: int) -> bool:
        box = shapes.boxes[k]
        if not _HEIGHTS[0] * usual < box.height < _HEIGHTS[1] * usual:
            return False
        if box.width > FLATTEST * box.height or at_border[k] > _AT_BORDER * box.size:
            return False
        if sum(shared(box, other) for other in taken) >= _SHARED:
            return False
        if is_box(shapes, k) or is_blot(shapes, k):
            return False
        dark = _darkness(ink, box)
        if box.width > _NARROW * box.height:
            return dark >= _FAINT * usually
        top, left, bottom, right = box
        if at_border[k] or lines[top:bottom, left:right].any():
            return False
        if any(shared(box, digit.box) > _SAME for digit in digits):
            return False  # a stroke of it
        return box.height > _HIGH * usual and dark >= _STRONG * usually

    possible = [[k] for k in range(len(shapes.boxes)) if may_be_digit(k)]
    return [some for some in candidates(shapes, eyes, possible) if some.alike >= _CLEARLY]


def _darkness(ink: Map, box: Box) -> float:
    return float(np.quantile(ink[box.top : box.bottom, box.left : box.right], _DARK))


def without_letters(
    found: list[Candidate], shapes: Shapes, usual: float, digits: list[Candidate]
) -> list[Candidate]:
    """Return the candidates that are not in words; a row of digits is not a word."""
    low, high = (share * usual for share in _LETTERS)
    boxes = shapes.boxes
    clear = [digit.box for digit in (*digits, *found) if digit.is_digit]
    letters = []
    for word in words(boxes, [k for k, box in enumerate(boxes) if low < box.height < high]):
        known = [k for k in word if any(shared(boxes[k], box) > _SAME for box in clear)]
        if len(known) < _DIGITS * len(word):
            letters += [boxes[k] for k in word]
    return [some for some in found if all(shared(some.box, box) <= _SHARED for box in letters)]


def chosen(digits: list[Candidate], others: list[Candidate], usual: float) -> list[Candidate]:
    """Return the digits, and the others where no digit is.

    What does not look like a digit is replaced by what does. If most shapes on the page look like
    digits, anything that looks very different from one, and is not as high as they are, is dropped.
    """
    found = [digit for digit in digits if digit.is_digit]
    for other in sorted(others, key=lambda some: -some.alike):
        if sum(shared(other.box, digit.box) for digit in found) < _SHARED:
            found.append(other)
    unsure = [
        digit
        for digit in digits
        if not digit.is_digit and all(shared(digit.box, other.box) < _SHARED for other in found)
    ]
    if len(found) > 2 and len(found) >= _MOSTLY * (len(found) + len(unsure)):
        low, high = (share * usual for share in _AS_HIGH)
        unsure = [
            digit for digit in unsure if digit.alike >= _UNLIKE or low < digit.box.height < high
        ]
    return found + unsure
