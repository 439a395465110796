"""The filters of the first convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._axes import Display, as_shown, image_grid
from ._estimators import fitted_net, refuse_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class FiltersDisplay(Display):
    """The kernels of the first convolution: the patterns that the network detects.

    For images with one channel, positive weights are orange, negative weights are blue, and zeros
    are white, on the same scale for all kernels. For color images, each kernel is a color image.

    Parameters
    ----------
    kernels : array-like of shape (n_kernels, channels, height, width)
        Weights of a convolution.

    Attributes
    ----------
    axes_ : list of matplotlib.axes.Axes
        One for each kernel.
    ax_, figure_ :
        The axes around them, and their figure.

    Raises
    ------
    TypeError
        If ``kernels`` is an estimator.

    Examples
    --------
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> from skorch_mnist.displays import FiltersDisplay
    >>> X, y = load_digits28(return_X_y=True)
    >>> clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0).fit(X, y)
    >>> len(FiltersDisplay.from_estimator(clf).axes_)
    16
    """

    def __init__(self, kernels: ArrayLike) -> None:
        refuse_estimator(self, kernels)
        self.kernels = kernels

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> FiltersDisplay:
        """Draw the kernels of the first convolution of a fitted classifier.

        Parameters
        ----------
        estimator : MNISTCNNClassifier, another skorch net, or a pipeline that ends in one
            Fitted net.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.

        Returns
        -------
        FiltersDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If ``estimator`` is not fitted.
        TypeError
            If ``estimator`` is not a net.
        ValueError
            If its network does not have a two-dimensional convolution.
        """
        network = fitted_net(cls, estimator, "module_").module_
        weights = [p for p in network.parameters() if p.ndim == 4]
        if not weights:
            raise ValueError(
                f"The network {type(network).__name__} does not have a two-dimensional "
                "convolution, so there are no filters to draw. Pass another estimator."
            )
        return cls(weights[0].detach().cpu().numpy()).plot(ax=ax)

    def _draw(self, ax: Axes | None) -> None:
        kernels: NDArray[Any] = np.asarray(self.kernels)
        largest = float(np.abs(kernels).max()) or 1.0
        self.axes_ = image_grid(self, ax, len(kernels))
        for small, kernel in zip(self.axes_, kernels, strict=True):
            small.imshow(as_shown(kernel), cmap="PuOr_r", vmin=-largest, vmax=largest)
