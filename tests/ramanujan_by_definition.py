"""Bipartite graphs in networkx, their degrees and spectra: what Ramanujan metrics are made of."""

import networkx
import numpy as np


def bipartite_networkx(matrix: np.ndarray) -> networkx.Graph:
    """The graph of a matrix, nodes ``("left", row)`` and ``("right", column)``."""
    graph = networkx.Graph()
    graph.add_nodes_from(("left", i) for i in range(len(matrix)))
    graph.add_nodes_from(("right", j) for j in range(matrix.shape[1]))
    for i, j in np.argwhere(matrix):
        graph.add_edge(("left", int(i)), ("right", int(j)), weight=abs(float(matrix[i, j])))
    return graph


def moduli(graph: networkx.Graph, weight: str | None) -> list[float]:
    """Eigenvalue moduli of the symmetric adjacency matrix, in falling order."""
    adjacency = networkx.to_numpy_array(graph, weight=weight)
    return sorted(np.abs(np.linalg.eigvalsh(adjacency)), reverse=True)


def mean_degrees(graph: networkx.Graph) -> tuple[float, float]:
    """Left and right."""
    sides = ([d for n, d in graph.degree if n[0] == side] for side in ("left", "right"))
    return tuple(sum(degrees) / len(degrees) for degrees in sides)


def without_isolated(graph: networkx.Graph) -> networkx.Graph:
    """Without nodes that have no edge."""
    return graph.subgraph([node for node, degree in graph.degree if degree])


def of_left_degree(graph: networkx.Graph, degree: int) -> networkx.Graph:
    """Of the left nodes of this degree and all right nodes, without isolated ones."""
    nodes = [n for n, d in graph.degree if n[0] == "right" or d == degree]
    return without_isolated(graph.subgraph(nodes))
