"""The parts of a net: made from parameters and data, put on a device, left out of pickles."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from skorch import NeuralNetClassifier
from skorch.history import History
from torch import nn
from torch.optim import LBFGS
from torch.utils.data import DataLoader

from skorch_mnist._batches import BatchLoader, BatchReader, ImageDataset, ImageStream, StreamLoader
from skorch_mnist._devices import available_device, resolve_device
from skorch_mnist._seeding import generator_from
from skorch_mnist.whole_epochs import DURING_TRAINING, WholeEpochs

__all__ = ["NetComponents"]

# Pixels in a batch of prediction and validation: what keeps the features of one layer in a CPU's
# cache, and what keeps a GPU busy. See "Prediction" in docs/benchmarks.md.
PIXELS_ON_CPU = 128 * 28 * 28
PIXELS_ON_GPU = 4096 * 28 * 28

LOADER_ARGUMENTS = {"batch_size", "shuffle", "drop_last", "generator"}  # those of our own loaders
FUSED_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW)


class NetComponents(WholeEpochs):
    """A skorch net whose components know the data, and lie on a device.

    They are declared here, so that an instance starts out with its parameters alone.
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

    batch_size: int
    device: Any
    image_shape_: tuple[int, int, int]
    iterator_valid: Any
    module_: Any

    def initialize(self) -> Self:
        """Create module, criterion, optimizer, callbacks and history on the device."""
        self.device_ = self._resolve_device()
        with self._device_resolved():
            super().initialize()
        return self

    def _resolve_device(self) -> torch.device:
        """Return the device that the parameter, or Accelerate in its place, stands for."""
        processes = vars(self).get("_processes")
        return resolve_device(self.device) if processes is None else processes.device

    def initialize_module(self) -> Self:
        """Create the module, its weights laid out with channels last where it asks."""
        super().initialize_module()
        if not isinstance(self.module_, nn.Module):
            raise TypeError(
                f"module={self.module!r} made a {type(self.module_).__name__}. It must be or "
                "make a torch.nn.Module."
            )
        # LBFGS makes one vector of all weights, which other layouts do not allow.
        flattened = isinstance(self.optimizer, type) and issubclass(self.optimizer, LBFGS)
        if getattr(self.module_, "channels_last", False) and not flattened:
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
            return {"generator": generator_from(0), "batch_size": self._batch_size(False), **given}
        return given

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        """Return the optimizer's arguments; Adam and AdamW work in one kernel where they can."""
        named = list(named_parameters)
        groups, given = super().get_params_for_optimizer(prefix, named)
        chosen = {"fused", "foreach", "differentiable", "capturable"} & given.keys()
        possible = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for _, p in named)
        if getattr(self, prefix) in FUSED_OPTIMIZERS and possible and not chosen:
            given["fused"] = True
        return groups, given

    def _batch_size(self, training: bool) -> int:
        """Return how many images a batch of training, or of validation and prediction, has."""
        given: int | None = vars(self).get(
            f"iterator_{'train' if training else 'valid'}__batch_size"
        )
        if given is not None:
            return given
        if training or self.iterator_valid is not DataLoader:
            return self.batch_size
        pixels = PIXELS_ON_CPU if self.device_.type == "cpu" else PIXELS_ON_GPU
        return max(1, pixels // math.prod(self.image_shape_))

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return a loader that gathers a batch at once, where the user did not choose another.

        A ``DataLoader`` with workers, a sampler and so on gathers whole batches as well.
        """
        loader = self._loader_of(dataset, training)
        if training:
            self._loader = loader
        return loader

    def _loader_of(self, dataset: Any, training: bool) -> Any:
        prefix = "iterator_train" if training else "iterator_valid"
        own = getattr(self, prefix) is DataLoader and not hasattr(self, f"{prefix}__collate_fn")
        if isinstance(dataset, ImageStream):
            return self._loader_of_stream(dataset, prefix, own)
        if not own or not BatchReader.reads(dataset):
            return super().get_iterator(dataset, training=training)
        reader = BatchReader(dataset)
        given = {"batch_size": self.batch_size, **self.get_params_for(prefix)}
        if given["batch_size"] == -1:
            given["batch_size"] = len(reader)
        if given.keys() <= LOADER_ARGUMENTS:
            return BatchLoader(reader.moved_to(self.device_), **given)
        return DataLoader(reader, collate_fn=BatchReader.collate, **given)

    def _loader_of_stream(self, stream: ImageStream, prefix: str, own: bool) -> StreamLoader:
        if not own:
            raise ValueError(
                f"X is a stream, which {prefix} and {prefix}__collate_fn cannot read: leave both "
                "out."
            )
        given = {"batch_size": self.batch_size, **self.get_params_for(prefix)}
        if stream.survey is None:  # for predictions, in the order of the stream
            given = {name: given[name] for name in LOADER_ARGUMENTS & given.keys()}
        return StreamLoader(stream, **given)

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

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; skorch would take an augmentation that is a module for a component."""
        if name == "augment":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        """Delete an attribute; skorch would rewrite its lists of components for any of them."""
        if name.rstrip("_") in {*self._modules, *self._criteria, *self._optimizers}:
            super().__delattr__(name)
        else:
            object.__delattr__(self, name)

    # --- pickles ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: weights on the CPU, without optimizer and batch records.

        Callbacks may hold tensors on a GPU; the next training makes them anew.
        """
        state = vars(self).copy()
        for name in (*DURING_TRAINING, *(f"{name}_" for name in self._optimizers)):
            state.pop(name, None)
        if state.pop("device_", torch.device("cpu")).type != "cpu":
            state.pop("callbacks_", None)
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
        self._move_to(available_device(self.device))

    def _move_to(self, device: torch.device) -> None:
        """Put the components on ``device``; the next training makes the optimizer anew."""
        self.device_ = device
        self.__dict__.pop("optimizer_", None)
        for name in (*self._modules, *self._criteria):
            component = getattr(self, f"{name}_")
            if isinstance(component, nn.Module):
                component.to(device)
