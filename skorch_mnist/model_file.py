"""Fitted classifiers as one file: safetensors with a JSON manifest, no pickle.

The tensors are the weights of the network. The metadata entry ``skorch_mnist`` is the manifest:
format number, versions, parameters, what ``fit`` learned besides the weights, and a hash of it all.
Format 2 added ``input_format``.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from torch.utils.data import DataLoader

from skorch_mnist.batches import ImageDataset
from skorch_mnist.devices import available_device
from skorch_mnist.layouts import PIXEL_DTYPES, InputFormat, check_image_shape, known_layout
from skorch_mnist.network import MNISTCNN, BatchNormCNN
from skorch_mnist.pixels import PixelStatistics
from skorch_mnist.plain_data import (
    UnstorableError,
    decode,
    decode_classes,
    encode,
    encode_classes,
    name_of,
)
from skorch_mnist.seeding import seeded
from skorch_mnist.tensor_file import DamagedFileError, read_tensors, write_tensors

__all__ = ["load_model", "network_of", "save_model"]

FORMAT = 2
KEY = "skorch_mnist"
ROLES = {
    "criterion": nn.Module,
    "optimizer": torch.optim.Optimizer,
    "iterator_train": DataLoader,
    "iterator_valid": DataLoader,
}
MOST_WORKERS = 256  # processes that a file may ask for
COMPILE_ARGUMENTS = {
    "backend": ("inductor", "eager", "aot_eager", "cudagraphs"),
    "mode": ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", None),
    "dynamic": (True, False, None),
    "fullgraph": (True, False),
    "disable": (True, False),
}
OWN_NETWORKS = {name_of(network): network for network in (MNISTCNN, BatchNormCNN)}


# --- write ----------------------------------------------------------------------------------


def save_model(clf: Any, path: str | os.PathLike[str]) -> None:
    """Write the fitted classifier ``clf`` to ``path``, whole or not at all."""
    clf._validate_params()  # as in load_model: what is written can be read
    facts = {
        "module": network_name(clf.module),
        "params": storable_params(clf.get_params(deep=False)),
        "classes": encode_classes(clf.classes_),
        "n_features_in": int(clf.n_features_in_),
        "feature_names_in": getattr(clf, "feature_names_in_", np.empty(0)).tolist(),
        "image_shape": list(clf.image_shape_),
        "input_format": clf.input_format_._asdict(),
        "pixel_statistics": clf.pixel_statistics_._asdict(),
        "history": [plain_epoch(epoch) for epoch in clf.history_],
    }
    write_tensors(path, KEY, FORMAT, facts, network_of(clf).state_dict())


def network_name(module: Any) -> str:
    """Return how a file names the network; an instance has arguments that the file does not."""
    return f"an instance of {name_of(module)}" if isinstance(module, nn.Module) else name_of(module)


def storable_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Encode parameters, leaving out with a warning what is no plain data."""
    encoded, left_out = {}, []
    for name, value in params.items():
        if name == "module":
            continue
        component = name.partition("__")[0]
        try:
            if component in left_out:  # its default does not take the arguments
                raise UnstorableError
            if not may_be_stored(name, value):
                raise UnstorableError
            encoded[name] = encode(value)
        except UnstorableError as error:
            if component == "module":
                raise ValueError(
                    f"{name}={value!r} is no plain data and cannot be stored in a model file, and "
                    "the network would not be the same without it. Fit with functools.partial("
                    f"module, {name.removeprefix('module__')}=...) as the module, and load with it."
                ) from error
            left_out.append(name)
    if left_out:
        warnings.warn(
            f"These parameters are no plain data and are not stored in the model file: "
            f"{', '.join(left_out)}. The loaded classifier has their defaults; predictions do not "
            "change.",
            UserWarning,
            stacklevel=4,
        )
    return encoded


