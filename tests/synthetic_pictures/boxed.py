"""Digits in boxes: frames, cells of sudokus and forms, and the borders of scans."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from . import camera, light
from .lines import box, draw_lines
from .scene import Scene, ink_color, plain_paper, position, size_of_picture
from .strokes import Strokes
from .view import View, turned


def frame(image, rng):
    """A printed box around the digit, complete or cropped, or the dark border of a scan."""
    height, width = size_of_picture(rng, 40, 700)
    scene = Scene(plain_paper(height, width, rng))
    size = min(height, width)
    digit = Strokes(image).draw(size * rng.uniform(0.3, 0.6), rng)
    top, left = position(digit.shape, height, width, rng, 0.35)
    scene.put(digit, ink_color(rng), top, left)
    color = ink_color(rng, ("black", "black", "blue", "red"))
    thick = max(1.0, size * np.exp(rng.uniform(np.log(0.006), np.log(0.07))))
    style = rng.integers(4)
    if style == 3:
        scene.put(_scan_border(height, width, rng), np.full(3, rng.uniform(0, 0.12)))
    else:
        if style == 0:  # around the digit, inside the picture
            space = size * rng.uniform(0.04, 0.15) + thick / 2
            sides = (left, top, left + digit.shape[1], top + digit.shape[0])
            sides = np.add(sides, np.array([-space, -space, space, space]))
        elif style == 1:  # at the border of the picture
            sides = np.array([0, 0, width, height]) + np.array([1, 1, -1, -1]) * (
                thick * rng.uniform(0, 1)
            )
        else:  # cropped by the picture
            sides = np.array([0, 0, width, height]) + np.array([1, 1, -1, -1]) * (
                rng.uniform(-0.08, 0.12, 4) * size
            )
        x1, y1, x2, y2 = sides
        corners = turned(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]), rng.uniform(-3, 3))
        scene.put(draw_lines(height, width, box(corners, thick)) * 0.95, color)
    scene.shade(light.mild_light(height, width, rng))
    return camera.take(scene.rgb, rng)


def cell(image, rng):
    """The crop of a cell of a sudoku or of a form, with lines and pieces of its neighbors."""
    side = int(np.exp(rng.uniform(np.log(26), np.log(300))))
    # Drawn large, then scaled down as in a crop of a photograph.
    unit = max(90, side)
    n = 2 * unit
    scene = Scene(plain_paper(n, n, rng, (0.6, 0.95)))
    strokes, color = Strokes(image), ink_color(rng)
    low = n // 2 - unit // 2
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            here = row == column == 0
            if not here and rng.random() < 0.5:
                continue
            other = strokes if here else Strokes(image[:: rng.choice([-1, 1])].T)
            digit = other.draw(unit * (rng.uniform(0.5, 0.92) if here else 0.75), rng)
            center = np.array([n / 2 + row * unit, n / 2 + column * unit])
            center += rng.uniform(-1, 1, 2) * (0.11 if here else 0.25) * unit
            scene.put(digit, color, *(center - np.array(digit.shape) / 2).astype(int))
    thin = unit * rng.uniform(0.012, 0.03)
    thick = unit * rng.uniform(0.03, 0.07)
    kinds = np.where(rng.random(4) < 0.3, thick, thin)
    if rng.random() < 0.25:  # a comb: a baseline with short ticks
        high = low + unit * rng.uniform(0.5, 0.85)
        segments = [(0, low + unit, n, low + unit, thin)]
        segments += [(x, high, x, low + unit, thin) for x in (low, low + unit)]
    else:
        segments = []
        for i, at in enumerate((low, low + unit)):
            segments += [(0, at, n, at, kinds[i]), (at, 0, at, n, kinds[2 + i])]
    lines = ink_color(rng, ("black", "black", "black", "pencil", "blue", "red"))
    scene.put(draw_lines(n, n, segments) * rng.uniform(0.6, 1), lines)
    scene.shade(light.mild_light(n, n, rng))
    crop = np.array([(0, 0), (unit, 0), (unit, unit), (0, unit)], dtype=float) + low
    crop = turned(crop, rng.uniform(-5, 5)) + rng.uniform(-0.05, 0.05, (4, 2)) * unit
    center = crop.mean(axis=0)
    crop = (crop - center) * rng.uniform(0.9, 1.18) + center
    view = View(crop, [(0, 0), (unit, 0), (unit, unit), (0, unit)])
    flat = view.picture_of(camera.as_bytes(scene.rgb), unit, unit) / np.float32(255)
    flat = camera.resized(camera.defocus(flat, rng.uniform(0, 0.02) * unit), side, side)
    return camera.take(flat, rng, blur=(0.1, 0.6))


def _scan_border(height, width, rng):
    """Return the coverage of the dark around a sheet on a scanner, or at the sheet's edge."""
    extent = np.array([0, 0, width, height], dtype=float)
    extent += np.array([1, 1, -1, -1]) * (rng.random(4) < 0.6) * rng.uniform(0.02, 0.12, 4) * [
        width, height, width, height
    ]  # fmt: skip
    x1, y1, x2, y2 = extent
    corners = turned(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]), rng.uniform(-2, 2))
    canvas = Image.new("L", (width, height), 255)
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=0)
    return ndimage.gaussian_filter(np.asarray(canvas, dtype=np.float32) / 255, rng.uniform(0.3, 2))
