"""Removed weights that come back where a layer computes its weight, against the sums themselves."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import main
import pruning

NETS = """
from torch import nn
from torch.nn import functional as F


class Standardised(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Scaled(nn.Linear):
    def forward(self, x):
        return F.linear(x, weight=self.weight / self.weight.norm(), bias=self.bias)


def make():
    return nn.Sequential(
        Standardised(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Scaled(4, 5), nn.Linear(5, 2)
    )
"""


@pytest.fixture
def network():
    space = {}
    exec(NETS, space)
    torch.manual_seed(0)
    return space["make"]()


def test_the_share_that_came_back_is_that_of_the_rows_with_a_weight(network):
    masks = pruning.prune("uniform", network, 0.5)
    masks["0.weight"][1] = False  # nothing is left to have a mean other than zero
    pruning.apply_masks(network, masks)
    weight = network[0].weight.detach()
    used = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
    gone = weight == 0
    share = float((used[gone] != 0).double().mean())
    assert 0 < share < 1
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert pruning.returned(network, masks, (3, 8, 8)) == pytest.approx({"0": share})
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert not any(len(module._forward_hooks) for module in network.modules())


def test_layers_that_use_what_they_hold_and_those_that_scale_it_have_none(network):
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), network[3].__class__(144, 5))
    masks = pruning.prune("uniform", plain, 0.9)
    pruning.apply_masks(plain, masks)
    assert pruning.returned(plain, masks, (3, 8, 8)) == {}
    assert F.relu(plain(torch.ones(1, 3, 8, 8))).shape == (1, 5)


def test_the_user_is_warned_with_the_layer_and_the_share(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "standard_nets.py").write_text(NETS)
    flags = "--model standard_nets:make --pruning uniform --sparsity 0.5 --encoding rolled"
    assert main.main(flags.split()) == 0
    err = capsys.readouterr().err
    assert "1 layer computes its weight anew" in err
    assert "up to 100.0% of them in 0:" in err
