"""The list of prunable modules."""

from torch import nn

import models


def test_convolutions_and_linear_layers_only_in_order():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1)),
        nn.Flatten(),
        nn.Linear(4, 2),
        nn.Embedding(3, 2),
    )
    found = models.prunable(model)
    assert list(found) == ["0", "2.1", "4"]
    assert found["2.1"] is model[2][1]
