"""The map of ink of a picture, without light, paper and shadows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.floating[Any]]  # (height, width)

_COARSE = 64  # pixels of the longer side while polarity and color are determined
# Share of the deviation from paper that is lighter than paper: below the first value, ink is dark;
# above the second, it is light. A shadow can make some of the deviation from dark ink lighter, but
# nothing makes much of it darker if ink is light.
_DARK, _LIGHT = 0.6, 0.9
_DARKEST_PAPER = 0.12  # of full brightness; dividing by less would amplify noise


def ink_color(picture: Map, polarity: str) -> tuple[Map, bool]:
    """Return the color weights that show ink best, and whether ink is lighter than paper.

    Most of the picture is paper, and ink is what deviates from its surroundings.
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


def _is_light(gray: Map, deviation: Map) -> bool:
    """Return whether ink is lighter than paper, from its deviation or, if unclear, the border."""
    lighter = float(np.sum(deviation[deviation > 0] ** 3))
    darker = -float(np.sum(deviation[deviation < 0] ** 3))
    share = lighter / max(lighter + darker, 1e-12)
    if not _DARK < share < _LIGHT:
        return bool(share >= _LIGHT)
    # Even if a digit fills its picture, most of the border is paper.
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return bool(np.mean(border > np.quantile(gray, (0.05, 0.95)).mean()) < 0.5)


def even_light(gray: Map) -> Map:
    """Divide by the light: a quadratic surface fitted to the paper.

    ``gray`` is 0 (ink) to 1 (paper). Only light paper shows how bright the light is.
    """
    height, width = gray.shape
    step = max(1, round(max(gray.shape) / _COARSE))
    small = ndimage.uniform_filter(gray, step)[step // 2 :: step, step // 2 :: step].ravel()
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij", sparse=True
    )
    surface = np.stack(
        [
            np.broadcast_to(term, gray.shape)
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
    return np.asarray(gray / np.maximum(light, _DARKEST_PAPER) * light.max())


def ink_map(gray: Map, reach: float, is_light: bool) -> Map:
    """Return how much darker each pixel is than the paper around it.

    Parameters
    ----------
    gray : ndarray of shape (height, width), 0 (ink) to 1 (paper)
    reach : float
        Pixels. Anything wider, such as the area of a shadow, counts as paper.
    is_light : bool
        Whether ``gray`` was inverted, because ink is light.

    Returns
    -------
    ndarray of shape (height, width), 0 (paper) to 1 (ink)
    """
    window = int(reach) | 1
    calm = ndimage.gaussian_filter(gray, 0.7)
    paper = ndimage.grey_closing(calm, (window, window), mode="nearest")
    paper = np.maximum(ndimage.uniform_filter(paper, max(3, window // 4)), calm)
    # Light multiplies, so dark ink keeps its share of the brightness of the paper. For light ink on
    # a dark background, which is inverted here, the background does not show the light.
    scale = 1.0 if is_light else np.maximum(paper, _DARKEST_PAPER)
    contrast = (paper - calm) / scale
    contrast -= np.median(contrast)  # because closing follows the brightest noise
    return np.asarray(np.clip(contrast, 0, 1), np.float32)


def ink_strength(contrast: Map, count: int) -> float:
    """Return the mean of the ``count`` darkest pixels of a map of ink."""
    return float(np.partition(contrast, -count, axis=None)[-count:].mean())


def noise_level(contrast: Map) -> float:
    """Return the standard deviation of the noise in a map of ink."""
    # White noise minus its mean over 3x3 pixels keeps 8/9 of its variance. The median magnitude of
    # normal noise is 0.6745 standard deviations.
    grain = np.abs(contrast - ndimage.uniform_filter(contrast, 3))
    grain = grain[contrast > 0]
    return float(np.median(grain) / 0.6745) if len(grain) else 0.0
