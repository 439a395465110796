"""A sheet of paper on a darker table."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from ._ink import Map

_COARSE = 100  # pixels of the longer side while a sheet is searched for
_SMALLEST = 0.2  # of the picture: the smallest area of a sheet
_STEP = 0.35  # of full brightness: the smallest step from table to paper; a shadow has less
_CUT_OFF = 0.1  # of the border and of the table: the largest bright share; uneven light has more
_CONVEX = 0.92  # of its convex hull: the smallest area of a sheet; a digit has less
_INKED = 0.2  # of the sheet: the largest share of ink; the hole of a light 0 is larger


def only_sheet(picture: Map) -> Map:
    """Return a picture in which a table around a sheet of paper, if any, is replaced by paper."""
    step = max(1, round(max(picture.shape[:2]) / _COARSE))
    gray = picture.mean(axis=-1)
    small = ndimage.uniform_filter(gray, step)[step // 2 :: step, step // 2 :: step]
    low, high = np.quantile(small, (0.05, 0.95))
    if high - low < _STEP:
        return picture
    bright = small > (low + high) / 2
    labels, count = ndimage.label(bright)
    sheet = labels == 1 + np.argmax(np.bincount(labels.ravel(), minlength=count + 1)[1:])
    whole = ndimage.binary_fill_holes(sheet)
    border = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    inked = 1 - sheet.sum() / whole.sum()
    around = bright[~whole]
    if whole.mean() < _SMALLEST or not around.size or around.mean() > _CUT_OFF:
        return picture
    if border.mean() > _CUT_OFF or not 0 < inked < _INKED:
        return picture
    rows, columns = np.nonzero(whole)
    try:
        hull = ConvexHull(np.column_stack([rows, columns])).volume
    except QhullError:
        return picture
    if whole.sum() < _CONVEX * hull:
        return picture
    inner = ndimage.binary_erosion(whole, iterations=2)
    outside = ~np.kron(inner, np.ones((step, step), bool))[: picture.shape[0], : picture.shape[1]]
    missing = [(0, picture.shape[k] - outside.shape[k]) for k in (0, 1)]
    outside = np.pad(outside, missing, constant_values=True)
    paper = np.median(picture[~outside], axis=0)
    return np.where(outside[..., None], paper, picture).astype(np.float32)
