"""Drawn digits: handwritten forms that are rare in MNIST, and digits of seven-segment displays.

Each digit is a list of curves, given by points on them. x grows to the right and y grows downward;
a digit is about 1 high and at most 1 wide. Its form and its proportions are random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Curve: TypeAlias = NDArray[np.float64]  # (n_points, 2): x and y

ON_DISPLAYS = 0.08  # share of the digits that are drawn in seven segments
SEGMENTS = {  # from the top down, from left to right, with their ends in steps of half a digit
    "a": ((0, 0), (1, 0)),
    "f": ((0, 0), (0, 1)),
    "b": ((1, 0), (1, 1)),
    "g": ((0, 1), (1, 1)),
    "e": ((0, 1), (0, 2)),
    "c": ((1, 1), (1, 2)),
    "d": ((0, 2), (1, 2)),
}
LIT = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"]
ALSO_LIT = {6: "fgedc", 7: "fabc", 9: "abcfg"}  # by some makers


def draw_digit(digit: int, height: float, rng: Generator) -> NDArray[np.float32]:
    """Return the ink of a digit, as written by hand or shown on a display, of any width.

    Parameters
    ----------
    digit : int
        0 to 9.
    height : float
        Height of the digit in pixels, before it is slanted and turned.
    rng : numpy.random.Generator
        Chooses the form of the digit, its proportions and the pen.

    Returns
    -------
    ndarray of shape (height, width), dtype float32, 0 (paper) to 1 (ink)
    """
    aspect = np.clip(np.exp(rng.normal(-0.35, 0.22)), 0.5, 1.2)
    slant, turn = rng.normal(0.05, 0.2), rng.normal(0, 5)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    hand = height * np.array([[cos, -sin], [sin, cos]]) @ [[aspect, -slant], [0, 1]]
    form = _segments(digit, rng) if rng.random() < ON_DISPLAYS else FORMS[digit](rng)
    curves = [_smooth(curve) @ hand.T for curve in form]
    pen = max(1, round(height * np.exp(rng.uniform(np.log(0.035), np.log(0.16)))))
    points = np.concatenate(curves)
    margin = pen // 2 + 3
    origin = points.min(axis=0) - margin
    width_and_height = np.ceil(np.ptp(points, axis=0)).astype(int) + 2 * margin + 1
    canvas = np.zeros(width_and_height[::-1], np.uint8)
    for curve in curves:
        places = np.rint((curve - origin) * 16).astype(np.int32)  # in sixteenths of a pixel
        cv2.polylines(canvas, [places], False, 255, pen, cv2.LINE_AA, shift=4)
    return np.asarray(canvas / 255, np.float32)


def _smooth(curve: Curve) -> Curve:
    """Return many points of a smooth curve through a few points, without overshooting."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    smooth = PchipInterpolator(along, curve)
    return np.asarray(smooth(np.linspace(0, along[-1], 8 * len(curve))))


def _arc(x: float, y: float, a: float, b: float, start: float, end: float, n: int = 12) -> Curve:
    """Return points of an ellipse; 0 degrees is to the right, 90 is down."""
    angles = np.radians(np.linspace(start, end, n))
    return np.column_stack([x + a * np.cos(angles), y + b * np.sin(angles)])


def _through(*parts: object) -> Curve:
    """Return one curve through points (x, y) and arcs."""
    return np.concatenate([np.atleast_2d(np.asarray(part, float)) for part in parts])


def _segments(digit: int, rng: Generator) -> list[Curve]:
    lit = ALSO_LIT[digit] if digit in ALSO_LIT and rng.random() < 0.4 else LIT[digit]
    gap, width = rng.uniform(0, 0.14), rng.uniform(0.4, 0.8)
    ends = [np.array(SEGMENTS[name]) * (width, 0.5) for name in lit]
    return [_through(a + gap * (b - a), b + gap * (a - b)) for a, b in ends]


