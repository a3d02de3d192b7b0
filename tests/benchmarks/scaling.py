"""Cost as the image grows: fixed weights, image side doubled, time against edges and nodes.

python -m tests.benchmarks.scaling --save tests/benchmarks/results
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from . import measure

SIDES = (32, 64, 128, 256)


def main() -> None:
    """Run every side in a fresh process; with ``--side``, be that process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write the table there, and the plot in figures/"
    )
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options.side)))
        return
    rows = [
        line
        for side in SIDES
        for line in measure.lines_of("tests.benchmarks.scaling", "--side", str(side))
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if options.save:
        from figures.benchmarks import plot_scaling

        options.save.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.save / "scaling.csv", index=False)
        plot_scaling(table, measure.ROOT / "figures" / "scaling.png")


def one_side(side: int) -> dict:
    """Encode Resnet-20 (ERK, 0.9) for images of this side and measure all topometrics."""
    import metrics

    from .networks import Network, graph

    network = Network("Resnet-20", "erk", 0.9)
    metrics.topometrics(graph(network))  # loads the compiled code
    _, before = measure.measured(lambda: None)
    scaled = graph(network._replace(input_shape=(3, side, side)))
    _, cost = measure.measured(lambda: metrics.topometrics(scaled, threads=2))
    return {
        "side": side,
        "nodes": scaled.num_nodes,
        "edges": scaled.num_edges,
        "seconds": cost.seconds,
        "megabytes": cost.megabytes,
        "base_megabytes": before.megabytes,
    }


if __name__ == "__main__":
    main()
