"""Features of images: what a layer of the network gets."""

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
    """Return the layer of that name, or ``output``.

    Raises
    ------
    ValueError
        If the network does not have it; the message suggests the nearest name.
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
            f"does not have. Name another with features_before. Its layers: {names}."
        )
    nearest = difflib.get_close_matches(str(name), layers, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(
        f"features_before={name!r} is not a layer of {type(network).__name__}.{hint} Its layers: "
        f"{names}."
    )


class LayerInputs:
    """The inputs of a layer in the calls of the network since they were last taken.

    Parameters
    ----------
    name : str
        Of the layer, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread = threading.get_ident()
        self.tensors: list[torch.Tensor] = []

    def keep(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Copy the first tensor, which later layers may change; a hook of the layer.

        Other threads may use the network at the same time.
        """
        if threading.get_ident() == self.thread:
            given = (
                value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)
            )
            first = next(given, torch.empty(0))
            self.tensors.append(first.detach().to("cpu", torch.float64, copy=True))

    def take(self, n_images: int) -> torch.Tensor:
        """Return the features of the images of one call, their mean if the layer got several.

        Returns
        -------
        torch.Tensor of shape (n_images, n_features), float64

        Raises
        ------
        ValueError
            If the layer was not called, or did not get one row for each image.
        """
        tensors, self.tensors = self.tensors, []
        if not tensors:
            raise ValueError(
                f"The network did not call its layer {self.name!r}, so transform does not have "
                "features. Name one that it calls with features_before."
            )
        for tensor in tensors:
            if tensor.shape[:1] != (n_images,) or tensor.shape != tensors[0].shape:
                shapes = ", ".join(str(tuple(one.shape)) for one in tensors)
                raise ValueError(
                    f"The layer {self.name!r} got {shapes} for a batch of {n_images} images, but "
                    "transform needs one row for each image. Name another layer with "
                    "features_before."
                )
        return torch.stack(tensors).mean(0).reshape(n_images, -1)


@contextmanager
def inputs_of_layer(network: nn.Module, name: str | None) -> Iterator[LayerInputs]:
    """Keep what a layer of a network gets, as long as the block lasts, in this thread."""
    layer = find_layer(network, name)
    inputs = LayerInputs(OUTPUT if name is None else name)
    handle = layer.register_forward_pre_hook(inputs.keep, with_kwargs=True)
    try:
        yield inputs
    finally:
        handle.remove()
