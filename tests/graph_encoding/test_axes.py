"""Maps of one axis, as of sound, and of three, as of films: node layers, flow, files, pruners."""

import flow
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import WEIGHTED, networks_along, sparsify
from torch import nn
from torch.nn import functional as F

import graph_encoding
import metrics
import models
import pruning
from graph_encoding import encode
from graph_encoding.products.dense import TorchProduct
from models.initialisation import initialise


class WaveNet(nn.Module):
    """Causal dilated convolutions, gates, residuals and skips, of van den Oord et al. (2016)."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, channels, 1)
        self.dilations = [1, 2, 4]
        self.gates = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, 2, dilation=d) for d in self.dilations
        )
        self.ways = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in self.dilations)
        self.skips = nn.ModuleList(nn.Conv1d(channels, 4, 1) for _ in self.dilations)
        self.last = nn.Conv1d(4, 2, 1)

    def forward(self, x):
        x, skipped = self.first(x), 0
        for dilation, gate, way, skip in zip(
            self.dilations, self.gates, self.ways, self.skips, strict=True
        ):
            value, factor = gate(F.pad(x, (dilation, 0))).chunk(2, 1)
            out = torch.tanh(value) * torch.sigmoid(factor)
            x, skipped = x + way(out), skipped + skip(out)
        return self.last(F.relu(skipped))


class Film(nn.Module):
    """A stem and blocks of an R3D network (Tran et al. 2018), narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        self.norm = nn.BatchNorm3d(4)
        self.one = nn.Conv3d(4, 4, 3, padding=1)
        self.two = nn.Conv3d(4, 6, 3, 2, 1)
        self.down = nn.Conv3d(4, 6, 1, 2)
        self.wide = nn.Conv3d(6, 6, (1, 3, 3), padding=(0, 1, 1), groups=3)
        self.long = nn.Conv3d(6, 6, (3, 1, 1), padding=(1, 0, 0), padding_mode="circular")
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.one(x))
        x = F.relu(self.two(x) + self.down(x))
        x = self.long(F.relu(self.wide(x)))
        return self.head(x.mean((2, 3, 4)))


def sound() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(4, 6, 3, groups=2, padding="same"),
        nn.AdaptiveAvgPool1d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    )


NETWORKS = {
    "wavenet": (WaveNet, (2, 11)),
    "film": (Film, (3, 5, 12, 10)),
    "sound": (sound, (2, 30)),
}


def network(name: str, density: float = 0.6) -> tuple[nn.Module, tuple[int, ...]]:
    make, shape = NETWORKS[name]
    model = make()
    sparsify(model, 1, [density])
    return model, shape


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_flow_in_both_directions(name):
    model, shape = network(name)
    (graph,) = encode(model, "unrolled", shape, "identity")
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-8
    kept = sum(int(m.weight.count_nonzero()) for m in model.modules() if isinstance(m, WEIGHTED))
    assert graph.kept_weights == kept


def test_a_row_is_a_map_of_one_row_and_a_volume_one_of_slices():
    """A convolution along one axis is one along two with one row; a kernel of depth 1 takes every
    slice by itself."""
    row, volume = nn.Conv1d(2, 3, 3, 2, 1), nn.Conv3d(2, 3, (1, 3, 2))
    sparsify(nn.Sequential(row, volume), 0, [0.5])
    as_map, as_slices = nn.Conv2d(2, 3, (1, 3), (1, 2), (0, 1)), nn.Conv2d(2, 3, (3, 2))
    as_map.weight.data, as_slices.weight.data = (
        row.weight.data[:, :, None],
        volume.weight.data[:, :, 0],
    )
    (found,), (expected,) = (
        encode(m, torch.zeros(1, *s)) for m, s in ((row, (2, 9)), (as_map, (2, 1, 9)))
    )
    assert abs(found.to_scipy() - expected.to_scipy()).nnz == 0
    (found,) = encode(volume, torch.zeros(1, 2, 4, 6, 5))
    (slice_,) = encode(as_slices, torch.zeros(1, 2, 6, 5))
    assert [layer.shape for layer in found.layers] == [(2, 4, 6, 5), (3, 4, 4, 4)]
    assert found.num_edges == 4 * slice_.num_edges
    names = ("motifs", "k-core", "cut-edges", "cut-nodes", "connected_components")
    whole, one = (metrics.topometrics(graph) for graph in (found, slice_))
    for name in names:
        assert whole[name] == pytest.approx(one[name] * (1 if name == "k-core" else 4))


