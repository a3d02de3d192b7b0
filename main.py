"""From flags to CSV: prune a network at initialisation, encode it as a graph, measure the graph.

    python main.py                                  # Resnet-20, SNIP, 98 %, unrolled, topometrics
    python main.py --pruning erk --sparsity 0.6
    python main.py --encoding rolled --graph_metrics ramanujan

The whole story is `run_one`; the rooms do the work:
models -> pruning -> graph_encoding -> metrics | ramanujan -> graph_data.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import arguments
from arguments import UsageError
from graph_data import results

# torch and the rooms built on it are imported inside functions: --help and errors are instant.

INPUT_SHAPE = (3, 32, 32)  # every data set is scaled to it
PRUNING_BATCH = 128  # a pruner puts batches together as it needs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 130 when interrupted.
    """
    try:
        run(arguments.parse(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # whoever read the summary has left; the results are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, results.ResultFileError) as error:
        message = str(error)
    except OSError as error:  # a full disk, a file without permission
        message = f"{reason(error)}; mend that, or give another --output-dir or --data-root"
    except MemoryError:
        message = "out of memory: a sparser or smaller network needs less"
    except KeyboardInterrupt:
        print("main.py: interrupted", file=sys.stderr)
        return 130
    print("main.py: error:", " ".join(message.split()), file=sys.stderr)
    return 2


def run(options: argparse.Namespace) -> None:
    """Settle where to compute and on which data, then do the run.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments.parse`.
    """
    results.check_folder(options.output_dir)
    use_threads(options.threads)
    require_device(options.device)

    import datasets
    import pruning

    needs_data = options.training or pruning.PRUNERS[options.pruning].needs_data
    dataset, why = options.dataset, None
    if dataset is None and needs_data:
        dataset, why = datasets.choose_default(options.data_root)
    elif dataset is None:
        dataset = "CIFAR-10"  # nothing of it is opened: the network has its shape and classes
    try:
        run_with_warning(options, dataset, needs_data, why)
    except datasets.DataUnavailable as error:
        if options.dataset is not None or dataset == "digits":
            raise UsageError(str(error)) from None
        run_with_warning(options, "digits", needs_data, str(error))


def run_with_warning(
    options: argparse.Namespace, dataset: str, needs_data: bool, why: str | None
) -> None:
    """Do the run; say before and after why it is not on the default data set, if it is not."""
    warning = f"main.py: warning: the digits stand in for CIFAR-10: {why}" if why else ""
    if warning:
        print(warning, file=sys.stderr, flush=True)
    run_one(options, dataset, needs_data)
    if warning:
        sys.stdout.flush()
        print(warning, file=sys.stderr)


def run_one(options: argparse.Namespace, dataset: str, needs_data: bool) -> None:
    """Prune one network, measure its graphs, write and show the rows, unless they are there.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments.parse`.
    dataset : str
    needs_data : bool
        Whether images are opened; otherwise the data set only sets the number of classes.
    """
    import datasets
    import graph_encoding
    import metrics
    import models
    import progress
    import pruning
    import ramanujan
    import summary

    if options.graph_metrics == "ramanujan":
        groups = {"Ramanujan metrics": ramanujan.COLUMNS}
    else:
        groups = dict(metrics.GROUPS)
    metric_names = [name for names in groups.values() for name in names]
    columns = results.columns(options.encoding, metric_names)
    row = configuration(options, dataset)
    file = results.path(
        options.output_dir, options.graph_metrics, options.encoding, dataset, options.model
    )
    results.check(file, columns)
    done = results.find(file, row)
    if done and not options.force:
        print(summary.summary(done, groups))
        print(f"\nalready in {file}; --force computes it again")
        return

    names = ["data", "model", "prune", "train", "encode", "measure", "write"]
    if not options.training:
        names.remove("train")
    with progress.Stages(names) as stages:
        with stages.stage("data", dataset if needs_data else "none needed"):
            loader = None
            if needs_data:
                loader = datasets.batches(
                    open_images(options, dataset, stages.terminal, train=True),
                    PRUNING_BATCH,
                    seed=options.seed,
                )
        with stages.stage("model", f"{options.model} for {dataset}"):
            classes = datasets.DATASETS[dataset].num_classes
            model = models.build(options.model, classes, INPUT_SHAPE[0], seed=options.seed)
            model.to(options.device)
        with stages.stage("prune", f"{options.pruning}, sparsity {row['sparsity']}") as report:
            try:
                masks = pruning.prune(
                    options.pruning,
                    model,
                    options.sparsity,
                    loader,
                    options.seed,
                    input_shape=INPUT_SHAPE,
                    device=options.device,
                    progress=report,
                )
            except ValueError as error:  # such as too few images a class
                raise UsageError(str(error)) from error
            pruning.apply_masks(model, masks)
            row["achieved_sparsity"] = pruning.achieved_sparsity(masks)
        if options.training:
            with stages.stage("train", f"{options.model} on {dataset}"):
                row["accuracy"] = train(options, dataset, model, masks, stages.terminal)
        with stages.stage("encode", options.encoding):
            graphs = graph_encoding.encode(
                model.cpu(), options.encoding, INPUT_SHAPE, options.wiring
            )
        with stages.stage("measure", options.graph_metrics) as report:
            rows = measure(options, row, graphs, report)
        with stages.stage("write", str(file)):
            (results.replace if options.force else results.append)(file, columns, rows)

    print(summary.summary(rows, groups))
    print(f"\n{summary.times(stages.seconds)}\nwritten to {file}")


def configuration(options: argparse.Namespace, dataset: str) -> dict[str, object]:
    """What a row says of its run.

    Parameters
    ----------
    options : argparse.Namespace
    dataset : str

    Returns
    -------
    dict
        By column; ``achieved_sparsity`` and ``accuracy`` are not known yet.
    """
    return {
        "model": options.model,
        "dataset": dataset,
        "pruning": options.pruning,
        # Dense networks are one and the same at any sparsity, bipartite graphs at any wiring.
        "sparsity": 0.0 if options.pruning == "dense" else options.sparsity,
        "achieved_sparsity": None,
        "seed": options.seed,
        "encoding": options.encoding,
        "wiring": options.wiring if options.encoding == "unrolled" else "exact",
        "training": options.training,
        "accuracy": None,
    }


def open_images(options, dataset: str, bar: bool, *, train: bool, augment: bool = False):
    """One part of a data set, downloaded if need be; raises ``datasets.DataUnavailable``."""
    import datasets

    return datasets.load(
        dataset, options.data_root, train=train, augment=augment, download=True, progress=bar
    )


def train(options: argparse.Namespace, dataset: str, model, masks, bar: bool) -> float:
    """Train as in the paper, but for what the command line says; returns the test accuracy."""
    import datasets
    from models import training

    schedule = training.paper_schedule(options.model, dataset)
    if options.epochs is not None:
        milestones = tuple(m * options.epochs // schedule.epochs for m in schedule.milestones)
        schedule = dataclasses.replace(schedule, epochs=options.epochs, milestones=milestones)
    if options.batch_size is not None:
        schedule = dataclasses.replace(schedule, batch_size=options.batch_size)
    if options.lr is not None:
        schedule = dataclasses.replace(schedule, lr=options.lr)
    train_set = open_images(options, dataset, bar, train=True, augment=True)
    test_set = open_images(options, dataset, bar, train=False)
    return training.train(
        model,
        masks,
        datasets.batches(train_set, schedule.batch_size, seed=options.seed),
        datasets.batches(test_set, schedule.batch_size, shuffle=False),
        epochs=schedule.epochs,
        lr=schedule.lr,
        milestones=schedule.milestones,
        weight_decay=schedule.weight_decay,
        device=options.device,
        progress=bar,
    )


def measure(options: argparse.Namespace, row: dict[str, object], graphs, report) -> list[dict]:
    """One row a graph: the run's configuration, the layer's if bipartite, the metrics."""
    import metrics
    import ramanujan

    if options.encoding == "unrolled":
        (graph,) = graphs
        values = metrics.topometrics(
            graph, threads=threads(options), device=options.device, progress=report
        )
        return [row | values]
    rows = []
    for number, graph in enumerate(graphs):
        report(number, len(graphs), graph.layer_name)
        layer = {
            "layer_id": number,
            "layer_name": graph.layer_name,
            "layer_density": graph.kept_weights / graph.total_weights,
        }
        if options.graph_metrics == "ramanujan":
            values = ramanujan.ramanujan_metrics(graph)
        else:
            values = metrics.topometrics(graph, threads=threads(options))
        rows.append(row | layer | values)
    return rows


def use_threads(count: int | None) -> None:
    """Bound the threads of torch, numba and BLAS; without a number each takes all cores."""
    if count is None:
        return
    import numba
    import scipy.linalg  # noqa: F401  (loads SciPy's BLAS, so that the bound applies to it)
    import threadpoolctl
    import torch

    torch.set_num_threads(count)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    threadpoolctl.threadpool_limits(count)


def threads(options: argparse.Namespace) -> int:
    """Number of threads of a run: as many as cores that this process may use."""
    if options.threads is None and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return options.threads or os.cpu_count() or 1


def require_device(device: str) -> None:
    """Refuse ``cuda`` where there is none."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here; use --device cpu")


def reason(error: OSError) -> str:
    """One line for an operating system's error."""
    where = f"{Path(os.fsdecode(error.filename))}: " if error.filename else ""
    return where + (error.strerror or str(error) or type(error).__name__)


if __name__ == "__main__":
    status = main()
    # Looking through torch's objects once more for cycles to free would add 0.6 s to every exit.
    gc.freeze()
    sys.exit(status)
