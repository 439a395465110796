"""The page: a sheet with several digits, and where they are in its photograph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from . import camera, light
from .scene import Scene
from .surfaces import table
from .view import View, tilted, turned


class Page(NamedTuple):
    """A picture of several digits, in reading order.

    Attributes
    ----------
    picture : ndarray of shape (height, width, 3), dtype uint8
    boxes : ndarray of shape (n_digits, 4), dtype int64
        Left, top, right and bottom of the ink of each digit in the picture.
    cells : ndarray of shape (n_digits, 4, 2), dtype float64
        Corners (x, y) of the printed cell that each digit is in, or of its box.
    labels : ndarray of shape (n_digits,), dtype int64
    order : ndarray of shape (n_digits,), dtype int64
        Index of the image that each digit was drawn from; -1 for a printed digit.
    """

    picture: np.ndarray
    boxes: np.ndarray
    cells: np.ndarray
    labels: np.ndarray
    order: np.ndarray


class Sheet(Scene):
    """A scene that remembers its digits, which are put on in reading order."""

    def __init__(self, rgb):
        super().__init__(rgb)
        self._digits = []

    def put_digit(self, cover, color, top, left, label, index=-1, cell=None):
        """Put a digit on the sheet; ``cell`` is left, top, right and bottom of its cell."""
        self.put(cover, color, top, left)
        self._digits.append((_outline(cover) + np.array([left, top]), label, index, cell))

    def free(self, distance):
        """Return the pixels (height, width) that are further than ``distance`` from all digits."""
        taken = np.zeros(self.size, bool)
        for outline, *_ in self._digits:
            (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
            taken[
                max(0, int(top - distance)) : int(bottom + distance),
                max(0, int(left - distance)) : int(right + distance),
            ] = True
        return ~taken

    def photographed(self, rng, *, size, bend=0.0, tilt=0.05, harsh=0.4):
        """Return the page as a camera sees it.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random generator.
        size : float
            Height of the digits in pixels, which blur and resolution depend on.
        bend : float
            Height of the waves of the paper, as a share of the height of the sheet.
        tilt : float
            How far the corners are from those of a straight view, as a share of the size.
        harsh : float
            Probability of each of steep light, shadow, motion blur, color noise and strong blur.
        """
        scanned = rng.random() < 0.2
        view = self._view(rng, 0.004 if scanned else tilt, 0.0 if scanned else bend)
        few = rng.uniform(15, 45) / size if rng.random() < 0.6 else 1.0
        few = max(few, 400 / max(self.size))
        seen = self._seen(view, rng, few)
        many = [rng.random() < harsh and not scanned for _ in range(5)]
        shape = seen.shape[:2]
        seen *= light.mild_light(*shape, rng)[..., None]
        if many[0]:
            seen *= light.steep_light(*shape, rng)[..., None]
        if many[1]:
            seen *= light.shadow(*shape, rng, (0.2, 0.6))[..., None]
        size = size * min(1, few)
        if many[2]:
            seen = camera.motion(seen, size * rng.uniform(0.02, 0.1), rng.uniform(0, np.pi))
        seen = camera.defocus(seen, size * rng.uniform(0.03, 0.07) if many[3] else 0)
        picture = camera.take(
            seen,
            rng,
            blur=(0.2, 0.9),
            noise=(0.003, 0.03),
            chroma=(0.01, 0.06) if many[4] else (0, 0),
            quality=(35, 95),
        )
        return self._page(picture, view, min(1.0, few))

    def _view(self, rng, tilt, bend):
        """Return a view of the sheet, from as far away as all digits need."""
        height, width = self.size
        whole = np.array([(0, 0), (width, 0), (width, height), (0, height)])
        corners = turned(tilted(height, width, rng, tilt), rng.normal(0, 30 * tilt))
        wave = (width * rng.uniform(0.8, 2), rng.uniform(0, 2 * np.pi))
        zoom = 1.0 if tilt < 0.01 else rng.uniform(0.88, 1.05)
        outlines = np.concatenate([whole[:0], *(outline for outline, *_ in self._digits)])
        while True:
            center = whole.mean(axis=0)
            view = View(whole, (corners - center) * zoom + center, bend * height, wave)
            points = view.to_picture(outlines)
            if (points > 2).all() and (points < (width - 2, height - 2)).all():
                return view
            zoom *= 0.95

    def _seen(self, view, rng, few):
        """Return the sheet on a table, in fewer pixels."""
        height, width = self.size
        sheet = view.picture_of(camera.as_bytes(self.rgb), height, width)
        mask = view.picture_of(np.full((height, width, 3), 255, np.uint8), height, width)
        if few < 1:
            height, width = round(height * few), round(width * few)
            sheet = camera.resized(sheet, height, width)
            mask = camera.resized(mask, height, width)
        mask = np.asarray(mask[..., :1], dtype=np.float32) / 255
        seen = np.asarray(sheet, dtype=np.float32) / 255
        if mask.min() < 1:
            seen += (1 - mask) * table(height, width, rng).astype(np.float32)
        return np.ascontiguousarray(seen)

    def _page(self, picture, view, few):
        """Return the page with the places of its digits."""
        rows = []
        for outline, label, index, cell in self._digits:
            points = view.to_picture(outline) * few
            low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
            box = [*low, *high]
            corners = _corners(box) if cell is None else view.to_picture(_corners(cell)) * few
            rows.append((box, corners, label, index))
        boxes, cells, labels, order = zip(*rows, strict=True) if rows else ([], [], [], [])
        return Page(
            picture,
            np.array(boxes).astype(np.int64).reshape(-1, 4),
            np.array(cells).reshape(-1, 4, 2),
            np.array(labels).astype(np.int64),
            np.array(order).astype(np.int64),
        )


def _outline(cover):
    """Return points (x, y) around the ink of a digit."""
    ink = cover > 0.3 * cover.max()
    edge = ink & ~ndimage.binary_erosion(ink)
    rows, columns = np.nonzero(edge)
    some = slice(None, None, 1 + len(rows) // 400)
    points = np.column_stack([columns, rows]).astype(float)[some]
    # The far edges of the pixels count, too.
    return np.concatenate(
        [points, points + 1, [(columns.min(), rows.min())], [(columns.max() + 1, rows.max() + 1)]]
    )


def _corners(box):
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)
