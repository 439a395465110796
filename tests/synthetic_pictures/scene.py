"""The scene: a sheet that ink is put on and light falls on."""

from __future__ import annotations

import numpy as np
from PIL import Image

INKS = {
    "black": (25, 25, 28),
    "blue": (30, 45, 120),
    "red": (150, 30, 35),
    "green": (25, 95, 55),
    "pencil": (95, 95, 98),
}


class Scene:
    """A picture in the making.

    Attributes
    ----------
    rgb : ndarray of shape (height, width, 3), dtype float32, 0 to 1
    """

    def __init__(self, rgb):
        self.rgb = np.ascontiguousarray(rgb, dtype=np.float32)

    @property
    def size(self):
        """Height and width in pixels."""
        return self.rgb.shape[:2]

    def put(self, cover, color, top=0, left=0):
        """Cover the sheet with ink, which may be partly outside."""
        height, width = self.size
        up, start = max(0, -top), max(0, -left)
        cover = cover[up : max(up, height - top), start : max(start, width - left)]
        if not cover.size:
            return
        top, left = top + up, left + start
        part = self.rgb[top : top + cover.shape[0], left : left + cover.shape[1]]
        cover = cover[..., None].astype(np.float32)
        part += cover * (np.asarray(color, dtype=np.float32) - part)

    def shade(self, light):
        """Multiply the colors with light (height, width) or (height, width, 3)."""
        self.rgb *= light if light.ndim == 3 else light[..., None]

    def invert(self):
        """Make dark ink on light paper light on dark."""
        self.rgb = 1 - self.rgb


def ink_color(rng, names=("black", "blue", "red", "green", "pencil")):
    """Return the color of a pen, 0 to 1."""
    color = np.array(INKS[names[rng.integers(len(names))]]) / 255
    return (color + rng.normal(0, 0.02, 3)).clip(0, 1)


def grain(height, width, coarse, rng):
    """Return noise (height, width) float32 of about unit variance, in grains of ``coarse`` pixels.

    ``coarse`` is one number, or the height and the width of the grains.
    """
    rows, columns = np.broadcast_to(coarse, 2)
    small = (max(2, int(height / rows) + 1), max(2, int(width / columns) + 1))
    values = Image.fromarray(rng.standard_normal(small, dtype=np.float32))
    return np.asarray(values.resize((width, height), Image.Resampling.BICUBIC))


def size_of_picture(rng, small, large):
    """Return the height and width of a picture, small ones as often as large ones."""
    longer = np.exp(rng.uniform(np.log(small), np.log(large)))
    shorter = longer * rng.uniform(0.6, 1.0)
    sides = [round(longer), round(shorter)]
    return sides if rng.random() < 0.6 else sides[::-1]


def position(shape, height, width, rng, margin=0.03):
    """Return top and left of something in a picture, at least ``margin`` of the room from edges."""
    free = np.array([height, width]) - shape
    return [int(np.floor(n * rng.uniform(margin, 1 - margin))) for n in free]


def plain_paper(height, width, rng, bright=(0.72, 0.98)):
    """Return plain paper (height, width, 3), nearly white and nearly gray."""
    color = rng.uniform(*bright) * (1 + rng.uniform(-0.06, 0.06, 3))
    texture = 1 + rng.uniform(0, 0.02) * grain(height, width, 1.5, rng)
    texture = texture + rng.uniform(0, 0.02) * grain(height, width, 6, rng)
    return texture[..., None] * color.astype(np.float32)


def check_kind(kind, kinds):
    """Raise ValueError unless ``kind`` is one of ``kinds``."""
    if kind not in kinds:
        raise ValueError(f"kind={kind!r} is not valid: it must be one of {', '.join(kinds)}.")
