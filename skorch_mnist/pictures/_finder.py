"""Find the digits in a picture of any size with a small convolutional network.

For each point, the network tells how likely it is the center of a digit, and how far it is from the
sides of the box around that digit (X. Zhou, D. Wang, P. Krähenbühl, "Objects as points", 2019, and
Z. Tian et al., "FCOS", 2019). ``tests/benchmarks/train_finder.py`` trains it.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from ._ink import scale

WEIGHTS = Path(__file__).parents[1] / "pretrained" / "finder.safetensors"
STEP = 2  # pixels from one point to the next
_SIDES = 768, 256  # pixels of the longer side: on the smaller picture, large digits are found
_MULTIPLE = 32  # pixels: the sides of a batch are padded to multiples of it
_LARGE = 24  # pixels: the smallest height of digits on the smaller picture
_MOST = 500  # boxes
_SAME = 0.6  # of the smaller box: boxes that share more are around the same digit
_WIDTHS = 12, 24, 40, 56, 80  # numbers of channels; each stage halves the sides
_LOADING = Lock()


class FoundBoxes(NamedTuple):
    """Where digits may be.

    Attributes
    ----------
    boxes : ndarray of shape (n_boxes, 4), dtype float64
        Left, top, right and bottom in pixels.
    scores : ndarray of shape (n_boxes,), dtype float64, 0 to 1
        How likely each box contains a digit.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


class Finder(nn.Module):
    """A network with an output for every other pixel of a picture."""

    def __init__(self) -> None:
        super().__init__()
        first, second = _WIDTHS[:2]
        self.stem = nn.Sequential(_convolution(3, first, 5, 2), _convolution(first, first))
        self.stages = nn.ModuleList(
            nn.Sequential(_convolution(n_in, n_out, stride=2), _convolution(n_out, n_out))
            for n_in, n_out in pairwise(_WIDTHS)
        )
        steps = list(pairwise(_WIDTHS[:0:-1]))
        self.narrowed = nn.ModuleList(nn.Conv2d(n_in, n_out, 1) for n_in, n_out in steps)
        self.merged = nn.ModuleList(_convolution(n_out, n_out) for _, n_out in steps)
        self.output = nn.Sequential(_convolution(second, second), nn.Conv2d(second, 20, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the outputs for the pixels of pictures.

        Parameters
        ----------
        pixels : torch.Tensor of shape (n, 3, height, width), -2 to 2
            The sides are multiples of 32.

        Returns
        -------
        torch.Tensor of shape (n, 5, height / 2, width / 2)
            The logit of the center of a digit, and the logarithms of the distances to the left,
            top, right and bottom of its box in pixels.
        """
        x = self.stem(pixels)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        for narrowed, merged, finer in zip(self.narrowed, self.merged, maps[-2::-1], strict=True):
            x = merged(functional.interpolate(narrowed(x), scale_factor=2) + finer)
        return functional.pixel_shuffle(self.output(x), 2)


def _convolution(n_in: int, n_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


def as_input(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Return pixels (n, height, width, 3), 0 to 255, as the network expects them."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return (images.float() / 255 - 0.5).mul_(4)  # already in the order channels last


@cache
def _loaded() -> Finder:
    finder = Finder()
    finder.load_state_dict(load_file(WEIGHTS))
    return finder.eval().to(memory_format=torch.channels_last)


def find_boxes(page: NDArray[np.uint8], least: float) -> FoundBoxes:
    """Return where digits may be, the likeliest first, and at most 500.

    Parameters
    ----------
    page : ndarray of shape (height, width) or (height, width, 3), dtype uint8
        In gray or in RGB.
    least : float
        The smallest score of a box.
    """
    large, small = _SIDES
    if max(page.shape[:2]) > small:
        found = [_boxes_at(page, large, least), _boxes_at(page, small, least, _LARGE)]
    else:
        found = [_boxes_at(page, small, least)]
    boxes, scores = (np.concatenate(some) for some in zip(*found, strict=True))
    kept: list[int] = []
    for k in np.argsort(-scores, kind="stable"):
        if len(kept) == _MOST:  # noise
            break
        if not len(kept) or _overlap(boxes[k], boxes[kept]).max() < _SAME:
            kept.append(int(k))
    return FoundBoxes(boxes[kept], scores[kept])


def _boxes_at(
    page: NDArray[np.uint8], side: int, least: float, lowest: float = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return boxes and scores on a page whose longer side is scaled to ``side`` pixels.

    Lower boxes than ``lowest`` pixels are left out.
    """
    small = scale(page, side, side)
    factor = side / max(page.shape[:2])
    down, across = (-length % _MULTIPLE for length in small.shape[:2])
    padded = cv2.copyMakeBorder(small, 0, down, 0, across, cv2.BORDER_REPLICATE)
    with _LOADING:  # several threads may need it at the same time
        finder = _loaded()
    with torch.inference_mode():
        outputs = finder(as_input(np.asarray(padded[None], np.uint8)))
        likely = outputs[:, :1].sigmoid()
        peaks = (likely == functional.max_pool2d(likely, 3, 1, 1)) & (likely > least)
    rows, columns = np.nonzero(peaks[0, 0].numpy())
    scores = likely[0, 0, rows, columns].numpy().astype(float)
    left, top, right, bottom = np.exp(outputs[0, 1:, rows, columns].double().numpy().clip(-3, 7))
    x, y = STEP * columns + STEP / 2, STEP * rows + STEP / 2
    boxes = np.stack([x - left, y - top, x + right, y + bottom], axis=1)
    high = boxes[:, 3] - boxes[:, 1] >= lowest
    return boxes[high] / factor, scores[high]


def _overlap(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the smaller of two boxes is in the other one, 0 to 1."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    areas = [np.prod(some[..., 2:] - some[..., :2], axis=-1) for some in (box, others)]
    return np.asarray(np.prod(sides.clip(0), axis=1) / np.minimum(*areas))
