"""What hears of a training run: the protocol, checks of losses and outputs, other callbacks."""

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
    """Hears of the events of a training run, in the order of its list of listeners.

    A listener knows the training run, but not the other listeners. A callback of skorch that is a
    listener as well hears of both kinds of events.
    """

    def run_begins(self, training: TrainingRun) -> None:
        """Hear that the net is initialized; ``training.finished`` may be set to skip the epochs."""

    def epoch_begins(self, training: TrainingRun) -> None:
        """Hear that an epoch begins, before the callbacks of skorch do."""

    def batch_begins(self, training: TrainingRun) -> None:
        """Hear that the step of ``training.batch`` begins, after the callbacks of skorch."""

    def gradients_computed(self, training: TrainingRun) -> None:
        """Hear that a step has computed its gradients, before the callbacks of skorch do."""

    def batch_ends(self, training: TrainingRun) -> None:
        """Hear that the step of a batch has ended, before the callbacks of skorch do."""

    def weights_updated(self, training: TrainingRun) -> None:
        """Hear that all training batches of an epoch are done; validation comes next."""

    def epoch_ends(self, training: TrainingRun) -> None:
        """Hear that an epoch has ended, after the callbacks; ``training.stopping`` may be set."""

    def run_ends(self, training: TrainingRun) -> None:
        """Hear that no epoch is left, before the callbacks of skorch do."""

    def release(self) -> None:
        """Release what is held, whether or not the training run has succeeded."""


class DivergenceCheck(Listener):
    """Ends a training run with an error if an epoch taught nothing, or spoiled the weights."""

    def weights_updated(self, training: TrainingRun) -> None:
        """Raise a ValueError before anyone sees the epoch."""
        net = training.net
        batches = net.history[-1]["batches"]
        losses = [batch["train_loss"] for batch in batches if "train_loss" in batch]
        if not losses:
            raise ValueError(
                "There was no batch to train on: with drop_last=True, batch_size must not exceed "
                "the number of training samples."
            )
        wrong = [loss for loss in losses if not np.isfinite(loss)]
        if wrong:
            self._refuse(net, f"its loss became {wrong[0]}")
        self._check_weights(net)

    def run_ends(self, training: TrainingRun) -> None:
        """Check the weights of an epoch in the middle of which a callback has asked to stop."""
        self._check_weights(training.net)

    def _check_weights(self, net: Any) -> None:
        if not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
            self._refuse(net, "weights became nan or inf")

    def _refuse(self, net: Any, what: str) -> None:
        n_whole = len(net.history) - 1
        raise ValueError(
            f"The training diverged in epoch {n_whole + 1}: {what}. Lower lr, which is {net.lr}"
            + (", use precision='float32'" if net.precision != "float32" else "")
            + (", look for nan and inf in what augment returns" if net.augment else "")
            + ". The classifier "
            + (f"has the weights of epoch {n_whole}." if n_whole else "is as it was before.")
        )


class LogitsCheck(Listener):
    """Warns if the network returns probabilities, because a softmax of them is nearly uniform.

    An image may look like it by chance. The warning comes if all images of the first epoch do,
    those of training or those of validation.
    """

    def __init__(self) -> None:
        self.n_suspected = {True: 0.0, False: 0.0}  # images in training, and outside of it

    def batch_ends(self, training: TrainingRun) -> None:
        """Look at outputs, up to the first batch of logits."""
        phase = training.net.module_.training
        if self.n_suspected[phase] >= 0:
            outputs = first_output(training.outputs)
            self.n_suspected[phase] += len(outputs) if are_probabilities(outputs) else -np.inf

    def epoch_ends(self, training: TrainingRun) -> None:
        """Warn, once in a training run."""
        if max(self.n_suspected.values()) > 1:
            network = type(uncompiled(training.net.module_)).__name__
            warnings.warn(
                f"The module {network} returns probabilities: in the first epoch, no output was "
                "negative, and those of each image added up to 1. It must return logits. Remove "
                "the softmax at its end: the loss and predict_proba apply it. With two of them, no "
                "class can get a probability near 1.",
                UserWarning,
                stacklevel=2,
            )
        self.n_suspected = dict.fromkeys((True, False), -np.inf)


def are_probabilities(outputs: Any) -> bool:
    """Whether each image of a batch has numbers that are not negative and add up to 1."""
    if not isinstance(outputs, torch.Tensor):  # of a step of the user
        return False
    outputs = outputs.detach()
    rounding = max(1e-4, 2 * torch.finfo(outputs.dtype).eps)
    sums = outputs.sum(dim=-1, dtype=torch.float32)
    return bool(((sums - 1).abs() < rounding).all() and (outputs >= 0).all())


class SklearnCallbacks(Listener):
    """Tells the callbacks of scikit-learn (SLEP 23) about ``fit`` and its epochs.

    Parameters
    ----------
    estimator : estimator with ``CallbackSupportMixin`` and ``max_epochs``
        It may not have any callbacks, or not support them.
    X, y, sample_weight :
        Arguments of ``fit``, for callbacks that score.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        n_epochs = estimator.max_epochs
        self.fit = callback_context(estimator, n_epochs if isinstance(n_epochs, int) else None)
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(estimator=estimator, **self.data)

    def epoch_begins(self, training: TrainingRun) -> None:
        """Tell that an epoch begins."""
        if self.fit is not None:
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=training.net, **self.data)

    def epoch_ends(self, training: TrainingRun) -> None:
        """Tell that an epoch has ended; a callback may ask to stop the training run."""
        if self.fit is not None and self.epoch.call_on_fit_task_end(
            estimator=training.net, reconstruction_attributes={}, **self.data
        ):
            training.stopping = True

    def fit_ends(self, estimator: Any) -> None:
        """Tell that ``fit`` has ended."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(
                estimator=estimator, reconstruction_attributes={}, **self.data
            )


class FilesInUse(Listener):
    """Warns if another training run, here or in another process, writes the same files.

    It holds a lock on each file that a ``Checkpoint`` of skorch writes.
    """

    def __init__(self) -> None:
        self.locks: list[FileLock] = []

    def run_begins(self, training: TrainingRun) -> None:
        """Take the locks; warn about files whose lock is taken."""
        shared = []
        for file in sorted(files_of(training.net.callbacks_)):
            name = f"skorch_mnist-{hashlib.sha256(file.encode()).hexdigest()[:16]}.lock"
            lock = FileLock(Path(tempfile.gettempdir(), name), timeout=0, mode=0o666)
            try:
                lock.acquire()
                self.locks.append(lock)
            except Timeout:
                shared.append(file)
            except OSError:  # a folder for temporary files without locks: nothing is known
                continue
        if shared:
            warnings.warn(
                f"Another training run is writing the same files: {', '.join(shared)}. They will "
                "be mixed up. Give the Checkpoint of each process a dirname of its own; for many "
                "training runs, such as those of a search, ResumeCheckpoint(folder, "
                "subfolders=True) does that.",
                UserWarning,
                stacklevel=2,
            )

    def release(self) -> None:
        """Release the locks."""
        while self.locks:
            lock = self.locks.pop()
            with contextlib.suppress(OSError):  # Windows deletes it itself
                os.unlink(lock.lock_file)
            lock.release()


def files_of(callbacks: Iterable[tuple[str, Any]]) -> set[str]:
    """Return the files that checkpoints of skorch write, which may have fields to be filled in."""
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
    """Whether a callback, or a hook of a subclass, may read the loss of a batch at once."""
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
