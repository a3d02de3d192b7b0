"""Topometrics: what the paper measures on a graph, as plain functions.

A metric is a function of a `Graph` that returns its columns. To add one, write it in a file of
its own and give it a line in `METRICS`: its group, where it lives, and what is to be known of each
column. Importing this room compiles nothing and imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .registry import Column, Metric, Values, columns_of, groups_of, measure

if TYPE_CHECKING:
    from graph_encoding import Graph
    from system.bars import Progress

__all__ = ["COLUMNS", "GROUPS", "METRICS", "Column", "Metric", "topometrics"]

METRICS: tuple[Metric, ...] = (
    Metric(
        "Size",
        "metrics.size:size",
        (
            Column(
                "nodes",
                "units of the network: padded input, feature maps, outputs of linear layers",
                "N",
            ),
            Column(
                "edges",
                "connections that the kept weights stand for, each at every position it is used",
                "E",
            ),
        ),
        held=0,
    ),
    Metric(
        "Local connectivity",
        "metrics.degrees:local_connectivity",
        (
            Column(
                "sink_nodes",
                "units whose output nobody reads, though they compute one",
                "#{v not in L_k : d_in(v) > 0, d_out(v) = 0}",
                divisor="nodes",
                bipartite=False,
                short="sinks",
            ),
            Column(
                "source_nodes",
                "units that are read but have no input, so are constant",
                "#{v not in L_0 : d_out(v) > 0, d_in(v) = 0}",
                divisor="nodes",
                bipartite=False,
                short="sources",
            ),
            Column(
                "disconnected_nodes",
                "units cut off altogether",
                "#{v : d_in(v) = d_out(v) = 0}",
                divisor="nodes",
                short="disconn",
            ),
            Column(
                "removable_out",
                "edges into sinks, which could go too",
                "sum of d_in over sink nodes",
                divisor="edges",
                bipartite=False,
                short="r-out",
            ),
            Column(
                "removable_in",
                "edges out of sources, which carry nothing of the input",
                "sum of d_out over source nodes",
                divisor="edges",
                bipartite=False,
                short="r-in",
            ),
        ),
        held=25,
    ),
    Metric(
        "Neighbourhood",
        "metrics.neighbourhoods:one_hop",
        (
            Column(
                "1-hop",
                "how many units one reaches along at most one edge, itself included, in the mean",
                "mean over all v of #{u reached from v along at most 1 edge}, v included",
                divisor="edges",
            ),
        ),
        held=0,
    ),
    Metric(
        "Neighbourhood",
        "metrics.neighbourhoods:two_hop",
        (
            Column(
                "2-hop",
                "how many units one reaches along at most two edges, itself included, in the mean",
                "mean over all v of #{u reached from v along at most 2 edges}, v included",
                divisor="edges",
                bipartite=False,  # the same as 1-hop
            ),
        ),
        held=15,
    ),
    Metric(
        "Neighbourhood",
        "metrics.motifs:motifs",
        (
            Column(
                "motifs",
                "small connected patterns: connected subgraphs on four nodes, counted exactly",
                "number of connected induced subgraphs on 4 vertices (undirected) = "
                "P + S - 3 C4 - 2 TT + 4 Dm - 6 K4",
                divisor="edges",
            ),
        ),
        held=45,
    ),
    Metric(
        "Strength",
        "metrics.strength:strength",
        (
            Column(
                "strength",
                "weight that meets at a unit, in the mean",
                "mean over v of the sum of |w| over its edges",
                divisor="edges",
                weighted=True,
            ),
        ),
        held=0,
    ),
    Metric(
        "Strength",
        "metrics.cores:k_core",
        (
            Column(
                "k-core",
                "how deep in the dense part a unit sits: its core number, in the mean",
                "mean over v of the largest k such that v is in a subgraph of minimum degree k "
                "(undirected)",
                divisor="edges",
            ),
        ),
        held=25,
    ),
    Metric(
        "Global connectivity",
        "metrics.cuts:global_connectivity",
        (
            Column(
                "cut-edges",
                "connections whose loss disconnects something (bridges)",
                "number of bridges (undirected)",
                divisor="edges",
            ),
            Column(
                "cut-nodes",
                "units whose loss disconnects something (articulation points)",
                "number of articulation points (undirected)",
                divisor="edges",
            ),
            Column(
                "connected_components",
                "separate parts of the graph",
                "number of components c (undirected)",
                short="comps",
            ),
            Column(
                "avg_connected_components",
                "nodes in a part, in the mean",
                "N / c",
                divisor="nodes",
                short="avg comp",
            ),
        ),
        held=45,
    ),
    Metric(
        "Expansion",
        "metrics.spectra:spectral_gap",
        (
            Column(
                "spectral-gap",
                "how well the graph mixes: largest less third largest eigenvalue modulus of the "
                "weighted adjacency matrix",
                "|l|_(1) - |l|_(3) of the weighted symmetric adjacency matrix, moduli in "
                "descending order (they come in pairs ±l when the graph is bipartite)",
                weighted=True,
                short="gap",
            ),
        ),
        held=140,
    ),
    Metric(
        "Expansion",
        "metrics.spectra:spectral_radius",
        (
            Column(
                "spectral-radius",
                "largest eigenvalue of the weighted Laplacian: it grows with the strongest hubs",
                "largest eigenvalue of the weighted Laplacian D - A",
                weighted=True,
                short="radius",
            ),
        ),
        held=140,
    ),
)
COLUMNS = tuple(column.name for column in columns_of(METRICS))
GROUPS = groups_of(METRICS)


def topometrics(
    graphs: Graph | Iterable[Graph],
    *,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | bool | None = None,
) -> Values | list[Values]:
    """All topometrics of a graph, or of each of several.

    Parameters
    ----------
    graphs : Graph or iterable of Graph
        From any encoding; what `graph_encoding.encode` gives, or one of it.
    threads : int, optional
        Metrics computed at the same time, as far as the memory goes; one by default. The values do
        not depend on it.
    device : str
        Where the products behind the spectra run: ``cpu`` or a torch device such as ``cuda``.
        Eigenvalues agree within the tolerance of `spectra`.
    progress : callable or bool, optional
        Called with the metrics done, their number, and the column just computed; True shows a
        bar.

    Returns
    -------
    dict, or list of dict
        Of a graph its values by column name, in the order of `COLUMNS`: exact integers for counts,
        floats for means and eigenvalues, None where a metric is undefined. Of a list, also of one
        graph, a list as long. In it the values of a bipartite graph begin with ``layer_name``.
        ``pandas.Series`` takes the one, ``pandas.DataFrame`` the other.

    Raises
    ------
    TypeError
        If it is neither a graph nor a list of graphs.

    Notes
    -----
    Cunegatti et al., "Understanding Sparse Neural Networks from their Topology via Multipartite
    Graph Representations", TMLR 2024, section 3.2.

    Examples
    --------
    >>> import graph_encoding, metrics, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> values = metrics.topometrics(graph)
    >>> values["edges"], values["sink_nodes"], values["strength"] > 0
    (18, 0, True)
    >>> layers = metrics.topometrics(graph_encoding.encode(network, "rolled"))
    >>> [(values["layer_name"], values["edges"]) for values in layers]
    [('0', 12), ('2', 6)]
    """
    return measure(METRICS, graphs, threads=threads, device=device, progress=progress)
