"""What a command line asks for besides runs: what is computed anew, where things are written."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import datasets
import graph_encoding
import pruning
from models import own, saved
from runs import records, results
from runs.columns import columns
from runs.run import Measurement, Network, Run
from sweep import plan
from sweep.missing import missing
from system import program
from system.errors import UserError
from system.files import check_file, check_folder

from . import flags
from .saved_network import moment_of, network_of

PLACES = ("output_dir", "data_root", "save_snn", "save_graph", "figure", "report", "log_file")
"""Flags that name what is written."""


@lru_cache(maxsize=4)
def _images(dataset: str, data_root: Path, **how: bool):
    return datasets.load(dataset, data_root, download=True, **how)


def images(
    options: argparse.Namespace,
    network: Network,
    bar: bool,
    *,
    train: bool,
    augment: bool = False,
):
    """One part of a network's data set, downloaded if need be.

    A process that runs many networks opens it once. Raises `datasets.DataUnavailable`.
    """
    return _images(
        network.dataset,
        options.data_root,
        progress=bar,
        train=train,
        augment=augment,
        as_released=network.is_released("images"),
    )


def data_sets(options: argparse.Namespace) -> tuple[list[str], str | None]:
    """The data sets of the networks, and why they are not the default one, if they are not.

    Where none is named, networks that are given no images have others (`sweep.plan.runs`).
    """
    if options.dataset is not None:
        return options.dataset, None
    pruners = [pruning.PRUNERS[name] for name in options.pruning]
    if options.training or any(pruner.needs_data or pruner.trains for pruner in pruners):
        name, why = datasets.choose_default(options.data_root)
        return [name], why
    return [datasets.DEFAULT], None


def undone(runs: Sequence[Run], options: argparse.Namespace) -> list[Run]:
    """What is to be computed of runs: what no file has, and what is asked for all the same."""
    return missing(runs, options.output_dir, lambda *run: _anew(options, *run))


def _anew(options: argparse.Namespace, network: Network, measurement: Measurement) -> bool:
    """Whether a run is computed, and its rows replaced, although a file has them."""
    is_shown = measurement.epoch is None or options.snn  # a saved network has one moment
    if options.force or (is_shown and (options.figure or options.report)):
        return True
    file = options.save_snn and network.saved_in(options.save_snn, measurement.epoch)
    if file and not file.is_file():
        return True
    if not options.save_graph:
        return False
    try:
        header = graph_encoding.read_header(measurement.graphs_in(options.save_graph, network))
    except (FileNotFoundError, graph_encoding.StorageError):
        return True
    return options.edges and header["edges"] is None


def saved_runs(options: argparse.Namespace) -> list[Run]:
    """The networks of ``--snn``, each with all measurements asked for."""
    runs: dict[tuple[str, int | None], Run] = {}
    for file in options.snn:
        configuration = saved.load(file).configuration
        network, epoch = network_of(file, configuration), moment_of(file, configuration)
        if (network.key, epoch) in runs:
            raise UserError(f"--snn: {network} is there twice ({network.file})")
        measured = (replace(each, epoch=epoch) for each in plan.measurements(options))
        runs[network.key, epoch] = Run(network, tuple(measured))
    return list(runs.values())


def labelled_run(options: argparse.Namespace) -> Run:
    """The network of ``--weights`` that ``--label`` says the making of.

    It goes by what it is said to be: that is checked as if the command line made it.
    """
    model, (dataset,) = options.model[0], options.dataset
    argv = [f"--{each}" for each in options.label]
    try:
        said = flags.parse([f"--model={model}", f"--dataset={dataset}", *argv])
    except UserError as error:
        raise UserError(f"--label: {error}") from None
    said.input_shape = options.input_shape
    found = plan.runs(said, [dataset])
    if len(found) > 1:
        raise UserError("--label is of one network: give one value of each name")
    digest = own.digest_of(options.weights)
    shape = options.input_shape or datasets.about(dataset).shape
    source = own.Source(model, options.weights, shape, digest, options.weights_trust)
    network = replace(found[0].network, source=source, file=options.weights)
    return Run(network, tuple(plan.measurements(options)))


def check_files(options: argparse.Namespace, runs: Sequence[Run]) -> None:
    """Make sure, before long work, that every file can take what will be written into it."""
    files = {
        measurement.rows_in(options.output_dir, run.network): measurement
        for run in runs
        for measurement in run.measurements
    }
    for file, measurement in files.items():
        results.check(file, columns(measurement.encoding, measurement.graph_metrics))
    records.check(options.output_dir)
    for folder in filter(None, (options.save_snn, options.save_graph)):
        check_folder(folder)
    for file in filter(None, (options.figure, options.report, options.log_file)):
        check_file(file)


@contextlib.contextmanager
def places_named(options: argparse.Namespace) -> Iterator[None]:
    """Say of a file that fails which flag gives another one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(one_line(error, options)) from error


def one_line(error: BaseException, options: argparse.Namespace) -> str | None:
    """One line for what a user can mend, with the flag that can; None for a fault of ours."""
    line = program.one_line(error)
    if not isinstance(error, OSError):
        return line
    if error.filename and os.fsdecode(error.filename) in map(str, options.snn or ()):
        return f"--snn {line}; give the path of a network that --save-snn saved"
    given = [place for place in PLACES if getattr(options, place)]
    given = [place for place in given if _is_within(error, getattr(options, place))] or given
    others = " or ".join(f"--{place.replace('_', '-')}" for place in given)
    return f"{line}; mend that, or give another {others}"


def _is_within(error: OSError, place: Path) -> bool:
    """Whether an error is of a file in a place, of the place, or of a folder around it."""
    if not error.filename:
        return False
    file, place = (Path(os.path.abspath(os.fsdecode(path))) for path in (error.filename, place))
    return file.is_relative_to(place) or place.is_relative_to(file)
