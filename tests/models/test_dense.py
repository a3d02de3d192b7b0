"""Sparse layouts and quantised weights, in networks and in files: as torch makes them dense."""

import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import graph_encoding
import models
from models import own
from models.own import OwnNetworkError
from models.weights_file import state_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.ao.quantization"),
    pytest.mark.filterwarnings("ignore:.*Sparse"),
    pytest.mark.filterwarnings("ignore:torch.q"),
    pytest.mark.filterwarnings("ignore:.*observer"),
    pytest.mark.filterwarnings("ignore:Please use quant"),
    pytest.mark.filterwarnings("ignore:.*TypedStorage"),
]
SHAPE = (3, 6, 6)
LAYOUTS = {
    "coo": torch.Tensor.to_sparse,
    "csr": torch.Tensor.to_sparse_csr,
    "csc": torch.Tensor.to_sparse_csc,
    "bsr": lambda weight: weight.to_sparse_bsr((1, 2)),
}


class Net(nn.Module):
    """Between the steps at which torch quantises."""

    def __init__(self):
        super().__init__()
        self.first, self.last = (
            torch.ao.quantization.QuantStub(),
            torch.ao.quantization.DeQuantStub(),
        )
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()
        self.other, self.fc = nn.Conv2d(4, 4, 1), nn.Linear(4, 6)
        self.sum = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.first(x))))
        x = self.sum.add(x, self.other(x))
        return self.last(self.fc(x.mean((2, 3))))


def pruned():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Net().eval()
    with torch.no_grad():
        for layer in (model.conv, model.other, model.fc):
            layer.weight *= torch.rand(layer.weight.shape, generator=torch.manual_seed(1)) < 0.5
    return model


def quantised(joined=("conv", "bn", "relu")):
    """Static: convolutions a scale a channel, a ReLU joined to one of them."""
    model = pruned()
    if joined:
        model = torch.ao.quantization.fuse_modules(model, [list(joined)])
    engine = torch.backends.quantized.engine
    model.qconfig = torch.ao.quantization.get_default_qconfig("x86")
    torch.backends.quantized.engine = "x86"
    try:
        torch.ao.quantization.prepare(model, inplace=True)
        model(torch.rand(4, *SHAPE, generator=torch.manual_seed(0)))
        return torch.ao.quantization.convert(model)
    finally:
        torch.backends.quantized.engine = engine


