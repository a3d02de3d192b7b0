"""What a network will take before it is made: nodes, edges, seconds, memory. Rough, for planning.

Nodes are exact. Edges are exact for one seed where the masks need no data and no gradients;
elsewhere every layer is taken to have the global density, and weights that are zero already to go
first, for their scores are zero. Seconds, those of one processor, and
memory follow from nodes, edges and weights by what the benchmark measured (tests/benchmarks);
those of the motifs, which grow with more than the edges, from the graph's geometry
(`metrics.choice`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from datasets import about
from metrics.registry import SHARE_OF_MEMORY
from models import MODELS
from models.own import Source
from pruning import BASELINE, CHEAP, PRUNERS
from runs.run import Measurement, Network, Run
from system import compute, memory

if TYPE_CHECKING:
    from torch import nn

    from graph_encoding import Block, Graph
    from metrics import choice
    from pruning.masks import Masks

LOADED = 420.0  # MB of a process with everything imported
NODE_BYTES = 260, 140  # two spectra at once, or one where there is one thread or memory is short
WEIGHT_BYTES = 50  # counted
NODE_SECONDS, EDGE_SECONDS = 6e-6, 1.35e-7
AS_SPARSE = 0.25  # density from which on a block costs what it would if it were dense
SCORE_BYTES = 8  # of a prunable weight, kept or not, zero or not, for the next sparsity
BIPARTITE_SHARE = 0.3  # of the time of the unrolled graph
START_SECONDS = 0.5
AT_RANDOM = "uniform"  # a pruner that costs nothing
KIND = attrgetter("model", "source", "dataset", "pruning", "sparsity", "as_released", "file")
"""What an estimate of a network follows from."""


class Cost(NamedTuple):
    """What a run takes.

    Attributes
    ----------
    nodes, edges : int
        Of the unrolled graph.
    weights : int
        Non-zero.
    seconds : float
        Of a processor, without training.
    megabytes : float
        Peak of the process.
    once : float
        Of the seconds, those that a sweep takes for the first sparsity alone.
    """

    nodes: int
    edges: int
    weights: int
    seconds: float
    megabytes: float
    once: float = 0.0


class Size(NamedTuple):
    """What the unrolled graph of a network holds.

    Attributes
    ----------
    nodes, edges : int
    motifs : choice.Cost
        Of counting them.
    weights : int
        Non-zero.
    visits : int
        Edges, those of dense blocks as so many of sparse ones as take the same time.
    prunable : int
        Weights that a pruner may keep or remove, also those that are zero already.
    """

    nodes: int
    edges: int
    motifs: choice.Cost
    weights: int
    visits: int
    prunable: int


def estimate(
    run: Run,
    known: Callable | None = None,
    free: float | None = None,
    threads: int | None = None,
) -> Cost | None:
    """Estimate one run.

    Parameters
    ----------
    run : Run
    known : callable
        What gives its size, from `sizes.known`; `size` by default.
    free : float, optional
        Memory that is free, in MB. It is looked at by default, which takes a millisecond.
    threads : int, optional
        Of the process; all cores by default. With one, metrics run one after the other
        (`metrics.registry.compute`); a third adds little.

    Returns
    -------
    Cost or None
        None if its size is not known.
    """
    network = run.network
    released = network.is_released("pruner")
    found = (known or size)(
        network.origin, network.dataset, network.pruner, network.sparsity, released
    )
    if found is None:
        return None
    nodes, edges, motifs, weights, visits, prunable = found
    cost = CHEAP if network.file else PRUNERS[network.pruning].version(released).cost
    pruning = cost.bytes + cost.bytes_a_class * about(network.dataset).classes
    held = WEIGHT_BYTES * weights + motifs.bytes
    if cost.once:
        held += SCORE_BYTES * prunable
    two, one = (each * nodes for each in NODE_BYTES)
    room = SHARE_OF_MEMORY * 1e6 * (memory.available() if free is None else free)
    is_two = compute.threads(threads) > 1 and held + two <= room
    measuring = (held + (two if is_two else one)) / 1e6
    unrolled = NODE_SECONDS * nodes + EDGE_SECONDS * visits + motifs.seconds
    share = sum(BIPARTITE_SHARE if m.is_bipartite else 1 for m in run.measurements)
    return Cost(
        nodes,
        edges,
        weights,
        START_SECONDS + cost.seconds * nodes + share * unrolled,
        LOADED + max(pruning * nodes / 1e6, measuring),
        cost.seconds * nodes if cost.once else 0.0,
    )


def most_memory(
    runs: Iterable[Run], known: Callable | None = None, threads: int | None = None
) -> float:
    """Largest estimate of memory among runs, in MB; those of unknown size are left out."""
    free = memory.available()
    costs = filter(None, (estimate(run, known, free, threads) for run in runs))
    return max((cost.megabytes for cost in costs), default=LOADED)


def is_dear(run: Run, left: int, known: Callable | None = None, threads: int | None = None) -> bool:
    """Whether scoring anew would take longer than all else of so many sparsities.

    Then a process that has no scores of the network is not done with the first before one that has
    them is done with all. The same where a network is trained: not known, and taken to be no.
    """
    cost = None if run.network.training else estimate(run, known, threads=threads)
    return cost is not None and cost.once > left * (cost.seconds - cost.once)


@cache
def size(source: Source, dataset: str, pruner: str, sparsity: float, as_released: bool) -> Size:
    """Nodes, edges, weights and cost of the motifs of the unrolled graph.

    Nodes are exact. Edges are those of seed 0 or by density, and so is what the cost is taken of,
    with masks `AT_RANDOM` in place of those that need data.
    """
    import pruning
    from metrics import walks
    from pruning.weights import prunable_weights

    model, graph_of, kept = _unpruned(source, about(dataset).classes)
    weights = prunable_weights(model).values()
    prunable = sum(weight.numel() for weight in weights)
    if PRUNERS[pruner].cost != CHEAP:
        filled = sum(int(weight.count_nonzero()) for weight in weights)
        removed = sparsity
        if filled < prunable:
            removed = max(0.0, 1 - (1 - sparsity) * prunable / max(filled, 1))
        dense = size(source, dataset, BASELINE, 0.0, False)
        at_random = size(source, dataset, AT_RANDOM, removed, False)
        return at_random._replace(nodes=dense.nodes, edges=round(dense.edges * (1 - removed)))
    masks = {}
    if not PRUNERS[pruner].is_baseline:  # which leaves weights that are given as they are
        how = {"input_shape": source.input_shape, "as_released": as_released, "kept": kept}
        masks = pruning.prune(pruner, model, sparsity, **how)
    graph = graph_of(masks)
    cost, visits = walks.cost(graph), round(sum(map(_visits, graph.blocks)))
    return Size(graph.num_nodes, graph.num_edges, cost, graph.kept_weights, visits, prunable)


def _visits(block: Block) -> float:
    return block.num_edges / max(1.0, block.density / AS_SPARSE)


@lru_cache(maxsize=1)  # the sweeps have one network after the other, at many sparsities
def _unpruned(source: Source, classes: int) -> tuple[nn.Module, Callable[[Masks], Graph], dict]:
    from models import own

    from . import masked

    model = own.build(source, classes, seed=0)
    return model, masked.graphs(model, source.input_shape, source.model in MODELS), {}


def table(
    runs: Iterable[Run],
    left: Iterable[Run],
    known: Callable | None = None,
    threads: int | None = None,
) -> str:
    """The runs of a sweep with what they take, for ``--dry-run``.

    Parameters
    ----------
    runs : iterable of Run
        All of them.
    left : iterable of Run
        Those that are not done.
    known, threads
        As for `estimate`.

    Returns
    -------
    str
        One line a run, with question marks for what is not known, and a line of totals.
    """
    undone = {run.network: run.measurements for run in left}
    of_kind: dict[tuple, Cost | None] = {}
    begun, free = set(), memory.available()

    def cost_of(network: Network, measurements: tuple[Measurement, ...]) -> Cost | None:
        """What is the same for all seeds is estimated once."""
        kind = (*KIND(network), measurements)
        if kind not in of_kind:
            of_kind[kind] = estimate(Run(network, measurements), known, free, threads)
        return of_kind[kind]

    lines = [f"{'run':<76} {'done':>4} {'nodes':>11} {'edges':>14} {'seconds':>8} {'MB':>7}"]
    count, to_do, unknown, seconds = 0, 0, 0, 0.0
    for run in runs:
        missing = undone.get(run.network, ())
        for measurement in run.measurements:
            cost = cost_of(run.network, (measurement,))
            name = f"{run.network}: {measurement}"
            done = "no" if measurement in missing else "yes"
            if cost:
                what = f"{cost.nodes:>11,} {cost.edges:>14,} {cost.seconds:>8.1f} "
                what += f"{cost.megabytes:>7,.0f}"
            else:
                what = f"{'?':>11} {'?':>14} {'?':>8} {'?':>7}"
            lines.append(f"{name:<76} {done:>4} {what}")
            count += 1
            to_do += measurement in missing
        if missing:
            cost = cost_of(run.network, missing)
            alike = run.network.at_any_sparsity
            if cost:
                seconds += cost.seconds - (cost.once if alike in begun else 0)
            else:
                unknown += len(missing)
            begun.add(alike)
    left_out = f"; {unknown} of unknown size are not counted" if unknown else ""
    lines.append(
        f"{count} runs, {count - to_do} done, {to_do} to do: about {_duration(seconds)} by one "
        f"process (estimates; training not counted{left_out})"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
