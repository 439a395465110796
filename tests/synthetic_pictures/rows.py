"""Rows of digits: numbers, and pages full of them, clean and dirty."""

from __future__ import annotations

import numpy as np

from . import dirt, light
from .counters import display_row, meter_row, printed_row
from .fonts import any_font, printed
from .letters import sentence
from .lines import draw_lines
from .page import Sheet
from .plain import RULINGS, draw_paper
from .scene import ink_color, plain_paper
from .strokes import Strokes


def row(images, labels, rng):
    """A number of 3 to 10 digits: mostly written by hand, else on a display, a meter, in print."""
    n = min(len(images), int(rng.integers(3, 11)))
    size = np.exp(rng.uniform(np.log(40), np.log(160)))
    other = rng.random()
    if other < 0.4:
        kind = display_row if other < 0.15 else meter_row if other < 0.25 else printed_row
        return kind(n, size, rng).photographed(rng, size=size)
    width = max(400, int(size * (n + 2) * 0.95))
    height = int(max(size * rng.uniform(1.8, 5), 0.25 * width))
    sheet = Sheet(_paper(height, width, rng))
    close = rng.random() < 0.5
    left = (width - n * size * 0.8) * rng.uniform(0.2, 0.6)
    top = (height - size) * rng.uniform(0.3, 0.7)
    write_number(sheet, images, labels, range(n), (left, top), size, rng, close=close)
    if rng.random() < 0.25:
        y = top + size * rng.uniform(1.05, 1.25)
        sheet.put(draw_lines(height, width, [(0, y, width, y, size * 0.04)]), ink_color(rng))
    return sheet.photographed(rng, size=size)


def lines(images, labels, rng):
    """Several lines of numbers on plain, ruled or squared paper."""
    sheet, size = _written_page(images, labels, rng)
    if rng.random() < 0.5:
        sheet.shade(light.creases(*sheet.size, rng))
    return sheet.photographed(rng, size=size, bend=rng.uniform(0, 0.015))


def noisy(images, labels, rng):
    """Numbers among blots, bars, holes, dirt and struck lines."""
    sheet, size = _written_page(images[: int(rng.integers(5, 40))], labels, rng)
    free = sheet.free(0.2 * size)
    kinds = [dirt.stain, dirt.coffee_ring, dirt.punch_holes, dirt.specks, _blots, _bars, _border]
    chosen = rng.random(len(kinds)) < 0.4
    chosen[rng.integers(3, len(kinds))] = True
    for kind in (kind for kind, use in zip(kinds, chosen, strict=True) if use):
        kind(sheet, rng, free)
    return sheet.photographed(rng, size=size)


def write_number(sheet, images, labels, indices, place, size, rng, *, close=False, color=None):
    """Write digits from a place (left, top) to the right; return where the next would start."""
    left, top = place
    color = ink_color(rng) if color is None else color
    pen = size * rng.uniform(0.06, 0.14) if rng.random() < 0.6 else None
    gap = rng.uniform(-0.04, 0.08) if close else rng.uniform(0.1, 0.5)
    dense = rng.uniform(0.75, 1)
    for number, index in enumerate(indices):
        high = size * rng.uniform(0.85, 1.1)
        cover = Strokes(images[index]).draw(high, rng, width=pen) * dense
        y = top + size - cover.shape[0] + size * rng.normal(0, 0.04)
        if left + cover.shape[1] + 2 > sheet.size[1]:
            break
        sheet.put_digit(cover, color, int(max(0, y)), int(left), labels[index], index)
        left += cover.shape[1] + size * max(gap + rng.normal(0, 0.04), -0.08)
        if not close and number and rng.random() < 0.04:  # a comma or a point
            left -= size * min(0.05, gap / 2)
            mark = dirt.blob(size * rng.uniform(0.03, 0.06), rng, 0.15)
            sheet.put(mark, color, int(top + 0.97 * size), int(left))
            left += mark.shape[1] + 0.1 * size
    return left


