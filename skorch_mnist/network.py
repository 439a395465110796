"""The convolutional network of the tutorial, in plain PyTorch."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import nn

__all__ = ["MNISTCNN"]


class MNISTCNN(nn.Module):
    """A small convolutional network for images of any size.

    Two blocks of convolution, pooling and ReLU, then two linear layers. For 28x28 grey images and
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
        if len(image_shape) != 3 or not all(
            isinstance(side, Integral) and side >= 1 for side in image_shape
        ):
            raise ValueError(
                "image_shape must be (channels, height, width), each at least 1; got "
                f"{image_shape!r}."
            )
        if n_classes < 1:
            raise ValueError(f"n_classes must be at least 1; got {n_classes!r}.")
        channels, height, width = image_shape
        n_features = 32 * _quarter(height) * _quarter(width)
        self.conv1 = nn.Conv2d(channels, 16, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5, padding=2)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.channel_dropout = nn.Dropout(channel_dropout)
        self.hidden = nn.Linear(n_features, 50)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(50, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch.

        Parameters
        ----------
        images : torch.Tensor of shape (batch, channels, height, width), float
            Standardized pixels.

        Returns
        -------
        torch.Tensor of shape (batch, n_classes), float
            Logits: their softmax gives probabilities. In evaluation on the CPU they are float64,
            so that the answer to an image does not depend on the others in its batch.
        """
        x = torch.relu(self.pool(self.conv1(images)))  # (batch, 16, height / 2, width / 2)
        x = torch.relu(self.pool(self.conv2(x)))  # (batch, 32, height / 4, width / 4)
        x = self.channel_dropout(x.flatten(1))  # (batch, 32 * height / 4 * width / 4)
        x = self.dropout(torch.relu(_linear(self.hidden, x)))  # (batch, 50)
        return _linear(self.output, x)  # (batch, n_classes)


def _linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """Apply ``layer``; in evaluation on the CPU, in double precision.

    Matrix products sum in an order that depends on the number of rows and on where among them a row
    stands. In single precision, that changes the last digits of an answer.
    """
    if layer.training or x.device.type != "cpu":
        answer: torch.Tensor = layer(x)
        return answer
    return nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double())


def _quarter(side: int) -> int:
    """Side length after two poolings that round up."""
    return -(-side // 4)
