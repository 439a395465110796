"""Light: slopes, lamps, vignettes and shadows."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .scene import grain


def coordinates(height, width):
    """Return rows and columns of the pixels, -1 to 1, float32."""
    return (
        np.linspace(-1, 1, height, dtype=np.float32)[:, None],
        np.linspace(-1, 1, width, dtype=np.float32)[None, :],
    )


def mild_light(height, width, rng):
    """Return the light of a room: a slope, and darker corners."""
    rows, columns = coordinates(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * rows + np.sin(angle) * columns
    corners = rows**2 + columns**2
    return (1 - rng.uniform(0, 0.2) * (1 + slope) / 2) * (1 - rng.uniform(0, 0.08) * corners)


def steep_light(height, width, rng):
    """Return light that changes 2 to 5 times over the picture, or fades to the corners."""
    rows, columns = coordinates(height, width)
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        slope = (np.cos(angle) * rows + np.sin(angle) * columns) / 2
        light = np.exp(np.log(rng.uniform(2, 5)) * (slope - 0.6))
    else:
        center = rng.uniform(-0.6, 0.6, 2)
        distance = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
        light = 0.2 + 0.9 / (1 + distance * rng.uniform(0.6, 2.5))
    return light.astype(np.float32)


def flash(height, width, rng):
    """Return the glare, 0 to 1, of a lamp on the paper, to be added to the picture."""
    rows, columns = coordinates(height, width)
    center, radius = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.15, 0.5)
    distance = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
    return rng.uniform(0.2, 0.55) * np.exp(-distance / (2 * radius**2))


def shadow(height, width, rng, dark=(0.35, 0.75)):
    """Return light with the shadow of a hand, a phone or a shelf, sharp or soft."""
    rows, columns = coordinates(height, width)
    angle, edge = rng.uniform(0, 2 * np.pi), rng.uniform(-0.45, 0.45)
    side = np.cos(angle) * rows + np.sin(angle) * columns - edge
    kind = rng.integers(3)
    if kind == 0:  # the corner of a phone
        across = np.cos(angle) * columns - np.sin(angle) * rows - rng.uniform(-0.4, 0.4)
        side = np.minimum(side, across)
    elif kind == 1:  # fingers: the edge waves
        coarse = max(height, width) / rng.uniform(2, 5)
        side = side + 0.25 * ndimage.gaussian_filter(grain(height, width, coarse, rng), 1)
    soft = np.exp(rng.uniform(np.log(0.008), np.log(0.25)))
    inside = 1 / (1 + np.exp(-(side / soft).clip(-30, 30)))
    return (1 - rng.uniform(*dark) * inside).astype(np.float32)


def creases(height, width, rng):
    """Return the light on a sheet that was folded: parts differ, and the folds are thin lines."""
    light = np.ones((height, width), np.float32)
    for along_rows in (True, False):
        extent, other = (height, width) if along_rows else (width, height)
        bend = extent * 0.004 * grain(1, other, other / 3, rng)[0]
        for i in range(rng.integers(0, 3)):
            at = extent * (i + 1) / 3 * rng.uniform(0.85, 1.15) + bend
            distance = np.arange(extent)[:, None] - at[None, :]
            near = np.exp(-np.abs(distance) / (extent * rng.uniform(0.01, 0.08)))
            step = rng.uniform(-0.2, 0.2) * near * np.sign(distance)
            line = rng.uniform(-0.35, 0.15) * np.exp(-((distance / max(0.7, extent / 900)) ** 2))
            fold = (1 + step + line).astype(np.float32)
            light *= fold if along_rows else fold.T
    return light
