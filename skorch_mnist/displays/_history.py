"""Learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._axes import Display, new_or
from ._estimators import fitted_net, refuse_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# The records of each kind of curve, for training and validation.
RECORDS = {
    "loss": ("train_loss", "valid_loss"),
    "accuracy": ("train_acc", "valid_acc"),
    "learning rate": ("event_lr", None),
}
HINTS = {  # why a kind may not have been recorded
    "accuracy": " They are recorded on validation images, so train_split must not be None.",
    "learning rate": " Set lr_schedule or add an LRScheduler.",
}


class HistoryDisplay(Display):
    """Loss, accuracy or learning rate after each epoch of one or several training runs.

    For several runs, such as the folds of a cross-validation, the curve shows the mean of all runs
    up to the end of the shortest one. A band shows the range from the lowest to the highest value,
    and continues with the runs that are longer.

    Parameters
    ----------
    train : array-like of shape (n_epochs,) or (n_fits, n_epochs), or None
        Values for the training samples; NaN for epochs without a record.
    valid : array-like of shape (n_epochs,) or (n_fits, n_epochs), or None, default=None
        Values for the validation samples.
    kind : {"loss", "accuracy", "learning rate"}, default="loss"
        Kind of the values. The axis is logarithmic for losses and learning rates.
    name : str or None, default=None
        Name in the legend, to tell several displays on the same axes apart.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes of the last plot.
    figure_ : matplotlib.figure.Figure
        The figure of ``ax_``.

    Raises
    ------
    TypeError
        If ``train`` is an estimator.
    ValueError
        If ``kind`` is not valid.

    Examples
    --------
    >>> from skorch_mnist.displays import HistoryDisplay
    >>> display = HistoryDisplay([0.5, 0.2, 0.1], [0.3, 0.15, 0.12]).plot()
    >>> display.ax_.get_yscale()
    'log'
    """

    def __init__(
        self,
        train: ArrayLike | None,
        valid: ArrayLike | None = None,
        *,
        kind: str = "loss",
        name: str | None = None,
    ) -> None:
        refuse_estimator(self, train)
        check_kind(kind)
        self.train = train
        self.valid = valid
        self.kind = kind
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str = "loss",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> HistoryDisplay:
        """Draw the learning curves of fitted classifiers.

        Parameters
        ----------
        estimator : MNISTCNNClassifier, another skorch net, a pipeline that ends in one, or a list
            Fitted nets. ``cross_validate(..., return_estimator=True)`` returns such a list.
        kind : {"loss", "accuracy", "learning rate"}, default="loss"
            Kind of curve. The learning rate is only recorded if it changes, with
            ``lr_schedule="one_cycle"`` or an ``LRScheduler``.
        name : str or None, default=None
            Name in the legend, to tell several displays on the same axes apart.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If an ``estimator`` is not fitted.
        TypeError
            If an ``estimator`` is not a net.
        ValueError
            If ``kind`` is not valid or was not recorded, or if the list is empty.
        """
        check_kind(kind)
        estimators = list(estimator) if isinstance(estimator, (list, tuple)) else [estimator]
        if not estimators:
            raise ValueError("estimator is an empty list. Pass at least one fitted estimator.")
        if any(isinstance(one, (list, dict)) for one in estimators):
            raise TypeError(
                "estimator is not a fitted classifier, but a history. Use from_histories, as in "
                "HistoryDisplay.from_histories([clf.history_])."
            )
        histories = [fitted_net(cls, one, "history_").history_ for one in estimators]
        return cls.from_histories(histories, kind=kind, name=name, ax=ax)

    @classmethod
    def from_histories(
        cls,
        histories: Sequence[Any],
        *,
        kind: str = "loss",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> HistoryDisplay:
        """Draw the learning curves of histories, one per training run.

        Parameters
        ----------
        histories : list of skorch.history.History or list of list of dict
            The records of each epoch.
        kind, name, ax :
            As in :meth:`from_estimator`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        TypeError
            If ``histories`` is a single history instead of a list.
        ValueError
            If ``kind`` is not valid or was not recorded.
        """
        check_kind(kind)
        if any(isinstance(history, dict) for history in histories):
            raise TypeError("histories must be a list of histories; got one. Pass [history].")
        train, valid = (records(list(histories), name) for name in RECORDS[kind])
        if train is None and valid is None:
            hint = HINTS.get(kind, "")
            raise ValueError(f"The history does not contain any {kind} values.{hint}")
        return cls(train, valid, kind=kind, name=name).plot(ax=ax)

    def _draw(self, ax: Axes | None) -> None:
        ax = new_or(self, ax)
        from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

        for label, values in (("training", self.train), ("validation", self.valid)):
            if values is None:
                ax.plot([], [])  # takes its color, so that validation has the same in every plot
            else:
                label = label if self.name is None else f"{self.name} ({label})"
                draw_curve(ax, np.atleast_2d(np.asarray(values, dtype=float)), label)
        ax.set(xlabel="epoch", ylabel=self.kind)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if self.kind != "accuracy":
            ax.set_yscale("log")
            low, high = ax.get_ylim()
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
        ax.grid(True, alpha=0.3)
        if self.kind != "learning rate" or self.name is not None:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure


def recorded_kinds(histories: Sequence[Any]) -> list[str]:
    """Return the kinds of curves that ``HistoryDisplay`` can draw for these histories.

    Parameters
    ----------
    histories : list of skorch.history.History or list of list of dict
        The records of each epoch of each training run.

    Returns
    -------
    list of str
        Some of "loss", "accuracy" and "learning rate".

    Examples
    --------
    >>> from skorch_mnist.displays import recorded_kinds
    >>> recorded_kinds([[{"train_loss": 0.5, "event_lr": 0.1}, {"train_loss": 0.4}]])
    ['loss', 'learning rate']
    """
    return [
        kind
        for kind, names in RECORDS.items()
        if any(records(list(histories), name) is not None for name in names)
    ]


def check_kind(kind: str) -> None:
    """Raise a ValueError unless ``kind`` is a kind of curve."""
    if kind not in RECORDS:
        valid = ", ".join(map(repr, RECORDS))
        raise ValueError(f"kind={kind!r} is not valid: it must be one of {valid}.")


def draw_curve(ax: Axes, fits: NDArray[np.float64], label: str) -> None:
    """Draw one curve, or the mean of several up to the shortest with a band around it."""
    epochs = np.arange(1, fits.shape[1] + 1)
    (line,) = ax.plot(epochs, fits.mean(axis=0), marker="o", label=label)
    if len(fits) > 1:
        recorded = ~np.isnan(fits)
        low = np.where(recorded, fits, np.inf).min(axis=0)
        high = np.where(recorded, fits, -np.inf).max(axis=0)
        some = recorded.any(axis=0)
        ax.fill_between(epochs, low, high, where=some, color=line.get_color(), alpha=0.25)


def records(histories: list[Any], name: str | None) -> NDArray[np.float64] | None:
    """Return records (n_fits, n_epochs) of the runs that have any, NaN if missing; or None."""
    values: NDArray[np.float64] = np.full(
        (len(histories), max(map(len, histories), default=0)), np.nan
    )
    for row, history in zip(values, histories, strict=True):
        row[: len(history)] = [epoch.get(name, np.nan) for epoch in history]
    values = values[~np.isnan(values).all(axis=1)]
    if not len(values):
        return None
    return values[0] if len(values) == 1 else values