def _written_page(images, labels, rng):
    """Return a sheet with 10 to 100 digits in numbers and lines, and their height."""
    height, width = _size(rng)
    most = int(min(len(images), rng.integers(10, 101)))
    # As many digits as fit at this size
    size = np.sqrt(height * width / (most * rng.uniform(2.5, 4.5)))
    size = float(np.clip(size, 26, 0.2 * min(height, width)))
    pitch, tilt = size * rng.uniform(1.4, 2.2), np.tan(np.deg2rad(rng.normal(0, 0.7)))
    top = size * rng.uniform(0.8, 1.5)
    color, index = ink_color(rng), 0
    if rng.random() < 0.4:
        sheet = Sheet(draw_paper(height, width, rng, RULINGS[rng.integers(3)]))
    else:
        sheet = Sheet(plain_paper(height, width, rng))
        _print_table(sheet, top, pitch, size, rng)
        tilt = 0.0
    words = rng.random() < 0.3 and width > 9 * size
    font = any_font(rng)
    while top + 1.7 * size < height and index < most:
        left = size * rng.uniform(0.8, 2)
        if words:
            text = printed(sentence(rng, int(rng.integers(1, 3))), font, 0.45 * size)
            text = text[:, : width // 3]
            sheet.put(text, (0.15,) * 3, int(top + 0.5 * size), int(left))
            left += text.shape[1] + size
        while index < most:
            n = int(min(rng.integers(1, 9), most - index, (width - left - size) / (1.1 * size)))
            if n < 1:
                break
            y = top + left * tilt
            left = write_number(
                sheet, images, labels, range(index, index + n), (left, y), size, rng,
                close=rng.random() < 0.3, color=color,
            )  # fmt: skip
            index += n
            left += size * rng.uniform(0.6, 2.5)
        top += pitch
    return sheet, size


def _print_table(sheet, top, pitch, size, rng):
    """Print lines where the digits stand: of an exercise book, a ledger or a table."""
    height, width = sheet.size
    colors = [(0.35, 0.5, 0.8), (0.5, 0.5, 0.5), (0.8, 0.45, 0.5), (0.1, 0.1, 0.1)]
    thick = max(1.0, size * rng.uniform(0.015, 0.05))
    segments = [(0, y, width, y, thick) for y in np.arange(top + size, height, pitch)]
    style = rng.integers(3)
    if style == 1:  # squares, two to a digit, or one
        step = pitch / 2 if rng.random() < 0.5 else size * rng.uniform(0.9, 1.2)
        segments = [(0, y, width, y, thick) for y in np.arange((top + size) % step, height, step)]
        segments += [(x, 0, x, height, thick) for x in np.arange(0.3 * step, width, step)]
    elif style == 2:  # columns
        for x in np.cumsum(size * rng.uniform(2, 7, 20)):
            if x < width:
                segments.append((x, 0, x, height, thick * rng.uniform(1, 2)))
    lines = draw_lines(height, width, segments)
    sheet.put(lines * rng.uniform(0.4, 1), colors[rng.integers(len(colors))])


def _size(rng):
    longer = np.exp(rng.uniform(np.log(500), np.log(2400)))
    sides = [round(longer), round(longer * rng.uniform(0.65, 0.85))]
    return sides if rng.random() < 0.6 else sides[::-1]


def _paper(height, width, rng):
    if rng.random() < 0.6:
        return plain_paper(height, width, rng)
    return draw_paper(height, width, rng, RULINGS[rng.integers(1, 3)])


def _blots(sheet, rng, free):
    for _ in range(rng.integers(1, 4)):
        dirt.blots(sheet, rng, free)


def _bars(sheet, rng, free):
    """Put thick bars: crossed-out lines, redactions, printed rules."""
    height, width = sheet.size
    for _ in range(rng.integers(1, 5)):
        thick = int(height * rng.uniform(0.006, 0.05))
        bar = np.ones((max(2, thick), int(width * rng.uniform(0.1, 0.9))), np.float32)
        if rng.random() < 0.3:  # longer than any one
            bar = np.ones((int(height * rng.uniform(0.3, 0.9)), max(2, thick)), np.float32)
        place = dirt.free_place(bar.shape, free, rng)
        if place is not None:
            sheet.put(bar * rng.uniform(0.7, 1), ink_color(rng), *place)


def _border(sheet, rng, free):
    """Put the dark border of a copier, or the edge of a display, on some sides."""
    height, width = sheet.size
    sides = [
        (0, 0, width, 0),
        (width, 0, width, height),
        (0, height, width, height),
        (0, 0, 0, height),
    ]
    segments = [
        (*side, 2 * min(height, width) * rng.uniform(0.01, 0.05))
        for side in sides
        if rng.random() < 0.5
    ]
    sheet.put(draw_lines(height, width, segments), np.full(3, rng.uniform(0, 0.3)))
