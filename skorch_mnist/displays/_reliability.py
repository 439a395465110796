"""Calibration: the accuracy of predictions compared with their probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from ._axes import new_or
from ._estimators import check_positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ReliabilityDisplay(CalibrationDisplay):  # type: ignore[misc, unused-ignore]
    """Reliability diagram: accuracy of predictions against the probability of the predicted class.

    This extends ``CalibrationDisplay`` of scikit-learn to several classes. The points of a
    perfectly calibrated classifier are on the diagonal.

    Attributes
    ----------
    expected_calibration_error_ : float
        Mean vertical distance of the points from the diagonal, weighted by their number of
        predictions.
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
            Fitted classifier or pipeline.
        X : array-like of shape (n_samples, n_pixels), or images in another layout
            Images, such as those of the test set.
        y : array-like of shape (n_samples,)
            True labels.
        n_bins : int, default=10
            Number of bins of the probability, of equal width.
        name : str or None, default=None
            Name in the legend. If None, the name of the class of ``estimator``.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Passed to ``matplotlib.axes.Axes.plot``.

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
        """Draw the reliability of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels.
        y_proba : array-like of shape (n_samples, n_classes)
            Probability of each class.
        classes : array-like of shape (n_classes,) or None, default=None
            Label of each column. If None, 0 to n_classes - 1.
        n_bins, name, ax, **kwargs :
            As in ``from_estimator``.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If the lengths differ, if the numbers of ``classes`` and columns differ, if none of the
            classes is in ``y_true``, or if ``y_proba`` has values outside of [0, 1].
        """
        right, confidence = answers(y_true, y_proba, classes, n_bins)
        share, mean, error = bins(right, confidence, n_bins)
        display = cls(share, mean, confidence, estimator_name=name)
        display.expected_calibration_error_ = error
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        name: str | None = None,
        ref_line: bool = True,
        **kwargs: Any,
    ) -> ReliabilityDisplay:
        """Draw the points and the diagonal.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.
        name : str or None, default=None
            Name in the legend.
        ref_line : bool, default=True
            Whether to draw the diagonal.
        **kwargs : dict
            Passed to ``matplotlib.axes.Axes.plot``.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        super().plot(ax=new_or(self, ax), name=name, ref_line=ref_line, **kwargs)
        self.ax_.set(
            xlabel="probability of the predicted class", ylabel="fraction of correct predictions"
        )
        for line in self.ax_.lines:
            if line.get_label() == "Perfectly calibrated":
                # scikit-learn draws it in black even on a dark background.
                line.set_color(self.ax_.xaxis.label.get_color())
        self.ax_.legend(loc="lower right")
        return self


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    n_bins: int = 10,
) -> float:
    """Return the mean difference between the probability of predictions and their accuracy.

    Parameters
    ----------
    y_true, y_proba, classes, n_bins :
        As in :meth:`ReliabilityDisplay.from_predictions`.

    Returns
    -------
    float
        In [0, 1]. The ``n_bins`` bins of the probability are weighted by their number of
        predictions.

    Raises
    ------
    ValueError
        As in :meth:`ReliabilityDisplay.from_predictions`.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks",
    2017, https://arxiv.org/abs/1706.04599.

    Examples
    --------
    >>> from skorch_mnist.displays import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 0], [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]]), 2)
    0.4
    """
    right, confidence = answers(y_true, y_proba, classes, n_bins)
    return bins(right, confidence, n_bins)[2]


def answers(
    y_true: ArrayLike, y_proba: ArrayLike, classes: ArrayLike | None, n_bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return whether the most probable class of each sample is correct, and its probability."""
    check_positive("n_bins", n_bins)
    true = column_or_1d(y_true)
    proba = check_array(y_proba, dtype=np.float64, input_name="y_proba")
    check_consistent_length(true, proba)
    if proba.min() < 0 or proba.max() > 1:
        raise ValueError(
            f"y_proba must have values in [0, 1]; got values from {proba.min():g} to "
            f"{proba.max():g}."
        )
    labels = np.arange(proba.shape[1]) if classes is None else np.asarray(classes)
    if len(labels) != proba.shape[1]:
        raise ValueError(
            f"y_proba has {proba.shape[1]} columns, but classes has {len(labels)} labels. Pass one "
            "column per class."
        )
    if not np.isin(true, labels).any():
        raise ValueError(
            f"classes={labels} is not valid: it does not contain any of the labels in y_true."
        )
    right = (labels[proba.argmax(axis=1)] == true).astype(int)
    return right, proba.max(axis=1)


def bins(
    right: NDArray[np.int64], confidence: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return accuracy and mean confidence in each non-empty bin, and the calibration error.

    ``calibration_curve`` of scikit-learn does not return the number of predictions in each bin,
    which is needed to weight the bins.
    """
    numbers = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(numbers, minlength=n_bins)
    filled = counts > 0
    share = np.bincount(numbers, right, minlength=n_bins)[filled] / counts[filled]
    mean = np.bincount(numbers, confidence, minlength=n_bins)[filled] / counts[filled]
    return share, mean, float(np.abs(share - mean) @ counts[filled] / counts.sum())
