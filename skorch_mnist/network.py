"""The convolutional networks, in plain PyTorch."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import nn

__all__ = ["MNISTCNN", "BatchNormCNN"]

MOST_CONVOLUTIONS = 100  # a forged model file cannot ask for more


class MNISTCNN(nn.Module):
    """A small convolutional network for images of any size.

    Two blocks of convolution, pooling and ReLU, then two linear layers. For 28x28 gray images and
    ten classes it has 92,208 parameters.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width of an image, each at least 1. The classifier passes the shape
        that it saw in ``fit``.
    n_classes : int, default=10
        Number of classes, at least 1. The classifier passes what it saw in ``fit``.
    channel_dropout : float, default=0.4
        Dropout on the flattened feature maps, in [0, 1].
    dropout : float, default=0.2
        Dropout after the hidden layer, in [0, 1].

    Raises
    ------
    ValueError
        If ``image_shape`` is not three positive integers or ``n_classes`` is not positive.

    Notes
    -----
    The layers are those of the walk-through "train a CNN with skorch for MNIST digit recognition".
    That one applied channel dropout to the flattened features, where there are no channels left;
    plain dropout is used here. Pooling rounds up, which changes nothing for sides divisible by
    four and lets an image be as small as one pixel.

    Examples
    --------
    >>> import torch
    >>> from skorch_mnist import MNISTCNN
    >>> MNISTCNN()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    channels_last = True  # the classifier may lay out images and weights so: it is faster

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        n_classes: int = 10,
        *,
        channel_dropout: float = 0.4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        _check_sizes(image_shape, n_classes)
        channels, height, width = image_shape
        n_features = 32 * _half(_half(height)) * _half(_half(width))
        self.conv1 = nn.Conv2d(channels, 16, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5, padding=2)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.channel_dropout = QuickDropout(channel_dropout)
        self.hidden = Linear(n_features, 50)
        self.dropout = QuickDropout(dropout)
        self.output = Linear(50, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch.

        Parameters
        ----------
        images : torch.Tensor of shape (batch, channels, height, width), float
            Standardized pixels.

        Returns
        -------
        torch.Tensor of shape (batch, n_classes), float
            Logits: their softmax gives probabilities.
        """
        x = torch.relu(self.pool(self.conv1(images)))  # (batch, 16, height / 2, width / 2)
        x = torch.relu(self.pool(self.conv2(x)))  # (batch, 32, height / 4, width / 4)
        x = self.channel_dropout(x.flatten(1))  # (batch, 32 * height / 4 * width / 4)
        x = self.dropout(torch.relu(self.hidden(x)))  # (batch, 50)
        logits: torch.Tensor = self.output(x)  # (batch, n_classes)
        return logits


class BatchNormCNN(nn.Module):
    """Stages of convolutions with batch normalization: the network of the recipes.

    The first stage is one 5x5 convolution, the others are 3x3 convolutions; each stage ends in 2x2
    pooling. One linear layer makes logits of the features.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width of an image. The classifier passes what it saw in ``fit``.
    n_classes : int, default=10
        Number of classes, at least 1. The classifier passes what it saw in ``fit``.
    widths : tuple of int, default=(24, 48, 72)
        Channels of each stage.
    depth : int, default=2
        Convolutions in each stage after the first, at least 1.
    padding : bool, default=True
        Whether convolutions keep the size of their maps. Without padding, the edges of images,
        empty in MNIST and its like, cost no time; the images must be large enough.
    dropout : float, default=0.3
        Dropout before the linear layer, in [0, 1].
    shifted_copies : bool, default=False
        Whether an answer in evaluation is the mean of five: for the image, and for its copies
        shifted by a pixel to each side. It is a little better, and takes five times as long.

    Raises
    ------
    ValueError
        If ``image_shape`` is not three positive integers, another number is not positive, there
        would be more than 100 convolutions, or the images are too small to go without ``padding``.

    Examples
    --------
    >>> import torch
    >>> from skorch_mnist.network import BatchNormCNN
    >>> BatchNormCNN(widths=(8, 16))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    channels_last = True

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        n_classes: int = 10,
        *,
        widths: tuple[int, ...] = (24, 48, 72),
        depth: int = 2,
        padding: bool = True,
        dropout: float = 0.3,
        shifted_copies: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(image_shape, n_classes)
        if not isinstance(widths, (tuple, list)) or not _are_positive(*widths) or not widths:
            raise ValueError(f"widths must be a tuple of positive integers; got {widths!r}.")
        if not _are_positive(depth):
            raise ValueError(f"depth must be a positive integer; got {depth!r}.")
        if len(widths) * depth > MOST_CONVOLUTIONS:
            raise ValueError(
                f"widths={widths!r} with depth={depth} would be more than {MOST_CONVOLUTIONS} "
                "convolutions."
            )
        channels, height, width = image_shape
        layers: list[nn.Module] = []
        for stage, n_maps in enumerate(widths):
            kernel, n_convolutions = (3, depth) if stage else (5, 1)
            edge = kernel // 2
            for number in range(n_convolutions):
                layers.append(
                    nn.Conv2d(channels, n_maps, kernel, padding=edge if padding else 0, bias=False)
                )
                if not padding:
                    height, width = height - 2 * edge, width - 2 * edge
                if number == n_convolutions - 1:
                    layers.append(nn.MaxPool2d(2, ceil_mode=True))
                    height, width = _half(height), _half(width)
                layers += [BatchNorm(n_maps), nn.ReLU(inplace=True)]
                channels = n_maps
        if min(height, width) < 1:
            raise ValueError(
                f"Images of {image_shape[1]}x{image_shape[2]} pixels are too small for the "
                f"{len(widths)} stages without padding. Set padding=True, in a classifier "
                "module__padding=True."
            )
        self.shifted_copies = shifted_copies
        self.features = nn.Sequential(*layers)
        self.dropout = QuickDropout(dropout)
        self.output = Linear(channels * height * width, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch.

        Parameters
        ----------
        images : torch.Tensor of shape (batch, channels, height, width), float
            Standardized pixels.

        Returns
        -------
        torch.Tensor of shape (batch, n_classes), float
            Logits, or with ``shifted_copies`` in evaluation logarithms of probabilities.
        """
        if self.training or not self.shifted_copies:
            return self._logits(images)
        wider = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
        first, middle, last = slice(0, -2), slice(1, -1), slice(2, None)
        shifts = (middle, middle), (first, middle), (last, middle), (middle, first), (middle, last)
        answers = [
            self._logits(wider[:, :, rows, columns]).log_softmax(1) for rows, columns in shifts
        ]
        return torch.stack(answers).mean(0)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        x = self.features(images)  # (batch, widths[-1], height / 2**stages, width / 2**stages)
        logits: torch.Tensor = self.output(self.dropout(x.flatten(1)))  # (batch, n_classes)
        return logits


def _check_sizes(image_shape: tuple[int, int, int], n_classes: int) -> None:
    """Raise a ValueError unless the shape and the number of classes are valid."""
    if len(image_shape) != 3 or not _are_positive(*image_shape):
        raise ValueError(
            f"image_shape must be (channels, height, width), each at least 1; got {image_shape!r}."
        )
    if n_classes < 1:
        raise ValueError(f"n_classes must be at least 1; got {n_classes!r}.")


def _are_positive(*numbers: Any) -> bool:
    return all(isinstance(number, Integral) and int(number) >= 1 for number in numbers)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that also trains on a single number in each channel.

    One pixel of one image does not have a deviation, so PyTorch refuses to train on it. Here, it is
    scaled as in evaluation.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return normalized maps."""
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        tensors = self.running_mean, self.running_var, self.weight, self.bias
        maps: torch.Tensor = _batch_norm(x, self.training, *tensors, self.momentum, self.eps)
        return maps


class QuickDropout(nn.Dropout):
    """Dropout that draws four decisions at a time on the CPU.

    PyTorch draws each from its generator by itself, which takes a tenth of the time to train
    ``MNISTCNN``.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` with some numbers 0 and the others scaled up, in training."""
        if not self.training or self.inplace or torch.compiler.is_compiling():
            return super().forward(x)
        return _quick_dropout(x, self.p)


class Linear(nn.Linear):
    """A linear layer whose outputs in evaluation do not depend on the other rows of a batch.

    Matrix products sum in an order that depends on the number of rows and on where among them a row
    is, which changes the last digits of single precision. In evaluation on the CPU, this layer
    computes in double precision and rounds. Exported networks stay in single precision, which every
    runtime has.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs, in the dtype of ``x``."""
        if self.training or torch.compiler.is_exporting():
            return super().forward(x)
        return _accurate_linear(x, self.weight, self.bias)


# torch.fx cannot follow questions about a device or a size, so it records calls of these functions.


@torch.fx.wrap
def _batch_norm(x: torch.Tensor, training: bool, *others: Any) -> torch.Tensor:
    mean, var, weight, bias, momentum, eps = others
    several = x.numel() > x.shape[1]
    return nn.functional.batch_norm(x, mean, var, weight, bias, training and several, momentum, eps)


@torch.fx.wrap
def _quick_dropout(x: torch.Tensor, p: float) -> torch.Tensor:
    """Drop numbers: 64 random bits decide about four, so ``p`` is rounded to 16 bits."""
    n_dropped = round(p * 2**16)
    if x.device.type != "cpu" or not 0 < n_dropped < 2**16:
        return nn.functional.dropout(x, p)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    parts = words.view(torch.int16)[: x.numel()].view(x.shape)  # each in -2**15..2**15 - 1
    kept = (parts >= n_dropped - 2**15).to(x.dtype)
    return x * kept.mul_(2**16 / (2**16 - n_dropped))


@torch.fx.wrap
def _accurate_linear(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if x.device.type != "cpu":
        return nn.functional.linear(x, weight, bias)
    wide = None if bias is None else bias.double()
    return nn.functional.linear(x.double(), weight.double(), wide).to(x.dtype)


def _half(side: int) -> int:
    """Return the length of a side after pooling that rounds up."""
    return -(-side // 2)
