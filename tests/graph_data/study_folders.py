"""Synthetic result folders in the layouts that the study reads: main.py's and the authors'."""

from __future__ import annotations

import csv
import os
from itertools import product
from pathlib import Path
from textwrap import indent

import numpy as np
import pandas as pd

import metrics
import ramanujan
from runs import results
from runs.columns import CONFIGURATION, LAYER
from runs.measures import MEASURES

MODELS = ("CONV-6", "Resnet-20")
DATASETS = ("CIFAR-10", "CIFAR-100")
PRUNERS = ("snip", "grasp", "synflow", "prospr", "uniform", "er", "erk")
SPARSITIES = (0.6, 0.8, 0.9, 0.95, 0.98)
SEEDS = (0, 1, 2)
SMALL = {
    "pruners": ("snip", "grasp", "synflow", "erk"),
    "sparsities": (0.6, 0.9),
    "seeds": (0, 1),
}
RUN = ["model", "dataset", "pruning", "sparsity", "seed"]

BY_NODES = ("sink_nodes", "source_nodes", "disconnected_nodes", "avg_connected_components")
BY_EDGES = (
    "removable_out",
    "removable_in",
    "1-hop",
    "2-hop",
    "motifs",
    "strength",
    "k-core",
    "cut-edges",
    "cut-nodes",
)
AS_IS = ("connected_components", "spectral-gap", "spectral-radius")
TOPOMETRICS = (*BY_NODES, *BY_EDGES, *AS_IS)
RAMANUJAN = ("delta_r", "imdb", "iterative_spectral_gap")
LAYERS = 2

QUICK = """
from figures import style
from graph_data.study import correlation, estimators, importance, scoring, validation
validation.RESAMPLES = correlation.RESAMPLES = 20
validation.FOLDS = 2
importance.REPEATS = importance.SPLITS = importance.PERMUTATIONS = 1
scoring.ESTIMATORS = {"ols": estimators.ols}
def blank(figure, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
style.save = blank
"""
"""Small numbers, and empty pictures, for a study in a process of its own: others look at these."""


def write_quick(folder: Path, root: Path) -> str:
    """Write to a folder; gives a PYTHONPATH with which studies are `QUICK`."""
    folder.mkdir()
    text = f"import sys\nif 'graph_data.study' in sys.orig_argv:{indent(QUICK, '    ')}"
    (folder / "sitecustomize.py").write_text(text)
    return f"{folder}{os.pathsep}{root}"


def runs(
    models=MODELS, datasets=DATASETS, pruners=PRUNERS, sparsities=SPARSITIES, seeds=SEEDS
) -> pd.DataFrame:
    """One row a network of a full design, without accuracy."""
    return pd.DataFrame(product(models, datasets, pruners, sparsities, seeds), columns=RUN)


def random(table: pd.DataFrame, names=TOPOMETRICS, seed=0, each_run=True) -> pd.DataFrame:
    """Normalised values between 0 and 1; nearly the same for all seeds unless `each_run`."""
    stream = np.random.default_rng(seed)
    if each_run:
        return pd.DataFrame(stream.random((len(table), len(names))), table.index, list(names))
    number = table.groupby(RUN[:-1]).ngroup().to_numpy()
    values = stream.random((number.max() + 1, len(names)))[number]
    values = 0.999 * values + 0.001 * stream.random(values.shape)
    return pd.DataFrame(values, table.index, list(names))


def raw(normalised: pd.DataFrame, seed=0) -> pd.DataFrame:
    """What a result file holds: nodes and edges (random), and the metrics by these."""
    stream = np.random.default_rng([seed, 1])
    found = {
        "nodes": stream.integers(10**6, 2 * 10**6, len(normalised)),
        "edges": stream.integers(10**7, 2 * 10**7, len(normalised)),
    }
    for name in normalised:
        size = "nodes" if name in BY_NODES else "edges" if name in BY_EDGES else None
        found[name] = normalised[name] * (found[size] if size else 1)
    return pd.DataFrame(found, index=normalised.index)


def layers(table: pd.DataFrame, seed=0, **columns) -> list[pd.DataFrame]:
    """Ramanujan tables of each layer: random, but for `columns` (the same in all layers)."""
    found = []
    for layer in range(LAYERS):
        part = random(table, (*RAMANUJAN, "layer_density"), [seed, layer])
        part = part.assign(no_params=1000 * (layer + 1), no_weights=500, edges=500, nodes=100)
        found.append(part.assign(**columns))
    return found


SCHEDULE = {"epochs": 160, "batch_size": 128, "lr": 0.1}


