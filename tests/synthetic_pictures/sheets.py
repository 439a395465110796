"""Sheets: dirty ones, thin ones, and anything else that people write on."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import camera, dirt, light
from .scene import Scene, grain, ink_color, plain_paper, position, size_of_picture
from .strokes import Strokes
from .surfaces import SURFACES
from .writing import any_paper, fitted, write


def blot(image, rng):
    """Blots, stains, rings, holes and specks, some darker than the digit."""
    height, width = size_of_picture(rng, 80, 700)
    scene = Scene(any_paper(height, width, rng))
    digit = write(scene, image, rng, (0.35, 0.7))
    near = ndimage.binary_dilation(digit > 0.1, iterations=max(1, min(height, width) // 90))
    kinds = [dirt.stain, dirt.coffee_ring, dirt.punch_holes, dirt.specks, dirt.blots]
    chosen = rng.random(len(kinds)) < 0.35
    chosen[rng.integers(len(kinds))] = True
    for kind in (kind for kind, use in zip(kinds, chosen, strict=True) if use):
        kind(scene, rng, ~near)
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)


def back_of_sheet(image, rng):
    """Thin paper: the writing or the print of the other side shows through, mirrored."""
    height, width = size_of_picture(rng, 120, 800)
    scene = Scene(plain_paper(height, width, rng))
    size = min(height, width)
    faint = rng.uniform(0.12, 0.5)
    behind = np.zeros((height, width), np.float32)
    layer = Scene(np.repeat(behind[..., None], 3, axis=2))
    if rng.random() < 0.5:  # other digits
        for _ in range(rng.integers(2, 8)):
            other = Strokes(np.ascontiguousarray(image[:, ::-1])).draw(
                size * rng.uniform(0.2, 0.7), rng
            )
            layer.put(other, np.ones(3), *position(other.shape, height, width, rng, -0.2))
    else:  # lines of text
        high = size * rng.uniform(0.03, 0.09)
        for top in np.arange(rng.uniform(0, high), height, high * 1.8):
            letters = grain(1, width, high * 0.25, rng)[0] > -0.3
            words = grain(1, width, high * 1.5, rng)[0] > -1.0
            text = grain(max(2, int(high)), width, high * 0.2, rng) > 0.1
            layer.put((text & letters & words).astype(np.float32), np.ones(3), int(top), 0)
    behind = ndimage.gaussian_filter(layer.rgb[..., 0], size * rng.uniform(0.002, 0.012))
    scene.put(behind * faint, (0.25, 0.25, 0.3))
    write(scene, image, rng, dense=(0.5, 1.0))
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)


def textured(image, rng):
    """Cardboard, wood, cloth or concrete, written on with a dark or a light pen."""
    height, width = size_of_picture(rng, 100, 800)
    surface = SURFACES[rng.integers(len(SURFACES))](height, width, rng)
    light_ink = surface.mean() < 0.6 and rng.random() < 0.5
    scene = Scene(surface)
    strokes, size = Strokes(image), min(height, width) * rng.uniform(0.4, 0.8)
    wide = min(size * rng.uniform(0.07, 0.16), size / 20 * max(2.5, 1.5 * strokes.eye))
    digit = strokes.draw(size, rng, width=wide)
    # A rough surface takes the ink unevenly.
    digit = digit * (0.92 - 0.15 * grain(*digit.shape, 2, rng).clip(0, 2))
    digit = fitted(digit, height, width)
    color = rng.uniform(0.88, 1, 3) if light_ink else ink_color(rng, ("black", "blue", "red"))
    scene.put(digit, color, *position(digit.shape, height, width, rng, 0.05))
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)
