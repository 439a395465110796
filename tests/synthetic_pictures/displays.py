"""Displays: segments of LCDs and LEDs, dots, and the wheels of meters."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from . import camera, light
from .fonts import any_font, printed
from .lines import draw_lines
from .scene import Scene, check_kind, grain
from .view import View, tilted

DISPLAYS = ("lcd", "led", "dots", "meter")

# Lit segments: top, upper right, lower right, bottom, lower left, upper left, middle
_SEGMENTS = (
    "012345",
    "12",
    "01346",
    "01236",
    "1256",
    "02356",
    "023456",
    "012",
    "0123456",
    "012356",
)
_DOTS = (
    "0e11131519110e", "040c040404040e", "0e11010204081f", "1f02040201110e", "02060a121f0202",
    "1f101e0101110e", "0608101e11110e", "1f010204080808", "0e11110e11110e", "0e11110f01020c",
)  # fmt: skip


def draw_display(digit, rng, *, kind):
    """Return a picture of one digit (0 to 9) on a display.

    Parameters
    ----------
    digit : int
        0 to 9.
    rng : numpy.random.Generator
        Random generator.
    kind : {"lcd", "led", "dots", "meter"}
        Dark segments on a light ground, glowing segments, a matrix of 5 by 7 glowing or dark dots,
        or the wheel of a counter.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
    """
    check_kind(kind, DISPLAYS)
    high = int(np.exp(rng.uniform(np.log(60), np.log(260))))
    height, width = int(high * rng.uniform(1.3, 1.9)), int(high * rng.uniform(0.9, 1.6))
    if kind == "meter":
        scene = _meter(digit, high, height, width, rng)
    else:
        scene = _lit(digit, high, height, width, rng, kind)
    if rng.random() < 0.5:
        _put_bezel(scene, high, rng)
    scene.shade(light.mild_light(height, width, rng))
    if rng.random() < 0.3:
        glare = light.flash(height, width, rng)[..., None] * 0.7
        scene.rgb = scene.rgb + glare * (1 - 0.5 * scene.rgb)
    view = View(
        [(0, 0), (width, 0), (width, height), (0, height)],
        tilted(height, width, rng, 0.05, zoom=1.1),
    )
    seen = view.picture_of(camera.as_bytes(scene.rgb), height, width) / np.float32(255)
    seen = camera.defocus(seen, high * rng.uniform(0, 0.02))
    few = np.exp(rng.uniform(np.log(24 / high), 0))
    if few < 1:
        seen = camera.resized(seen, max(16, round(height * few)), max(16, round(width * few)))
    return camera.take(seen, rng, chroma=(0.0, 0.04))


def _lit(digit, high, height, width, rng, kind):
    """Return a glowing display or an LCD, with parts of neighboring digits."""
    glows = kind == "led" or (kind == "dots" and rng.random() < 0.7)
    if glows:
        ground = rng.uniform(0, 0.12) * (1 + rng.uniform(-0.2, 0.2, 3))
        colors = [(1, 0.15, 0.1), (0.2, 1, 0.35), (1, 0.7, 0.15), (0.25, 0.6, 1), (0.95, 0.95, 1)]
        color = np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.75, 1)
    else:
        colors = [(0.62, 0.68, 0.55), (0.7, 0.72, 0.7), (0.45, 0.65, 0.35), (0.5, 0.68, 0.85)]
        ground = np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.7, 1.2)
        color = rng.uniform(0.05, 0.2) * np.ones(3)
    scene = Scene(np.ones((height, width, 3)) * ground)
    scene.shade(1 + 0.015 * grain(height, width, 2, rng))
    faint = rng.uniform(0.02, 0.14) * (rng.random() < 0.7)
    shape = _dots if kind == "dots" else segments(rng)
    digit_width = shape(8, high).shape[1]
    top, left = (height - high) // 2, (width - digit_width) // 2
    step = int(digit_width * rng.uniform(1.15, 1.6))
    for number, x in (
        (rng.integers(10), left - step),
        (digit, left),
        (rng.integers(10), left + step),
    ):
        if x != left and rng.random() < 0.4:
            continue
        lit = shape(int(number), high)
        every = shape(8, high) if kind != "dots" else _all_dots(high)
        scene.put(np.maximum(lit, faint * every) * 0.97, color, top, x)
    if glows:  # the glow around what is lit
        halo = ndimage.gaussian_filter(scene.rgb, (*[high * rng.uniform(0.02, 0.08)] * 2, 0))
        scene.rgb = np.maximum(scene.rgb, 0) + rng.uniform(0.2, 0.7) * halo
    return scene


def segments(rng):
    """Return a function that draws seven segments, all in one style."""
    thick, slant, gap = rng.uniform(0.09, 0.17), rng.uniform(0, 0.18), rng.uniform(0.008, 0.03)
    wide = rng.uniform(0.48, 0.62)

    def draw(number, high):
        more = 3
        n = high * more
        canvas = Image.new("L", (int((wide + slant) * n) + 2, n))
        pen = ImageDraw.Draw(canvas)
        w, t = wide, thick / 2
        joints = [(t, t), (w - t, t), (w - t, 0.5), (w - t, 1 - t), (t, 1 - t), (t, 0.5)]
        ends = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (5, 2)]
        for segment in _SEGMENTS[number]:
            a, b = (np.array(joints[i]) for i in ends[int(segment)])
            along = (b - a) / np.linalg.norm(b - a)
            side = np.array([-along[1], along[0]]) * t
            a, b = a + along * gap, b - along * gap
            tip = along * t
            corners = [a, a + tip + side, b - tip + side, b, b - tip - side, a + tip - side]
            pen.polygon([((x + slant * (1 - y)) * n, y * n) for x, y in corners], fill=255)
        return np.asarray(canvas.reduce(more), dtype=np.float32) / 255

    return draw


def _dots(number, high):
    """Return the dots of a digit in a matrix of 5 by 7."""
    rows = [int(_DOTS[number][2 * i : 2 * i + 2], 16) for i in range(7)]
    return _matrix(np.array([[row >> (4 - x) & 1 for x in range(5)] for row in rows]), high)


def _all_dots(high):
    return _matrix(np.ones((7, 5)), high)


def _matrix(lit, high):
    pitch = high / 7
    rows, columns = np.mgrid[:high, : int(5 * pitch)] + 0.5
    off = np.hypot(rows % pitch - pitch / 2, columns % pitch - pitch / 2)
    which = lit[(rows / pitch).astype(int).clip(0, 6), (columns / pitch).astype(int).clip(0, 4)]
    return (which * (0.42 * pitch - off + 0.5).clip(0, 1)).astype(np.float32)


def _meter(digit, high, height, width, rng):
    """Return the wheel of a counter, light on dark or dark on light, perhaps between two digits."""
    font = any_font(rng)
    scene = Scene(np.ones((height, width, 3)) * rng.uniform(0.03, 0.12))
    scene.shade(1 + 0.05 * grain(height, width, 2, rng))
    color = np.full(3, rng.uniform(0.8, 0.95))
    if rng.random() < 0.25:
        scene.rgb = scene.rgb + np.array([0.6, 0.05, 0.05])
    elif rng.random() < 0.3:
        scene.invert()
        color = 1 - color
    rolled = rng.uniform(-0.25, 0.25) * high * (rng.random() < 0.4)
    for step in (-1, 0, 1):
        cover = printed(str((digit + step) % 10), font, high * 0.85)
        top = (height - cover.shape[0]) / 2 + rolled + step * high * rng.uniform(1.25, 1.4)
        scene.put(cover * 0.95, color, int(top), (width - cover.shape[1]) // 2)
    rows = np.linspace(-1, 1, height)[:, None] * np.ones((1, width))
    scene.shade((0.35 + 0.65 * np.sqrt(1 - 0.9 * rows**2)).astype(np.float32))
    return scene


def _put_bezel(scene, high, rng):
    """Put the edge of the case on one or two sides."""
    height, width = scene.size
    thick = high * rng.uniform(0.03, 0.15)
    sides = [
        (0, 0, width, 0),
        (0, height, width, height),
        (0, 0, 0, height),
        (width, 0, width, height),
    ]
    chosen = [sides[i] for i in rng.permutation(4)[: rng.integers(1, 4)]]
    cover = draw_lines(height, width, [(*side, 2 * thick) for side in chosen])
    scene.put(cover, np.full(3, rng.choice([0.03, 0.2, 0.5, 0.85])))