def _zero(rng: Generator) -> list[Curve]:
    a, start = rng.uniform(0.25, 0.42), rng.uniform(-130, -50)
    gap = rng.uniform(-30, 40) * (rng.random() < 0.5)
    curves = [_arc(0.5, 0.5, a, 0.5, start, start - 360 + gap, 24)]
    if rng.random() < 0.12:  # crossed out, as programmers do
        reach = a * rng.uniform(0.5, 1)
        curves.append(_through((0.5 + reach, 0.12), (0.5 - reach, 0.88)))
    return curves


def _one(rng: Generator) -> list[Curve]:
    lean = rng.uniform(-0.05, 0.12)
    top, bottom = np.array([0.62 + lean, 0]), np.array([0.62 - lean, 1])
    curves = [_through(top, bottom)]
    form = rng.choice(["stick", "short", "European"], p=[0.15, 0.55, 0.3])
    if form != "stick":
        european = form == "European"  # its upstroke may be as long as the stem
        length = rng.uniform(0.4, 0.9) if european else rng.uniform(0.15, 0.45)
        angle = np.radians(rng.uniform(32, 65))
        start = top + length * np.array([-np.cos(angle), np.sin(angle)])
        bend = (start + top) / 2 + rng.normal(0, 0.03, 2)
        curves.append(_through(start, bend, top))
        if rng.random() < 0.2:
            half = rng.uniform(0.15, 0.32)
            base = np.array([half, rng.normal(0, 0.03)])
            curves.append(_through(bottom - base, bottom + base))
    return curves


def _two(rng: Generator) -> list[Curve]:
    a, b = rng.uniform(0.3, 0.42), rng.uniform(0.22, 0.32)
    head = _arc(0.5, b, a, b, rng.uniform(-190, -140), rng.uniform(10, 40), 14)
    end = (0.92, 1 + rng.normal(0, 0.03))
    if rng.random() < 0.45:  # a loop at the bottom
        c = rng.uniform(0.05, 0.13)
        loop = _arc(0.17, 1 - c, 0.1, c, 80, 290, 8)
        return [_through(head, (0.5, 0.66), (0.28, 1 - c), loop, (0.45, 0.92), end)]
    corner = (rng.uniform(0.05, 0.15), 1)
    return [_through(head, (0.45, 0.68), corner), _through(corner, end)]


def _three(rng: Generator) -> list[Curve]:
    middle, a, end = rng.uniform(0.4, 0.52), rng.uniform(0.3, 0.4), rng.uniform(130, 170)
    low = _arc(0.42, (1 + middle) / 2, a + 0.06, (1 - middle) / 2, -75, end, 14)
    if rng.random() < 0.3:  # a flat top
        left, right, waist = (0.15, 0), (0.8, rng.normal(0, 0.03)), (0.45, middle - 0.02)
        return [_through(left, right), _through(right, waist), _through(waist, low)]
    waist = (0.42, middle)
    high = _arc(0.42, middle / 2, a, middle / 2, rng.uniform(-175, -135), 75)
    return [_through(high, waist), _through(waist, low)]


def _four(rng: Generator) -> list[Curve]:
    x, y = rng.uniform(0.58, 0.75), rng.uniform(0.52, 0.72)
    corner, bar = (rng.uniform(0, 0.12), y), (0.97, y + rng.normal(0, 0.03))
    top, bottom = (x, 0), (x - rng.uniform(-0.03, 0.07), 1)
    form = rng.choice(["open", "closed", "round"], p=[0.3, 0.45, 0.25])
    if form == "closed":
        return [_through(top, corner), _through(corner, bar), _through(top, bottom)]
    stem = _through((x + rng.normal(0, 0.03), rng.uniform(-0.02, 0.3)), bottom)
    if form == "open":
        start = (rng.uniform(0.1, 0.35), rng.uniform(0, 0.12))
        return [_through(start, corner), _through(corner, bar), stem]
    bowl = _arc(0.38, y - 0.12, 0.25, 0.14, 150, 40, 8)
    return [_through((0.15, rng.uniform(0, 0.1)), (0.1, 0.7 * y), bowl, (x, y - 0.15)), stem]


