"""Attention's projections are pruned as any layer, though torch keeps them beside its modules."""

import pytest
import torch
from torch import nn

import pruning
from graph_encoding import encode


class Patches(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 2)
        self.heads = nn.MultiheadAttention(8, 2, batch_first=True, **sizes)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        return self.head(self.heads(x, x, x, need_weights=False)[0].mean(1))


def built(**sizes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Patches(**sizes).eval()


ONE = {"heads.in_proj_weight"}
THREE = {f"heads.{part}_proj_weight" for part in "qkv"}
BATCHES = [
    (torch.rand(4, 3, 16, 16, generator=torch.manual_seed(i)), torch.arange(4) % 2)
    for i in range(600)
]


@pytest.mark.parametrize("pruner", ["uniform", "er", "erk", "magnitude", "snip", "grasp"])
def test_every_kind_of_pruner_prunes_them(pruner):
    model = built()
    masks = pruning.prune(pruner, model, 0.5, BATCHES, input_shape=(3, 16, 16))
    assert masks.keys() == {"stem.weight", "head.weight", "heads.out_proj.weight", *ONE}
    removed = ~masks["heads.in_proj_weight"]
    assert 0 < removed.double().mean() < 1
    pruning.apply_masks(model, masks)
    assert not model.heads.in_proj_weight[removed].any()
    (graph,) = encode(model, "unrolled", (3, 16, 16), attention="tokens")
    assert graph.kept_weights == sum(int(mask.sum()) for mask in masks.values())
    assert graph.total_weights == sum(mask.numel() for mask in masks.values())


def test_projections_of_different_inputs_are_three_matrices():
    masks = pruning.prune("uniform", built(kdim=5, vdim=6), 0.5)
    assert masks.keys() == {"stem.weight", "head.weight", "heads.out_proj.weight", *THREE}
    assert masks["heads.k_proj_weight"].shape == (8, 5)


@pytest.mark.parametrize("sizes", [{}, {"kdim": 5, "vdim": 6}])
def test_projections_that_are_layers_of_their_own_are_counted_once(sizes):
    model = built()
    model.heads = torch.ao.nn.quantizable.MultiheadAttention(8, 2, **sizes)
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    masks = pruning.prune("uniform", model, 0.5)
    assert masks.keys() == {"stem.weight", *(f"{name}.weight" for name in layers)}
    found = [graph.layer_name for graph in encode(model, "rolled")]
    assert sorted(found) == sorted(["stem", *layers])
