"""Labels: a digit on a note, a price tag or a printed page, with text and things around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import camera, light
from .letters import put_text
from .lines import draw_lines
from .scene import Scene, ink_color, plain_paper, size_of_picture
from .strokes import Strokes, draw_path
from .surfaces import table
from .view import View, tilted, turned


def label(image, rng):
    """A large digit on a label with small print, on a table, perhaps with a pen or a finger."""
    height, width = size_of_picture(rng, 140, 900)
    note = Scene(_note(height, width, rng))
    size = min(height, width) * rng.uniform(0.35, 0.55)
    digit = Strokes(image).draw(size, rng)
    top = int(rng.uniform(0.25, 0.6) * (height - digit.shape[0]))
    left = int(rng.uniform(0.2, 0.8) * (width - digit.shape[1]))
    _print_on(note, top, top + digit.shape[0], size, rng)
    note.put(digit * rng.uniform(0.8, 1), ink_color(rng), top, left)
    zoom = rng.uniform(0.7, 1.1)
    corners = turned(tilted(height, width, rng, 0.04, zoom), rng.normal(0, 4))
    view = View([(0, 0), (width, 0), (width, height), (0, height)], corners)
    sheet = view.picture_of(camera.as_bytes(note.rgb), height, width) / np.float32(255)
    whole = np.full((height, width, 3), 255, np.uint8)
    inside = view.picture_of(whole, height, width) / np.float32(255)
    scene = Scene(table(height, width, rng))
    scene.rgb += inside * (sheet - scene.rgb)
    if rng.random() < 0.4:
        ink = view.to_picture([(left, top), np.add((left, top), digit.shape[::-1])])
        _put_thing(scene, ink, rng)
    scene.shade(light.mild_light(height, width, rng))
    if rng.random() < 0.3:
        scene.shade(light.shadow(height, width, rng, (0.15, 0.5)))
    return camera.take(scene.rgb, rng)


def _note(height, width, rng):
    """Return paper, white or in the colors of sticky notes."""
    paper = plain_paper(height, width, rng)
    if rng.random() < 0.4:
        colors = [(1, 0.95, 0.45), (1, 0.7, 0.75), (0.65, 0.9, 0.65), (0.95, 0.85, 0.7)]
        paper = paper * np.array(colors[rng.integers(len(colors))])
    return paper


def _print_on(note, top, bottom, size, rng):
    """Print text above and below the digit, a rule, or a colored bar."""
    height, width = note.size
    high = size * rng.uniform(0.06, 0.16)
    margin = int(0.04 * width)
    above, below = (int((room - 0.5 * high) / (1.9 * high)) for room in (top, height - bottom))
    if above > 0 and rng.random() < 0.8:
        put_text(note, rng, high, 0.6 * high, margin, width - 2 * margin, min(above, 3))
    if below > 0 and rng.random() < 0.8:
        start = bottom + 0.6 * high
        put_text(note, rng, high, start, margin, width - 2 * margin, min(below, 5))
    if rng.random() < 0.4:
        y = bottom + 0.3 * high if rng.random() < 0.5 else max(1, top - 0.3 * high)
        rule = draw_lines(height, width, [(margin, y, width - margin, y, max(1, 0.15 * high))])
        note.put(rule, ink_color(rng))
    if rng.random() < 0.25 and top > 2 * high:
        bar = np.ones((int(min(top - high, 3 * high)), width))
        note.put(bar, rng.uniform(0, 0.7, 3))


def _put_thing(scene, ink, rng):
    """Lay a pen or a finger over a border of the picture, away from the ink."""
    height, width = scene.size
    finger = rng.random() < 0.5
    wide = min(height, width) * (rng.uniform(0.12, 0.25) if finger else rng.uniform(0.03, 0.07))
    for _ in range(10):
        start = np.array([rng.choice([0, width]), rng.uniform(0, height)])
        end = start + rng.uniform(-0.35, 0.35, 2) * min(height, width)
        along = np.linspace(start, end, 30)
        low, high = ink.min(axis=0) - 0.6 * wide, ink.max(axis=0) + 0.6 * wide
        if not ((along > low) & (along < high)).all(axis=1).any():
            break
    else:
        return
    origin = along.min(axis=0) - wide / 2
    edges = np.array([(0, 1)])
    shape = draw_path(
        np.array([start, end]) - origin + 1, edges, np.full(2, wide), np.ones(2, bool)
    )
    skin = np.array([0.85, 0.62, 0.5]) * rng.uniform(0.4, 1.1)
    color = skin if finger else rng.uniform(0, 1, 3) ** 1.5
    top, left = int(origin[1]), int(origin[0])
    dark = ndimage.gaussian_filter(np.pad(shape, int(wide / 2)), wide / 5)
    scene.put(dark * 0.35, (0, 0, 0), top - int(0.4 * wide), left - int(0.4 * wide))
    scene.put(shape, color, top, left)
    shine = ndimage.gaussian_filter(shape, wide / 5) ** 4
    scene.put(shine * rng.uniform(0.05, 0.3), (1, 1, 1), top, left)
