"""Images as somebody else would have written them: small changes at random, one for each image."""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["random_affine"]

ROTATION = 12.0  # degrees
SCALE = 0.12  # of the width, and of the height
SHEAR = 0.15  # of the height, sideways
SHIFT = 2 / 28  # of the side: two pixels of MNIST


def random_affine(images: torch.Tensor) -> torch.Tensor:
    """Rotate, stretch, shear and shift each image a little, independently of the others.

    Angles, sizes and shifts are uniform within the constants of this module, which were chosen on
    validation images of MNIST, cut off its training images.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32

    Returns
    -------
    torch.Tensor of the same shape, float32
        On the same device. Pixels between others are interpolated bilinearly; what comes in from
        outside repeats the edge. Torch's global generator of that device decides.
    """
    n, _, height, width = images.shape
    draw = torch.rand(6, n, device=images.device) * 2 - 1
    angle = draw[0] * math.radians(ROTATION)
    cos, sin = torch.cos(angle), torch.sin(angle)
    wider, higher = torch.exp(draw[1:3] * math.log1p(SCALE))
    shear = draw[3] * SHEAR
    right, down = draw[4:] * 2 * SHIFT
    # Where a pixel of the new image lies in the old one, along each axis in -1..1.
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
