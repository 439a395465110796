"""A learning rate that rises and falls once."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback, LRScheduler

__all__ = ["OneCycle", "leave_cycle", "one_cycle"]

RISE = 0.3  # share of the training, as in torch's OneCycleLR


def one_cycle(done: float) -> float:
    """Return the learning rate, as a share of its peak, where a share ``done`` of a training is.

    It rises in a line for three tenths of the training, and falls along half a cosine to 0.
    """
    if done < RISE:
        return done / RISE
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


class OneCycle(Callback):
    """Lead the learning rate through one cycle in each training, with ``lr`` as its peak.

    A training is a call of ``fit`` or ``partial_fit``. Each group of the optimizer's parameters has
    its own peak, and gets it back in the end.

    Raises
    ------
    ValueError
        If there is an ``LRScheduler`` as well, or the loader of the training has no length.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018, https://arxiv.org/abs/1708.07120.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the peaks, in the optimizer, whose state may be stored in the middle of a cycle."""
        if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
            raise ValueError(
                'lr_schedule="one_cycle" and an LRScheduler would both set the learning rate: '
                "leave one of them out."
            )
        self.n_done_ = 0
        for group in net.optimizer_.param_groups:
            group["peak_lr"] = group["lr"]

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rates for the next step."""
        if not training:
            return
        try:
            n_batches = net._epochs * len(net._loader)
        except TypeError as error:
            raise ValueError(
                'lr_schedule="one_cycle" needs to know the number of batches, but the '
                f"{type(net._loader).__name__} that iterator_train makes has no len(). Give it "
                "one, or set lr_schedule=None."
            ) from error
        share = one_cycle(min(1.0, (self.n_done_ + 0.5) / n_batches))
        self.n_done_ += 1
        for group in net.optimizer_.param_groups:
            group["lr"] = group["peak_lr"] * share

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the rate of the last step, of the first group, as skorch's schedules do."""
        net.history.record("event_lr", net.optimizer_.param_groups[0]["lr"])


def leave_cycle(optimizer: Any) -> None:
    """Give the groups of an optimizer their peaks back, wherever in a cycle its state was taken.

    This waits until all callbacks have ended: one that loads the best epoch loads the optimizer
    as it was then.
    """
    for group in getattr(optimizer, "param_groups", []):
        group["lr"] = group.pop("peak_lr", group["lr"])
