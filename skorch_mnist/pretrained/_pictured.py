"""Generated pictures of digits, like those from a camera, a scanner or a paint program."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def enlarged(image: NDArray[np.uint8], rng: Generator) -> NDArray[np.float32]:
    """Return the ink of an image in the form of MNIST, up to 6 times as large, with any pen."""
    factor = float(np.exp(rng.uniform(0, np.log(6))))
    ink = cv2.resize(
        image.astype(np.float32) / 255, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC
    )
    if rng.random() < 0.6:
        soft = cv2.GaussianBlur(ink, (0, 0), 0.8 * factor)
        edge, sharpness = rng.uniform(0.2, 0.6), rng.uniform(6, 20)
        ink = 1 / (1 + np.exp(-(soft / soft.max() - edge) * sharpness))
        ink = (ink - ink.min()) / np.ptp(ink)
    return np.asarray(ink, np.float32).clip(0, 1)


def picture_of(ink: NDArray[np.float32], rng: Generator) -> NDArray[np.uint8]:
    """Return a gray picture of a digit, with random paper, light and camera.

    Parameters
    ----------
    ink : ndarray of shape (height, width), dtype float32
        0 (paper) to 1 (ink).
    rng : numpy.random.Generator
        Chooses everything else.

    Returns
    -------
    ndarray of shape (height, width), dtype uint8
        Larger than the ink by a margin.
    """
    size = max(ink.shape)
    margins = [int(size * rng.uniform(0.15, 0.6)) + 2 for _ in range(4)]
    sheet: NDArray[Any] = np.pad(ink, (margins[:2], margins[2:]))
    height, width = sheet.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 5), 1)
    sheet = cv2.warpAffine(sheet, turn, (width, height))
    if rng.random() < 0.15:  # pressure, or a pen that runs dry
        grain = cv2.resize(rng.random((5, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
        sheet = sheet * (0.4 + 0.6 * grain.clip(0, 1))
    if rng.random() < 0.15:
        sheet = np.maximum(sheet, _box(height, width, rng))
    paper = rng.uniform(0.5, 0.95)
    picture = paper * (1 - (1 - rng.uniform(0.05, 0.6)) * sheet)
    y, x = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle) + 0.5
    picture = picture * (1 - rng.uniform(0, 0.4) * slope)
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, max(0.4, height / 60)))
    picture = picture + rng.normal(0, rng.uniform(0.002, 0.04), picture.shape)
    if rng.random() < 0.2:
        picture = 1 - picture
    return np.asarray((picture.clip(0, 1) * 255), np.uint8)


def _box(height: int, width: int, rng: Generator) -> NDArray[np.float32]:
    """Return the ink of some sides of a box near the edges, like a field of a form."""
    sheet = np.zeros((height, width), np.uint8)
    thick = max(1, round(min(height, width) * rng.uniform(0.01, 0.04)))
    for side in np.flatnonzero(rng.random(4) < 0.6):
        down = side % 2 == 0
        length = height if down else width
        start, end = rng.uniform(0.02, 0.14, 2) * length
        if side > 1:
            start, end = length - 1 - start, length - 1 - end
        first, last = (0, round(start)), (width - 1, round(end))
        if not down:
            first, last = (round(start), 0), (round(end), height - 1)
        cv2.line(sheet, first, last, 255, thick, cv2.LINE_AA)
    return np.asarray(sheet / 255 * rng.uniform(0.3, 1), np.float32)
