"""Convolutional networks in plain PyTorch."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import nn

__all__ = ["MNISTCNN", "BatchNormCNN"]

MOST_CONVOLUTIONS = 100  # a forged model file cannot request more


class MNISTCNN(nn.Module):
    """A small convolutional network for images of any size.

    It has two blocks of convolution, pooling and ReLU, then two linear layers. For gray images of
    28x28 pixels and ten classes, it has 92,208 parameters.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width of an image, each at least 1. The classifier passes the shape of
        the images in ``fit``.
    n_classes : int, default=10
        Number of classes, at least 1. The classifier passes the number of classes in ``fit``.
    channel_dropout : float, default=0.4
        Dropout probability for the flattened feature maps, in [0, 1].
    dropout : float, default=0.2
        Dropout probability after the hidden layer, in [0, 1].

    Raises
    ------
    ValueError
        If ``image_shape`` is not three positive integers or ``n_classes`` is not positive.

    Notes
    -----
    The layers are those of the tutorial "train a CNN with skorch for MNIST digit recognition". The
    tutorial applies channel dropout to the flattened features, which no longer have channels; this
    network uses plain dropout instead. Pooling rounds up, which makes no difference for sides that
    are divisible by four, and allows images as small as one pixel.

    Examples
    --------
    >>> import torch
    >>> from skorch_mnist import MNISTCNN
    >>> MNISTCNN()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    channels_last = True  # let the classifier use this memory format, which is faster

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
            Logits, without a softmax.
        """
        x = torch.relu(self.pool(self.conv1(images)))  # (batch, 16, height / 2, width / 2)
        x = torch.relu(self.pool(self.conv2(x)))  # (batch, 32, height / 4, width / 4)
        x = self.channel_dropout(x.flatten(1))  # (batch, 32 * height / 4 * width / 4)
        x = self.dropout(torch.relu(self.hidden(x)))  # (batch, 50)
        logits: torch.Tensor = self.output(x)  # (batch, n_classes)
        return logits


class BatchNormCNN(nn.Module):
    """A convolutional network with batch normalization, as used by the recipes.

    The first stage is a 5x5 convolution; the others consist of 3x3 convolutions. Each stage ends
    with 2x2 pooling. A linear layer computes the logits from the features.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width of an image. The classifier passes the shape of the images in
        ``fit``.
    n_classes : int, default=10
        Number of classes, at least 1. The classifier passes the number of classes in ``fit``.
    widths : tuple of int, default=(24, 48, 72)
        Number of channels in each stage.
    depth : int, default=2
        Number of convolutions in each stage after the first, at least 1.
    padding : bool, default=True
        Whether to pad the inputs of convolutions, so that the size of the maps does not change.
        Without padding, training is faster, because the edges of images are not computed, which are
        empty in datasets such as MNIST. Small images require padding.
    dropout : float, default=0.3
        Dropout probability before the linear layer, in [0, 1].
    shifted_copies : bool, default=False
        Whether to average the outputs in evaluation over five copies of each image: the image
        itself, and copies shifted by one pixel in each direction. The accuracy is a little better,
        but evaluation takes five times as long.

    Raises
    ------
    ValueError
        If ``image_shape`` is not three positive integers, if another number is not positive, if
        there would be more than 100 convolutions, or if the images are too small without padding.

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
            raise ValueError(
                f"widths={widths!r} is not valid: it must be a tuple of positive integers."
            )
        if not _are_positive(depth):
            raise ValueError(f"depth={depth!r} is not valid: it must be a positive integer.")
        if len(widths) * depth > MOST_CONVOLUTIONS:
            raise ValueError(
                f"widths={widths!r} and depth={depth} are not valid: the network can have at most "
                f"{MOST_CONVOLUTIONS} convolutions."
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
                f"Images of {image_shape[1]}x{image_shape[2]} pixels are too small for "
                f"{len(widths)} stages without padding. Set padding=True, or "
                "module__padding=True in a classifier."
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
            Logits; in evaluation with ``shifted_copies``, logarithms of probabilities.
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
            f"image_shape={image_shape!r} is not valid: it must be (channels, height, width), with "
            "positive integers."
        )
    if n_classes < 1:
        raise ValueError(f"n_classes={n_classes!r} is not valid: it must be at least 1.")


def _are_positive(*numbers: Any) -> bool:
    return all(isinstance(number, Integral) and int(number) >= 1 for number in numbers)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that also supports training with one value per channel.

    A single value does not have a standard deviation, so PyTorch raises an error. This layer
    normalizes it as in evaluation.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return normalized maps."""
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        tensors = self.running_mean, self.running_var, self.weight, self.bias
        maps: torch.Tensor = _batch_norm(x, self.training, *tensors, self.momentum, self.eps)
        return maps


class QuickDropout(nn.Dropout):
    """Dropout that draws random bits for four values at a time on the CPU.

    PyTorch draws them one by one, which takes a tenth of the training time of ``MNISTCNN``.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Set some values of ``x`` to 0 and scale up the others, in training."""
        if not self.training or self.inplace or torch.compiler.is_compiling():
            return super().forward(x)
        return _quick_dropout(x, self.p)


class Linear(nn.Linear):
    """A linear layer whose outputs in evaluation do not depend on the other rows of a batch.

    The order of the sums in a matrix product depends on the number of rows and on the position of a
    row, which changes the last digits in single precision. In evaluation on the CPU, this layer
    computes in double precision and rounds the result. Exported networks use single precision,
    which every runtime supports.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs, in the dtype of ``x``."""
        if self.training or torch.compiler.is_exporting():
            return super().forward(x)
        return _accurate_linear(x, self.weight, self.bias)


# torch.fx cannot trace code that depends on a device or a size, so it records calls to these
# functions.


@torch.fx.wrap
def _batch_norm(x: torch.Tensor, training: bool, *others: Any) -> torch.Tensor:
    mean, var, weight, bias, momentum, eps = others
    several = x.numel() > x.shape[1]
    return nn.functional.batch_norm(x, mean, var, weight, bias, training and several, momentum, eps)


@torch.fx.wrap
def _quick_dropout(x: torch.Tensor, p: float) -> torch.Tensor:
    """Apply dropout with 16 random bits per value, to which ``p`` is rounded."""
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
