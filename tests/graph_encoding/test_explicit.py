"""The explicit graph: who each node is, in every library, and its size beforehand."""

import sys
import types
import warnings

import networkx
import numpy as np
import pytest
import torch
from networks import sparsify
from torch import nn

from graph_encoding import encode, exports
from graph_encoding.rolled import rolled

LIBRARIES = list(exports.EXPORTS)


@pytest.fixture(scope="module")
def network():
    network = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(60, 4)
    )
    sparsify(network, seed=0, densities=[0.4, 0.2])
    return network


@pytest.fixture(scope="module")
def graph(network):
    return encode(network, input_shape=(2, 4, 4))[0]


@pytest.fixture(scope="module")
def known(graph):
    """Layer, channel, y and x of each node, by a walk over the layers."""
    return [
        (layer.name, c, y, x)
        for layer in graph.layers
        for c in range(layer.channels)
        for y in range(layer.height)
        for x in range(layer.width)
    ]


@pytest.fixture(scope="module")
def edges(network, graph):
    """Edges and weights: what torch's own layers make of one input at a time, padding included."""
    inputs = torch.eye(72).reshape(72, 2, 6, 6)
    first = nn.functional.conv2d(inputs, network[0].weight.detach().abs()).flatten(1)
    found = {}
    for source, weights in enumerate([*first, *network[3].weight.detach().abs().T]):
        start = 72 if source < 72 else 132
        found |= {(source, start + i): float(weights[i]) for i in weights.nonzero()[:, 0].tolist()}
    assert len(found) == graph.num_edges
    return found


def test_networkx(graph, known, edges):
    written = graph.to_networkx()
    assert [tuple(values.values()) for _, values in written.nodes(data=True)] == known
    assert set(written.nodes[0]) == {"layer", "channel", "y", "x"}
    found = {(u, v): weight for u, v, weight in written.edges(data="weight")}
    assert found == pytest.approx(edges)


@pytest.mark.parametrize("kind", ["graphml", "gexf"])
def test_files_of_networkx_carry_who_a_node_is(graph, known, edges, tmp_path, kind):
    file = tmp_path / f"graph.{kind}"
    getattr(networkx, f"write_{kind}")(graph.to_networkx(), file)
    read = getattr(networkx, f"read_{kind}")(file, node_type=int)
    nodes = [read.nodes[i] for i in range(graph.num_nodes)]
    assert [tuple(node[name] for name in ("layer", "channel", "y", "x")) for node in nodes] == known
    found = {(u, v): weight for u, v, weight in read.edges(data="weight")}
    assert found == pytest.approx(edges)


def test_igraph_and_its_graphml(graph, known, edges, tmp_path):
    import igraph

    written = graph.to_igraph()
    written.write_graphml(str(tmp_path / "graph.graphml"))
    for each in (written, igraph.Graph.Read_GraphML(str(tmp_path / "graph.graphml"))):
        assert [tuple(v[name] for name in ("layer", "channel", "y", "x")) for v in each.vs] == known
        assert {e.tuple: e["weight"] for e in each.es} == pytest.approx(edges)


def test_scipy(graph, edges):
    found = graph.to_scipy().tocoo()
    assert dict(zip(zip(*found.coords), found.data)) == pytest.approx(edges)


class Data(types.SimpleNamespace):
    """What PyTorch Geometric's ``Data`` keeps, where it is not installed."""


@pytest.fixture
def geometric(monkeypatch):
    try:
        import torch_geometric.data  # noqa: F401
    except ImportError:
        fake = types.ModuleType("torch_geometric.data")
        fake.Data = Data
        monkeypatch.setitem(sys.modules, "torch_geometric", types.ModuleType("torch_geometric"))
        monkeypatch.setitem(sys.modules, "torch_geometric.data", fake)
    monkeypatch.delitem(sys.modules, "graph_encoding.exports.pyg", raising=False)
    yield
    sys.modules.pop("graph_encoding.exports.pyg", None)


