"""Complete subgraphs on four vertices, where the node layers allow any."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables


def four_cliques(graph: Graph) -> int:
    """Number of complete subgraphs on four vertices, K4.

    They need four node layers each two of which a block joins, as where a layer reads all layers
    before it: the graphs of the paper's networks have none, and no edge is looked at.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    int
        Exact.
    """
    if not _allows_any(graph):
        return 0
    return int(_count(tables(graph, ("out",)), graph.num_nodes, graph.out_degree))


def _allows_any(graph: Graph) -> bool:
    """Whether four ranges of nodes are joined pair by pair."""
    ends = {0, graph.num_nodes}
    for block in graph.blocks:
        ends |= {block.source.offset, block.source.stop, block.target.offset, block.target.stop}
    bounds = np.array(sorted(ends))
    joined: dict[int, set[int]] = {}
    for block in graph.blocks:
        for start in range(*np.searchsorted(bounds, (block.source.offset, block.source.stop))):
            stops = np.searchsorted(bounds, (block.target.offset, block.target.stop))
            joined.setdefault(start, set()).update(range(*stops))
    # Nodes of one range may be joined where blocks overlap, so a range may be met twice.
    for first, after in joined.items():
        for second in after:
            third = after & joined.get(second, set())
            if any(last in joined.get(one, ()) for one, last in combinations(sorted(third), 2)):
                return True
            if any(one in joined.get(one, ()) for one in third) or first == second:
                return True
    return False


@compiled
def _count(tables, count, out_degree):
    """For each edge (u, v), the edges among the nodes that both lead to."""
    size = out_degree.max() if count else 0
    first, second, third = (
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty(size, np.int32),
    )
    common = np.empty(size, np.int32)
    after = np.full(count, -1, np.int32)
    after_both = np.full(count, -1, np.int64)
    total = edge = 0
    for u in range(count):
        degree = neighbours(tables, u, first)
        for i in range(degree):
            after[first[i]] = u
        for i in range(degree):
            edge += 1
            found = 0
            for j in range(neighbours(tables, first[i], second)):
                if after[second[j]] == u:
                    common[found] = second[j]
                    after_both[second[j]] = edge
                    found += 1
            for j in range(found):
                for k in range(neighbours(tables, common[j], third)):
                    total += after_both[third[k]] == edge
    return total
