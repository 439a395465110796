"""Forms: boxes and combs with one digit each, beside printed labels."""

from __future__ import annotations

import numpy as np

from . import light
from .fonts import any_font, printed
from .letters import put_text, sentence
from .lines import box, draw_lines
from .page import Sheet
from .scene import ink_color, plain_paper
from .strokes import Strokes

_PRINT = (
    (0.1, 0.1, 0.1),
    (0.45, 0.45, 0.45),
    (0.35, 0.55, 0.8),
    (0.85, 0.45, 0.3),
    (0.3, 0.6, 0.4),
)


def form(images, labels, rng):
    """A printed form: each row has a label and a field of 2 to 12 cells, some of them empty."""
    cell = np.exp(rng.uniform(np.log(34), np.log(110)))
    n_rows = int(rng.integers(2, 9))
    width = int(np.clip(cell * rng.uniform(12, 18), 450, 2000))
    pitch = cell * rng.uniform(1.6, 2.4)
    top = cell * rng.uniform(1.5, 3)
    height = int(max(top + n_rows * pitch + cell, 0.5 * width))
    sheet = Sheet(plain_paper(height, width, rng))
    font, text = any_font(rng), np.array(_PRINT[rng.integers(2)])
    color = np.array(_PRINT[rng.integers(len(_PRINT))])
    title = printed(sentence(rng, 3), font, cell * rng.uniform(0.3, 0.6))
    sheet.put(title[:, : width - 20], text, int(0.4 * cell), int(0.5 * cell))
    style = rng.integers(3)
    thick = cell * np.exp(rng.uniform(np.log(0.015), np.log(0.06)))
    aspect, gap = rng.uniform(0.7, 1.0), cell * rng.uniform(0.08, 0.3) * (rng.random() < 0.4)
    pen = ink_color(rng), cell * rng.uniform(0.04, 0.1)
    index = 0
    for number in range(n_rows):
        y = top + number * pitch
        above = rng.random() < 0.5
        label = printed(sentence(rng, int(rng.integers(1, 3))), font, cell * rng.uniform(0.18, 0.3))
        label = label[:, : int(0.3 * width)]
        x = 0.5 * cell
        if above:
            sheet.put(label, text, int(y - label.shape[0] - 0.12 * cell), int(x))
        else:
            sheet.put(label, text, int(y + 0.4 * cell), int(x))
            x += label.shape[1] + 0.4 * cell
        wide = cell * aspect + gap
        n = int(min(rng.integers(2, 13), (width - x - 0.5 * cell) / wide))
        cells = [(x + i * wide, y, x + i * wide + cell * aspect, y + cell) for i in range(n)]
        if not cells:
            continue
        _print_field(sheet, cells, style, thick, color)
        filled = int(rng.integers(1, n + 1)) if rng.random() < 0.8 else 0
        for place in cells[:filled] if rng.random() < 0.6 else cells[n - filled :]:
            if index < len(images):
                _fill_in(sheet, images[index], place, pen, labels[index], index, rng)
                index += 1
    put_text(sheet, rng, 0.2 * cell, height - 0.8 * cell, 0.5 * cell, width - cell, 1, font=font)
    if rng.random() < 0.35:
        sheet.shade(light.creases(height, width, rng))
    return sheet.photographed(rng, size=0.65 * cell, bend=rng.uniform(0, 0.008), tilt=0.04)


def _print_field(sheet, cells, style, thick, color):
    """Print boxes (style 0), joined boxes (1) or a comb (2)."""
    height, width = sheet.size
    segments = []
    for left, top, right, bottom in cells:
        if style == 2:
            high = bottom - 0.35 * (bottom - top)
            segments += [(left, bottom, right, bottom, thick)]
            segments += [(x, high, x, bottom, thick) for x in (left, right)]
        else:
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            segments += box(corners, thick)
    sheet.put(draw_lines(height, width, segments), color)


def _fill_in(sheet, image, place, pen, label, index, rng):
    """Write a digit into a cell, not always between its lines."""
    left, top, right, bottom = place
    color, wide = pen
    size = (bottom - top) * rng.uniform(0.6, 0.95)
    cover = Strokes(image).draw(size, rng, width=wide)
    shrink = cover.shape[1] / (1.1 * (right - left))
    if shrink > 1:
        cover = Strokes(image).draw(size / shrink, rng, width=wide)
    y = (top + bottom - cover.shape[0]) / 2 + rng.normal(0, 0.08) * (bottom - top)
    x = (left + right - cover.shape[1]) / 2 + rng.normal(0, 0.08) * (right - left)
    sheet.put_digit(cover * 0.95, color, int(y), int(x), label, index, place)