def plain_epoch(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of an epoch, without its batches."""
    numbers = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in epoch.items()
    }
    return {
        key: value for key, value in numbers.items() if isinstance(value, (bool, int, float, str))
    }


# --- read -----------------------------------------------------------------------------------


def load_model(cls: type, path: str | os.PathLike[str], module: Any = None) -> Any:
    """Read a classifier of class ``cls``: parse, audit, construct."""
    manifest, weights = parse(path)
    try:
        return construct(cls, manifest, weights, module)
    except Warning:  # where the user's filters make errors of them
        raise
    except Exception as error:  # whatever a forged manifest leads to
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def parse(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return manifest and weights of a file."""
    try:
        return read_tensors(path, KEY, newest=FORMAT)
    except DamagedFileError as error:
        raise ValueError(
            f"{path} is damaged, or no model file: write one with MNISTCNNClassifier.save."
        ) from error


def construct(
    cls: type, manifest: Mapping[str, Any], weights: Mapping[str, torch.Tensor], module: Any
) -> Any:
    """Build the classifier; nothing of the size that the manifest asks for before it is checked."""
    known = None if module is not None else OWN_NETWORKS.get(manifest["module"])
    if module is None and known is None:
        raise ValueError(f"its network is {manifest['module']}: pass it as module=...")
    params = {name: decode(value) for name, value in manifest["params"].items()}
    clf = cls(known or module, **params)
    if hidden := params.keys() - clf.get_params(deep=False).keys():
        raise ValueError(f"it sets {sorted(hidden)}, which are no parameters")
    clf._validate_params()
    for name, value in params.items():
        if not may_be_stored(name, value):
            raise ValueError(f"its {name} is {value!r}")
    restore_learned(clf, manifest)
    if known is not None:
        with torch.device("meta"):
            check_weights(known(**clf.get_params_for("module")), weights)
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise ValueError("its weights are not finite")
    device = available_device(clf.device)
    parameter, clf.device = clf.device, str(device)
    with seeded(0, device):
        clf.initialize()
    clf.device = parameter
    check_weights(network_of(clf), weights)
    network_of(clf).load_state_dict(weights)
    clf.history_.extend({**epoch, "batches": []} for epoch in manifest["history"])
    if not params.get("iterator_valid__num_workers"):
        try_prediction(clf)
    return clf


def try_prediction(clf: Any) -> None:
    """Predict an empty image, without compiling: what cannot predict is no classifier."""
    blank = ImageDataset(np.zeros((1, *clf.image_shape_), dtype=np.float32))
    module, vars(clf)["module_"] = clf.module_, network_of(clf)
    next(clf.forward_iter(blank))
    vars(clf)["module_"] = module


def may_be_stored(name: str, value: Any) -> bool:
    """Whether a file may set a parameter to a value that is plain data.

    Some could do harm: a class in the place of another, more processes than a machine bears, or an
    option of the compiler, which may be the name of a program to run.
    """
    if name in ROLES:
        return isinstance(value, type) and issubclass(value, ROLES[name])
    if name in ("iterator_train__num_workers", "iterator_valid__num_workers"):
        return type(value) is int and 0 <= value <= MOST_WORKERS
    if name.startswith("compile__"):
        allowed = COMPILE_ARGUMENTS.get(name.removeprefix("compile__"), ())
        return any(value is one or (isinstance(one, str) and value == one) for one in allowed)
    return True


def restore_learned(clf: Any, manifest: Mapping[str, Any]) -> None:
    """Set what ``fit`` learned besides weights and history; raise a ValueError if it cannot be."""
    classes = decode_classes(**manifest["classes"])
    shape = check_image_shape(manifest["image_shape"])
    n_features, names = manifest["n_features_in"], manifest["feature_names_in"]
    statistics = PixelStatistics(**manifest["pixel_statistics"])
    if manifest["format"] == 1:  # how images came was not written
        input_format = InputFormat((n_features,), "float32")
    else:
        input_format = InputFormat(**manifest["input_format"])
        input_format = input_format._replace(shape=tuple(input_format.shape))
    valid = {
        "classes": len(classes) >= 2 and np.array_equal(np.unique(classes), classes),
        "image_shape": list(shape) == manifest["image_shape"],
        "n_features_in": type(n_features) is int and 0 < n_features <= math.prod(shape),
        "input_format": math.prod(input_format.shape) == n_features
        and input_format.dtype in PIXEL_DTYPES
        and known_layout(input_format.shape, shape).image_shape == shape,
        "feature_names_in": names == []
        or (len(names) == n_features and all(isinstance(name, str) for name in names)),
        "pixel_statistics": statistics.are_possible(),
        "history": all(plain_epoch(epoch) == epoch for epoch in manifest["history"]),
    }
    for name, is_valid in valid.items():
        if not is_valid:
            raise ValueError(f"its {name} is not valid")
    clf.classes_inferred_ = classes
    clf.image_shape_ = shape
    clf.n_features_in_ = n_features
    clf.input_format_ = input_format
    if names:
        clf.feature_names_in_ = np.array(names, dtype=object)
    clf.pixel_statistics_ = statistics
    clf._random_state = check_random_state(clf.random_state)


def network_of(clf: Any) -> nn.Module:
    """Return the network, which ``torch.compile`` wraps in another module."""
    network: nn.Module = getattr(clf.module_, "_orig_mod", clf.module_)
    return network


def check_weights(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise a ValueError if ``weights`` are not those of ``module``."""
    wanted, found = (
        {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}
        for state in (module.state_dict(), weights)
    )
    if wanted != found:
        different = sorted(name for name, _ in wanted.items() ^ found.items())
        raise ValueError(f"its weights do not fit the network {type(module).__name__}: {different}")
