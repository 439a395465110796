"""The plain pictures: a digit on plain, ruled or squared paper, dark on light or light on dark.

The ink has any size, position, slant and thickness, the light is uneven, the paper has texture and
the camera noise, and the file is a JPEG. Tests rely on these pictures: a seed must keep its bytes.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .camera import jpeg

INKS = {
    "black": (25, 25, 28),
    "blue": (30, 45, 120),
    "red": (150, 30, 35),
    "pencil": (95, 95, 98),
}
RULINGS = ("plain", "ruled", "squared")


def draw_plain(image, rng, *, side=None, ruling=None, light_on_dark=False):
    """Return an RGB picture (height, width, 3) uint8 of one digit (28, 28), ink 255 on 0."""
    height, width = rng.integers(220, 640, 2) if side is None else (side, side)
    digit = _stroke(image, rng, rng.uniform(0.25, 0.8) * min(height, width))
    ink = _place(digit, height, width, rng)
    paper = draw_paper(height, width, rng, ruling or rng.choice(RULINGS))
    color = np.array(INKS[rng.choice(list(INKS))]) / 255 + rng.normal(0, 0.02, 3)
    cover = ink * rng.uniform(0.8, 1.0) * (1 - 0.15 * _texture(height, width, 3, rng).clip(0, 1))
    picture = paper * (1 - cover[..., None]) + color.clip(0, 1) * cover[..., None]
    if light_on_dark:
        picture = 1 - picture
    picture = picture * _light(height, width, rng)[..., None]
    picture = ndimage.gaussian_filter(picture, (*[rng.uniform(0.3, 1.2)] * 2, 0))
    picture += rng.normal(0, rng.uniform(0.003, 0.03), picture.shape)
    return jpeg((picture.clip(0, 1) * 255).astype(np.uint8), int(rng.integers(40, 95)))


def _stroke(image, rng, size):
    """Return the coverage of the digit, 0 to 1, ``size`` pixels high, slightly deformed."""
    scale = size / 20
    padded = np.pad(image.astype(float) / 255, 8)
    # output pixel -> input pixel: rotated, slanted, scaled
    turn, slant = np.deg2rad(rng.uniform(-8, 8)), rng.uniform(-0.25, 0.25)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[1, 0], [slant, rng.uniform(0.8, 1.25)]]) / scale
    n = int(np.ceil(44 * scale))
    offset = np.array([21.5, 21.5]) - matrix @ np.array([(n - 1) / 2, (n - 1) / 2])
    field = ndimage.affine_transform(padded, matrix, offset, (n, n), order=3)
    # The edge is halfway between paper and ink; thickness moves it, in pixels of MNIST.
    edge = ndimage.gaussian_filter(field, 0.3 * scale)
    inside = edge > 0.5
    depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    # A pen has one width: thinning stops where the thinnest stroke is half as wide as it was.
    ridge = depth[(depth == ndimage.maximum_filter(depth, int(scale) | 1)) & inside]
    thinnest = -0.5 * np.quantile(ridge, 0.05)
    moved = depth + max(rng.uniform(-0.8, 1.0) * scale, thinnest)
    return (moved / 1.5 + 0.5).clip(0, 1)


def _place(digit, height, width, rng):
    """Return (height, width) with the whole digit at a random position."""
    rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shrink = min(1, 0.92 * height / digit.shape[0], 0.92 * width / digit.shape[1])
    if shrink < 1:
        digit = ndimage.zoom(digit, shrink, order=1)
    ink = np.zeros((height, width))
    free = [height - digit.shape[0], width - digit.shape[1]]
    top, left = (int(rng.integers(0.03 * n, 0.97 * n + 1)) for n in free)
    ink[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return ink


def draw_paper(height, width, rng, ruling):
    paper = rng.uniform(0.72, 0.98) * (1 + rng.uniform(-0.06, 0.06, 3))
    paper = paper * np.ones((height, width, 1))
    for coarse in (1.5, 6):
        paper *= 1 + rng.uniform(0, 0.02) * _texture(height, width, coarse, rng)[..., None]
    if ruling == "plain":
        return paper
    tilt = np.deg2rad(rng.uniform(-4, 4))
    rows, columns = np.mgrid[:height, :width]
    across = rows * np.cos(tilt) + columns * np.sin(tilt)
    along = columns * np.cos(tilt) - rows * np.sin(tilt)
    pitch, thick = rng.uniform(22, 90), rng.uniform(1, 2.6)
    phase = rng.uniform(0, pitch, 2)
    lines = _ruled(across + phase[0], pitch, thick)
    if ruling == "squared":
        lines = np.maximum(lines, _ruled(along + phase[1], pitch, thick))
    color = np.array([(0.35, 0.5, 0.8), (0.5, 0.5, 0.5), (0.8, 0.45, 0.5)][rng.integers(3)])
    strength = rng.uniform(0.2, 0.7) * lines[..., None]
    return paper * (1 - strength) + color * strength


def _ruled(distance, pitch, thick):
    """Coverage of lines ``thick`` pixels wide, ``pitch`` pixels apart."""
    off = np.abs(distance % pitch - pitch / 2)
    return (thick / 2 - off + 0.5).clip(0, 1)


def _light(height, width, rng):
    """Brightness over the picture: a slope, a lamp, perhaps a shadow with a soft edge."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - rng.uniform(0, 0.3) * (1 + np.cos(angle) * rows + np.sin(angle) * columns) / 2
    center = rng.uniform(-1, 1, 2)
    light *= 1 - rng.uniform(0, 0.2) * ((rows - center[0]) ** 2 + (columns - center[1]) ** 2) / 4
    if rng.random() < 0.4:
        angle, edge = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6)
        side = np.cos(angle) * rows + np.sin(angle) * columns - edge
        light *= 1 - rng.uniform(0.1, 0.45) / (1 + np.exp(-side * rng.uniform(10, 80)))
    return light


def _texture(height, width, coarse, rng):
    """Noise of unit variance with grains of ``coarse`` pixels."""
    small = rng.normal(size=(int(height / coarse) + 2, int(width / coarse) + 2))
    return ndimage.zoom(small, coarse + 0.5, order=1)[:height, :width]
