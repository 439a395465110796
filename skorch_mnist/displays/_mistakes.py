"""The images that a classifier gets wrong, the most confident answers first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skorch_mnist._inputs import check_image_shape, infer_layout

from ._axes import Display, as_shown, image_grid, shortened
from ._estimators import check_positive, last_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LONGEST_LINE = 16  # letters over a small image


class MistakesDisplay(Display):
    """The most confident wrong answers, as images with true label, answer and probability.

    Parameters
    ----------
    images : array-like of shape (n_samples, channels, height, width)
        Images that were read wrongly.
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Answers.
    probabilities : array-like of shape (n_samples,) or None, default=None
        Probability of each answer, in [0, 1].

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What holds the images.
    axes_ : list of matplotlib.axes.Axes
        One for each image.
    figure_ : matplotlib.figure.Figure
        The figure of ``ax_``.

    Examples
    --------
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> from skorch_mnist.displays import MistakesDisplay
    >>> X, y = load_digits28(return_X_y=True)
    >>> clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0).fit(X[:900], y[:900])
    >>> display = MistakesDisplay.from_estimator(clf, X[900:], y[900:], n_images=6)
    >>> len(display.axes_)
    6
    """

    def __init__(
        self,
        images: ArrayLike,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        probabilities: ArrayLike | None = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.probabilities = probabilities

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        n_images: int = 24,
        ax: Axes | None = None,
    ) -> MistakesDisplay:
        """Draw the mistakes of a fitted classifier.

        Parameters
        ----------
        estimator : classifier with ``predict_proba`` and ``classes_``
            Fitted; a pipeline may do.
        X : array-like of shape (n_samples, n_pixels), or images in another layout
        y : array-like of shape (n_samples,)
            True labels.
        n_images : int, default=24
            How many mistakes to show at most, at least 1.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        MistakesDisplay
        """
        probabilities = estimator.predict_proba(X)
        y_pred = estimator.classes_[probabilities.argmax(axis=1)]
        shape = getattr(last_step(estimator), "image_shape_", None)
        return cls.from_predictions(
            X, y, y_pred, probabilities.max(axis=1), image_shape=shape, n_images=n_images, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        X: ArrayLike,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        probabilities: ArrayLike | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_images: int = 24,
        ax: Axes | None = None,
    ) -> MistakesDisplay:
        """Draw the mistakes among given answers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), or images in another layout
        y_true, y_pred : array-like of shape (n_samples,)
            True labels, and answers.
        probabilities : array-like of shape (n_samples,) or None, default=None
            Probability of each answer; None shows the mistakes in the order of ``X``.
        image_shape : (height, width), (channels, height, width) or None, default=None
            Shape of the images in flat rows; None takes them for squares.
        n_images : int, default=24
            How many mistakes to show at most, at least 1.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        MistakesDisplay

        Raises
        ------
        ValueError
            If the lengths differ, labels are texts here and numbers there, ``X`` holds no images,
            or ``n_images`` is not positive.
        """
        check_positive("n_images", n_images)
        pixels, true, answers = np.asarray(X), column_or_1d(y_true), column_or_1d(y_pred)
        if pixels.dtype.kind not in "buif" or pixels.ndim < 2:
            raise ValueError(
                "X must hold images as arrays of numbers, all of one size: of pictures, pass what "
                "DigitPreprocessor makes of them."
            )
        if (true.dtype.kind in "OUS") != (answers.dtype.kind in "OUS"):
            raise ValueError(
                f"y_true has dtype {true.dtype}, y_pred {answers.dtype}: pass labels of one kind."
            )
        sure = np.ones(len(answers)) if probabilities is None else np.asarray(probabilities)
        check_consistent_length(pixels, true, answers, sure)
        wrong = np.flatnonzero(true != answers)
        rows = wrong[np.argsort(-sure[wrong], kind="stable")][:n_images]
        shape = None if image_shape is None else check_image_shape(image_shape)
        images = infer_layout(pixels.shape[1:], shape).arrange(pixels[rows])
        shown = None if probabilities is None else sure[rows]
        return cls(images, true[rows], answers[rows], shown).plot(ax=ax)

    def _draw(self, ax: Axes | None) -> None:
        images: NDArray[Any] = np.asarray(self.images)
        titles = self._titles()
        lines = max((title.count("\n") for title in titles), default=0)
        self.axes_ = image_grid(self, ax, len(images), title_lines=lines)
        if not len(images):
            self.ax_.text(0.5, 0.5, "no mistakes", ha="center", va="center")
        for small, image, title in zip(self.axes_, images, titles, strict=True):
            small.imshow(as_shown(image), cmap="gray")
            small.set_title(title, fontsize="x-small", pad=2, parse_math=False)

    def _titles(self) -> list[str]:
        """Return true label, answer and probability of each image, long ones in more lines."""
        labels = [
            (str(true), str(answer))
            for true, answer in zip(np.asarray(self.y_true), np.asarray(self.y_pred), strict=True)
        ]
        titles = [f"{true} read as {answer}" for true, answer in labels]
        if max(map(len, titles), default=0) > LONGEST_LINE:
            titles = [
                f"{shortened(true, LONGEST_LINE)}\nas {shortened(answer, LONGEST_LINE - 3)}"
                for true, answer in labels
            ]
        if self.probabilities is None:
            return titles
        sure = np.asarray(self.probabilities)
        return [f"{title}\n{share:.1%}" for title, share in zip(titles, sure, strict=True)]
