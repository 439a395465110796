"""What tells one training from another: parameters, data and the state that it begins with."""

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

from skorch_mnist._batches import BatchReader, ImageStream
from skorch_mnist._storage._plain_data import UnstorableError, encode, name_of

__all__ = ["describe_differences", "identity"]

WITHOUT_EFFECT = {"accelerator", "callbacks", "verbose"}  # callbacks are compared one by one
ROWS_PER_CHUNK = 2048
DEPTH = 6  # of objects within objects
LONGEST_SHOWN = 60  # characters of a value in a message


def identity(net: Any, data: Any, callbacks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a training that is about to begin, in JSON's types.

    Parameters
    ----------
    net : classifier
        Initialized.
    data : pair of Dataset
        For training and validation.
    callbacks : mapping of str to callback
        Those that belong to the training.
    """
    params = {
        name: described(value)
        for name, value in net.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    of_callbacks = {}
    for name, callback in callbacks.items():
        settings = callback.get_params(deep=False)
        settings.pop("sink", None)  # where it prints
        of_callbacks[f"callbacks__{name}"] = [name_of(callback), described(settings)]
    together = net._processes_at_work()
    n_processes = {} if together is None else {"processes": together.share.n_processes}
    return {
        "params": {**params, **of_callbacks, **n_processes, "device": net.device_.type},
        "data": digest_of_data(net, data),
        "start": digest_of_start(net),
    }


def describe_differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Say how a training differs from the one in a file; an empty text if it does not."""
    now, then = here["params"], there["params"]
    changed = []
    for name in {**now, **then}:
        values = [json.dumps(params.get(name), sort_keys=True) for params in (now, then)]
        if values[0] != values[1]:
            short = max(map(len, values)) <= LONGEST_SHOWN
            both = f"{name} is {now.get(name)!r}, was {then.get(name)!r}"
            changed.append(both if short else f"{name} is another")
    if changed:
        return ", ".join(changed)
    if here["data"] != there["data"]:
        return "its images, labels or weights are others, or in another order"
    if here["start"] != there["start"]:
        return "it began with other weights, or another state of random_state"
    return ""


# --- values -----------------------------------------------------------------------------------


def described(value: Any, depth: int = DEPTH) -> Any:
    """Return what tells ``value`` from others, in JSON's types, and the same in each process."""
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
    """Return the attributes that are settings, not state or private."""
    return {
        name: item
        for name, item in vars(value).items()
        if not name.startswith("_") and not name.endswith("_")
    }


def hash_of_code(code: types.CodeType) -> str:
    """Return a hash of what a function does."""
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
    """Return a hash of tensors by name; of other things, of their text."""
    sha256 = hashlib.sha256()
    for name, value in state.items():
        sha256.update(name.encode())
        if isinstance(value, torch.Tensor):
            numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            sha256.update(numbers.numpy().data)
        else:
            sha256.update(repr(value).encode())
    return sha256.hexdigest()


# --- data and weights -------------------------------------------------------------------------


def digest_of_data(net: Any, data: Any) -> str:
    """Return a hash of all that ``fit`` was given."""
    sha256 = hashlib.sha256(
        repr([net.pixel_statistics_.rounded(), net.image_shape_, net.classes_.tolist()]).encode()
    )
    seen = set()
    for dataset in data:
        if isinstance(dataset, ImageStream):
            sha256.update(dataset.digest.encode())
            continue
        if not BatchReader.reads(dataset):  # none, or of a splitter of the user's
            sha256.update(repr(None if dataset is None else len(dataset)).encode())
            continue
        reader = BatchReader(dataset)
        source = reader.dataset
        sha256.update(reader.rows.astype(np.int64).data)
        if id(source) not in seen:
            seen.add(id(source))
            for part in (source.codes, source.sample_weight, source.X):
                if isinstance(part, np.ndarray):
                    for start in range(0, len(part), ROWS_PER_CHUNK):
                        rows = np.ascontiguousarray(part[start : start + ROWS_PER_CHUNK])
                        sha256.update(rows.view(np.uint8).data)
    return sha256.hexdigest()


def digest_of_start(net: Any) -> str:
    """Return a hash of the weights and generators that a training begins with."""
    return hash_of_tensors({"generator": torch.get_rng_state(), **net.module_.state_dict()})
