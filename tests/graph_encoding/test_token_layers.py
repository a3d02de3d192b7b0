"""Tokens of several layers in one sequence, sequences that become maps, flattened tokens, gates."""

import flow
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F

from graph_encoding import encode


class Attended(nn.Module):
    """Attention of two heads and its shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 4)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(found.transpose(1, 2).flatten(2))


class Pyramid(nn.Module):
    """A class token of a layer of its own beside patches, and a convolution of the patches, as in
    PiT and in the class attention of CaiT."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.token = nn.Conv2d(2, 4, 2, 2), nn.Linear(4, 4)
        self.one, self.two = Attended(), Attended()
        self.pool, self.head = nn.Conv2d(4, 4, 3, 2, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x)
        height, width = x.shape[2:]
        token, x = self.token(x.mean((2, 3)))[:, None], x.flatten(2).mT
        x = self.two(self.one(torch.cat([token, x], 1)))
        maps = self.pool(x[:, 1:].mT.unflatten(2, (height, width)))
        return self.head(torch.cat([x[:, 0], maps.mean((2, 3))], 1))


def test_linear_flow_of_tokens_of_several_layers():
    model, shape = Pyramid(), (2, 6, 8)
    sparsify(model, 0, [0.8])
    (graph,) = encode(model, "unrolled", shape, "identity", "tokens")
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-6


class Flat(nn.Module):
    """A perceptron at every position, and its shortcut; as in OPT, images and positions may be one
    axis meanwhile."""

    def __init__(self, flattens: bool) -> None:
        super().__init__()
        self.flattens = flattens
        self.stem, self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x):
        x = self.stem(x.mT)
        shape = x.shape
        if self.flattens:
            x = x.reshape(-1, shape[-1])
        return (x + self.two(F.relu(self.one(x)))).view(shape).mT


def test_sums_of_flattened_tokens_are_those_of_tokens():
    flat, plain = Flat(True), Flat(False)
    sparsify(flat, 0, [0.7])
    plain.load_state_dict(flat.state_dict())
    for wiring in ("exact", "identity"):
        (one,), (other,) = (encode(net, "unrolled", (4, 5), wiring) for net in (flat, plain))
        assert one.num_nodes == other.num_nodes
        assert (one.to_scipy() != other.to_scipy()).nnz == 0


class Classes(nn.Module):
    """Class attention as in XCiT, patches being added to themselves, or as in CaiT, that is not."""

    def __init__(self, adds_patches: bool) -> None:
        super().__init__()
        self.adds_patches = adds_patches
        self.stem, self.token = nn.Conv1d(2, 4, 1), nn.Linear(4, 4)
        self.kv, self.out, self.last = nn.Linear(4, 8), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x).mT
        x = torch.cat([self.token(x[:, :1]), x], 1)
        for _ in range(2):
            k, v = self.kv(x).chunk(2, -1)
            token, patches = self.out(F.scaled_dot_product_attention(x[:, :1], k, v)), x[:, 1:]
            if self.adds_patches:
                x = x + torch.cat([token, patches], 1)
            else:
                x = torch.cat([x[:, :1] + token, patches], 1)
        return self.last(x[:, 0])


def test_tokens_that_are_added_to_themselves_count_once():
    model, rewritten = Classes(True), Classes(False)
    sparsify(model, 0, [0.8])
    rewritten.load_state_dict(model.state_dict())
    for wiring in ("exact", "identity"):
        one, other = (
            encode(net, "unrolled", (2, 5), wiring, "tokens")[0] for net in (model, rewritten)
        )
        assert one.num_nodes == other.num_nodes
        assert (one.to_scipy() != other.to_scipy()).nnz == 0
        assert one.to_scipy()[:, one.layers[-1].offset :].nnz == int((model.last.weight != 0).sum())
        if wiring == "identity":
            assert flow.largest_difference(model, one, (2, 5)) < 1e-6


class Responding(nn.Module):
    """Global response norm, as in ConvNeXt V2: a gate by the norm of each channel's map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.stem(x).permute(0, 2, 3, 1)
        of = x.norm(p=2, dim=(1, 2), keepdim=True)
        x = x + x * (of / (of.mean(-1, keepdim=True) + 1e-6))
        return self.last(x.permute(0, 3, 1, 2))


def test_a_gate_by_a_norm_over_positions():
    model, shape = Responding(), (2, 3, 4)
    (graph,) = encode(model, "unrolled", shape)
    last = graph.blocks[-1]
    assert last.num_edges == 4 * 2 * (3 * 4) ** 2  # every position reads all of every channel's
    assert flow.largest_difference(model, graph, shape) < 1e-6
