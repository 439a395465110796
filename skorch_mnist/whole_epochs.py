"""Training as a whole: what stands when it is interrupted, and who may end it early."""

from __future__ import annotations

import copy
import opcode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from skorch import NeuralNetClassifier
from torch.utils.data import Dataset

from skorch_mnist._batches import innermost
from skorch_mnist._learning_rate import leave_cycle
from skorch_mnist._precision import resolve_precision
from skorch_mnist.checkpoint import ResumeCheckpoint
from skorch_mnist.sklearn_callbacks import FitTasks

__all__ = ["DURING_TRAINING", "SplitData", "WholeEpochs", "is_stop_request"]

# These go when a training ends.
DURING_TRAINING = (
    "_checkpoint",
    "_dtype",
    "_epochs",
    "_last_epoch",
    "_loader",
    "_processes",
    "_seed",
    "_tasks",
)


class SplitData(NamedTuple):
    """Images for training, and for validation if there are any."""

    train: Dataset[Any]
    valid: Dataset[Any] | None


class WholeEpochs(NeuralNetClassifier):
    """A skorch net whose training ends after whole epochs, whatever happens in one."""

    device_: Any
    precision: str

    def _train(self, data: SplitData, epochs: int, tasks: FitTasks | None = None) -> None:
        """Run skorch's loop, and end it early where a callback asks for it."""
        source = innermost(data.train)
        everything = {"X": getattr(source, "X", None), "y": getattr(source, "y", None)}
        self._tasks, self._epochs = tasks, epochs
        self._dtype = resolve_precision(self.precision, self.device_)
        leave_cycle(self.optimizer_)  # of a state that was loaded
        self.notify("on_train_begin", **everything)
        n_before = len(self.history)
        finished = self._go_on_from_checkpoint(data)
        n_done = len(self.history) - n_before
        if n_done:
            self._last_epoch = self._training_state()
        try:
            if not finished:
                self.fit_loop(data, epochs=epochs - n_done)
        except KeyboardInterrupt as interrupt:
            if not is_stop_request(interrupt):
                raise
        if self._checkpoint is not None:
            self._checkpoint.training_ended(self)
        self.notify("on_train_end", **everything)
        leave_cycle(self.optimizer_)

    def _go_on_from_checkpoint(self, data: SplitData) -> bool:
        """Take the state that a ``ResumeCheckpoint`` has kept; return whether that is the end."""
        kept = [call for _, call in self.callbacks_ if isinstance(call, ResumeCheckpoint)]
        if len(kept) > 1:
            raise ValueError("Of callbacks, at most one may be a ResumeCheckpoint.")
        if kept and self._tasks is None:
            raise ValueError(
                "ResumeCheckpoint goes on with fit: partial_fit is one epoch each time. Set "
                "callbacks=None, or save the classifier after each call."
            )
        self._checkpoint = kept[0] if kept else None
        return self._checkpoint is not None and self._checkpoint.begin(self, data)

    @contextmanager
    def _all_or_whole_epochs(self) -> Iterator[None]:
        """After an error, go back to the last finished epoch, or to the state before."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self._leave_processes()
            self._leave_checkpoint()
            if hasattr(self, "_last_epoch"):
                self._restore(self._last_epoch)
                self.notify("on_train_end", X=None, y=None)
                leave_cycle(self.optimizer_)
            else:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        finally:
            self._leave_checkpoint()
            self._leave_processes()
            for name in DURING_TRAINING:
                self.__dict__.pop(name, None)

    def _leave_processes(self) -> None:
        if (processes := self.__dict__.get("_processes")) is not None:
            processes.release()

    def _leave_checkpoint(self) -> None:
        if checkpoint := self.__dict__.pop("_checkpoint", None):
            checkpoint.leave()

    def _training_state(self) -> tuple[int, dict[str, Any]]:
        """Return the number of finished epochs, and a copy of everything that an epoch changes."""
        names = [f"{name}_" for name in (*self._modules, *self._criteria, *self._optimizers)]
        components = {name: getattr(self, name) for name in names}
        return len(self.history), {
            name: copy.deepcopy(component.state_dict())
            for name, component in components.items()
            if hasattr(component, "state_dict")
        }

    def _restore(self, state: tuple[int, dict[str, Any]]) -> None:
        n_epochs, components = state
        for name, weights in components.items():
            getattr(self, name).load_state_dict(weights)
        del self.history[n_epochs:]


def is_stop_request(interrupt: KeyboardInterrupt) -> bool:
    """Whether a callback raised ``interrupt`` to end the training, as skorch's do.

    Ctrl-C surfaces between two instructions or inside a call; a callback has a raise statement.
    """
    traceback, in_callback = interrupt.__traceback__, False
    while traceback is not None and traceback.tb_next is not None:
        in_callback |= traceback.tb_frame.f_code.co_name == "notify"
        traceback = traceback.tb_next
    if traceback is None or not in_callback:
        return False
    instruction = traceback.tb_frame.f_code.co_code[traceback.tb_lasti]
    return opcode.opname[instruction] == "RAISE_VARARGS"
