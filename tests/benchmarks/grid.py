"""Hours that the paper's grid takes (scripts/paper_grid.sh), from a sample of its networks.

    python -m tests.benchmarks.grid                 # measure what the sample lacks, write the table
    python -m tests.benchmarks.grid --anew          # the whole sample again, within 15 CPU minutes
    python -m tests.benchmarks.grid --minutes 0     # the table alone

The sample has two of the five sparsities for each model and pruner that needs no images, so that
each model and each pruner meets each sparsity, and all encodings of these networks; of SNIP, GraSP
and ProsPr the pruning alone, of each model once, on the digits. Seconds are the processor's, of one
thread. A network that is not in the sample takes what a model without interactions says (model,
pruner and sparsity each multiply the seconds of a stage), fitted to the sample; graphs of SNIP,
GraSP and ProsPr are taken to cost the mean of the other pruners'. Their pruning is counted once for
the five sparsities, as a sweep does it, and GraSP's is that for 10 classes times the number of
classes.

How much faster two processes of one thread are than one, on a quiet machine, is the ratio of

    for jobs in 1 2; do
        time JOBS=$jobs DATA_FREE=1 OUTPUT=results/jobs$jobs DATASETS=CIFAR-10 MODELS=Resnet-32 \\
            PRUNERS="uniform erk" SEEDS="0 1" scripts/paper_grid.sh
    done
"""

from __future__ import annotations

import argparse
import gc
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import datasets
import graph_encoding
import metrics
import models
import pruning
import ramanujan
from graph_data.markdown import markdown

MODELS = ("Resnet-20", "Resnet-32", "Wide-Resnet-28-2", "CONV-6")
DATA_FREE, DATA_DRIVEN = ("synflow", "uniform", "er", "erk"), ("snip", "grasp", "prospr")
SPARSITIES = (0.6, 0.8, 0.9, 0.95, 0.98)
CLASSES = {"CIFAR-10": 10, "CIFAR-100": 100, "tinyimagenet": 200}
SEEDS, PROCESSES = 3, 2
STAGES = ("prune", "unrolled", "rolled", "rolled-channel", "ramanujan")
RESULTS = Path(__file__).with_name("results")
BY = ["model", "pruner", "sparsity"]


def sample() -> list[tuple[str, str, float]]:
    """Networks to measure, such that any number of the first is a sample too."""
    found = [
        (model, DATA_FREE[(i + j) % 4], SPARSITIES[(2 * i + j + shift) % 5])
        for shift in (4, 1)
        for j in range(4)
        for i, model in enumerate(MODELS)
    ]
    return found[:4] + list(itertools.product(MODELS, DATA_DRIVEN, [0.9])) + found[4:]


def measured(model: str, pruner: str, sparsity: float) -> dict[str, object]:
    """CPU seconds of the stages of one network, 10 classes."""
    network, loader = models.build(model, num_classes=10), None
    if pruner in DATA_DRIVEN:
        loader = datasets.batches(datasets.load("digits", "data", train=True), 128)
    row: dict[str, object] = {"model": model, "pruner": pruner, "sparsity": sparsity}
    start = time.process_time()
    masks = pruning.prune(pruner, network, sparsity, loader)
    row["prune"] = time.process_time() - start
    if pruner in DATA_DRIVEN:
        return row
    pruning.apply_masks(network, masks)
    row["ramanujan"] = 0.0
    for encoding, kind in graph_encoding.ENCODINGS.items():
        gc.collect()
        start = time.process_time()
        graphs = graph_encoding.encode(network, encoding)
        for graph in graphs:
            metrics.topometrics(graph)
        row[encoding] = time.process_time() - start
        if kind.bipartite:
            start = time.process_time()
            for graph in graphs:
                ramanujan.ramanujan_metrics(graph)
            row["ramanujan"] += time.process_time() - start
    return row


def grid(found: pd.DataFrame) -> pd.DataFrame:
    """CPU seconds of every network of one seed, measured or by the model without interactions.

    Those of pruning are NaN for a pruner that was not measured.
    """
    every = pd.DataFrame(
        itertools.product(CLASSES, MODELS, DATA_FREE + DATA_DRIVEN, SPARSITIES),
        columns=["dataset", *BY],
    )
    for stage in STAGES:
        # Pruning of each data-driven pruner is known once a model, at any sparsity.
        known = found.dropna(subset=[stage])
        levels = {name: list(dict.fromkeys(known[name])) for name in BY}
        weights, *_ = np.linalg.lstsq(
            _design(known, levels), np.log(known[stage] + 1e-3), rcond=None
        )
        seconds = np.exp(_design(every, levels) @ weights)
        measured_ones = every.merge(known[[*BY, stage]], how="left", on=BY)[stage]
        every[stage] = measured_ones.fillna(pd.Series(seconds, every.index)).to_numpy()
    every.loc[~every["pruner"].isin(found["pruner"]), "prune"] = np.nan
    classes = every["dataset"].map(CLASSES)
    every["prune"] *= np.where(every["pruner"] == "grasp", classes / 10, 1)
    once = every["pruner"].map(lambda name: pruning.PRUNERS[name].cost.once)
    every["prune"] /= np.where(once, len(SPARSITIES), 1)
    return every


