"""Plots of fitted classifiers; matplotlib is imported when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HistoryDisplay"]


class HistoryDisplay:
    """Training and validation loss of each epoch, on a logarithmic axis.

    Parameters
    ----------
    train_loss : array-like of shape (n_epochs,)
        Mean loss of the training batches of each epoch, positive.
    valid_loss : array-like of shape (n_epochs,) or None, default=None
        Mean loss of the validation samples after each epoch; None where there were none.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves were drawn last.
    figure_ : matplotlib.figure.Figure
        The figure of ``ax_``.

    Examples
    --------
    >>> from skorch_mnist.displays import HistoryDisplay
    >>> display = HistoryDisplay([0.5, 0.2, 0.1], [0.3, 0.15, 0.12]).plot()
    >>> display.ax_.get_yscale()
    'log'
    """

    ax_: Axes
    figure_: Any

    def __init__(self, train_loss: ArrayLike, valid_loss: ArrayLike | None = None) -> None:
        self.train_loss = train_loss
        self.valid_loss = valid_loss

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> HistoryDisplay:
        """Draw the losses that a fitted classifier recorded.

        Parameters
        ----------
        estimator : MNISTCNNClassifier or another skorch net
            Fitted.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If ``estimator`` is not fitted.
        """
        check_is_fitted(estimator)
        epochs = estimator.history_
        valid = [epoch.get("valid_loss", np.nan) for epoch in epochs]
        display = cls(
            [epoch.get("train_loss", np.nan) for epoch in epochs],  # none where interrupted
            None if np.isnan(valid).all() else valid,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> HistoryDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        HistoryDisplay
            ``self``, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt
            from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
        except ImportError as error:
            raise ImportError(
                'HistoryDisplay needs matplotlib: pip install "skorch_mnist[plot]".'
            ) from error
        if ax is None:
            _, ax = plt.subplots()
        curves = {"training": self.train_loss, "validation": self.valid_loss}
        for label, losses in curves.items():
            if losses is not None:
                values = np.asarray(losses, dtype=float)
                ax.semilogy(np.arange(1, len(values) + 1), values, marker="o", label=label)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        low, high = ax.get_ylim()
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
        ax.grid(True, alpha=0.3)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
