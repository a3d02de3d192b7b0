"""The steps of one network's story, which `main.run_network` tells: each in a few lines.

torch and the rooms built on it are imported inside functions: --help and errors are instant.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from command_line.flags import UsageError
from runs import records, results
from runs.locks import claim
from sweep import plan
from system import errors

PRUNING_BATCH = 128  # a pruner puts batches together as it needs
TEST_BATCH = 128
CLAIM_SECONDS = 1.0  # before asking again for a network that another process computes
ANEW = ("force", "figure", "report", "save_snn", "save_graph")
"""Flags for which a run may be computed although its rows are there; see `anew`."""

PLACES = ("output_dir", "data_root", "save_snn", "save_graph", "figure", "report", "log_file")
"""Flags that name what is written."""

ROOMS = {"arguments", "datasets", "graph_data", "graph_encoding", "models", "pruning", "sweep"}


def needs_images(training: bool, pruner: str) -> bool:
    """Whether images are opened; otherwise the data set only sets the number of classes."""
    import pruning

    return training or pruning.PRUNERS[pruner].needs_data


@functools.lru_cache(maxsize=4)
def open_images(dataset: str, data_root: Path, bar: bool, *, train: bool, augment: bool = False):
    """One part of a data set, downloaded if need be; raises ``datasets.DataUnavailable``.

    A process that runs many networks opens it once.
    """
    import datasets

    return datasets.load(
        dataset, data_root, train=train, augment=augment, download=True, progress=bar
    )


def batches(options: argparse.Namespace, network: plan.Network, bar: bool):
    """Batches of training images for a pruner."""
    import datasets

    images = open_images(network.dataset, options.data_root, bar, train=True)
    return datasets.batches(images, PRUNING_BATCH, seed=network.seed)


def build(options: argparse.Namespace, network: plan.Network):
    """The network, not pruned yet."""
    import datasets
    from models import own

    source = network.source or own.Source(network.model, None, network.input_shape)
    classes = datasets.about(network.dataset).classes
    return own.build(source, classes, network.seed, getattr(options, "folder", None))


def prune(options: argparse.Namespace, network: plan.Network, model, loader, report):
    """Masks of a network."""
    import pruning

    try:
        masks = pruning.prune(
            network.pruning,
            model,
            network.sparsity,
            loader,
            network.seed,
            input_shape=network.input_shape,
            device=options.device,
            progress=report,
        )
    except ValueError as error:  # such as too few images a class
        raise UsageError(str(error)) from error
    return pruning.without_zeros(model, masks) if network.source else masks


def gaps(network: plan.Network, model, masks, stages):
    """What pruning has cut off, which the user is told of."""
    import pruning

    found = pruning.gaps(model, masks, network.input_shape)
    if found.warning:
        stages.warning(f"{network}: {found.warning}")
    return found


def train(options: argparse.Namespace, network: plan.Network, model, masks, stages) -> float:
    """Train by the network's schedule, from its checkpoint if there is one; the test accuracy."""
    import datasets
    from command_line.progress import epoch_lines
    from training import loop

    schedule = loop.schedule(
        network.model,
        network.dataset,
        epochs=network.epochs,
        batch_size=network.batch_size,
        lr=network.lr,
    )
    checkpoint = checkpoint_file(options, network)
    if options.force:
        checkpoint.unlink(missing_ok=True)
    bar = stages.terminal
    train_set = open_images(network.dataset, options.data_root, bar, train=True, augment=True)
    test_set = open_images(network.dataset, options.data_root, bar, train=False)
    show = epoch_lines(stages.line, schedule.epochs)

    def watch(epoch: dict[str, float]) -> None:
        records.record_epoch(options.output_dir, network, epoch)
        show(epoch)

    return loop.train(
        model,
        masks,
        datasets.batches(train_set, schedule.batch_size, seed=network.seed),
        datasets.batches(test_set, TEST_BATCH, shuffle=False),
        epochs=schedule.epochs,
        lr=schedule.lr,
        milestones=schedule.milestones,
        weight_decay=schedule.weight_decay,
        seed=network.seed,
        device=options.device,
        checkpoint=checkpoint,
        data=network.key,
        classes=datasets.about(network.dataset).classes,
        watch=watch,
        progress=bar,
    )


def checkpoint_file(options: argparse.Namespace, network: plan.Network) -> Path:
    """Where a training that is under way, or not measured yet, notes how far it is."""
    return options.output_dir / ".checkpoints" / f"{_stem(network)}.pt"


def by_encoding(measurements: Sequence[plan.Measurement]) -> dict[str, list[plan.Measurement]]:
    """Measurements of one and the same graph together; they come so from `plan`."""
    by = itertools.groupby(measurements, key=lambda measurement: measurement.encoding)
    return {encoding: list(found) for encoding, found in by}