def write(
    folder,
    table: pd.DataFrame,
    unrolled: pd.DataFrame | None = None,
    bipartite: list[pd.DataFrame] | None = None,
    ramanujan_layers: list[pd.DataFrame] | None = None,
    wiring="exact",
    training=True,
    apart=True,
) -> None:
    """Write the files of main.py.

    Parameters
    ----------
    folder : str or Path
    table : pandas.DataFrame
        From `runs`, with a column ``accuracy`` (NaN: none).
    unrolled : pandas.DataFrame, optional
        From `raw`, in the rows of `table`; so are the others.
    bipartite, ramanujan_layers : list of pandas.DataFrame, optional
        A table each layer; the first is written for both bipartite encodings.
    wiring : str
        Of the unrolled graphs.
    training : bool
    apart : bool
        Whether each model and dataset has a file, as main.py writes it. All in one are soon read.
    """
    kinds = [
        ("topometrics", "unrolled", [unrolled], metrics.COLUMNS),
        ("topometrics", "rolled", bipartite, metrics.COLUMNS),
        ("topometrics", "rolled-channel", bipartite, metrics.COLUMNS),
        ("ramanujan", "rolled", ramanujan_layers, ramanujan.COLUMNS),
        ("ramanujan", "rolled-channel", ramanujan_layers, ramanujan.COLUMNS),
    ]
    for kind, encoding, parts, names in kinds:
        if parts is None or parts[0] is None:
            continue
        head = CONFIGURATION if encoding == "unrolled" else CONFIGURATION + LAYER
        columns = head + tuple(name for name in names if name not in head)
        groups = table.groupby(["model", "dataset"] if apart else lambda _: 0)
        for _, rows in groups:
            model, dataset = rows[["model", "dataset"]].iloc[0]
            lines = []
            for index, run in rows.iterrows():
                for layer, part in enumerate(parts):
                    line = {
                        "achieved_sparsity": run["sparsity"],
                        "encoding": encoding,
                        "wiring": wiring if encoding == "unrolled" else "exact",
                        "training": training,
                        **(SCHEDULE if training else dict.fromkeys(SCHEDULE)),
                        "layer_id": layer,
                        "layer_name": f"conv{layer}",
                        "layer_density": 0.5,
                        **run,
                        **part.loc[index],
                    }
                    lines.append({name: _cell(line.get(name)) for name in columns})
            results.append(MEASURES[kind].file(folder, encoding, dataset, model), columns, lines)


def write_small(folder, seed=0, unrolled_only=False, **design) -> pd.DataFrame:
    """A small folder with every table, or that of unrolled graphs only, all of it random; gives the
    runs back."""
    table = runs(**(SMALL | design))
    table["accuracy"] = np.random.default_rng(seed).uniform(0.2, 0.9, len(table)).round(4)
    write(
        folder,
        table,
        raw(random(table, seed=seed)),
        None
        if unrolled_only
        else [raw(random(table, seed=seed + 1 + layer), layer) for layer in range(LAYERS)],
        None if unrolled_only else layers(table, seed),
    )
    return table


def strip(folder, names) -> None:
    """Take columns out of every file, as if an older version had written them."""
    for file in folder.rglob("*.csv"):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        table.drop(columns=names, errors="ignore").to_csv(file, index=False)


def _cell(value):
    return None if isinstance(value, float) and np.isnan(value) else value


def _names(text):
    return text.split(",")


# The authors' columns, in their order; of the long bipartite header those that are not read are
# left out but for a few.
UNROLLED_HEADER = _names(
    "accuracy,pruning,sparsity,model,dataset,seed,nodes,edges,sink_nodes,source_nodes,disc_nodes,"
    "r-out,r-in,2-hop_nei,cut-edges,motif,no_connected_components,mean_connected_components,"
    "avg_node_strength,1-hop_nei,cut-nodes,k-core,spectral_gap,spectral_radius"
)
SHORT_HEADER = _names(
    "accuracy,pruning,sparsity,model,dataset,seed,layer_id,layer_name,layer_sparsity,nodes,edges,"
    "cut-edges,motif,no_connected_components,mean_connected_components,avg_node_strength,"
    "1-hop_nei,cut-nodes,k-core,spectral_gap,spectral_radius"
)
LONG_HEADER = _names(
    "accuracy,pruning_algorithm,sparsity,model,dataset,seed,layer_id,layer_name,layer_sparsity,"
    "nodes,edges,unique_edges,bridges,a_point,motifs_count,motifs,sink_nodes,disconnected_nodes,"
    "nei_one_hop,nei_two_hop,strenght_all,coreness_all,weak_clusters,mean_weak,"
    "spectral_gap_weighted_undirected,spectral_radius_laplacian_weighted_undirected"
)
RAMANUJAN_HEADER = _names(
    "accuracy,sparsity,seed,model,dataset,layer_id,layer_name,iterative_spectral_gap,"
    "iterative_degree_bound,degree_bound,layer_sparsity,no_weights,no_params"
)

