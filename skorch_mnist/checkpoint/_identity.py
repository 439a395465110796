"""The identity of a training run: its parameters, data and initial state."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from skorch_mnist._batches._image_dataset import fingerprint
from skorch_mnist._storage._plain_data import UnstorableError, encode, name_of
from skorch_mnist._training import TrainingRun

# Callbacks are compared one by one.
WITHOUT_EFFECT = {"accelerator", "callbacks", "features_before", "verbose"}
DEPTH = 6  # of nested objects
LONGEST_SHOWN = 60  # characters of a value in a message
MOVED = {  # modules of classes when the first checkpoints were written
    "skorch_mnist._learning_rate.OneCycle": "skorch_mnist.learning_rate.OneCycle",
}


def identity(training: TrainingRun, callbacks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a training run that is about to begin, in JSON types.

    Parameters
    ----------
    training : TrainingRun
        Its net is initialized.
    callbacks : mapping of str to callback
        Callbacks whose settings are part of the identity.
    """
    net = training.net
    params = {
        name: described(value)
        for name, value in net.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    of_callbacks = {}
    for name, callback in callbacks.items():
        settings = callback.get_params(deep=False)
        settings.pop("sink", None)  # where it prints
        kind = name_of(callback)
        of_callbacks[f"callbacks__{name}"] = [MOVED.get(kind, kind), described(settings)]
    n_processes = {} if training.n_processes == 1 else {"processes": training.n_processes}
    data = net.pixel_statistics_.rounded(), net.image_shape_, net.classes_.tolist()
    return {
        "params": {**params, **of_callbacks, **n_processes, "device": net.device_.type},
        "data": fingerprint(training.data, *data),
        "start": hash_of_start(net),
    }


def describe_differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Describe how a training run differs from the one in a file; empty if it does not."""
    now, then = here["params"], there["params"]
    changed = []
    for name in {**now, **then}:
        values = [json.dumps(params.get(name), sort_keys=True) for params in (now, then)]
        if values[0] != values[1]:
            short = max(map(len, values)) <= LONGEST_SHOWN
            both = f"{name} is {now.get(name)!r}, but was {then.get(name)!r}"
            changed.append(both if short else f"{name} has a different value")
    if changed:
        return ", ".join(changed)
    if here["data"] != there["data"]:
        return "its images, labels or sample weights are different, or in a different order"
    if here["start"] != there["start"]:
        return "it began with different weights, or with a different state of random_state"
    return ""


# --- values -----------------------------------------------------------------------------------


def described(value: Any, depth: int = DEPTH) -> Any:
    """Return a description of ``value`` in JSON types, which is the same in every process."""
    if depth == 0:
        return name_of(value)
    inner = functools.partial(described, depth=depth - 1)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        tensor = torch.as_tensor(value).detach().cpu().contiguous()
        return [str(tensor.dtype), list(tensor.shape), hash_of_tensors({"": tensor})]
    if isinstance(value, nn.Module):
        settings = {name: inner(public(module)) for name, module in value.named_modules()}
        shown = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
        return [name_of(value), shown, settings, hash_of_tensors(value.state_dict())]
    if isinstance(value, functools.partial):
        return [inner(value.func), inner(value.args), inner(value.keywords)]
    if isinstance(value, types.MethodType):
        return [inner(value.__func__), inner(value.__self__)]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        given = [value.__defaults__, value.__kwdefaults__, cells]
        return [name_of(value), hash_of_code(value.__code__), inner(given)]
    if isinstance(value, Mapping):
        return {str(key): inner(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [inner(item) for item in value]
    try:
        return encode(value)
    except UnstorableError:
        if isinstance(value, type) or not hasattr(value, "__dict__"):
            return name_of(value)
        return [name_of(value), inner(public(value))]


def public(value: Any) -> dict[str, Any]:
    """Return the attributes that are settings, not state and not private."""
    return {
        name: item
        for name, item in vars(value).items()
        if not name.startswith("_") and not name.endswith("_")
    }


def hash_of_code(code: types.CodeType) -> str:
    """Return a hash of the code of a function."""
    sha256 = hashlib.sha256(code.co_code)
    sha256.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            sha256.update(hash_of_code(constant).encode())
        else:
            ordered = sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
            sha256.update(repr(ordered).encode())
    return sha256.hexdigest()


def hash_of_tensors(state: Mapping[str, Any]) -> str:
    """Return a hash of named tensors; other values are hashed by their repr."""
    sha256 = hashlib.sha256()
    for name, value in state.items():
        sha256.update(name.encode())
        if isinstance(value, torch.Tensor):
            numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            sha256.update(numbers.numpy().data)
        else:
            sha256.update(repr(value).encode())
    return sha256.hexdigest()


def hash_of_start(net: Any) -> str:
    """Return a hash of the weights and generators with which a training run begins."""
    return hash_of_tensors({"generator": torch.get_rng_state(), **net.module_.state_dict()})
