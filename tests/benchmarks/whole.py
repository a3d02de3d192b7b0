"""From a network's name to its topometrics in a CSV, for networks that main.py does not build."""

from __future__ import annotations

import argparse
import csv
import sys

import metrics

from .networks import NETWORKS, graph


def main() -> None:
    """Measure one network and write its row to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    values = metrics.topometrics(graph(NETWORKS[options.network]), threads=options.threads)
    writer = csv.DictWriter(sys.stdout, list(values))
    writer.writeheader()
    writer.writerow(values)


if __name__ == "__main__":
    main()
