"""The strokes of a digit: the path of the pen, to be drawn with another pen."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

_FINE = 3  # times the pixels of MNIST while a digit is thinned


class Strokes:
    """Points along the pen's path through a digit, neighbors joined by segments.

    Attributes
    ----------
    points : ndarray of shape (n_points, 2)
        x and y in pixels of MNIST.
    edges : ndarray of shape (n_edges, 2)
        Indices of joined points.
    widths : ndarray of shape (n_points,)
        Width of the stroke in pixels of MNIST.
    eye : float
        Radius of the smallest eye of the digit in pixels of MNIST; infinite without an eye.
    """

    def __init__(self, image):
        field = ndimage.zoom(np.pad(image.astype(float) / 255, 2), _FINE, order=3)
        mask = ndimage.gaussian_filter(field, 0.4 * _FINE) > 0.4
        line = _thinned(mask)
        pixels = np.argwhere(line)
        self.edges = cKDTree(pixels).query_pairs(1.5, output_type="ndarray")
        self.edges = self.edges[np.lexsort(self.edges.T)]
        depth = ndimage.distance_transform_edt(mask)
        self.widths = self._smooth(2 * depth[tuple(pixels.T)] / _FINE, 6)
        # Thinning leaves steps, which a hand does not draw.
        self.points = self._smooth(pixels[:, ::-1].astype(float), 6) / _FINE - 2
        eyes, n_eyes = ndimage.label(ndimage.binary_fill_holes(line) & ~line)
        inner = ndimage.distance_transform_edt(eyes > 0)
        radii = ndimage.maximum(inner, eyes, range(1, n_eyes + 1)) if n_eyes else []
        self.eye = min((r / _FINE for r in radii if r > _FINE), default=np.inf)

    def draw(self, size, rng, *, width=None, kept=None):
        """Return the coverage (height, width) float32 of a written digit, cropped to its ink.

        Parameters
        ----------
        size : float
            Height of 20 pixels of MNIST in the picture.
        rng : numpy.random.Generator
            Chooses the slant and the proportions.
        width : float, optional
            Width of the pen in the picture; otherwise the strokes are as wide as in the image.
        kept : ndarray of bool of shape (n_points,), optional
            Points where the pen left ink; all by default.
        """
        points, widths = self.placed(size, rng, width)
        kept = np.ones(len(points), bool) if kept is None else kept
        return draw_path(points, self.edges, widths, kept)

    def placed(self, size, rng, width=None):
        """Return the points and widths in a picture, written by another hand; see ``draw``."""
        points = (self.points - self.points.mean(axis=0)) @ _hand(rng) * (size / 20)
        widths = self.widths * size / 20 if width is None else np.full(len(points), float(width))
        return points - points.min(axis=0) + widths.max() / 2 + 1, widths

    def _smooth(self, values, steps):
        """Average each value with its neighbors along the path, except at the ends."""
        a, b = self.edges.T
        n = np.bincount(self.edges.ravel(), minlength=len(values))
        inner = n > 1
        shape = (-1,) + (1,) * (values.ndim - 1)
        for _ in range(steps):
            total = np.zeros(values.shape)
            np.add.at(total, a, values[b])
            np.add.at(total, b, values[a])
            mean = total / np.maximum(n, 1).reshape(shape)
            values = np.where(inner.reshape(shape), (values + mean) / 2, values)
        return values


def draw_path(points, edges, widths, kept):
    """Return the coverage float32 of segments between points, cropped to the ink."""
    size = max(np.ptp(points, axis=0).max(), 1)
    more = 4 if size < 200 else 2 if size < 900 else 1  # pixels drawn for one
    extent = np.ceil(points.max(axis=0) + widths.max() / 2 + 1).astype(int)
    canvas = Image.new("L", tuple(int(n) * more for n in extent))
    draw = ImageDraw.Draw(canvas)
    places = points * more
    radii = np.maximum(widths * more / 2, 0.5)
    for (x, y), r in zip(places[kept], radii[kept], strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
    for i, j in edges[kept[edges].all(axis=1)]:
        wide = max(1, round(radii[i] + radii[j]))
        draw.line([*places[i], *places[j]], fill=255, width=wide)
    cover = np.asarray(canvas.reduce(more), dtype=np.float32) / 255
    return cropped_to_ink(cover)


def cropped_to_ink(cover):
    """Return a coverage without the empty rows and columns around it."""
    rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
    return cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _hand(rng):
    """Return the matrix of another hand's turn, slant and proportions."""
    turn, slant = np.deg2rad(rng.uniform(-8, 8)), rng.uniform(-0.25, 0.25)
    aspect = np.exp(rng.uniform(-0.2, 0.2))
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.array([[aspect, 0], [slant, 1]]) @ turned


def _thinned(mask):
    """Return lines one pixel wide, by the method of Zhang and Suen (1984)."""
    mask = np.pad(mask, 1)
    while True:
        before = mask.sum()
        for first in (True, False):
            inner = mask[1:-1, 1:-1]
            north, south = mask[:-2, 1:-1], mask[2:, 1:-1]
            west, east = mask[1:-1, :-2], mask[1:-1, 2:]
            around = [
                north, mask[:-2, 2:], east, mask[2:, 2:], south, mask[2:, :-2], west, mask[:-2, :-2]
            ]  # fmt: skip
            n = sum(side.astype(np.int8) for side in around)
            starts = sum(
                (~side & after).astype(np.int8)
                for side, after in zip(around, around[1:] + around[:1], strict=True)
            )
            if first:
                free = ~(north & east & south) & ~(east & south & west)
            else:
                free = ~(north & east & west) & ~(north & south & west)
            mask[1:-1, 1:-1] = inner & ~((n >= 2) & (n <= 6) & (starts == 1) & free)
        if mask.sum() == before:
            return mask[1:-1, 1:-1]
