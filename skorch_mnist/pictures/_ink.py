"""The ink of a picture, without the effects of light, paper and shadows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]  # (height, width)

_COARSE = 64  # pixels of the longer side while polarity, color and light are determined
# Share of the deviation from paper that is lighter than paper: below the first value, ink is dark;
# above the second, it is light. A shadow can make some of the deviation from dark ink lighter, but
# nothing makes much of it darker if ink is light.
_DARK, _LIGHT = 0.6, 0.9
_UNCLEAR = 0.1  # from half: if less of the narrow parts is lighter than darker, they say nothing
_SEPARATE = 0.87  # of the variance of brightness: a picture of two tones has more between them
_MOST, _ALL = 0.65, 0.97  # of the border
_BLACK = 0.06  # of full brightness, below which there is only noise
_THIN = 0.15  # of the longer side: half of the widest stroke
_DARKEST_PAPER = 0.12  # of full brightness; dividing by less would amplify noise
_COLORFUL = 0.1  # of full brightness: the smallest step of ink that is seen by its color alone
_EQUALLY_BRIGHT = 0.3  # of the step in color: a smaller step in brightness cannot be seen well
_TINTED = 0.02  # in logarithms of the channels: the smallest difference in color that is used
_GRAIN = 1.0  # pixels: the deviation of the filter that removes the noise of colors
_CLEARER = 3.0  # times the usual difference from the color of paper: that of clearly colored ink
_NEAR = 0.6  # of the size of a digit: paper as near may be in an eye
_WINDOW = 40  # pixels of the window that finds paper: it does not need a higher resolution


def scale(pixels: NDArray[np.uint8], small: int, large: int) -> NDArray[np.uint8]:
    """Return pixels in RGB whose longer side is between ``small`` and ``large``."""
    longer = max(pixels.shape[:2])
    step = longer // large
    if step > 1:  # averaging over whole pixels is fast
        height, width = (side // step * step for side in pixels.shape[:2])
        size = max(1, width // step), max(1, height // step)
        whole = pixels[: height or 1, : width or 1]
        pixels = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)
        longer = max(pixels.shape[:2])
    factor = min(max(longer, small), large) / longer
    if factor != 1:
        height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def ink_color(pixels: NDArray[np.uint8], polarity: str) -> tuple[Map, bool]:
    """Return the color weights that show ink best, and whether ink is lighter than paper.

    Most of the picture is paper, and ink is what deviates from its surroundings.
    """
    small = _reduced(pixels, _COARSE)
    paper = _median(small, max(small.shape) // 2)
    deviation = (small.astype(np.float32) - paper) / 255
    gray = _log(small)
    brightness = gray - _log(paper)
    strongest = np.abs(brightness) >= np.quantile(np.abs(brightness), 0.97)
    if polarity == "auto":
        is_light = _is_light(gray, brightness[strongest])
    else:
        is_light = polarity == "light_on_dark"
    chosen = strongest & ((brightness > 0) == is_light)
    shown = np.abs(deviation[chosen]).mean(axis=0) if chosen.any() else np.zeros(3)
    if shown.sum() < 1e-6:
        shown = np.ones(3)
    return (shown / shown.sum()).astype(np.float32), is_light


def in_clear_tones(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray picture in which ink and paper differ most, if they are equally bright.

    Any other picture is returned unchanged.
    """
    small = _reduced(pixels, _COARSE)
    deviation = (small.astype(np.float32) - _median(small, max(small.shape) // 2)) / 255
    size = np.linalg.norm(deviation, axis=-1)
    clearest = np.quantile(size, 0.97)
    if clearest < _COLORFUL:
        return pixels
    _, _, axes = np.linalg.svd(deviation[size >= clearest], full_matrices=False)
    weights = axes[0] / np.abs(axes[0]).sum()
    if abs(weights.sum()) > _EQUALLY_BRIGHT:
        return pixels
    gray = pixels @ weights - 255 * weights[weights < 0].sum()
    return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)


def in_color(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return a gray picture in which ink is as dark as its color differs from that of paper.

    A shadow changes brightness, but hardly color. Return None if no ink is clearly colored.
    """
    smooth = cv2.GaussianBlur(pixels, (0, 0), _GRAIN).astype(np.float32)
    tones = np.log(smooth / 255 + _BLACK)
    tones -= tones.mean(axis=-1, keepdims=True)
    tones -= np.median(tones.reshape(-1, 3), axis=0)
    size = np.linalg.norm(tones, axis=-1)
    strongest = size >= np.quantile(size, 0.99)
    if size[strongest].min() < max(_TINTED, _CLEARER * float(np.median(size))):
        return None
    _, _, axes = np.linalg.svd(tones[strongest], full_matrices=False)
    along = tones @ axes[0]
    along *= np.sign(along[strongest].mean())
    gray = 255 * (1 - (along / along.max()).clip(0, 1))
    return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)


def _reduced(pixels: NDArray[Any], longer: int) -> NDArray[Any]:
    """Return pixels whose longer side is at most ``longer``."""
    factor = min(1, longer / max(pixels.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def _median(pixels: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """Return the median around each pixel, with the picture mirrored at its border."""
    window = max(3, window) | 1
    height, width = pixels.shape[:2]
    down, across = min(window, height) - 1, min(window, width) - 1
    around = cv2.copyMakeBorder(pixels, down, down, across, across, cv2.BORDER_REFLECT_101)
    median = cv2.medianBlur(around, window)
    return np.asarray(median[down : down + height, across : across + width], np.uint8)


def _log(pixels: NDArray[np.uint8]) -> Map:
    """Return the logarithm of brightness: a shadow changes it less than ink does."""
    return np.asarray(np.log(pixels.mean(axis=-1) / 255 + _BLACK), np.float32)


def _is_light(gray: Map, deviation: Map) -> bool:
    """Return whether ink is lighter than paper.

    Ink deviates from its surroundings. If a lamp or a shadow makes that unclear, narrow parts
    decide, then whether only one of the two tones is thin, and finally the border. A digit that
    fills its picture may cover more of it than paper does. Such a picture has two tones, and paper
    covers most of its border, but not all of it, as a table around a sheet would.
    """
    bright = gray > two_tones(gray)
    narrow = _narrow_share(gray, max(gray.shape) // 4)
    dark_border = 1 - border_of(bright).mean()
    thin = int(_is_thin(bright)) - int(_is_thin(~bright))
    if separation(gray, bright) > _SEPARATE:
        if _MOST < dark_border < _ALL and narrow > 0.5 + _UNCLEAR / 2 and thin >= 0:
            return True
        if _MOST < 1 - dark_border < _ALL and narrow < 0.5 - _UNCLEAR / 2 and thin <= 0:
            return False
    lighter = float(np.sum(deviation[deviation > 0] ** 3))
    darker = -float(np.sum(deviation[deviation < 0] ** 3))
    share = lighter / max(lighter + darker, 1e-12)
    if not _DARK < share < _LIGHT:
        return share >= _LIGHT
    if abs(narrow - 0.5) > _UNCLEAR:
        return narrow > 0.5
    return thin > 0 if thin else bool(dark_border > 0.5)


def separation(gray: Map, bright: NDArray[np.bool_]) -> float:
    """Return the share of the variance that is between two tones: 1 if there is nothing else."""
    weight = bright.mean()
    if not 0 < weight < 1:
        return 0.0
    step = gray[bright].mean() - gray[~bright].mean()
    return float(weight * (1 - weight) * step**2 / gray.var())


def _narrow_share(gray: Map, widest: int) -> float:
    """Return the fraction of narrow parts that are lighter than their surroundings."""
    window = np.ones((max(3, widest),) * 2, np.uint8)
    peaks, pits = (
        float(np.sum(cv2.morphologyEx(gray, how, window, borderType=cv2.BORDER_REPLICATE) ** 3))
        for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)
    )
    return peaks / max(peaks + pits, 1e-12)


def two_tones(gray: Map) -> float:
    """Return the threshold of Otsu (1979) between the dark and the light part of a picture."""
    low, high = float(gray.min()), float(gray.max())
    scaled = (255 * (gray - low) / max(high - low, 1e-6)).astype(np.uint8)
    level, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)
    return low + level / 255 * (high - low)


def _is_thin(mask: NDArray[np.bool_]) -> bool:
    """Return whether a mask has strokes only. Paper is wider, and extends beyond the picture."""
    margin = max(mask.shape)
    around = np.pad(mask.astype(np.uint8), margin, mode="edge")
    depth = cv2.distanceTransform(around, cv2.DIST_L2, 3)[margin:-margin, margin:-margin]
    return bool(depth.max() < _THIN * margin)


def border_of(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values at the border of a map, those at the corners only once."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def brightness(pixels: NDArray[np.uint8], weights: Map, is_light: bool) -> Map:
    """Return the brightness of a picture, 0 (ink) to 1 (paper), in even light."""
    gray = (pixels.reshape(-1, 3) @ (weights / 255)).reshape(pixels.shape[:2])
    return np.asarray(1 - gray if is_light else even_light(gray), np.float32)


def even_light(gray: Map) -> Map:
    """Divide by the light: a quadratic surface fitted to the paper.

    ``gray`` is 0 (ink) to 1 (paper). Only light paper shows how bright the light is.
    """
    small = _reduced(gray, _COARSE)
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in small.shape), indexing="ij")
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns], -1)
    terms, values = terms.reshape(-1, 6), small.ravel()
    kept = np.ones(len(values), bool)
    for _ in range(4):
        weighted = terms * kept[:, None]
        solution = np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        off = values - terms @ solution
        kept = off >= -2 * np.abs(np.median(off[kept])) - 1.5 * np.std(off[kept])
    light = (terms @ solution).reshape(small.shape).astype(np.float32)
    light = np.maximum(light, _DARKEST_PAPER) / max(float(light.max()), _DARKEST_PAPER)
    return np.asarray(gray / cv2.resize(light, gray.shape[::-1]))


def contrast_map(gray: Map, reach: float, is_light: bool) -> Map:
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
    ndarray of shape (height, width), float32, 0 (paper) to 1 (ink)
    """
    calm = cv2.GaussianBlur(gray, (0, 0), 0.7)
    step = max(1, int(reach / _WINDOW))
    size = (max(1, gray.shape[1] // step), max(1, gray.shape[0] // step))
    small = cv2.resize(calm, size, interpolation=cv2.INTER_AREA)
    window = int(reach / step) | 1
    square = np.ones((window, window), np.uint8)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, square, borderType=cv2.BORDER_REPLICATE)
    smooth = max(3, window // 4) | 1
    paper = cv2.blur(paper, (smooth, smooth), borderType=cv2.BORDER_REPLICATE)
    paper = np.maximum(cv2.resize(paper, gray.shape[::-1]), calm)
    # Light multiplies, so dark ink keeps its share of the brightness of the paper. For light ink on
    # a dark background, which is inverted here, the background does not show the light.
    contrast = paper - calm if is_light else (paper - calm) / np.maximum(paper, _DARKEST_PAPER)
    contrast -= np.median(contrast[::4, ::4])  # because closing follows the brightest noise
    return np.asarray(np.clip(contrast, 0, 1), np.float32)


def with_open_eyes(ink: Map, gray: Map, size: float, is_light: bool) -> Map:
    """Return a map of ink in which the eyes of blurred digits are open.

    Half of the contrast is to paper so near that it may be in an eye. ``size`` is that of a digit,
    in pixels.
    """
    return np.asarray((ink + contrast_map(gray, _NEAR * size, is_light)) / 2, np.float32)


def ink_strength(contrast: Map) -> float:
    """Return the mean of the darkest pixels, as many as a thin digit has."""
    some = contrast[::2, ::2]
    few = min(max(20, some.size // 600), some.size)
    return float(np.partition(some, -few, axis=None)[-few:].mean())


def noise_level(contrast: Map) -> float:
    """Return the standard deviation of the noise in a map of ink."""
    # White noise minus its mean over 3x3 pixels keeps 8/9 of its variance. The median magnitude of
    # normal noise is 0.6745 standard deviations.
    grain = np.abs(contrast - cv2.blur(contrast, (3, 3)))[::2, ::2]
    grain = grain[contrast[::2, ::2] > 0]
    return float(np.median(grain) / 0.6745) if len(grain) else 0.0
