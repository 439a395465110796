"""Model files: a fitted classifier in safetensors format with a JSON manifest, without pickle.

The tensors are the weights of the network. The metadata entry ``skorch_mnist`` is the manifest:
format number, versions, parameters, everything that ``fit`` has learned besides the weights, and a
hash of the whole file. Format 2 added ``input_format``. Format 3 added the rejection of images: a
second network, whose tensors have names that begin with ``rejection/``, and the values that turn
its outputs into a decision.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skorch_mnist._inputs._layouts import (
    PIXEL_DTYPES,
    ImageShape,
    InputFormat,
    check_image_shape,
    infer_layout,
    known_layout,
)
from skorch_mnist._inputs._pixels import PixelStatistics

from ._plain_data import decode_classes, encode_classes, name_of
from ._stored_params import decode_params, encode_params
from ._tensor_file import DamagedFileError, read_tensors, write_tensors

FORMAT = 3
KEY = "skorch_mnist"
N_QUANTILES = 1001  # of scores
OF_REJECTION = "rejection/"  # a slash is not part of the name of a weight


class StoredModel(NamedTuple):
    """A fitted classifier, as values and tensors."""

    network: str  # name of the class of the network
    params: dict[str, Any]
    classes: NDArray[Any]
    image_shape: ImageShape
    n_features_in: int
    feature_names_in: list[str]  # empty if the columns did not have names
    input_format: InputFormat
    pixel_statistics: PixelStatistics
    history: list[dict[str, Any]]  # values of each epoch, without its batches
    weights: Mapping[str, torch.Tensor]
    rejection: StoredRejection | None = None


class StoredRejection(NamedTuple):
    """The parts of a ``RejectingClassifier`` that reject images, as values and tensors."""

    detector: StoredModel
    params: dict[str, Any]  # in JSON types
    temperature: float
    score_quantiles: NDArray[np.float64]


# --- write ------------------------------------------------------------------------------------


def write_model(path: str | os.PathLike[str], model: StoredModel) -> None:
    """Write a model file atomically.

    Raises
    ------
    ValueError
        If the network or its labels cannot be stored.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If a parameter cannot be stored, and is therefore missing from the file.
    """
    facts = _facts(model)
    weights = dict(model.weights)
    if model.rejection is not None:
        detector, params, temperature, quantiles = model.rejection
        facts["rejection"] = {
            "detector": _facts(detector),
            "params": params,
            "temperature": temperature,
        }
        own = {**detector.weights, "score_quantiles/": torch.from_numpy(quantiles)}
        weights |= {OF_REJECTION + name: tensor for name, tensor in own.items()}
    write_tensors(path, KEY, FORMAT, facts, weights)


def _facts(model: StoredModel) -> dict[str, Any]:
    """Return everything but the weights in JSON types; raise a ValueError if not possible."""
    for name, value in model.weights.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"The network has a {type(value).__name__} in its state_dict, {name!r}, but a "
                "model file can contain only tensors. Store it in a buffer."
            )
    return {
        "module": model.network,
        "params": encode_params(model.params),
        "classes": encode_classes(model.classes),
        "n_features_in": model.n_features_in,
        "feature_names_in": model.feature_names_in,
        "image_shape": list(model.image_shape),
        "input_format": model.input_format._asdict(),
        "pixel_statistics": model.pixel_statistics._asdict(),
        "history": [plain_epoch(epoch) for epoch in model.history],
    }


def name_of_network(module: Any) -> str:
    """Return the name of the network in a file; the arguments of an instance are not known."""
    return f"an instance of {name_of(module)}" if isinstance(module, nn.Module) else name_of(module)


def plain_epoch(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of an epoch, without its batches."""
    numbers = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in epoch.items()
    }
    return {
        key: value for key, value in numbers.items() if isinstance(value, (bool, int, float, str))
    }


# --- read -------------------------------------------------------------------------------------


def read_model(path: str | os.PathLike[str]) -> StoredModel:
    """Parse and audit a model file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the file does not exist.
    ValueError
        If the file is damaged, has a newer format, or has values that ``fit`` cannot have learned.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"{path} is a folder, not a model file. Pass the file in it that save has written, "
            f"such as {os.path.join(path, 'model.safetensors')}."
        )
    try:
        manifest, weights = read_tensors(path, KEY, newest=FORMAT)
    except DamagedFileError as error:
        raise ValueError(
            f"{path} is damaged or not a model file. Pass a file that MNISTCNNClassifier.save has "
            "written."
        ) from error
    with loading(path):
        return audited(manifest, weights)


@contextmanager
def loading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors, of which a forged file can cause any, into a ValueError that names the file."""
    try:
        yield
    except Warning:  # if warning filters turn them into errors
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def audited(manifest: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> StoredModel:
    """Return the checked content of a file; raise a ValueError for values that are not valid."""
    if "rejection" not in manifest:
        return _audited_model(manifest, weights)
    length, facts = len(OF_REJECTION), manifest["rejection"]
    own = {name[length:]: weights.pop(name) for name in [*weights] if name.startswith(OF_REJECTION)}
    quantiles = own.pop("score_quantiles/").numpy()
    model = _audited_model(manifest, weights)
    detector = _audited_model({**facts["detector"], "format": manifest["format"]}, own)
    valid = {
        "detector": detector.image_shape == model.image_shape
        and np.array_equal(detector.classes, range(len(model.classes) + 1)),
        "temperature": type(facts["temperature"]) is float and 0 < facts["temperature"] < math.inf,
        "score_quantiles": quantiles.shape == (N_QUANTILES,)
        and quantiles.dtype == np.float64
        and bool((quantiles[1:] >= quantiles[:-1]).all())
        and -math.inf < quantiles[0] <= quantiles[-1] <= 0,
    }
    _check_all(valid)
    temperature, params = facts["temperature"], facts["params"]
    rejection = StoredRejection(detector, dict(params), temperature, quantiles)
    return model._replace(rejection=rejection)


def _check_all(valid: Mapping[str, bool]) -> None:
    for name, is_valid in valid.items():
        if not is_valid:
            raise ValueError(f"its {name} is not valid")


def _audited_model(manifest: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> StoredModel:
    classes = decode_classes(**manifest["classes"])
    shape = check_image_shape(manifest["image_shape"])
    n_features, names = manifest["n_features_in"], manifest["feature_names_in"]
    statistics = PixelStatistics(**manifest["pixel_statistics"])
    if manifest["format"] == 1:  # does not have an input format
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
    _check_all(valid)
    return StoredModel(
        network=manifest["module"],
        params=decode_params(manifest["params"]),
        classes=classes,
        image_shape=shape,
        n_features_in=n_features,
        feature_names_in=names,
        input_format=input_format,
        pixel_statistics=statistics,
        history=manifest["history"],
        weights=weights,
    )


def check_weights(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise a ValueError if ``weights`` are not those of ``network``."""
    wanted, found = (
        {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}
        for state in (network.state_dict(), weights)
    )
    if wanted != found:
        different = sorted(name for name, _ in wanted.items() ^ found.items())
        raise ValueError(
            f"its weights do not match the network {type(network).__name__}: {different}. If its "
            "layers were changed before it was saved, pass as module a function that builds the "
            "changed network"
        )
