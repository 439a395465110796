"""Random changes of the images of a batch: digits as somebody else would have written them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

ROTATION = 12.0  # degrees
SCALE = 0.12  # of the width, and of the height
SHEAR = 0.15  # of the height, sideways
SHIFT = 2 / 28  # of the side: two pixels of MNIST


def augmented(images: torch.Tensor, augment: str | Callable[[torch.Tensor], Any]) -> torch.Tensor:
    """Return images changed as the parameter ``augment`` says.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32
    augment : "affine" or callable

    Raises
    ------
    ValueError
        If the callable does not return a tensor of the same shape.
    """
    change: Any = random_affine if augment == "affine" else augment
    with torch.no_grad():
        changed = change(images)
    if not isinstance(changed, torch.Tensor):
        raise ValueError(
            f"augment={augment!r} returned a {type(changed).__name__}. It must return a "
            "torch.Tensor."
        )
    if changed.shape != images.shape:
        raise ValueError(
            f"augment={augment!r} returned a tensor of shape {tuple(changed.shape)} for a batch of "
            f"shape {tuple(images.shape)}. It must return the same shape."
        )
    return changed


def random_affine(images: torch.Tensor) -> torch.Tensor:
    """Rotate, stretch, shear and shift each image a little, independently of the others.

    Angles, sizes and shifts are uniform within the constants of this module, which were chosen on
    validation images taken from the training images of MNIST.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32

    Returns
    -------
    torch.Tensor of the same shape, float32
        On the same device, interpolated bilinearly; pixels from outside repeat the edge. Random
        numbers come from the global generator of that device.
    """
    n, _, height, width = images.shape
    draw = torch.rand(6, n, device=images.device) * 2 - 1
    angle = draw[0] * math.radians(ROTATION)
    cos, sin = torch.cos(angle), torch.sin(angle)
    wider, higher = torch.exp(draw[1:3] * math.log1p(SCALE))
    shear = draw[3] * SHEAR
    right, down = draw[4:] * 2 * SHIFT
    # The place of each new pixel in the old image, along each axis in -1..1.
    aspect = height / width
    x = torch.stack([wider * cos, wider * (shear - sin) * aspect, right], dim=1)
    y = torch.stack([higher * sin / aspect, higher * cos, down], dim=1)
    places = nn.functional.affine_grid(
        torch.stack([x, y], dim=1), list(images.shape), align_corners=False
    )
    # Outside repeats the edge: padding_mode="border" would do it, which not every device has.
    edge = 1 - 1 / torch.tensor([width, height], device=images.device)
    places = places.clamp(-edge, edge)
    return nn.functional.grid_sample(images, places, align_corners=False)
