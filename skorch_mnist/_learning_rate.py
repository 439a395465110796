"""The learning rate: the one-cycle schedule, and skorch schedulers that continue."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skorch_mnist._compat import continue_scheduler

RISE = 0.3  # fraction of the training run, as in torch.optim.lr_scheduler.OneCycleLR
RATES = ("lr", "momentum", "betas")  # values that schedulers change in groups of an optimizer


def one_cycle(done: float) -> float:
    """Return the learning rate, relative to its peak, after a fraction ``done`` of training.

    It rises linearly in the first 30% of the training run, then falls to 0 along half a cosine.
    """
    if done < RISE:
        return done / RISE
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


class OneCycle(Callback):
    """Vary the learning rate in one cycle per training run, with ``lr`` as its peak.

    A training run is a call to ``fit`` or ``partial_fit``. Each parameter group of the optimizer
    has its own peak, which is restored at the end.

    Raises
    ------
    ValueError
        If there is also an ``LRScheduler``, or if the training loader does not have a length.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018, https://arxiv.org/abs/1708.07120.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Store the peaks in the optimizer, whose state may be saved in the middle of a cycle."""
        if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
            raise ValueError(
                'lr_schedule="one_cycle" cannot be combined with an LRScheduler, because both set '
                "the learning rate. Use only one of them."
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
                'lr_schedule="one_cycle" requires the number of batches, but the '
                f"{type(loader).__name__} that iterator_train returned does not have a length. "
                "Define __len__, or set lr_schedule=None."
            ) from error
        share = one_cycle(min(1.0, (self.n_done_ + 0.5) / n_batches))
        self.n_done_ += 1
        for group in net.optimizer_.param_groups:
            group["lr"] = group["peak_lr"] * share

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the rate of the last step, in the first group, as the schedulers of skorch do."""
        net.history.record("event_lr", net.optimizer_.param_groups[0]["lr"])

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the peaks."""
        restore_peaks(net.optimizer_)


def restore_peaks(optimizer: Any) -> None:
    """Set learning rates to their peaks, if the state was saved in the middle of a cycle."""
    for group in getattr(optimizer, "param_groups", []):
        group["lr"] = group.pop("peak_lr", group["lr"])


# --- schedulers of skorch ---------------------------------------------------------------------

# When training begins, skorch creates new schedulers. If training continues, some of them would
# repeat their last step, and lose what they have counted.


class StepsTaken(NamedTuple):
    """The state of the skorch schedulers before training continues."""

    schedulers: dict[str, Any]  # PyTorch schedulers by name of the callback
    rates: list[dict[str, Any]]  # one dict for each group of the optimizer


def schedulers_of(callbacks: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the PyTorch schedulers that callbacks have used, by name of the callback."""
    made = {
        name: getattr(callback, "lr_scheduler_", None)
        for name, callback in callbacks
        if isinstance(callback, LRScheduler)
    }
    return {name: scheduler for name, scheduler in made.items() if scheduler is not None}


def rates_of(optimizer: Any) -> list[dict[str, Any]]:
    """Return a copy of the values that schedulers change in each group."""
    rates = [{key: group[key] for key in RATES if key in group} for group in optimizer.param_groups]
    return copy.deepcopy(rates)


def renew_rates(optimizer: Any, schedulers: dict[str, Any]) -> None:
    """Copy the rates of the previous optimizer, to which schedulers refer, to a new one."""
    for scheduler in schedulers.values():
        for group, old in zip(
            optimizer.param_groups, scheduler.optimizer.param_groups, strict=False
        ):
            group.update({key: old[key] for key in old if key in RATES or key not in group})


def continue_schedules(net: Any, taken: StepsTaken | None) -> None:
    """Set new schedulers to the state of the old ones.

    If one is missing, or does not match the history, all steps are repeated.
    """
    callbacks = {name: one for name, one in net.callbacks_ if isinstance(one, LRScheduler)}
    old = {} if taken is None else taken.schedulers
    if not all(_is_up_to_date(old.get(name), one, net) for name, one in callbacks.items()):
        _take_steps_again(net, list(callbacks.values()))
    elif callbacks and taken is not None:
        for group, rates in zip(net.optimizer_.param_groups, taken.rates, strict=True):
            group.update(rates)
        for name, callback in callbacks.items():
            continue_scheduler(callback.lr_scheduler_, old[name])


def _number_of_steps(callback: Any, net: Any) -> int:
    n_steps: int = callback.batch_idx_ if callback.step_every == "batch" else len(net.history)
    return n_steps


def _is_up_to_date(scheduler: Any, callback: Any, net: Any) -> bool:
    """Whether a scheduler has taken all steps of the history; not known of ReduceLROnPlateau."""
    if type(scheduler) is not type(callback.lr_scheduler_):
        return False
    n_steps = getattr(scheduler, "last_epoch", None)
    return isinstance(scheduler, ReduceLROnPlateau) or n_steps == _number_of_steps(callback, net)


def _take_steps_again(net: Any, callbacks: list[Any]) -> None:
    """Repeat all steps of the history; ReduceLROnPlateau starts over at the current rate."""
    callbacks = [one for one in callbacks if not isinstance(one.lr_scheduler_, ReduceLROnPlateau)]
    for group in net.optimizer_.param_groups if callbacks else []:
        group["lr"] = group["initial_lr"]
    for callback in callbacks:
        arguments = {"last_epoch": -1, **callback.kwargs}
        callback.lr_scheduler_ = callback.policy_(net.optimizer_, **arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the new optimizer has not taken these steps
            for _ in range(_number_of_steps(callback, net)):
                callback.lr_scheduler_.step()
