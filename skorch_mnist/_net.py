"""Every hook of skorch that the classifier overrides, each with its reason."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetClassifier
from skorch.dataset import unpack_data
from skorch.history import History
from skorch.utils import to_device, to_tensor
from torch import nn
from torch.optim import LBFGS
from torch.utils.data import DataLoader, Dataset

from skorch_mnist._batches._augmentation import augmented
from skorch_mnist._batches._batch import (
    KeptRows,
    checked_logits,
    image_of,
    note_about_failure,
    weight_of,
    weighted_loss,
    with_images,
)
from skorch_mnist._batches._image_dataset import (
    ImageDataset,
    LabeledImages,
    dataset_class,
    own_form,
)
from skorch_mnist._devices import (
    autocast_for,
    available_device,
    memory_advice,
    move_components,
    resolve_device,
    state_on_cpu,
)
from skorch_mnist._inputs._pixels import PixelStatistics, to_array
from skorch_mnist._inputs._validation import Given, are_codes
from skorch_mnist._learning_rate import OneCycle
from skorch_mnist._listeners import early_stopping, watches_batches
from skorch_mnist._parameters import check_parameters, parameters_of_callbacks
from skorch_mnist._progress import EpochTable, TrainingBar, show
from skorch_mnist._storage._stand_ins import with_stand_ins
from skorch_mnist._training import SplitData, TrainingRun, detach_derived

# Pixels in a batch of prediction and validation: what keeps the features of one layer in the cache
# of a CPU, and what keeps a GPU busy. See "Prediction" in the benchmarks of the documentation.
PIXELS_ON_CPU = 128 * 28 * 28
PIXELS_ON_GPU = 4096 * 28 * 28
FUSED_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW)


class ImageClassifierNet(NeuralNetClassifier):
    """A skorch net that learns from batches of images.

    skorch would set these class attributes in ``__init__``, but the estimator checks of
    scikit-learn require that a new instance has no attributes except its parameters.
    """

    # "augment" may be a module; without a prefix, skorch would treat it as a component.
    prefixes_ = [*NeuralNetClassifier.prefixes_, "module", "criterion", "optimizer", "augment"]
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
    _training: TrainingRun | None = None  # while fit or partial_fit is running
    _for_prediction = False  # while a model file is loaded
    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    device: Any
    device_ = torch.device("cpu")  # until the parameter is resolved
    image_shape_: tuple[int, int, int]
    module_: Any
    pixel_statistics_: PixelStatistics

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in ascending order; if unfitted, skorch would suggest an invalid parameter."""
        if not hasattr(self, "classes_inferred_"):
            raise NotFittedError(f"This {type(self).__name__} has no classes_ yet: call fit first.")
        classes: NDArray[Any] = self.classes_inferred_
        return classes

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self.initialized_) and hasattr(self, "classes_inferred_")

    # --- parameters ---------------------------------------------------------------------------

    def _validate_params(self) -> None:
        """Check values as well, because skorch checks only names."""
        if self._training is None:  # fit has checked them before anything else
            check_parameters(self, self.get_params(deep=False), self._parameter_constraints)

    def _get_param_names(self) -> list[str]:
        """Exclude private attributes, which skorch treats as parameters."""
        return [name for name in vars(self) if not name.startswith("_") and not name.endswith("_")]

    def _get_params_callbacks(self, deep: bool = True) -> dict[str, Any]:
        """Return callbacks of the next ``fit``; skorch returns those of the last ``fit``."""
        return parameters_of_callbacks(self._named_callbacks()) if deep else {}

    def _named_callbacks(self) -> Iterable[tuple[str, Any]]:
        """Yield the name and the callback of each callback that ``fit`` will use."""
        if self.callbacks is None or isinstance(self.callbacks, list):
            yield from self._uniquely_named_callbacks()

    def __delattr__(self, name: str) -> None:
        """Delete an attribute; skorch would rewrite its lists of components for any of them."""
        if f"{name.rstrip('_')}_" in self._component_names():
            super().__delattr__(name)
        else:
            object.__delattr__(self, name)

    def _component_names(self) -> list[str]:
        """Return the names of network, criterion and optimizer, with their underscores."""
        return [f"{name}_" for name in (*self._modules, *self._criteria, *self._optimizers)]

    # --- components ---------------------------------------------------------------------------

    def initialize(self) -> Self:
        """Create all components on the resolved device."""
        run = self._training
        self.device_ = resolve_device(self.device) if run is None else run.device
        with self._device_resolved():
            super().initialize()
        return self

    def initialize_module(self) -> Self:
        """Create the network, with its weights in the memory format that it requests."""
        super().initialize_module()
        if not isinstance(self.module_, nn.Module):
            raise TypeError(
                f"module={self.module!r} is not valid: it returned a {type(self.module_).__name__}."
                " It must be a torch.nn.Module, or return one when it is called."
            )
        if getattr(self.module_, "channels_last", False):
            self.module_ = self.module_.to(memory_format=torch.channels_last)
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Self:
        """Create the optimizer, unless only for prediction: the first one imports for a second."""
        # LBFGS flattens all weights into one vector, which other memory formats do not allow.
        if isinstance(self.optimizer, type) and issubclass(self.optimizer, LBFGS):
            self.module_.to(memory_format=torch.contiguous_format)
        return self if self._for_prediction else super().initialize_optimizer(*args, **kwargs)

    def initialized_instance(self, instance_or_cls: Any, kwargs: dict[str, Any]) -> Any:
        """Copy a component that is an instance, so that the parameter does not change."""
        component = super().initialized_instance(instance_or_cls, kwargs)
        if component is instance_or_cls:
            return copy.deepcopy(detach_derived(component))
        return component

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Add arguments that depend on the data; those of the user take precedence."""
        given: dict[str, Any] = super().get_params_for(prefix)
        if prefix == "module" and hasattr(self, "image_shape_"):
            return {**self._module_arguments(), **given}
        if prefix == "iterator_train" and self.iterator_train is DataLoader:
            seed = int(torch.randint(2**31, ()))
            shuffle = {} if {"sampler", "batch_sampler"} & given.keys() else {"shuffle": True}
            return {"generator": torch.Generator().manual_seed(seed), **shuffle, **given}
        batched = hasattr(self, "image_shape_") and self.iterator_valid is DataLoader
        if prefix == "iterator_valid" and batched:
            pixels = PIXELS_ON_CPU if self.device_.type == "cpu" else PIXELS_ON_GPU
            size = max(1, pixels // math.prod(self.image_shape_))
            return {"generator": torch.Generator().manual_seed(0), "batch_size": size, **given}
        return given

    def _module_arguments(self) -> dict[str, Any]:
        """Return ``image_shape`` and ``n_classes``, if the module accepts them."""
        if isinstance(self.module, nn.Module):
            return {}
        learned = {"image_shape": self.image_shape_, "n_classes": len(self.classes_)}
        try:
            accepted = inspect.signature(self.module).parameters
        except ValueError:  # some functions written in C
            return {}
        return {name: value for name, value in learned.items() if name in accepted}

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        """Use the fused implementation of Adam and AdamW if possible."""
        named = list(named_parameters)
        groups, given = super().get_params_for_optimizer(prefix, named)
        chosen = {"fused", "foreach", "differentiable", "capturable"} & given.keys()
        possible = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for _, p in named)
        if getattr(self, prefix) in FUSED_OPTIMIZERS and possible and not chosen:
            given["fused"] = True
        return groups, given

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        """Add the callbacks of our parameters, and a table that works with progress bars."""
        callbacks = [pair for pair in super()._default_callbacks if pair[0] != "print_log"]
        callbacks.append(("print_log", EpochTable(sink=show)))
        if self.early_stopping:
            stopping = early_stopping(self.n_iter_no_change, self.verbose)
            callbacks.append(("early_stopping", stopping))
        if self.lr_schedule == "one_cycle":
            callbacks.append(("one_cycle", OneCycle()))
        if self.verbose >= 2:
            callbacks.append(("progress_bar", TrainingBar()))
        return callbacks

    @contextmanager
    def _device_resolved(self) -> Iterator[None]:
        """Let skorch, which does not know "auto", see the resolved device."""
        parameter = self.device
        self.device = str(self.device_)
        try:
            yield
        finally:
            self.device = parameter

    # --- data ---------------------------------------------------------------------------------

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: ``fit`` checks data before it initializes anything; skorch does it after."""

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> SplitData:
        """Return the datasets that ``fit`` has already split."""
        if isinstance(X, SplitData):
            return X
        return SplitData(*super().get_split_datasets(X, y, **params))

    def get_dataset(self, X: Any, y: Any = None) -> Dataset[Any]:
        """Check images and labels against those of ``fit``; skorch would accept any array."""
        dataset: Any = own_form(X)
        if isinstance(dataset, LabeledImages):
            return dataset
        if not self.__sklearn_is_fitted__():  # classes and image shape come from this data
            new = clone(self).set_params(class_weight=None)
            given = Given(X, y, None)
            return dataset_class(X).for_training(new, given, known=None, split=None)
        return dataset_class(X).for_inspection(self, X, y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Let our datasets create their loader, unless the user has set another one."""
        prefix = "iterator_train" if training else "iterator_valid"
        if not isinstance(dataset, LabeledImages):  # from a custom train_split
            loader = super().get_iterator(dataset, training=training)
        elif getattr(self, prefix) is not DataLoader or hasattr(self, f"{prefix}__collate_fn"):
            items = dataset.items(prefix)
            loader = items.fitting(super().get_iterator(items, training=training))
        else:
            arguments = {"batch_size": self.batch_size, **self.get_params_for(prefix)}
            loader = dataset.loader(arguments, self.device_)
        if training and self._training is not None:
            self._training.loader = loader
        return loader

    # --- steps --------------------------------------------------------------------------------

    def forward_iter(self, X: Any, training: bool = False, device: Any = "cpu") -> Iterator[Any]:
        """Keep the order of ``X``; with ``training``, skorch would shuffle as for training."""
        check_is_fitted(self)
        dataset: Any = own_form(X)
        if not isinstance(dataset, LabeledImages):
            dataset = dataset_class(X).for_prediction(self, X)  # labels may be missing or unknown
        for batch in self.get_iterator(dataset, training=False):
            yield to_device(self.evaluation_step(batch, training=training), device=device)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Go through all batches.

        The parent fetches each loss from the device immediately, and counts images. Here, losses
        are fetched at the end unless a callback reads them earlier, and labels are counted, because
        other processes may have some of the images.
        """
        if iterator is None:
            return
        run = self._training
        watched = watches_batches(self) if run is None else run.is_watched
        losses, kept_losses, kept_codes, kept_outputs = [], KeptRows(), KeptRows(), KeptRows()
        n_batches = 0
        for X, codes in iterator if run is None else run.batches(iterator):
            batch = X, kept_codes.keep(codes)
            if run is not None:
                run.batch = batch
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            if not training:
                step["y_pred"] = kept_outputs.keep(step["y_pred"])
            if watched:
                self.history.record_batch(f"{prefix}_loss", step["loss"].item())
            else:
                losses.append(kept_losses.keep(step["loss"].detach().reshape(1)))
            self.history.record_batch(f"{prefix}_batch_size", len(codes))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            n_batches += 1
        if losses:
            records = self.history[-1]["batches"][-n_batches:]
            for record, loss in zip(records, torch.cat(losses).tolist(), strict=True):
                record[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", n_batches)
        if training and run is not None:
            run.weights_updated()

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        """Augment the images before the training step of skorch."""
        check_is_fitted(self)
        X, y = unpack_data(batch)
        with memory_advice("batch_size", len(image_of(X))):
            if self.augment is not None:
                images = to_tensor(image_of(X), device=self.device_).float()
                batch = with_images(X, augmented(images, self.augment)), y
            return super().train_step(batch, **fit_params)

    def validation_step(self, batch: Any, **fit_params: Any) -> Any:
        """Raise NotFittedError if unfitted; skorch would raise an AttributeError."""
        check_is_fitted(self)
        return super().validation_step(batch, **fit_params)

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Standardize the images of a batch and call the network; the loss uses the weights."""
        check_is_fitted(self)
        images = to_tensor(image_of(x), device=self.device_)
        channels_last = getattr(self.module_, "channels_last", False)
        standardized = self.pixel_statistics_.standardize(images, channels_last)
        dtype = torch.float32 if self._training is None else self._training.dtype
        try:
            if not self.module_.training:
                with memory_advice("iterator_valid__batch_size", len(images)):
                    return self.module_(standardized, **fit_params)
            with autocast_for(dtype, self.device_):
                return self.module_(standardized, **fit_params)
        except Exception as error:
            error.add_note(note_about_failure(self.module_, standardized))
            raise

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Return the mean loss of logits (skorch uses probabilities), weighted if ``X`` is."""
        logits = checked_logits(y_pred, len(y_true), len(self.classes_))
        codes = to_tensor(y_true, device=self.device_)
        if isinstance(self.criterion_, nn.NLLLoss):
            logits = torch.log_softmax(logits, dim=1)
        weight = weight_of(X)
        if weight is None:
            return self.criterion_(logits, codes)
        return weighted_loss(self.criterion_, logits, codes, weight.to(self.device_))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Pass the original labels to callbacks, and events to the training run."""
        run, batch = self._training, cb_kwargs.get("batch")
        if batch is not None and not are_codes(self.classes_):
            X, codes = unpack_data(batch)
            cb_kwargs["batch"] = X, self.classes_[to_array(codes)]
        if run is None:
            super().notify(method_name, **cb_kwargs)
            return
        run.outputs = cb_kwargs.get("y_pred")
        for hear in run.before.get(method_name, ()):
            hear(run)
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            if not run.note_stop(method_name):
                raise
        for hear in run.after.get(method_name, ()):
            hear(run)

    # --- pickles ------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Move weights to the CPU, and drop the optimizer and the records of batches."""
        state = state_on_cpu(self)
        if self.history_ is not None:
            state["history_"] = History({**epoch, "batches": []} for epoch in self.history_)
        return with_stand_ins(state)

    def __copy__(self) -> Self:
        """Share the components, but not a training run; pickling would use stand-ins."""
        twin = object.__new__(type(self))
        twin.__dict__.update({k: v for k, v in vars(self).items() if k != "_training"})
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state on the device that is available on this machine."""
        self.__dict__.update(state)
        if self.initialized_:
            move_components(self, available_device(self.device))
