"""From flags to CSV: prune networks at initialisation, encode them as graphs, measure the graphs.

    python main.py                                  # Resnet-20, SNIP, 98 %, unrolled, topometrics
    python main.py --pruning erk --sparsity 0.6
    python main.py --encoding rolled --graph_metrics ramanujan
    python main.py --pruning all --sparsity 0.6 0.9 0.98 --seed 0 1 2 --jobs 4
    python main.py --model torchvision.models:resnet18 --input-shape 3 224 224 --pruning uniform
    python main.py --figure graph.png --report network.html

The whole story is `run_network`; `steps` has its details, and the rooms do the work:
models -> pruning -> graph_encoding -> metrics | ramanujan -> graph_data.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # before the rooms are imported: an interrupt then is one line, too
    try:
        # As a module of its own name, so that the processes of a sweep can import what they run.
        status = importlib.import_module(Path(__file__).stem).main()
    except KeyboardInterrupt:
        print("main.py: interrupted", file=sys.stderr)
        status = 130
    # Looking through torch's objects once more for cycles to free would add 0.6 s to every exit.
    gc.freeze()
    sys.exit(status)

import steps
from command_line import flags
from command_line.flags import UsageError
from runs import results
from sweep import plan
from system import streams

if TYPE_CHECKING:
    from command_line.progress import Stages

# torch and the rooms built on it are imported inside functions: --help and errors are instant.


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 100 and the number of
        networks of a sweep that failed (125 for 25 or more). The program's is 130 when interrupted.
    """
    streams.prepare()
    options = None
    try:
        options = flags.parse(sys.argv[1:] if argv is None else argv)
        failed = run(options)
        streams.flush()
        return 100 + min(failed, 25) if failed else 0
    except BrokenPipeError:  # whoever read the summary has left; the results are written
        streams.flush()
        return 0
    except Exception as error:
        message = steps.one_line(error, options)
        if message is None:
            raise
    with contextlib.suppress(OSError):  # the error may be that it cannot be printed
        streams.flush()
    print("main.py: error:", message, file=sys.stderr)
    return 2


def run(options: argparse.Namespace) -> int:
    """Settle where to compute and on which data, then run the networks.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments.parse`.

    Returns
    -------
    int
        Number of networks of a sweep that failed.
    """
    results.check_folder(options.output_dir)
    steps.use_threads(options.threads)
    steps.require_device(options.device)
    if options.snn:
        return run_all(options, steps.saved_tasks(options))

    import datasets
    import models

    needs_data = any(steps.needs_images(options.training, name) for name in options.pruning)
    names, why = options.dataset, None
    if names is None and needs_data:
        name, why = datasets.choose_default(options.data_root)
        names = [name]
    elif names is None:
        # Nothing of it is opened: it only sets the number of classes, not those of own networks.
        known = any(name in models.MODELS for name in options.model)
        names = ["CIFAR-10" if known else datasets.NONE]
    try:
        return run_with_warning(options, names, why)
    except datasets.DataUnavailable as error:
        if options.dataset is not None or names == ["digits"]:
            raise UsageError(str(error)) from None
        return run_with_warning(options, ["digits"], str(error))


def run_with_warning(options: argparse.Namespace, names: Sequence[str], why: str | None) -> int:
    """Run; say before and after why it is not on the default data set, if it is not."""
    warning = f"main.py: warning: the digits stand in for CIFAR-10: {why}" if why else ""
    if warning:
        print(warning, file=sys.stderr, flush=True)
    failed = run_all(options, plan.tasks(options, names))
    if warning:
        sys.stdout.flush()
        print(warning, file=sys.stderr)
    return failed


def run_all(options: argparse.Namespace, tasks: list[plan.Task]) -> int:
    """Run one network here, or many in processes of their own; or only say what there is to run.

    Parameters
    ----------
    options : argparse.Namespace
    tasks : list of Task

    Returns
    -------
    int
        Number of networks that failed. One that runs here raises its error instead.
    """
    steps.check_files(options, tasks)
    if len(tasks) == 1 and not options.scheduler and not options.dry_run:
        run_and_show(options, tasks[0])
        return 0

    todo = steps.undone(options, tasks)
    if options.dry_run:
        from sweep import estimate

        print(estimate.table(tasks, todo))
        return 0

    from command_line import console

    steps.open_all_images(options, todo)
    return console.run(options, tasks, todo)


