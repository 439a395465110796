"""Features of images: the inputs of a layer of the network."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

OUTPUT = "output"  # the last layer of MNISTCNN and BatchNormCNN
MOST_NAMED = 12  # layers in a message


def find_layer(network: nn.Module, name: str | None) -> nn.Module:
    """Return the layer with this name, or ``output`` if it is None.

    Raises
    ------
    ValueError
        If the network does not have this layer; the message suggests the closest match.
    """
    wanted = OUTPUT if name is None else name
    layers: dict[str, nn.Module] = dict(network.named_modules(remove_duplicate=False))
    del layers[""]  # the network itself
    if wanted in layers:
        return layers[wanted]
    dots = "..., " if len(layers) > MOST_NAMED else ""
    names = f"{dots}{', '.join(list(layers)[-MOST_NAMED:])}" if layers else "none at all"
    if name is None:
        raise ValueError(
            f"transform returns the input of the layer {OUTPUT!r}, which {type(network).__name__} "
            f"does not have. Set features_before to another layer. Valid layers: {names}."
        )
    nearest = difflib.get_close_matches(str(name), layers, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(
        f"features_before={name!r} is not a layer of {type(network).__name__}.{hint} Valid "
        f"layers: {names}."
    )


class LayerInputs:
    """The inputs of a layer, collected until ``take`` is called.

    Parameters
    ----------
    name : str
        Name of the layer, for error messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread = threading.get_ident()
        self.tensors: list[torch.Tensor] = []

    def keep(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> None:
        """Copy the first tensor, because later layers may change it. This is a hook of the layer.

        Calls from other threads, which may use the network at the same time, are ignored. They miss
        ``kwargs`` if the hook is added or removed while PyTorch calls it.
        """
        if threading.get_ident() == self.thread:
            values = (*args, *(kwargs or {}).values())
            given = (value for value in values if isinstance(value, torch.Tensor))
            first = next(given, torch.empty(0))
            self.tensors.append(first.detach().to("cpu", torch.float64, copy=True))

    def take(self, n_images: int) -> torch.Tensor:
        """Return the features of the images, averaged if the layer was called several times.

        Returns
        -------
        torch.Tensor of shape (n_images, n_features), float64

        Raises
        ------
        ValueError
            If the layer was not called, or its input did not have one row per image.
        """
        tensors, self.tensors = self.tensors, []
        if not tensors:
            raise ValueError(
                f"The network did not call its layer {self.name!r}, so there are no features to "
                "return. Set features_before to a layer that it calls."
            )
        for tensor in tensors:
            if tensor.shape[:1] != (n_images,) or tensor.shape != tensors[0].shape:
                shapes = ", ".join(str(tuple(one.shape)) for one in tensors)
                raise ValueError(
                    f"The layer {self.name!r} received inputs of shape {shapes} for a batch of "
                    f"{n_images} images, but transform requires one row per image. Set "
                    "features_before to another layer."
                )
        return torch.stack(tensors).mean(0).reshape(n_images, -1)


@contextmanager
def inputs_of_layer(network: nn.Module, name: str | None) -> Iterator[LayerInputs]:
    """Collect the inputs of a layer inside the context, for calls from this thread."""
    layer = find_layer(network, name)
    inputs = LayerInputs(OUTPUT if name is None else name)
    handle = layer.register_forward_pre_hook(inputs.keep, with_kwargs=True)
    try:
        yield inputs
    finally:
        handle.remove()
