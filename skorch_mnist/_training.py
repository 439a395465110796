"""A training run: everything that exists only while ``fit`` or ``partial_fit`` is running."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from torch.utils.data import Dataset

from skorch_mnist._devices import move_components, resolve_device, resolve_precision, seeded
from skorch_mnist._learning_rate import (
    StepsTaken,
    continue_schedules,
    rates_of,
    renew_rates,
    schedulers_of,
)
from skorch_mnist._listeners import (
    DivergenceCheck,
    FilesInUse,
    Listener,
    LogitsCheck,
    SklearnCallbacks,
    watches_batches,
)

Hears = dict[str, list[Callable[["TrainingRun"], None]]]


class SplitData(NamedTuple):
    """Images for training, and for validation if there are any."""

    train: Dataset[Any]
    valid: Dataset[Any] | None


class Snapshot(NamedTuple):
    """Everything that an epoch changes, after a whole epoch."""

    n_epochs: int
    components: dict[str, Any]  # state_dict by name


class TrainingRun:
    """One call to ``fit`` or ``partial_fit``, from the checks of the data to the last epoch.

    ``TrainingRun.of`` opens a training run and stores it in ``_training`` of the net. The run knows
    the net and its listeners; a listener knows the run, but not the other listeners.

    Attributes
    ----------
    net : classifier
    epochs : int
        Number of epochs to train.
    tasks : SklearnCallbacks or None
        None in ``partial_fit``, of which scikit-learn callbacks are not notified.
    processes : Processes or None
        The processes that train the network together; None without an ``accelerator``.
    n_processes : int
    random_state : RandomState
        Generator for the parameter ``random_state``, the same in all processes.
    data : SplitData
    seed : int
        Seed of the generators of PyTorch.
    device : torch.device
    dtype : torch.dtype
        Precision of training.
    listeners : list of Listener
        In the order in which they are notified.
    is_watched : bool
        Whether a callback may read the loss of a batch before the epoch ends.
    loader : iterable
        Training batches; set when skorch has created it.
    batch : tuple
        The current batch.
    outputs : tensor, or anything else that the network returns
        Outputs for the current batch, while its step ends.
    finished : bool
        Whether there are no more epochs to train.
    stopping : bool
        Whether a callback has requested to stop.
    callbacks_changed : bool
        Whether parameters of callbacks were set; the next training run then creates new callbacks.
    """

    n_processes = 1
    random_state: np.random.RandomState
    data: SplitData
    seed: int
    device: torch.device
    dtype: torch.dtype
    is_watched: bool
    loader: Any = None
    batch: Any = None
    outputs: Any = None

    def __init__(self, net: Any, epochs: int, tasks: SklearnCallbacks | None) -> None:
        self.net = net
        self.epochs = epochs
        self.tasks = tasks
        self.processes: Any = None
        self.listeners: list[Listener] = []
        self.before: Hears = {}  # who is notified of an event before the callbacks of skorch
        self.after: Hears = {}
        self.finished = self.stopping = self.interrupted = self.callbacks_changed = False
        self.last_epoch: Snapshot | None = None

    @classmethod
    @contextmanager
    def of(
        cls, net: Any, epochs: int, tasks: SklearnCallbacks | None = None
    ) -> Iterator[TrainingRun]:
        """Open the training run of a net.

        After an error inside the context, the net returns to its state after the last finished
        epoch, or before the call if no epoch was finished.

        Raises
        ------
        RuntimeError
            If the net is already being trained.
        """
        if net._training is not None:
            raise RuntimeError(
                f"This {type(net).__name__} is already being trained, by another thread or by the "
                "caller of this callback. Train a clone of it, or wait until training has finished."
            )
        training, before = cls(net, epochs, tasks), vars(net).copy()
        net._training = training
        try:
            with training._noting_ctrl_c():
                training._join_processes()
                yield training
        except BaseException:
            training._release()
            if training.last_epoch is None:
                vars(net).clear()
                vars(net).update(before)
            else:
                training._go_back_to(training.last_epoch)
            raise
        finally:
            training._release()
            vars(net).pop("_training", None)
            if training.callbacks_changed:
                vars(net).pop("callbacks_", None)
            net.accelerator = before["accelerator"]

    def _join_processes(self) -> None:
        net = self.net
        self.random_state = check_random_state(net.random_state)
        if net.accelerator is not None:
            from skorch_mnist._processes import Processes

            self.processes = Processes.of(net.accelerator, net.device)
            net.accelerator = self.processes.accelerator  # LRScheduler does not accept "auto"
            self.n_processes = self.processes.share.n_processes
            if net.random_state is None:
                self.random_state = self.processes.same_random_state(self.random_state)

    def run(self, data: SplitData, X: Any, y: Any) -> None:
        """Seed PyTorch and run the training loop of skorch, until a callback requests to stop.

        Callbacks receive ``X`` and ``y`` when training begins and ends.
        """
        net = self.net
        self.data = data
        self.seed = net._random_state.randint(np.iinfo(np.int32).max)
        if self.processes is None:
            self.device = resolve_device(net.device)
        else:
            self.device = self.processes.device
            self.processes.check_same_run(self)
        self.dtype = resolve_precision(net.precision, self.device)
        with seeded(self.seed, self.device):
            if net.initialized_:
                taken = self._prepare_to_continue()
                self.last_epoch = self.snapshot()
            else:
                net.initialize()
                taken = None
            net.notify("on_train_begin", X=X, y=y)
            if net.history:
                continue_schedules(net, taken)
            self.is_watched = watches_batches(net)
            self.listeners = [  # listeners that may stop the run come before those that write it
                FilesInUse(),
                DivergenceCheck(),
                LogitsCheck(),
                *([self.tasks] if self.tasks is not None else []),
                *([self.processes] if self.n_processes > 1 else []),
                *(callback for _, callback in net.callbacks_ if isinstance(callback, Listener)),
            ]
            n_before = len(net.history)
            for listener in self.listeners:
                listener.run_begins(self)
            n_resumed = len(net.history) - n_before
            if n_resumed:
                self.last_epoch = self.snapshot()
            self._connect_listeners()
            try:
                if not self.finished:
                    net.fit_loop(data, epochs=self.epochs - n_resumed)
            except KeyboardInterrupt:
                if not self.stopping:
                    raise
            for listener in self.listeners:
                listener.run_ends(self)
            net.notify("on_train_end", X=X, y=y)

    def _prepare_to_continue(self) -> StepsTaken:
        """Create missing components, and return the state of the schedulers."""
        net = self.net
        schedulers = schedulers_of(getattr(net, "callbacks_", net._named_callbacks()))
        if net.device_ != self.device:
            move_components(net, self.device)
        if not hasattr(net, "callbacks_"):  # parameters of callbacks were set
            net._initialize_callbacks()
        if not hasattr(net, "optimizer_"):  # after loading a pickle
            net.initialize_optimizer()
            renew_rates(net.optimizer_, schedulers)
        for group in net.optimizer_.param_groups:
            group.setdefault("initial_lr", group["lr"])  # for schedulers that continue
        return StepsTaken(schedulers, rates_of(net.optimizer_))

    # --- events -------------------------------------------------------------------------------

    def _connect_listeners(self) -> None:
        """Connect the listeners to the events of skorch.

        The last one to be notified of the end of an epoch is the first at its beginning.
        """
        listeners = self.listeners
        self.before = {
            "on_epoch_begin": [listener.epoch_begins for listener in reversed(listeners)],
            "on_grad_computed": [listener.gradients_computed for listener in listeners],
            "on_batch_end": [listener.batch_ends for listener in listeners],
        }
        self.after = {
            "on_batch_begin": [listener.batch_begins for listener in listeners],
            "on_epoch_end": [
                TrainingRun._keep_epoch,
                *(listener.epoch_ends for listener in listeners),
                TrainingRun._stop_if_asked,
            ],
        }

    def _keep_epoch(self) -> None:
        """Save the state at the end of an epoch, to return to it after an error.

        If the epoch has the mean of its batches, only the record of the last batch is kept. It
        shows callbacks such as ``TrainEndCheckpoint`` which values are recorded.
        """
        epoch = self.net.history[-1]
        if "train_loss" in epoch and not self.is_watched:
            del epoch["batches"][:-1]
        self.last_epoch = self.snapshot()

    def _stop_if_asked(self) -> None:
        if self.stopping:
            raise KeyboardInterrupt  # as callbacks of skorch do; it leaves fit_loop

    def weights_updated(self) -> None:
        """Notify listeners that all training batches of an epoch are done."""
        for listener in self.listeners:
            listener.weights_updated(self)

    def batches(self, loader: Any) -> Any:
        """Return the batches of a loader, with the images for this process."""
        return loader if self.processes is None else self.processes.batches(loader)

    def note_stop(self, event: str) -> bool:
        """Record that a callback raised KeyboardInterrupt; return whether the epoch is finished.

        skorch callbacks stop training this way. Ctrl-C ends it with an error instead.
        """
        self.stopping = not self.interrupted
        return self.stopping and event == "on_epoch_end"

    @contextmanager
    def _noting_ctrl_c(self) -> Iterator[None]:
        """Record whether Ctrl-C caused a KeyboardInterrupt; only the main thread gets signals."""
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            yield
            return

        def noting(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except KeyboardInterrupt:
                self.interrupted = True
                raise

        signal.signal(signal.SIGINT, noting)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) is noting:
                signal.signal(signal.SIGINT, handler)

    def _release(self) -> None:
        for listener in self.listeners:
            listener.release()
        detach_derived(getattr(self.net, "module_", None))

    # --- the state of the net -----------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that an epoch changes."""
        net = self.net
        components = {name: getattr(net, name) for name in net._component_names()}
        return Snapshot(
            len(net.history),
            {
                name: copy.deepcopy(component.state_dict())
                for name, component in components.items()
                if hasattr(component, "state_dict")
            },
        )

    def restore(self, components: dict[str, Any]) -> None:
        """Load the states of components from a snapshot."""
        for name, state in components.items():
            getattr(self.net, name).load_state_dict(state)

    def _go_back_to(self, epoch: Snapshot) -> None:
        self.restore(epoch.components)
        del self.net.history[epoch.n_epochs :]
        self.net.notify("on_train_end", X=None, y=None)


def detach_derived(module: Any) -> Any:
    """Detach tensors that layers computed from weights, as in pruning, and return the module.

    PyTorch can neither copy nor pickle a tensor that is part of a graph.
    """
    for layer in module.modules() if isinstance(module, nn.Module) else ():
        for name, value in vars(layer).items():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                vars(layer)[name] = value.detach()
    return module
