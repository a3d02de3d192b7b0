"""The plain way to measure a graph today: write it out and call a library.

Every function takes the explicit graph of its library and returns the same columns as the
project's metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graph_encoding import Graph

Values = dict[str, int | float]


def scipy_graph(graph: Graph) -> Any:
    """Adjacency matrix, its symmetric version, end of the inputs and start of the outputs."""
    directed = graph.to_scipy().astype(np.float64)
    ends = graph.layers[0].stop, graph.layers[-1].offset
    return directed, (directed + directed.T).tocsr(), ends


def scipy_degrees(explicit: Any) -> Values:
    """Local connectivity from the lengths of rows and columns; all nodes but the outermost."""
    directed, first, last = explicit[0], *explicit[2]
    out_degree = np.diff(directed.indptr)
    in_degree = np.bincount(directed.indices, minlength=directed.shape[0])
    node = np.arange(directed.shape[0])
    sink = (in_degree > 0) & (out_degree == 0) & (node < last)
    source = (out_degree > 0) & (in_degree == 0) & (node >= first)
    return {
        "sink_nodes": int(sink.sum()),
        "source_nodes": int(source.sum()),
        "disconnected_nodes": int(((in_degree == 0) & (out_degree == 0)).sum()),
        "removable_out": int(in_degree[sink].sum()),
        "removable_in": int(out_degree[source].sum()),
    }


def scipy_one_hop(explicit: Any) -> Values:
    """Non-zeros of I + D."""
    return {"1-hop": 1 + explicit[0].nnz / explicit[0].shape[0]}


def scipy_strength(explicit: Any) -> Values:
    """Mean row sum."""
    return {"strength": float(explicit[1].sum() / explicit[1].shape[0])}


def scipy_two_hop(explicit: Any) -> Values:
    """Non-zeros of I + D + D D, some rows at a time."""
    import scipy.sparse

    directed = explicit[0].copy()
    directed.data = np.ones(len(directed.data), np.float32)
    size = directed.shape[0]
    reach = scipy.sparse.csr_array(directed + scipy.sparse.eye_array(size, dtype=np.float32))
    total = sum((reach[rows] @ reach).nnz for rows in _row_ranges(size))
    return {"2-hop": total / size}


def scipy_motifs(explicit: Any) -> Values:
    """The exact count from A A, some rows at a time."""
    adjacency = explicit[1].copy()
    adjacency.data = np.ones(len(adjacency.data), np.float32)
    size = adjacency.shape[0]
    degree = np.diff(adjacency.indptr).astype(np.int64)
    walks = triangles_at = diamonds = tails = 0
    for rows in _row_ranges(size):
        part = adjacency[rows]
        paths = part @ adjacency
        walks += int((paths.data.astype(np.int64) ** 2).sum())
        shared = paths.multiply(part)
        on_edge = shared.data.astype(np.int64)
        diamonds += int((on_edge * (on_edge - 1) // 2).sum())
        at_node = np.asarray(shared.sum(axis=1)).astype(np.int64).ravel() // 2
        triangles_at += int(at_node.sum())
        tails += int((at_node * (degree[rows] - 2)).sum())
    triangles = triangles_at // 3
    products = int((degree - 1) @ (adjacency @ (degree - 1).astype(np.float64))) // 2
    stars = sum(int(d) * (int(d) - 1) * (int(d) - 2) // 6 for d in degree)
    wedges = int((degree * (degree - 1) // 2).sum())
    four_cycles = (walks - int(degree.sum()) - 4 * wedges) // 8
    paths_of_three = products - 3 * triangles
    return {"motifs": paths_of_three + stars - 3 * four_cycles - 2 * tails + 4 * (diamonds // 2)}


def scipy_components(explicit: Any) -> Values:
    """Weakly connected components."""
    from scipy.sparse.csgraph import connected_components

    return {"connected_components": connected_components(explicit[0], connection="weak")[0]}


def scipy_gap(explicit: Any) -> Values:
    """Three eigenvalues of the written-out adjacency matrix."""
    from scipy.sparse.linalg import eigsh

    start = np.asarray(explicit[1].sum(axis=1)).ravel() + 1e-3
    values = np.abs(eigsh(explicit[1], k=3, v0=start, tol=1e-9, return_eigenvectors=False))
    return {"spectral-gap": float(values.max() - values.min())}


def scipy_radius(explicit: Any) -> Values:
    """One eigenvalue of the written-out Laplacian."""
    from scipy.sparse.csgraph import laplacian
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(explicit[1].shape[0])
    value = eigsh(
        laplacian(explicit[1]), k=1, which="LA", v0=start, tol=1e-7, return_eigenvectors=False
    )
    return {"spectral-radius": float(value[0])}


def igraph_graph(graph: Graph) -> Any:
    """The undirected graph in igraph."""
    return graph.to_igraph().as_undirected(mode="each")


def igraph_cores(explicit: Any) -> Values:
    """Mean coreness."""
    return {"k-core": float(np.mean(explicit.coreness()))}


def igraph_cuts(explicit: Any) -> Values:
    """Bridges, articulation points and components."""
    return {
        "cut-edges": len(explicit.bridges()),
        "cut-nodes": len(explicit.articulation_points()),
        "connected_components": len(explicit.connected_components()),
    }


def networkit_graph(graph: Graph) -> Any:
    """The undirected graph in NetworKit."""
    import networkit

    chunks = list(graph.edges())
    source, target = (np.concatenate([chunk[i] for chunk in chunks]) for i in (0, 1))
    ones = np.ones(len(source))
    return networkit.GraphFromCoo((ones, (source, target)), n=graph.num_nodes, directed=False)


def networkit_cores(explicit: Any) -> Values:
    """Mean core number."""
    import networkit

    return {
        "k-core": float(np.mean(networkit.centrality.CoreDecomposition(explicit).run().scores()))
    }


def networkit_components(explicit: Any) -> Values:
    """Connected components."""
    import networkit

    found = networkit.components.ConnectedComponents(explicit).run()
    return {"connected_components": found.numberOfComponents()}


def networkx_graph(graph: Graph) -> Any:
    """The undirected graph in networkx."""
    return graph.to_networkx().to_undirected()


def networkx_cores(explicit: Any) -> Values:
    """Mean core number."""
    import networkx

    return {"k-core": float(np.mean(list(networkx.core_number(explicit).values())))}


def networkx_cuts(explicit: Any) -> Values:
    """Bridges, articulation points and components."""
    import networkx

    return {
        "cut-edges": sum(1 for _ in networkx.bridges(explicit)),
        "cut-nodes": sum(1 for _ in networkx.articulation_points(explicit)),
        "connected_components": networkx.number_connected_components(explicit),
    }


# Library: how it holds the graph, its metrics, and the most edges that it is tried with.
PEERS: dict[str, tuple[Callable[[Graph], Any], list[Callable[[Any], Values]], float]] = {
    "scipy": (
        scipy_graph,
        [
            scipy_degrees,
            scipy_one_hop,
            scipy_strength,
            scipy_components,
            scipy_radius,
            scipy_gap,
            scipy_two_hop,
            scipy_motifs,
        ],
        30e6,
    ),
    "igraph": (igraph_graph, [igraph_cores, igraph_cuts], 30e6),
    "networkit": (networkit_graph, [networkit_cores, networkit_components], 30e6),
    "networkx": (networkx_graph, [networkx_cores, networkx_cuts], 2e6),
}


def _row_ranges(size: int, step: int = 2048) -> list[slice]:
    return [slice(start, start + step) for start in range(0, size, step)]
