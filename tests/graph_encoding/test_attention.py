"""Softmax attention as sets of positions, against torch's own passes and written-out graphs."""

import math

import flow
import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F

from datasets.torchvision_import import import_torchvision
from graph_encoding import encode


class Scaled(nn.Module):
    """Attention of heads, by the function of torch or by softmax, as in timm, BERT and GPT-2."""

    def __init__(self, width: int, heads: int, form: str, hidden=None) -> None:
        super().__init__()
        self.heads, self.form = heads, form
        self.register_buffer("hidden", hidden)  # True where a query does not read a key
        if form == "packed":
            self.qkv = nn.Linear(width, 3 * width)
        else:
            self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        if self.form == "packed":
            q, k, v = self.qkv(x).reshape(batch, length, 3, *split[2:]).permute(2, 0, 3, 1, 4)
            causal = self.hidden is not None
            x = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        else:
            q, k, v = (f(x).view(split).transpose(1, 2) for f in (self.query, self.key, self.value))
            scores = q @ k.transpose(-2, -1) / math.sqrt(split[-1])
            if self.form == "where" and self.hidden is not None:
                least = torch.full([], torch.finfo(scores.dtype).min, dtype=scores.dtype)
                scores = torch.where(~self.hidden, scores, least)
            elif self.form == "added" and self.hidden is not None:
                scores = scores + self.hidden * torch.finfo(torch.float32).min
            elif self.hidden is not None:
                scores = scores.masked_fill(self.hidden, -torch.inf)
            x = F.dropout(F.softmax(scores, dim=-1), 0.1, self.training).matmul(v)
        return self.out(x.transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    """Attention and a perceptron, each with its shortcut."""

    def __init__(self, width: int, heads: int, *form) -> None:
        super().__init__()
        self.norm, self.norm_again = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = Scaled(width, heads, *form)
        self.one, self.two = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attend(self.norm(x))
        return x + self.two(F.gelu(self.one(self.norm_again(x))))


class Body(nn.Module):
    """A transformer's layers on embedded tokens (positions, features)."""

    def __init__(self, length: int, width: int, *form, pooled: bool = True) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(length, width))
        self.layers = nn.Sequential(*(Layer(width, 2, *form) for _ in range(2)))
        self.head, self.pooled = nn.Linear(width, 3), pooled

    def forward(self, x):
        x = self.layers(x + self.positions)
        return self.head(x.mean(1)) if self.pooled else self.head(x).transpose(1, 2)


class Turned(nn.Module):
    """The same of an input (features, positions)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.transpose(1, 2))


class Vision(nn.Module):
    """Patches behind a token for the class, as ViT and DeiT."""

    def __init__(self, *form) -> None:
        super().__init__()
        self.stem, self.token = nn.Conv2d(3, 4, 2, 2), nn.Parameter(torch.zeros(1, 1, 4))
        self.layers = nn.Sequential(Layer(4, 2, *form), Layer(4, 1, *form))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.head(self.layers(x)[:, 0])


def hidden(length):
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def padded(length):
    """The last two tokens fill the sequence up."""
    return (torch.arange(length) >= length - 2).expand(length, length)


def of_torch():
    layer = nn.TransformerEncoderLayer(6, 3, 5, batch_first=True, norm_first=True)
    return nn.Sequential(
        nn.Conv1d(2, 6, 1), Turned(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)), nn.Flatten(), nn.Linear(30, 2)
    )


def swin():
    """Four windows, shifted in every other layer, then one."""
    from torchvision.models.swin_transformer import SwinTransformer

    model = SwinTransformer([2, 2], 4, [2, 1], [2, 2], [4, 4], mlp_ratio=1.5, num_classes=3)
    for name, table in model.named_parameters():
        if "position_bias" in name:
            nn.init.uniform_(table, -1, 1)
    return model


def vit():
    from torchvision.models import VisionTransformer

    return VisionTransformer(8, 2, 2, 2, 6, 8, num_classes=3)


NETWORKS = {
    "sdpa": (lambda: Turned(Body(5, 4, "packed")), (4, 5)),
    "causal": (lambda: Turned(Body(5, 4, "packed", hidden(5))), (4, 5)),
    "softmax": (lambda: Turned(Body(5, 4, "plain")), (4, 5)),
    "where": (lambda: Turned(Body(5, 4, "where", hidden(5), pooled=False)), (4, 5)),
    "filled": (lambda: Turned(Body(5, 4, "filled", hidden(5))), (4, 5)),
    "added": (lambda: Turned(Body(6, 4, "added", padded(6))), (4, 6)),
    "class token": (lambda: Vision("packed"), (3, 4, 6)),
    "class token, softmax": (lambda: Vision("plain"), (3, 4, 6)),
    "torch": (of_torch, (2, 5)),
    "vit": (vit, (3, 8, 8)),
    "swin": (swin, (3, 16, 16)),
}


def built(name, density=0.7):
    import_torchvision()
    make, shape = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make().eval()
    sparsify(model, 0, [density])
    return model, shape


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_flow_of_attention(name):
    model, shape = built(name)
    (graph,) = encode(model, "unrolled", shape, "identity", attention="tokens")
    assert graph.wiring == "identity+tokens"
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-6
