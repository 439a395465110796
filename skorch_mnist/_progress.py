"""What a training shows while it goes on: a table of epochs, and a bar below it."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, Self

import torch
from skorch.callbacks import Callback, PrintLog
from skorch.dataset import get_len
from tqdm.auto import tqdm

from skorch_mnist._inputs import Chunk
from skorch_mnist._processes import is_first_process

__all__ = [
    "Bar",
    "EpochTable",
    "TrainingBar",
    "colours_are_shown",
    "count_images",
    "in_worker_process",
    "is_watched",
    "show",
]

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TIME_LEFT = "{desc} {percentage:3.0f}%|{bar:20}| {remaining} left"


class Bar(tqdm):  # type: ignore[misc, unused-ignore]
    """tqdm's bar without its thread, which loaders' workers would be forked beside."""

    monitor_interval = 0


class TrainingBar(Callback):  # type: ignore[misc, unused-ignore]
    """A bar over all images of a training: its loss, images per second and the time left.

    It is shown in notebooks, and on standard error if that is a terminal. The loss is the mean of
    the training batches of the epoch so far. With early stopping, the time left is that of all
    epochs.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember what the training finds."""
        self.n_before_ = len(net.history)
        self.bar_: Bar | None = None

    def on_epoch_begin(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Begin an epoch; the first makes the bar."""
        n_images = sum(get_len(data) for data in (dataset_train, dataset_valid) if data is not None)
        n_epochs, epoch = net._epochs, len(net.history) - self.n_before_
        name = f"epoch {epoch}/{n_epochs}:"
        if self.bar_ is None:
            self.bar_ = Bar(
                desc=name,
                total=n_images * n_epochs,
                initial=n_images * (epoch - 1),
                unit=" images",
                unit_scale=True,
                smoothing=0,  # validation is faster than training
                bar_format=f"{TIME_LEFT}, {{rate_fmt}}{{postfix}}",
                leave=False,
                disable=not is_watched(),
            )
        self.bar_.set_description_str(name, refresh=False)
        self.bar_.update(n_images * (epoch - 1) - self.bar_.n)  # where an iterator gives others
        self.loss_sum_, self.n_images_ = 0.0, 0

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Move the bar; the loss is fetched from the device only when it is drawn."""
        if self.bar_ is None or self.bar_.disable:
            return
        n_images = len(batch[1])
        if training:
            self.loss_sum_ += n_images * kwargs["loss"].detach()
            self.n_images_ += n_images
        if self.bar_.update(n_images) and self.n_images_:
            loss = float(self.loss_sum_) / self.n_images_
            self.bar_.set_postfix_str(f"loss {loss:.4f}", refresh=False)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Take the bar away."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None


def count_images(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Show a bar of the images in the first pass over a stream, whose end is not known."""
    with Bar(
        desc="first pass",
        unit=" images",
        unit_scale=True,
        leave=False,
        disable=not is_watched(),
    ) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.images))


class EpochTable(PrintLog):  # type: ignore[misc, unused-ignore]
    """skorch's table of epochs, through ``show``; another ``sink`` gets it even if not verbose.

    A header stands above the first epoch, and above each whose columns are others.
    """

    def initialize(self) -> Self:
        """Begin a table."""
        super().initialize()
        self.columns_: list[str] = []
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Show the row of an epoch."""
        columns = self._sorted_keys(net.history[-1])
        self.first_iteration_ = columns != self.columns_
        self.columns_ = columns
        super().on_epoch_end(net, **kwargs)

    def _sink(self, text: str, verbose: Any) -> None:
        if verbose or self.sink not in (print, show):
            (show if self.sink is print else self.sink)(text)


def show(text: str) -> None:
    """Print ``text`` above bars; in worker processes nothing is printed.

    Callbacks keep this function, and not ``print``, in whose place Ray puts another: what holds the
    first could not be pickled.
    """
    if sys.stdout is not None and not in_worker_process():
        with Bar.external_write_mode(file=sys.stdout):
            print(text if colours_are_shown() else COLOURS.sub("", text))  # noqa: T201


def in_worker_process() -> bool:
    """Whether this process works for another: for joblib, a loader, Ray, or a training of several.

    Of processes that train one network together, the first shows what it does.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return not is_first_process()
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ray.get_runtime_context().get_actor_id() is not None
    return multiprocessing.parent_process() is not None


def in_notebook() -> bool:
    """Whether a kernel of Jupyter, or of what is like it, runs this process."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def is_watched() -> bool:
    """Whether someone sees a bar: in a notebook, or on a terminal, in the main process."""
    if in_worker_process():
        return False
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def colours_are_shown() -> bool:
    """Whether standard output shows colours, and the user has not declined them (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return in_notebook() or (sys.stdout is not None and sys.stdout.isatty())