def _five(rng: Generator) -> list[Curve]:
    x, y = rng.uniform(0.15, 0.25), rng.uniform(0.35, 0.45)
    end = rng.uniform(130, 170)
    bowl = _arc(0.42, (1 + y) / 2 - 0.01, 0.42, (1 - y) / 2 + 0.02, -125, end, 14)
    start, corner = (x + 0.05, 0), (x, y + 0.02)
    gap = rng.uniform(-0.08, 0.02) * (rng.random() < 0.5)  # above, to the top bar
    bar = _through((x + 0.05 + abs(gap), gap), (rng.uniform(0.7, 0.95), gap + rng.normal(0, 0.03)))
    return [bar, _through(start, corner), _through(corner, bowl)]


def _six(rng: Generator) -> list[Curve]:
    top, a, turn = rng.uniform(0.42, 0.6), rng.uniform(0.28, 0.4), rng.uniform(330, 380)
    loop = _arc(0.45, (1 + top) / 2, a, (1 - top) / 2, 180, 180 - turn, 20)
    return [_through((rng.uniform(0.5, 0.85), 0), (0.32, 0.3), loop)]


def _seven(rng: Generator) -> list[Curve]:
    tip, foot = np.array([0.95, rng.uniform(-0.06, 0.06)]), np.array([rng.uniform(0.25, 0.5), 1])
    left = np.array([0.05, 0])
    waist = np.array([rng.uniform(0.5, 0.68), 0.5])
    curves = [_through(left, (0.5, tip[1] / 2 + rng.normal(0, 0.02)), tip)]
    curves.append(_through(tip, waist, foot))
    if rng.random() < 0.35:
        down = np.array([rng.normal(0, 0.03), rng.uniform(0.1, 0.22)])
        curves.append(_through(left, left + down))
    if rng.random() < 0.65:  # crossed, as in Europe
        half = np.array([rng.uniform(0.15, 0.33), rng.normal(0, 0.05)])
        middle = waist + rng.uniform(-0.15, 0.25) * (foot - waist)
        curves.append(_through(middle - half, middle + half))
    return curves


def _eight(rng: Generator) -> list[Curve]:
    middle, a = rng.uniform(0.42, 0.52), rng.uniform(0.22, 0.34)
    high = (0.5, middle / 2, a, middle / 2)
    low = (0.5, (1 + middle) / 2, a + rng.uniform(0, 0.1), (1 - middle) / 2)
    if rng.random() < 0.5:  # two circles
        return [_arc(*high, 90, 450, 18), _arc(*low, -90, 270, 18)]
    start = -30 - rng.uniform(0, 25)
    first, last = _arc(*high, start, -270, 14), _arc(*high, 70, start, 6)
    return [_through(first, _arc(*low, -80, 220, 18), (0.5, middle), last)]


def _nine(rng: Generator) -> list[Curve]:
    middle, a = rng.uniform(0.42, 0.58), rng.uniform(0.26, 0.36)
    loop = _arc(0.45, middle / 2, a, middle / 2, rng.uniform(-50, -20), rng.uniform(-360, -350), 18)
    x = 0.45 + a
    form = rng.choice(["straight", "bent", "curled"], p=[0.25, 0.25, 0.5])
    if form == "straight":
        tail = _through((x, 0.6 * middle), (x - rng.uniform(-0.03, 0.2), 1))
    elif form == "bent":
        tail = _through((x, 0.6 * middle), (x - 0.02, 0.75), (x - rng.uniform(0.15, 0.3), 1))
    else:  # as the tail of a g
        y, b = rng.uniform(0.7, 0.85), rng.uniform(0.22, 0.4)
        tail = _through((x, 0.6 * middle), _arc(x - b, y, b, 1 - y, 0, rng.uniform(130, 200), 10))
    if rng.random() < 0.3:  # a stem of its own
        return [loop, _through((x, rng.uniform(-0.05, 0.1)), tail)]
    return [_through(loop, tail)]


FORMS: list[Callable[[Generator], list[Curve]]] = [
    _zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine,
]  # fmt: skip
