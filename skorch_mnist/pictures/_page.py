"""The digits on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skorch_mnist._geometry import SIDE

from ._attempts import reaches_side, retried
from ._digits import Assumptions, Kind, Stages, stages_assuming
from ._judge import likeness
from ._page_search import Candidate, digits_on
from ._preprocessor import MAX_PIXELS, check_max_pixels, check_polarity
from ._reading import is_one, one_picture, read_picture

_ALIKE = 0.6  # of the height of the highest digit: several digits are mostly as high
_LARGE_DIGIT = 0.3  # of the longer side: a smaller one may be one of many on a page
_SURELY = 4.0  # above the threshold: lines and dirt rarely look so much like a digit
_CROPPED = 200  # pixels of the longer side: in a larger picture, a digit rarely reaches a side
_BESIDE = 0.1  # of the pixels of a digit: lines and dirt beside it that are not looked at
_SAME = 0.5  # of a box: what shares more is the same digit, or a part of it
_MANY, _HIGHER = 5, 2.0  # digits that look like some, and times their height: the highest is lower
_FEW, _CLEARLY = 2, 0.4  # digits, and their evidence: fewer may be parts of a single one


class FoundDigits(NamedTuple):
    """The digits on a page, in reading order.

    Attributes
    ----------
    boxes : ndarray of shape (n_digits, 4), dtype int64
        Left, top, right and bottom of each digit on the page, in pixels, as for
        ``PIL.Image.crop``.
    crops : list of ndarray of shape (height, width, 3), dtype uint8
        The content of the boxes, in the colors of the page.
    images : ndarray of shape (n_digits, 28, 28), dtype uint8, 0 (paper) to 255 (ink)
        Each digit in the form of MNIST, without its neighbors, ready for a classifier.
    """

    boxes: NDArray[np.int64]
    crops: list[NDArray[np.uint8]]
    images: NDArray[np.uint8]


def find_digits(
    image: Any,
    *,
    page: bool | str = True,
    polarity: str = "auto",
    max_pixels: int = MAX_PIXELS,
) -> FoundDigits:
    """Find the digits on a page: a number, a row, a form or a grid.

    Rows are read from top to bottom, and each row from left to right. A network that comes with the
    package finds the digits, also those that touch each other. Lines, boxes, letters, blots, dirt
    and writing that shows through the sheet are left out, unless they look a lot like digits. If
    most of the digits are in a grid, only those in it are returned.

    Parameters
    ----------
    image : path, binary file, bytes, PIL image or array
        An upright page, as for :meth:`DigitPreprocessor.stages`: an array of shape (3, height,
        width) is in color.
    page : bool or "auto", default=True
        Whether the page may show several digits. False finds a single digit, like
        :class:`DigitPreprocessor`. "auto" decides based on what looks like a digit.
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether ink is darker or lighter than its background.
    max_pixels : int, default=100_000_000
        A file or PIL image with more pixels is rejected before it is decoded.

    Returns
    -------
    FoundDigits
        ``boxes``, ``crops`` and ``images`` of the digits in reading order; empty for a blank page.

    Raises
    ------
    PictureError
        If the page cannot be read.
    ValueError
        If another argument is not valid.

    See Also
    --------
    skorch_mnist.read_digits : Find the digits and read them.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch_mnist.pictures import find_digits
    >>> page = np.full((100, 200), 240, dtype=np.uint8)
    >>> page[20:80, 30:36] = page[25:75, 120:126] = 30
    >>> found = find_digits(page)
    >>> found.images.shape, (found.boxes[:, 0] / 10).round()
    ((2, 28, 28), array([ 3., 12.]))
    """
    check_polarity(polarity)
    check_max_pixels(max_pixels)
    if not is_one(image):
        shape = f" of shape {image.shape}" if hasattr(image, "shape") else ""
        raise ValueError(
            f"Expected a single picture, got {type(image).__name__}{shape}. Pass a path, a file, "
            "bytes, a PIL image or an array of shape (height, width), (height, width, channels) or "
            "(3, height, width)."
        )
    if not isinstance(page, bool) and page != "auto":
        raise ValueError(f'page={page!r} is not valid: it must be True, False or "auto".')
    name, content = one_picture(image)
    picture = read_picture(content, name, max_pixels)
    digits = digits_on(picture, polarity) if page is True else []
    if digits:
        return _at(picture, digits)
    first = stages_assuming(picture, Assumptions(polarity))
    if page == "auto" and not _is_alone(first, picture):
        digits = digits_on(picture, polarity)
        if _are_many(digits):
            return _at(picture, digits)
    single = retried(picture, polarity, first)
    if digits and not _is_alone(single, picture) and _is_page(digits, single):
        return _at(picture, digits)
    return _at(picture, [] if single is None else [single])


def _is_alone(single: Stages | None, picture: NDArray[np.uint8]) -> bool:
    """Return whether a digit looks like one, is large, and has hardly anything beside it."""
    if single is None:
        return False
    longer = max(picture.shape[:2])
    if single.box.size < _LARGE_DIGIT * longer:
        return False
    if longer > _CROPPED and reaches_side(single, picture):
        return False
    kinds = np.bincount(single.kinds.ravel(), minlength=len(Kind))
    if kinds[Kind.DIRT] + kinds[Kind.RULING] > _BESIDE * kinds[Kind.DIGIT]:
        return False
    return bool(likeness([single.image])[0] >= _SURELY)


def _are_many(digits: list[Candidate]) -> bool:
    """Return whether digits are so many, and so equally high, that they are not parts of one."""
    clear = [digit.box.height for digit in digits if digit.alike >= 0]
    if len(clear) < _MANY or _evidence(digits) < _CLEARLY:
        return False
    return max(digit.box.height for digit in digits) < _HIGHER * float(np.median(clear))


def _evidence(digits: list[Candidate]) -> float:
    return float(np.median([digit.evidence for digit in digits]))


def _is_page(digits: list[Candidate], single: Stages | None) -> bool:
    """Return whether there are other digits than a single one and its parts."""
    if single is None:
        return True
    alike = float(likeness([single.image])[0])
    if len(digits) < 2 or alike < 0:
        return any(digit.alike > alike for digit in digits)
    left, top, right, bottom = single.box
    sides = np.array([digit.box for digit in digits])
    down = np.minimum(sides[:, 2], bottom) - np.maximum(sides[:, 0], top)
    across = np.minimum(sides[:, 3], right) - np.maximum(sides[:, 1], left)
    shared = down.clip(0) * across.clip(0)
    areas = (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])
    is_single = shared > _SAME * np.maximum(areas, (right - left) * (bottom - top))
    is_part = shared > _SAME * areas
    as_high = sides[:, 2] - sides[:, 0] > _ALIKE * (bottom - top)
    if (as_high & ~is_single & ~is_part).any():
        return True
    # A table or a bar may look like a large digit. Small print hardly looks like digits.
    return not is_single.any() and len(digits) > _FEW and _evidence(digits) > _CLEARLY


def _at(picture: NDArray[np.uint8], digits: Sequence[Candidate | Stages]) -> FoundDigits:
    crops = [picture[digit.box.pixels] for digit in digits]
    return FoundDigits(
        np.array([digit.box for digit in digits], np.int64).reshape(-1, 4),
        [np.stack([crop] * 3, axis=-1) if crop.ndim == 2 else crop.copy() for crop in crops],
        np.array([digit.image for digit in digits], np.uint8).reshape(-1, SIDE, SIDE),
    )
