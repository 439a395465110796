"""The camera: perspective, blur, noise, low resolution and JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage


def jpeg(picture, quality):
    """Return the picture after JPEG compression."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def as_bytes(rgb):
    """Return a picture of floats, 0 to 1, as uint8."""
    return (rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def defocus(rgb, sigma):
    """Return the picture blurred evenly."""
    return ndimage.gaussian_filter(rgb, (sigma, sigma, 0), truncate=3) if sigma > 0.15 else rgb


def motion(rgb, length, angle):
    """Return the picture blurred along a line of ``length`` pixels, as by a shaking hand."""
    n = int(np.ceil(length)) | 1
    if n < 3:
        return rgb
    steps = np.linspace(-length / 2, length / 2, n)
    shifted = np.zeros_like(rgb)
    for step in steps:
        rows, columns = round(step * np.sin(angle)), round(step * np.cos(angle))
        padded = np.pad(rgb, [(n, n), (n, n), (0, 0)], "edge")
        shifted += padded[
            n + rows : n + rows + rgb.shape[0], n + columns : n + columns + rgb.shape[1]
        ]
    return shifted / n


def sensor_noise(rgb, rng, luma, chroma=0.0, coarse=2):
    """Return the picture with noise in brightness and, in coarser grains, in color."""
    height, width = rgb.shape[:2]
    noisy = rgb + luma * rng.standard_normal((height, width, 1), dtype=np.float32)
    if chroma > 0:
        size = (height // coarse + 1, width // coarse + 1, 3)
        grains = chroma * rng.standard_normal(size, dtype=np.float32)
        grains -= grains.mean(axis=2, keepdims=True)
        noisy += grains.repeat(coarse, 0).repeat(coarse, 1)[:height, :width]
    return noisy


def take(rgb, rng, *, blur=(0.3, 1.0), noise=(0.003, 0.025), chroma=(0.0, 0.0), quality=(45, 95)):
    """Return the picture (height, width, 3) uint8 that an ordinary camera takes of a scene."""
    rgb = defocus(rgb, rng.uniform(*blur))
    rgb = sensor_noise(rgb, rng, rng.uniform(*noise), rng.uniform(*chroma))
    return jpeg(as_bytes(rgb), int(rng.integers(*quality)))


def resized(rgb, height, width):
    """Return a picture of floats, scaled with the mean of the pixels that fall together."""
    bands = [
        Image.fromarray(np.ascontiguousarray(band)).resize(
            (width, height),
            Image.Resampling.BOX if width < rgb.shape[1] else Image.Resampling.BICUBIC,
        )
        for band in np.moveaxis(rgb.astype(np.float32), -1, 0)
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)
