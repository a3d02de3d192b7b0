"""Sizes of the networks of many runs, looked at in a process of their own.

A network of the user's own may fail, crash, hang or end its process: it is of unknown size then.
"""

from __future__ import annotations

import collections
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from models.own import Source
from runs.run import Run
from system.compute import use_threads
from system.workers import Lost, in_order, workers

from . import estimate

SECONDS = 60.0  # for one network
MOST = 4  # sparsities that are looked at of one network and pruner


class Made(NamedTuple):
    """How a network is made but for its seed, and its sparsity."""

    source: Source
    dataset: str
    pruner: str
    as_released: bool


Size = Callable[[Source, str, str, float, bool], "estimate.Size | None"]


def known(
    runs: Iterable[Run],
    progress: Callable[[int, int], None] | None = None,
    seconds: float = SECONDS,
) -> Size:
    """Look at the networks of runs.

    Parameters
    ----------
    runs : iterable of Run
    progress : callable, optional
        Called with how many networks have been looked at, and how many there are.
    seconds : float
        How long a network is looked at.

    Returns
    -------
    callable
        As `estimate.size`, but None for what is unknown. Between sparsities that were looked at, of
        which there are no more than `MOST`, it is interpolated.
    """
    wanted: dict[Made, set[float]] = collections.defaultdict(set)
    for network in {estimate.KIND(run.network): run.network for run in runs}.values():
        released = network.is_released("pruner")
        made = Made(network.origin, network.dataset, network.pruner, released)
        wanted[made].add(network.sparsity)
    tasks = [(made, at) for made, every in wanted.items() for at in _spread(sorted(every))]
    found: dict[Made, dict[float, estimate.Size]] = collections.defaultdict(dict)
    faulty = set()
    done = 0

    def todo() -> Iterator[tuple[Made, float]]:
        for made, sparsity in tasks:
            if (made.source, made.dataset) not in faulty:
                yield made, sparsity

    with workers(_size, seconds) as each:
        for (made, sparsity), size in each(in_order(todo()), 1):
            done += 1
            if size is None or isinstance(size, Lost):
                faulty.add((made.source, made.dataset))
            else:
                found[made][sparsity] = size
            if progress:
                progress(done, len(tasks))

    def size(
        source: Source, dataset: str, pruner: str, sparsity: float, as_released: bool
    ) -> estimate.Size | None:
        there = found.get(Made(source, dataset, pruner, as_released))
        return there and _between(there, sparsity)

    return size


def _size(task: tuple[Made, float]) -> estimate.Size | None:
    """What a process does with a task."""
    made, sparsity = task
    use_threads(1)  # with more, small tensors take longer, and twice the work
    try:
        return estimate.size(made.source, made.dataset, made.pruner, sparsity, made.as_released)
    except (Exception, SystemExit):  # of the user's own code
        return None


def _spread(every: list[float]) -> list[float]:
    """Some of sorted numbers, with the first and the last."""
    if len(every) <= MOST:
        return every
    return [every[i * (len(every) - 1) // (MOST - 1)] for i in range(MOST)]


def _between(there: dict[float, estimate.Size], sparsity: float) -> estimate.Size:
    """A size by those at the next sparsities below and above."""
    if sparsity in there:
        return there[sparsity]
    every = sorted(there)
    place = min(max(1, bisect_left(every, sparsity)), len(every) - 1)
    if len(every) == 1:
        return there[every[0]]
    low, high = every[place - 1], every[place]
    share = (sparsity - low) / (high - low)
    one, other = there[low], there[high]
    pairs = zip(one.motifs, other.motifs, strict=True)
    return one._replace(
        edges=round(one.edges + share * (other.edges - one.edges)),
        weights=round(one.weights + share * (other.weights - one.weights)),
        visits=round(one.visits + share * (other.visits - one.visits)),
        motifs=type(one.motifs)(*(a + share * (b - a) for a, b in pairs)),
    )
