"""From flags to CSV: prune networks at initialisation, encode them as graphs, measure the graphs.

    python main.py                                  # Resnet-20, SNIP, 98 %, unrolled, topometrics
    python main.py --pruning erk --sparsity 0.6
    python main.py --encoding rolled --graph_metrics ramanujan
    python main.py --pruning all --sparsity 0.6 0.9 0.98 --seed 0 1 2 --jobs 4
    python main.py --model torchvision.models:resnet18 --input-shape 3 224 224 --pruning uniform
    python main.py --figure graph.png --report network.html

`story` is all that is done for one network. Its steps (`command_line.steps`) are a few lines each
that hand plain arguments to the rooms that do the work:
models -> pruning -> training -> graph_encoding -> metrics | ramanujan -> runs.
"""

from __future__ import annotations

import system.interrupts  # noqa: F401  # isort: skip  (first: it is for the imports, too)

import argparse
from collections.abc import Iterator, Sequence
from functools import partial

from command_line import asked, console, flags, steps
from command_line.progress import Stages
from runs.run import Measurement, Run
from system.program import program, run_program


@program("main.py")
def main(argv: Sequence[str]) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 100 and the number of
        networks of a sweep that failed (125 for 25 or more); 130 when interrupted.
    """
    options = flags.parse(argv)
    with asked.places_named(options):
        failed = console.run(options, run_network)
    return 100 + min(failed, 25) if failed else 0


def run_network(
    run: Run, stages: Stages, options: argparse.Namespace, kept: dict | None = None
) -> None:
    """Go through the story of one network.

    Parameters
    ----------
    run : Run
        The network, and the measurements to make.
    stages : Stages
        Shows the progress.
    options : argparse.Namespace
        From `flags.parse`: where to compute, where data are and results go.
    kept : dict, optional
        What the same network at another sparsity has left, for `pruning.prune`; added to.
    """
    made, todo = steps.Made(run, options, stages, kept), list(story(run, options))
    stages.total = len(todo)
    for name, detail, step in todo:
        with stages.stage(name, detail) as report:
            step(made, report)
    run.network.remove_checkpoints(options.output_dir)


def story(run: Run, options: argparse.Namespace) -> Iterator[tuple[str, str, steps.Step]]:
    """The stages of one network: make it, encode it as graphs, measure them, write the rows.

    With ``--measure-every`` the training stops at each moment, and all that follows it is done.

    Parameters
    ----------
    run : Run
    options : argparse.Namespace

    Yields
    ------
    name, detail : str
        What is shown of the stage.
    step : callable
        What is done.
    """
    network = run.network
    if network.file:
        yield "load", network.file, steps.load
    else:
        yield "data", network.dataset if network.needs_images else "none needed", steps.open_data
        yield "model", f"{network.model} for {network.dataset}", steps.build
        yield "prune", f"{network.pruning}, sparsity {network.sparsity}", steps.prune
    if options.evaluate and (network.file or not network.training):
        yield "evaluate", network.dataset, steps.evaluate
    for epoch, graphs in run.by_moment():
        if network.training and not network.file:
            when = "" if epoch is None else f", until epoch {epoch} of {network.epochs}"
            what = f"{network.model} on {network.dataset}{when}"
            yield "train", what, partial(steps.train, epoch)
        if options.save_snn:
            file = network.saved_in(options.save_snn, epoch)
            yield "save", str(file), partial(steps.save_network, epoch)
        for encoding, measurements in graphs:
            yield from measured(run, options, encoding, measurements)


def measured(
    run: Run, options: argparse.Namespace, encoding: str, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, str, steps.Step]]:
    """The stages of one graph of the network, or of one a layer, as in `story`."""
    network, first = run.network, measurements[0]
    is_shown = encoding == run.shown and first.epoch == run.measurements[-1].epoch
    yield "encode", encoding, partial(steps.encode, first)
    if options.figure and is_shown:
        yield "draw", str(options.figure), steps.draw
    if options.save_graph:
        file = first.graphs_in(options.save_graph, network)
        yield "save", str(file), partial(steps.save_graphs, first)
    for measurement in measurements:
        yield "measure", measurement.graph_metrics, partial(steps.measure, measurement)
        file = measurement.rows_in(options.output_dir, network)
        yield "write", str(file), partial(steps.write, measurement)
        if options.report and is_shown and measurement == first:
            yield "report", str(options.report), partial(steps.write_page, measurement)


if __name__ == "__main__":
    run_program("main:main")
