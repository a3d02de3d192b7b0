"""Motifs and 2-hop where a kernel is large: ours, each of its two ways alone, and SciPy.

    python -m tests.benchmarks.flattened                              # print the table
    python -m tests.benchmarks.flattened --save tests/benchmarks/results

Each network has a fresh process of one thread. Seconds are the processor's, the best of up to three
runs; megabytes are those on top of what the process held before, so that what an earlier way has
freed is not counted again. SciPy works on the written-out graph, and its numbers include writing
it out. Kernel algebra alone is left out where it would take very long.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pandas as pd

from . import measure

MOST_SECONDS, MOST_BYTES, MOST_NODES = 30, 4e9, 140_000
"""What kernel algebra may take, by its estimate, and how large a graph, to be measured alone."""


def networks() -> dict:
    """Modules with their densities and the shape of their input, by name."""
    from torch import nn

    def flattened(side: int, hidden: int = 20) -> nn.Module:
        layers = (nn.Flatten(), nn.Linear(3 * side * side, hidden), nn.ReLU())
        return nn.Sequential(*layers, nn.Linear(hidden, 10))

    def convolution(side: int) -> nn.Module:
        head = (nn.Flatten(), nn.Linear(8 * side * side, 50), nn.Linear(50, 10))
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *head)

    def depthwise(kernel: int) -> nn.Module:
        middle = nn.Conv2d(32, 32, kernel, padding=kernel // 2, groups=32)
        return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), middle, nn.Conv2d(32, 64, 1))

    found = {
        f"flatten {side}, 20, 10 at {density}": (flattened(side), density, (3, side, side))
        for side, density in ((32, 0.02), (48, 0.02), (64, 0.02), (224, 0.02), (32, 1.0))
    }
    found["flatten 32, 1000, 10 at 0.1"] = flattened(32, 1000), 0.1, (3, 32, 32)
    for side in (32, 64):
        found[f"convolution, flatten {side} at 0.05"] = convolution(side), 0.05, (3, side, side)
    whole = nn.Sequential(nn.Conv2d(3, 20, 64), nn.Conv2d(20, 10, 1))
    patches = nn.Sequential(nn.Conv2d(3, 64, 16, 16), nn.Conv2d(64, 64, 3, padding=1))
    overlapping = nn.Sequential(nn.Conv2d(3, 8, 31, padding=15), nn.Conv2d(8, 8, 3, padding=1))
    found["kernel of the whole map 64 at 0.02"] = whole, 0.02, (3, 64, 64)
    found["patches 16 of 64 at 0.1"] = patches, 0.1, (3, 64, 64)
    found["kernel 31 on 64 at 0.02"] = overlapping, 0.02, (3, 64, 64)
    found["depthwise 7 on 64 at 0.3"] = depthwise(7), 0.3, (3, 64, 64)
    return found


def main() -> None:
    """Run everything in fresh processes; with ``--network``, be one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", help=argparse.SUPPRESS)
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the table there")
    options = parser.parse_args()
    if options.network:
        for row in rows_of(options.network):
            print(json.dumps(row), flush=True)
        return
    rows = []
    for name in networks():
        found = measure.lines_of("tests.benchmarks.flattened", "--network", name)
        rows += [{"network": name, **row} for row in found]
        print(pd.DataFrame(rows[-len(found) :]).to_string(index=False), flush=True)
        if options.save:  # after every network, so that a killed run keeps what it has
            options.save.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).round(4).to_csv(options.save / "flattened.csv", index=False)


def rows_of(name: str):
    """Measure a network's metrics in every way."""
    from threadpoolctl import threadpool_limits

    from metrics import choice
    from metrics.motifs import motifs
    from metrics.neighbourhoods import two_hop

    from . import peers

    by_estimate = choice.is_cheaper
    warm_up, graph = encoded("convolution, flatten 32 at 0.05"), encoded(name)
    for metric, function, peer in (
        ("motifs", motifs, peers.scipy_motifs),
        ("2-hop", two_hop, peers.scipy_two_hop),
    ):
        row = {"metric": metric, "nodes": graph.num_nodes, "edges": graph.num_edges}
        values = set()
        for way, call, is_cheaper in (
            ("algebra", function, lambda *costs: True),
            ("written out", function, lambda *costs: False),
            ("ours", function, by_estimate),
            ("scipy", lambda graph, peer=peer: peer(peers.scipy_graph(graph)), by_estimate),
        ):
            if way == "algebra" and takes_too_long(graph):
                continue
            with threadpool_limits(1):
                choice.is_cheaper = is_cheaper
                call(warm_up)  # loads the compiled code
                runs = []
                while len(runs) < 3 and sum(seconds for seconds, _ in runs) < 5:
                    graph = encoded(name)
                    _, before = measure.measured(lambda: None)
                    start = time.process_time()
                    value, cost = measure.measured(lambda call=call, graph=graph: call(graph))
                    seconds = time.process_time() - start
                    runs.append((seconds, cost.megabytes - before.megabytes))
            values.add(value[metric])
            row[f"{way} s"] = min(seconds for seconds, _ in runs)
            row[f"{way} MB"] = max(megabytes for _, megabytes in runs)
        choice.is_cheaper = by_estimate
        yield row | {"agree": len(values) == 1}


def takes_too_long(graph) -> bool:
    """Whether kernel algebra alone would take more than is worth a table."""
    from metrics import choice, walks

    costs = [choice.algebra_cost(term.ways, term.others) for term in walks.terms(graph)]
    cost = choice.joint(costs)
    too_much = cost.seconds > MOST_SECONDS or cost.bytes > MOST_BYTES
    return too_much or graph.num_nodes > MOST_NODES


def encoded(name: str):
    """The unrolled graph of a network with masks and weights of seed 0."""
    import torch

    import graph_encoding

    torch.manual_seed(0)
    module, density, shape = networks()[name]
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() > 1:
                weight.mul_(torch.rand_like(weight) < density)
    return graph_encoding.encode(module, "unrolled", shape)[0]


if __name__ == "__main__":
    main()
