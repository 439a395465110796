"""Stand-ins for objects that skops and similar libraries cannot write."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class StandIn:
    """Stand-in for a PyTorch object in the state of another object.

    Pickle and ``copy.deepcopy`` use the original. skops uses ``__reduce__``, whose arguments it can
    write. To read them, it calls the class, which returns a copy of the original.
    """

    original: Any

    @classmethod
    def of(cls, original: Any) -> Self:
        """Return the stand-in for an object."""
        stand_in = object.__new__(cls)
        stand_in.original = original
        return stand_in

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.original.__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.original, memo)


class StoredTensor(StandIn):
    """Stand-in for a tensor.

    Parameters
    ----------
    raw : ndarray of shape (n_bytes,), uint8
        The elements, in the order of memory.
    shape : tuple of int
        Sizes of the axes, in the order of memory.
    axes : tuple of int
        Axes of the tensor, in the order of memory.
    dtype : str
    is_parameter, requires_grad : bool
    """

    def __new__(
        cls,
        raw: NDArray[np.uint8],
        shape: tuple[int, ...],
        axes: tuple[int, ...],
        dtype: str,
        is_parameter: bool,
        requires_grad: bool,
    ) -> Any:
        """Return the tensor."""
        in_memory = torch.from_numpy(raw.copy()).view(getattr(torch, dtype)).reshape(shape)
        tensor = in_memory.permute(np.argsort(axes).tolist())
        if is_parameter:
            return nn.Parameter(tensor, requires_grad)
        return tensor.requires_grad_(requires_grad)

    def __reduce__(self) -> tuple[Any, ...]:
        tensor = self.original.detach().cpu()
        axes = sorted(
            range(tensor.ndim), key=lambda axis: (-tensor.stride(axis), -tensor.shape[axis])
        )
        in_memory = tensor.permute(axes)
        raw = in_memory.reshape(-1).view(torch.uint8).numpy()
        layout = tuple(in_memory.shape), tuple(axes), str(tensor.dtype).removeprefix("torch.")
        kind = isinstance(self.original, nn.Parameter), self.original.requires_grad
        return StoredTensor, (raw, *layout, *kind)


class StoredGenerator(StandIn):
    """Stand-in for a random generator of PyTorch.

    Parameters
    ----------
    device : str
    state : ndarray of uint8
    """

    def __new__(cls, device: str, state: NDArray[np.uint8]) -> Any:
        """Return the generator."""
        return torch.Generator(device).set_state(torch.from_numpy(state.copy()))

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredGenerator, (str(self.original.device), self.original.get_state().numpy())


class PastOptimizer:
    """The part of a previous optimizer that schedulers need: settings of its groups."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.param_groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]


REPLACEMENTS: dict[type, Callable[[Any], Any]] = {
    torch.Tensor: StoredTensor.of,
    torch.Generator: StoredGenerator.of,
    torch.optim.Optimizer: PastOptimizer,
    np.ndarray: lambda array: array,  # not copied
}
REPLACED = tuple(REPLACEMENTS)


def with_stand_ins(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a state with stand-ins, and without the states of optimizers."""
    memo: dict[int, Any] = {}
    for part in parts_in(state, set()):
        kind = next(kind for kind in REPLACED if isinstance(part, kind))
        memo[id(part)] = REPLACEMENTS[kind](part)
    return copy.deepcopy(state, memo)


def parts_in(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the objects to replace in a value, including its containers and attributes."""
    if id(value) in seen or isinstance(value, type | FunctionType | ModuleType):
        return
    seen.add(id(value))
    if isinstance(value, REPLACED):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from parts_in(part, seen)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from parts_in(part, seen)
    elif isinstance(value, partial):
        yield from parts_in(value.args, seen)
        yield from parts_in(value.keywords, seen)
    elif hasattr(value, "__dict__"):
        yield from parts_in(vars(value), seen)
