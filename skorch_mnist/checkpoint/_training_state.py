"""What decides how a training goes on, besides weights and optimizer: to be read, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["get_generators", "get_network", "set_generators", "set_network"]


def get_network(module: torch.nn.Module) -> dict[str, Any]:
    """Return what ``state_dict`` leaves out: which weights are frozen, and other buffers."""
    kept = module.state_dict().keys()
    return {
        "frozen": [name for name, p in module.named_parameters() if not p.requires_grad],
        "buffers": {name: b for name, b in module.named_buffers() if name not in kept},
    }


def set_network(module: torch.nn.Module, state: Mapping[str, Any]) -> None:
    """Give a network what ``get_network`` returned."""
    frozen, buffers = set(state["frozen"]), dict(module.named_buffers())
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for name, values in state["buffers"].items():
        buffers[name].copy_(values)


def own_generators(net: Any) -> dict[str, torch.Generator]:
    """Return the generators of the loader and of its sampler."""
    loader = vars(net).get("_loader")
    sampler = getattr(loader, "sampler", None)
    found = {"loader": getattr(loader, "generator", None)}
    found["sampler"] = getattr(sampler, "generator", None)
    return {name: one for name, one in found.items() if isinstance(one, torch.Generator)}


def get_generators(net: Any) -> dict[str, Any]:
    """Return the state of all generators that decide about the training."""
    generators = {"cpu": torch.get_rng_state()}
    if net.device_.type in ("cuda", "mps"):
        generators["device"] = device_generator(net.device_).get_rng_state(*on(net.device_))
    return generators | {name: one.get_state() for name, one in own_generators(net).items()}


def set_generators(net: Any, generators: Mapping[str, torch.Tensor]) -> None:
    """Put all generators into the state that ``get_generators`` returned."""
    torch.set_rng_state(generators["cpu"])
    if "device" in generators:
        device_generator(net.device_).set_rng_state(generators["device"], *on(net.device_))
    for name, generator in own_generators(net).items():
        generator.set_state(generators[name])


def device_generator(device: torch.device) -> Any:
    """Return the module of torch that holds the generator of ``device``."""
    return torch.cuda if device.type == "cuda" else torch.mps


def on(device: torch.device) -> tuple[torch.device, ...]:
    """Return ``device`` as an argument; there is only one MPS device."""
    return (device,) if device.type == "cuda" else ()
