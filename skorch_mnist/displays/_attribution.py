"""Parts of an image on which a prediction depends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skorch_mnist._inputs._layouts import known_layout

from ._axes import Display, as_shown, image_grid, shortened
from ._estimators import fitted_net, refuse_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


PATCHES_PER_SIDE = 7  # the side of an image divided by the side of the patch
ROWS_PER_CALL = 1024


class AttributionDisplay(Display):
    """The parts of images on which predictions depend, found by hiding them (occlusion).

    A square patch slides over the image and hides the pixels below. Its value is the median of the
    pixels, which is the background of most images. The probability of the predicted class is
    computed for each position. If it decreases, the hidden pixels support the prediction (orange).
    If it increases, they contradict it (blue).

    Parameters
    ----------
    images : array-like of shape (n_images, channels, height, width)
        Images.
    attributions : array-like of shape (n_images, height, width)
        Mean decrease of the probability of the predicted class when a pixel is hidden, in [-1, 1].
    labels : array-like of shape (n_images,) or None, default=None
        Predicted labels, for the titles.

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

    References
    ----------
    M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", 2014,
    https://arxiv.org/abs/1311.2901, section 4.2.

    Examples
    --------
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> from skorch_mnist.displays import AttributionDisplay
    >>> X, y = load_digits28(return_X_y=True)
    >>> clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0).fit(X, y)
    >>> AttributionDisplay.from_estimator(clf, X[:2]).attributions.shape
    (2, 28, 28)
    """

    def __init__(
        self, images: ArrayLike, attributions: ArrayLike, labels: ArrayLike | None = None
    ) -> None:
        refuse_estimator(self, images)
        self.images = images
        self.attributions = attributions
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, ax: Axes | None = None
    ) -> AttributionDisplay:
        """Draw the parts of images on which the predictions of a fitted classifier depend.

        Parameters
        ----------
        estimator : MNISTCNNClassifier
            Fitted classifier.
        X : array-like of shape (n_images, n_pixels), or images in another layout
            A few images. Each one requires a prediction for every position of the patch.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.

        Returns
        -------
        AttributionDisplay

        Raises
        ------
        TypeError
            If ``estimator`` is not an ``MNISTCNNClassifier``.
        """
        shape = fitted_net(cls, estimator, "image_shape_").image_shape_
        proba = estimator.predict_proba(X)
        answers = proba.argmax(axis=1)
        pixels = np.asarray(X)
        images = known_layout(pixels.shape[1:], shape).arrange(pixels)
        maps = [
            occlusion(estimator, image, answer, before[answer])
            for image, answer, before in zip(images, answers, proba, strict=True)
        ]
        return cls(images, np.stack(maps), estimator.classes_[answers]).plot(ax=ax)

    def _draw(self, ax: Axes | None) -> None:
        images: NDArray[Any] = np.asarray(self.images)
        maps: NDArray[Any] = np.asarray(self.attributions)
        self.axes_ = image_grid(self, ax, len(images), title_lines=1)
        for number, (small, image, attribution) in enumerate(
            zip(self.axes_, images, maps, strict=True)
        ):
            largest = float(np.abs(attribution).max()) or 1.0
            small.imshow(as_shown(image), cmap="gray")
            shade = 0.8 * np.abs(attribution) / largest
            small.imshow(attribution, cmap="PuOr_r", vmin=-largest, vmax=largest, alpha=shade)
            if self.labels is not None:
                title = shortened(f"{np.asarray(self.labels)[number]}", 16)
                small.set_title(title, fontsize="x-small", pad=2, parse_math=False)


def occlusion(
    estimator: Any, image: NDArray[Any], answer: int, before: float
) -> NDArray[np.float64]:
    """Return the mean decrease of a probability if a pixel is hidden, shape (height, width)."""
    _, height, width = image.shape
    side = max(1, round(max(height, width) / PATCHES_PER_SIDE))
    places = [(top, left) for top in range(1 - side, height) for left in range(1 - side, width)]
    ground = np.median(image, axis=(1, 2), keepdims=True).astype(image.dtype)
    fallen, hidden = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(places), ROWS_PER_CALL):
        some = places[start : start + ROWS_PER_CALL]
        copies = np.repeat(image[np.newaxis], len(some), axis=0)
        for copy, (top, left) in zip(copies, some, strict=True):
            copy[:, max(top, 0) : top + side, max(left, 0) : left + side] = ground
        after = estimator.predict_proba(copies)[:, answer]
        for probability, (top, left) in zip(after, some, strict=True):
            area = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
            fallen[area] += before - probability
            hidden[area] += 1
    return fallen / hidden
