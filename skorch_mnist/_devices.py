"""Devices: which one a name stands for on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

__all__ = ["available_device", "memory_advice", "resolve_device"]

_held: tuple[int, FileLock] | None = None  # the GPU of this worker process


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Return the device that ``device`` stands for.

    Parameters
    ----------
    device : str, torch.device or None
        ``"auto"`` takes CUDA, else Apple's MPS, else the CPU; None is the CPU. Of several GPUs, a
        worker process takes one that no other worker has taken.

    Raises
    ------
    ValueError
        If torch knows no such device, or this machine has none.
    """
    if device is None:
        return torch.device("cpu")
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return _gpu_of_process()
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


def _gpu_of_process() -> torch.device:
    """Return the GPU of this process; workers of joblib, Dask and the like share out what there is.

    A worker holds its GPU by a file lock, which the system takes away when the process ends.
    """
    global _held
    n_gpus = torch.cuda.device_count()
    if n_gpus == 1 or multiprocessing.parent_process() is None:
        return torch.device("cuda")
    if _held is None:
        for number in range(n_gpus):
            name = f"skorch_mnist-gpu-{torch.cuda.get_device_properties(number).uuid}.lock"
            lock = FileLock(Path(tempfile.gettempdir()) / name, timeout=0, mode=0o666)
            with contextlib.suppress(Timeout):
                lock.acquire()
                _held = number, lock
                break
        else:
            return torch.device("cuda", os.getpid() % n_gpus)
    return torch.device("cuda", _held[0])


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
