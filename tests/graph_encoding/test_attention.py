"""Softmax attention as sets of positions, against torch's own passes and written-out graphs."""

import math
from dataclasses import replace

import flow
import numpy as np
import oracle
import pytest
import scipy.sparse
import torch
from flow_unread import unread_differences
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import DENSITIES, sparsify
from reference import ExplicitGraph
from torch import nn
from torch.nn import functional as F

import metrics
from datasets.torchvision_import import import_torchvision
from graph_encoding import encode, load, save


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


class Transposed(nn.Module):
    """A linear layer whose weight lies the other way, as in GPT-2 of Hugging Face."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        density = torch.rand(inputs, outputs) < 0.7
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * density)
        self.bias = nn.Parameter(torch.ones(outputs))

    def forward(self, x):
        size = (*x.shape[:-1], len(self.bias))
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(size)


def gpt_2():
    body = Body(5, 4, "packed", hidden(5))
    for layer in body.layers:
        layer.attend.qkv, layer.one = Transposed(4, 12), Transposed(4, 8)
    return Turned(body)


class Crossed(nn.Module):
    """Every position reads a shorter row of other ones, as in decoders; positions come first."""

    def __init__(self) -> None:
        super().__init__()
        self.short, self.stem = nn.Conv1d(2, 6, 2, 2), nn.Conv1d(2, 6, 1)
        self.attend, self.head = nn.MultiheadAttention(6, 2), nn.Linear(6, 2)
        self.register_buffer("mask", torch.zeros(6, 3).masked_fill(hidden(6)[:, :3], -1e4))

    def forward(self, x):
        queries, keys = (f(x).permute(2, 0, 1) for f in (self.stem, self.short))
        x, _ = self.attend(queries, keys, keys, attn_mask=self.mask)
        return self.head(x).permute(1, 2, 0)


def of_torch():
    layer = nn.TransformerEncoderLayer(6, 3, 5, batch_first=True, norm_first=True)
    return nn.Sequential(
        nn.Conv1d(2, 6, 1),
        Turned(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)),
        nn.Flatten(),
        nn.Linear(30, 2),
    )


def swin(version=""):
    """Windows, shifted in every other layer."""
    from torchvision.models import swin_transformer as swin

    kinds = {
        "block": getattr(swin, f"SwinTransformerBlock{version}"),
        "downsample_layer": getattr(swin, f"PatchMerging{version}"),
    }
    sizes = [2, 2], 4, [2, 1], [2, 2], [4, 4], 1.5
    model = swin.SwinTransformer(*sizes, num_classes=3, **kinds)
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
    "gpt-2": (gpt_2, (4, 5)),
    "crossed": (Crossed, (2, 6)),
    "vit": (vit, (3, 8, 8)),
    "swin": (swin, (3, 16, 16)),
    "swin v2": (lambda: swin("V2"), (3, 16, 32)),
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


@pytest.mark.parametrize("name", ["softmax", "where", "class token, softmax", "gpt-2"])
def test_what_leads_to_queries_and_keys(name):
    model, shape = built(name)
    (graph,) = encode(model, "unrolled", shape, "identity", attention="tokens")
    differences = unread_differences(model, graph, shape)
    assert any(module.endswith(("key", "qkv")) for module in differences)
    assert max(differences.values()) < 1e-6
    for module in differences:  # the check sees what the flow to the outputs does not
        blocks = tuple(block for block in graph.blocks if block.name != module)
        without = unread_differences(model, replace(graph, blocks=blocks), shape)
        assert without[module] == np.inf


def test_weights_are_counted_and_queries_and_keys_lead_nowhere():
    model, shape = built("class token")
    (graph,) = encode(model, "unrolled", shape, attention="tokens")
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)
    assert graph.total_weights == sum(weight.numel() for weight in weights)
    out = np.diff(graph.to_scipy().tocsr().indptr)
    for layer in graph.layers:
        if layer.name.endswith("qkv"):
            queries, keys, values = np.split(out[layer.offset : layer.stop], 3)
            assert not queries.any() and not keys.any() and values.all()


def written_out(model: Body, length: int, causal: bool) -> ExplicitGraph:
    """The graph of a body of one layer, by Kronecker products: channels of weights, positions."""
    layer, own = model.layers[0], np.eye(length)
    reads = np.triu(np.ones((length, length))) if causal else np.ones((length, length))
    weights = [
        linear.weight.detach().abs().numpy().T.astype(float)
        for linear in (layer.attend.qkv, layer.attend.out, layer.one, layer.two, model.head)
    ]
    weights[1] = np.vstack([np.zeros((8, 4)), weights[1]])  # values come last
    at_positions = [own, reads, own, own, np.ones((length, 1))]
    blocks = [np.kron(*pair) for pair in zip(weights, at_positions, strict=True)]
    sizes = [len(blocks[0]), *(block.shape[1] for block in blocks)]
    offsets = [0, *np.cumsum(sizes).tolist()]
    matrix = np.zeros((offsets[-1], offsets[-1]))
    for block, start, middle in zip(blocks, offsets, offsets[1:], strict=False):
        matrix[start:middle, middle : middle + block.shape[1]] = block
    return ExplicitGraph(scipy.sparse.csr_array(matrix), offsets)


@settings(max_examples=10, deadline=None)
@given(
    st.integers(2, 6),
    st.booleans(),
    st.lists(st.sampled_from(DENSITIES), min_size=1, max_size=5),
    st.integers(0, 9),
)
def test_metrics_agree_with_the_written_out_graph(length, causal, densities, seed):
    model = Body(length, 4, "packed", hidden(length) if causal else None)
    model.layers = model.layers[:1]
    sparsify(model, seed, densities)
    (graph,) = encode(Turned(model), "unrolled", (4, length), attention="tokens")
    explicit = written_out(model, length, causal)
    np.testing.assert_array_equal(graph.to_scipy().toarray(), explicit.matrix.toarray())
    values = metrics.topometrics(graph)
    expected = oracle.local_connectivity(explicit) | oracle.global_connectivity(explicit)
    expected |= {
        "nodes": explicit.num_nodes,
        "edges": explicit.matrix.nnz,
        "1-hop": oracle.reached(explicit, 1),
        "2-hop": oracle.reached(explicit, 2),
        "motifs": oracle.motifs(explicit),
        "k-core": np.mean(oracle.core_numbers(explicit)),
        "strength": oracle.strength(explicit),
        "spectral-gap": oracle.spectral_gap(explicit),
        "spectral-radius": oracle.spectral_radius(explicit),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("wiring", ["exact", "identity"])
def test_an_input_of_positions_and_features_is_laid_as_one_of_features_and_positions(wiring):
    model = Body(5, 4, "packed", hidden(5))
    sparsify(model, 0, [0.5])
    (turned,) = encode(Turned(model), "unrolled", (4, 5), wiring, "tokens")
    (graph,) = encode(model, "unrolled", (5, 4), wiring, "tokens")
    assert [layer.shape for layer in graph.layers] == [layer.shape for layer in turned.layers]
    assert (graph.to_scipy() != turned.to_scipy()).nnz == 0


def test_a_saved_graph_says_that_attention_is_followed(tmp_path):
    model, shape = built("swin")
    (graph,) = encode(model, "unrolled", shape, attention="tokens")
    save(tmp_path / "swin.graph.zst", [graph])
    (found,) = load(tmp_path / "swin.graph.zst")
    assert found.wiring == "exact+tokens"
    assert (found.to_scipy() != graph.to_scipy()).nnz == 0


class Changed(nn.Module):
    """Attention of one head in which something is unusual."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change, self.stem, self.out = change, nn.Conv1d(2, 3, 1), nn.Linear(3, 2)

    def forward(self, x):
        x = self.stem(x).transpose(1, 2)
        return self.out(self.change(x))


