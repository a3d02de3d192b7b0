"""What a sweep consists of: networks, and the measurements asked for of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path

from datasets import about
from models import MODELS
from models.own import Source
from runs import results
from training.schedules import schedule


@dataclass(frozen=True)
class Network:
    """A pruned network, by how it is made.

    Attributes
    ----------
    model, dataset, pruning : str
    sparsity : float
    seed : int
    training : bool
    epochs, batch_size : int, optional
    lr : float, optional
        Of a trained network; the rest of its schedule follows from model and data set
        (`training.schedules`).
    file : str, optional
        A saved network that is loaded and not made anew.
    source : Source, optional
        Where a network comes from that is not just one of `models.MODELS`; `model` is its label.
    """

    model: str
    dataset: str
    pruning: str
    sparsity: float
    seed: int
    training: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    file: str | None = None
    source: Source | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.source.input_shape if self.source else about(self.dataset).shape

    def __str__(self) -> str:
        parts = self.model, self.dataset, self.pruning, f"{self.sparsity:g}", f"seed {self.seed}"
        return " ".join(parts) + (", trained" if self.training else "")

    @property
    def key(self) -> str:
        """Tells a network from all others, on every machine."""
        names = [field.name for field in fields(self) if field.name not in ("file", "source")]
        return ",".join(results.format_cell(getattr(self, name)) for name in names)


@dataclass(frozen=True)
class Measurement:
    """A graph of a network and what is measured on it."""

    encoding: str
    wiring: str
    graph_metrics: str

    def __str__(self) -> str:
        wiring = "" if self.wiring == "exact" else f", {self.wiring} wiring"
        return f"{self.encoding} {self.graph_metrics}{wiring}"


@dataclass(frozen=True)
class Task:
    """One network and its measurements: it is made once and measured in all these ways."""

    network: Network
    measurements: tuple[Measurement, ...]


def tasks(options: argparse.Namespace, datasets: Iterable[str]) -> list[Task]:
    """All networks that a command line asks for, each once.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments.parse`.
    datasets : iterable of str

    Returns
    -------
    list of Task
    """
    sources = {}
    for dataset, model in product(datasets, options.model):
        shape = about(dataset).shape
        source = Source(model, options.weights, options.input_shape or shape)
        # The project's networks, as they are, go by their names alone.
        is_known = model in MODELS and source == Source(model, None, shape)
        sources[dataset, model] = (model, None) if is_known else (source.label, source)
    combinations = product(sources, options.pruning, options.sparsity, options.seed)
    networks = [
        # Dense networks are one and the same at any sparsity.
        Network(
            label,
            dataset,
            pruner,
            0.0 if pruner == "dense" else s,
            seed,
            options.training,
            source=source,
            **(_schedule(options, label, dataset) if options.training else {}),
        )
        for (dataset, model), pruner, s, seed in combinations
        for label, source in [sources[dataset, model]]
    ]
    measurements = measurements_of(options)
    return [Task(network, measurements) for network in dict.fromkeys(networks)]


def _schedule(options: argparse.Namespace, model: str, dataset: str) -> dict[str, object]:
    found = schedule(
        model, dataset, epochs=options.epochs, batch_size=options.batch_size, lr=options.lr
    )
    return {"epochs": found.epochs, "batch_size": found.batch_size, "lr": found.lr}


def measurements_of(options: argparse.Namespace) -> tuple[Measurement, ...]:
    """The measurements of every network, those of one encoding together.

    Ramanujan metrics are of bipartite graphs only.
    """
    found = (
        # Bipartite graphs are the same at any wiring.
        Measurement(encoding, options.wiring if encoding == "unrolled" else "exact", metrics)
        for encoding, metrics in product(options.encoding, options.graph_metrics)
        if not (encoding == "unrolled" and metrics == "ramanujan")
    )
    return tuple(dict.fromkeys(found))


def configuration(network: Network, measurement: Measurement) -> dict[str, object]:
    """What a row says of its run.

    Parameters
    ----------
    network : Network
    measurement : Measurement

    Returns
    -------
    dict
        By column; ``achieved_sparsity`` and ``accuracy`` are not known yet.
    """
    return {
        "model": network.model,
        "dataset": network.dataset,
        "pruning": network.pruning,
        "sparsity": network.sparsity,
        "achieved_sparsity": None,
        "seed": network.seed,
        "encoding": measurement.encoding,
        "wiring": measurement.wiring,
        "training": network.training,
        "epochs": network.epochs,
        "batch_size": network.batch_size,
        "lr": network.lr,
        "accuracy": None,
    }


def file_of(output_dir: str | Path, network: Network, measurement: Measurement) -> Path:
    """Result file of a measurement."""
    return results.path(
        output_dir,
        measurement.graph_metrics,
        measurement.encoding,
        network.dataset,
        network.model,
    )


def missing(
    todo: Iterable[Task],
    output_dir: str | Path,
    anew: Callable[[Network, Measurement], bool] = lambda *_: False,
) -> list[Task]:
    """What is not in the result files yet.

    Parameters
    ----------
    todo : iterable of Task
    output_dir : str or Path
    anew : callable
        Whether a measurement counts as missing although it is there.

    Returns
    -------
    list of Task
        With the measurements that are missing; tasks with none are left out. Each file is read
        once.
    """
    known: dict[Path, set[tuple[str, ...]]] = {}
    left = []
    for task in todo:
        measurements = []
        for measurement in task.measurements:
            file = file_of(output_dir, task.network, measurement)
            if file not in known:
                known[file] = set(results.identities(file))
            run = results.identity(configuration(task.network, measurement))
            if run not in known[file] or anew(task.network, measurement):
                measurements.append(measurement)
        if measurements:
            left.append(replace(task, measurements=tuple(measurements)))
    return left
