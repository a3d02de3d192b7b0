"""Small-worldness: clustered like a lattice, and yet with short paths like a random graph."""

from __future__ import annotations

from math import hypot

from graph_encoding import Graph

from ..motifs import paths_and_cycles
from .distances import path_length
from .layered import layered, random_clustering, random_length


def small_world(graph: Graph) -> dict[str, float | None]:
    """Clustering and path length, and both over those of a random graph with the same layers.

    Parameters
    ----------
    graph : Graph
        Taken as unweighted and undirected.

    Returns
    -------
    dict
        ``square_clustering``: share of the paths of three edges that an edge closes to a cycle,
        4 C4 / P3, exact. Layers have few triangles or none; this is the coefficient of bipartite
        graphs.
        ``square_clustering_random``: of a random graph, expected cycles over expected paths.
        ``path_length``, ``path_length_error``: see `path_length`.
        ``path_length_random``: of the random graph, by simulated searches.
        ``small_worldness``: the first ratio over the second.
        ``small_worldness_error``: its standard error, from those of both path lengths.
        None where a denominator is zero.

    Notes
    -----
    Humphries and Gurney, "Network 'small-world-ness'", PLoS ONE 2008: sigma = (C / C_random) /
    (L / L_random). Robins and Alexander, "Small worlds among interlocking directors: network
    structure and distance in bipartite graphs", Comput. Math. Organ. Theory 2004, for C. Their
    reference is a random graph of as many nodes and edges; here it is one of as many nodes in each
    node layer and as many expected edges between any two, all equally likely (`layered`), for a
    network has no others. L is the mean over pairs of nodes that a path joins.
    """
    paths, cycles = paths_and_cycles(graph)
    clustering = 4 * cycles / paths if paths else None
    length, random, expected = path_length(graph), None, None
    if length:
        reference = layered(graph)
        random, expected = random_clustering(reference), random_length(reference)
    sigma = error = None
    if clustering is not None and random and expected:
        sigma = (clustering / random) / (length.mean / expected.mean)
        error = sigma * hypot(*(part.error / part.mean for part in (length, expected)))
    return {
        "square_clustering": clustering,
        "square_clustering_random": random,
        "path_length": length and length.mean,
        "path_length_error": length and length.error,
        "path_length_random": expected and expected.mean,
        "small_worldness": sigma,
        "small_worldness_error": error,
    }
