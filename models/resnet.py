"""Resnet-20 and Resnet-32: the residual networks for CIFAR."""

import torch
from torch import nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the shortcut around them.

    The shortcut is the identity where the shapes agree, and otherwise a 1 x 1 convolution with
    batch normalisation ("option B" of He et al.).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    stride : int
        Stride of the first convolution and of the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, in_channels, h, w)`` to ``(n, out_channels, h / stride, w / stride)``."""
        out = F.relu(self.bn1(self.conv1(features)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(features))


class Resnet(nn.Module):
    """A residual network for 32 x 32 images.

    One 3 x 3 convolution, three groups of blocks with 16, 32 and 64 channels on maps of 32 x 32,
    16 x 16 and 8 x 8, global average pooling and a linear layer (He et al., Deep Residual Learning
    for Image Recognition, CVPR 2016, section 4.2).

    Parameters
    ----------
    blocks : int
        Blocks a group; the network has ``6 * blocks + 2`` layers.
    num_classes : int
        Size of the output.
    in_channels : int
        Channels of an image.
    """

    def __init__(self, blocks: int, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _group(blocks, 16, 16, stride=1)
        self.layer2 = _group(blocks, 16, 32, stride=2)
        self.layer3 = _group(blocks, 32, 64, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits, ``(n, num_classes)``, of images ``(n, channels, height, width)``."""
        out = F.relu(self.bn1(self.conv1(images)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(torch.flatten(self.pool(out), 1))


def _group(blocks: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride)
    return nn.Sequential(
        first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1))
    )


def resnet20(num_classes: int, in_channels: int = 3, _image_size=None) -> Resnet:
    """Return a Resnet-20 (three blocks a group)."""
    return Resnet(3, num_classes, in_channels)


def resnet32(num_classes: int, in_channels: int = 3, _image_size=None) -> Resnet:
    """Return a Resnet-32 (five blocks a group)."""
    return Resnet(5, num_classes, in_channels)
