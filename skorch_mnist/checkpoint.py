"""Training that may be cut off at any moment: its state after each epoch, and the way on."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from skorch.callbacks import Callback, EpochTimer, PrintLog, ProgressBar

from skorch_mnist.batches import BatchReader
from skorch_mnist.plain_data import UnstorableError, decode, encode, name_of
from skorch_mnist.tensor_file import DamagedFileError, read_tensors, write_tensors

__all__ = ["ResumeCheckpoint"]

FORMAT = 1
KEY = "skorch_mnist_checkpoint"
FILE = "training.safetensors"
PATIENCE = 10.0  # seconds: loaders' workers outlive a killed process for a moment
ROWS_PER_CHUNK = 2048
DISPLAYS = (EpochTimer, PrintLog, ProgressBar)  # they neither steer a training nor remember it
WITHOUT_EFFECT = {"callbacks", "verbose"}  # callbacks are compared one by one


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
        For one training; created if it is missing. Delete it to start anew.
    sink : callable, default=print
        Gets the line that says where the training goes on, if ``verbose`` is not 0.

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
    tensors, arrays, lists or dicts, or have ``state_dict`` and ``load_state_dict``. Images that a
    torch data set reads one by one are not compared, only their mean, deviation and range. What is
    computed depends on the number of threads too, and on the versions of torch and of the device.

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

    def __init__(self, folder: str | os.PathLike[str], sink: Callable[[str], Any] = print) -> None:
        self.folder = folder
        self.sink = sink

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameters: a lock is not for other processes."""
        return {"folder": self.folder, "sink": self.sink}

    # --- the course of a training -----------------------------------------------------------

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
        self._take_folder()
        self.generators_: dict[str, Any] | None = None
        self.identity_ = identity(net, data)
        self.finished_ = self.path_.exists() and self._restore(net)
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
        """Write the result."""
        if not self.finished_:
            self._write(net, finished=True)

    def leave(self) -> None:
        """Let other processes take the folder."""
        if hasattr(self, "lock_"):
            self.lock_.release()
            del self.lock_

    # --- folder -----------------------------------------------------------------------------

    @property
    def path_(self) -> Path:
        """The file of the checkpoint."""
        return Path(self.folder) / FILE

    def _take_folder(self) -> None:
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.lock_ = FileLock(folder / ".lock", is_singleton=True)
        try:
            self.lock_.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise ValueError(
                f"Another process trains with the folder {folder}: give each training a folder of "
                "its own."
            ) from error
        for left in folder.glob(".*.part"):  # of a process that was killed while it wrote
            left.unlink()

    def _restore(self, net: Any) -> bool:
        """Give ``net`` the state in the file; return whether its training is over."""
        damaged = f"{self.path_} is damaged, or no checkpoint: delete it to start anew."
        try:
            manifest, tensors = read_tensors(self.path_, KEY, newest=FORMAT)
        except DamagedFileError as error:
            raise ValueError(damaged) from error
        if differences := describe_differences(self.identity_, manifest["identity"]):
            raise ValueError(
                f"{self.folder} holds another training: {differences}. Call fit with the same "
                "parameters and data to go on with it; or use another folder, or delete this "
                "one, to start anew."
            )
        try:
            state = decode(manifest["state"], tensors)
            net._restore((0, state["components"]))
            net.history.extend(state["history"])
            callbacks = dict(others(net))
            for name, kept in state["callbacks"].items():
                restore(callbacks[name], kept)
            self.generators_ = state["generators"]
            return bool(state["finished"])
        except Exception as error:  # whatever a forged file leads to
            raise ValueError(damaged) from error

    def _write(self, net: Any, *, finished: bool) -> None:
        tensors: dict[str, torch.Tensor] = {}
        try:
            state = {
                "finished": finished,
                "history": list(net.history),
                "components": net._training_state()[1],
                "callbacks": {name: state_of(callback) for name, callback in others(net)},
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
            write_tensors(self.path_, KEY, FORMAT, facts, tensors)
        except OSError as error:
            warnings.warn(
                f"The checkpoint after epoch {len(net.history)} could not be written ({error}). "
                "The training goes on; the checkpoint before stays.",
                UserWarning,
                stacklevel=2,
            )


# --- state ----------------------------------------------------------------------------------


def others(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield the callbacks whose state belongs to a training."""
    for name, callback in net.callbacks_:
        if not isinstance(callback, (*DISPLAYS, ResumeCheckpoint)):
            yield name, callback


def state_of(callback: Any) -> dict[str, Any]:
    """Return what a callback has learned: its attributes that are plain data or have a state."""
    state = {}
    for name, value in vars(callback).items():
        if name.endswith("_"):
            if hasattr(value, "state_dict") and not isinstance(value, type):
                state[name] = value.state_dict()
            elif is_plain(value):
                state[name] = value
    return state


def is_plain(value: Any) -> bool:
    """Whether ``value`` can be written."""
    try:
        encode(value, {})
    except UnstorableError:
        return False
    return True


def restore(callback: Any, state: Mapping[str, Any]) -> None:
    """Give a callback its state back."""
    for name, value in state.items():
        current: Any = getattr(callback, name, None)
        if hasattr(current, "load_state_dict"):
            current.load_state_dict(value)
        else:
            setattr(callback, name, value)


def get_generators(net: Any) -> dict[str, Any]:
    """Return the state of all generators that decide about the training."""
    generators = {"cpu": torch.get_rng_state()}
    if net.device_.type in ("cuda", "mps"):
        generators["device"] = device_generator(net.device_).get_rng_state(*on(net.device_))
    loader = getattr(vars(net).get("_loader"), "generator", None)
    if loader is not None:
        generators["loader"] = loader.get_state()
    return generators


def set_generators(net: Any, generators: Mapping[str, torch.Tensor]) -> None:
    """Put all generators into the state that ``get_generators`` returned."""
    torch.set_rng_state(generators["cpu"])
    if "device" in generators:
        device_generator(net.device_).set_rng_state(generators["device"], *on(net.device_))
    if "loader" in generators:
        net._loader.generator.set_state(generators["loader"])


def device_generator(device: torch.device) -> Any:
    """Return the module of torch that holds the generator of ``device``."""
    return torch.cuda if device.type == "cuda" else torch.mps


def on(device: torch.device) -> tuple[torch.device, ...]:
    """Return ``device`` as an argument; there is only one MPS device."""
    return (device,) if device.type == "cuda" else ()


# --- which training -------------------------------------------------------------------------


def identity(net: Any, data: Any) -> dict[str, Any]:
    """Return what tells one training from another, in JSON's types."""
    params = {
        name: named(value)
        for name, value in net.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    callbacks = {
        f"callbacks__{name}": [name_of(callback), named(callback.get_params(deep=False))]
        for name, callback in others(net)
    }
    return {
        "params": {**params, **callbacks, "device": net.device_.type},
        "data": digest_of_data(net, data),
        "start": digest_of_start(net),
    }


def named(value: Any) -> Any:
    """Return ``value`` in JSON's types; by the name of its kind where it is no plain data."""
    if isinstance(value, Mapping):
        return {str(key): named(item) for key, item in value.items()}
    try:
        return encode(value)
    except UnstorableError:
        return name_of(value)


def describe_differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Say how a training differs from the one in a file; an empty text if it does not."""
    now, then = here["params"], there["params"]
    changed = [name for name in {**now, **then} if now.get(name) != then.get(name)]
    if changed:
        return ", ".join(f"{name} is {now.get(name)!r}, was {then.get(name)!r}" for name in changed)
    if here["data"] != there["data"]:
        return "its images, labels or weights are others, or in another order"
    if here["start"] != there["start"]:
        return "it began with other weights, or another state of random_state"
    return ""


def digest_of_data(net: Any, data: Any) -> str:
    """Return a hash of all that ``fit`` was given."""
    sha256 = hashlib.sha256(
        repr([net.pixel_statistics_, net.image_shape_, net.classes_.tolist()]).encode()
    )
    seen = set()
    for dataset in data:
        if not BatchReader.reads(dataset):  # none, or of a splitter of the user's
            sha256.update(repr(None if dataset is None else len(dataset)).encode())
            continue
        reader = BatchReader(dataset)
        source = reader.dataset
        sha256.update(reader.rows.astype(np.int64).data)
        if id(source) not in seen:
            seen.add(id(source))
            parts = [source.codes, source.sample_weight, source.X]
            for part in parts:
                if isinstance(part, np.ndarray):
                    for start in range(0, len(part), ROWS_PER_CHUNK):
                        rows = np.ascontiguousarray(part[start : start + ROWS_PER_CHUNK])
                        sha256.update(rows.view(np.uint8).data)
    return sha256.hexdigest()


def digest_of_start(net: Any) -> str:
    """Return a hash of the weights and generators that a training begins with."""
    sha256 = hashlib.sha256(torch.get_rng_state().numpy().data)
    for name, tensor in net.module_.state_dict().items():
        sha256.update(name.encode())
        sha256.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()
