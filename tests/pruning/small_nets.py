"""Small networks and data for the pruning tests."""

import torch
from torch import nn


class SmallResidual(nn.Module):
    """Convolution, one block with identity shortcut, one with projection, global pool, linear."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.a1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bna1 = nn.BatchNorm2d(4)
        self.a2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bna2 = nn.BatchNorm2d(4)
        self.b1 = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
        self.bnb1 = nn.BatchNorm2d(6)
        self.b2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bnb2 = nn.BatchNorm2d(6)
        self.shortcut = nn.Conv2d(4, 6, 1, stride=2, bias=False)
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = (x + self.bna2(self.a2(self.bna1(self.a1(x)).relu()))).relu()
        x = (self.shortcut(x) + self.bnb2(self.b2(self.bnb1(self.b1(x)).relu()))).relu()
        return self.linear(x.mean(dim=(2, 3)))


def initialised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Kaiming-normal weights, zero and frozen biases, as the project's models have."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
                module.bias.requires_grad_(False)
    return model


def small_residual(seed: int = 0) -> nn.Module:
    """594 + 18 prunable weights in 7 layers; input 3 x 8 x 8, 3 classes."""
    return initialised(SmallResidual(), seed)


def small_plain(seed: int = 0) -> nn.Module:
    """Conv, max pool, conv, two linear layers with biases; input 3 x 8 x 8, 3 classes."""
    return initialised(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 10),
            nn.ReLU(),
            nn.Linear(10, 3),
        ),
        seed,
    )


def data(samples: int, batch_size: int, seed: int = 1, classes: int = 3, dtype=torch.float32):
    """Return a list of random (images, labels) batches; labels cycle through the classes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(samples, 3, 8, 8, generator=generator, dtype=dtype)
    labels = torch.arange(samples) % classes
    return list(zip(images.split(batch_size), labels.split(batch_size)))
