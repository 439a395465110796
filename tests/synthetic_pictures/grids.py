"""Grids: sudokus in newspapers, printed or filled in by hand."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import light
from .fonts import any_font, printed
from .letters import put_text, sentence
from .lines import draw_lines
from .lines import grid as grid_lines
from .page import Sheet
from .scene import Scene, ink_color, plain_paper
from .strokes import Strokes


def grid(images, labels, rng):
    """A sudoku of 9 by 9 cells with thick and thin lines, and text around it."""
    longer = np.exp(rng.uniform(np.log(500), np.log(2000)))
    height, width = int(longer * rng.uniform(0.75, 1)), int(longer * rng.uniform(0.75, 1))
    cell = min(height, width) * rng.uniform(0.72, 0.94) / 9
    sheet = Sheet(plain_paper(height, width, rng, (0.6, 0.92)))
    left = (width - 9 * cell) * rng.uniform(0.3, 0.7)
    top = (height - 9 * cell) * rng.uniform(0.3, 0.7)
    font = any_font(rng)
    _print_around(sheet, left, top, cell, font, rng)
    _tint(sheet, left, top, cell, rng)
    thin = max(1.0, cell * rng.uniform(0.012, 0.035))
    thick = max(thin, cell * rng.uniform(0.03, 0.07))
    gray = rng.uniform(0.4, 1.0)
    sheet.put(draw_lines(height, width, grid_lines(left, top, cell, 9, 9, thin)) * gray, (0.1,) * 3)
    strong = grid_lines(left, top, cell * 3, 3, 3, thick)
    sheet.put(draw_lines(height, width, strong) * 0.97, (0.08,) * 3)
    style = rng.choice(["printed", "printed", "handwritten", "both"])
    _fill(sheet, images, labels, left, top, cell, style, font, rng)
    if rng.random() < 0.35:
        sheet.shade(light.creases(height, width, rng))
    return sheet.photographed(rng, size=0.6 * cell, bend=rng.uniform(0, 0.02), tilt=0.05)


def _fill(sheet, images, labels, left, top, cell, style, font, rng):
    """Print some digits and write others."""
    given = rng.random((9, 9)) < rng.uniform(0.25, 0.45)
    written = ~given & (rng.random((9, 9)) < rng.uniform(0.1, 0.9))
    if style == "printed":
        written[:] = False
    elif style == "handwritten":
        given, written = written & False, given
    high = cell * rng.uniform(0.45, 0.65)
    color, pen = ink_color(rng), cell * rng.uniform(0.035, 0.09)
    index = 0
    for row, column in np.argwhere(given | written):
        box = [left + column * cell, top + row * cell]
        box += [box[0] + cell, box[1] + cell]
        if given[row, column]:
            digit = int(rng.integers(1, 10))
            cover, ink, label, source = printed(str(digit), font, high), (0.1,) * 3, digit, -1
            away = (0, 0)
        else:
            while index < len(images) and labels[index] == 0:  # sudokus have no zeros
                index += 1
            if index >= len(images):
                continue
            cover = Strokes(images[index]).draw(cell * rng.uniform(0.5, 0.8), rng, width=pen)
            ink, label, source = color, labels[index], index
            away = rng.normal(0, 0.06, 2) * cell
            index += 1
        y = (box[1] + box[3] - cover.shape[0]) / 2 + away[0]
        x = (box[0] + box[2] - cover.shape[1]) / 2 + away[1]
        sheet.put_digit(cover * 0.96, ink, int(y), int(x), label, source, box)


def _print_around(sheet, left, top, cell, font, rng):
    """Print a heading, text beside and below the grid, and the other side showing through."""
    height, width = sheet.size
    layer = Scene(np.zeros((height, width, 3)))
    put_text(layer, rng, 0.2 * cell, 0, 0, width, int(height / (0.38 * cell)) + 1, color=(1,) * 3)
    through = ndimage.gaussian_filter(layer.rgb[:, ::-1, 0], 0.03 * cell)
    sheet.put(through * rng.uniform(0, 0.12), (0.2,) * 3)
    if top > 0.6 * cell:
        heading = printed(sentence(rng, 2).upper(), any_font(rng), min(0.5 * cell, 0.5 * top))
        y, colored = int(top - 1.5 * heading.shape[0]), rng.random() < 0.5
        if colored:  # white on a bar
            bar = np.ones((int(1.6 * heading.shape[0]), int(heading.shape[1] + 0.6 * cell)))
            sheet.put(bar, rng.uniform(0.05, 0.6, 3), y - int(0.3 * heading.shape[0]), int(left))
        x = int(left + 0.3 * cell)
        sheet.put(heading, (0.95,) * 3 if colored else (0.1,) * 3, y, x)
    high = cell * rng.uniform(0.15, 0.26)
    right, bottom = left + 9.3 * cell, top + 9.3 * cell
    if width - right > cell:
        put_text(sheet, rng, high, top, right, width - right, 12, font=font)
    n_lines = int((height - bottom) / (1.9 * high))
    put_text(sheet, rng, high, bottom, left, 9 * cell, max(0, n_lines), font=font)


def _tint(sheet, left, top, cell, rng):
    """Tint some cells, as newspapers do for the solution."""
    if rng.random() < 0.3:
        color = 0.55 + 0.35 * rng.random(3)
        for _ in range(rng.integers(1, 4)):
            row, column = rng.integers(9, size=2)
            wide = np.ones((int(cell), int(cell * rng.integers(1, 3))))
            sheet.put(wide * 0.8, color, int(top + row * cell), int(left + column * cell))
