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
    Metric(
        "Persistence",
        "metrics.extended.persistence:neural_persistence",
        (
            Column(
                "neural_persistence",
                "how late weights join the units of a layer, heavy ones first; mean over layers",
                "Rieck et al. 2019, p = 2: sqrt(sum of (1 - |w| / w_max)^2 over a maximum "
                "spanning forest, and 1 for each component more) / sqrt(n - 1)",
                weighted=True,
                short="NP",
            ),
            Column(
                "neural_persistence_whole",
                "the same of all layers as one graph",
                "over its N nodes",
                weighted=True,
                bipartite=False,  # one layer
                short="NP whole",
            ),
        ),
    ),
    Metric(
        "Small world",
        "metrics.extended.small_world:small_world",
        (
            Column(
                "square_clustering",
                "how often a path of three edges closes to a square",
                "Robins and Alexander 2004: C = 4 C4 / P3, over all cycles and paths on four "
                "nodes (undirected); empty without such a path",
                short="squares",
            ),
            Column(
                "square_clustering_random",
                "the same of a random graph with the same layers and as many edges between them",
                "C_r = 4 E[C4] / E[P3]",
                short="C rand",
            ),
            Column(
                "path_length",
                "how many edges apart two units are, in the mean",
                "L = mean distance over ordered pairs that a path joins (undirected); exact where "
                "N E is at most 1.3e10, else from about 256 starts",
                short="length",
            ),
            Column(
                "path_length_error",
                "standard error of that; 0 where it is exact",
                "of a ratio of stratified estimates",
                short="± length",
            ),
            Column(
                "path_length_random",
                "the same length of the random graph",
                "L_r, from 4,096 simulated searches",
                short="L rand",
            ),
            Column(
                "small_worldness",
                "clustered like a lattice, and yet with short paths: above 1 in a small world",
                "Humphries and Gurney 2008: (C / C_r) / (L / L_r)",
                short="small w",
            ),
            Column(
                "small_worldness_error",
                "standard error of that",
                "from those of L and L_r",
                short="± small w",
            ),
        ),
    ),
    Metric(
        "Communities",
        "metrics.extended.modularity:modularity",
        (
            Column(
                "modularity_layers",
                "how far node layers are communities; never above 0, for no edge is inside one",
                "Newman and Girvan 2004: sum over layers of l/E - (d/2E)^2, with l edges inside "
                "and degrees that sum to d",
                bipartite=False,  # -1/2
                short="Q layers",
            ),
            Column(
                "modularity_louvain",
                "how well the graph falls into communities",
                "the same of the communities that Louvain's method finds on all edges (Blondel et "
                "al. 2008)",
                short="Q",
            ),
            Column(
                "louvain_communities",
                "number of these communities",
                "without nodes that have no edge",
                short="comm",
            ),
        ),
    ),
    Metric(
        "Expansion",
        "metrics.extended.unweighted:adjacency_spectrum",
        (
            Column(
                "unweighted_modulus_1",
                "largest eigenvalue of the wiring alone",
                "|l|_(1) of the unweighted symmetric adjacency matrix",
                short="l1",
            ),
            Column("unweighted_modulus_2", "second largest modulus", "|l|_(2)", short="l2"),
            Column("unweighted_modulus_3", "third largest modulus", "|l|_(3)", short="l3"),
            Column(
                "unweighted_spectral_gap",
                "how well the wiring alone mixes",
                "|l|_(1) - |l|_(3)",
                short="gap",
            ),
        ),
    ),
    Metric(
        "Expansion",
        "metrics.extended.unweighted:unweighted_radius",
        (
            Column(
                "unweighted_spectral_radius",
                "largest eigenvalue of the unweighted Laplacian",
                "of D - A",
                short="radius",
            ),
        ),
    ),
    Metric(
        "Expansion",
        "metrics.extended.connectivity:algebraic_connectivity",
        (
            Column(
                "algebraic_connectivity",
                "how hard the largest component is to cut apart",
                "Fiedler 1973: second smallest eigenvalue of its unweighted D - A; of components "
                "equally large, that with the node of the lowest number",
                short="alg conn",
            ),
        ),
    ),
    Metric(
        "Expansion",
        "metrics.extended.connectivity:normalised_gap",
        (
            Column(
                "normalised_spectral_gap",
                "how fast a random walk mixes on the largest component",
                "Chung 1997: second smallest eigenvalue of its unweighted I - D^(-1/2) A D^(-1/2)",
                short="norm gap",
            ),
        ),
    ),
)
COLUMNS = tuple(column.name for column in columns_of(METRICS))
