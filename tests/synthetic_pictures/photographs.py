"""Photographs: steep light, shadows, and bad cameras."""

from __future__ import annotations

import numpy as np

from . import camera, light
from .scene import Scene, ink_color, position, size_of_picture
from .strokes import Strokes
from .surfaces import table
from .view import View, tilted
from .writing import any_paper, write


def gradient(image, rng):
    """Light that changes several times over the picture, or the glare of a flash."""
    height, width = size_of_picture(rng, 100, 800)
    scene = Scene(any_paper(height, width, rng))
    write(scene, image, rng)
    scene.shade(light.steep_light(height, width, rng))
    if rng.random() < 0.4:
        glare = light.flash(height, width, rng)[..., None]
        scene.rgb = scene.rgb + glare * (1 - 0.6 * scene.rgb)
    return camera.take(scene.rgb, rng)


def shadow(image, rng):
    """The shadows of a hand or a phone, with sharp or soft edges."""
    height, width = size_of_picture(rng, 100, 800)
    scene = Scene(any_paper(height, width, rng))
    write(scene, image, rng)
    scene.shade(light.mild_light(height, width, rng))
    for _ in range(rng.integers(1, 3)):
        scene.shade(light.shadow(height, width, rng))
    return camera.take(scene.rgb, rng)


def photo(image, rng):
    """A bad photograph: perspective, a table, shaking, defocus, color noise, few pixels."""
    height, width = size_of_picture(rng, 200, 420)
    scene = Scene(any_paper(height, width, rng))
    digit = Strokes(image).draw(min(height, width) * rng.uniform(0.35, 0.7), rng)
    scene.put(digit, ink_color(rng), *position(digit.shape, height, width, rng, 0.2))
    zoom = rng.uniform(0.55, 1.1)
    corners = tilted(height, width, rng, 0.1, zoom)
    view = View([(0, 0), (width, 0), (width, height), (0, height)], corners)
    sheet = view.picture_of(camera.as_bytes(scene.rgb), height, width) / np.float32(255)
    whole = np.full((height, width, 3), 255, np.uint8)
    inside = view.picture_of(whole, height, width) / np.float32(255)
    seen = table(height, width, rng).astype(np.float32)
    seen = seen + inside * (sheet - seen)
    seen = seen * light.mild_light(height, width, rng)[..., None]
    if rng.random() < 0.3:
        seen = seen * light.shadow(height, width, rng, (0.2, 0.5))[..., None]
    seen = seen * rng.uniform(0.35, 1.0)  # a dim room
    size = max(digit.shape) * min(1, zoom)
    if rng.random() < 0.5:
        seen = camera.motion(seen, size * rng.uniform(0.03, 0.15), rng.uniform(0, np.pi))
    seen = camera.defocus(seen, size * rng.uniform(0.0, 0.05))
    few = rng.uniform(22, 90) / size  # the digit's height in pixels is 22 to 90
    if few < 1:
        seen = camera.resized(seen, max(24, round(height * few)), max(24, round(width * few)))
    return camera.take(
        seen, rng, blur=(0.2, 0.8), noise=(0.01, 0.04), chroma=(0.02, 0.08), quality=(25, 85)
    )
