"""A bar that grows with the batches of an epoch."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import ProgressBar
from skorch.dataset import get_len

__all__ = ["EpochBar"]


class EpochBar(ProgressBar):
    """skorch's bar, told that batches of validation have a size of their own."""

    def _get_batches_per_epoch_phase(self, net: Any, dataset: Any, training: bool) -> int:
        if dataset is None:
            return 0
        size = net._batch_size(training)
        return 1 if size == -1 else math.ceil(get_len(dataset) / size)
