"""Crops: digits that fill the picture."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from . import camera


def cropped(image, rng):
    """A digit that fills the picture and touches its borders, gray or black and white."""
    rows, columns = (np.flatnonzero((image > 60).any(axis=axis)) for axis in (1, 0))
    tight = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    long = rng.integers(16, 33) if rng.random() < 0.6 else int(np.exp(rng.uniform(3.5, 5.7)))
    shape = np.array(tight.shape) * long / max(tight.shape)
    if rng.random() < 0.4:  # stretched, as in Semeion
        shape = np.maximum(shape, long * rng.uniform(0.6, 1))
    height, width = (max(6, round(n)) for n in shape)
    method = Image.Resampling.BICUBIC
    cover = np.asarray(Image.fromarray(tight).resize((width, height), method)) / np.float32(255)
    if long > 40:
        cover = ((ndimage.gaussian_filter(cover, long / 60) - 0.5) * long / 10 + 0.5).clip(0, 1)
    margins = rng.integers(0, 1 + long // 8, 4) * (rng.random(4) < 0.35)
    cover = np.pad(cover, [(margins[0], margins[1]), (margins[2], margins[3])])
    ink, paper = rng.uniform(0, 0.3), rng.uniform(0.75, 1)
    if rng.random() < 0.4:  # black and white
        cover, ink, paper = (cover > rng.uniform(0.35, 0.6)).astype(np.float32), 0, 1
    gray = paper + cover * (ink - paper)
    if rng.random() < 0.5:
        gray = 1 - gray
    if rng.random() < 0.4:
        gray = gray + rng.normal(0, 0.03, gray.shape)
    return camera.as_bytes(np.repeat(gray[..., None], 3, axis=2))
