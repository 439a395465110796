"""The most confident mistakes of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skorch_mnist._inputs._layouts import check_image_shape, infer_layout

from ._axes import Display, as_shown, image_grid, shortened
from ._estimators import check_positive, last_step, refuse_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LONGEST_LINE = 16  # characters in the title of a small image


class MistakesDisplay(Display):
    """The most confident mistakes, with true label, predicted label and probability.

    Parameters
    ----------
    images : array-like of shape (n_samples, channels, height, width)
        Misclassified images.
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    probabilities : array-like of shape (n_samples,) or None, default=None
        Probability of each predicted label, in [0, 1].

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        One for each image.
    ax_, figure_ :
        The axes around them, and their figure.

    Raises
    ------
    TypeError
        If ``images`` is an estimator.

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
        refuse_estimator(self, images)
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
            Fitted classifier or pipeline.
        X : array-like of shape (n_samples, n_pixels), or images in another layout
            Images, such as those of the test set.
        y : array-like of shape (n_samples,)
            True labels.
        n_images : int, default=24
            Maximum number of mistakes to show, at least 1.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.

        Returns
        -------
        MistakesDisplay

        Raises
        ------
        ValueError
            If the lengths of ``X`` and ``y`` differ, or if :meth:`from_predictions` raises it.
        """
        check_consistent_length(X, y)
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
        """Draw the mistakes among predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), or images in another layout
            Images.
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        probabilities : array-like of shape (n_samples,) or None, default=None
            Probability of each predicted label. If None, mistakes are in the order of ``X``.
        image_shape : (height, width), (channels, height, width) or None, default=None
            Shape of the images if ``X`` has flat rows. If None, they are assumed to be square.
        n_images, ax :
            As in :meth:`from_estimator`.

        Returns
        -------
        MistakesDisplay

        Raises
        ------
        ValueError
            If the lengths differ, if only one of ``y_true`` and ``y_pred`` has strings, if ``X``
            does not contain images, or if ``n_images`` is not positive.
        """
        check_positive("n_images", n_images)
        pixels, true, answers = np.asarray(X), column_or_1d(y_true), column_or_1d(y_pred)
        if pixels.dtype.kind not in "buif" or pixels.ndim < 2:
            raise ValueError(
                f"X must be a numeric array of images of the same size; got dtype {pixels.dtype} "
                f"and shape {pixels.shape}. Convert pictures with DigitPreprocessor first."
            )
        if (true.dtype.kind in "OUS") != (answers.dtype.kind in "OUS"):
            raise ValueError(
                f"y_true has dtype {true.dtype}, but y_pred has dtype {answers.dtype}. Pass labels "
                "of the same kind."
            )
        sure = np.ones(len(answers)) if probabilities is None else np.asarray(probabilities)
        given = {"y_true": true, "y_pred": answers, "probabilities": sure}
        for name, values in given.items():
            if len(values) != len(pixels):
                raise ValueError(
                    f"{name} has {len(values)} values, but X has {len(pixels)} images. Pass one "
                    "value for each image."
                )
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
        """Return the title of each image: true label, predicted label and probability."""
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
