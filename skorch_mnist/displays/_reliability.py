"""Whether answers are right as often as their probability says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.utils.validation import check_consistent_length

from ._axes import new_or

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ReliabilityDisplay"]


class ReliabilityDisplay(CalibrationDisplay):  # type: ignore[misc, unused-ignore]
    """How often answers are right, against the probability that the classifier gave them.

    scikit-learn's ``CalibrationDisplay`` for several classes: each answer counts with the
    probability of the class that was answered. Points on the diagonal are what should be.

    Attributes
    ----------
    expected_calibration_error_ : float
        Mean distance of the points from the diagonal, each weighted by its share of the answers.
    ax_, figure_, line_ :
        As in ``CalibrationDisplay``.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks",
    2017, https://arxiv.org/abs/1706.04599.

    Examples
    --------
    >>> from skorch_mnist.displays import ReliabilityDisplay
    >>> display = ReliabilityDisplay.from_predictions(
    ...     ["a", "b", "a"], [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]], classes=["a", "b"]
    ... )
    >>> round(display.expected_calibration_error_, 2)
    0.4
    """

    expected_calibration_error_: float

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        n_bins: int = 10,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> ReliabilityDisplay:
        """Draw the reliability of a fitted classifier.

        Parameters
        ----------
        estimator : classifier with ``predict_proba`` and ``classes_``
            Fitted.
        X : array-like of shape (n_samples, n_pixels), or images in another layout
        y : array-like of shape (n_samples,)
            True labels.
        n_bins : int, default=10
            Intervals of the probability, of equal width.
        name : str or None, default=None
            Name in the legend; None is that of the class.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.plot``.

        Returns
        -------
        ReliabilityDisplay
        """
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            classes=estimator.classes_,
            n_bins=n_bins,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        n_bins: int = 10,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> ReliabilityDisplay:
        """Draw the reliability of given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels.
        y_proba : array-like of shape (n_samples, n_classes)
            Probability of each class.
        classes : array-like of shape (n_classes,) or None, default=None
            Labels, in the order of the columns; None is 0..n_classes-1.
        n_bins, name, ax, **kwargs :
            As in ``from_estimator``.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If the lengths differ, or ``classes`` are not as many as the columns.
        """
        true, proba = np.asarray(y_true), np.asarray(y_proba, dtype=float)
        check_consistent_length(true, proba)
        labels = np.arange(proba.shape[1]) if classes is None else np.asarray(classes)
        if len(labels) != proba.shape[1]:
            raise ValueError(f"y_proba has {proba.shape[1]} columns for {len(labels)} classes.")
        right = (labels[proba.argmax(axis=1)] == true).astype(int)
        confidence = proba.max(axis=1)
        share, mean, error = bins(right, confidence, n_bins)
        display = cls(share, mean, confidence, estimator_name=name)
        display.expected_calibration_error_ = error
        display.plot(ax=new_or(display, ax), name=name, **kwargs)
        for line in display.ax_.lines:
            if line.get_linestyle() == ":":  # the diagonal, black on any ground
                line.set_color(display.ax_.xaxis.label.get_color())
        display.ax_.legend(loc="lower right")
        display.ax_.set(xlabel="probability of the answer", ylabel="share of right answers")
        return display


def bins(
    right: NDArray[np.int64], confidence: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return share of right answers and mean confidence of each bin, and the error of all."""
    numbers = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(numbers, minlength=n_bins)
    filled = counts > 0
    share = np.bincount(numbers, right, minlength=n_bins)[filled] / counts[filled]
    mean = np.bincount(numbers, confidence, minlength=n_bins)[filled] / counts[filled]
    error = float(np.abs(share - mean) @ counts[filled] / len(right))
    return share, mean, error
