"""Save and restore the state of a training run besides weights and optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from skorch_mnist._training import TrainingRun


def get_network(module: torch.nn.Module) -> dict[str, Any]:
    """Return what ``state_dict`` does not contain: names of frozen weights, and other buffers."""
    kept = module.state_dict().keys()
    return {
        "frozen": [name for name, p in module.named_parameters() if not p.requires_grad],
        "buffers": {name: b for name, b in module.named_buffers() if name not in kept},
    }


def set_network(module: torch.nn.Module, state: Mapping[str, Any]) -> None:
    """Restore the result of ``get_network``."""
    frozen, buffers = set(state["frozen"]), dict(module.named_buffers())
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for name, values in state["buffers"].items():
        buffers[name].copy_(values)


def own_generators(training: TrainingRun) -> dict[str, torch.Generator]:
    """Return the generators of the training loader and of its sampler."""
    sampler = getattr(training.loader, "sampler", None)
    found = {
        "loader": getattr(training.loader, "generator", None),
        "sampler": getattr(sampler, "generator", None),
    }
    return {name: one for name, one in found.items() if isinstance(one, torch.Generator)}


def get_generators(training: TrainingRun) -> dict[str, Any]:
    """Return the states of all generators that a training run draws from."""
    device = training.net.device_
    generators = {"cpu": torch.get_rng_state()}
    if device.type in ("cuda", "mps"):
        generators["device"] = device_generator(device).get_rng_state(*on(device))
    return generators | {name: one.get_state() for name, one in own_generators(training).items()}


def set_generators(training: TrainingRun, generators: Mapping[str, torch.Tensor]) -> None:
    """Restore the result of ``get_generators``."""
    device = training.net.device_
    torch.set_rng_state(generators["cpu"])
    if "device" in generators:
        device_generator(device).set_rng_state(generators["device"], *on(device))
    for name, generator in own_generators(training).items():
        generator.set_state(generators[name])


def device_generator(device: torch.device) -> Any:
    """Return the module of PyTorch that has the generator of ``device``."""
    return torch.cuda if device.type == "cuda" else torch.mps


def on(device: torch.device) -> tuple[torch.device, ...]:
    """Return ``device`` as an argument; the functions for MPS do not take one."""
    return (device,) if device.type == "cuda" else ()
