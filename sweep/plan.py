"""Which runs there are: all combinations that a command line asks for."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from datasets import DEFAULT, NONE, about
from graph_encoding import ENCODINGS, TOKENS, WITH_TOKENS
from models import MODELS
from models.own import Source, digest_of
from pruning import PRUNERS
from runs.columns import EFFECTIVE
from runs.measures import MEASURES
from runs.run import Measurement, Network, Run
from training.schedules import schedule


def runs(
    options: argparse.Namespace, datasets: Iterable[str], *, unnamed: bool = False
) -> list[Run]:
    """All networks that a command line asks for, each once.

    Parameters
    ----------
    options : argparse.Namespace
        From `command_line.flags.parse`.
    datasets : iterable of str
    unnamed : bool
        Whether the command line names no data set, so that these are only of networks that are
        given images. The others go by the same data set wherever and beside whatever they run.

    Returns
    -------
    list of Run
    """
    datasets = list(datasets)
    sources = {}
    digest = digest_of(options.weights) if options.weights else None
    for dataset, model in product(dict.fromkeys([*datasets, DEFAULT, NONE]), options.model):
        shape = about(dataset).shape
        shape_given, trust = options.input_shape or shape, options.weights_trust
        source = Source(model, options.weights, shape_given, digest, trust)
        # The project's networks, as they are, go by their names alone.
        is_known = model in MODELS and source == Source(model, None, shape)
        sources[dataset, model] = (model, None) if is_known else (source.label, source)
    combinations = product(datasets, options.model, options.pruning, options.sparsity, options.seed)
    networks = [
        # Dense networks are one and the same at any sparsity.
        Network(
            label,
            dataset,
            pruner,
            0.0 if PRUNERS[pruner].is_baseline else s,
            seed,
            trained,
            source=source,
            as_released=options.as_released,
            rounds=_rounds(options, pruner),
            **(_schedule(options, label, dataset) if trained else {}),
        )
        for named, model, pruner, s, seed in combinations
        for trained in [options.training or PRUNERS[pruner].trains]
        for dataset in [(_unopened(model, pruner, trained) if unnamed else None) or named]
        for label, source in [sources[dataset, model]]
    ]
    measured = measurements(options)
    moments = functools.cache(functools.partial(at_moments, measured))
    return [
        Run(network, moments(_every(options, network), network.epochs))
        for network in dict.fromkeys(networks)
    ]


def _unopened(model: str, pruner: str, trained: bool) -> str | None:
    """The data set of a network that is given no images; None of others.

    Nothing of it is opened: it only sets the number of classes, not those of own networks.
    """
    if trained or PRUNERS[pruner].needs_data:
        return None
    return DEFAULT if model in MODELS else NONE


def _every(options: argparse.Namespace, network: Network) -> int | None:
    """Epochs between two moments; what is pruned after its training has none but the last."""
    return None if PRUNERS[network.pruning].after_training else options.measure_every


def _rounds(options: argparse.Namespace, pruner: str) -> int | None:
    """One round is the default, and goes without saying."""
    return options.rounds if PRUNERS[pruner].after_training and options.rounds != 1 else None


def _schedule(options: argparse.Namespace, model: str, dataset: str) -> dict[str, object]:
    found = schedule(
        model, dataset, epochs=options.epochs, batch_size=options.batch_size, lr=options.lr
    )
    return {"epochs": found.epochs, "batch_size": found.batch_size, "lr": found.lr}


def at_moments(
    measured: Iterable[Measurement], every: int | None, epochs: int | None
) -> tuple[Measurement, ...]:
    """The measurements at each moment of a training: at first, after so many epochs, at the end.

    Parameters
    ----------
    measured : iterable of Measurement
        Those of one moment.
    every : int, optional
        Epochs from moment to moment; by default there is none before the end.
    epochs : int, optional
        Of the whole training.

    Returns
    -------
    tuple of Measurement
        Those of one moment together.

    Examples
    --------
    >>> graph = Measurement("unrolled", "exact", "topometrics")
    >>> [moment.epoch for moment in at_moments([graph], 2, 5)]
    [0, 2, 4, None]
    """
    measured = tuple(measured)
    moments = [*range(0, epochs, every), None] if every and epochs else [None]
    return tuple(replace(each, epoch=moment) for moment in moments for each in measured)


def measurements(options: argparse.Namespace) -> tuple[Measurement, ...]:
    """The measurements of every network, those of one encoding together.

    Bipartite graphs are the same at any wiring. What is defined on bipartite graphs only is left
    out for others.
    """
    suffix = EFFECTIVE if options.effective else ""
    attention = WITH_TOKENS if options.attention == TOKENS else ""
    found = []
    for encoding, metrics in product(options.encoding, options.graph_metrics):
        kind = ENCODINGS[encoding]
        wiring = kind.wirings[0] if kind.bipartite else options.wiring + attention
        if kind.bipartite or not MEASURES[metrics].bipartite_only:
            found.append(Measurement(encoding, wiring + suffix, metrics))
    return tuple(dict.fromkeys(found))
