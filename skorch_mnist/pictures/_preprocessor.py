"""The transformer from pictures to images like MNIST's."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skorch_mnist._geometry import SIDE

from ._digits import Stages, stages_of
from ._reading import NoDigitError, PictureError, each_picture, read_picture

MAX_PIXELS = 100_000_000  # the largest phones' cameras have 200 million, their usual pictures 12
POLARITIES = ("auto", "dark_on_light", "light_on_dark")


class DigitPreprocessor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Bring pictures of single digits into MNIST's form: 28x28 pixels, white on black, centred.

    A network trained on MNIST reads digits that were prepared as MNIST's were, and few others.
    This transformer finds the ink in a drawing or photograph, whatever the light, the paper and
    its ruling; finds the digit; fits it into 20x20 pixels with its aspect kept and its stroke as
    wide as MNIST's; and places its centre of mass in the middle of 28x28 pixels. It has nothing
    to learn: ``fit`` only checks the parameters.

    Parameters
    ----------
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether the ink is darker or lighter than its ground; "auto" finds out for each picture.
    on_error : {"raise", "warn"}, default="raise"
        What happens to a picture that cannot be read or shows no digit: "raise" stops with a
        ``PictureError`` that names it, "warn" gives a warning, and a row of zeros in its place.
    max_pixels : int, default=100_000_000
        A file with more pixels is refused before it is decoded, since a small file can be made
        that fills the memory.

    Attributes
    ----------
    n_features_out_ : int
        784, the number of pixels in a row. Set by ``fit``.

    Notes
    -----
    One picture is expected to show one digit. Several on a page are found by
    :func:`find_digits`. The orientation is taken from the camera (EXIF), not from the digit.

    References
    ----------
    The form: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
    http://yann.lecun.com/exdb/mnist/. The steps towards it are this project's own.

    Examples
    --------
    Dark strokes on a light ground:

    >>> import numpy as np
    >>> from skorch_mnist import DigitPreprocessor
    >>> picture = np.full((120, 90, 3), 230, dtype=np.uint8)
    >>> picture[20:100, 40:46] = 40
    >>> X = DigitPreprocessor().transform([picture])
    >>> X.shape, X.dtype, int(X.max())
    ((1, 784), dtype('uint8'), 255)

    With a classifier, ``make_pipeline(DigitPreprocessor(), clf).predict(["seven.jpg"])`` reads
    files.
    """

    def __init__(
        self, *, polarity: str = "auto", on_error: str = "raise", max_pixels: int = MAX_PIXELS
    ) -> None:
        self.polarity = polarity
        self.on_error = on_error
        self.max_pixels = max_pixels

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; the pictures are not looked at.

        Parameters
        ----------
        X : pictures, as in ``transform``
        y : ignored

        Returns
        -------
        self : DigitPreprocessor

        Raises
        ------
        ValueError
            If a parameter is not valid.
        """
        self._check()
        self.n_features_out_ = SIDE * SIDE
        return self

    def transform(self, X: Any) -> NDArray[np.uint8]:
        """Bring pictures into MNIST's form.

        Parameters
        ----------
        X : path, PIL image, array, or a sequence of these
            Pictures of one digit each. Arrays have the shape (height, width) or (height, width,
            channels), 1 to 4 channels: grey, grey and alpha, RGB, RGBA; numbers from 0 to 1, to
            255 or to 65,535, by their largest. An array of shape (n, height, width) or (n,
            height, width, channels) is n pictures. Formats are those that Pillow reads.

        Returns
        -------
        ndarray of shape (n_pictures, 784), dtype uint8, 0 (paper) to 255 (ink)
            One row each, in their order.

        Raises
        ------
        PictureError
            With ``on_error="raise"``, at the first picture that cannot be read or shows no digit.
        ValueError
            If X is no picture or sequence of pictures, or a parameter is not valid.

        Warns
        -----
        UserWarning
            With ``on_error="warn"``, for each such picture.
        """
        self._check()
        rows = []
        for name, picture in each_picture(X):
            try:
                rows.append(self._stages(name, picture).image)
            except PictureError as error:
                if self.on_error == "raise":
                    raise
                warnings.warn(f"{error}. Its row is all zeros", UserWarning, stacklevel=2)
                rows.append(np.zeros((SIDE, SIDE), np.uint8))
        return np.array(rows, dtype=np.uint8).reshape(len(rows), SIDE * SIDE)

    def stages(self, picture: Any) -> Stages:
        """Return what becomes of one picture, step by step, to see why a digit is misread.

        Parameters
        ----------
        picture : path, PIL image or array
            As in ``transform``.

        Returns
        -------
        Stages
            ``picture`` : ndarray of shape (height, width, 3), dtype uint8, the picture scaled to
            the size on which the digit is looked for; around the digit only, if that was small.
            ``ink`` : ndarray of shape (height, width), dtype float32, 0 (paper) to 1 (ink), with
            light, paper and ruling taken away.
            ``digit`` : ndarray, dtype float32, 0 to 1, the digit alone, cropped.
            ``image`` : ndarray of shape (28, 28), dtype uint8, the row of ``transform``.

        Raises
        ------
        PictureError
            If the picture cannot be read or shows no digit.
        """
        self._check()
        ((name, content),) = each_picture([picture])
        return self._stages(name, content)

    def _stages(self, name: str, picture: Any) -> Stages:
        image = read_picture(picture, name, self.max_pixels)
        stages = stages_of(image, self.polarity)
        if stages is None:
            raise NoDigitError(name)
        return stages

    def _check(self) -> None:
        check_polarity(self.polarity)
        if self.on_error not in ("raise", "warn"):
            raise ValueError(f'on_error={self.on_error!r} is not valid; give "raise" or "warn"')
        check_max_pixels(self.max_pixels)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def _n_features_out(self) -> int:
        return SIDE * SIDE

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.no_validation = True
        return tags


def check_polarity(polarity: object) -> None:
    """Raise a ValueError if ``polarity`` is none of the three."""
    if not isinstance(polarity, str) or polarity not in POLARITIES:
        raise ValueError(
            f"polarity={polarity!r} is not valid; choose one of {', '.join(POLARITIES)}"
        )


def check_max_pixels(max_pixels: object) -> None:
    """Raise a ValueError if ``max_pixels`` is no whole number above 0."""
    if not isinstance(max_pixels, Integral) or isinstance(max_pixels, bool) or max_pixels < 1:
        raise ValueError(f"max_pixels={max_pixels!r} is not valid; give a whole number above 0")