def _design(table: pd.DataFrame, levels: dict[str, list]) -> np.ndarray:
    """One column a level of each factor; a level not measured is the mean of the others."""
    columns = []
    for name, known in levels.items():
        there = table[name].isin(known)
        for level in known:
            column = np.where(table[name] == level, 1.0, 0.0)
            columns.append(np.where(there, column, 1 / len(known)))
    return np.stack(columns, axis=1)


def tables(found: pd.DataFrame) -> str:
    """The hours, by model and stage and by pruner and stage, and what they were made of."""
    every = grid(found)
    hours = every[list(STAGES)] * SEEDS / 3600
    total = np.nansum(hours.to_numpy())
    left_out = [p for p in DATA_FREE + DATA_DRIVEN if p not in set(found["pruner"])]
    parts = [
        f"# Hours of the paper's grid\n\n{len(every) * SEEDS:,} networks without training, three "
        f"encodings, topometrics and Ramanujan metrics: {total:.1f} CPU hours, so "
        f"{total / PROCESSES:.1f} hours on 2 cores if two processes of one thread do not slow each "
        "other down. CPU hours by stage:",
    ]
    for name in ("model", "pruner"):
        summed = hours.groupby(every[name], sort=False).sum()
        summed.loc["all"] = summed.sum()
        summed["all"] = summed.sum(axis=1)
        parts.append(markdown(summed.rename_axis(name).reset_index(), ".2f"))
    if len(found) < len(sample()):
        parts.append(
            "**The sample is not complete, so these hours are a first guess:** it cannot tell "
            "models, pruners and sparsities apart, and they are too low where a pruner that takes "
            "long was measured on a small network only."
        )
    parts.append(
        f"Measured were {len(found)} of the sample's {len(sample())} networks, at 10 classes, one "
        "seed. All else is extrapolated: other sparsities, seeds and numbers of classes by a model "
        "without interactions, the graphs of SNIP, GraSP and ProsPr by those of the other pruners, "
        "and their pruning, once for all sparsities, by that on the digits, times the classes for "
        "GraSP. Images of CIFAR or Tiny ImageNet were not used. "
        f"{_left_out(left_out)}CPU seconds of a machine that is busy with other work are more than "
        "those of a quiet one.\n\nCPU seconds of the sample:"
    )
    parts.append(markdown(found[[*BY, *STAGES]], ".3g"))
    return "\n\n".join(parts) + "\n"


def _left_out(pruners: list[str]) -> str:
    """A sentence on the pruners that were not measured, if there are any."""
    return f"What these take to prune is not counted: {', '.join(pruners)}. " if pruners else ""


def main() -> None:
    """Measure what the sample lacks and write ``grid.csv`` and ``grid.md``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--anew", action="store_true", help="measure again what is there")
    parser.add_argument("--minutes", type=float, default=15, help="CPU minutes at most")
    parser.add_argument("--save", type=Path, default=RESULTS, metavar="DIR", help="of the results")
    options = parser.parse_args()
    file = options.save / "grid.csv"
    found = pd.read_csv(file) if file.exists() and not options.anew else pd.DataFrame(columns=BY)
    done = set(found[BY].itertuples(index=False, name=None))
    todo = [network for network in sample() if network not in done]
    import torch

    torch.set_num_threads(1)
    with threadpool_limits(1):
        if todo and options.minutes:
            measured(MODELS[0], "uniform", 0.98)  # loads what is compiled
        while todo and time.process_time() < 60 * options.minutes:
            row = pd.DataFrame([measured(*todo.pop(0))])
            found = row if found.empty else pd.concat([found, row], ignore_index=True)
            print(row.to_string(index=False, header=len(found) == 1), flush=True)
            options.save.mkdir(parents=True, exist_ok=True)
            found.to_csv(file, index=False, float_format="%.4g")
    text = tables(found)
    (options.save / "grid.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