def measure(
    options: argparse.Namespace,
    measurement: plan.Measurement,
    row: dict[str, object],
    graphs,
    report: Callable[[int, int, str], None],
) -> list[dict]:
    """One row a graph: the run's configuration, the layer's if bipartite, the metrics."""
    import metrics
    import ramanujan

    if measurement.encoding == "unrolled":
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
        if measurement.graph_metrics == "ramanujan":
            values = ramanujan.ramanujan_metrics(graph)
        else:
            values = metrics.topometrics(graph, threads=threads(options))
        rows.append(row | layer | values)
    return rows


def groups(measurement: plan.Measurement) -> dict[str, Sequence[str]]:
    """Columns of a measurement by title."""
    import metrics
    import ramanujan

    if measurement.graph_metrics == "ramanujan":
        return {"Ramanujan metrics": ramanujan.COLUMNS}
    return dict(metrics.GROUPS)


def columns(measurement: plan.Measurement) -> tuple[str, ...]:
    """Columns of a measurement's file."""
    names = [name for group in groups(measurement).values() for name in group]
    return results.columns(measurement.encoding, names)


def write(options, network: plan.Network, measurement: plan.Measurement, rows, took, gaps) -> None:
    """Put the rows of a run into its file; before them, what it took into ``runs.csv``."""
    records.record_run(
        options.output_dir, network, measurement, took, options.device, threads(options), gaps
    )
    # Appending does not read the file; what is written for the first time is not looked for in it.
    may_be_there = any(getattr(options, flag) for flag in ANEW)
    there = may_be_there and not plan.missing(
        [plan.Task(network, (measurement,))], options.output_dir
    )
    put = results.replace if there else results.append
    put(plan.file_of(options.output_dir, network, measurement), columns(measurement), rows)


@contextlib.contextmanager
def claimed(options: argparse.Namespace, network: plan.Network) -> Iterator[None]:
    """Wait until no other process computes a network, and keep them from it meanwhile."""
    for attempt in itertools.count():
        with claim(options.output_dir, network.key) as mine:
            if mine:
                yield
                return
        if not attempt:
            print(f"main.py: another process is at {network}: waiting", file=sys.stderr)
        time.sleep(CLAIM_SECONDS)


def undone(options: argparse.Namespace, tasks: Sequence[plan.Task]) -> list[plan.Task]:
    """What is to be computed of tasks: what no file has, and what is asked for all the same."""
    return plan.missing(tasks, options.output_dir, functools.partial(anew, options))


def anew(options, network: plan.Network, measurement: plan.Measurement) -> bool:
    """Whether a run is computed, and its rows replaced, although a file has them."""
    import graph_encoding

    if options.force or options.figure or options.report:
        return True
    if options.save_snn and not network_file(options, network).is_file():
        return True
    if not options.save_graph:
        return False
    try:
        header = graph_encoding.read_header(graph_file(options, network, measurement))
    except (FileNotFoundError, graph_encoding.StorageError):
        return True
    return options.edges and header["edges"] is None


def stage_names(options: argparse.Namespace, task: plan.Task) -> list[str]:
    """The stages of `main.run_network` in order."""
    names = ["data", "model", "prune", *(["train"] if task.network.training else [])]
    names = ["load"] if task.network.file else names
    names += ["save"] if options.save_snn else []
    for encoding, measurements in by_encoding(task.measurements).items():
        shown = encoding == "unrolled"
        names += ["encode", *(["draw"] if options.figure and shown else [])]
        names += ["save"] if options.save_graph else []
        names += ["measure", "write"] * len(measurements)
        names += ["report"] if options.report and shown else []
    return names


def check_files(options: argparse.Namespace, tasks: Sequence[plan.Task]) -> None:
    """Make sure, before long work, that every file can take its rows."""
    files = {
        plan.file_of(options.output_dir, task.network, measurement): measurement
        for task in tasks
        for measurement in task.measurements
    }
    for file, measurement in files.items():
        results.check(file, columns(measurement))
    records.check(options.output_dir)
    for folder in filter(None, (options.save_snn, options.save_graph)):
        results.check_folder(folder)
    for file in filter(None, (options.figure, options.report, options.log_file)):
        results.check_file(file)


def open_all_images(options: argparse.Namespace, tasks: Sequence[plan.Task]) -> None:
    """Open every data set that a sweep needs, so that it is downloaded before many ask for it."""
    needed = dict.fromkeys(
        task.network.dataset
        for task in tasks
        if not task.network.file and needs_images(task.network.training, task.network.pruning)
    )
    for name in needed:
        open_images(name, options.data_root, sys.stderr.isatty(), train=True)


def network_file(options: argparse.Namespace, network: plan.Network) -> Path:
    """Where ``--save-snn`` puts a network."""
    return Path(options.save_snn) / f"{_stem(network)}.pt"


