"""The view of a flat sheet: where each of its points is in the picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

_MESH = 24  # pixels: the view is linear within squares of this size


class View:
    """A bent sheet seen in perspective.

    Parameters
    ----------
    source, target : array-like of shape (4, 2)
        Four points (x, y) of the sheet, and where they are in the picture.
    bend : float
        Height of the wave of the sheet in pixels of the sheet; 0 for a flat sheet.
    wave : tuple of two floats
        Length of the wave in pixels and its phase.
    """

    def __init__(self, source, target, bend=0.0, wave=(1.0, 0.0)):
        rows, values = [], []
        for (x, y), (u, v) in zip(source, target, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            values += [u, v]
        self._matrix = np.append(np.linalg.solve(rows, values), 1).reshape(3, 3)
        self._bend, self._wave = bend, wave

    def to_picture(self, points):
        """Return the points (n, 2) of the sheet in the picture."""
        points = np.array(points, dtype=float)
        points[:, 1] += self._lift(points[:, 0])
        return _project(self._matrix, points)

    def to_sheet(self, points):
        """Return the points (n, 2) of the picture on the sheet."""
        points = _project(np.linalg.inv(self._matrix), np.asarray(points, dtype=float))
        points[:, 1] -= self._lift(points[:, 0])
        return points

    def picture_of(self, sheet, height, width, around=(0, 0, 0)):
        """Return the picture (height, width, 3) uint8 of a sheet, ``around`` where it ends."""
        mesh = []
        for top in range(0, height, _MESH):
            for left in range(0, width, _MESH):
                right, bottom = min(left + _MESH, width), min(top + _MESH, height)
                corners = [(left, top), (left, bottom), (right, bottom), (right, top)]
                mesh.append(((left, top, right, bottom), self.to_sheet(corners).ravel()))
        return np.asarray(
            Image.fromarray(sheet).transform(
                (width, height),
                Image.Transform.MESH,
                mesh,
                Image.Resampling.BILINEAR,
                fillcolor=around,
            )
        )

    def _lift(self, x):
        length, phase = self._wave
        return self._bend * np.sin(2 * np.pi * x / length + phase)


def tilted(height, width, rng, most, zoom=1.0):
    """Return corners of a sheet in the picture, each moved by up to ``most`` of the size."""
    center = np.array([width, height]) / 2
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)
    moved = rng.uniform(-most, most, (4, 2)) * (width, height)
    return (corners - center) * zoom + center + moved


def turned(corners, degrees):
    """Return points (n, 2) turned around their center."""
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    center = np.mean(corners, axis=0)
    return (corners - center) @ matrix + center


def _project(matrix, points):
    projected = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return projected[:, :2] / projected[:, 2:]
