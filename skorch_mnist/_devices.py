"""Devices: selection, memory, precision and random generators."""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from skorch_mnist._compat import has_bfloat16_instructions

_held: tuple[int, FileLock] | None = None  # the GPU of this worker process
_turn = threading.RLock()  # one training run at a time, because there is only one global generator


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Return the device for the parameter ``device``.

    Parameters
    ----------
    device : str, torch.device or None
        ``"auto"`` selects CUDA if available, else MPS (Apple), else the CPU; None selects the CPU.
        If there are several GPUs, a worker process selects one that no other worker uses.

    Raises
    ------
    ValueError
        If PyTorch does not know the device, or this machine does not have it.
    """
    if device is None:
        return torch.device("cpu")
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return _gpu_of_process()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:  # its message lists every device type that PyTorch has ever known
        raise _unusable(device, "PyTorch does not know this device") from error
    try:
        torch.zeros(1, device=resolved).item()  # fails for "meta", which has no data
    except (AssertionError, ImportError, RuntimeError) as error:
        raise _unusable(device, str(error).splitlines()[0]) from error
    return resolved


def _unusable(device: str | torch.device, reason: str) -> ValueError:
    return ValueError(
        f"device={device!r} cannot be used on this machine ({reason}). Use 'auto' or 'cpu'."
    )


def _gpu_of_process() -> torch.device:
    """Return the GPU of this process; workers of joblib, Dask and others share the GPUs.

    A worker locks its GPU with a file lock, which the system releases when the process ends.
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
    """Return the device for the parameter, or the CPU with a warning if it is not available."""
    try:
        return resolve_device(device)
    except ValueError as error:
        warnings.warn(f"{error} The model is now on the CPU.", UserWarning, stacklevel=2)
        return torch.device("cpu")


@contextmanager
def memory_advice(parameter: str, value: int) -> Iterator[None]:
    """Add the parameter to lower to the error message of a device that is out of memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(
            f"A batch of {value} images does not fit into the memory of the device. Lower "
            f"{parameter}. {error}"
        ) from error


# --- precision --------------------------------------------------------------------------------


def has_bfloat16(device: torch.device) -> bool:
    """Whether PyTorch reports that ``device`` has instructions for products of bfloat16."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and has_bfloat16_instructions()


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype for the parameter ``precision`` on ``device``.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        ``"auto"`` selects bfloat16 if the device has instructions for it, else float32.
    device : torch.device

    Warns
    -----
    UserWarning
        If bfloat16 is requested, but the device must emulate it.
    """
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device)):
        return torch.float32
    if not has_bfloat16(device):
        warnings.warn(
            f"precision='bfloat16' may be much slower than 'float32' on this {device.type}, for "
            "which PyTorch does not report bfloat16 instructions. Set precision='auto' to use "
            "bfloat16 only where it helps.",
            UserWarning,
            stacklevel=2,
        )
    return torch.bfloat16


def autocast_for(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which a network computes in ``dtype`` on ``device``."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


# --- random generators ------------------------------------------------------------------------


def _renew_turn() -> None:
    """Reset the lock in a forked process, because a thread of the parent may hold it."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_turn)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of the CPU and of ``device``, and restore them afterwards.

    Threads take turns, because layers such as dropout use only the global generator. Inside the
    context, new tensors are float32, as images are, even if the user has set another default.
    """
    devices = [device] if device.type == "cuda" else []
    with _turn, torch.random.fork_rng(devices=devices):
        mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        default_dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(default_dtype)
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


# --- the components of a net ------------------------------------------------------------------


def move_components(net: Any, device: torch.device) -> None:
    """Move the components to ``device``; the next training run creates a new optimizer."""
    net.device_ = device
    vars(net).pop("optimizer_", None)
    for name in (*net._modules, *net._criteria):
        component = getattr(net, f"{name}_")
        if isinstance(component, nn.Module):
            component.to(device)


def state_on_cpu(net: Any) -> dict[str, Any]:
    """Return the attributes of a net for pickling: weights on the CPU, and no optimizer.

    Callbacks may contain tensors on a GPU; the next training run creates them again.
    """
    state: dict[str, Any] = vars(net).copy()
    for name in ("_training", *(f"{name}_" for name in net._optimizers)):
        state.pop(name, None)
    if state.pop("device_", torch.device("cpu")).type != "cpu":
        state.pop("callbacks_", None)
        for name in (*net._modules, *net._criteria):
            if f"{name}_" in state:
                state[f"{name}_"] = copy.deepcopy(state[f"{name}_"]).to("cpu")
    return state
