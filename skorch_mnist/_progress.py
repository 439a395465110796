"""The output of training: a table of epochs, and a progress bar below it."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from skorch.callbacks import Callback, PrintLog
from skorch.dataset import get_len
from tqdm import TqdmWarning

from skorch_mnist._compat import history_columns
from skorch_mnist._inputs._streams import Chunk

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)  # in notebooks without ipywidgets, bars are text
    from tqdm.auto import tqdm

COLORS = re.compile(r"\x1b\[[0-9;]*m")
TIME_LEFT = "{desc} {percentage:3.0f}%|{bar:20}| {remaining} left"


class Bar(tqdm):  # type: ignore[misc, unused-ignore]
    """A tqdm bar that disappears in the end, and is only shown if someone can see it.

    It has no monitor thread, because loaders fork their worker processes. In notebooks, text goes
    to standard output, because standard error is shown in red boxes.
    """

    monitor_interval = 0

    def __init__(self, *, disable: bool = False, **kwargs: Any) -> None:
        file = sys.stdout if in_notebook() else sys.stderr
        super().__init__(leave=False, disable=disable or not is_watched(), file=file, **kwargs)


class TrainingBar(Callback):  # type: ignore[misc, unused-ignore]
    """A progress bar for a training run: loss, images per second and time left.

    It is shown in notebooks, and on standard error if this is a terminal. The loss is the mean over
    the training images of the epoch so far. The time left does not account for early stopping.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Store the number of epochs in the history."""
        self.n_before_ = len(net.history)
        self.bar_: Bar | None = None

    def on_epoch_begin(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Update the bar for a new epoch; create it in the first one."""
        n_images = sum(get_len(data) for data in (dataset_train, dataset_valid) if data is not None)
        n_epochs, epoch = net._training.epochs, len(net.history) - self.n_before_
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
            )
        self.bar_.set_description_str(name, refresh=False)
        self.bar_.update(n_images * (epoch - 1) - self.bar_.n)  # if a loader yields another number
        self.loss_sum_, self.n_images_ = 0.0, 0

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Move the bar; fetch the loss from the device only when the bar is drawn."""
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
        """Remove the bar."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None


def count_images(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Show the number of images read in the first pass over a stream of unknown length."""
    with Bar(desc="first pass", unit=" images", unit_scale=True) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.images))


class EpochTable(PrintLog):  # type: ignore[misc, unused-ignore]
    """The table of epochs of skorch, printed with ``show``.

    A custom ``sink`` receives it even if the net is not verbose. The header is printed above the
    first epoch, and whenever the columns change.
    """

    columns_: list[str]
    first_iteration_: bool

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the row of an epoch."""
        columns = history_columns(self, net.history[-1])
        self.first_iteration_ = self.first_iteration_ or columns != self.columns_
        self.columns_ = columns
        super().on_epoch_end(net, **kwargs)

    def format_row(self, row: dict[str, Any], key: str, color: str) -> Any:
        """Do not show a low learning rate, as at the end of a cycle, as 0.0000."""
        cell = super().format_row(row, key, color)
        return "<1e-04" if key == "event_lr" and cell == "0.0000" and row[key] > 0 else cell

    def _sink(self, text: str, verbose: Any) -> None:
        if verbose or self.sink not in (print, show):
            (show if self.sink is print else self.sink)(text)


def show(text: str) -> None:
    """Print ``text`` above progress bars; in worker processes, print nothing."""
    if sys.stdout is not None and not in_worker_process():
        with Bar.external_write_mode(file=sys.stdout):
            print(text if colors_are_shown() else COLORS.sub("", text))  # noqa: T201


def in_worker_process() -> bool:
    """Whether this is a worker process of a search or a loader, or of distributed training.

    If several processes train one network together, only the first one shows its progress.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return not is_first_process()
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ray.get_runtime_context().get_actor_id() is not None
    return multiprocessing.parent_process() is not None


def is_first_process() -> bool:
    """Whether this is the process that writes files and prints: the only one, or the first."""
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized():
        return True
    return distributed.get_rank() == 0


def in_notebook() -> bool:
    """Whether an IPython kernel, such as that of Jupyter, runs this process."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def is_watched() -> bool:
    """Whether someone can see a bar: in a notebook or on a terminal, in the main process."""
    if in_worker_process():
        return False
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def colors_are_shown() -> bool:
    """Whether standard output supports colors, and ``NO_COLOR`` is not set (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return in_notebook() or (sys.stdout is not None and sys.stdout.isatty())
