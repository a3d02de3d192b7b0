"""Every model, pruner and encoding on the digits, each pruned network in a fresh process.

python -m tests.benchmarks.pipeline --save tests/benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import pandas as pd

import datasets
import graph_encoding
import metrics
import models
import pruning
import ramanujan
from graph_data.markdown import markdown

from . import measure


def main() -> None:
    """Run all pairs of model and pruner; with ``--one``, be the process of one pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=models.MODELS, default=list(models.MODELS))
    parser.add_argument(
        "--pruners", nargs="+", choices=pruning.PRUNERS, default=pruning.at_initialisation()
    )
    parser.add_argument("--sparsity", type=float, default=0.98)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the table there")
    options = parser.parse_args()
    if options.one:
        (model,), (pruner,) = options.models, options.pruners
        print(json.dumps(one(model, pruner, options.sparsity, options.threads)))
        return
    rows = []
    for model in options.models:
        for pruner in options.pruners:
            pair = ["--one", "--models", model, "--pruners", pruner]
            numbers = ["--sparsity", str(options.sparsity), "--threads", str(options.threads)]
            rows += measure.lines_of("tests.benchmarks.pipeline", *pair, *numbers)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.save / "pipeline.csv", index=False)
        (options.save / "pipeline.md").write_text(markdown(table) + "\n")


def one(name: str, pruner: str, sparsity: float, threads: int) -> dict:
    """Prune one network on the digits and measure its graphs in all encodings."""
    model = models.build(name, datasets.DATASETS["digits"].num_classes)
    images = datasets.load("digits", "data", train=True)
    loader = datasets.batches(images, 128)
    masks, cost = measure.measured(lambda: pruning.prune(pruner, model, sparsity, loader))
    pruning.apply_masks(model, masks)
    row = {
        "model": name,
        "pruner": pruner,
        "achieved_sparsity": pruning.achieved_sparsity(masks),
        "prune_s": cost.seconds,
        "prune_mb": cost.megabytes,
    }
    for encoding in graph_encoding.ENCODINGS:
        start = time.perf_counter()
        graphs = graph_encoding.encode(model, encoding)
        for graph in graphs:
            metrics.topometrics(graph, threads=threads)
        row[f"{encoding}_s"] = time.perf_counter() - start
        if graph_encoding.ENCODINGS[encoding].bipartite:
            start = time.perf_counter()
            for graph in graphs:
                ramanujan.ramanujan_metrics(graph)
            row[f"{encoding}_ramanujan_s"] = time.perf_counter() - start
        else:
            row["edges"] = graphs[0].num_edges
    return row


if __name__ == "__main__":
    main()
