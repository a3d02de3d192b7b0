"""Extended metrics: what the field measures beside the paper's topometrics, as plain functions.

A metric is a function of a `Graph` that returns its columns, as in `metrics`. To add one, write it
in a file of its own and give it a line in `METRICS`.
"""

from __future__ import annotations

from ..registry import Column, Metric, columns_of

__all__ = ["COLUMNS", "METRICS"]

METRICS: tuple[Metric, ...] = (
    Metric(
        "Degrees",
        "metrics.extended.degrees:degrees",
        (
            Column(
                "min_degree",
                "edges at the unit that has the fewest",
                "least d(v) over all v (undirected)",
                short="min deg",
            ),
            Column(
                "max_degree",
                "edges at the unit that has the most",
                "largest d(v)",
                short="max deg",
            ),
            Column(
                "mean_degree",
                "edges at a unit, in the mean",
                "2 E / N",
                short="mean deg",
            ),
            Column(
                "degree_deviation",
                "how far units are from that",
                "standard deviation of d(v) over all v (of the population)",
                short="std deg",
            ),
            Column(
                "degree_gini",
                "how unevenly edges are spread over units: 0 if all have the same, towards 1 if "
                "few have all",
                "Gini coefficient of d(v) over all v; empty without an edge",
                short="gini",
            ),
        ),
    ),
    Metric(
        "Degrees",
        "metrics.extended.density:density",
        (
            Column(
                "density",
                "share of all pairs of units that are joined",
                "2 E / (N (N - 1)), of all pairs of nodes, not of those alone that a network could "
                "join; empty below 2 nodes",
            ),
        ),
    ),
    Metric(
        "Mixing",
        "metrics.extended.assortativity:assortativity",
        (
            Column(
                "assortativity",
                "whether units of many edges are joined to units of many edges",
                "Newman 2002: correlation of d at the two ends of an edge, each edge both ways; "
                "empty where it is undefined",
                short="assort",
            ),
            Column(
                "assortativity_directed",
                "whether units that feed many feed units that are fed by many",
                "Newman 2003: correlation over the edges (u, v) of d_out(u) and d_in(v)",
                short="directed",
            ),
        ),
    ),
    Metric(
        "Mixing",
        "metrics.extended.transitivity:transitivity",
        (
            Column(
                "transitivity",
                "how often two units that feed, or are fed by, a third one are joined too",
                "3 T / number of paths of two edges (undirected); empty without such a path",
                bipartite=False,  # no triangles
                short="trans",
            ),
        ),
    ),
    Metric(
        "Components",
        "metrics.extended.components:components",
        (
            Column(
                "largest_component",
                "units in the largest separate part",
                "nodes of the largest component (undirected)",
                divisor="nodes",
                short="largest",
            ),
            Column(
                "smallest_component",
                "units in the smallest separate part",
                "nodes of the smallest component; 1 where a node has no edge",
                divisor="nodes",
                short="smallest",
            ),
        ),
    ),
    Metric(
        "Effective",
        "metrics.extended.effective:effective",
        (
            Column(
                "effective_nodes",
                "units through which an input reaches an output",
                "nodes on some path along the edges from L_0 to L_k",
                divisor="nodes",
                bipartite=False,  # those with an edge
                short="eff nodes",
            ),
            Column(
                "effective_edges",
                "connections through which an input reaches an output",
                "edges on some path from L_0 to L_k",
                divisor="edges",
                bipartite=False,  # all
                short="eff edges",
            ),
            Column(
                "effective_sparsity",
                "share of the weights that are removed or carry nothing from an input to an output",
                "Vysogorets and Kempe 2023: 1 - (weights with an edge on some path) / (all "
                "weights, before pruning)",
                bipartite=False,  # 1 - layer_density
                short="eff spars",
            ),
        ),
    ),
    Metric(
        "Effective",
        "metrics.extended.paths:paths",
        (
            Column(
                "log_paths",
                "ways from an input to an output, by their logarithm",
                "ln of the number of paths from L_0 to L_k; empty if there is none",
                short="ln paths",
            ),
            Column(
                "log_path_norm",
                "what flows from an input of ones to the outputs, by its logarithm: SynFlow's R",
                "Tanaka et al. 2020: ln of the sum over these paths of the product of their |w|",
                weighted=True,
                short="ln norm",
            ),
            Column(
                "node_path_balance",
                "how wide the ways from inputs to outputs are for their number",
                "after Pham et al. 2023: ln(effective nodes) / ln(paths)",
                short="balance",
            ),
        ),
    ),
)
COLUMNS = tuple(column.name for column in columns_of(METRICS))