def dynamically():
    layers = nn.Sequential(nn.Flatten(), nn.Linear(108, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        layers[1].weight[:, ::3] = 0
    return torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, torch.qint8)


def written(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("encoding", graph_encoding.ENCODINGS)
def test_graphs_of_sparse_weights_are_those_of_dense_ones(name, encoding):
    model = pruned()
    expected = graph_encoding.encode(model, encoding, SHAPE)
    model.fc.weight = nn.Parameter(LAYOUTS[name](model.fc.weight.detach()))
    for graph, other in zip(graph_encoding.encode(model, encoding, SHAPE), expected, strict=True):
        assert (graph.to_scipy() != other.to_scipy()).nnz == 0
    assert model.fc.weight.layout is not torch.strided


@pytest.mark.parametrize("encoding", graph_encoding.ENCODINGS)
def test_a_mask_beside_a_sparse_weight(encoding):
    model = pruned()
    expected = graph_encoding.encode(model, encoding, SHAPE)
    for layer in (model.conv, model.other):
        prune.custom_from_mask(layer, "weight", layer.weight != 0)
    model.fc.weight = nn.Parameter(model.fc.weight.detach().to_sparse())
    for graph, other in zip(graph_encoding.encode(model, encoding, SHAPE), expected, strict=True):
        assert (graph.to_scipy() != other.to_scipy()).nnz == 0


@pytest.mark.parametrize("joined", [(), ("bn", "relu")])
def test_a_quantised_batch_norm_that_is_no_part_of_a_convolution(joined):
    model = quantised(joined)
    found = models.plain(model).eval()
    assert type(found.bn) is nn.BatchNorm2d
    images = torch.rand(5, *SHAPE, generator=torch.manual_seed(0))
    exact = model(images)
    assert (found(images) - exact).abs().max() < 0.05 * exact.abs().max()
    (graph,) = graph_encoding.encode(model, "unrolled", SHAPE)
    assert graph.num_edges == graph_encoding.encode(pruned(), "unrolled", SHAPE)[0].num_edges


@pytest.mark.parametrize("make", [quantised, dynamically])
def test_graphs_of_quantised_weights_are_those_of_their_numbers(make):
    model = make()
    layers = [m for m in model.modules() if callable(getattr(m, "weight", None))]
    weights = [layer.weight().dequantize() for layer in layers]
    graphs = graph_encoding.encode(model, "rolled", SHAPE)
    for graph, weight in zip(graphs, weights, strict=True):
        kept = weight.abs()[weight != 0]
        assert graph.blocks[0].weight.tolist() == kept.ravel().tolist()
    (graph,) = graph_encoding.encode(model, "unrolled", SHAPE)
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)
    images = torch.rand(5, *SHAPE, generator=torch.manual_seed(0))
    found, exact = models.plain(model)(images), model(images)
    assert (found - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("name", LAYOUTS)
def test_files_of_sparse_weights(name, tmp_path):
    model, other = pruned(), Net()
    expected = model.state_dict()
    state = expected | {"fc.weight": nn.Parameter(LAYOUTS[name](expected["fc.weight"]))}
    (tmp_path / "sparse.pt").write_bytes(written({"state_dict": state}))
    own.load_weights(other, tmp_path / "sparse.pt")
    assert all(map(torch.equal, other.state_dict().values(), expected.values()))


def test_files_of_quantised_weights(tmp_path):
    model = quantised()
    (tmp_path / "q.pt").write_bytes(written(model.state_dict()))
    other = Net()
    other.conv, other.bn, other.relu = nn.Conv2d(3, 4, 3), nn.Identity(), nn.Identity()
    own.load_weights(other, tmp_path / "q.pt")
    for name in ("conv", "other", "fc"):
        layer, numbers = getattr(model, name), getattr(other, name)
        assert torch.equal(numbers.weight, layer.weight().dequantize())
        assert torch.equal(numbers.bias, layer.bias())


def test_a_whole_quantised_network_in_a_pickle(tmp_path):
    model = dynamically()
    (tmp_path / "q.pt").write_bytes(written(model))
    other = nn.Sequential(nn.Flatten(), nn.Linear(108, 6), nn.ReLU(), nn.Linear(6, 2))
    own.load_weights(other, tmp_path / "q.pt", trust=True)
    assert torch.equal(other[1].weight, model[1].weight().dequantize())
    (tmp_path / "q.pt").write_bytes(written(quantised()))  # which torch cannot read again
    with pytest.raises(OwnNetworkError, match=r"cannot be unpickled \(AttributeError"):
        own.load_weights(other, tmp_path / "q.pt", trust=True)


class Forged:
    """Pickled as a call of one of torch's functions."""

    def __init__(self, function, *given):
        self.function, self.given = function, given

    def __reduce__(self):
        return self.function, self.given


def sparse(rows, columns, shape, layout="torch.sparse_csr"):
    rows, columns = torch.tensor(rows), torch.tensor(columns)
    return Forged(
        torch._utils._rebuild_sparse_tensor,
        Forged(torch.serialization._get_layout, layout),
        (rows, columns, torch.ones(columns.numel()), torch.Size(shape)),
    )


FORGED = {
    "a column outside": sparse([0, 1, 2], [0, 7], (2, 3)),
    "rows that go back": sparse([0, 2, 1], [0, 1], (2, 3)),
    "an unknown layout": sparse([0, 1, 2], [0, 1], (2, 3), "torch.strided"),
    "a shape of another network": sparse([0, 1, 2], [0, 1], (2, 2**40)),
    "no numbers": Forged(
        torch._utils._rebuild_sparse_tensor,
        Forged(torch.serialization._get_layout, "torch.sparse_coo"),
        (torch.zeros(2, 1).long(), "values", torch.Size((2, 3)), True),
    ),
    "numbers that are one": Forged(
        torch._utils._rebuild_sparse_tensor,
        Forged(torch.serialization._get_layout, "torch.sparse_coo"),
        (torch.zeros(1, 1).long().expand(2, 2**33), torch.ones(1).expand(2**33), (2, 3), True),
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_sparse_tensors_are_refused_in_one_line(name, tmp_path):
    (tmp_path / "forged.pt").write_bytes(written({"weight": FORGED[name], "bias": torch.ones(2)}))
    with pytest.raises(OwnNetworkError) as caught:
        own.load_weights(nn.Linear(3, 2), tmp_path / "forged.pt")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["int8", "quint8", "qint32"])
def test_quantised_numbers_of_every_type(kind):
    kind = getattr(torch, kind.replace("int8", "qint8") if kind == "int8" else kind)
    numbers = torch.randn(5, 4, generator=torch.manual_seed(0))
    zero = 100 if kind == torch.quint8 else 0
    tensors = {"one": torch.quantize_per_tensor(numbers, 0.031, zero, kind)}
    scales = torch.rand(5, generator=torch.manual_seed(1)).double() / 20
    tensors["each"] = torch.quantize_per_channel(numbers, scales, torch.full((5,), zero), 0, kind)
    found = state_of(written(tensors))
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor.dequantize())
        assert np.array_equal(found[name] == 0, tensor.int_repr() == zero)
