"""Attention to every other position, over channels or of mixed heads, `einsum`, norms by hand."""

import flow
import numpy as np
import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F

from graph_encoding import encode


class Strided(nn.Module):
    """Attention among every other row and column, as in MobileViT and the grids of MaxViT."""

    def __init__(self, step: int = 2) -> None:
        super().__init__()
        self.step, self.stem = step, nn.Conv2d(2, 4, 3, padding=1)
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 4)
        self.last = nn.Conv2d(4, 2, 3, padding=1)

    def attended(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return F.scaled_dot_product_attention(q, k, v)

    def forward(self, x):
        x = self.stem(x)
        (batch, channels, height, width), step = x.shape, self.step
        rows, columns = height // step, width // step
        cut = x.reshape(batch, channels, rows, step, columns, step).permute(0, 3, 5, 2, 4, 1)
        cut = cut.reshape(batch * step * step, rows * columns, channels)
        cut = cut + self.out(self.attended(cut))
        cut = cut.reshape(batch, step, step, rows, columns, channels).permute(0, 5, 3, 1, 4, 2)
        return self.last(cut.reshape(batch, channels, height, width))


class WithEinsum(Strided):
    """The same of two heads, by `einsum`, with one more linear layer that is written so."""

    def __init__(self) -> None:
        super().__init__()
        self.mixing = nn.Parameter((torch.rand(2, 2, 4) < 0.6) * torch.randn(2, 2, 4))

    def attended(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 2)).unbind(2)
        scores = torch.einsum("B I H D, B J H D -> B H I J", q, k)
        x = torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v)
        return torch.einsum("hdo,bihd->bio", self.mixing, x)


class OverChannels(nn.Module):
    """Channels of a head that attend to each other, as in XCiT and EdgeNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv, self.out = nn.Conv2d(3, 6, 2, 2), nn.Linear(6, 18), nn.Linear(6, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 4, 1)
        shares = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT).softmax(-1)
        x = x + self.out((shares @ v).permute(0, 3, 1, 2).flatten(2))
        return self.head(x.mean(1))


class TalkingHeads(nn.Module):
    """Scores and shares of heads that are mixed by linear layers, as in CaiT."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv, self.out = nn.Conv1d(2, 6, 1), nn.Linear(6, 18), nn.Linear(6, 2)
        self.before, self.after = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        x = self.stem(x).transpose(1, 2)
        q, k, v = self.qkv(x).unflatten(-1, (3, 3, 2)).permute(2, 0, 3, 1, 4)
        scores = self.before((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        shares = self.after(scores.softmax(-1).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.out((shares @ v).transpose(1, 2).flatten(2)).mT


NETWORKS = {
    "strided": (Strided, (2, 4, 6)),
    "strided by 3": (lambda: Strided(3), (2, 6, 9)),
    "einsum": (WithEinsum, (2, 4, 6)),
    "channels": (OverChannels, (3, 4, 6)),
    "heads": (TalkingHeads, (2, 5)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_flow_of_sets(name):
    make, shape = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
    sparsify(model, 0, [0.7])
    (graph,) = encode(model, "unrolled", shape, "identity", "tokens")
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-6


def test_a_head_that_takes_no_shares_reads_nothing():
    model = TalkingHeads()
    with torch.no_grad():
        model.after.weight[1] = model.after.bias[1] = 0
    (graph,) = encode(model, "unrolled", (2, 5), attention="tokens")
    qkv = next(layer for layer in graph.layers if layer.name == "qkv")
    out = np.diff(graph.to_scipy().tocsr().indptr)[qkv.offset : qkv.stop].reshape(18, -1)
    assert out[12:].any(axis=1).tolist() == [True, True, False, False, True, True]


class Norm(nn.Module):
    """A norm over channels written out, with its moments."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, x):
        if self.form == "mean square":
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        axis = 1 if self.form == "channels first" else -1
        centred = x - x.mean(axis, keepdim=True)
        return centred / torch.sqrt(centred.pow(2).mean(axis, keepdim=True) + 1e-6)


class Normed(nn.Module):
    """Such a norm between two layers, before and after a sum."""

    def __init__(self, norm: nn.Module, last: bool) -> None:
        super().__init__()
        self.norm, self.stem, self.last = norm, nn.Conv2d(2, 4, 2), last
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = self.stem(x)
        if not self.last:
            x = self.norm(x)
        x = x.permute(0, 2, 3, 1)
        norm = self.norm if self.last else nn.Identity()
        return self.two(norm(x + self.one(norm(x)))).permute(0, 3, 1, 2)


@pytest.mark.parametrize("form", ["mean square", "channels first", "channels last"])
def test_a_norm_that_is_written_out_adds_nothing(form):
    model = Normed(Norm(form), form != "channels first")
    sparsify(model, 0, [0.7])
    (graph,) = encode(model, "unrolled", (2, 4, 5), "identity")
    model.norm = nn.Identity()
    (plain,) = encode(model, "unrolled", (2, 4, 5), "identity")
    assert (graph.to_scipy() != plain.to_scipy()).nnz == 0
    assert flow.largest_difference(model, graph, (2, 4, 5)) < 1e-6


def test_a_mean_over_channels_that_is_no_norms_is_read_or_refused():
    """A factor by it is a gate, which reads all channels of the position."""

    def gate(x):
        return x * x.mean(-1, keepdim=True)

    def maps(x):
        x = x.mT[..., None]
        return (x * x.mean(1, keepdim=True)).flatten(2).mT

    (graph,) = encode(Changed(gate), "unrolled", (1, 2, 2))
    assert graph.blocks[-1].num_edges == 4 * 3 * 2
    with pytest.raises(ValueError, match=r"over axis 1 of 4.*line \d+ of test_attention_sets.py"):
        encode(Changed(maps), "unrolled", (1, 2, 2))


class Changed(nn.Module):
    """A map in which something is unusual."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change, self.stem, self.out = change, nn.Conv2d(1, 3, 1), nn.Linear(3, 2)

    def forward(self, x):
        return self.out(self.change(self.stem(x).flatten(2).transpose(1, 2)))


def corner(x):
    """Every query reads three of the four positions."""
    read = torch.tensor([True, True, True, False])
    return (x @ x.mT).masked_fill(~read, -torch.inf).softmax(-1) @ x


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (corner, "no rows and columns"),
        (lambda x: torch.einsum("bnd,bme->bnm", x, x), "has no multipartite graph here"),
        (lambda x: torch.einsum("bnd,nde->bne", x, torch.ones(4, 3, 3)), "einsum has no"),
        (lambda x: torch.einsum("bnd->bdn", x), "einsum"),
    ],
)
def test_what_has_no_graph_is_named(change, reason):
    with pytest.raises(ValueError, match=f"{reason}.*line .* of test_attention_sets.py"):
        encode(Changed(change), "unrolled", (1, 2, 2), attention="tokens")
