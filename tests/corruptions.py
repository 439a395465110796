"""The 15 corruptions of MNIST-C, at the severities of the published dataset.

MNIST-C: N. Mu and J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019,
https://arxiv.org/abs/1906.02337. The steps and constants are those of the reference code,
https://github.com/google-research/mnist-c (Apache 2.0), which corrupts one image at a time with
scikit-image 0.15 and ImageMagick. This module works on all images at once, with NumPy and SciPy.

Each corruption takes images as float64 from 0 to 1, of shape (n, 28, 28), and a random generator.
It may return values outside of 0 to 1, which ``corrupt`` clips. The random numbers are drawn from
the distributions of the reference, but not in its order, so single images differ from those of the
published files. The differences from scikit-image and ImageMagick, of one gray level at most, come
from rounding: see "Corruptions" in ``docs/guide/benchmarks.md``.

Three properties of the reference look like mistakes of this module:

- ``glass_blur`` blurs each column of pixels, but not the rows, because the reference says that the
  last axis of an image is its channels;
- ``shear`` also makes digits taller, by one over the cosine of its angle;
- ``motion_blur`` moves digits to the left, because ImageMagick blurs in one direction.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from scipy import ndimage

UNSEEN = (
    "stripe",
    "fog",
    "spatter",
    "glass_blur",
    "zigzag",
    "dotted_line",
    "canny_edges",
    "impulse_noise",
)
SEEN = ("shot_noise", "motion_blur", "shear", "scale", "rotate", "brightness", "translate")

SIZE = 28
CENTER = (SIZE - 1) / 2


def corrupt(images: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """Return corrupted copies of images.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28) or (n, 784)
        MNIST images: light strokes on black.
    name : str
        One of ``UNSEEN`` or ``SEEN``.
    rng : numpy.random.Generator
        The source of all randomness. Each image draws its own.

    Returns
    -------
    ndarray of uint8, shape (n, 28, 28)

    Raises
    ------
    ValueError
        If ``name`` is not a corruption.
    TypeError
        If the images are not uint8.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"name={name!r} is not valid: it must be one of {', '.join(CORRUPTIONS)}.")
    if images.dtype != np.uint8:
        raise TypeError(f"images of {images.dtype} are not valid: pass pixels of uint8, 0 to 255.")
    corrupted = CORRUPTIONS[name](images.reshape(-1, SIZE, SIZE) / 255, rng)
    return np.round(np.clip(corrupted, 0, 1) * 255).astype(np.uint8)


# --- noise and light ------------------------------------------------------------------------


def shot_noise(x, rng, photons=3):
    return rng.poisson(x * photons) / photons


def impulse_noise(x, rng, amount=0.17):
    flipped = rng.random(x.shape) < amount
    return np.where(flipped, rng.random(x.shape) < 0.5, x)


def brightness(x, rng, amount=0.5):
    return x + amount


def stripe(x, rng):
    x = x.copy()
    x[:, :, :7] = 1 - x[:, :, :7]
    x[:, :, 21:] = 1 - x[:, :, 21:]
    return x


def fog(x, rng, amount=3.0, decay=1.4):
    brightest = x.max(axis=(1, 2), keepdims=True)
    clouds = np.concatenate([plasma(len(part), rng, decay) for part in batches(x)])
    return (x + amount * clouds[:, :SIZE, :SIZE]) * brightest / (brightest + amount)


def batches(x, size=16):
    """Split images into batches whose plasma stays in the cache of the processor."""
    return np.split(x, range(size, len(x), size))


def plasma(n, rng, decay, size=256):
    """Return the corners of ``n`` height maps by the diamond-square algorithm, which wrap around.

    Each map is scaled to 0 to 1 as a whole.
    """
    heights = np.zeros((n, size, size))
    step, amplitude = size, 100.0
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        centers = heights[:, half::step, half::step]

        pairs = corners + np.roll(corners, -1, axis=1)
        centers[:] = wobbly_mean(pairs + np.roll(pairs, -1, axis=2), amplitude, rng)
        for along, across in ((1, 2), (2, 1)):
            ends = corners + np.roll(corners, -1, axis=across)
            sides = centers + np.roll(centers, 1, axis=along)
            rows, columns = (0, half) if along == 1 else (half, 0)
            heights[:, rows::step, columns::step] = wobbly_mean(ends + sides, amplitude, rng)
        step, amplitude = half, amplitude / decay
    low, high = heights.min(axis=(1, 2), keepdims=True), heights.max(axis=(1, 2), keepdims=True)
    return (heights[:, :SIZE, :SIZE] - low) / (high - low)


