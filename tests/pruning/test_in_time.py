"""What changes masks while a network is trained: each update against a few lines of NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import prunable
from pruning import PRUNERS, prune
from pruning.in_time.layers import Layer, shared, with_random
from pruning.in_time.schedule import Schedule
from system import draws
from tests.pruning.small_nets import small_residual

CHANGES = {name: pruner.change for name, pruner in PRUNERS.items() if pruner.in_time}
SHAPES = {"conv": (4, 3, 3, 3), "wide": (20, 12), "head": (5, 8)}


def draw(*purpose):
    return draws.stream(0, *purpose)


def made(seed=0, density=0.4, ties=False):
    """Layers with masks, weights and slopes; with ties, of few values."""
    random = np.random.default_rng(seed)
    layers = []
    for name, shape in SHAPES.items():
        mask = random.random(shape) < density
        weight, slope = (random.standard_normal(shape).astype("f4") for _ in range(2))
        if ties:
            weight, slope = np.round(weight), np.round(slope)
        tensors = map(torch.from_numpy, (mask, weight * mask, slope))
        layers.append(Layer(name, *tensors))
    return layers


def kept(masks):
    return sum(int(mask.sum()) for mask in masks)


def lowest(mask, score, count):
    """Flat places of the lowest scores where the mask is True; the last of equals."""
    places = np.flatnonzero(mask)
    return sorted(places, key=lambda k: (score.flat[k], -k))[:count]


def highest(mask, score, count):
    """Flat places of the highest scores where the mask is False; the first of equals."""
    places = np.flatnonzero(~mask)
    return sorted(places, key=lambda k: (-score.flat[k], k))[:count]


def dropped(layer, count):
    mask = layer.mask.numpy().copy()
    mask.flat[lowest(mask, abs(layer.weight.numpy()), count)] = False
    return mask


def grown(mask, slope, count):
    mask = mask.copy()
    mask.flat[highest(mask, abs(slope.numpy()), count)] = True
    return mask


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", ["rigl", "itop-gradient"])
def test_growth_by_gradient(name, ties):
    layers = made(ties=ties)
    masks, _ = CHANGES[name].update(layers, 0.3, draw, 0)
    for layer, mask in zip(layers, masks, strict=True):
        count = int(0.3 * int(layer.mask.sum()))
        assert count > 0
        assert np.array_equal(mask, grown(dropped(layer, count), layer.slope, count))


@pytest.mark.parametrize("name", ["set", "itop"])
def test_random_growth(name):
    layers = made()
    masks, _ = CHANGES[name].update(layers, 0.3, draw, 0)
    for layer, mask in zip(layers, masks, strict=True):
        count = int(0.3 * int(layer.mask.sum()))
        left = dropped(layer, count)
        assert not (left & ~mask.numpy()).any()
        assert kept([mask]) == kept([layer.mask])
    again, _ = CHANGES[name].update(layers, 0.3, draw, 0)
    assert all(torch.equal(a, b) for a, b in zip(masks, again, strict=True))
    other, _ = CHANGES[name].update(layers, 0.3, lambda name: draw(name, 1), 0)
    assert not all(torch.equal(a, b) for a, b in zip(masks, other, strict=True))


def test_every_free_place_is_drawn_equally_often():
    mask = torch.zeros(4, 10, dtype=torch.bool)
    mask.view(-1)[::3] = True
    free, count, tries = int((~mask).sum()), 5, 2000
    found = sum((with_random(mask, count, draw(k)) & ~mask).int() for k in range(tries))
    expected = tries * count / free
    assert int(found.sum()) == tries * count
    bound = 5 * math.sqrt(expected * (1 - count / free))
    assert float((found[~mask] - expected).abs().max()) < bound


@pytest.mark.parametrize("fraction", [0.2, 0.7])
def test_sparse_momentum_by_its_formula(fraction):
    """Shares by mean momentum of the kept weights; here no layer is filled."""
    layers = made(density=0.2)
    masks, _ = CHANGES["snfs"].update(layers, fraction, draw, 0)
    means = np.array([abs(layer.slope.numpy()[layer.mask.numpy()]).mean() for layer in layers])
    counts = [int(fraction * int(layer.mask.sum())) for layer in layers]
    expected = sum(counts) * means / means.sum()
    assert kept(masks) == kept(layer.mask for layer in layers)
    for layer, mask, count, share in zip(layers, masks, counts, expected, strict=True):
        left = dropped(layer, count)
        new = kept([mask]) - left.sum()
        assert abs(new - share) < 1
        assert np.array_equal(mask, grown(left, layer.slope, int(new)))


def test_sparse_momentum_fills_no_layer_beyond_its_size():
    layers = made(density=0.9)
    strong = layers[2]._replace(slope=layers[2].slope * 1000)
    layers = [*layers[:2], strong]
    masks, _ = CHANGES["snfs"].update(layers, 0.5, draw, 0)
    assert masks[2].all()
    assert kept(masks) == kept(layer.mask for layer in layers)


@pytest.mark.parametrize(("threshold", "factor"), [(0.01, 2), (0.32, 1), (1.0, 0.5)])
def test_one_threshold_for_all_layers(threshold, factor):
    """It is doubled if under 0.9 of the target were dropped, halved if over 1.1 of it."""
    layers = made()
    values = np.concatenate([abs(layer.weight.numpy()[layer.mask.numpy()]) for layer in layers])
    under = int((values < threshold).sum())
    fraction = 0.25
    target = fraction * len(values)
    assert {2: under < 0.9 * target, 1: abs(under - target) <= 0.1 * target}.get(
        factor, under > 1.1 * target
    )
    masks, carried = CHANGES["dsr"].update(layers, fraction, draw, threshold)
    assert carried == threshold * factor
    held = [(abs(layer.weight) >= threshold) & layer.mask for layer in layers]
    assert kept(masks) == len(values)
    expected = under * np.array([kept([h]) for h in held]) / kept(held)
    for mask, left, share in zip(masks, held, expected, strict=True):
        assert not (left & ~mask).any()
        if max(expected - [(~h).sum() for h in held]) < 0:  # no layer is filled
            assert abs(kept([mask]) - kept([left]) - share) < 1


@given(st.data())
def test_whole_numbers_are_shared(data):
    size = data.draw(st.integers(1, 6))
    room = data.draw(st.lists(st.integers(0, 30), min_size=size, max_size=size))
    shares = data.draw(st.lists(st.floats(0, 1e3), min_size=size, max_size=size))
    count = data.draw(st.integers(0, sum(room)))
    given_ = shared(count, shares, room)
    assert sum(given_) == count
    assert all(0 <= got <= most for got, most in zip(given_, room, strict=True))
    expected = [count * share / (sum(shares) or 1) for share in shares]
    if sum(shares) and all(e < most for e, most in zip(expected, room, strict=True)):
        assert all(abs(got - e) < 1 for got, e in zip(given_, expected, strict=True))


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", CHANGES)
def test_as_many_are_kept_and_what_is_given_stays(name, fraction, density):
    layers = made(1, density)
    before = [tensor.clone() for layer in layers for tensor in layer[1:]]
    for carried in (0.0, 0.5, 9.0):
        masks, _ = CHANGES[name].update(layers, fraction, draw, carried)
        assert kept(masks) == kept(layer.mask for layer in layers)
        assert all(m.shape == layer.mask.shape for m, layer in zip(masks, layers, strict=True))
    after = [tensor for layer in layers for tensor in layer[1:]]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_what_a_layout_is_in_memory_changes_nothing():
    for name, change in CHANGES.items():
        layers = made(ties=True)
        other = [
            layer._replace(
                **{
                    field: getattr(layer, field).contiguous(memory_format=torch.channels_last)
                    for field in ("weight", "slope")
                }
            )
            if layer.weight.ndim == 4
            else layer
            for layer in layers
        ]
        found = [change.update(each, 0.3, draw, 0.8)[0] for each in (layers, other)]
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True)), name


@pytest.mark.parametrize(
    ("name", "fraction", "until", "cosine"),
    [
        ("set", 0.3, 1, False),
        ("rigl", 0.3, 0.75, True),
        ("itop", 0.5, 1, True),
        ("itop-gradient", 0.5, 1, True),
        ("snfs", 0.5, 1, True),
    ],
)
@pytest.mark.parametrize("total", [180, 62560])
def test_fractions(name, fraction, until, cosine, total):
    plan = CHANGES[name].schedule
    for step in (1, total // 3, total // 2):
        angle = math.pi * step / (until * total)
        expected = fraction * (1 + math.cos(angle)) / 2 if cosine else fraction
        assert plan.at(step, total) == pytest.approx(expected)


def test_when_masks_change():
    """Resnet-20 on CIFAR-10, 160 epochs of 391 steps, and on the digits, 4 epochs of 45."""
    paper = {name: change.schedule.updates(62560, 391) for name, change in CHANGES.items()}
    assert paper["set"] == paper["snfs"] == list(range(391, 62560, 391))
    assert paper["rigl"] == list(range(100, 46921, 100))
    assert paper["itop"] == list(range(1500, 62560, 1500))
    gaps = np.diff([0, *paper["dsr"]])
    assert set(gaps) == {100, 200, 400, 800} and (np.diff(gaps) >= 0).all()
    assert paper["dsr"][-1] <= 0.95 * 62560
    short = {name: change.schedule.updates(180, 45) for name, change in CHANGES.items()}
    assert short["set"] == short["snfs"] == [45, 90, 135]
    assert short["rigl"] == list(range(9, 136, 9))
    assert short["itop"] == list(range(9, 180, 9))
    assert (np.diff(np.diff([0, *short["dsr"]])) >= 0).all()


def test_an_update_after_the_last_step_would_be_for_nothing():
    assert Schedule(0.3).updates(45, 45) == []


@pytest.mark.parametrize("name", ["snfs", "dsr"])
def test_all_layers_begin_alike(name):
    model = small_residual()
    masks = prune(name, model, 0.7, seed=2)
    sizes = {key: module.weight.numel() for key, module in prunable(model).items()}
    for key, size in sizes.items():
        assert abs(int(masks[f"{key}.weight"].sum()) - 0.3 * size) <= 1