def save_network(options, network: plan.Network, model, masks, known) -> None:
    """Save a network with what makes it repeatable."""
    from models import saved

    configuration = dataclasses.asdict(network) | known
    del configuration["file"]
    commit = records.versions()["project"] or None
    saved.save(network_file(options, network), model, masks, configuration, commit)


def load(network: plan.Network):
    """Model, masks, and achieved sparsity and accuracy of a saved network."""
    from models import saved

    found = saved.load(network.file)
    known = {name: found.configuration[name] for name in ("achieved_sparsity", "accuracy")}
    return found.model, found.masks, known


def saved_tasks(options: argparse.Namespace) -> list[plan.Task]:
    """The networks of ``--snn``, each with all measurements asked for."""
    from models import saved

    tasks = []
    for file in options.snn:
        try:
            configuration = saved.load(file).configuration
            names = [field.name for field in dataclasses.fields(plan.Network)]
            network = plan.Network(
                **{name: configuration[name] for name in names if name != "file"},
                file=str(Path(file).resolve()),
            )
        except KeyError as error:
            raise UsageError(f"{file}: its configuration has no {error}") from None
        tasks.append(plan.Task(network, plan.measurements_of(options)))
    twice = [t for i, t in enumerate(tasks) if t.network.key in {u.network.key for u in tasks[:i]}]
    if twice:
        raise UsageError(f"--snn: {twice[0].network} is there twice ({twice[0].network.file})")
    return tasks


def graph_file(
    options: argparse.Namespace, network: plan.Network, measurement: plan.Measurement
) -> Path:
    """Where ``--save-graph`` puts the graphs of an encoding."""
    wiring = "" if measurement.wiring == "exact" else f"-{measurement.wiring}"
    return Path(options.save_graph) / f"{measurement.encoding}{wiring}-{_stem(network)}.graph.zst"


def draw(options: argparse.Namespace, network: plan.Network, graphs) -> None:
    """Draw the multipartite graph into ``--figure``."""
    from figures import multipartite, style
    from runs import naming

    title = naming.title(dataclasses.asdict(network))
    style.write(multipartite.draw(graphs[0], title=title), options.figure)


def report(options, network: plan.Network, measurement, rows, graphs, model) -> None:
    """Write the page of one network, ``--report``."""
    import graph_encoding
    from figures import layers, multipartite
    from figures.collapse import warnings_of
    from figures.page import page
    from metrics.by_layer import by_layer, whole
    from system.files import replacing

    (graph,), (row,) = graphs, rows
    (flow,) = graph_encoding.encode(model, "unrolled", network.input_shape, "identity")
    summaries = by_layer(graph)
    marks = ("sinks", "sources", "disconnected")
    text = page(
        row,
        groups(measurement),
        summaries,
        {
            "The multipartite graph: a column for each layer of nodes, from the inputs to the "
            "outputs; beside it its sinks, sources and disconnected nodes": multipartite.draw(
                graph, mark=marks, per_row=22
            ),
            "Layer by layer: density, sinks, sources and strength": layers.compare(
                {network.pruning: summaries}
            ),
        },
        warnings_of(flow, network.input_shape),
        whole(graph),
    )
    with replacing(options.report) as file:
        file.write(text.encode())


def save_graphs(options, network, measurement: plan.Measurement, graphs, known) -> None:
    """Save the graphs of an encoding."""
    import graph_encoding

    graph_encoding.save(
        graph_file(options, network, measurement),
        graphs,
        plan.configuration(network, measurement) | known,
        edges=options.edges,
    )


def one_line(error: BaseException, options: argparse.Namespace | None) -> str | None:
    """One line for what a user can mend; None for any other error, which is a fault of ours."""
    if isinstance(error, MemoryError):
        return "out of memory: a sparser or smaller network needs less"
    if isinstance(error, OSError):  # a full disk, a file without permission
        given = [place for place in PLACES if getattr(options, place, None)]
        given = [place for place in given if _is_within(error, getattr(options, place))] or given
        others = " or ".join(f"--{place.replace('_', '-')}" for place in given)
        return f"{errors.of_system(error)}; mend that, or give another {others}"
    # The exceptions that the rooms define are for the user; their messages say what to do.
    if type(error).__module__.partition(".")[0] in ROOMS:
        return " ".join(str(error).split())
    return None


def _is_within(error: OSError, place: Path) -> bool:
    """Whether an error is of a file in a place, of the place, or of a folder around it."""
    if not error.filename:
        return False
    file, place = (Path(os.path.abspath(os.fsdecode(path))) for path in (error.filename, place))
    return file.is_relative_to(place) or place.is_relative_to(file)


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


def _stem(network: plan.Network) -> str:
    parts = (network.model, network.dataset, network.pruning, network.sparsity, network.seed)
    if network.training:
        parts += ("trained", network.epochs, network.batch_size, network.lr)
    return "-".join(map(str, parts))
