"""Parameters in a model file: the ones that it may set, and their valid values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from ._plain_data import UnstorableError, decode, encode


def is_one_of(value: Any, *allowed: Any) -> bool:
    """Whether ``value`` is one of some strings, booleans or None; 1 is not equal to True."""
    return any(type(value) is type(one) and value == one for one in allowed)


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether ``value`` is an integer from ``low`` to ``high``, but not a boolean."""
    return type(value) is int and low <= value <= high


ROLES = {
    "criterion": nn.Module,
    "optimizer": torch.optim.Optimizer,
    "iterator_train": DataLoader,
    "iterator_valid": DataLoader,
}
# Arguments that are plain data. Others, such as a sampler, could drop predictions.
LOADER_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "batch_size": lambda value: value == -1 or is_whole(value, 1, 2**40),
    "drop_last": lambda value: type(value) is bool,
    "in_order": lambda value: type(value) is bool,
    "multiprocessing_context": lambda value: is_one_of(value, None, "fork", "forkserver", "spawn"),
    "num_workers": lambda value: is_whole(value, 0, 256),  # processes
    "persistent_workers": lambda value: type(value) is bool,
    "pin_memory": lambda value: type(value) is bool,
    "prefetch_factor": lambda value: value is None or is_whole(value, 1, 1024),
    "shuffle": lambda value: type(value) is bool,
    "timeout": lambda value: type(value) in (int, float) and 0 <= value < math.inf,
}
COMPILE_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "backend": ("inductor", "eager", "aot_eager", "cudagraphs"),
    "mode": ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", None),
    "dynamic": (True, False, None),
    "fullgraph": (True, False),
    "disable": (True, False),
}


def encode_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Encode parameters; skip those that are not plain data, with a warning."""
    encoded, left_out = {}, []
    for name, value in params.items():
        if name in ("module", "accelerator"):  # stored separately; not needed after training
            continue
        component = name.partition("__")[0]
        try:
            # If a component is skipped, its default may not accept the arguments.
            if component in left_out or not may_be_stored(name, value):
                raise UnstorableError
            encoded[name] = encode(value)
        except UnstorableError as error:
            if component == "module":
                raise ValueError(
                    f"{name}={value!r} cannot be saved in a model file, because it is not plain "
                    "data, but the network needs it. Pass functools.partial(module, "
                    f"{name.removeprefix('module__')}=...) as module, to the classifier and to "
                    "load."
                ) from error
            left_out.append(name)
    if left_out:
        warnings.warn(
            "These parameters are not saved in the model file, because they are not plain data: "
            f"{', '.join(left_out)}. The loaded classifier will have their defaults; its "
            "predictions are the same.",
            UserWarning,
            stacklevel=5,
        )
    return encoded


def decode_params(encoded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in a file; raise a ValueError for values that are not allowed."""
    params = {name: decode(value) for name, value in encoded.items()}
    for name, value in params.items():
        if not may_be_stored(name, value):
            raise ValueError(f"its {name}={value!r} is not allowed in a model file")
    return params


def may_be_stored(name: str, value: Any) -> bool:
    """Whether a file may set a parameter to a value that is plain data.

    Some values could be harmful: a class of another kind, more processes than a machine can run, or
    a compiler option that names a program to run.
    """
    if name in ROLES:
        return isinstance(value, type) and issubclass(value, ROLES[name])
    component, _, argument = name.partition("__")
    if component in ("iterator_train", "iterator_valid"):
        return argument in LOADER_ARGUMENTS and LOADER_ARGUMENTS[argument](value)
    if component == "compile" and argument:
        return is_one_of(value, *COMPILE_ARGUMENTS.get(argument, ()))
    return True
