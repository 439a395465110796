"""Torch's global generators, seeded for a while and put back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["generator_from", "seeded"]

_turn = threading.RLock()  # there is one global generator, so one training at a time


def _renew_turn() -> None:
    """In a forked process, forget a thread of its parent that was training."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_turn)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the generators of the CPU and of ``device`` inside the block, and restore them after.

    Threads take turns: layers such as dropout draw from the global generator and no other.
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
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


def generator_from(seed: int) -> torch.Generator:
    """Return a generator of its own, for a loader that must not draw from the global one."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    return generator
