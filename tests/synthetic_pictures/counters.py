"""Counters: rows of digits on displays, on the wheels of meters, and in print."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .displays import segments
from .fonts import any_font, printed
from .letters import sentence
from .lines import box, draw_lines
from .page import Sheet
from .scene import grain, ink_color, plain_paper


def display_row(n, size, rng):
    """Return a sheet with the segments of ``n`` digits, which glow or are dark."""
    sheet, left, top, step = _case(n, size, rng)
    glows = rng.random() < 0.5
    panel = np.ones((int(1.5 * size), int((n + 0.4) * step)))
    color = np.array([(1, 0.15, 0.1), (0.2, 1, 0.35), (1, 0.7, 0.15)][rng.integers(3)])
    ground = np.full(3, rng.uniform(0, 0.1))
    if not glows:
        color, ground = np.full(3, 0.1), np.array([0.62, 0.68, 0.55]) * rng.uniform(0.7, 1.2)
    sheet.put(panel, ground, int(top - 0.25 * size), int(left - 0.3 * step))
    shape, faint = segments(rng), rng.uniform(0, 0.12)
    for i, digit in enumerate(rng.integers(10, size=n)):
        sheet.put(faint * shape(8, int(size)), color, int(top), int(left + i * step))
        sheet.put_digit(shape(int(digit), int(size)), color, int(top), int(left + i * step), digit)
    if glows:
        halo = ndimage.gaussian_filter(sheet.rgb, (*[size * rng.uniform(0.02, 0.06)] * 2, 0))
        sheet.rgb = sheet.rgb + rng.uniform(0.1, 0.4) * halo
    return sheet


def meter_row(n, size, rng):
    """Return a sheet with ``n`` wheels of a counter in their windows."""
    sheet, left, top, step = _case(n, size, rng)
    font, dark = any_font(rng), rng.random() < 0.75
    wheel = np.full(3, rng.uniform(0.03, 0.12) if dark else rng.uniform(0.75, 0.95))
    ink = 1 - wheel
    n_red = int(rng.integers(0, 4))
    high = int(1.5 * size)
    # A wheel is a cylinder: darker above and below
    round_light = np.sqrt(1 - 0.85 * np.linspace(-1, 1, high) ** 2)[:, None]
    for i, digit in enumerate(rng.integers(10, size=n)):
        x, y = int(left + i * step - 0.4 * step + 0.35 * size), int(top - 0.25 * size)
        window = np.ones((high, int(0.85 * step)))
        is_red = i >= n - n_red
        sheet.put(window, np.array([0.55, 0.05, 0.05]) if is_red else wheel, y, x)
        cover = printed(str(digit), font, 0.9 * size) * 0.97
        rolled = rng.normal(0, 0.04) * size
        middle = x + window.shape[1] / 2 - cover.shape[1] / 2
        sheet.put_digit(cover, (0.9,) * 3 if is_red else ink, int(top + rolled), int(middle), digit)
        sheet.put(window * (1 - round_light) * 0.8, (0, 0, 0), y, x)
    return sheet


def printed_row(n, size, rng):
    """Return a sheet with a printed number of ``n`` digits, perhaps with words beside it."""
    height, width = int(size * rng.uniform(2.5, 6)), int(size * (0.75 * n + rng.uniform(2, 5)))
    sheet = Sheet(plain_paper(height, width, rng, (0.6, 0.98)))
    font, color = any_font(rng), ink_color(rng, ("black", "black", "blue", "red"))
    left, top = size * rng.uniform(0.7, 1.5), (height - size) * rng.uniform(0.35, 0.65)
    if rng.random() < 0.5:
        words = printed(sentence(rng, 2), font, size * rng.uniform(0.25, 0.5))
        sheet.put(words[:, : width - int(left)], color, int(top - 0.75 * size), int(left))
    gap = size * rng.uniform(0.08, 0.2)
    for digit in rng.integers(10, size=n):
        cover = printed(str(digit), font, size)
        if left + cover.shape[1] + 3 > width:
            break
        y = top + size - cover.shape[0]
        sheet.put_digit(cover * 0.95, color, int(y), int(left), digit)
        left += cover.shape[1] + gap
    return sheet


def _case(n, size, rng):
    """Return the case of a device, where its digits start, and their distance."""
    step = size * rng.uniform(0.8, 1.0)
    height, width = int(size * rng.uniform(2.2, 4)), int((n + rng.uniform(1.2, 3)) * step)
    color = rng.uniform(0.08, 0.85) * (1 + rng.uniform(-0.1, 0.1, 3))
    sheet = Sheet(np.ones((height, width, 3)) * color)
    sheet.shade(1 + 0.02 * grain(height, width, 2, rng))
    left, top = (width - n * step) / 2 + 0.1 * step, (height - size) * rng.uniform(0.35, 0.65)
    if rng.random() < 0.6:
        edge = size * rng.uniform(0.05, 0.2)
        x1, y1 = left - 0.45 * step, top - 0.45 * size
        x2, y2 = left + n * step + 0.25 * step, top + 1.45 * size
        corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
        sheet.put(draw_lines(height, width, box(corners, edge)), np.full(3, rng.uniform(0, 1)))
    if rng.random() < 0.4:
        words = printed(sentence(rng, 1), any_font(rng), 0.25 * size)
        sheet.put(
            words[:, : width // 2],
            np.full(3, 0.9 if color.mean() < 0.5 else 0.1),
            int(top + 1.55 * size),
            int(left),
        )
    return sheet, left, top, step
