"""Random changes of the images of a batch: digits as somebody else would have written them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ._surroundings import on_other_paper, with_other_pen

ROTATION = 12.0  # degrees
SCALE = 0.12  # of the width, and of the height
SHEAR = 0.15  # of the height, sideways
SHIFT = 2 / 28  # of the side: two pixels of MNIST
STRONGER = 1.2  # "robust" against "affine"
PULL = 1.2 / 28  # of the side: how far "robust" pulls points of an elastic sheet


def augmented(images: torch.Tensor, augment: str | Callable[[torch.Tensor], Any]) -> torch.Tensor:
    """Return images changed as the parameter ``augment`` says.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32
    augment : "affine", "robust" or callable

    Raises
    ------
    ValueError
        If the callable does not return a tensor of the same shape.
    """
    change: Any = CHANGES.get(augment, augment) if isinstance(augment, str) else augment
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
    return _seen_at(images, _affine_places(images))


def random_robust(images: torch.Tensor) -> torch.Tensor:
    """Change images as other people, pens, papers and cameras would.

    The shape of the digit changes as in ``random_affine``, but more, and locally. Some images get
    another pen, some the marks, blur, light or noise of a picture: see the functions of
    ``_surroundings.py``. Images that are dark on light stay so. The strengths were chosen on
    validation images taken from the training images of MNIST, and on generated pictures.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32

    Returns
    -------
    torch.Tensor of the same shape, float32
        On the same device, between the lowest and the highest value of the batch. Random numbers
        come from the global generators of the CPU and of that device.

    References
    ----------
    Elastic distortion: P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural
    networks applied to visual document analysis", 2003. Patches: Z. Zhong, L. Zheng, G. Kang, S.
    Li, Y. Yang, "Random erasing data augmentation", 2020. Filters: Z. Xu, D. Liu, J. Yang, C.
    Raffel, M. Niethammer, "Robust and generalizable visual representation learning via random
    convolutions", 2021.
    """
    low, high = images.aminmax()
    if high <= low:
        return images
    ink = (images - low) / (high - low)
    inverted = ink[..., [0, -1], :].mean() > 0.5  # the edges show the paper
    if inverted:
        ink = 1 - ink
    places = _affine_places(ink, STRONGER) + _elastic_pulls(ink)
    ink = on_other_paper(with_other_pen(_seen_at(ink, places)))
    if inverted:
        ink = 1 - ink
    return low + ink * (high - low)


def _affine_places(images: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """Return the place of each new pixel in the old image, x and y in -1..1."""
    n, _, height, width = images.shape
    draw = (torch.rand(6, n, device=images.device) * 2 - 1) * strength
    angle = draw[0] * math.radians(ROTATION)
    cos, sin = torch.cos(angle), torch.sin(angle)
    wider, higher = torch.exp(draw[1:3] * math.log1p(SCALE))
    shear = draw[3] * SHEAR
    right, down = draw[4:] * 2 * SHIFT
    aspect = height / width
    x = torch.stack([wider * cos, wider * (shear - sin) * aspect, right], dim=1)
    y = torch.stack([higher * sin / aspect, higher * cos, down], dim=1)
    return nn.functional.affine_grid(
        torch.stack([x, y], dim=1), list(images.shape), align_corners=False
    )


def _elastic_pulls(images: torch.Tensor) -> torch.Tensor:
    """Return smooth random shifts of the places, from 4 to 8 pulls along each side."""
    n, _, height, width = images.shape
    pulls = int(torch.randint(4, 9, ()))
    strength = torch.rand(n, 1, 1, 1, device=images.device) * 2 * PULL * math.sqrt(4 / pulls)
    sheet = torch.randn(n, 2, pulls, pulls, device=images.device) * strength
    smooth = nn.functional.interpolate(sheet, (height, width), mode="bicubic", align_corners=False)
    return smooth.permute(0, 2, 3, 1)


def _seen_at(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return images interpolated bilinearly at places; pixels from outside repeat the edge."""
    # padding_mode="border" would do it, which not every device has.
    edge = 1 - 1 / torch.tensor([images.shape[3], images.shape[2]], device=images.device)
    return nn.functional.grid_sample(images, places.clamp(-edge, edge), align_corners=False)


CHANGES = {"affine": random_affine, "robust": random_robust}