@settings(max_examples=15)
@given(networks_along(3))
def test_products_by_torch_and_files_of_volumes(tmp_path_factory, network):
    (graph,) = encode(network.module, "unrolled", network.input_shape)
    x = np.random.default_rng(0).random(graph.num_nodes)
    dense = TorchProduct(graph.num_nodes, graph.blocks, "cpu")
    np.testing.assert_allclose(dense.symmetric(x), graph.product.symmetric(x), rtol=1e-9)
    path = tmp_path_factory.mktemp("graphs") / "graph"
    graph_encoding.save(path, [graph])
    (loaded,) = graph_encoding.load(path)
    assert loaded.layers == graph.layers
    assert abs(loaded.to_scipy() - graph.to_scipy()).nnz == 0
    volumes = any(layer.depth > 1 for layer in graph.layers)
    assert graph_encoding.read_header(path)["version"] == (2 if volumes else 1)


@pytest.mark.parametrize("name", ["sound", "film"])
@pytest.mark.parametrize("pruner", ["uniform", "er", "erk", "synflow"])
def test_pruners_without_data(pruner, name):
    model, shape = network(name, 1.0)
    initialise(model, 0)
    masks = pruning.prune(pruner, model, 0.6, input_shape=shape)
    assert set(masks) == {
        f"{name}.weight" for name, m in model.named_modules() if isinstance(m, WEIGHTED)
    }
    kept = sum(int(mask.sum()) for mask in masks.values())
    total = sum(mask.numel() for mask in masks.values())
    if pruner != "er":  # which keeps less where a layer saturates
        assert kept == round(0.4 * total)
    assert 0.2 * total < kept < 0.5 * total


@pytest.mark.parametrize("pruner", ["snip", "grasp"])
def test_pruners_with_data(pruner):
    model, shape = network("film", 1.0)
    initialise(model, 0)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((128, *shape), generator=generator)
    labels = torch.arange(128) % 5
    masks = pruning.prune(pruner, model, 0.6, [(images, labels)], input_shape=shape)
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert kept == round(0.4 * sum(mask.numel() for mask in masks.values()))


@pytest.mark.parametrize("name", NETWORKS)
def test_bipartite_graphs(name):
    model, _ = network(name)
    layers = models.prunable(model)
    for encoding, axes in (("rolled", 1), ("rolled-channel", 2)):
        for graph, layer in zip(encode(model, encoding), layers.values(), strict=True):
            shape = (*layer.weight.shape[:axes], -1)
            kept = layer.weight.detach().reshape(shape).abs().sum(-1 if axes == 2 else ()) > 0
            matrix = kept if axes == 2 else layer.weight.detach().flatten(1) != 0
            edges = np.zeros(tuple(matrix.shape), bool)
            for source, target, _ in graph.edges():
                edges[target - graph.layers[1].offset, source] = True
            np.testing.assert_array_equal(edges, matrix.numpy())


def test_what_does_not_fit_is_named():
    for model, shape, said in (
        (nn.Conv1d(2, 3, 3), (2, 8, 8), r"\(channels, positions\), here one has shape \(2, 8, 8\)"),
        (nn.Conv3d(2, 3, 3), (2, 8, 8), r"\(channels, depth, height, width\)"),
        (
            nn.Sequential(nn.Conv3d(2, 3, 1), nn.MaxPool3d(2, 1, dilation=2)),
            (2, 4, 4, 4),
            "dilated",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            encode(model, torch.zeros(1, *shape))
