"""Cost of the largest networks: time and memory against edges, nodes and weights, with a fit.

python -m tests.benchmarks.large --save tests/benchmarks/results

Each is a whole command, imports included, beside what ``--dry-run`` says of it. They take hours;
``--estimate`` makes the estimates alone. ``--only`` runs those of the names given, and the others'
rows stay as they are.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from runs.records import STAGES

from . import measure

FEW = "--pruning uniform --sparsity"


class Large(NamedTuple):
    """A network of torchvision, the side of its image, and what prunes it."""

    name: str
    model: str
    side: int
    pruning: str

    @property
    def flags(self) -> str:
        """What the command line has of it."""
        return (
            f"--model torchvision.models:{self.model} --input-shape 3 {self.side} {self.side} "
            f"--dataset CIFAR-10 {self.pruning}"
        )


NETWORKS = [
    Large(f"{name}, {sparsity}, {side}", model, side, f"{FEW} {sparsity}")
    for (name, model), side, sparsity in product(
        (
            ("ResNet-50", "resnet50"),
            ("ResNet-152", "resnet152"),
            ("VGG-19", "vgg19"),
            ("Wide-ResNet-101-2", "wide_resnet101_2"),
        ),
        (224, 448),
        (0.9, 0.5),
    )
]
NETWORKS.append(Large("Wide-ResNet-101-2, dense, 448", "wide_resnet101_2", 448, "--pruning dense"))


def main() -> None:
    """Run every network by the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts of the networks' names")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--estimate", action="store_true", help="only the estimates")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the table there")
    options = parser.parse_args()
    file = options.save and options.save / "large.csv"
    table = pd.read_csv(file) if file and file.exists() else pd.DataFrame()
    known = {row["network"]: row for row in table.to_dict("records")}
    for network in NETWORKS:
        if options.only and not any(part in network.name for part in options.only):
            continue
        row = known.get(network.name, {"network": network.name}) | estimated(
            network, options.threads
        )
        if not options.estimate:
            row |= measured(network, options.threads)
        print(row, flush=True)
        table = pd.concat(
            [table[table["network"] != network.name] if len(table) else table, pd.DataFrame([row])]
        )
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(file, index=False)
    print(table.to_string(index=False))
    if len(table) >= 4 and "seconds" in table:
        print(fitted(table))


def estimated(network: Large, threads: int) -> dict:
    """What ``--dry-run`` says, with the size of the network."""
    from command_line import flags
    from sweep import estimate, plan

    (run,) = plan.runs(flags.parse(shlex.split(network.flags)), ["CIFAR-10"])
    cost, made = estimate.estimate(run, threads=threads), run.network
    size = estimate.size(made.origin, made.dataset, made.pruner, made.sparsity, False)
    return {
        "nodes": cost.nodes,
        "edges": cost.edges,
        "weights": cost.weights,
        "visits": size.visits,
        "estimated_seconds": round(cost.seconds, 1),
        "estimated_megabytes": round(cost.megabytes),
    }


def measured(network: Large, threads: int) -> dict:
    """What the command takes: seconds of the clock, of its processors, and the peak of memory.

    The peak is the largest of the stages in ``runs.csv``. That of the system (``/usr/bin/time``) is
    less, for the program resets it at every stage.
    """
    import resource

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "main.py", *shlex.split(network.flags)]
        command += ["--threads", str(threads), "--output-dir", folder]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _, cost, status = measure.run(command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status:
            return {"status": status}
        (stages,) = pd.read_csv(Path(folder) / "runs.csv").to_dict("records")
    return {
        "threads": threads,
        "seconds": round(cost.seconds, 1),
        "processor_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "megabytes": max(stages[f"{stage}_megabytes"] for stage in STAGES),
    }


def fitted(table: pd.DataFrame) -> str:
    """Non-negative least squares of relative errors, in processor seconds and in bytes."""
    from scipy.optimize import nnls

    done = table.dropna(subset=["megabytes"])
    lines = []
    for what, parts, unit in (
        ("processor_seconds", ["nodes", "visits"], 1.0),
        ("megabytes", ["nodes", "weights"], 1e-6),
    ):
        sizes = np.column_stack([np.ones(len(done)), *(done[part] * unit for part in parts)])
        wanted = done[what].to_numpy()
        shares, _ = nnls(sizes / wanted[:, None], np.ones(len(done)))
        off = np.exp(np.abs(np.log(sizes @ shares / wanted)).max())
        terms = " + ".join(f"{s:.3g} {p}" for s, p in zip(shares, ["", *parts], strict=True))
        lines.append(f"{what} = {terms}; farthest off by a factor of {off:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
