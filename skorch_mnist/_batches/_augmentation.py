"""Random changes to the images of a batch: digits as someone else could have written them."""

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
STRONGER = 1.2  # strength of "robust" relative to "affine"
PULL = 1.2 / 28  # of the side: how far "robust" pulls points of an elastic sheet


def augmented(images: torch.Tensor, augment: str | Callable[[torch.Tensor], Any]) -> torch.Tensor:
    """Return images changed according to the parameter ``augment``.

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
            f"augment={augment!r} is not valid: it returned a {type(changed).__name__}, but must "
            "return a torch.Tensor."
        )
    if changed.shape != images.shape:
        raise ValueError(
            f"augment={augment!r} is not valid: it returned a tensor of shape "
            f"{tuple(changed.shape)} for a batch of shape {tuple(images.shape)}, but must return "
            "the same shape."
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
        On the same device, with bilinear interpolation; pixels outside of the image repeat its
        edge. Random numbers come from the global generator of the device.
    """
    return _seen_at(images, _affine_places(images))


def random_robust(images: torch.Tensor) -> torch.Tensor:
    """Change images as other people, pens, papers and cameras would.

    The shape of a digit changes as in ``random_affine``, but more strongly, and locally. Some
    images get another pen; others get marks, blur, light or noise, as in a picture. See the
    functions in ``_surroundings.py``. Dark digits on a light background stay dark. The strengths
    were chosen on validation images taken from the training images of MNIST, and on generated
    pictures.

    Parameters
    ----------
    images : torch.Tensor of shape (batch, channels, height, width), float32

    Returns
    -------
    torch.Tensor of the same shape, float32
        On the same device, with values between the minimum and the maximum of the batch. Random
        numbers come from the global generators of the CPU and of the device.

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
    """Return the position of each new pixel in the old image, x and y from -1 to 1."""
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
    """Return smooth random shifts of the positions, from 4 to 8 control points along each side."""
    n, _, height, width = images.shape
    pulls = int(torch.randint(4, 9, ()))
    strength = torch.rand(n, 1, 1, 1, device=images.device) * 2 * PULL * math.sqrt(4 / pulls)
    sheet = torch.randn(n, 2, pulls, pulls, device=images.device) * strength
    smooth = nn.functional.interpolate(sheet, (height, width), mode="bicubic", align_corners=False)
    return smooth.permute(0, 2, 3, 1)


def _seen_at(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Interpolate images bilinearly at positions; pixels outside of an image repeat its edge."""
    # padding_mode="border" would do the same, but not every device supports it.
    edge = 1 - 1 / torch.tensor([images.shape[3], images.shape[2]], device=images.device)
    return nn.functional.grid_sample(images, places.clamp(-edge, edge), align_corners=False)


CHANGES = {"affine": random_affine, "robust": random_robust}
