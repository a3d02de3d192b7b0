"""Our metrics beside the plain way to compute them, network by network, in one run.

    python -m tests.benchmarks.topometrics                       # print the tables
    python -m tests.benchmarks.topometrics --save tests/benchmarks/results

Every network is measured in fresh processes: once as a whole command, once metric by metric, and
once for every library that holds the graph written out (up to a size: see `peers`).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

import pandas as pd

from graph_data.markdown import markdown

from . import measure, peers
from .networks import NETWORKS, Network

# The metric of ours that answers what a library's function answers.
ANSWERED_BY = {
    "k-core": "k-core",
    "cut-edges": "cut-edges",
    "cut-nodes": "cut-edges",
    "connected_components": "cut-edges",
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--no-peers", action="store_true", help="measure ours only")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write the tables there, and the plot in figures/"
    )
    options = parser.parse_args()
    whole, metrics, compared = [], [], []
    for name in options.networks:
        print(f"== {name}", file=sys.stderr, flush=True)
        ours = measure.lines_of("tests.benchmarks.worker", name, "ours")
        size = {key: ours[0]["values"][key] for key in ("nodes", "edges")}
        whole += [{"network": name, **size, **row} for row in whole_command(name)]
        metrics += [row(name, size, "ours", line) for line in ours[1:]]
        for library, (_, _, most_edges) in peers.PEERS.items():
            if options.no_peers or size["edges"] > most_edges:
                continue
            if importlib.util.find_spec(library) is None:
                print(f"{library} is not installed: left out", file=sys.stderr)
                continue
            lines = measure.lines_of("tests.benchmarks.worker", name, library)
            metrics += [row(name, size, library, line) for line in lines]
            compared += list(comparison(name, size, library, ours, lines))
        tables = {
            "whole": pd.DataFrame(whole),
            "metrics": pd.DataFrame(metrics),
            "compared": pd.DataFrame(compared),
        }
        if options.save:  # after every network, so that a killed run keeps what it has
            save(tables, options.save)
    for title, table in tables.items():
        print(f"\n{title}\n{table.to_string(index=False)}")


def whole_command(name: str) -> list[dict]:
    """The whole command, first with nothing compiled yet, then again."""
    network = NETWORKS[name]
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for run in ("first run (compiles)", "second run"):
            with tempfile.TemporaryDirectory() as results:
                command = command_of(name, network, results)
                _, cost, status = measure.run(command, NUMBA_CACHE_DIR=cache)
            rows.append({"run": run, **cost._asdict(), "status": status})
    return rows


def command_of(name: str, network: Network, results: str) -> list[str]:
    """How a user would measure the network."""
    if network.model == "Resnet-50":
        return [sys.executable, "-m", "tests.benchmarks.whole", name]
    flags = {
        "--model": network.model,
        "--pruning": network.pruner,
        "--sparsity": str(network.sparsity),
        "--output-dir": results,
    }
    return [sys.executable, "main.py", *(part for flag in flags.items() for part in flag)]


def row(name: str, size: dict, side: str, line: dict) -> dict:
    """A line of a worker as a row of the table of metrics."""
    return {
        "network": name,
        **size,
        "by": side,
        "metric": line["metric"],
        "seconds": line.get("seconds"),
        "megabytes": line.get("megabytes"),
    }


def comparison(name: str, size: dict, library: str, ours: list[dict], theirs: list[dict]):
    """A row for every function of a library: its time over ours, and whether the values agree.

    The library's time includes its share of writing the graph out: all of it, since a user who
    wants one metric pays all of it.
    """
    by_metric = {line["metric"]: line for line in ours}
    values = {key: value for line in ours for key, value in line["values"].items()}
    written = theirs[0]["seconds"] if theirs and "seconds" in theirs[0] else float("nan")
    for line in theirs[1:]:
        if "values" not in line:
            continue
        columns = list(line["values"])
        own = by_metric[ANSWERED_BY.get(columns[0], columns[0])]
        agree = all(
            abs(line["values"][key] - values[key]) <= 1e-5 * abs(values[key]) for key in columns
        )
        yield {
            "network": name,
            **size,
            "metric": " ".join(columns),
            "by": library,
            "ours_s": own["seconds"],
            "theirs_s": line["seconds"],
            "graph_s": written,
            "ratio": line["seconds"] / own["seconds"],
            "ratio_with_graph": (line["seconds"] + written) / own["seconds"],
            "ours_mb": own["megabytes"],
            "theirs_mb": line["megabytes"],
            "agree": agree,
        }


def save(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write the tables as CSV and Markdown, and the plot in figures/."""
    from figures.benchmarks import plot_cost

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "topometrics.md").open("w") as report:
        for title, table in tables.items():
            table.to_csv(folder / f"topometrics_{title}.csv", index=False)
            report.write(f"## {title}\n\n{markdown(table)}\n\n")
    plot_cost(tables["whole"], tables["metrics"], measure.ROOT / "figures" / "topometrics.png")


if __name__ == "__main__":
    main()
