"""Printed lines: boxes, cells and combs."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw


def draw_lines(height, width, segments):
    """Return the coverage (height, width) of segments (x1, y1, x2, y2, thickness), antialiased."""
    more = 4 if max(height, width) < 300 else 2
    canvas = Image.new("L", (width * more, height * more))
    draw = ImageDraw.Draw(canvas)
    for x1, y1, x2, y2, thickness in segments:
        length = np.hypot(x2 - x1, y2 - y1) or 1.0
        along = np.array([x2 - x1, y2 - y1]) / length
        side = np.array([-along[1], along[0]]) * thickness / 2
        # Extending each end by half the thickness closes the corners.
        start, end = (
            np.array([x1, y1]) - along * thickness / 2,
            np.array([x2, y2]) + along * (thickness / 2),
        )
        corners = [start + side, end + side, end - side, start - side]
        draw.polygon([tuple(corner * more) for corner in corners], fill=255)
    return np.asarray(canvas.reduce(more), dtype=np.float32) / 255


def box(corners, thickness):
    """Return the four segments of a box with ``corners`` (4, 2); thickness is one or four."""
    thickness = np.broadcast_to(thickness, 4)
    return [
        (*corners[i], *corners[(i + 1) % 4], thickness[i]) for i in range(4) if thickness[i] > 0
    ]


def grid(left, top, cell, n_rows, n_columns, thin, thick=None, every=3):
    """Return the segments of a grid; every third line is thick if ``thick`` is given."""
    segments = []
    right, bottom = left + n_columns * cell, top + n_rows * cell
    for i in range(n_rows + 1):
        y = top + i * cell
        segments.append((left, y, right, y, thick if thick and i % every == 0 else thin))
    for i in range(n_columns + 1):
        x = left + i * cell
        segments.append((x, top, x, bottom, thick if thick and i % every == 0 else thin))
    return segments