def test_pyg(graph, known, edges, geometric):
    data = graph.to_pyg()
    pairs = zip(data.edge_index.T.tolist(), data.edge_weight.tolist())
    assert {tuple(pair): weight for pair, weight in pairs} == pytest.approx(edges)
    assert data.feature_names == ["layer", "channel", "y", "x"]
    assert str(data.x.dtype) == str(data.edge_weight.dtype) == "torch.float32"
    rows = [(data.layer_names[int(layer)], *rest) for layer, *rest in data.x.tolist()]
    assert rows == known


def test_networkit(graph, known, edges):
    pytest.importorskip("networkit")
    written = graph.to_networkit()
    names = {"layer": str, "channel": int, "y": int, "x": int}
    columns = [written.getNodeAttribute(name, kind) for name, kind in names.items()]
    rows = [tuple(column[node] for column in columns) for node in range(graph.num_nodes)]
    assert rows == known
    assert {(u, v): w for u, v, w in written.iterEdgesWeights()} == pytest.approx(edges)
    assert written.isDirected()


class GraphTool(types.ModuleType):
    """The part of graph-tool that is called: it has no package that pip installs."""

    class Graph:
        def __init__(self, directed):
            self.directed, self.nodes, self.edges = directed, 0, {}
            self.edge_properties, self.vertex_properties = {}, {}

        def add_vertex(self, count):
            self.nodes += count

        def new_edge_property(self, kind):
            return {}

        def new_vertex_property(self, kind, vals):
            assert all(type(value) is {"string": str, "int": int}[kind] for value in vals)
            return vals

        def add_edge_list(self, rows, eprops):
            for u, v, weight in rows:
                eprops[0][int(u), int(v)] = weight


def test_graph_tool(graph, known, edges, monkeypatch):
    try:
        import graph_tool  # noqa: F401
    except ImportError:
        monkeypatch.setitem(sys.modules, "graph_tool", GraphTool("graph_tool"))
    else:
        pytest.skip("stands in for graph-tool, which is here")
    monkeypatch.delitem(sys.modules, "graph_encoding.exports.graph_tool", raising=False)
    written = graph.to_graph_tool()
    sys.modules.pop("graph_encoding.exports.graph_tool")
    assert (written.nodes, written.directed) == (graph.num_nodes, True)
    assert written.edge_properties["weight"] == pytest.approx(edges)
    assert list(zip(*written.vertex_properties.values())) == known
    assert list(written.vertex_properties) == ["layer", "channel", "y", "x"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_not_installed_is_refused_in_one_line(library, monkeypatch):
    export = exports.EXPORTS[library]
    module = export.where.partition(":")[0]
    top = {"pyg": "torch_geometric"}.get(library, library)
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == top]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, top, None)
    graph = rolled("layer", np.ones((2, 3), np.float32))
    with pytest.raises(ImportError) as caught:
        getattr(graph, f"to_{library}")()
    message = str(caught.value)
    assert message.startswith(f"to_{library}() needs {export.title}: {export.install}")
    assert "\n" not in message


@pytest.mark.parametrize("library", ["scipy", "igraph", "networkx"])
def test_size_is_said_beforehand(library, monkeypatch):
    graph = rolled("layer", np.ones((20, 30), np.float32))
    write = getattr(graph, f"to_{library}")
    edge, node = exports.EXPORTS[library].edge, exports.EXPORTS[library].node
    assert graph.explicit_size(library) == 600 * edge + 50 * node
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write()
    monkeypatch.setattr(exports, "WARNING", 1000)
    with pytest.warns(UserWarning, match=f"600 edges takes about .* GB in {library}") as said:
        write()
    assert said[0].filename == __file__


def test_an_unknown_library_is_named():
    graph = rolled("layer", np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="unknown library 'neo4j': choose from scipy"):
        graph.explicit_size("neo4j")
