"""Weights at initialisation."""

import math

import pytest
import torch
from torch import nn

import models
from models.initialisation import initialise


@pytest.mark.parametrize("name", models.MODELS)
def test_kaiming_normal_in_module_order(name):
    """One stream of standard normals, scaled by sqrt(2 / inputs of a unit), fills the layers."""
    model = models.build(name, 10, seed=5)
    generator = torch.Generator().manual_seed(5)
    for key, module in models.prunable(model).items():
        fan_in = module.weight[0].numel()
        expected = torch.empty(module.weight.shape).normal_(generator=generator)
        torch.testing.assert_close(
            module.weight.detach(), expected * math.sqrt(2 / fan_in), msg=lambda m, key=key: key + m
        )


@pytest.mark.parametrize("name", models.MODELS)
def test_biases_zero_and_frozen_batch_norm_trainable(name):
    model = models.build(name, 10)
    for module in models.prunable(model).values():
        if module.bias is not None:
            assert not module.bias.any()
            assert not module.bias.requires_grad
        assert module.weight.requires_grad
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        assert (norm.weight == 1).all()
        assert not norm.bias.any()
        assert norm.weight.requires_grad
        assert norm.bias.requires_grad


def test_seed_decides_and_global_state_is_left_alone():
    before = torch.random.get_rng_state()
    first = models.build("Resnet-20", 10, seed=1).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.randn(7)
    again = models.build("Resnet-20", 10, seed=1).state_dict()
    other = models.build("Resnet-20", 10, seed=2).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_initialise_undoes_training():
    model = models.build("CONV-6", 10, seed=3)
    fresh = {key: value.clone() for key, value in model.state_dict().items()}
    model(torch.randn(4, 3, 32, 32))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.5)
    initialise(model, 3)
    for key, value in model.state_dict().items():
        assert torch.equal(value, fresh[key]), key
