"""The callback that writes a checkpoint after each epoch, and resumes from it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from skorch.callbacks import Callback, EpochTimer, PrintLog, ProgressBar

from skorch_mnist._listeners import Listener
from skorch_mnist._progress import TrainingBar, show
from skorch_mnist._storage._plain_data import UnstorableError, decode, encode
from skorch_mnist._storage._tensor_file import DamagedFileError, read_tensors, write_tensors
from skorch_mnist._training import TrainingRun

from ._callback_state import get_callback_state, names_with_state, set_callback_state
from ._folder import TrainingFolder
from ._identity import describe_differences, identity
from ._training_state import get_generators, get_network, set_generators, set_network

FORMAT = 1
KEY = "skorch_mnist_checkpoint"
SUBFOLDER = "training-[0-9a-f]{16}"
DISPLAYS = EpochTimer, PrintLog, ProgressBar, TrainingBar  # they do not affect training


class ResumeCheckpoint(Callback, Listener):  # type: ignore[misc, unused-ignore]
    """Resume an interrupted training run from its last finished epoch.

    After each epoch, this callback writes everything that training depends on to a folder: weights,
    optimizer, schedule, generators, history, and the state of the other callbacks. The process can
    be killed at any time. Calling ``fit`` again with the same parameters and data resumes training,
    and the final weights are bit-identical to those of an uninterrupted run. After the end of a
    training run, the same call immediately returns its result.

    Parameters
    ----------
    folder : path-like
        Folder for one call to ``fit`` of an ``MNISTCNNClassifier``, or for many calls with
        ``subfolders``. Created if missing. Delete it to start over.
    sink : callable, optional
        Called with a message about where training resumes, unless ``verbose`` is 0. By default, the
        message is printed, but not in worker processes.
    subfolders : bool, default=False
        Whether each training run has its own folder in ``folder``, named after its parameters, data
        and seed. An interrupted cross-validation or search then does not repeat finished runs.
        Each folder takes three times the size of the weights.

    Raises
    ------
    ValueError
        At the beginning of ``fit``, if ``random_state`` is None, if the folder contains a training
        run with other parameters or data, if another process uses the folder, or if the checkpoint
        is damaged.
    OSError
        At the beginning of ``fit``, if the folder cannot be written.

    Warns
    -----
    UserWarning
        If a checkpoint cannot be written later, for example because the disk is full. Training
        continues, and the checkpoint of an earlier epoch is kept.

    Notes
    -----
    Attributes of callbacks that end in ``_`` are saved if they are numbers, strings, tensors,
    arrays, or lists, tuples, sets and dicts of these, or if they have ``state_dict`` and
    ``load_state_dict``. The latter must exist when training begins.

    The states of PyTorch generators are saved: the global ones, and those of the loader and its
    sampler. Random numbers from the global generator of NumPy, or in loader workers that persist
    between epochs, are not reproduced. The images of a PyTorch dataset that are read lazily are not
    compared, only their mean, standard deviation and range. Random transforms of such a dataset run
    before training is seeded, so call ``torch.manual_seed`` before ``fit``. Functions are compared
    by their code and their closures, and objects by their public attributes.

    If a callback stops training, for example early stopping, the training run is finished, and the
    same call returns its result.

    Results also depend on the number of threads, the device, and the version of PyTorch.

    Examples
    --------
    >>> import tempfile
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> from skorch_mnist.checkpoint import ResumeCheckpoint
    >>> X, y = load_digits28(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf = MNISTCNNClassifier(
    ...         max_epochs=1, random_state=0, callbacks=[ResumeCheckpoint(folder)], verbose=0
    ...     )
    ...     clf = clf.fit(X, y)
    ...     again = clf.fit(X, y)  # nothing is left to do
    >>> again.n_iter_
    1
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        sink: Callable[[str], Any] = show,
        *,
        subfolders: bool = False,
    ) -> None:
        self.folder = folder
        self.sink = sink
        self.subfolders = subfolders

    def __getstate__(self) -> dict[str, Any]:
        """Return only the parameters, because other processes must not receive the lock."""
        return {"folder": self.folder, "sink": self.sink, "subfolders": self.subfolders}

    # --- events of a training run -------------------------------------------------------------

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Raise a TypeError for a net that does not support these checkpoints."""
        if not hasattr(net, "_training"):
            raise TypeError(
                f"ResumeCheckpoint requires an MNISTCNNClassifier; got {type(net).__name__}."
            )

    def run_begins(self, training: TrainingRun) -> None:
        """Lock the folder, and restore the state of the training run if it has a checkpoint."""
        net, processes = training.net, training.processes
        self._check(training)
        callbacks = dict(others(net))
        self.identity_ = identity(training, callbacks)
        subfolder = name_of_subfolder(self.identity_) if self.subfolders else ""
        self.folder_ = TrainingFolder(Path(self.folder, subfolder))
        self.writes_ = processes is None or processes.is_first
        failure = None
        if self.writes_:
            try:
                self.folder_.take()
            except (OSError, ValueError) as error:
                failure = error
        if processes is not None:
            failure = processes.same(failure)
        if failure is not None:
            raise failure
        self.with_state_ = {name: names_with_state(one) for name, one in callbacks.items()}
        self.generators_: dict[str, Any] | None = None
        found = self.folder_.file.exists()
        training.finished = found and self._restore(training)
        if processes is not None:
            processes.check_agreement(
                len(net.history),
                f"The processes that train together found different checkpoints in {self.folder}. "
                "Use a folder that all machines share.",
            )
        if net.verbose and found:
            n_epochs = len(net.history)
            self.sink(
                f"The training run in {self.folder} already finished, after epoch {n_epochs}."
                if training.finished
                else f"Resuming after epoch {n_epochs}, from {self.folder}."
            )

    def _check(self, training: TrainingRun) -> None:
        """Raise a ValueError if this training run cannot be resumed."""
        callbacks = [callback for _, callback in training.net.callbacks_]
        if sum(isinstance(callback, ResumeCheckpoint) for callback in callbacks) > 1:
            raise ValueError("callbacks can contain only one ResumeCheckpoint.")
        if training.tasks is None:
            raise ValueError(
                "ResumeCheckpoint does not support partial_fit, which trains one epoch at a time. "
                "Remove it from callbacks, and save the classifier after each call."
            )
        if training.net.random_state is None:
            raise ValueError(
                "ResumeCheckpoint requires a random_state, because otherwise each call to fit "
                "draws new weights and a new validation split. Set random_state to an int."
            )

    def epoch_begins(self, training: TrainingRun) -> None:
        """Restore the generators in the first epoch after resuming."""
        if self.generators_ is not None:
            set_generators(training, self.generators_)
            self.generators_ = None

    def epoch_ends(self, training: TrainingRun) -> None:
        """Write a checkpoint, unless ``run_ends`` will write it."""
        if not training.stopping:
            self._write(training, finished=False)

    def run_ends(self, training: TrainingRun) -> None:
        """Mark the training run as finished; callbacks repeat what they do at the end."""
        if not training.finished:
            self._write(training, finished=True)

    def release(self) -> None:
        """Release the folder, so that other processes can use it."""
        if hasattr(self, "folder_"):
            self.folder_.release()

    def discard(self) -> None:
        """Delete the checkpoint, and the folder if nothing else is in it.

        Raises
        ------
        ValueError
            If another process uses the folder.
        """
        root = Path(self.folder)
        if not root.is_dir():
            return
        within = [path for path in root.iterdir() if re.fullmatch(SUBFOLDER, path.name)]
        for folder in [path for path in within if path.is_dir()] if self.subfolders else [root]:
            TrainingFolder(folder).delete()
        if self.subfolders:
            with contextlib.suppress(OSError):
                root.rmdir()

    # --- file -------------------------------------------------------------------------------

    def _restore(self, training: TrainingRun) -> bool:
        """Restore the state in the file; return whether the training run is finished."""
        net = training.net
        file = self.folder_.file
        damaged = f"{file} is damaged or not a checkpoint. Delete it to start over."
        try:
            manifest, tensors = read_tensors(file, KEY, newest=FORMAT)
        except DamagedFileError as error:
            raise ValueError(damaged) from error
        if differences := describe_differences(self.identity_, manifest["identity"]):
            raise ValueError(
                f"{self.folder} contains a different training run: {differences}. To resume it, "
                "call fit with the same parameters and data. To start over, use another folder, or "
                "delete this one. For many training runs, such as those of a cross-validation, set "
                "subfolders=True."
            )
        try:
            state = decode(manifest["state"], tensors)
            training.restore(state["components"])
            net.history.extend(state["history"][len(net.history) :])  # a warm start has some
            callbacks = dict(others(net))
            for name, learned in state["callbacks"].items():
                set_callback_state(callbacks[name], learned)
            set_network(net.module_, state["network"])
            self.generators_ = state["generators"]
            return bool(state["finished"])
        except Exception as error:  # a forged file can cause any error
            raise ValueError(damaged) from error

    def _write(self, training: TrainingRun, *, finished: bool) -> None:
        if not self.writes_:
            return
        net = training.net
        tensors: dict[str, torch.Tensor] = {}
        try:
            state = {
                "finished": finished,
                "history": list(net.history),
                "components": training.snapshot().components,
                "callbacks": {
                    name: get_callback_state(name, callback, self.with_state_.get(name, ()))
                    for name, callback in others(net)
                },
                "network": get_network(net.module_),
                "generators": get_generators(training),
            }
            encoded = encode(state, tensors)
        except UnstorableError as error:
            raise ValueError(
                f"ResumeCheckpoint cannot save this training run: {error}. Remove the callback "
                "that stores this value, or that records it in the history."
            ) from error
        facts = {"identity": self.identity_, "state": encoded}
        try:
            write_tensors(self.folder_.file, KEY, FORMAT, facts, tensors)
        except OSError as error:
            warnings.warn(
                f"The checkpoint after epoch {len(net.history)} could not be written ({error}). "
                "Training continues, and the previous checkpoint is kept.",
                UserWarning,
                stacklevel=2,
            )


def name_of_subfolder(identity: Mapping[str, Any]) -> str:
    """Return the name of the subfolder of a training run."""
    text = json.dumps(identity, sort_keys=True)
    return f"training-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def others(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield the callbacks whose state is part of a training run, with their names."""
    for name, callback in net.callbacks_:
        if not isinstance(callback, (*DISPLAYS, ResumeCheckpoint)):
            yield name, callback
