"""The pruners that look at shapes only: uniform, er, erk."""

import math

import pytest
import torch

from pruning import achieved_sparsity, er, erk, prune
from tests.pruning.small_nets import small_residual

SHAPES = {
    "stem": torch.Size((16, 3, 3, 3)),
    "conv": torch.Size((64, 64, 3, 3)),
    "shortcut": torch.Size((64, 32, 1, 1)),
    "wide": torch.Size((256, 4096)),
    "head": torch.Size((10, 64)),
}
TOTAL = sum(math.prod(shape) for shape in SHAPES.values())
SPARSITIES = [0.0, 0.3, 0.6, 0.9, 0.98, 0.999]


def test_uniform_stays_within_binomial_bounds():
    """Kept number of each layer over 200 seeds, within 5 standard deviations of a binomial."""
    model = small_residual()
    keep = 0.3
    runs = [prune("uniform", model, 1 - keep, seed=seed) for seed in range(200)]
    for name in runs[0]:
        size = runs[0][name].numel()
        counts = [int(masks[name].sum()) for masks in runs]
        deviation = math.sqrt(size * keep * (1 - keep))
        assert max(abs(count - size * keep) for count in counts) <= 5 * deviation
        assert abs(sum(counts) / 200 - size * keep) <= 5 * deviation / math.sqrt(200)
        assert len(set(counts)) > 1  # global, not layer by layer


def test_uniform_keeps_every_weight_equally_often():
    model = small_residual()
    often = sum(
        torch.cat([m.reshape(-1) for m in prune("uniform", model, 0.7, seed=seed).values()]).float()
        for seed in range(300)
    )
    bound = 5 * math.sqrt(300 * 0.3 * 0.7)
    assert float((often - 90).abs().max()) <= bound


@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_er_follows_the_formula(sparsity):
    counts = er.kept_per_layer(SHAPES, sparsity)
    eps = round((1 - sparsity) * TOTAL) / (25 + 134 + 98 + 4352 + 74)
    for name, dimensions in (("stem", 25), ("conv", 134), ("shortcut", 98), ("wide", 4352)):
        expected = min(math.prod(SHAPES[name]), eps * dimensions)
        assert abs(counts[name] - expected) <= 0.5


def test_er_loses_what_a_saturated_layer_cannot_take():
    shapes = {"small": torch.Size((2, 2)), "large": torch.Size((100, 100))}
    # eps = 5002 / 204, so `small` should keep 98 of its 4 weights; `large` keeps 4904.
    assert er.kept_per_layer(shapes, 0.5) == {"small": 4, "large": 4904}


def test_er_is_exact_where_no_layer_saturates_and_sparser_elsewhere():
    model = small_residual()
    for sparsity in SPARSITIES:
        masks = prune("er", model, sparsity)
        expected = er.kept_per_layer({n: m.shape for n, m in masks.items()}, sparsity)
        assert {n: int(m.sum()) for n, m in masks.items()} == expected
        saturated = any(m.all() for m in masks.values())
        total = sum(m.numel() for m in masks.values())
        assert achieved_sparsity(masks) >= sparsity - 0.5 * len(masks) / total
        if not saturated:
            assert achieved_sparsity(masks) == pytest.approx(sparsity, abs=3.5 / total)


def fitted_factor(sparsity):
    """The factor c for which sum(min(size, c * sum(shape))) is the target, by bisection."""
    target = round((1 - sparsity) * TOTAL)
    low, high = 0.0, float(TOTAL)
    for _ in range(200):
        middle = (low + high) / 2
        kept = sum(min(math.prod(s), middle * sum(s)) for s in SHAPES.values())
        low, high = (middle, high) if kept < target else (low, middle)
    return high


@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_erk_follows_the_formula_and_meets_the_target_exactly(sparsity):
    counts = erk.kept_per_layer(SHAPES, sparsity)
    assert sum(counts.values()) == round((1 - sparsity) * TOTAL)
    factor = fitted_factor(sparsity)
    densities = erk.layer_densities(SHAPES, round((1 - sparsity) * TOTAL))
    for name, shape in SHAPES.items():
        size = math.prod(shape)
        density = min(1.0, factor * sum(shape) / size)
        assert densities[name] == pytest.approx(density, rel=1e-6)
        assert abs(counts[name] - density * size) < 1 + 1e-3


def test_erk_rescales_the_rest_when_layers_saturate():
    shapes = {"small": torch.Size((2, 2)), "large": torch.Size((100, 100))}
    assert erk.kept_per_layer(shapes, 0.5) == {"small": 4, "large": 4998}


@pytest.mark.parametrize("name", ["er", "erk"])
def test_positions_are_uniform_within_a_layer(name):
    model = small_residual()
    runs = [prune(name, model, 0.8, seed=seed)["b2.weight"] for seed in range(300)]
    density = float(runs[0].float().mean())
    often = sum(mask.float() for mask in runs)
    bound = 5 * math.sqrt(300 * density * (1 - density))
    assert float((often - 300 * density).abs().max()) <= bound
