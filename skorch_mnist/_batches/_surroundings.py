"""Random pens, papers and cameras, which make other pictures of the same digit.

Each function takes and returns ink, float32 of shape (batch, channels, height, width), from 0
(paper) to 1, and changes some of the images. Lengths are in pixels of MNIST, 1/28 of a side.
"""

from __future__ import annotations

import math

import torch
from torch import nn


def with_other_pen(ink: torch.Tensor) -> torch.Tensor:
    """Make the lines of 40% of the digits thinner or thicker, with softer or sharper edges."""
    soft = _blurred(ink, 0.8)
    soft = soft / soft.amax((1, 2, 3), keepdim=True).clamp_min(0.1)
    edge, sharpness = _uniform(ink, 0.2, 0.65), _uniform(ink, 4, 12)
    lowest, highest = (torch.sigmoid((end - edge) * sharpness) for end in (0.0, 1.0))
    written = (torch.sigmoid((soft - edge) * sharpness) - lowest) / (highest - lowest)
    return _where(_some(ink, 0.4), written, ink)


def on_other_paper(ink: torch.Tensor) -> torch.Tensor:
    """Add lines and patches, and take the picture with another camera in another light."""
    ink = _filtered(ink)
    for _ in range(2):
        ink = _with_lines(ink)
    ink = _with_patches(ink)
    ink = _where(_some(ink, 0.15), _blurred(ink, float(torch.rand(())) * 0.8 + 0.5), ink)
    ink = _in_a_slope_of_light(_with_less_contrast(ink))
    noise = torch.randn_like(ink) * _uniform(ink, 0, 0.25) * _some(ink, 0.15)
    return (ink + noise).clamp(0, 1)


def _filtered(ink: torch.Tensor) -> torch.Tensor:
    """Apply a random filter to some images, a different one to each, to change their texture."""
    chosen = (torch.rand(len(ink), device=ink.device) < 0.3).nonzero()[:, 0]
    if not len(chosen):
        return ink
    n, (channels, height, width) = len(chosen), ink.shape[1:]
    size = 3 if torch.rand(()) < 0.5 else 5
    filters = torch.randn(n * channels, 1, size, size, device=ink.device)
    planes = ink[chosen].reshape(1, n * channels, height, width)
    wider = nn.functional.pad(planes, (size // 2,) * 4, mode="replicate")
    seen = nn.functional.conv2d(wider, filters, groups=n * channels)
    seen = seen.view(n, channels, height, width)
    seen = seen - seen.amin((1, 2, 3), keepdim=True)
    seen = seen / seen.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    share = _uniform(seen, 0, 0.5)
    return ink.index_copy(0, chosen, share * ink[chosen] + (1 - share) * seen)


def _with_lines(ink: torch.Tensor) -> torch.Tensor:
    """Add a piece of a straight line to some images, as from a box or from ruled paper."""
    x, y = _coordinates(ink)
    level = _some(ink, 0.5)
    along, across = _where(level, x, y), _where(level, y, x)
    distance = across - _uniform(ink, 0, 1) - _uniform(ink, -0.5, 0.5) * (along - 0.5)
    distance = distance.abs() * 28
    start = _uniform(ink, -0.6, 0.6)
    on_line = (along >= start) & (along <= start + _uniform(ink, 0.3, 1.5))
    line = (_uniform(ink, 0.6, 1.6) - distance).clamp(0, 1) * _uniform(ink, 0.3, 1) * on_line
    return torch.maximum(ink, line * _some(ink, 0.35))


def _with_patches(ink: torch.Tensor) -> torch.Tensor:
    """Put a blank, gray or black rectangle on some images."""
    x, y = _coordinates(ink)
    inside = (x - _uniform(ink, 0, 1)).abs() < _uniform(ink, 2, 6) / 28
    inside = inside & ((y - _uniform(ink, 0, 1)).abs() < _uniform(ink, 2, 6) / 28)
    return _where(inside * _some(ink, 0.15), _uniform(ink, -0.5, 1.5).clamp(0, 1), ink)


def _with_less_contrast(ink: torch.Tensor) -> torch.Tensor:
    """Make the ink of some images paler, and their paper darker."""
    contrast = _uniform(ink, 0.3, 1)
    paler = _uniform(ink, 0, 1) * (1 - contrast) + contrast * ink
    return _where(_some(ink, 0.2), paler, ink)


def _in_a_slope_of_light(ink: torch.Tensor) -> torch.Tensor:
    """Make the paper of some images darker along one direction."""
    x, y = _coordinates(ink)
    angle = _uniform(ink, 0, 2 * math.pi)
    slope = (x - 0.5) * angle.cos() + (y - 0.5) * angle.sin() + 0.5
    return ink + _some(ink, 0.15) * _uniform(ink, 0, 0.6) * slope * (1 - ink)


def _blurred(ink: torch.Tensor, sigma: float) -> torch.Tensor:
    """Apply a Gaussian filter of 5x5 pixels."""
    steps = torch.arange(-2, 3, device=ink.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    n, channels, height, width = ink.shape
    planes = ink.reshape(n * channels, 1, height, width)
    planes = nn.functional.pad(planes, (2, 2, 2, 2), mode="replicate")
    planes = nn.functional.conv2d(planes, kernel.view(1, 1, 1, 5))
    return nn.functional.conv2d(planes, kernel.view(1, 1, 5, 1)).view(ink.shape)


def _coordinates(ink: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x of shape (1, 1, 1, width) and y of shape (1, 1, height, 1), 0 to 1."""
    height, width = ink.shape[2:]
    x = (torch.arange(width, device=ink.device) + 0.5) / width
    y = (torch.arange(height, device=ink.device) + 0.5) / height
    return x.view(1, 1, 1, width), y.view(1, 1, height, 1)


def _uniform(ink: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Return a random number for each image, of shape (batch, 1, 1, 1)."""
    return torch.rand(len(ink), 1, 1, 1, device=ink.device) * (high - low) + low


def _some(ink: torch.Tensor, share: float) -> torch.Tensor:
    """Return 1 for a random share of the images and 0 for the others."""
    return (torch.rand(len(ink), 1, 1, 1, device=ink.device) < share).to(ink.dtype)


def _where(chosen: torch.Tensor, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    return torch.where(chosen > 0, yes, no)
