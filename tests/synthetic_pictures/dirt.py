"""Dirt: blots, stains, rings of cups, punch holes and specks."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from .scene import ink_color


def blob(radius, rng, rough=0.25):
    """Return the coverage of an irregular round shape with the mean ``radius``."""
    n = int(np.ceil(radius * (1 + 2.5 * rough))) + 2
    rows, columns = np.mgrid[-n : n + 1, -n : n + 1]
    angle, distance = np.arctan2(rows, columns), np.hypot(rows, columns)
    edge = np.ones(angle.shape)
    for wave in range(1, 7):
        edge += rough / wave * rng.normal(0, 0.6) * np.cos(wave * angle + rng.uniform(0, 6.3))
    return (radius * edge.clip(0.3) - distance + 0.5).clip(0, 1)


def blots(scene, rng, free):
    """Put a few ink blots where ``free`` (a mask) allows."""
    for _ in range(rng.integers(1, 4)):
        _blot(scene, rng, free)


def _blot(scene, rng, free):
    """Put an ink blot with a few splashes."""
    size = min(scene.size)
    radius = size * np.exp(rng.uniform(np.log(0.02), np.log(0.16)))
    color = ink_color(rng) * rng.uniform(0.4, 1.0)
    spot = blob(radius, rng)
    place = free_place(spot.shape, free, rng)
    if place is None:
        return
    scene.put(spot * rng.uniform(0.85, 1), color, *place)
    for _ in range(rng.integers(0, 5)):
        splash = blob(max(0.8, radius * rng.uniform(0.05, 0.25)), rng)
        away = rng.normal(0, 1.4 * radius, 2)
        top, left = (np.array(place) + np.array(spot.shape) / 2 + away).astype(int)
        scene.put(splash, color, top, left)


def stain(scene, rng, free=None):
    """Put a pale stain of coffee, grease or water anywhere, darker at its rim."""
    radius, zoom = _drawn_radius(min(scene.size) * rng.uniform(0.1, 0.45))
    shape = blob(radius, rng, 0.15)
    inside = ndimage.gaussian_filter(shape, max(0.5, radius * 0.03))
    rim = inside * (1 - ndimage.gaussian_filter(shape, max(0.5, radius * 0.1))) * 2.5
    color = np.array([[0.45, 0.28, 0.12], [0.65, 0.6, 0.4], [0.5, 0.35, 0.4]])[rng.integers(3)]
    cover = (inside * rng.uniform(0.08, 0.3) + rim * rng.uniform(0.1, 0.35)).clip(0, 0.6)
    _put_anywhere(scene, _zoomed(cover, zoom), color, rng)


def coffee_ring(scene, rng, free=None):
    """Put the ring of a cup anywhere, stronger on one side."""
    radius, zoom = _drawn_radius(min(scene.size) * rng.uniform(0.25, 0.6))
    thick = radius * rng.uniform(0.02, 0.08)
    n = int(radius + 3 * thick) + 2
    rows, columns = np.mgrid[-n : n + 1, -n : n + 1]
    distance = np.hypot(rows, columns)
    around = 0.6 + 0.4 * np.cos(np.arctan2(rows, columns) - rng.uniform(0, 6.3))
    ring = np.exp(-(((distance - radius) / thick) ** 2)) * around
    ring += 0.12 * (distance < radius)
    ring = _zoomed(ring, zoom) * rng.uniform(0.3, 0.7)
    _put_anywhere(scene, ring, (0.42, 0.26, 0.12), rng)


def punch_holes(scene, rng, free):
    """Punch one or two holes near an edge: the dark table shows through."""
    height, width = scene.size
    radius = max(2.0, min(height, width) * rng.uniform(0.025, 0.05))
    color = np.full(3, rng.uniform(0.03, 0.35))
    left = int(radius * rng.uniform(0.3, 1.2))
    first = int(height * rng.uniform(0.02, 0.25))
    for top in [first, first + int(height * rng.uniform(0.5, 0.65))][: rng.integers(1, 3)]:
        hole = blob(radius, rng, 0.01)
        # People do not write where holes are.
        if free[max(0, top) : top + len(hole), left : left + len(hole)].all():
            scene.put(hole, color, top, left)


def specks(scene, rng, free=None, many=40):
    """Put specks of dirt, darker than most ink, anywhere."""
    height, width = scene.size
    size = min(height, width)
    for _ in range(rng.integers(3, many)):
        spot = blob(max(0.6, size * rng.exponential(0.003)), rng)
        place = [int(rng.integers(-2, side)) for side in (height, width)]
        scene.put(spot, np.full(3, rng.uniform(0.02, 0.4)), *place)


def free_place(shape, free, rng):
    """Return top and left where a shape covers almost none but free pixels, or None."""
    height, width = free.shape
    for _ in range(20):
        top = int(rng.integers(-shape[0] // 2, max(1, height - shape[0] // 2)))
        left = int(rng.integers(-shape[1] // 2, max(1, width - shape[1] // 2)))
        part = free[max(0, top) : top + shape[0], max(0, left) : left + shape[1]]
        if part.size and part.mean() > 0.98:
            return top, left
    return None


def _drawn_radius(radius):
    """Return the radius that a soft shape is drawn with, which saves time, and its scale."""
    return min(radius, 150.0), max(1.0, radius / 150)


def _zoomed(cover, zoom):
    if zoom == 1:
        return cover
    size = tuple(round(n * zoom) for n in cover.shape[::-1])
    return np.asarray(Image.fromarray(cover.astype(np.float32)).resize(size))


def _put_anywhere(scene, cover, color, rng):
    top, left = (
        int(rng.uniform(-n / 2, max(1, side - n / 2)))
        for n, side in zip(cover.shape, scene.size, strict=True)
    )
    scene.put(cover, color, top, left)
