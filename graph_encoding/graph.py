"""A multipartite graph as node layers and blocks; its edges are never held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from . import exports, shown
from .block import Block
from .encodings import EXACT
from .grid import NodeLayer
from .products import BlockwiseProduct, on_device

if TYPE_CHECKING:
    import graph_tool
    import igraph
    import networkit
    import networkx
    import scipy.sparse
    import torch_geometric.data


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """Directed weighted multipartite graph of a sparse network.

    Parameters
    ----------
    layers : list of NodeLayer
        Node layers in order of their ids: the inputs first, outputs that nothing reads last.
    blocks : list of Block
        The edges.
    encoding, wiring : str
        What made the graph; `graph_encoding.encode` names them.
    layer_name : str, optional
        For a bipartite graph, the network layer that it stands for.
    device : str
        Where products with vectors run: ``cpu``, or a torch device such as ``cuda``.
    inputs : int
        How many of the first layers are inputs.
    outputs : tuple of int
        Which of the layers are outputs, counted from the end: -1 is the last one.

    Examples
    --------
    >>> import models, graph_encoding
    >>> graph, = graph_encoding.encode(models.build("Resnet-20", 10), "unrolled")
    >>> graph.num_nodes
    191894
    """

    layers: list[NodeLayer]
    blocks: list[Block]
    encoding: str = ""
    wiring: str = EXACT
    layer_name: str | None = None
    device: str = "cpu"
    inputs: int = 1
    outputs: tuple[int, ...] = (-1,)

    def __repr__(self) -> str:
        return shown.line(self)

    def _repr_html_(self) -> str:
        return shown.html(self)

    def plot(self, **options: object) -> object:
        """Draw the graph, by `figures.plot` with its options; ``import figures`` comes first.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it.

        Raises
        ------
        RuntimeError
            Before ``import figures``.
        """
        return shown.plot(self, **options)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.layers[-1].stop

    @property
    def input_layers(self) -> list[NodeLayer]:
        """The node layers of the inputs."""
        return self.layers[: self.inputs]

    @property
    def output_layers(self) -> list[NodeLayer]:
        """The node layers of the outputs."""
        return [self.layers[place] for place in self.outputs]

    @cached_property
    def num_edges(self) -> int:
        """Number of edges."""
        return sum(block.num_edges for block in self.blocks)

    @property
    def kept_weights(self) -> int:
        """Number of non-zero weights behind the edges."""
        return sum(block.kept_weights for block in self.blocks)

    @property
    def total_weights(self) -> int:
        """Number of weights before pruning."""
        return sum(block.total_weights for block in self.blocks)

    @property
    def layer_density(self) -> float:
        """Kept share of the weights."""
        return self.kept_weights / self.total_weights if self.total_weights else 0.0

    # Arrays of a number a node are made anew each time, so that none outlives its metric.
    @property
    def is_input(self) -> np.ndarray:
        """Bool array (num_nodes,): the nodes of the inputs."""
        return self._are_in(self.input_layers)

    @property
    def is_output(self) -> np.ndarray:
        """Bool array (num_nodes,): the nodes of the outputs."""
        return self._are_in(self.output_layers)

    def _are_in(self, layers: list[NodeLayer]) -> np.ndarray:
        found = np.zeros(self.num_nodes, bool)
        for layer in layers:
            found[layer.offset : layer.stop] = True
        return found

    @property
    def in_degree(self) -> np.ndarray:
        """int64 array (num_nodes,): edges into each node."""
        degree = np.zeros(self.num_nodes, np.int64)
        for block in self.blocks:
            degree[block.target.offset : block.target.stop] += block.fan_in
        return degree

    @property
    def out_degree(self) -> np.ndarray:
        """int64 array (num_nodes,): edges out of each node."""
        degree = np.zeros(self.num_nodes, np.int64)
        for block in self.blocks:
            degree[block.source.offset : block.source.stop] += block.fan_out
        return degree

    @property
    def degree(self) -> np.ndarray:
        """int64 array (num_nodes,): all edges at each node."""
        degree = np.zeros(self.num_nodes, np.int64)
        for block in self.blocks:
            degree[block.target.offset : block.target.stop] += block.fan_in
            degree[block.source.offset : block.source.stop] += block.fan_out
        return degree

    @property
    def node_strength(self) -> np.ndarray:
        """float64 array (num_nodes,): summed weight of all edges at each node."""
        strength = np.zeros(self.num_nodes)
        for block in self.blocks:
            weight = block.weight
            strength[block.target.offset : block.target.stop] += block.target_sums(weight)
            strength[block.source.offset : block.source.stop] += block.source_sums(weight)
        return strength

    @cached_property
    def product(self) -> BlockwiseProduct:
        """Products of the weighted adjacency matrix with vectors."""
        return on_device(self.num_nodes, self.blocks, self.device)

    @cached_property
    def is_regular(self) -> bool:
        """Whether every block joins whole node layers, at most one block a pair of layers.

        True of every graph but those of the ``published`` wiring, whose blocks may overlap.
        """
        pairs = [(block.source, block.target) for block in self.blocks]
        whole = set(self.layers)
        return len(set(pairs)) == len(pairs) and all(
            source in whole and target in whole for source, target in pairs
        )

    def edges(
        self, chunk_size: int = 1 << 20
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Stream the edges.

        Parameters
        ----------
        chunk_size : int
            Approximate number of edges a chunk.

        Yields
        ------
        source, target : numpy.ndarray of int64
        weight : numpy.ndarray of float32
            Absolute weights.
        """
        for block in self.blocks:
            yield from block.edges(chunk_size)

    def explicit_size(self, library: str) -> int:
        """About how many bytes the graph takes at most while it is written out.

        Parameters
        ----------
        library : {"scipy", "networkx", "igraph", "pyg", "networkit", "graph_tool"}

        Returns
        -------
        int
        """
        return exports.size(library, self.num_edges, self.num_nodes)

    def to_scipy(self) -> scipy.sparse.csr_array:
        """Directed weighted adjacency matrix, (num_nodes, num_nodes), float32.

        Like every export it holds every edge: `explicit_size` tells what that takes, a warning
        where it is much. An ImportError in one line says what is not installed.
        """
        return exports.written(self, "scipy")

    def to_networkx(self) -> networkx.DiGraph:
        """The written-out graph in NetworkX, with the edge attribute ``weight``.

        Node attributes are ``layer`` (the name of its node layer), ``channel``, ``y`` and ``x``;
        ``networkx.write_graphml`` and ``write_gexf`` keep them.
        """
        return exports.written(self, "networkx")

    def to_igraph(self) -> igraph.Graph:
        """The written-out graph in igraph (directed), with attributes as of `to_networkx`."""
        return exports.written(self, "igraph")

    def to_pyg(self) -> torch_geometric.data.Data:
        """The written-out graph in PyTorch Geometric.

        Returns
        -------
        torch_geometric.data.Data
            ``edge_index`` int64 (2, num_edges); ``edge_weight`` float32 (num_edges,); the features
            ``x`` float32 (num_nodes, 4), whose columns ``feature_names`` names: layer, channel, y,
            x; ``layer_names``, by the number that stands for a layer.
        """
        return exports.written(self, "pyg")

    def to_networkit(self) -> networkit.Graph:
        """The written-out graph in NetworKit (directed, weighted), nodes as of `to_networkx`."""
        return exports.written(self, "networkit")

    def to_graph_tool(self) -> graph_tool.Graph:
        """The written-out graph in graph-tool, with properties as attributes of `to_networkx`."""
        return exports.written(self, "graph_tool")