# One graph: as it is, as it stands in each of the authors' files.
COUNTS = {
    "nodes": 191894,
    "edges": 7654321,
    "sink_nodes": 1519,
    "source_nodes": 2003,
    "disconnected_nodes": 31,
    "removable_out": 60001,
    "removable_in": 70003,
    "motifs": 987654321,
    "cut-edges": 123,
    "cut-nodes": 77,
    "connected_components": 35,
}
MEANS = {"1-hop": 38.7, "2-hop": 410.3, "strength": 5.5, "k-core": 20.25}
UNROLLED_ROW = {
    "nodes": 191894,
    "edges": 7654321,
    "sink_nodes": 1519 / 191894,
    "source_nodes": 2003 / 191894,
    "disc_nodes": 31 / 191894,
    "r-out": 60001 / 7654321,
    "r-in": 70003 / 7654321,
    "2-hop_nei": 410.3 / 7654321,
    "cut-edges": 123 / 7654321,
    "motif": 987654321 / 7654321,
    "no_connected_components": 35,
    "mean_connected_components": 5482.5 / 191894,
    "avg_node_strength": 5.5 / 7654321,
    "1-hop_nei": 38.7 / 7654321,
    "cut-nodes": 77 / 7654321,
    "k-core": 20.25 / 7654321,
    "spectral_gap": 0.125,
    "spectral_radius": 9.75,
}
LAYER_ROW = {
    "layer_id": 0,
    "layer_name": "conv1",
    "layer_sparsity": 0.25,
    "nodes": 100,
    "edges": 400,
    "unique_edges": 400,
    "bridges": 3,
    "a_point": 2,
    "motifs_count": 5000,
    "motifs": 12.5,
    "sink_nodes": -7,
    "disconnected_nodes": 4,
    "nei_one_hop": 4.5,
    "nei_two_hop": 4.5,
    "strenght_all": 1.5,
    "coreness_all": 2.5,
    "weak_clusters": 5,
    "mean_weak": 20.0,
    "spectral_gap_weighted_undirected": 0.5,
    "spectral_radius_laplacian_weighted_undirected": 7.5,
}
SHORT_NAMES = {
    "bridges": "cut-edges",
    "a_point": "cut-nodes",
    "motifs_count": "motif",
    "nei_one_hop": "1-hop_nei",
    "strenght_all": "avg_node_strength",
    "coreness_all": "k-core",
    "weak_clusters": "no_connected_components",
    "mean_weak": "mean_connected_components",
    "spectral_gap_weighted_undirected": "spectral_gap",
    "spectral_radius_laplacian_weighted_undirected": "spectral_radius",
}
RAMANUJAN_ROW = {
    "layer_id": 0,
    "layer_name": "conv1",
    "iterative_spectral_gap": 0.75,
    "iterative_degree_bound": -0.5,
    "degree_bound": -1.25,
    "layer_sparsity": 0.25,
    "no_weights": 216,
    "no_params": 864,
}


def short(row: dict) -> dict:
    """A row of the long bipartite header in the names of the short one."""
    return {SHORT_NAMES.get(name, name): value for name, value in row.items()}


def write_csv(file, header, rows) -> None:
    """Write rows as the authors' pandas did: shortest exact numbers, undefined ones empty."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="", encoding="utf-8") as lines:
        out = csv.writer(lines, lineterminator="\n")
        out.writerow(header)
        for row in rows:
            out.writerow("" if row.get(name) is None else row.get(name, "") for name in header)


def run_of(index: int) -> dict:
    """A run of a tiny released folder."""
    return {
        "accuracy": 0.5 + 0.05 * index,
        "pruning": PRUNERS[index % 7],
        "pruning_algorithm": PRUNERS[index % 7],
        "sparsity": 0.9,
        "model": "Resnet-20",
        "dataset": "CIFAR-10",
        "seed": 0,
    }


def write_released(folder, networks=3) -> None:
    """A tiny folder in the authors' layout: two layers a network, one run a pruner."""
    each = [run_of(index) for index in range(networks)]
    both = [(run, {"layer_id": i, "layer_name": f"conv{i}"}) for run in each for i in range(2)]
    graphs = folder / "graph_metrics"
    write_csv(
        graphs / "unrolled" / "unrolled.csv", UNROLLED_HEADER, [UNROLLED_ROW | run for run in each]
    )
    write_csv(
        graphs / "rolled" / "rolled-CIFAR-10-Resnet-20.csv",
        LONG_HEADER,
        [LAYER_ROW | layer | run for run, layer in both],
    )
    write_csv(
        graphs / "rolled_channel" / "rolled_channel-CIFAR-10-Resnet-20.csv",
        SHORT_HEADER,
        [short(LAYER_ROW) | layer | run for run, layer in both],
    )
    write_csv(
        folder / "ramanunjan_results" / "Resnet-20" / "rolled-CIFAR-10-Resnet-20.csv",
        RAMANUJAN_HEADER,
        [RAMANUJAN_ROW | layer | run for run, layer in both],
    )
