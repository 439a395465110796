"""How skorch's training loop meets images: the hooks that the classifier overrides."""

from __future__ import annotations

import copy
import inspect
import opcode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNetClassifier
from skorch.dataset import unpack_data
from skorch.history import History
from skorch.utils import to_tensor
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from skorch_mnist.batches import (
    BatchReader,
    ImageDataset,
    PixelStatistics,
    image_of,
    weight_of,
    weighted_loss,
)
from skorch_mnist.devices import available_device, resolve_device
from skorch_mnist.seeding import generator_from
from skorch_mnist.sklearn_callbacks import FitTasks

__all__ = ["ImageClassifierNet", "SplitData", "is_stop_request"]

DURING_TRAINING = ("_last_epoch", "_tasks")  # attributes that go when it ends


class SplitData(NamedTuple):
    """Images for training, and for validation if there are any."""

    train: Dataset[Any]
    valid: Dataset[Any] | None


class ImageClassifierNet(NeuralNetClassifier):
    """A skorch net that reads batches of images, on a device, from a seed.

    It knows nothing of the user's parameters beyond skorch's; ``MNISTCNNClassifier`` adds them.
    Components are declared here, so that an instance starts out with its parameters alone.
    """

    prefixes_ = [*NeuralNetClassifier.prefixes_, "module", "criterion", "optimizer"]
    _modules = ["module"]
    _criteria = ["criterion"]
    _optimizers = ["optimizer"]
    classes = None
    dataset = ImageDataset
    history_: History | None = None
    initialized_ = False
    predict_nonlinearity = None
    torch_load_kwargs = None
    virtual_params_: dict[str, Any] = {}

    image_shape_: tuple[int, int, int]
    pixel_statistics_: PixelStatistics
    module_: Any
    device: Any
    device_: torch.device

    # --- components -------------------------------------------------------------------------

    def initialize(self) -> Self:
        """Create module, criterion, optimizer, callbacks and history on the device."""
        self.device_ = resolve_device(self.device)
        with self._device_resolved():
            super().initialize()
        return self

    def initialize_module(self) -> Self:
        """Create the module, its weights laid out with channels last where it asks."""
        super().initialize_module()
        if not isinstance(self.module_, nn.Module):
            raise TypeError(
                f"module={self.module!r} made a {type(self.module_).__name__}. It must be or "
                "make a torch.nn.Module."
            )
        if getattr(self.module_, "channels_last", False):
            self.module_ = self.module_.to(memory_format=torch.channels_last)
        return self

    def initialized_instance(self, instance_or_cls: Any, kwargs: dict[str, Any]) -> Any:
        """Return a component; an instance is copied, so that the parameter stays as it was."""
        component = super().initialized_instance(instance_or_cls, kwargs)
        return copy.deepcopy(component) if component is instance_or_cls else component

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Return the arguments of a component: what the data say, and the user's on top."""
        given: dict[str, Any] = super().get_params_for(prefix)
        if prefix == "module" and hasattr(self, "image_shape_"):
            return {**self._module_arguments(), **given}
        if prefix == "iterator_train" and self.iterator_train is DataLoader:
            seed = int(torch.randint(2**31, ()))
            shuffle = {} if {"sampler", "batch_sampler"} & given.keys() else {"shuffle": True}
            return {"generator": generator_from(seed), **shuffle, **given}
        if prefix == "iterator_valid" and self.iterator_valid is DataLoader:
            return {"generator": generator_from(0), **given}
        return given

    def _module_arguments(self) -> dict[str, Any]:
        """``image_shape`` and ``n_classes``, where the module's maker takes them."""
        if isinstance(self.module, nn.Module):
            return {}
        learned = {"image_shape": self.image_shape_, "n_classes": len(self.classes_)}
        try:
            accepted = inspect.signature(self.module).parameters
        except ValueError:  # of some functions written in C
            return {}
        return {name: value for name, value in learned.items() if name in accepted}

    def load_params(self, *args: Any, **kwargs: Any) -> None:
        """Load weights as in skorch."""
        with self._device_resolved():
            super().load_params(*args, **kwargs)

    @contextmanager
    def _device_resolved(self) -> Iterator[None]:
        """Let skorch, which cannot read "auto", see the resolved device."""
        parameter = self.device
        self.device = str(self.device_)
        try:
            yield
        finally:
            self.device = parameter

    # --- data -------------------------------------------------------------------------------

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: data are checked before anything is initialized."""

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> SplitData:
        """Return the data sets of ``fit``, split beforehand, or split ``X`` as in skorch."""
        if isinstance(X, SplitData):
            return X
        return SplitData(*super().get_split_datasets(X, y, **params))

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return a loader that gathers a batch at once, where the user did not choose another."""
        prefix = "iterator_train" if training else "iterator_valid"
        own = getattr(self, prefix) is DataLoader and not hasattr(self, f"{prefix}__collate_fn")
        if not own or not BatchReader.reads(dataset):
            return super().get_iterator(dataset, training=training)
        iterator = super().get_iterator(BatchReader(dataset), training=training)
        iterator.collate_fn = BatchReader.collate
        return iterator

    # --- steps ------------------------------------------------------------------------------

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Return the module's output for a batch of images in the pixels of the user."""
        images = to_tensor(image_of(x), device=self.device_)
        channels_last = getattr(self.module_, "channels_last", False)
        standardized = self.pixel_statistics_.standardize(images, channels_last)
        return self.module_(standardized, **fit_params)

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
            cb_kwargs["batch"] = X, self.classes_[np.asarray(codes)]
        super().notify(method_name, **cb_kwargs)
        tasks = vars(self).get("_tasks")
        if method_name == "on_epoch_begin" and tasks is not None:
            tasks.begin_epoch(self)
        if method_name == "on_epoch_end":
            self._check_losses()
            self._last_epoch = self._training_state()
            if tasks is not None:
                tasks.end_epoch(self)

    def _check_losses(self) -> None:
        """Raise a ValueError where an epoch taught nothing."""
        batches = self.history[-1]["batches"]
        losses = [batch["train_loss"] for batch in batches if "train_loss" in batch]
        if not losses:
            raise ValueError(
                "There was no batch to train on: with drop_last=True, batch_size must not exceed "
                "the number of training samples."
            )
        if not np.isfinite(losses[-1]):
            raise ValueError(
                f"The training diverged in epoch {len(self.history)}: its loss is {losses[-1]}. "
                f"Lower lr, which is {self.lr}."
            )

    @property
    def _labels_are_codes(self) -> bool:
        classes: NDArray[Any] = self.classes_
        return classes.dtype.kind in "iu" and bool((classes == np.arange(len(classes))).all())

    # --- training that fails ----------------------------------------------------------------

    def _train(self, data: SplitData, epochs: int, tasks: FitTasks | None = None) -> None:
        """Run skorch's loop, and end it early where a callback asks for it."""
        source = data.train
        while isinstance(source, Subset):
            source = source.dataset
        everything = {"X": getattr(source, "X", None), "y": getattr(source, "y", None)}
        self._tasks = tasks
        self.notify("on_train_begin", **everything)
        try:
            self.fit_loop(data, epochs=epochs)
        except KeyboardInterrupt as interrupt:
            if not is_stop_request(interrupt):
                raise
        self.notify("on_train_end", **everything)

    @contextmanager
    def _all_or_whole_epochs(self) -> Iterator[None]:
        """After an error, go back to the last finished epoch, or to the state before."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            if hasattr(self, "_last_epoch"):
                self._restore(self._last_epoch)
                self.notify("on_train_end", X=None, y=None)
            else:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        finally:
            for name in DURING_TRAINING:
                self.__dict__.pop(name, None)

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

    def __delattr__(self, name: str) -> None:
        """Delete an attribute; skorch would rewrite its lists of components for any of them."""
        if name.rstrip("_") in {*self._modules, *self._criteria, *self._optimizers}:
            super().__delattr__(name)
        else:
            object.__delattr__(self, name)

    # --- pickles ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: weights on the CPU, without optimizer and batch records."""
        state = vars(self).copy()
        for name in (*DURING_TRAINING, *(f"{name}_" for name in self._optimizers)):
            state.pop(name, None)
        if state.pop("device_", torch.device("cpu")).type != "cpu":
            for name in (*self._modules, *self._criteria):
                if f"{name}_" in state:
                    state[f"{name}_"] = copy.deepcopy(state[f"{name}_"]).to("cpu")
        if self.history_ is not None:
            state["history_"] = History({**epoch, "batches": []} for epoch in self.history_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state on the device that the parameter stands for here."""
        self.__dict__.update(state)
        if not self.initialized_:
            return
        self.device_ = available_device(self.device)
        for name in (*self._modules, *self._criteria):
            component = getattr(self, f"{name}_")
            if isinstance(component, nn.Module):
                component.to(self.device_)


def first_output(y_pred: Any) -> torch.Tensor:
    """Return the logits of a module that may return other things after them."""
    logits: torch.Tensor = y_pred[0] if isinstance(y_pred, tuple) else y_pred
    return logits


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