def shares(x):
    return F.softmax(x @ x.transpose(1, 2), -1)


def over_images(x):
    x = x.flatten(0, 1)
    return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize("name", ["sdpa", "softmax", "torch", "vit", "swin"])
def test_without_the_flag_attention_is_refused_and_the_flag_is_named(name):
    model, shape = built(name)
    with pytest.raises(ValueError, match=r"--attention tokens .*\(line \d+ of [a-z_]+.py: "):
        encode(model, "unrolled", shape)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x @ x.transpose(1, 2) @ x, "without softmax"),
        (lambda x: F.softmax(x @ x.transpose(1, 2), 1) @ x, "another axis"),
        (lambda x: F.softmax(x @ x.transpose(1, 2) + (x @ x.mT), -1) @ x, "something else"),
        (lambda x: (shares(x) + 1) @ x, "add of attention's shares has no"),
        (
            lambda x: torch.sigmoid(x @ x.transpose(1, 2)) @ x,
            "sigmoid of a product of two values .*one by one",
        ),
        (lambda x: F.linear(shares(x), torch.ones(4, 6)) @ x[:, :4], "linear of attention's"),
        (lambda x: x * shares(x).mean(1, keepdim=True).mT, "mean of attention's shares"),
        (lambda x: shares(x) @ shares(x) @ x, "scores that meet"),
        (lambda x: x @ (x.mT @ x), "matmul of a product of two values .*no softmax"),
        (lambda x: F.softmax(torch.add(x @ x.mT, torch.eye(6), alpha=-99), -1) @ x, "add of"),
        (over_images, "mixed"),
    ],
)
def test_what_is_no_attention_to_a_rectangle_is_named(change, reason):
    model = Changed(change)
    with pytest.raises(ValueError, match=f"{reason}.*line .* of test_attention.py"):
        encode(model, "unrolled", (2, 6), attention="tokens")


def test_what_cannot_be_asked_for_is_refused():
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="unknown attention 'heads': choose from refuse, tokens"):
        encode(model, "unrolled", (3,), attention="heads")
    with pytest.raises(ValueError, match="wiring published"):
        encode(model, "unrolled", (3,), "published", "tokens")
