"""Fitted classifiers as one file: safetensors with a JSON manifest, no pickle.

The tensors are the weights of the network. The metadata entry ``skorch_mnist`` is the manifest:
format number, versions, parameters, and what ``fit`` learned besides the weights.
"""

from __future__ import annotations

import json
import os
import platform
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from skorch_mnist.batches import PixelStatistics
from skorch_mnist.devices import available_device
from skorch_mnist.network import MNISTCNN
from skorch_mnist.seeding import seeded

__all__ = ["load_model", "save_model"]

FORMAT = 1
KEY = "skorch_mnist"
LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy", "skorch_mnist")


class Unstorable(Exception):
    """A value that is no plain data."""


# --- write ----------------------------------------------------------------------------------


def save_model(clf: Any, path: str | os.PathLike[str]) -> None:
    """Write the fitted classifier ``clf`` to ``path``, whole or not at all."""
    manifest = {
        "format": FORMAT,
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        "module": name_of(clf.module),
        "params": storable_params(clf.get_params(deep=False)),
        "classes": encode_classes(clf.classes_),
        "n_features_in": int(clf.n_features_in_),
        "feature_names_in": getattr(clf, "feature_names_in_", np.empty(0)).tolist(),
        "image_shape": list(clf.image_shape_),
        "pixel_statistics": clf.pixel_statistics_._asdict(),
        "history": [plain_epoch(epoch) for epoch in clf.history_],
    }
    weights = {
        name: tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        for name, tensor in clf.module_.state_dict().items()
    }
    content = safetensors.torch.save(weights, metadata={KEY: json.dumps(manifest)})
    replace_file(Path(path), content)


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path`` and move it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def storable_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Encode parameters, leaving out with a warning what is no plain data."""
    encoded, left_out = {}, []
    for name, value in params.items():
        if name == "module":
            continue
        try:
            encoded[name] = encode(value)
        except Unstorable:
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


def encode(value: Any) -> Any:
    """Return ``value`` in JSON's types; classes by name, tuples and dicts marked as such."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, type) and find_class(name_of(value)) is value:
        return {"class": name_of(value)}
    raise Unstorable


def encode_classes(classes: NDArray[Any]) -> dict[str, Any]:
    """Return labels with their dtype."""
    labels = classes.tolist()
    if not all(isinstance(label, (bool, int, float, str)) for label in labels):
        raise ValueError(
            f"Labels of dtype {classes.dtype} cannot be stored in a model file: fit with numbers, "
            "strings or booleans."
        )
    return {"dtype": classes.dtype.str, "labels": labels}


def plain_epoch(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of an epoch, without its batches."""
    numbers = {
        key: value.item() if isinstance(value, np.generic) else value for key, value in epoch.items()
    }
    return {key: value for key, value in numbers.items() if isinstance(value, (bool, int, float, str))}


# --- read -----------------------------------------------------------------------------------


def load_model(cls: type, path: str | os.PathLike[str], module: Any = None) -> Any:
    """Read a classifier of class ``cls``: parse, audit, construct."""
    manifest, weights = parse(Path(path))
    try:
        return construct(cls, manifest, weights, module)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def parse(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return manifest and weights of a file."""
    with path.open("rb"):
        pass  # a missing or unreadable file gives the usual OSError
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        manifest = json.loads(metadata[KEY])
        number = manifest["format"]
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged, or no model file: write one with MNISTCNNClassifier.save."
        ) from error
    if number != FORMAT:
        raise ValueError(
            f"{path} has format {number!r}, this version of skorch_mnist reads {FORMAT}: install "
            f"the version that wrote it ({manifest.get('versions', {}).get('skorch_mnist')})."
        )
    return manifest, weights


def construct(
    cls: type, manifest: Mapping[str, Any], weights: Mapping[str, torch.Tensor], module: Any
) -> Any:
    """Build the classifier; nothing of the size that the manifest asks for before it is checked."""
    if module is None and manifest["module"] != name_of(MNISTCNN):
        raise ValueError(f"its network is {manifest['module']}: pass it as module=...")
    clf = cls(
        MNISTCNN if module is None else module,
        **{name: decode(value) for name, value in manifest["params"].items()},
    )
    dtype, labels = manifest["classes"]["dtype"], manifest["classes"]["labels"]
    clf.classes_inferred_ = np.array(labels, dtype=np.dtype(dtype))
    clf.image_shape_ = tuple(manifest["image_shape"])
    clf.n_features_in_ = manifest["n_features_in"]
    if manifest["feature_names_in"]:
        clf.feature_names_in_ = np.array(manifest["feature_names_in"], dtype=object)
    clf.pixel_statistics_ = PixelStatistics(**manifest["pixel_statistics"])
    if module is None:
        with torch.device("meta"):
            check_shapes(MNISTCNN(**clf.get_params_for("module")), weights)
    device = available_device(clf.device)
    parameter, clf.device = clf.device, str(device)
    with seeded(0, device):
        clf.initialize()
    clf.device = parameter
    check_shapes(clf.module_, weights)
    clf.module_.load_state_dict(weights)
    clf.history_.extend({**epoch, "batches": []} for epoch in manifest["history"])
    return clf


def check_shapes(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise a ValueError if ``weights`` are not those of ``module``."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != found:
        different = sorted(name for name, _ in wanted.items() ^ found.items())
        raise ValueError(f"its weights do not fit the network {type(module).__name__}: {different}")


def decode(value: Any) -> Any:
    """Return what ``encode`` was given."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    found = find_class(content) if kind == "class" else None
    if found is None:
        raise ValueError(f"it asks for {content!r}, which is not among the classes allowed")
    return found


def name_of(component: Any) -> str:
    """Return the name by which a class is stored: its shortest public one for torch's."""
    kind = component if isinstance(component, type) else type(component)
    for package in ("torch.nn", "torch.optim", "torch.utils.data"):
        if kind.__module__.startswith(f"{package}."):
            return f"{package}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def find_class(name: str) -> type | None:
    """Return the class of that name, if it is a loss or optimizer of torch's, or ``DataLoader``."""
    package, _, attribute = str(name).rpartition(".")
    if (package, attribute) == ("torch.utils.data", "DataLoader"):
        return DataLoader
    homes = {"torch.nn": (torch.nn, nn.Module), "torch.optim": (torch.optim, torch.optim.Optimizer)}
    if package not in homes:
        return None
    home, base = homes[package]
    found = getattr(home, attribute, None)
    return found if isinstance(found, type) and issubclass(found, base) else None