def wobbly_mean(total_of_four, amplitude, rng):
    # The reference multiplies by the amplitude twice.
    noise = rng.uniform(-amplitude, amplitude, total_of_four.shape)
    return total_of_four / 4 + amplitude * noise


def spatter(x, rng, mean=0.65, spread=0.3, blur=1.0, level=0.65, soft=1.5, color=63 / 255):
    liquid = gaussian(rng.normal(mean, spread, x.shape), blur)
    mud = gaussian((liquid > level).astype(float), soft)
    mud[mud < 0.8] = 0
    return x * (1 - mud) + color * mud


# --- blur -----------------------------------------------------------------------------------


def gaussian(x, sigma):
    """Blur images as ``skimage.filters.gaussian`` does."""
    return ndimage.gaussian_filter(x, (0, sigma, sigma), mode="nearest")


def glass_blur(x, rng, sigma=0.7, distance=1, rounds=2):
    def blur(x):
        return ndimage.gaussian_filter1d(x, sigma, axis=1, mode="nearest")

    x = np.trunc(blur(x) * 255) / 255
    every = np.arange(len(x))
    for _ in range(rounds):
        for row in range(SIZE - distance, distance, -1):
            for column in range(SIZE - distance, distance, -1):
                swap = rng.random(len(x)) < 0.5
                other_column, other_row = rng.integers(-distance, distance, (2, len(x)))
                here = every[swap], row, column
                there = every[swap], row + other_row[swap], column + other_column[swap]
                x[here], x[there] = x[there], x[here]
    return blur(x)


def motion_blur(x, rng, radius=10, sigma=3.0, max_degrees=45):
    """Blur as ImageMagick does: half a Gaussian along a line, with edge pixels repeated."""
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-(taps**2) / (2 * sigma**2))
    angle = np.radians(rng.uniform(-max_degrees, max_degrees, (len(x), 1)))
    down, right = (np.ceil(taps * f(angle) - 0.5).astype(int) for f in (np.sin, np.cos))
    every, grid = np.arange(len(x))[:, None, None], np.arange(SIZE)
    blurred = np.zeros_like(x)
    for tap in taps:
        rows = np.clip(grid + down[:, tap, None], 0, SIZE - 1)
        columns = np.clip(grid + right[:, tap, None], 0, SIZE - 1)
        blurred += weights[tap] * x[every, rows[:, :, None], columns[:, None, :]]
    return blurred / weights.sum()


# --- geometry -------------------------------------------------------------------------------


def warp(x, rng, choices):
    """Sample each image at the places that one of the affine maps gives, chosen at random.

    A map is a matrix and an offset in (x, y), as ``skimage.transform.warp`` has them: from places
    of the result to places of the original. Pixels are interpolated, and 0 outside.
    """
    chosen = rng.integers(len(choices), size=len(x))
    warped = np.empty_like(x)
    for number, (matrix, offset) in enumerate(choices):
        whole = np.eye(3)
        whole[1:, 1:] = np.asarray(matrix)[::-1, ::-1]  # NumPy has rows (y) first
        warped[chosen == number] = ndimage.affine_transform(
            x[chosen == number], whole, (0, *offset[::-1]), order=1, mode="grid-constant"
        )
    return warped


def about_center(matrix):
    """Return an affine map that keeps the center of the image where it is."""
    return matrix, CENTER - np.asarray(matrix) @ (CENTER, CENTER)


def shear(x, rng, radians=0.4):
    choices = [[[1, -np.sin(a)], [0, np.cos(a)]] for a in (-radians, radians)]
    return warp(x, rng, [about_center(matrix) for matrix in choices])


