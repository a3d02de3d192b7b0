import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from pruning.masks import achieved_sparsity, apply_masks, keep_highest, kept_count, without_zeros
from pruning.weights import prunable_weights


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=4),
    st.floats(0, 1, exclude_max=True),
)
def test_keep_highest_equals_a_stable_sort(layers, sparsity):
    scores = {f"l{i}": torch.tensor(values, dtype=torch.float32) for i, values in enumerate(layers)}
    flat = [value for values in layers for value in values]
    keep = kept_count(len(flat), sparsity)
    order = sorted(range(len(flat)), key=lambda i: -flat[i])  # Python's sort is stable
    expected = [i in set(order[:keep]) for i in range(len(flat))]
    masks = keep_highest(scores, keep)
    assert [bool(v) for mask in masks.values() for v in mask] == expected
    assert list(masks) == list(scores)


def test_equal_scores_keep_the_first_weights():
    masks = keep_highest({"a": torch.zeros(2, 2), "b": torch.zeros(3)}, 5)
    assert masks["a"].tolist() == [[True, True], [True, True]]
    assert masks["b"].tolist() == [True, False, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        keep_highest({"a": torch.tensor([1.0, bad])}, 1)


def test_keep_out_of_range_is_refused():
    with pytest.raises(ValueError, match="cannot keep 3 of 2"):
        keep_highest({"a": torch.ones(2)}, 3)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.6, 0.98, 0.999])
def test_kept_count_is_the_nearest_whole_number(sparsity):
    assert abs(kept_count(268_336, sparsity) - (1 - sparsity) * 268_336) <= 0.5


def test_apply_masks_zeroes_exactly_the_removed_weights():
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 2))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    masks = {
        n: torch.rand(before[n].shape, generator=generator) < 0.5 for n in ("0.weight", "2.weight")
    }
    apply_masks(model, masks)
    after = dict(model.named_parameters())
    for name, mask in masks.items():
        assert torch.equal(after[name].detach(), before[name] * mask)
    assert torch.equal(after["0.bias"], before["0.bias"])
    removed = sum(int((~m).sum()) for m in masks.values())
    assert achieved_sparsity(masks) == pytest.approx(removed / 12)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"weight": torch.zeros(2, 2).bool(), "other": torch.ones(1).bool()}, "no parameter"),
        ({"weight": torch.zeros(2, 3).bool()}, "shape"),
    ],
)
def test_apply_masks_refuses_what_does_not_fit_and_leaves_the_model_alone(masks, message):
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    with pytest.raises(ValueError, match=message):
        apply_masks(model, masks)
    assert torch.equal(model.weight, before)


def test_weights_that_are_zero_already_are_removed_too():
    model = nn.Linear(2, 2)
    model.weight.data = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    masks = without_zeros(model, {"weight": torch.tensor([[True, True], [False, True]])})
    assert masks["weight"].tolist() == [[False, True], [False, True]]
    apply_masks(model, masks)
    assert model.weight.tolist() == [[0.0, 1.0], [0.0, 3.0]]


def test_a_weight_that_modules_share_is_pruned_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    model[2].weight = model[0].weight
    assert list(prunable_weights(model)) == ["0.weight", "1.weight"]
    apply_masks(model, {"2.weight": torch.zeros(2, 2).bool()})  # by its other name too
    assert not model[0].weight.any()


@pytest.mark.parametrize(
    "computed",
    [lambda layer: prune.identity(layer, "weight"), parametrizations.weight_norm],
)
def test_weights_that_are_computed_are_refused(computed):
    model = nn.Sequential(nn.Linear(2, 2))
    computed(model[0])
    with pytest.raises(ValueError, match="the weight of layer 0 is computed"):
        prunable_weights(model)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_scores_that_rounding_alone_tells_apart_are_equal(draw):
    """Equal numbers, each a few units in the last place off, keep the first weights as before."""
    values = draw.draw(st.lists(st.integers(-3, 3), min_size=2, max_size=12))
    keep = draw.draw(st.integers(1, len(values)))
    units = st.lists(st.integers(-9, 9), min_size=len(values), max_size=len(values))
    exact = torch.tensor(values, dtype=torch.float64) / 7
    noisy = exact * (1 + torch.tensor(draw.draw(units)) * 2.0**-52)
    expected = keep_highest({"a": exact}, keep)["a"]
    assert keep_highest({"a": noisy}, keep)["a"].tolist() == expected.tolist()
    apart = {"a": torch.tensor([1.0, 1 + 1e-9], dtype=torch.float64)}
    assert keep_highest(apart, 1)["a"].tolist() == [False, True]
