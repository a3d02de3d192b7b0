"""CONV-6: six convolutions and three linear layers, a VGG of reduced depth."""

import torch
from torch import nn


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def _hidden(in_features: int, out_features: int) -> list[nn.Module]:
    return [nn.Linear(in_features, out_features), nn.BatchNorm1d(out_features), nn.ReLU()]


class Conv6(nn.Module):
    """CONV-6.

    Three groups of two 3 x 3 convolutions with 64, 128 and 256 channels, each group followed by a
    2 x 2 maximum pooling, then linear layers of 256, 256 and `num_classes` units (Frankle and
    Carbin, The Lottery Ticket Hypothesis, ICLR 2019, figure 2). Batch normalisation follows every
    layer but the last.

    Parameters
    ----------
    num_classes : int
        Size of the output.
    in_channels : int
        Channels of an image.
    image_size : tuple of int
        Its height and width, 8 or more; the first linear layer reads an eighth of each.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 3, image_size: tuple[int, int] = (32, 32)
    ) -> None:
        super().__init__()
        rows, columns = (side // 8 for side in image_size)
        layers: list[nn.Module] = []
        channels = in_channels
        for width in (64, 128, 256):
            layers += [*_convolution(channels, width), *_convolution(width, width)]
            layers.append(nn.MaxPool2d(2))
            channels = width
        self.convs1 = nn.Sequential(*layers)
        self.linear = nn.Sequential(
            *_hidden(256 * rows * columns, 256),
            *_hidden(256, 256),
            nn.Linear(256, num_classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits, ``(n, num_classes)``, of images ``(n, channels, height, width)``."""
        return self.linear(torch.flatten(self.convs1(images), 1))