def rotate(x, rng, radians=0.4):
    choices = [[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in (-radians, radians)]
    return warp(x, rng, [about_center(matrix) for matrix in choices])


def scale(x, rng, factor=0.7):
    return warp(x, rng, [about_center(np.eye(2) / factor)])


def translate(x, rng, pixels=3):
    steps = (-pixels, pixels)
    return warp(x, rng, [(np.eye(2), (right, down)) for right in steps for down in steps])


# --- lines ----------------------------------------------------------------------------------


@functools.cache
def line(column_0, row_0, column_1, row_1):
    """Return an image of a line, by the vertical distance of each pixel from it."""
    grid = np.arange(SIZE)
    center = row_0 + (row_1 - row_0) / (column_1 - column_0) * (grid - column_0)
    distance = np.clip(np.abs(grid[:, None] - center), 0, 2.3 - 1e-10)
    ink = np.clip(np.log(1 - distance / 2.3) + 1, 0, 1)
    ink[:, : int(np.floor(column_0))] = 0
    ink[:, int(np.ceil(column_1)) :] = 0
    return ink


def dotted_line(x, rng):
    ends = rng.integers(0, SIZE - 1, (len(x), 2))
    lines = np.stack([line(0, left, SIZE - 1, right) for left, right in ends.tolist()])
    return x + lines * (np.arange(SIZE) % 4 >= 2)  # two columns of every four


@functools.cache
def zigzag_line(left, right, start=2, end=25, length=2.0, width=2.0):
    """Return an image of a zigzag between two rows, from column ``start`` to column ``end``."""
    angle = np.arctan((right - left) / (end - start))
    total = (end - start) / np.cos(angle)
    peaks = np.arange((total - length) // (2 * length) + 1)
    # The last point is on the way back to the middle; its height is that of the reference.
    along = [0, *((2 * peaks + 1) * length), total]
    across = [0, *((-1) ** peaks * width)]
    across.append(across[-1] / (2 * (total % (2 * length))))
    along, across = np.array(along), np.array(across)
    columns = start + np.cos(angle) * along - np.sin(angle) * across
    rows = left + np.sin(angle) * along + np.cos(angle) * across
    points = list(zip(columns.tolist(), rows.tolist(), strict=True))
    return sum(line(*one, *other) for one, other in itertools.pairwise(points))


def zigzag(x, rng):
    left = rng.integers(0, SIZE - 1, len(x))
    right = left + rng.integers(-5, 5, len(x))
    lines = zip(left.tolist(), right.tolist(), strict=True)
    return x + np.stack([zigzag_line(*ends) for ends in lines])


# --- edges ----------------------------------------------------------------------------------


def canny_edges(x, rng, low=0.1, high=0.2):
    """Find edges as ``skimage.feature.canny`` does with its defaults."""

    def smooth(x):
        return ndimage.gaussian_filter(x, (0, 1, 1), mode="constant")

    def sobel(x, along, across):
        return ndimage.correlate1d(ndimage.correlate1d(x, [-1, 0, 1], along), [1, 2, 1], across)

    x = smooth(x) / (smooth(np.ones_like(x[:1])) + np.finfo(float).eps)
    down, right = sobel(x, 1, 2), sobel(x, 2, 1)
    strength = np.hypot(down, right)

    # An edge is stronger than its neighbors on both sides, which are interpolated.
    inner = np.s_[:, 1:-1, 1:-1]
    steep = (np.abs(down) >= np.abs(right))[inner]
    falling = (down * right >= 0)[inner]
    short, long = np.sort([np.abs(down)[inner], np.abs(right)[inner]], axis=0)
    weight = short / np.maximum(long, np.finfo(float).tiny)

    def neighbor(rows, columns):
        return strength[:, 1 + rows : SIZE - 1 + rows, 1 + columns : SIZE - 1 + columns]

    edges = np.zeros(x.shape, bool)
    edges[inner] = (strength >= low)[inner]
    for side in (-1, 1):
        straight = np.where(steep, neighbor(side, 0), neighbor(0, side))
        diagonal = np.where(steep, neighbor(side, -side), neighbor(-side, side))
        diagonal = np.where(falling, neighbor(side, side), diagonal)
        edges[inner] &= diagonal * weight + straight * (1 - weight) <= strength[inner]

    # Weak edges count if they touch a strong one. Images do not touch each other.
    touching = np.zeros((3, 3, 3), bool)
    touching[1] = True
    parts, n = ndimage.label(edges, touching)
    strong = np.zeros(n + 1, bool)
    strong[parts[edges & (strength >= high)]] = True
    return strong[parts].astype(float)


CORRUPTIONS = {name: globals()[name] for name in UNSEEN + SEEN}
