"""What is kept of each batch: in the history nothing, unless a callback watches the batches."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import Callback, EpochScoring, LRScheduler

from skorch_mnist._learning_rate import OneCycle
from skorch_mnist._progress import TrainingBar

__all__ = ["record_losses", "watches_batches"]


def watches_batches(callback: Any) -> bool:
    """Whether ``callback`` may read the loss of a batch before the epoch ends."""
    if type(callback) in (EpochScoring, OneCycle, TrainingBar):
        return False
    if type(callback) is LRScheduler:
        looks = not isinstance(callback.policy, str) or callback.policy == "ReduceLROnPlateau"
        return callback.step_every == "batch" and looks
    hooks = ("on_batch_begin", "on_batch_end")
    return any(getattr(type(callback), hook, None) is not getattr(Callback, hook) for hook in hooks)


def record_losses(batches: list[dict[str, Any]], name: str, losses: list[torch.Tensor]) -> None:
    """Write the losses into the last of the records: one transfer from the device for all."""
    if losses:
        values = torch.stack([loss.reshape(()) for loss in losses]).tolist()
        for record, loss in zip(batches[-len(values) :], values, strict=True):
            record[name] = loss
