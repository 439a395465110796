"""Pens: uneven, thick and thin ones, those of paint programs, and pencils."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from . import camera, light
from .scene import Scene, grain, ink_color, plain_paper, position, size_of_picture
from .strokes import Strokes, draw_path
from .writing import any_paper, fitted


def uneven_pen(image, rng):
    """A pen whose ink comes and goes: pressure, a dry marker, a ball pen with gaps."""
    height, width = size_of_picture(rng, 90, 800)
    scene = Scene(plain_paper(height, width, rng))
    size = min(height, width) * rng.uniform(0.4, 0.85)
    strokes, style, color = Strokes(image), rng.integers(3), ink_color(rng)
    if style == 0:  # pressure, 4 times fainter in places
        digit = strokes.draw(size, rng)
        faint = np.exp(rng.uniform(np.log(0.22), np.log(0.5)))
        wave = grain(*digit.shape, size / rng.uniform(2, 5), rng).clip(-1, 1) / 2 + 0.5
        digit = digit * faint ** (1 - wave)
    elif style == 1:
        digit = _dry_marker(strokes, size, rng)
    else:  # a ball pen: thin, with gaps of one or two pixels
        gaps = rng.random(len(strokes.points)) < rng.uniform(0.02, 0.08)
        thin = max(1.5, size * rng.uniform(0.012, 0.035))
        digit = strokes.draw(size, rng, width=thin, kept=~gaps)
        digit = digit * (0.75 + 0.25 * grain(*digit.shape, size / 4, rng).clip(-1, 1))
    scene.put(fitted(digit, height, width), color, *position(digit.shape, height, width, rng))
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)


def marker(image, rng):
    """A very thick pen."""
    height, width = size_of_picture(rng, 60, 900)
    scene = Scene(any_paper(height, width, rng))
    strokes, size = Strokes(image), min(height, width) * rng.uniform(0.4, 0.75)
    # The eyes of a digit stay open: who writes with a marker leaves room.
    thick = min(rng.uniform(4, 6), max(2.5, 1.5 * strokes.eye))
    digit = strokes.draw(size, rng, width=size / 20 * thick)
    shade = 1 - 0.12 * grain(*digit.shape, size / 8, rng).clip(0, 1)
    digit = fitted(digit * shade, height, width)
    color = ink_color(rng, ("black", "blue", "red", "green"))
    scene.put(digit, color, *position(digit.shape, height, width, rng, 0.05))
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)


def fine(image, rng):
    """A thin pen, one to three pixels wide, on a large picture."""
    height, width = size_of_picture(rng, 350, 3000)
    scene = Scene(any_paper(height, width, rng, plain=0.5))
    size = rng.uniform(150, max(200, 0.8 * min(height, width)))
    digit = Strokes(image).draw(size, rng, width=max(rng.uniform(1.2, 3), size / 250))
    digit = fitted(digit * rng.uniform(0.7, 1), height, width)
    scene.put(digit, ink_color(rng), *position(digit.shape, height, width, rng))
    if rng.random() < 0.3:
        scene.shade(light.creases(height, width, rng))
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng, blur=(0.2, 0.7), noise=(0.002, 0.02), quality=(60, 95))


def drawn(image, rng):
    """A paint program: flat colors, perhaps of the same brightness, with hard or soft edges."""
    height, width = size_of_picture(rng, 28, 1000)
    paper, ink = _two_colors(rng)
    scene = Scene(np.ones((height, width, 3)) * paper)
    strokes, size = Strokes(image), min(height, width) * rng.uniform(0.35, 0.9)
    pen = max(1.0, size * np.exp(rng.uniform(np.log(0.02), np.log(0.16))))
    digit = strokes.draw(size, rng, width=min(pen, size / 20 * max(2.5, 1.5 * strokes.eye)))
    if rng.random() < 0.5:
        digit = (digit > 0.5).astype(np.float32)
    digit = fitted(digit, height, width)
    scene.put(digit, ink, *position(digit.shape, height, width, rng, 0.05))
    if rng.random() < 0.2:  # the edge of the canvas
        wide = min(int(rng.integers(1, 4)), height // 12)
        for part in (
            scene.rgb[:wide],
            scene.rgb[-wide:],
            scene.rgb[:, :wide],
            scene.rgb[:, -wide:],
        ):
            part[:] = ink if rng.random() < 0.5 else 0
    picture = camera.as_bytes(scene.rgb)
    return camera.jpeg(picture, int(rng.integers(60, 95))) if rng.random() < 0.3 else picture


def low_contrast(image, rng):
    """Pencil on gray paper, or any other ink that is hardly darker or lighter than the sheet."""
    height, width = size_of_picture(rng, 80, 700)
    scene = Scene(plain_paper(height, width, rng, (0.35, 0.8)))
    strokes, size = Strokes(image), min(height, width) * rng.uniform(0.4, 0.8)
    digit = strokes.draw(size, rng, width=size * rng.uniform(0.04, 0.12))
    rough = 1 - 0.4 * grain(*digit.shape, max(1, size / 120), rng).clip(0, 1.5)
    digit = fitted(digit * rough, height, width)
    ink = scene.rgb.mean() * (1 + rng.uniform(0.08, 0.28) * (1 if rng.random() < 0.15 else -1))
    scene.put(digit, np.full(3, ink), *position(digit.shape, height, width, rng, 0.05))
    scene.shade(light.mild_light(height, width, rng))
    if rng.random() < 0.4:
        scene.shade(light.shadow(height, width, rng, (0.1, 0.3)))
    return camera.take(scene.rgb, rng, noise=(0.003, 0.015))


def _dry_marker(strokes, size, rng):
    """Return a thick digit with streaks along its strokes where bristles have run dry."""
    wide = min(size * rng.uniform(0.1, 0.17), size / 20 * max(2.5, 1.5 * strokes.eye))
    points, widths = strokes.placed(size, rng, wide)
    a, b = points[strokes.edges.T]
    middles, along = (a + b) / 2, (b - a) / np.linalg.norm(b - a, axis=1)[:, None]
    whole = draw_path(points, strokes.edges, widths, np.ones(len(points), bool))
    pixels = np.argwhere(np.ones(whole.shape))[:, ::-1] + points.min(axis=0) - wide / 2
    _, nearest = cKDTree(middles).query(pixels)
    across = _cross(along[nearest], pixels - middles[nearest]) / wide + 0.5
    n_bristles = int(rng.integers(6, 14))
    bristles = (across * n_bristles).astype(int).clip(0, n_bristles - 1)
    dry = np.stack([grain(*whole.shape, size / 4, rng) for _ in range(n_bristles)])
    rows, columns = np.indices(whole.shape).reshape(2, -1)
    wet = dry[bristles, rows, columns].reshape(whole.shape) < rng.uniform(0.3, 1.2)
    ink = ndimage.gaussian_filter(np.where(wet, 0.95, rng.uniform(0.0, 0.4)), 0.7)
    return (whole * ink).astype(np.float32)


def _two_colors(rng):
    """Return the colors of paper and ink, which differ in hue if they do not in brightness."""
    weights = np.array([0.299, 0.587, 0.114])
    alike = rng.random() < 0.4
    while True:
        paper, ink = rng.random((2, 3)) if alike else (rng.random(3) ** 0.4, rng.random(3) ** 2)
        if rng.random() < 0.4:
            paper, ink = ink, paper
        brighter, apart = abs(weights @ (paper - ink)), np.linalg.norm(paper - ink)
        if (brighter < 0.08 and apart > 0.65) if alike else brighter > 0.25:
            return paper, ink


def _cross(a, b):
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
