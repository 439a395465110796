"""Generated outliers: images that have the same form as the known ones, but show no class.

A network that learns them as a separate class also rejects other outliers: D. Hendrycks, M.
Mazeika, T. Dietterich, "Deep anomaly detection with outlier exposure", 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.float32]  # (channels, height, width), pixels from 0 to 1
Line: TypeAlias = NDArray[np.float64]  # (n_points, 2): x and y, about from 0 to 1

ENLARGED = 4  # pixels drawn for one, along each side
SUBPIXELS = 4  # bits of a coordinate in a drawing
MOST_GENERATED = 50_000
CLEAR = 0.3  # difference of a pixel from the ground that counts as ink


def with_outliers(
    images: NDArray[Any],
    codes: NDArray[np.int64],
    given: NDArray[Any] | None,
    *,
    n_classes: int,
    rng: Generator,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Add generated and given outliers, with the code ``n_classes``, to images and codes."""
    others = [generate_outliers(images, codes, min(len(images), MOST_GENERATED), rng)]
    if given is not None:
        others.append(given)
    shown = np.concatenate([images, *others])
    taught = np.full(len(shown), n_classes)
    taught[: len(images)] = codes
    return shown, taught


def generate_outliers(
    images: NDArray[Any], codes: NDArray[np.int64], n: int, rng: Generator
) -> NDArray[Any]:
    """Return images that do not belong to any class, although a few may look like one.

    There are blank images, noise, scribbles that are as large as the objects in the known images,
    and pieces of images of different classes.

    Parameters
    ----------
    images : ndarray of shape (n_samples, channels, height, width)
        Images of the known classes, any real dtype.
    codes : ndarray of shape (n_samples,)
        Class of each image.
    n : int
        Number of images to return.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    ndarray of shape (n, channels, height, width), in the dtype and the range of ``images``
    """
    low, high = float(images.min()), float(images.max())
    scale = high - low if high > low else 1.0
    outliers = np.empty((n, *images.shape[1:]), images.dtype)
    for place, kind in enumerate(rng.choice(len(KINDS), n, p=SHARES)):
        first, second = _of_two_classes(codes, rng)
        known, other = ((images[row].astype(np.float32) - low) / scale for row in (first, second))
        outlier = low + scale * KINDS[kind](known, other, rng).clip(0, 1)
        outliers[place] = outlier.round() if images.dtype.kind in "iu" else outlier
    return outliers


def _of_two_classes(codes: NDArray[np.int64], rng: Generator) -> tuple[int, int]:
    """Return two rows, of different classes if a few attempts find them."""
    first = second = int(rng.integers(len(codes)))
    for _ in range(10):
        second = int(rng.integers(len(codes)))
        if codes[first] != codes[second]:
            break
    return first, second


# --- kinds of outliers ------------------------------------------------------------------------


def _blank(known: Image, other: Image, rng: Generator) -> Image:
    color = rng.random((len(known), 1, 1))
    return np.broadcast_to(color, known.shape).astype(np.float32)


def _noise(known: Image, other: Image, rng: Generator) -> Image:
    """Return noise of any grain, gray or of two colors."""
    channels, height, width = known.shape
    grain = np.exp(rng.uniform(0, np.log(max(1, max(height, width) / 3))))
    coarse = (max(1, round(height / grain)), max(1, round(width / grain)), channels)
    if rng.random() < 0.5:
        pixels = rng.random(coarse)
    else:
        pixels = rng.normal(rng.uniform(0, 1), rng.uniform(0.05, 0.5), coarse)
    how = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    noise = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=how)
    if rng.random() < 0.5:
        noise = (noise > np.quantile(noise, rng.uniform(0.03, 0.97))).astype(np.float32)
    noise = noise.clip(0, 1) * rng.uniform(0.1, 1)
    return np.asarray(noise.reshape(height, width, channels).transpose(2, 0, 1), np.float32)


def _scribble(known: Image, other: Image, rng: Generator) -> Image:
    """Return lines on the background of a known image, with the size and place of its object."""
    channels, height, width = known.shape
    ground = _ground(known)
    ink = np.abs(known - ground).max(axis=0)
    shown = ink > CLEAR if (ink > CLEAR).any() else np.ones(ink.shape, bool)
    rows, columns = np.nonzero(shown)
    size = max(np.ptp(rows), np.ptp(columns), 1)
    pen = size * np.exp(rng.uniform(np.log(0.04), np.log(0.22)))
    aspect = np.exp(rng.normal(0, 0.35))
    box = max(size - pen, 1) * np.array([min(1, 1 / aspect), min(1, aspect)])  # wide, high
    form = FORMS[rng.choice(len(FORMS), p=(0.35, 0.4, 0.25))]
    lines = [_dense(line) for line in form(rng)]
    points = np.concatenate(lines)
    middle = np.array([columns.mean(), rows.mean()]) + 0.5
    factor = box / np.ptp(points, axis=0).clip(1e-3)
    canvas = np.zeros((height * ENLARGED, width * ENLARGED), np.uint8)
    filled = rng.random() < 0.15
    for line in lines:
        places = ((line - points.mean(axis=0)) * factor + middle) * ENLARGED * 2**SUBPIXELS
        where = [np.rint(places).astype(np.int32)]
        if filled:
            cv2.fillPoly(canvas, where, 255, cv2.LINE_AA, SUBPIXELS)
        else:
            thick = max(1, round(pen * ENLARGED))
            cv2.polylines(canvas, where, False, 255, thick, cv2.LINE_AA, SUBPIXELS)
    cover = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
    color = np.round(1 - ground) if rng.random() < 0.8 else rng.random((channels, 1, 1))
    return np.asarray(ground + cover * (color - ground), np.float32)


