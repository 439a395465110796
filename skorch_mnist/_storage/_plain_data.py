"""Parameters and labels as JSON types, without code, and with only the classes that are allowed."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from skorch_mnist._compat import Loss

LONGEST_LABELS = 10_000_000  # characters, all labels together


class UnstorableError(Exception):
    """Raised if a value is not plain data."""


def encode(value: Any, tensors: dict[str, torch.Tensor] | None = None) -> Any:
    """Return ``value`` in JSON types; classes by name, tuples and dicts marked as such.

    Parameters
    ----------
    value : object
    tensors : dict or None
        Receives the tensors and arrays in ``value``, under new names. If None, ``value`` must not
        contain any.

    Raises
    ------
    UnstorableError
        If ``value`` contains anything else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encode(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, tensors) for item in value]}
    if isinstance(value, set):
        return {"set": [encode(item) for item in sorted(value, key=repr)]}
    if type(value) in (dict, OrderedDict):
        pairs = value.items()
        return {"dict": [[encode(key), encode(item, tensors)] for key, item in pairs]}
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, type) and find_class(name_of(value)) is value:
        return {"class": name_of(value)}
    if tensors is not None and isinstance(value, torch.Tensor) and value.layout == torch.strided:
        name = str(len(tensors))
        tensors[name] = value
        if value.ndim == 4 and not value.is_contiguous():  # optimizers need the same memory format
            return {"channels_last": name}
        return {"tensor": name}
    if tensors is not None and isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        try:
            native = value.astype(value.dtype.newbyteorder("="))  # keeps the order of the axes
            return {"array": encode(torch.from_numpy(native.copy()), tensors)["tensor"]}
        except TypeError as error:  # longdouble
            raise UnstorableError(f"an array of {value.dtype} is not plain data") from error
    raise UnstorableError(f"a {type(value).__name__} is not plain data")


def decode(value: Any, tensors: Mapping[str, torch.Tensor] | None = None) -> Any:
    """Return the argument of ``encode``."""
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "tuple":
        return tuple(decode(item, tensors) for item in content)
    if kind == "set":
        return {decode(item) for item in content}
    if kind == "dict":
        return {decode(key): decode(item, tensors) for key, item in content}
    if tensors is not None and kind in ("tensor", "channels_last", "array"):
        tensor = tensors[content]
        if kind == "channels_last":
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor.numpy() if kind == "array" else tensor
    found = find_class(content) if kind == "class" else None
    if found is None:
        raise ValueError(f"it refers to {content!r}, which is not one of the allowed classes")
    return found


def encode_classes(classes: NDArray[Any]) -> dict[str, Any]:
    """Return labels with their dtype."""
    labels = classes.tolist()
    if not all(isinstance(label, (bool, int, float, str)) for label in labels):
        raise ValueError(
            f"Labels of dtype {classes.dtype} cannot be saved in a model file. Fit with numbers, "
            "strings or booleans."
        )
    # The width of strings is not stored, so that a file cannot request more memory than its size.
    return {"dtype": "<U" if classes.dtype.kind == "U" else classes.dtype.str, "labels": labels}


def decode_classes(dtype: str, labels: list[Any]) -> NDArray[Any]:
    """Return the argument of ``encode_classes``."""
    if not re.fullmatch(r"<U|\|O|\|b1|[<>|][iuf]\d+", dtype):
        raise ValueError(f"its labels have dtype {dtype!r}, which is not allowed")
    longest = max((len(label) for label in labels if isinstance(label, str)), default=0)
    if dtype == "<U" and len(labels) * longest > LONGEST_LABELS:
        raise ValueError("its labels are too long")  # each takes as much memory as the longest
    classes = np.array(labels, dtype=np.dtype(dtype))
    if classes.ndim != 1 or encode_classes(classes)["labels"] != labels:
        raise ValueError(f"its labels are not of dtype {dtype}")
    return classes


def name_of(component: Any) -> str:
    """Return the name of a class in a file: for PyTorch classes, the shortest public name."""
    kind = component if hasattr(component, "__qualname__") else type(component)
    module = kind.__module__ or "builtins"
    for package in ("torch.nn", "torch.optim", "torch.utils.data"):
        if module.startswith(f"{package}."):
            return f"{package}.{kind.__name__}"
    return f"{module}.{kind.__qualname__}"


def find_class(name: str) -> type | None:
    """Return the class with this name, if it is a PyTorch loss or optimizer, or ``DataLoader``."""
    package, _, attribute = str(name).rpartition(".")
    if (package, attribute) == ("torch.utils.data", "DataLoader"):
        return DataLoader
    homes = {"torch.nn": (nn, Loss), "torch.optim": (torch.optim, torch.optim.Optimizer)}
    if package not in homes:
        return None
    home, base = homes[package]
    found = getattr(home, attribute, None)
    return found if isinstance(found, type) and issubclass(found, base) else None
