"""The result CSVs that the paper's authors released, in this project's columns and raw values.

What is known of them (graph_encoding/README.md, "What is known of the released code") is dealt with
here and nowhere else: other column names, normalised values in the unrolled file, Ramanujan files
that do not name the pruner, some rows that stand twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from . import normalisation
from .tables import Column, Number, TableError, Text, header, read, refuse_duplicates

RUN = ("model", "dataset", "pruning", "sparsity", "seed")

FRACTION = Number(0, 1)
COUNT = Number(0, whole=True)
POSITIVE = Number(0)

RUN_COLUMNS: dict[str, Column] = {
    "model": Text(),
    "dataset": Text(),
    "pruning": Text(),
    "sparsity": FRACTION,
    "seed": COUNT,
    "accuracy": FRACTION,
}
LAYER_COLUMNS: dict[str, Column] = {"layer_id": COUNT, "layer_name": Text()}

UNROLLED = {  # released name: ours, and what its cells may hold
    "nodes": ("nodes", Number(1, whole=True)),
    "edges": ("edges", COUNT),
    # Below 0 by a few nodes where outputs of the network are not connected: they are subtracted
    # all the same. Empty in four rows.
    "sink_nodes": ("sink_nodes", Number(-0.01, 1, empty=True)),
    "source_nodes": ("source_nodes", Number(-0.01, 1, empty=True)),
    "disc_nodes": ("disconnected_nodes", Number(0, 1, empty=True)),
    "r-out": ("removable_out", Number(0, 1, empty=True)),
    "r-in": ("removable_in", Number(0, 1, empty=True)),
    "1-hop_nei": ("1-hop", POSITIVE),
    "2-hop_nei": ("2-hop", POSITIVE),
    "motif": ("motifs", POSITIVE),
    "avg_node_strength": ("strength", POSITIVE),
    "k-core": ("k-core", POSITIVE),
    "cut-edges": ("cut-edges", FRACTION),
    "cut-nodes": ("cut-nodes", POSITIVE),
    "no_connected_components": ("connected_components", Number(1, whole=True)),
    "mean_connected_components": ("avg_connected_components", FRACTION),
    "spectral_gap": ("spectral-gap", POSITIVE),
    "spectral_radius": ("spectral-radius", POSITIVE),
}
# Raw values, one row a layer; by our names.
BIPARTITE: dict[str, Column] = {
    "nodes": Number(1, whole=True),
    "edges": COUNT,
    "layer_density": FRACTION,
    "disconnected_nodes": COUNT,
    "1-hop": POSITIVE,
    "motifs": COUNT,
    "strength": POSITIVE,
    "k-core": POSITIVE,
    "cut-edges": COUNT,
    "cut-nodes": COUNT,
    "connected_components": Number(1, whole=True),
    "avg_connected_components": POSITIVE,
    # Empty where the layer lost all its weights: the spectrum of a graph without edges is 0.
    "spectral-gap": Number(-1e-6, empty=True),
    "spectral-radius": Number(0, empty=True),
}
LONG = {
    "nodes": "nodes",
    "edges": "edges",
    "layer_sparsity": "layer_density",  # it is the density
    "disconnected_nodes": "disconnected_nodes",
    "nei_one_hop": "1-hop",
    "motifs_count": "motifs",
    "strenght_all": "strength",
    "coreness_all": "k-core",
    "bridges": "cut-edges",
    "a_point": "cut-nodes",
    "weak_clusters": "connected_components",
    "mean_weak": "avg_connected_components",
    "spectral_gap_weighted_undirected": "spectral-gap",
    "spectral_radius_laplacian_weighted_undirected": "spectral-radius",
}
# Two bipartite files have the unrolled file's names, yet raw values, and lack some columns.
SHORT = {"layer_sparsity": "layer_density"} | {
    name: ours
    for name, (ours, _) in UNROLLED.items()
    if ours in BIPARTITE and ours != "disconnected_nodes"
}
UNDEFINED = Number(-np.inf, 1, empty=True, undefined=("-inf",))  # -inf: the bound is 0
RAMANUJAN = {
    "degree_bound": ("delta_r", UNDEFINED),
    "iterative_degree_bound": ("imdb", UNDEFINED),
    "iterative_spectral_gap": ("iterative_spectral_gap", Number(-1e-6, empty=True)),
    "layer_sparsity": ("layer_density", FRACTION),
    "no_weights": ("no_weights", COUNT),
    "no_params": ("no_params", Number(1, whole=True)),
}
COUNTS = (
    "sink_nodes",
    "source_nodes",
    "disconnected_nodes",
    "removable_out",
    "removable_in",
    "motifs",
    "cut-edges",
    "cut-nodes",
)


def is_released(folder: str | Path) -> bool:
    """Whether a folder has the layout of the released CSVs."""
    return (Path(folder) / "graph_metrics" / "unrolled" / "unrolled.csv").exists()


def read_all(folder: str | Path) -> dict[str, pd.DataFrame]:
    """All released tables.

    Parameters
    ----------
    folder : str or Path
        As `graph_data.fetch` leaves it.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``unrolled`` (one row a network), ``rolled``, ``rolled-channel`` and ``ramanujan`` (one row
        a layer), in this project's columns and raw values.

    Raises
    ------
    TableError
        If a file is missing or not as the authors released it.
    """
    folder = Path(folder)
    metrics, ramanujan_files = folder / "graph_metrics", folder / "ramanunjan_results"
    return {
        "unrolled": unrolled(metrics / "unrolled" / "unrolled.csv"),
        "rolled": _joined(map(bipartite, _files(metrics / "rolled"))),
        "rolled-channel": _joined(map(bipartite, _files(metrics / "rolled_channel"))),
        "ramanujan": _joined(
            ramanujan(file, metrics / "rolled" / file.name) for file in _files(ramanujan_files)
        ),
    }


def unrolled(file: str | Path) -> pd.DataFrame:
    """The table of unrolled graphs, with the normalisation undone.

    Rows that stand twice, equal in every cell (47 in the released file), are taken once.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    pandas.DataFrame
        One row a network.

    Raises
    ------
    TableError
        As `tables.read`; if two rows of one run differ; if a count is no whole number once its
        normalisation is undone.
    """
    table = _renamed(file, RUN_COLUMNS, UNROLLED).drop_duplicates()
    refuse_duplicates(file, table, RUN)
    table = normalisation.undo(table)
    for name in COUNTS:
        whole = table[name].round()
        off = (table[name] - whole).abs() > 1e-6 + 1e-15 * whole.abs()
        if off.any():
            released = next(k for k, (v, _) in UNROLLED.items() if v == name)
            size = normalisation.DIVISORS[name]
            raise TableError(
                f"{file}, line {off.idxmax()}, column {released!r}: times {size} it is no whole "
                "number, so not the released normalisation"
            )
        table[name] = whole
    return table.reset_index(drop=True)


def bipartite(file: str | Path) -> pd.DataFrame:
    """A table of rolled or rolled-channel graphs.

    Sink and source nodes and their edges are not read: a bipartite graph has none by definition,
    and the released counts are negative (they subtract layers of the unrolled graph). Nor is the
    2-hop neighbourhood, which equals the 1-hop one.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    pandas.DataFrame
        One row a layer. ``disconnected_nodes`` is missing where the file lacks it.

    Raises
    ------
    TableError
        As `tables.read`, and if a layer stands twice.
    """
    table = _bipartite(file)
    refuse_duplicates(file, table, (*RUN, "layer_id"))
    empty = table["edges"] == 0
    for name in ("spectral-gap", "spectral-radius"):
        table[name] = table[name].mask(empty, 0.0)
    return table.reset_index(drop=True)


def ramanujan(file: str | Path, partner: str | Path) -> pd.DataFrame:
    """A table of Ramanujan metrics, with the pruner that the released file leaves out.

    Parameters
    ----------
    file : str or Path
    partner : str or Path
        The rolled file of the same networks, which has the same rows in the same order.

    Returns
    -------
    pandas.DataFrame
        One row a layer.

    Raises
    ------
    TableError
        As `tables.read`, and if the two files do not go together row by row.
    """
    same = [name for name in (*RUN_COLUMNS, *LAYER_COLUMNS) if name != "pruning"]
    run = {name: kind for name, kind in RUN_COLUMNS.items() if name != "pruning"}
    table = _renamed(file, run | LAYER_COLUMNS, RAMANUJAN)
    other = _bipartite(partner)
    if len(table) != len(other):
        raise TableError(f"{file}: {len(table)} rows where {partner} has {len(other)}")
    differs = (table[same] != other[same]).any(axis=1)
    if differs.any():
        raise TableError(f"{file}, line {differs.idxmax()}: another run or layer than in {partner}")
    table["pruning"] = other["pruning"]
    refuse_duplicates(file, table, (*RUN, "layer_id"))
    return table.replace(-np.inf, np.nan).reset_index(drop=True)


def _bipartite(file: str | Path) -> pd.DataFrame:
    names = header(file)
    pruner = "pruning" if "pruning" in names else "pruning_algorithm"
    run = {pruner if name == "pruning" else name: kind for name, kind in RUN_COLUMNS.items()}
    ours = SHORT if "motif" in names else LONG
    released = {name: (mine, BIPARTITE[mine]) for name, mine in ours.items()}
    return _renamed(file, run | LAYER_COLUMNS, released).rename(columns={pruner: "pruning"})


def _renamed(
    file: str | Path, run: dict[str, Column], released: dict[str, tuple[str, Column]]
) -> pd.DataFrame:
    """Read the columns of the run, and the released ones under our names."""
    kinds = {name: kind for name, (_, kind) in released.items()}
    return read(file, run | kinds).rename(columns={k: ours for k, (ours, _) in released.items()})


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.csv"))
    if not files:
        raise TableError(f"{folder}: no CSV; python -m graph_data.fetch gets the released files")
    return files


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(tables), ignore_index=True)
