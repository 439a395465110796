"""Writing: an ordinary digit on ordinary paper, for what is hard for other reasons."""

from __future__ import annotations

import numpy as np

from .plain import RULINGS, draw_paper
from .scene import ink_color, plain_paper, position
from .strokes import Strokes


def any_paper(height, width, rng, plain=0.75):
    """Return paper that is plain with a probability, else ruled or squared."""
    if rng.random() < plain:
        return plain_paper(height, width, rng)
    return draw_paper(height, width, rng, RULINGS[rng.integers(1, 3)])


def write(scene, image, rng, share=(0.35, 0.8), dense=(0.8, 1.0)):
    """Write a digit, as high as a share of the picture, at any position; return its coverage."""
    height, width = scene.size
    digit = Strokes(image).draw(min(height, width) * rng.uniform(*share), rng)
    digit = fitted(digit * rng.uniform(*dense), height, width)
    top, left = position(digit.shape, height, width, rng)
    scene.put(digit, ink_color(rng), top, left)
    cover = np.zeros((height, width), np.float32)
    cover[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return cover


def fitted(digit, height, width):
    """Return a digit cut to a picture that it does not fit in."""
    return digit[:height, :width]
