"""Listeners of a training run: their protocol, checks of losses and outputs, and callbacks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    TrainEndCheckpoint,
)
from skorch.utils import noop

from skorch_mnist._batches._batch import first_output
from skorch_mnist._compat import callback_context, uncompiled
from skorch_mnist._learning_rate import OneCycle
from skorch_mnist._progress import TrainingBar, show

if TYPE_CHECKING:
    from skorch_mnist._training import TrainingRun


BATCH_HOOKS = ("on_batch_begin", "on_batch_end")


class Listener:
    """Base class of listeners, which a training run notifies of its events in a fixed order.

    A listener knows the training run, but not the other listeners. A skorch callback that is also a
    listener is notified of both kinds of events.
    """

    def run_begins(self, training: TrainingRun) -> None:
        """Run after the net is initialized; set ``training.finished`` to skip all epochs."""

    def epoch_begins(self, training: TrainingRun) -> None:
        """Run at the beginning of an epoch, before the callbacks of skorch."""

    def batch_begins(self, training: TrainingRun) -> None:
        """Run before the step of ``training.batch``, after the callbacks of skorch."""

    def gradients_computed(self, training: TrainingRun) -> None:
        """Run after a step has computed its gradients, before the callbacks of skorch."""

    def batch_ends(self, training: TrainingRun) -> None:
        """Run after the step of a batch, before the callbacks of skorch."""

    def weights_updated(self, training: TrainingRun) -> None:
        """Run after all training batches of an epoch, before validation."""

    def epoch_ends(self, training: TrainingRun) -> None:
        """Run at the end of an epoch, after the callbacks; may set ``training.stopping``."""

    def run_ends(self, training: TrainingRun) -> None:
        """Run after the last epoch, before the callbacks of skorch."""

    def release(self) -> None:
        """Release resources. Called after every training run, even after an error."""


class DivergenceCheck(Listener):
    """Raises an error if an epoch had no batches, or if the loss or a weight is not finite."""

    def weights_updated(self, training: TrainingRun) -> None:
        """Raise a ValueError before callbacks are notified of the end of the epoch."""
        net = training.net
        batches = net.history[-1]["batches"]
        losses = [batch["train_loss"] for batch in batches if "train_loss" in batch]
        if not losses:
            raise ValueError(
                "There was no batch to train on. If you set drop_last=True, batch_size must not be "
                "greater than the number of training samples."
            )
        wrong = [loss for loss in losses if not np.isfinite(loss)]
        if wrong:
            self._refuse(net, f"the loss became {wrong[0]}")
        self._check_weights(net)

    def run_ends(self, training: TrainingRun) -> None:
        """Check the weights if a callback has stopped training in the middle of an epoch."""
        self._check_weights(training.net)

    def _check_weights(self, net: Any) -> None:
        if not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
            self._refuse(net, "a weight became nan or inf")

    def _refuse(self, net: Any, what: str) -> None:
        n_whole = len(net.history) - 1
        raise ValueError(
            f"Training diverged in epoch {n_whole + 1}: {what}. Lower lr, which is {net.lr}"
            + (", set precision='float32'" if net.precision != "float32" else "")
            + (", or check that augment does not return nan or inf" if net.augment else "")
            + ". The classifier "
            + (f"keeps the weights of epoch {n_whole}." if n_whole else "was not changed.")
        )


class LogitsCheck(Listener):
    """Warns if the network returns probabilities, because their softmax is nearly uniform.

    The outputs of a single image can look like probabilities by chance. The warning is shown if
    those of all training images, or of all validation images, do in the first epoch.
    """

    def __init__(self) -> None:
        self.n_suspected = {True: 0.0, False: 0.0}  # images in training and in validation

    def batch_ends(self, training: TrainingRun) -> None:
        """Check outputs, until a batch of logits is found."""
        phase = training.net.module_.training
        if self.n_suspected[phase] >= 0:
            outputs = first_output(training.outputs)
            self.n_suspected[phase] += len(outputs) if are_probabilities(outputs) else -np.inf

    def epoch_ends(self, training: TrainingRun) -> None:
        """Warn once per training run."""
        if max(self.n_suspected.values()) > 1:
            network = type(uncompiled(training.net.module_)).__name__
            warnings.warn(
                f"The module {network} seems to return probabilities, because in the first epoch, "
                "its outputs were not negative and summed to 1 for each image. It must return "
                "logits. Remove the softmax at its end: the loss and predict_proba apply it. If it "
                "is applied twice, no class can have a probability near 1.",
                UserWarning,
                stacklevel=2,
            )
        self.n_suspected = dict.fromkeys((True, False), -np.inf)


def are_probabilities(outputs: Any) -> bool:
    """Whether the outputs of each image are not negative and sum to 1."""
    if not isinstance(outputs, torch.Tensor):  # from a custom step
        return False
    outputs = outputs.detach()
    rounding = max(1e-4, 2 * torch.finfo(outputs.dtype).eps)
    sums = outputs.sum(dim=-1, dtype=torch.float32)
    return bool(((sums - 1).abs() < rounding).all() and (outputs >= 0).all())


class SklearnCallbacks(Listener):
    """Notifies the callbacks of scikit-learn (SLEP 23) of ``fit`` and its epochs.

    Parameters
    ----------
    estimator : estimator with ``CallbackSupportMixin`` and ``max_epochs``
        Can be without callbacks, or without support for them.
    X, y, sample_weight :
        Arguments of ``fit``, for callbacks that compute scores.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        n_epochs = estimator.max_epochs
        self.fit = callback_context(estimator, n_epochs if isinstance(n_epochs, int) else None)
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(estimator=estimator, **self.data)

    def epoch_begins(self, training: TrainingRun) -> None:
        """Notify callbacks that an epoch begins."""
        if self.fit is not None:
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=training.net, **self.data)

    def epoch_ends(self, training: TrainingRun) -> None:
        """Notify callbacks that an epoch has ended; they can request to stop training."""
        if self.fit is not None and self.epoch.call_on_fit_task_end(
            estimator=training.net, reconstruction_attributes={}, **self.data
        ):
            training.stopping = True

    def fit_ends(self, estimator: Any) -> None:
        """Notify callbacks that ``fit`` has ended."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(
                estimator=estimator, reconstruction_attributes={}, **self.data
            )


class FilesInUse(Listener):
    """Warns if another training run, in this or another process, writes the same files.

    It locks each file that a skorch ``Checkpoint`` writes.
    """

    def __init__(self) -> None:
        self.locks: list[FileLock] = []

    def run_begins(self, training: TrainingRun) -> None:
        """Acquire the locks; warn about files that are already locked."""
        shared = []
        for file in sorted(files_of(training.net.callbacks_)):
            name = f"skorch_mnist-{hashlib.sha256(file.encode()).hexdigest()[:16]}.lock"
            lock = FileLock(Path(tempfile.gettempdir(), name), timeout=0, mode=0o666)
            try:
                lock.acquire()
                self.locks.append(lock)
            except Timeout:
                shared.append(file)
            except OSError:  # the folder for temporary files does not support locks
                continue
        if shared:
            warnings.warn(
                f"Another training run is writing the same files: {', '.join(shared)}. Each run "
                "will overwrite the files of the other. Set a different dirname for the Checkpoint "
                "of each process, or use ResumeCheckpoint(folder, subfolders=True) for many "
                "training runs, such as those of a search.",
                UserWarning,
                stacklevel=2,
            )

    def release(self) -> None:
        """Release the locks."""
        while self.locks:
            lock = self.locks.pop()
            with contextlib.suppress(OSError):  # on Windows, release deletes the file
                os.unlink(lock.lock_file)
            lock.release()


def files_of(callbacks: Iterable[tuple[str, Any]]) -> set[str]:
    """Return the files that skorch checkpoints write; names may contain format fields."""
    return {
        os.path.abspath(os.path.join(callback.dirname or "", callback.fn_prefix + value))
        for _, callback in callbacks
        if isinstance(callback, (Checkpoint, TrainEndCheckpoint))
        for name, value in vars(callback).items()
        if name.startswith("f_") and isinstance(value, str)
    }


# --- callbacks of skorch ----------------------------------------------------------------------


def early_stopping(patience: int, verbose: int) -> EarlyStopping:
    """Return the callback behind ``early_stopping=True``."""
    return EarlyStopping(
        monitor="valid_acc",
        lower_is_better=False,
        patience=patience,
        threshold=1e-4,  # tol of MLPClassifier
        threshold_mode="abs",
        load_best=True,
        sink=show if verbose else noop,
    )


def watches_batches(net: Any) -> bool:
    """Whether a callback or a hook of a subclass may read the loss of a batch immediately."""
    own = any(getattr(type(net), hook) is not getattr(NeuralNet, hook) for hook in BATCH_HOOKS)
    return own or any(watches(callback) for _, callback in net.callbacks_)


def watches(callback: Any) -> bool:
    """Whether ``callback`` may read the loss of a batch before the epoch ends."""
    if type(callback) in (EpochScoring, OneCycle, TrainingBar):
        return False
    if type(callback) is LRScheduler:
        looks = not isinstance(callback.policy, str) or callback.policy == "ReduceLROnPlateau"
        return callback.step_every == "batch" and looks
    return any(
        getattr(type(callback), hook, None) is not getattr(Callback, hook) for hook in BATCH_HOOKS
    )
