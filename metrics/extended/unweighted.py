"""Spectra of the unweighted graph: what the wiring alone says of expansion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graph_encoding import Graph

from ..spectra import adjacency_moduli, laplacian_radius


def unweighted(graph: Graph) -> Graph:
    """The same graph with every edge of weight one."""
    blocks = [replace(block, weight=np.ones_like(block.weight)) for block in graph.blocks]
    return replace(graph, blocks=blocks)


def adjacency_spectrum(graph: Graph) -> dict[str, float | None]:
    """The largest eigenvalue moduli of the unweighted symmetric adjacency matrix, and their gap.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``unweighted_modulus_1`` to ``unweighted_modulus_3``, each as often as its multiplicity, and
        ``unweighted_spectral_gap``, the first less the third. None where there are fewer nodes, and
        where an eigenvalue is not certain (see `metrics.lanczos`), after a warning.

    Notes
    -----
    The gap is the released code's ``spectral_gap_unweighted_undirected``.
    """
    moduli = [None if np.isnan(value) else float(value) for value in _moduli(graph)]
    moduli += [None] * (3 - len(moduli))
    first, _, third = moduli
    names = [f"unweighted_modulus_{i}" for i in (1, 2, 3)]
    gap = None if first is None or third is None else first - third
    return dict(zip(names, moduli, strict=True)) | {"unweighted_spectral_gap": gap}


def _moduli(graph: Graph) -> np.ndarray:
    return adjacency_moduli(unweighted(graph))[: graph.num_nodes]


def unweighted_radius(graph: Graph) -> dict[str, float | None]:
    """``unweighted_spectral_radius``: the largest eigenvalue of the unweighted Laplacian.

    Notes
    -----
    The released code's ``spectral_radius_laplacian_unweighted_undirected``.
    """
    value = laplacian_radius(unweighted(graph)) if graph.num_nodes else np.nan
    return {"unweighted_spectral_radius": None if np.isnan(value) else value}
