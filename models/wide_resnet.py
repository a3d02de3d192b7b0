"""Wide-Resnet-28-2: a residual network that is wide rather than deep."""

import torch
from torch import nn
from torch.nn import functional as F


class WideBlock(nn.Module):
    """A pre-activation block: batch normalisation and ReLU come before each 3 x 3 convolution.

    Where the number of channels changes, the shortcut is a 1 x 1 convolution of the activated
    input (``convShortcut``); elsewhere it is the identity on the input as it came.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    stride : int
        Stride of the first convolution and of the shortcut; more than one only where the number
        of channels changes.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.convShortcut = None
        if in_channels != out_channels:
            self.convShortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, in_channels, h, w)`` to ``(n, out_channels, h / stride, w / stride)``."""
        activated = F.relu(self.bn1(features))
        out = F.relu(self.bn2(self.conv1(activated)))
        out = self.conv2(out)
        if self.convShortcut is None:
            return out + features
        return out + self.convShortcut(activated)


class WideGroup(nn.Module):
    """Blocks of one width, the first of which changes the number of channels.

    Parameters
    ----------
    blocks : int
        Number of blocks.
    in_channels, out_channels : int
        Channels before and after.
    stride : int
        Stride of the first block.
    """

    def __init__(self, blocks: int, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            WideBlock(in_channels, out_channels, stride),
            *(WideBlock(out_channels, out_channels, 1) for _ in range(blocks - 1)),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, in_channels, h, w)`` to ``(n, out_channels, h / stride, w / stride)``."""
        return self.layer(features)


class WideResnet(nn.Module):
    """A wide residual network for 32 x 32 images.

    One 3 x 3 convolution with 16 channels, three groups of blocks with 16, 32 and 64 times `widen`
    channels, global average pooling and a linear layer (Zagoruyko and Komodakis, Wide Residual
    Networks, BMVC 2016, table 1). No dropout.

    Parameters
    ----------
    blocks : int
        Blocks a group; the network has ``6 * blocks + 4`` layers.
    widen : int
        Widening factor, at least 2.
    num_classes : int
        Size of the output.
    in_channels : int
        Channels of an image.
    """

    def __init__(self, blocks: int, widen: int, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        widths = [16 * widen, 32 * widen, 64 * widen]
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.block1 = WideGroup(blocks, 16, widths[0], stride=1)
        self.block2 = WideGroup(blocks, widths[0], widths[1], stride=2)
        self.block3 = WideGroup(blocks, widths[1], widths[2], stride=2)
        self.bn1 = nn.BatchNorm2d(widths[2])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[2], num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits, ``(n, num_classes)``, of images ``(n, channels, height, width)``."""
        out = self.block3(self.block2(self.block1(self.conv1(images))))
        out = self.pool(F.relu(self.bn1(out)))
        return self.fc(torch.flatten(out, 1))


def wide_resnet28_2(num_classes: int, in_channels: int = 3, _image_size=None) -> WideResnet:
    """Return a Wide-Resnet-28-2 (four blocks a group, twice the width)."""
    return WideResnet(4, 2, num_classes, in_channels)
