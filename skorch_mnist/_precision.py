"""The numbers that training computes with: float32, or bfloat16 where the hardware has it."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["autocast_for", "has_bfloat16", "resolve_precision"]


def has_bfloat16(device: torch.device) -> bool:
    """Whether torch reports that ``device`` has instructions for products of bfloat16."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public ones
    asked = [getattr(torch.cpu, name, None) for name in questions]
    return device.type == "cpu" and any(ask() for ask in asked if ask is not None)


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype that ``precision`` stands for on ``device``.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        ``"auto"`` is bfloat16 where the device has instructions for it, else float32.

    Warns
    -----
    UserWarning
        If bfloat16 is asked for where it has to be emulated.
    """
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device)):
        return torch.float32
    if not has_bfloat16(device):
        warnings.warn(
            "precision='bfloat16', but torch reports no instructions for it on this "
            f"{device.type}: training may be much slower than with 'float32'. Set "
            "precision='auto' to use it only where it helps.",
            UserWarning,
            stacklevel=2,
        )
    return torch.bfloat16


def autocast_for(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which a network computes in ``dtype`` on ``device``."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)
