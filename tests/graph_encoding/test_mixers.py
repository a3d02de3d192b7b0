"""Linear layers over positions: mixers, against torch's own passes."""

import flow
import pytest
import torch
from networks import WEIGHTED, sparsify
from torch import nn
from torch.nn import functional as F

import pruning
from graph_encoding import encode
from graph_encoding.tracing import linear


class MixerBlock(nn.Module):
    """Tolstikhin et al. (2021): over the patches of every channel, then over the channels."""

    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.norm, self.norm_again = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.one, self.two = nn.Linear(patches, 5), nn.Linear(5, patches)
        self.three, self.four = nn.Linear(channels, 8), nn.Linear(8, channels)

    def forward(self, x):
        tokens = self.two(F.gelu(self.one(self.norm(x).transpose(1, 2)))).transpose(1, 2)
        x = x + tokens
        return x + self.four(F.gelu(self.three(self.norm_again(x))))


class ResMlpBlock(nn.Module):
    """Touvron et al. (2021), as in timm: scales and shifts in place of norms, by addcmul."""

    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.alpha, self.beta = (
            nn.Parameter(torch.ones(1, 1, channels)),
            nn.Parameter(torch.zeros(1, 1, channels)),
        )
        self.scale = nn.Parameter(torch.full((channels,), 0.1))
        self.over_patches = nn.Linear(patches, patches)
        self.one, self.two = nn.Linear(channels, 8), nn.Linear(8, channels)

    def forward(self, x):
        mixed = self.over_patches(torch.addcmul(self.beta, self.alpha, x).transpose(1, 2))
        x = x + self.scale * mixed.transpose(1, 2)
        return x + self.scale * self.two(F.gelu(self.one(torch.addcmul(self.beta, self.alpha, x))))


class Mixer(nn.Module):
    """Patches, blocks, and a mean over patches."""

    def __init__(self, block: type[nn.Module]) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 3)
        self.blocks = nn.Sequential(block(6, 4), block(6, 4))

    def forward(self, x):
        return self.head(self.blocks(self.stem(x).flatten(2).transpose(1, 2)).mean(1))


@pytest.mark.parametrize("block", [MixerBlock, ResMlpBlock])
def test_linear_flow_of_mixers(block, monkeypatch):
    model, shape = Mixer(block), (3, 4, 6)
    sparsify(model, 0, [0.7])
    (graph,) = encode(model, "unrolled", shape, "identity")
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    scales = [p for name, p in model.named_parameters() if name.endswith("scale")]
    with torch.no_grad():  # a flow takes scales for what they are, an edge does not
        for scale in scales:
            scale.fill_(1)
    # ResMLP's identities share edges with weights over positions: float32 sums.
    assert flow.largest_difference(model, graph, shape) < (1e-8 if block is MixerBlock else 1e-6)
    weights = [m.weight for m in model.modules() if isinstance(m, WEIGHTED)]
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)
    assert graph.total_weights == sum(weight.numel() for weight in weights)
    assert all(mask.any() for mask in pruning.effective_masks(model, shape).values())
    pruning.prune("synflow", model, 0.5, input_shape=shape)
    monkeypatch.setattr(linear, "MOST_ENTRIES", 20)
    with pytest.raises(ValueError, match=r"blocks.0.* \(Linear\).* prune it further \(line \d+ of"):
        encode(model, "unrolled", shape)
