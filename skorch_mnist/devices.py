"""Devices: which one a name stands for on this machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["available_device", "memory_advice", "resolve_device"]


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Return the device that ``device`` stands for.

    Parameters
    ----------
    device : str, torch.device or None
        ``"auto"`` takes CUDA, else Apple's MPS, else the CPU; None is the CPU.

    Raises
    ------
    ValueError
        If torch knows no such device, or this machine has none.
    """
    if device is None:
        return torch.device("cpu")
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()  # "meta" holds no numbers
    except (AssertionError, ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        if "at start of device string" in reason:  # with a list of all that torch has ever known
            reason = "torch knows no such device"
        raise ValueError(
            f"device={device!r} cannot be used on this machine ({reason}). Use 'auto' or 'cpu'."
        ) from error
    return resolved


def available_device(device: str | torch.device | None) -> torch.device:
    """Return the device that ``device`` stands for, or the CPU with a warning if there is none."""
    try:
        return resolve_device(device)
    except ValueError as error:
        warnings.warn(f"{error} The model was put on the CPU.", UserWarning, stacklevel=2)
        return torch.device("cpu")


@contextmanager
def memory_advice(parameter: str, value: int) -> Iterator[None]:
    """Add to torch's error, where a GPU has too little memory, which parameter to lower."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(
            f"A batch of {value} images does not fit into the memory of the device: lower "
            f"{parameter}. {error}"
        ) from error
