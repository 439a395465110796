"""How skorch's training loop meets images: the hooks that the classifier overrides."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.dataset import unpack_data
from skorch.utils import to_tensor
from torch import nn

from skorch_mnist._batches import (
    BatchLoader,
    BatchReader,
    KeptRows,
    StreamLoader,
    image_of,
    random_affine,
    weight_of,
    weighted_loss,
    with_images,
)
from skorch_mnist._devices import memory_advice
from skorch_mnist._inputs import PixelStatistics, to_array
from skorch_mnist._precision import autocast_for
from skorch_mnist._processes import Processes
from skorch_mnist.batch_records import record_losses, watches_batches
from skorch_mnist.components import NetComponents
from skorch_mnist.whole_epochs import SplitData, is_stop_request

__all__ = ["ImageClassifierNet", "first_output"]


class ImageClassifierNet(NetComponents):
    """A skorch net that reads batches of images and learns from them.

    Of the parameters beyond skorch's it knows ``augment``; ``MNISTCNNClassifier`` adds the others.
    """

    augment: Any
    _processes: Processes | None
    _seed: int
    pixel_statistics_: PixelStatistics

    # --- data -------------------------------------------------------------------------------

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: data are checked before anything is initialized."""

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> SplitData:
        """Return the data sets of ``fit``, split beforehand, or split ``X`` as in skorch."""
        if isinstance(X, SplitData):
            return X
        return SplitData(*super().get_split_datasets(X, y, **params))

    # --- steps ------------------------------------------------------------------------------

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through all batches; the losses stay on the device where no callback wants them."""
        if iterator is None:
            return
        processes = self._processes_at_work()
        if processes is not None:
            step_fn = self._on_share(step_fn)
        if self._batches_are_watched():
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        else:
            if processes is not None:
                reader = getattr(iterator, "reader", getattr(iterator, "dataset", None))
                if isinstance(reader, BatchReader):
                    reader.share = processes.share
            self._run_unwatched_epoch(iterator, training, prefix, step_fn, **fit_params)
        if processes is not None and training:
            processes.share_buffers(self.module_)

    def _run_unwatched_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        losses = []
        own = isinstance(iterator, (BatchLoader, StreamLoader))
        if own:
            kept_losses, outputs = KeptRows(len(iterator)), KeptRows(iterator.n_rows)
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach().reshape(1)
            losses.append(kept_losses.keep(loss) if own else loss)
            if own and not training:
                step["y_pred"] = outputs.keep(step["y_pred"])
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        record_losses(self.history[-1]["batches"], f"{prefix}_loss", losses)
        self.history.record(f"{prefix}_batch_count", len(losses))

    def _processes_at_work(self) -> Processes | None:
        """Return the processes that train this network together, if there are several."""
        processes: Processes | None = vars(self).get("_processes")
        return processes if processes is not None and processes.share is not None else None

    def _on_share(self, step_fn: Any) -> Any:
        """Return a step in which ``infer`` takes the share of this process, and gives all.

        Outside of steps, in a callback that predicts for instance, a process works for itself.
        """

        def step(batch: Any, **fit_params: Any) -> Any:
            self._batch_codes = to_tensor(unpack_data(batch)[1], device=self.device_)
            try:
                return step_fn(batch, **fit_params)
            finally:
                del self._batch_codes

        return step

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        """Learn from a batch, with its images changed as ``augment`` says."""
        X, y = unpack_data(batch)
        with memory_advice("batch_size", len(image_of(X))):
            if self.augment is not None:
                batch = with_images(X, self._augmented(image_of(X))), y
            return super().train_step(batch, **fit_params)

    def _augmented(self, images: Any) -> torch.Tensor:
        """Return other images in the place of those of a batch, in the pixels of the user."""
        images = to_tensor(images, device=self.device_).float()
        augment = random_affine if self.augment == "affine" else self.augment
        with torch.no_grad():
            changed = augment(images)
        if not isinstance(changed, torch.Tensor):
            raise ValueError(
                f"augment={self.augment!r} returned a {type(changed).__name__}. It must return a "
                "torch.Tensor."
            )
        if changed.shape != images.shape:
            raise ValueError(
                f"augment={self.augment!r} returned a tensor of shape {tuple(changed.shape)} for a "
                f"batch of shape {tuple(images.shape)}. It must return the same shape."
            )
        return changed

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Return the module's output for a batch of images in the pixels of the user."""
        if self.module_.training:
            return self._infer(x, **fit_params)
        with memory_advice("iterator_valid__batch_size", len(image_of(x))):
            return self._infer(x, **fit_params)

    def _infer(self, x: Any, **fit_params: Any) -> Any:
        images, codes = image_of(x), vars(self).get("_batch_codes")
        if codes is None:
            return self._outputs(self.module_, images, **fit_params)
        processes: Any = self._processes
        if len(images) == len(codes):  # of a loader that knows of no shares
            images = images[processes.share.rows(len(codes))]
        module = processes.replica_of(self.module_) if self.module_.training else self.module_
        outputs = first_output(self._outputs(module, images, **fit_params))
        return processes.bring_together(outputs.float(), codes)

    def _outputs(self, module: Any, images: Any, **fit_params: Any) -> Any:
        """Return what ``module``, the network or its replica, makes of images."""
        images = to_tensor(images, device=self.device_)
        channels_last = getattr(self.module_, "channels_last", False)
        standardized = self.pixel_statistics_.standardize(images, channels_last)
        dtype = vars(self).get("_dtype", torch.float32) if self.module_.training else torch.float32
        with autocast_for(dtype, self.device_):
            return module(standardized, **fit_params)

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Return the loss of a batch: the mean, weighted where ``X`` carries weights."""
        logits = first_output(y_pred).float()
        if logits.shape[1:] != (len(self.classes_),):
            raise ValueError(
                f"The module returned outputs of shape {tuple(logits.shape)} for a batch of "
                f"{len(y_true)} images of {len(self.classes_)} classes. It must return logits of "
                "shape (batch, n_classes)."
            )
        codes = to_tensor(y_true, device=self.device_)
        if isinstance(self.criterion_, nn.NLLLoss):
            logits = torch.log_softmax(logits, dim=1)
        weight = weight_of(X)
        if weight is None:
            return self.criterion_(logits, codes)
        return weighted_loss(self.criterion_, logits, codes, weight.to(self.device_))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call all callbacks: they see the user's labels, as ``predict`` gives them."""
        batch = cb_kwargs.get("batch")
        if batch is not None and not self._labels_are_codes:
            X, codes = unpack_data(batch)
            cb_kwargs["batch"] = X, self.classes_[to_array(codes)]
        tasks, checkpoint = vars(self).get("_tasks"), vars(self).get("_checkpoint")
        if method_name == "on_epoch_begin" and checkpoint is not None:
            checkpoint.epoch_begins(self)
        processes = self._processes_at_work()
        if method_name == "on_epoch_begin" and processes is not None:
            processes.seed(self._seed, len(self.history))
        if method_name == "on_epoch_end":
            self._check_epoch()
        stop = None
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interrupt:
            at_end = method_name == "on_epoch_end" and processes is not None
            if not at_end or not is_stop_request(interrupt):  # Ctrl-C is for this process alone
                raise
            stop = interrupt
        if method_name == "on_epoch_end" and processes is not None:
            processes.stop_together(stop)
        if method_name == "on_epoch_begin" and tasks is not None:
            tasks.begin_epoch(self)
        if method_name == "on_epoch_end":
            self._forget_batches()
            self._last_epoch = self._training_state()
            if checkpoint is not None:
                checkpoint.epoch_ended(self)
            if tasks is not None:
                tasks.end_epoch(self)

    def _check_epoch(self) -> None:
        """Raise a ValueError where an epoch taught nothing, or spoilt the weights."""
        batches = self.history[-1]["batches"]
        losses = [batch["train_loss"] for batch in batches if "train_loss" in batch]
        if not losses:
            raise ValueError(
                "There was no batch to train on: with drop_last=True, batch_size must not exceed "
                "the number of training samples."
            )
        wrong = [loss for loss in losses if not np.isfinite(loss)]
        if not wrong and all(bool(p.isfinite().all()) for p in self.module_.parameters()):
            return
        what = f"its loss became {wrong[0]}" if wrong else "weights became nan or inf"
        n_whole = len(self.history) - 1
        raise ValueError(
            f"The training diverged in epoch {n_whole + 1}: {what}. Lower lr, which is {self.lr}"
            + (", use precision='float32'" if self.precision != "float32" else "")
            + (", look for nan and inf in what augment returns" if self.augment else "")
            + ". The classifier "
            + (f"has the weights of epoch {n_whole}." if n_whole else "is as it was before.")
        )

    def _batches_are_watched(self) -> bool:
        """Whether a callback, or a hook of a subclass, may read the loss of a batch at once."""
        hooks = ("on_batch_begin", "on_batch_end")
        own = any(getattr(type(self), hook) is not getattr(NeuralNet, hook) for hook in hooks)
        return own or any(watches_batches(callback) for _, callback in self.callbacks_)

    def _forget_batches(self) -> None:
        """Drop the records of batches but the last, where the epoch has their mean.

        The last shows callbacks such as ``TrainEndCheckpoint`` what records hold.
        """
        if "train_loss" in self.history[-1] and not self._batches_are_watched():
            del self.history[-1]["batches"][:-1]

    @property
    def _labels_are_codes(self) -> bool:
        classes: NDArray[Any] = self.classes_  # ascending, each once
        return classes.dtype.kind in "iu" and classes[0] == 0 and classes[-1] == len(classes) - 1


def first_output(y_pred: Any) -> torch.Tensor:
    """Return the logits of a module that may return other things after them."""
    logits: torch.Tensor = y_pred[0] if isinstance(y_pred, tuple) else y_pred
    return logits
