"""A learning rate that rises and falls once."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback, LRScheduler

RISE = 0.3  # share of the training run, as in torch.optim.lr_scheduler.OneCycleLR


def one_cycle(done: float) -> float:
    """Return the learning rate, relative to its peak, when a share ``done`` of training is over.

    It rises linearly for three tenths of the training run, and falls to 0 along half a cosine.
    """
    if done < RISE:
        return done / RISE
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


class OneCycle(Callback):
    """Lead the learning rate through one cycle in each training run, with ``lr`` as its peak.

    A training run is a call of ``fit`` or ``partial_fit``. Each parameter group of the optimizer
    has its own peak, and gets it back in the end.

    Raises
    ------
    ValueError
        If there is an ``LRScheduler`` as well, or the training loader does not have a length.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018, https://arxiv.org/abs/1708.07120.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the peaks in the optimizer, whose state may be stored in the middle of a cycle."""
        if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
            raise ValueError(
                'lr_schedule="one_cycle" and an LRScheduler would both set the learning rate: use '
                "one of them."
            )
        self.n_done_ = 0
        for group in net.optimizer_.param_groups:
            group["peak_lr"] = group["lr"]

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rates for the next step."""
        if not training:
            return
        epochs, loader = net._training.epochs, net._training.loader
        try:
            n_batches = epochs * len(loader)
        except TypeError as error:
            raise ValueError(
                'lr_schedule="one_cycle" needs the number of batches, but the '
                f"{type(loader).__name__} that iterator_train makes does not have a len(). Give it "
                "one, or set lr_schedule=None."
            ) from error
        share = one_cycle(min(1.0, (self.n_done_ + 0.5) / n_batches))
        self.n_done_ += 1
        for group in net.optimizer_.param_groups:
            group["lr"] = group["peak_lr"] * share

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the rate of the last step, in the first group, as the schedulers of skorch do."""
        net.history.record("event_lr", net.optimizer_.param_groups[0]["lr"])

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Give the groups their peaks back."""
        restore_peaks(net.optimizer_)


def restore_peaks(optimizer: Any) -> None:
    """Set learning rates to their peaks, if the state was taken in the middle of a cycle."""
    for group in getattr(optimizer, "param_groups", []):
        group["lr"] = group.pop("peak_lr", group["lr"])
