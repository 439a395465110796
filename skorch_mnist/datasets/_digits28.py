"""Handwritten digits in the form of MNIST, without a download."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skorch_mnist._geometry import INNER, MIDDLE, SIDE

from ._bunch import check_flags, description, present

_MARGIN = (SIDE - INNER) // 2


def load_digits28(
    *, return_X_y: bool = False, as_slice_dataset: bool = False
) -> Bunch | tuple[Any, NDArray[np.int64]]:
    """Load the 1,797 handwritten digits of scikit-learn in the form of MNIST, without a download.

    The 8x8 images are enlarged to 20x20 pixels with cubic splines, and padded with a margin of 4
    pixels. Then they are shifted by whole pixels, so that their center of mass is in the middle, as
    in MNIST.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.
    as_slice_dataset : bool, default=False
        Whether ``data`` is a :class:`skorch.helper.SliceDataset` of images instead of an array.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (1797, 784), dtype uint8, one image per row, 0 to 255; or
        a ``SliceDataset`` of 1,797 images of shape (28, 28).
        ``images`` : ndarray of shape (1797, 28, 28), dtype uint8, a view of the same memory.
        ``target`` : ndarray of shape (1797,), dtype int64, 0 to 9.
        ``target_names`` : list of str, "0" to "9".
        ``DESCR`` : str, origin and license.
    (data, target) : tuple if ``return_X_y`` is True

    Raises
    ------
    ValueError
        If an argument is not a bool.

    References
    ----------
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> from skorch_mnist.datasets import load_digits28
    >>> X, y = load_digits28(return_X_y=True)
    >>> X.shape, X.dtype, y[:5]
    ((1797, 784), dtype('uint8'), array([0, 1, 2, 3, 4]))
    """
    check_flags(return_X_y=return_X_y, as_slice_dataset=as_slice_dataset)
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = _centered(_enlarge(digits.images))
    form: Any = {"return_X_y": return_X_y, "as_slice_dataset": as_slice_dataset}
    return present(images, digits.target.astype(np.int64), description("digits28"), **form)


def _enlarge(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Enlarge images (n, 8, 8) from 0 to 16 to (n, 28, 28) from 0 to 255, with an empty margin."""
    from scipy.ndimage import zoom

    # Interpolation is linear and separable, so enlarging unit vectors gives its (20, 8) matrix.
    weights = zoom(np.eye(8), (INNER / 8, 1), order=3, mode="grid-constant", grid_mode=True)
    enlarged = np.clip(weights @ images @ weights.T, 0, 16) * (255 / 16)
    margins = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN))
    return np.pad(np.rint(enlarged).astype(np.uint8), margins)


def _centered(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shift each center of mass to the middle by whole pixels, but no ink over the edge."""
    places = np.arange(SIDE)
    starts = []
    for axis in (1, 2):
        ink = images.sum(axis=3 - axis, dtype=np.int64)  # (n, 28)
        shifts = np.rint(MIDDLE - ink @ places / ink.sum(axis=1)).astype(np.int64)
        inked = ink > 0
        first, last = inked.argmax(axis=1), SIDE - 1 - inked[:, ::-1].argmax(axis=1)
        starts.append(np.clip(shifts, -first, SIDE - 1 - last))
    rows, columns = ((places - start[:, None]) % SIDE for start in starts)  # (n, 28)
    every = np.arange(len(images))[:, None, None]
    centered: NDArray[np.uint8] = images[every, rows[:, :, None], columns[:, None, :]]
    return centered
