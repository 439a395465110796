"""The transformer from pictures to images in the form of MNIST."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skorch_mnist._geometry import SIDE
from skorch_mnist._threads import in_threads

from ._attempts import retried
from ._digits import Assumptions, Stages, stages_assuming
from ._reading import NoDigitError, PictureError, each_picture, one_picture, read_picture

MAX_PIXELS = 100_000_000  # phone pictures have about 12 million; the largest sensors, 200 million
POLARITIES = ("auto", "dark_on_light", "light_on_dark")


class DigitPreprocessor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Convert pictures of single digits to the form of MNIST: 28x28, white on black, centered.

    A network trained on MNIST reads only digits that were prepared like those in MNIST. This
    transformer finds the ink in a drawing or photograph, with any light, paper and ruling. Then it
    finds the digit, scales it to 20x20 pixels without changing its aspect ratio, adjusts the width
    of its strokes, and places its center of mass in the middle of 28x28 pixels. It does not learn
    anything: ``fit`` only checks the parameters.

    Parameters
    ----------
    polarity : {"auto", "dark_on_light", "light_on_dark"}, default="auto"
        Whether ink is darker or lighter than its background. "auto" decides for each picture.
    retry : bool, default=True
        Whether to search again if what was found does not look like a digit to the classifier that
        comes with the package: for a digit that fills the picture, such as an image of 16x16 pixels
        without a margin, or one that is out of focus or inside of a cell; for ink that differs from
        shadows by its color; for only the darkest ink, which leaves out what shows through the
        paper; and for fainter ink. Set it to False for anything other than digits.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a picture that cannot be read or does not show a digit. "raise" raises a
        ``PictureError`` with its name. "warn" warns, and returns a row of zeros.
    max_pixels : int, default=100_000_000
        A file or PIL image with more pixels is rejected before it is decoded, because a small file
        can be crafted to fill the memory.
    n_jobs : int, default=None
        Number of threads that convert pictures. ``None`` means 1 unless in a
        :obj:`joblib.parallel_config` context, and ``-1`` means one per core. The result does not
        depend on it. With several threads, up to eight pictures per thread are taken from an
        iterator before they are read, so they must stay open and unchanged.

    Attributes
    ----------
    n_features_out_ : int
        784, the number of pixels per row. Set by ``fit``.

    Notes
    -----
    Each picture should show one digit. :func:`find_digits` finds several digits on a page.
    The orientation comes from the camera (EXIF), not from the digit.

    References
    ----------
    The form of the images is that of Y. LeCun, C. Cortes, C. Burges, "The MNIST database of
    handwritten digits", http://yann.lecun.com/exdb/mnist/. The processing steps are our own.

    Examples
    --------
    Dark strokes on a light background:

    >>> import numpy as np
    >>> from skorch_mnist import DigitPreprocessor
    >>> picture = np.full((120, 90, 3), 230, dtype=np.uint8)
    >>> picture[20:100, 40:46] = 40
    >>> X = DigitPreprocessor().transform([picture])
    >>> X.shape, X.dtype, int(X.max())
    ((1, 784), dtype('uint8'), 255)

    In a pipeline, ``make_pipeline(DigitPreprocessor(), clf).predict(["seven.jpg"])`` reads files.
    """

    def __init__(
        self,
        *,
        polarity: str = "auto",
        retry: bool = True,
        on_error: str = "raise",
        max_pixels: int = MAX_PIXELS,
        n_jobs: int | None = None,
    ) -> None:
        self.polarity = polarity
        self.retry = retry
        self.on_error = on_error
        self.max_pixels = max_pixels
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; pictures are ignored.

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
        """Convert pictures to the form of MNIST.

        Parameters
        ----------
        X : path, binary file, bytes, PIL image, array, or an iterable of these
            Pictures of one digit each. Files can have any format that Pillow reads, except vector
            graphics and icons, and also HEIC, the format of iPhones, if the package pillow-heif is
            installed. The first frame or page is read if there are several. Open files, such as
            uploads, are read from their current position, and are not closed. Bytes are the content
            of a file.
            Arrays have shape (height, width) or (height, width, channels) with 1 to 4 channels:
            gray, gray and alpha, RGB, or RGBA. Their values are from 0 to 1, 0 to 255 or 0 to
            65,535, depending on the largest value; or from 0 to 16, unless the dtype is uint8, as
            in ``sklearn.datasets.load_digits``. An array of shape (n, height, width) or (n,
            height, width, channels) contains n pictures. In a list, an array of shape (3, height,
            width) or (1, height, width) is one picture, as in PyTorch.

        Returns
        -------
        ndarray of shape (n_pictures, 784), dtype uint8, 0 (paper) to 255 (ink)
            One row per picture, in the same order.

        Raises
        ------
        PictureError
            If a picture cannot be read or does not show a digit, and ``on_error="raise"``.
        ValueError
            If X is not a picture or an iterable of pictures, or if a parameter is not valid. An
            array of shape (n, 784) is taken for flat rows; in a list, it is a picture.

        Warns
        -----
        UserWarning
            If a picture cannot be read or does not show a digit, and ``on_error="warn"``.
        """
        self._check()
        rows = []
        for image in in_threads(self._image, each_picture(X), self.n_jobs):
            if not isinstance(image, PictureError):
                rows.append(image)
            elif self.on_error == "raise":
                raise image
            else:
                # The wrapper of scikit-learn for data frames is between us and the caller.
                fault = str(image).rstrip(".")
                warnings.warn(f"{fault}. Its row is all zeros.", UserWarning, stacklevel=3)
                rows.append(np.zeros((SIDE, SIDE), np.uint8))
        return np.array(rows, dtype=np.uint8).reshape(len(rows), SIDE * SIDE)

    def stages(self, picture: Any) -> Stages:
        """Return the intermediate results for one picture, to find out why a digit is misread.

        Parameters
        ----------
        picture : path, binary file, bytes, PIL image or array
            As in ``transform``. An array of shape (3, height, width) is a picture in color.

        Returns
        -------
        Stages
            ``picture`` : ndarray of shape (height, width, 3), dtype uint8, the scaled picture in
            which the digit is searched for, cropped around a small digit, and with a margin if the
            digit fills it.
            ``ink`` : ndarray of shape (height, width), dtype float32, 0 (paper) to 1 (ink), without
            light, paper and ruling.
            ``kinds`` : ndarray of shape (height, width), dtype uint8, the kind of each pixel: a
            member of :class:`~skorch_mnist.pictures.Kind`.
            ``digit`` : ndarray, dtype float32, 0 to 1, only the digit, cropped.
            ``image`` : ndarray of shape (28, 28), dtype uint8, the result of ``transform``.
            ``box`` : tuple of int, left, top, right and bottom of the digit in the whole, upright
            picture, in pixels, as for ``PIL.Image.crop``.

        Raises
        ------
        PictureError
            If the picture cannot be read or does not show a digit.
        """
        self._check()
        return self._stages(*one_picture(picture))

    def _image(self, name: str, picture: Any) -> NDArray[np.uint8] | PictureError:
        try:
            return self._stages(name, picture).image
        except PictureError as error:
            return error

    def _stages(self, name: str, picture: Any) -> Stages:
        image = read_picture(picture, name, self.max_pixels)
        stages = stages_assuming(image, Assumptions(self.polarity))
        if self.retry:
            stages = retried(image, self.polarity, stages)
        if stages is None:
            raise NoDigitError(name)
        return stages

    def _check(self) -> None:
        check_polarity(self.polarity)
        if not isinstance(self.retry, (bool, np.bool_)):
            raise ValueError(f"retry={self.retry!r} is not valid: it must be True or False.")
        if self.on_error not in ("raise", "warn"):
            raise ValueError(
                f'on_error={self.on_error!r} is not valid: it must be "raise" or "warn".'
            )
        check_max_pixels(self.max_pixels)
        n_jobs = self.n_jobs
        if n_jobs is not None and (
            not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool) or n_jobs == 0
        ):
            raise ValueError(
                f"n_jobs={n_jobs!r} is not valid: it must be None or an integer other than 0."
            )

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
    """Raise a ValueError unless ``polarity`` is valid."""
    if not isinstance(polarity, str) or polarity not in POLARITIES:
        raise ValueError(
            f"polarity={polarity!r} is not valid: it must be one of {', '.join(POLARITIES)}."
        )


def check_max_pixels(max_pixels: object) -> None:
    """Raise a ValueError unless ``max_pixels`` is a positive integer."""
    if not isinstance(max_pixels, Integral) or isinstance(max_pixels, bool) or max_pixels < 1:
        raise ValueError(f"max_pixels={max_pixels!r} is not valid: it must be a positive integer.")
