"""Print: digits of fonts, scanned or photographed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import camera, light
from .fonts import any_font, printed
from .lines import draw_lines
from .scene import Scene, ink_color, plain_paper
from .surfaces import SURFACES
from .view import View, tilted, turned


def draw_print(digit, rng, *, font=None):
    """Return a picture of one printed digit, 9 to 300 pixels high, as a scan or a photograph.

    Parameters
    ----------
    digit : int
        0 to 9.
    rng : numpy.random.Generator
        Random generator.
    font : str, optional
        Path of a font; any font of the system by default.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
    """
    font = any_font(rng) if font is None else font
    target = np.exp(rng.uniform(np.log(9), np.log(300)))
    # Small digits are drawn larger, as a camera sees them before it has pixels.
    high = max(48.0, target)
    cover = _pressed(printed(str(digit), font, high), high, rng)
    margins = high * rng.uniform(0.15, 0.9, 4)
    height = int(cover.shape[0] + margins[0] + margins[1])
    width = int(cover.shape[1] + margins[2] + margins[3])
    if target > 16 and rng.random() < 0.15:
        scene = Scene(SURFACES[rng.integers(len(SURFACES))](height, width, rng))
    else:
        scene = Scene(plain_paper(height, width, rng, (0.55, 0.98)))
    top, left = int(margins[0]), int(margins[2])
    color = ink_color(rng, ("black", "black", "black", "blue", "red", "green"))
    scene.put(cover * rng.uniform(0.75, 1), color, top, left)
    if rng.random() < 0.25:  # parts of neighbors in the same number or word
        for text, at in ((str(rng.integers(10)), -1), ("abcdefghkmnrst"[rng.integers(14)], 1)):
            other = printed(text, font, high)
            gap = int(high * rng.uniform(0.2, 0.5))
            x = left - gap - other.shape[1] if at < 0 else left + cover.shape[1] + gap
            inside = min(x + other.shape[1], width) - max(x, 0)
            if inside < 0.5 * other.shape[1]:  # with all of a neighbor, which digit is meant?
                scene.put(other, color, top, x)
    if rng.random() < 0.15:  # underlined
        y = top + cover.shape[0] + high * rng.uniform(0.08, 0.2)
        scene.put(draw_lines(height, width, [(0, y, width, y, high * 0.04)]), color)
    if rng.random() < 0.2:
        scene.invert()
    scene.shade(light.mild_light(height, width, rng))
    if rng.random() < 0.2:
        scene.shade(light.shadow(height, width, rng, (0.2, 0.5)))
    seen = _seen(scene.rgb, height, width, rng)
    few = target / high
    if few < 1:
        size = [max(8, round(n * few)) for n in (height, width)]
        seen = camera.resized(seen, *size)
    chroma = (0, 0.05 * min(1.0, target / 24)) if rng.random() < 0.4 else (0, 0)
    # What is only a few pixels high is legible only if they are sharp and clean.
    clear = min(1.0, target / 24)
    blur, noise = (0.1, 0.8 * clear), (0.003, 0.035 * clear)
    quality = (45, 95) if target > 16 else (75, 98)
    return camera.take(seen, rng, blur=blur, noise=noise, chroma=chroma, quality=quality)


def _pressed(cover, high, rng):
    """Return a print with the faults of a press: swollen, thinned or pale in spots."""
    swell = rng.uniform(-0.35, 0.35)
    soft = ndimage.gaussian_filter(np.pad(cover, 3), 0.02 * high)
    soft = soft / np.quantile(soft[soft > 0.1], 0.8)  # hairlines stay, too
    cover = ((soft - 0.5 + 0.3 * swell) * 4 + 0.5).clip(0, 1)
    if rng.random() < 0.2:  # a worn ribbon
        pale = ndimage.gaussian_filter(rng.normal(size=cover.shape), 0.05 * high)
        cover = cover * (0.75 + 0.25 * (pale / pale.std()).clip(-1.5, 1))
    return cover.astype(np.float32)


def _seen(rgb, height, width, rng):
    """Return a print turned and in perspective; a scan is nearly straight."""
    sheet = camera.as_bytes(rgb)
    corners = tilted(height, width, rng, 0.06 if rng.random() < 0.6 else 0.01, zoom=1.12)
    corners = turned(corners, rng.normal(0, 3))
    view = View([(0, 0), (width, 0), (width, height), (0, height)], corners)
    around = tuple(int(n) for n in np.median(sheet, axis=(0, 1)))
    return view.picture_of(sheet, height, width, around) / np.float32(255)