def _pieces(known: Image, other: Image, rng: Generator) -> Image:
    """Return two images in one, or parts of images in wrong places."""
    _, height, width = known.shape
    how = rng.random()
    if how < 0.35:  # one over the other
        ground = _ground(known)
        shift = [int(rng.integers(-side // 7, side // 7 + 1)) for side in (height, width)]
        other = np.roll(other, shift, axis=(1, 2))
        clearer = np.abs(known - ground) > np.abs(other - ground)
        return np.asarray(np.where(clearer, known, other))
    along = 1 if height > width or (height == width and rng.random() < 0.5) else 2
    if how < 0.7:  # the second half of another image as the first half
        pieces = np.array_split(known, 2, axis=along)
        pieces[0] = np.roll(other, pieces[0].shape[along], axis=along)[
            tuple(slice(side) for side in pieces[0].shape)
        ]
    else:
        pieces = np.array_split(np.roll(known, known.shape[along] // 2, axis=along), 2, axis=along)
        pieces[0] = np.flip(pieces[0], axis=int(rng.integers(1, 3)))
    return np.asarray(np.concatenate(pieces, axis=along))


def _ground(image: Image) -> Image:
    """Return the median of the pixels at the edges, for each channel."""
    edges = np.concatenate([image[:, [0, -1]], image[:, :, [0, -1]].swapaxes(1, 2)], axis=2)
    return np.asarray(np.median(edges, axis=(1, 2), keepdims=True), np.float32)


KINDS: tuple[Callable[[Image, Image, Generator], Image], ...]
KINDS = (_blank, _noise, _scribble, _pieces)
SHARES = (0.05, 0.2, 0.55, 0.2)


# --- forms of scribbles -----------------------------------------------------------------------


def _glyph(rng: Generator) -> list[Line]:
    """Return straight lines and arcs between points of a grid, as in letters."""
    slant = rng.normal(0, 0.15)
    lines: list[Line] = []
    for _ in range(rng.integers(1, 6)):
        if rng.random() < 0.65:
            line = rng.integers(0, 3, (rng.integers(2, 4), 2)) / 2
            line = line + rng.normal(0, 0.04, line.shape)
        else:
            start = 45 * int(rng.integers(8))
            extent = float(rng.choice([90, 180, 180, 270, 360]))
            radius = rng.choice([0.17, 0.25, 0.33, 0.5], 2)
            line = rng.integers(1, 6, 2) / 6 + radius * _circle(start, start + extent, 16)
        lines.append(line - line[:, 1:] * (slant, 0))
    return lines


def _freehand(rng: Generator) -> list[Line]:
    """Return zigzags and curves with several bends."""
    lines = []
    for _ in range(rng.integers(1, 5)):
        corners = rng.random((rng.integers(3, 8), 2))
        lines.append(_rounded(corners) if rng.random() < 0.6 else corners)
    return lines


def _figure(rng: Generator) -> list[Line]:
    """Return a polygon, a star, or lines that cross in the middle, perhaps in another one."""
    lines: list[Line] = []
    for _ in range(rng.choice([1, 2], p=[0.7, 0.3])):
        n = int(rng.integers(3, 6))
        start = float(rng.choice([0, 45, 90, 180, rng.uniform(0, 360)]))
        corners = _circle(start, start + 360, n + 1)
        corners *= rng.uniform(0.5, 1) if lines else 1
        kind = rng.random()
        if kind < 0.3:  # spokes
            lines += [np.stack([corner * rng.uniform(-1, 0.3), corner]) for corner in corners[:-1]]
        elif kind < 0.5:  # a star
            corners = np.insert(corners[:-1], range(1, n + 1), 0, axis=0)
            inner = _circle(start + 180 / n, start + 180 / n + 360, n + 1)[:-1]
            corners[1::2] = inner * rng.uniform(0.25, 0.7)
            lines.append(np.concatenate([corners, corners[:1]]))
        else:
            corners[:-1] += rng.normal(0, rng.choice([0.02, 0.25]), (n, 2))
            corners[-1] = corners[0]
            lines.append(corners)
    return lines


FORMS: tuple[Callable[[Generator], list[Line]], ...] = (_glyph, _freehand, _figure)


def _circle(start: float, end: float, n: int) -> Line:
    """Return points of a circle of radius 1; 0 degrees is to the right, 90 is down."""
    angles = np.radians(np.linspace(start, end, n))
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _rounded(corners: Line) -> Line:
    """Return a line whose corners were cut twice (G. Chaikin, 1974)."""
    for _ in range(3):
        first, last = corners[:-1], corners[1:]
        cut = np.stack([0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last], axis=1)
        corners = np.concatenate([corners[:1], cut.reshape(-1, 2), corners[-1:]])
    return corners


def _dense(line: Line) -> Line:
    """Return points along a line in equal steps, so that their mean is its center of mass."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    steps = np.linspace(0, along[-1], 2 + int(30 * along[-1]))
    return np.column_stack([np.interp(steps, along, side) for side in line.T])
