"""One side of the comparison in a process of its own: prints a JSON line a metric."""

from __future__ import annotations

import argparse
import json

from . import measure, peers
from .networks import NETWORKS, Network, graph


def main() -> None:
    """Measure ``ours`` or a peer on one network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("side", choices=["ours", *peers.PEERS])
    options = parser.parse_args()
    network = graph(NETWORKS[options.network])
    if options.side == "ours":
        ours(network)
    else:
        explicit, metrics, _ = peers.PEERS[options.side]
        held, cost = measure.measured(lambda: explicit(network))
        report("(graph)", cost, {})
        for metric in metrics:
            values, cost = measure.measured(lambda metric=metric: metric(held))
            report(metric.__name__, cost, values)


def ours(network) -> None:
    """Each metric by itself, once the compiled code is loaded."""
    import metrics

    metrics.topometrics(graph(Network("Resnet-20", "uniform", 0.98)))
    report(
        "(graph)", measure.Cost(0.0, 0.0), {"nodes": network.num_nodes, "edges": network.num_edges}
    )
    for metric in metrics.METRICS:
        values, cost = measure.measured(lambda metric=metric: metric.function(network))
        report(metric.columns[0], cost, values)


def report(metric: str, cost: measure.Cost, values: dict) -> None:
    """Print one line."""
    line = {"metric": metric, "seconds": cost.seconds, "megabytes": cost.megabytes}
    print(json.dumps(line | {"values": values}), flush=True)


if __name__ == "__main__":
    main()
