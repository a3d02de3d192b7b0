"""Ramanujan metrics: how well the bipartite graph of one layer expands.

Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR 2023,
and Hoang et al., "Don't just prune by magnitude! Your mask topology is a secret weapon", NeurIPS
2023, as applied in Cunegatti et al., TMLR 2024, and a second time as their authors' code has them.
A metric is a function of a bipartite `Graph` that returns its columns. To add one, write it in a
file of its own and give it a line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metrics.registry import Column, Metric, Values, columns_of, groups_of, measure

if TYPE_CHECKING:
    from graph_encoding import Graph
    from system.bars import Progress

__all__ = ["COLUMNS", "GROUPS", "METRICS", "ramanujan_metrics"]

GROUP = "Ramanujan metrics"
"""As Cunegatti et al. apply them."""

ORIGINAL = "Hoang et al., original"
"""As the code of Hoang et al., ICLR 2023, has them."""

METRICS: tuple[Metric, ...] = (
    Metric(
        GROUP,
        "ramanujan.delta_r:delta_r",
        (
            Column(
                "delta_r",
                "how far the graph stays below the Ramanujan bound",
                "(ub - mu) / ub; empty below 4 nodes or where ub is 0 or not real",
            ),
        ),
    ),
    Metric(
        GROUP,
        "ramanujan.imdb:imdb",
        (
            Column(
                "imdb",
                "the same in the mean over the subgraphs of one left degree each",
                "mean of (ub - mu) / ub over the subgraphs of the left nodes of equal degree "
                "d >= 3, kept if d_l >= 3 and d_r >= 3",
            ),
        ),
    ),
    Metric(
        GROUP,
        "ramanujan.iterative_spectral_gap:iterative_spectral_gap",
        (
            Column(
                "iterative_spectral_gap",
                "how well these subgraphs mix, in the mean",
                "mean over the same subgraphs of the weighted spectral gap (first minus third "
                "modulus)",
                weighted=True,
                short="iter gap",
            ),
        ),
    ),
    Metric(
        ORIGINAL,
        "ramanujan.imdb_raw:imdb_raw",
        (
            Column(
                "imdb_raw",
                "imdb, not divided by the bound",
                "mean of ub - mu over the subgraphs of the left nodes of equal degree d >= 3, kept "
                "if d_l >= 3 and d_r >= 3",
            ),
        ),
    ),
    Metric(
        ORIGINAL,
        "ramanujan.narc:narc",
        (
            Column(
                "narc",
                "normalized random coefficient: a graph of 0 or less counts as random",
                "((mu^2 / 4 + 1) sqrt(n_l n_r) - |2 E - d_l n_l n_r / R|) / (L R) with n_l and n_r "
                "nodes that have edges of all L and R; empty unless d_l >= 3 and d_r >= 3",
            ),
        ),
    ),
    Metric(
        ORIGINAL,
        "ramanujan.delta_s:delta_s",
        (
            Column(
                "delta_s",
                "distance below the bound that the largest eigenvalue sets in place of the degrees",
                "2 sqrt(mu_1 - 1) - mu with mu_1 the largest modulus; empty unless d_l >= 3 and "
                "d_r >= 3",
            ),
        ),
    ),
    Metric(
        "Size",
        "ramanujan.size:size",
        (
            Column("edges", "edges of the layer's graph", "E"),
            Column("nodes", "nodes of the layer's graph", "N"),
            Column(
                "layer_density",
                "kept share of the layer's weights",
                "kept weights / weights of the layer",
                short="density",
            ),
            Column("no_weights", "kept weights of the layer", "kept weights"),
            Column("no_params", "weights of the layer", "weights"),
        ),
    ),
)
COLUMNS = tuple(column.name for column in columns_of(METRICS))
GROUPS = groups_of(METRICS)


def ramanujan_metrics(
    graphs: Graph | Iterable[Graph], *, progress: Progress | bool | None = None
) -> Values | list[Values]:
    """All Ramanujan metrics of a layer, or of each of several.

    Parameters
    ----------
    graphs : Graph or iterable of Graph
        From a bipartite encoding: ``rolled`` or ``rolled-channel``.
    progress : callable or bool, optional
        As for `metrics.topometrics`.

    Returns
    -------
    dict, or list of dict
        Values by column name, in the order of `COLUMNS`: the metrics as floats, None where
        undefined; ``edges`` and ``nodes`` of the graph; ``layer_density``, the kept share of the
        layer's weights; ``no_weights`` and ``no_params``, the numbers of kept and of all weights.
        Of a list a list as long, with ``layer_name`` first in each.

    Raises
    ------
    TypeError
        If it is neither a graph nor a list of graphs.
    ValueError
        If a graph is not bipartite.

    Examples
    --------
    >>> import graph_encoding, models, ramanujan
    >>> graphs = graph_encoding.encode(models.build("Resnet-20", 10), "rolled")
    >>> ramanujan.ramanujan_metrics(graphs[0])["no_params"]
    432
    """
    return measure(METRICS, graphs, progress=progress)
