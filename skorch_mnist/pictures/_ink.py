"""From a picture to a map of ink: light, paper, shadows and ruling taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.floating[Any]]  # (height, width)

_COARSE = 64  # pixels of the longer side on which polarity and colour are judged
# Shares of what deviates from paper that is lighter than it. A shadow makes some of it lighter;
# nothing makes much of it darker where ink is light.
_DARK, _LIGHT = 0.6, 0.9
_DARKEST_PAPER = 0.12  # of full brightness: below, division would amplify noise


def ink_colour(picture: Map, polarity: str) -> tuple[Map, bool]:
    """Return the weights of the colours that show ink best, and whether it is lighter than paper.

    What deviates from its surroundings is ink; paper is the majority.
    """
    step = max(1, round(max(picture.shape[:2]) / _COARSE))
    small = ndimage.uniform_filter(picture, (step, step, 0))[step // 2 :: step, step // 2 :: step]
    reach = max(3, max(small.shape) // 2) | 1
    paper = np.stack(
        [ndimage.median_filter(small[..., k], reach, mode="nearest") for k in range(3)], axis=-1
    )
    deviation = small - paper
    brightness = deviation.mean(axis=-1)
    strongest = np.abs(brightness) >= np.quantile(np.abs(brightness), 0.97)
    if polarity == "auto":
        is_light = _is_light(small.mean(axis=-1), brightness[strongest])
    else:
        is_light = polarity == "light_on_dark"
    chosen = strongest & ((brightness > 0) == is_light)
    shown = np.abs(deviation[chosen]).mean(axis=0) if chosen.any() else np.zeros(3)
    if shown.sum() < 1e-6:
        shown = np.ones(3)
    return (shown / shown.sum()).astype(np.float32), is_light


def _is_light(grey: Map, deviation: Map) -> bool:
    """Say whether ink is lighter than paper, from its deviation or else from the border."""
    lighter = float(np.sum(deviation[deviation > 0] ** 3))
    darker = -float(np.sum(deviation[deviation < 0] ** 3))
    share = lighter / max(lighter + darker, 1e-12)
    if not _DARK < share < _LIGHT:
        return bool(share >= _LIGHT)
    # A digit that fills its picture to the brim leaves most of the border to the paper.
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.mean(border > np.quantile(grey, (0.05, 0.95)).mean()) < 0.5)


def even_light(grey: Map) -> Map:
    """Divide by the slope of the light: a surface of second degree, fitted to the paper.

    ``grey`` is 0 (ink) to 1 (paper). Only of light paper the brightness tells about the light.
    """
    height, width = grey.shape
    step = max(1, round(max(grey.shape) / _COARSE))
    small = ndimage.uniform_filter(grey, step)[step // 2 :: step, step // 2 :: step].ravel()
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij", sparse=True
    )
    surface = np.stack(
        [
            np.broadcast_to(term, grey.shape)
            for term in (1, rows, columns, rows**2, columns**2, rows * columns)
        ],
        axis=-1,
    ).astype(np.float32)
    terms = surface[step // 2 :: step, step // 2 :: step].reshape(len(small), -1)
    kept = np.ones(len(small), bool)
    for _ in range(4):
        solution = np.linalg.lstsq(terms[kept], small[kept], rcond=None)[0]
        off = small - terms @ solution
        kept = off >= -2 * np.abs(np.median(off[kept])) - 1.5 * np.std(off[kept])
    light = surface @ solution
    return np.asarray(grey / np.maximum(light, _DARKEST_PAPER) * light.max())


def ink_map(grey: Map, reach: float, is_light: bool) -> Map:
    """Return how much darker than the paper around it each pixel is.

    Parameters
    ----------
    grey : ndarray of shape (height, width), 0 (ink) to 1 (paper)
    reach : float
        Pixels. Whatever is wider, such as the far side of a shadow's edge, is taken for paper.
    is_light : bool
        Whether ``grey`` was inverted.

    Returns
    -------
    ndarray of shape (height, width), 0 (paper) to 1 (ink)
    """
    window = int(reach) | 1
    calm = ndimage.gaussian_filter(grey, 0.7)
    paper = ndimage.grey_closing(calm, (window, window), mode="nearest")
    paper = np.maximum(ndimage.uniform_filter(paper, max(3, window // 4)), calm)
    # Light multiplies: dark ink keeps its share of the paper's brightness. Of light ink on a dark
    # ground (inverted here) the ground says nothing.
    scale = 1.0 if is_light else np.maximum(paper, _DARKEST_PAPER)
    contrast = (paper - calm) / scale
    contrast -= np.median(contrast)  # closing follows the brightest noise
    return np.asarray(np.clip(contrast, 0, 1), np.float32)


def ink_strength(contrast: Map, count: int) -> float:
    """Return the mean of the ``count`` darkest pixels of a map of ink."""
    return float(np.partition(contrast, -count, axis=None)[-count:].mean())


def noise_level(contrast: Map) -> float:
    """Return the spread of what varies from pixel to pixel in a map of ink."""
    # White noise less its mean over 3x3 pixels keeps 8/9 of its variance; the median of the
    # magnitude of normal noise is 0.6745 of its spread.
    grain = np.abs(contrast - ndimage.uniform_filter(contrast, 3))
    grain = grain[contrast > 0]
    return float(np.median(grain) / 0.6745) if len(grain) else 0.0
