"""Weights at initialisation."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

import models
from models.initialisation import initialise


@pytest.mark.parametrize("name", models.MODELS)
def test_kaiming_normal_from_a_stream_for_each_layer(name):
    """NumPy's standard normals, scaled by sqrt(2 / inputs of a unit), bit for bit."""
    model = models.build(name, 10, seed=5)
    drawn = []
    for key, module in models.prunable(model).items():
        words = [*b"weights", 256, *key.encode(), 256]
        philox = np.random.Philox(np.random.SeedSequence(5, spawn_key=words))
        normals = np.random.Generator(philox).standard_normal(module.weight.shape)
        deviation = math.sqrt(2 / module.weight[0].numel())
        assert (module.weight.detach().numpy() == (normals * deviation).astype(np.float32)).all()
        drawn.append(module.weight.detach().numpy().ravel() / deviation)
    assert scipy.stats.kstest(np.concatenate(drawn), "norm").pvalue > 1e-3


def test_weights_do_not_depend_on_other_layers():
    ten, hundred = (models.build("Resnet-20", classes, seed=5) for classes in (10, 100))
    assert torch.equal(ten.layer3[2].conv2.weight, hundred.layer3[2].conv2.weight)
    assert not torch.equal(ten.layer3[2].conv2.weight, ten.layer3[2].conv1.weight)


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
