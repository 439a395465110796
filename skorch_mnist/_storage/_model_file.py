"""Fitted classifiers as one file: safetensors with a JSON manifest, no pickle.

The tensors are the weights of the network. The metadata entry ``skorch_mnist`` is the manifest:
format number, versions, parameters, what ``fit`` learned besides the weights, and a hash of it all.
Format 2 added ``input_format``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn

from skorch_mnist._batches import ImageDataset
from skorch_mnist._devices import available_device
from skorch_mnist._inputs import (
    PIXEL_DTYPES,
    InputFormat,
    PixelStatistics,
    check_image_shape,
    infer_layout,
    known_layout,
)
from skorch_mnist._seeding import seeded
from skorch_mnist._storage._plain_data import decode_classes, encode_classes, name_of
from skorch_mnist._storage._tensor_file import DamagedFileError, read_tensors, write_tensors
from skorch_mnist.network import MNISTCNN, BatchNormCNN

from ._stored_params import decode_params, encode_params

__all__ = ["load_model", "network_of", "save_model"]

FORMAT = 2
KEY = "skorch_mnist"
TRIED_PIXELS = 64 * 64  # the features of larger images take more memory than the file
OWN_NETWORKS = {name_of(network): network for network in (MNISTCNN, BatchNormCNN)}


# --- write ----------------------------------------------------------------------------------


def save_model(clf: Any, path: str | os.PathLike[str]) -> None:
    """Write the fitted classifier ``clf`` to ``path``, whole or not at all."""
    clf._validate_params()  # as in load_model: what is written can be read
    facts = {
        "module": network_name(clf.module),
        "params": encode_params(clf.get_params(deep=False)),
        "classes": encode_classes(clf.classes_),
        "n_features_in": int(clf.n_features_in_),
        "feature_names_in": getattr(clf, "feature_names_in_", np.empty(0)).tolist(),
        "image_shape": list(clf.image_shape_),
        "input_format": clf.input_format_._asdict(),
        "pixel_statistics": clf.pixel_statistics_._asdict(),
        "history": [plain_epoch(epoch) for epoch in clf.history_],
    }
    weights = network_of(clf).state_dict()
    for name, value in weights.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"The network keeps a {type(value).__name__} in its state, as {name!r}: a model "
                "file holds tensors. Keep it in a buffer."
            )
    write_tensors(path, KEY, FORMAT, facts, weights)


def network_name(module: Any) -> str:
    """Return how a file names the network; an instance has arguments that the file does not."""
    return f"an instance of {name_of(module)}" if isinstance(module, nn.Module) else name_of(module)


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
    params = decode_params(manifest["params"])
    clf = cls(known or module, **params)
    if hidden := params.keys() - clf.get_params(deep=False).keys():
        raise ValueError(f"it sets {sorted(hidden)}, which are no parameters")
    clf._validate_params()
    restore_learned(clf, manifest)
    own = known is not None or clf.module in OWN_NETWORKS.values()
    check_on_meta(clf, own, weights)
    device = available_device(clf.device)
    parameter, clf.device = clf.device, str(device)
    with seeded(0, device):
        clf.initialize()
    clf.device = parameter
    network = network_of(clf)
    check_weights(network, weights)
    finite = weights if own else dict(network.named_parameters())  # some buffers are masks
    if not all(bool(weights[name].isfinite().all()) for name in finite):
        raise ValueError("its weights are not finite")
    network.load_state_dict(weights)
    clf.history_.extend({**epoch, "batches": []} for epoch in manifest["history"])
    if math.prod(clf.image_shape_) <= TRIED_PIXELS and not params.get(
        "iterator_valid__num_workers"
    ):
        try_prediction(clf)
    return clf


def check_on_meta(clf: Any, own: bool, weights: Mapping[str, torch.Tensor]) -> None:
    """Compare the weights with a network that takes no memory, if it can be made so."""
    if isinstance(clf.module, nn.Module):
        return
    try:
        with torch.device("meta"):
            network = clf.module(**clf.get_params_for("module"))
    except Exception:  # a network of the user's need not know that device
        if own:
            raise
        return
    check_weights(network, weights)


def try_prediction(clf: Any) -> None:
    """Predict an empty image, without compiling: what cannot predict is no classifier."""
    blank = ImageDataset(np.zeros((1, *clf.image_shape_), dtype=np.float32))
    module, vars(clf)["module_"] = clf.module_, network_of(clf)
    next(clf.forward_iter(blank))
    vars(clf)["module_"] = module


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
        "n_features_in": type(n_features) is int
        and n_features > 0
        and (math.prod(shape) == n_features or shape == infer_layout((n_features,)).image_shape),
        "input_format": all(type(side) is int and side > 0 for side in input_format.shape)
        and math.prod(input_format.shape) == n_features
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
