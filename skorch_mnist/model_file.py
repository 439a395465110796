"""Fitted classifiers as one file: safetensors with a JSON manifest, no pickle.

The tensors are the weights of the network. The metadata entry ``skorch_mnist`` is the manifest:
format number, versions, parameters, what ``fit`` learned besides the weights, and a hash of it all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import stat
import uuid
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from sklearn.utils import check_random_state
from torch import nn

from skorch_mnist.devices import available_device
from skorch_mnist.layouts import check_image_shape
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

__all__ = ["load_model", "save_model"]

FORMAT = 1
KEY = "skorch_mnist"
OWN_NETWORKS = {name_of(network): network for network in (MNISTCNN, BatchNormCNN)}
LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy", "skorch_mnist")


# --- write ----------------------------------------------------------------------------------


def save_model(clf: Any, path: str | os.PathLike[str]) -> None:
    """Write the fitted classifier ``clf`` to ``path``, whole or not at all."""
    clf._validate_params()  # as in load_model: what is written can be read
    manifest = {
        "format": FORMAT,
        "versions": {name: version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
        "module": network_name(clf.module),
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
        for name, tensor in network_of(clf).state_dict().items()
    }
    manifest["sha256"] = digest(manifest, weights)
    content = safetensors.torch.save(weights, metadata={KEY: json.dumps(manifest)})
    replace_file(Path(path), content)


def network_name(module: Any) -> str:
    """Return how a file names the network; an instance has arguments that the file does not."""
    return f"an instance of {name_of(module)}" if isinstance(module, nn.Module) else name_of(module)


def digest(manifest: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of manifest and weights: it tells damage, not forgery."""
    sha256 = hashlib.sha256(json.dumps(manifest).encode())
    for name, tensor in sorted(weights.items()):
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path`` and move it there; links are followed."""
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{uuid.uuid4().hex}.part"
    try:
        check_replaceable(target)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:  # which names the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_replaceable(target: Path) -> None:
    """Raise OSError for a folder, a device such as /dev/null, or a file marked read-only."""
    if target.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.exists() and not (target.is_file() and target.stat().st_mode & stat.S_IWUSR):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


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
    manifest, weights = parse(Path(path))
    try:
        return construct(cls, manifest, weights, module)
    except Warning:  # where the user's filters make errors of them
        raise
    except Exception as error:  # whatever a forged manifest leads to
        raise ValueError(f"{path} cannot be loaded: {error}") from error


def parse(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return manifest and weights of a file."""
    content = path.read_bytes()  # not mapped: who rewrites a mapped file kills its readers
    damaged = f"{path} is damaged, or no model file: write one with MNISTCNNClassifier.save."
    try:
        weights = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        manifest = json.loads(header["__metadata__"][KEY])
        number, versions = manifest["format"], dict(manifest["versions"])
        sha256 = manifest.pop("sha256", None)
    except Exception as error:  # safetensors and torch raise many kinds
        raise ValueError(damaged) from error
    if number != FORMAT:
        raise ValueError(
            f"{path} has format {number!r}, this version of skorch_mnist reads {FORMAT}: install "
            f"the version that wrote it ({versions.get('skorch_mnist')})."
        )
    if sha256 != digest(manifest, weights):
        raise ValueError(damaged)
    return manifest, weights


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
    restore_learned(clf, manifest)
    if known is not None:
        with torch.device("meta"):
            check_shapes(known(**clf.get_params_for("module")), weights)
    device = available_device(clf.device)
    parameter, clf.device = clf.device, str(device)
    with seeded(0, device):
        clf.initialize()
    clf.device = parameter
    check_shapes(network_of(clf), weights)
    network_of(clf).load_state_dict(weights)
    clf.history_.extend({**epoch, "batches": []} for epoch in manifest["history"])
    return clf


def restore_learned(clf: Any, manifest: Mapping[str, Any]) -> None:
    """Set what ``fit`` learned besides weights and history; raise a ValueError if it cannot be."""
    classes = decode_classes(**manifest["classes"])
    shape = check_image_shape(manifest["image_shape"])
    n_features, names = manifest["n_features_in"], manifest["feature_names_in"]
    statistics = PixelStatistics(**manifest["pixel_statistics"])
    valid = {
        "classes": len(classes) >= 2 and np.array_equal(np.unique(classes), classes),
        "image_shape": list(shape) == manifest["image_shape"],
        "n_features_in": type(n_features) is int and 0 < n_features <= math.prod(shape),
        "feature_names_in": names == []
        or (len(names) == n_features and all(isinstance(name, str) for name in names)),
        "pixel_statistics": all(map(math.isfinite, statistics))
        and statistics.std > 0
        and statistics.low <= statistics.high,
        "history": all(plain_epoch(epoch) == epoch for epoch in manifest["history"]),
    }
    for name, is_valid in valid.items():
        if not is_valid:
            raise ValueError(f"its {name} is not valid")
    clf.classes_inferred_ = classes
    clf.image_shape_ = shape
    clf.n_features_in_ = n_features
    if names:
        clf.feature_names_in_ = np.array(names, dtype=object)
    clf.pixel_statistics_ = statistics
    clf._random_state = check_random_state(clf.random_state)


def network_of(clf: Any) -> nn.Module:
    """Return the network, which ``torch.compile`` wraps in another module."""
    network: nn.Module = getattr(clf.module_, "_orig_mod", clf.module_)
    return network


def check_shapes(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Raise a ValueError if ``weights`` are not those of ``module``."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != found:
        different = sorted(name for name, _ in wanted.items() ^ found.items())
        raise ValueError(f"its weights do not fit the network {type(module).__name__}: {different}")
