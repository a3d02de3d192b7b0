"""MobileNetV2 for 32 x 32 images: depthwise convolutions between narrow layers."""

import torch
from torch import nn
from torch.nn import functional as F

# Expansion, channels, blocks and stride of each group: of the paper, but for the stride of the
# second, which is 1 here so that maps stay large enough.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """A 1 x 1 convolution that widens, a depthwise 3 x 3 one, and a 1 x 1 one that narrows.

    At stride 1 a shortcut goes around them: the identity where the channels agree, and otherwise a
    1 x 1 convolution with batch normalisation.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    expansion : int
        How many times wider the middle is than the input.
    stride : int
        Stride of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = expansion * in_channels
        self.conv1 = nn.Conv2d(in_channels, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.conv3 = nn.Conv2d(wide, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module | None = None
        if stride == 1:
            self.shortcut = nn.Identity()
            if in_channels != out_channels:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(in_channels, out_channels, 1, bias=False),
                    nn.BatchNorm2d(out_channels),
                )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map ``(n, in_channels, h, w)`` to ``(n, out_channels, h / stride, w / stride)``."""
        out = F.relu(self.bn1(self.conv1(features)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return out if self.shortcut is None else out + self.shortcut(features)


class MobileNetV2(nn.Module):
    """MobileNetV2 as it is used on CIFAR: 1,676,182 nodes at 10 classes.

    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2,
    with strides for small images.

    Parameters
    ----------
    num_classes : int
        Size of the output.
    in_channels : int
        Channels of an image.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, _image_size=None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        blocks, before = [], 32
        for expansion, channels, count, stride in GROUPS:
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(InvertedResidual(before, channels, expansion, step))
                before = channels
        self.layers = nn.Sequential(*blocks)
        self.conv2 = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(1280, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits, ``(n, num_classes)``, of images ``(n, channels, height, width)``."""
        out = F.relu(self.bn1(self.conv1(images)))
        out = F.relu(self.bn2(self.conv2(self.layers(out))))
        return self.linear(torch.flatten(self.pool(out), 1))