def run_and_show(options: argparse.Namespace, task: plan.Task) -> None:
    """Run one network, if anything of it is undone, and show all its rows."""
    from command_line import progress
    from runs import summary

    computed, seconds = (), {}
    with steps.claimed(options, task.network):
        for todo in steps.undone(options, [task]):
            computed = todo.measurements
            with progress.Stages(steps.stage_names(options, todo)) as stages:
                run_network(todo, options, stages)
            seconds = stages.seconds
        # Also what a kill between the rows and this has left.
        steps.checkpoint_file(options, task.network).unlink(missing_ok=True)
    for measurement in task.measurements:
        file = plan.file_of(options.output_dir, task.network, measurement)
        rows = results.find(file, plan.configuration(task.network, measurement))
        print(summary.summary(rows, steps.groups(measurement)))
        if measurement in computed:
            print(f"\n{summary.times(seconds)}\nwritten to {file}")
        else:
            print(f"\nalready in {file}; --force computes it again")


def run_network(task: plan.Task, options: argparse.Namespace, stages: Stages) -> None:
    """The story of one network: make it, encode it as graphs, measure them, write the rows.

    Parameters
    ----------
    task : Task
        The network, and the measurements to make.
    options : argparse.Namespace
        From `arguments.parse`: where to compute, where data are and results go.
    stages : progress.Stages
        Shows the progress.
    """
    import graph_encoding
    import pruning

    network = task.network
    known = {"achieved_sparsity": None, "accuracy": None}
    if network.file:
        with stages.stage("load", network.file):
            model, masks, known = steps.load(network)
            gaps = steps.gaps(network, model, masks, stages)
    else:
        needs_data = steps.needs_images(network.training, network.pruning)
        with stages.stage("data", network.dataset if needs_data else "none needed"):
            loader = steps.batches(options, network, stages.terminal) if needs_data else None
        with stages.stage("model", f"{network.model} for {network.dataset}"):
            model = steps.build(options, network).to(options.device)
        with stages.stage("prune", f"{network.pruning}, sparsity {network.sparsity}") as report:
            masks = steps.prune(options, network, model, loader, report)
            pruning.apply_masks(model, masks)
            known["achieved_sparsity"] = pruning.achieved_sparsity(masks)
            gaps = steps.gaps(network, model, masks, stages)
        if network.training:
            with stages.stage("train", f"{network.model} on {network.dataset}"):
                known["accuracy"] = steps.train(options, network, model, masks, stages)
        model = model.cpu()
    if options.save_snn:
        with stages.stage("save", str(steps.network_file(options, network))):
            steps.save_network(options, network, model, masks, known)

    for encoding, measurements in steps.by_encoding(task.measurements).items():
        with stages.stage("encode", encoding):
            wiring = measurements[0].wiring
            graphs = graph_encoding.encode(model, encoding, network.input_shape, wiring)
        if options.figure and encoding == "unrolled":
            with stages.stage("draw", str(options.figure)):
                steps.draw(options, network, graphs)
        if options.save_graph:
            with stages.stage("save", str(steps.graph_file(options, network, measurements[0]))):
                steps.save_graphs(options, network, measurements[0], graphs, known)
        for measurement in measurements:
            row = plan.configuration(network, measurement) | known
            with stages.stage("measure", measurement.graph_metrics) as report:
                rows = steps.measure(options, measurement, row, graphs, report)
            file = plan.file_of(options.output_dir, network, measurement)
            with stages.stage("write", str(file)):
                steps.write(options, network, measurement, rows, stages.last, gaps)
            if options.report and encoding == "unrolled":
                with stages.stage("report", str(options.report)):
                    steps.report(options, network, measurement, rows, graphs, model)
    steps.checkpoint_file(options, network).unlink(missing_ok=True)
