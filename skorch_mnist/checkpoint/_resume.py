"""Training that may be cut off at any moment: its state after each epoch, and the way on."""

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

from skorch_mnist._progress import TrainingBar, show
from skorch_mnist._storage._plain_data import UnstorableError, decode, encode
from skorch_mnist._storage._tensor_file import DamagedFileError, read_tensors, write_tensors

from ._callback_state import (
    get_callback_state,
    names_with_state,
    set_callback_state,
)
from ._folder import TrainingFolder
from ._identity import describe_differences, identity
from ._training_state import (
    get_generators,
    get_network,
    set_generators,
    set_network,
)

__all__ = ["ResumeCheckpoint"]

FORMAT = 1
KEY = "skorch_mnist_checkpoint"
SUBFOLDER = "training-[0-9a-f]{16}"
DISPLAYS = EpochTimer, PrintLog, ProgressBar, TrainingBar  # they neither steer nor remember


class ResumeCheckpoint(Callback):
    """Go on with a training that was cut off, from its last finished epoch.

    After each epoch, everything that the training needs is written into a folder: weights,
    optimizer, schedule, generators, history, and the state of the other callbacks. A process may be
    killed at any moment; the same call of ``fit``, with the same parameters and data, then goes on,
    and ends with the weights of a training that was never cut off, to the bit. The same call after
    the end of a training gives its result at once.

    Parameters
    ----------
    folder : path-like
        For one call of ``fit`` of an ``MNISTCNNClassifier``, or with ``subfolders`` for many;
        created if it is missing. Delete it to start anew.
    sink : callable, default=skorch_mnist._progress.show
        Gets the line that says where the training goes on, if ``verbose`` is not 0. The default
        prints it, but not in worker processes.
    subfolders : bool, default=False
        Whether each training gets a folder of its own in ``folder``, named after its parameters,
        data and seed: a cross-validation or a search that was cut off then repeats no training
        that is finished. Each takes three times the memory of the weights.

    Raises
    ------
    ValueError
        At the beginning of ``fit``: if ``random_state`` is None; if the folder holds the training
        of other parameters or data, or another process uses it; if the checkpoint is damaged.
    OSError
        At the beginning of ``fit``, if the folder cannot be written.

    Warns
    -----
    UserWarning
        If a checkpoint cannot be written later, for lack of space for instance: the training goes
        on, and the checkpoint of an earlier epoch stays.

    Notes
    -----
    Of a callback, the attributes that end in ``_`` are kept, where they are numbers, texts,
    tensors, arrays, or lists, tuples, sets and dicts of them, or have ``state_dict`` and
    ``load_state_dict``; the latter must exist when the training begins.

    Of the generators, those of torch are kept: the global ones, and those of the loader and of its
    sampler. Draws from numpy's global generator, or from loaders' workers that persist from epoch
    to epoch, are not repeated. Images that a torch data set reads one by one are not compared, only
    their mean, deviation and range; random transforms of such a data set draw before the training
    is seeded, so that they need ``torch.manual_seed`` before ``fit``. Functions are compared by
    their code and what they enclose, objects by their public attributes.

    A callback that ends the training, as early stopping does, ends it for good: the same call gives
    the result.

    What is computed depends on the number of threads too, on the device, and on the versions of
    torch.

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
        """Return the parameters: a lock is not for other processes."""
        return {"folder": self.folder, "sink": self.sink, "subfolders": self.subfolders}

    # --- the course of a training -----------------------------------------------------------

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Raise a TypeError for a net that knows nothing of checkpoints like this."""
        if not hasattr(net, "_go_on_from_checkpoint"):
            raise TypeError(
                f"ResumeCheckpoint works in MNISTCNNClassifier, not in {type(net).__name__}."
            )

    def begin(self, net: Any, data: Any) -> bool:
        """Take the folder, and the state of ``net`` from it if there is one.

        Returns
        -------
        bool
            Whether the training is over already.
        """
        if net.random_state is None:
            raise ValueError(
                "ResumeCheckpoint needs a random_state: without one, the same call of fit draws "
                "other weights and another split. Set random_state to an int."
            )
        callbacks = dict(others(net))
        self.identity_ = identity(net, data, callbacks)
        of_training = name_of_subfolder(self.identity_) if self.subfolders else ""
        self.folder_ = TrainingFolder(Path(self.folder, of_training))
        processes = net._processes
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
        self.finished_ = self.folder_.file.exists() and self._restore(net)
        if processes is not None:
            processes.check_agreement(
                len(net.history),
                f"Not all processes find the same checkpoint in {self.folder}: it must be a folder "
                "that all machines share.",
            )
        if net.verbose and net.history:
            n_epochs = len(net.history)
            self.sink(
                f"The training in {self.folder} ended after epoch {n_epochs}: this is its result."
                if self.finished_
                else f"Going on after epoch {n_epochs}, from {self.folder}."
            )
        return self.finished_

    def epoch_begins(self, net: Any) -> None:
        """Put the generators where they were, in the first epoch after the way back."""
        if self.generators_ is not None:
            set_generators(net, self.generators_)
            self.generators_ = None

    def epoch_ended(self, net: Any) -> None:
        """Write the checkpoint of an epoch."""
        self._write(net, finished=False)

    def training_ended(self, net: Any) -> None:
        """Write that no epoch is left; what callbacks do at the end, they do again."""
        if not self.finished_:
            self._write(net, finished=True)

    def leave(self) -> None:
        """Let other processes take the folder."""
        if hasattr(self, "folder_"):
            self.folder_.leave()

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

    def _restore(self, net: Any) -> bool:
        """Give ``net`` the state in the file; return whether its training is over."""
        file = self.folder_.file
        damaged = f"{file} is damaged, or no checkpoint: delete it to start anew."
        try:
            manifest, tensors = read_tensors(file, KEY, newest=FORMAT)
        except DamagedFileError as error:
            raise ValueError(damaged) from error
        if differences := describe_differences(self.identity_, manifest["identity"]):
            raise ValueError(
                f"{self.folder} holds another training: {differences}. Call fit with the same "
                "parameters and data to go on with it; or use another folder, or delete this "
                "one, to start anew. For many trainings, as those of a cross-validation, set "
                "subfolders=True."
            )
        try:
            state = decode(manifest["state"], tensors)
            net._restore((0, state["components"]))
            net.history.extend(state["history"])
            callbacks = dict(others(net))
            for name, learned in state["callbacks"].items():
                set_callback_state(callbacks[name], learned)
            set_network(net.module_, state["network"])
            self.generators_ = state["generators"]
            return bool(state["finished"])
        except Exception as error:  # whatever a forged file leads to
            raise ValueError(damaged) from error

    def _write(self, net: Any, *, finished: bool) -> None:
        if not self.writes_:
            return
        tensors: dict[str, torch.Tensor] = {}
        try:
            state = {
                "finished": finished,
                "history": list(net.history),
                "components": net._training_state()[1],
                "callbacks": {
                    name: get_callback_state(name, callback, self.with_state_.get(name, ()))
                    for name, callback in others(net)
                },
                "network": get_network(net.module_),
                "generators": get_generators(net),
            }
            encoded = encode(state, tensors)
        except UnstorableError as error:
            raise ValueError(
                f"ResumeCheckpoint cannot write this training: {error}. Leave out the callback "
                "that keeps it or records it in the history."
            ) from error
        facts = {"identity": self.identity_, "state": encoded}
        try:
            write_tensors(self.folder_.file, KEY, FORMAT, facts, tensors)
        except OSError as error:
            warnings.warn(
                f"The checkpoint after epoch {len(net.history)} could not be written ({error}). "
                "The training goes on; the checkpoint before stays.",
                UserWarning,
                stacklevel=2,
            )


def name_of_subfolder(identity: Mapping[str, Any]) -> str:
    """Return the name of the folder of one training among many."""
    text = json.dumps(identity, sort_keys=True)
    return f"training-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def others(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield the callbacks whose state belongs to a training."""
    for name, callback in net.callbacks_:
        if not isinstance(callback, (*DISPLAYS, ResumeCheckpoint)):
            yield name, callback
