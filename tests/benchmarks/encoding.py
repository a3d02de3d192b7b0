"""Networks that researchers bring: nodes, edges, time and memory of encoding, and the linear flow.

python -m tests.benchmarks.encoding --save tests/benchmarks/results

Those of `NETWORKS` are torchvision's, pruned uniformly to 98 % sparsity, for images of 224 x 224.
Attention is followed; the matrices of projections that ViT keeps beside its layers are pruned, too,
and its head, which is zero at initialisation, is drawn. The flow is compared with torch's own
forward and backward pass, without and with identity shortcuts; where uniform pruning leaves no path
from the inputs to the outputs, that of the network pruned by ERK. It fails if the flow of one of
the others (`others`) differs by more than rounding.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from . import measure, others

NETWORKS = (
    *("resnet18", "resnet50", "vgg16", "mobilenet_v2", "efficientnet_b0", "densenet121"),
    *("convnext_tiny", "mlp", "vit_b_16", "swin_t"),
)
SHAPE = (3, 224, 224)


def main() -> None:
    """Run every network in a process of its own; with ``--network``, be that process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", metavar="WORD", help="parts of names: only these")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the tables there")
    options = parser.parse_args()
    if options.network:
        print(json.dumps(one_network(options.network)))
        return
    at, of_others = (
        options.save / file if options.save else None for file in ("encoding.csv", "networks.csv")
    )
    gather(at_224(options.words), at)
    faults = [*filter(None, map(others.fault, gather(others.rows(options.words), of_others)))]
    if faults:
        sys.exit("\n".join(faults))


def gather(rows: Iterable[dict], file: Path | None) -> list[dict]:
    """Print each row, and put it in place of the one that a table has of its network."""
    found = []
    for row in rows:
        print(json.dumps(row), flush=True)
        found.append(row)
        if file is None:
            continue
        table = pd.DataFrame([row])
        if file.exists():
            old = pd.read_csv(file)
            table = pd.concat([old[old.network != row["network"]], table])
            table = table.sort_values(
                [c for c in ("library", "family") if c in table], kind="stable"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file, index=False)
    return found


def at_224(words: list[str]) -> Iterator[dict]:
    """A row for each of `NETWORKS` whose name holds one of the words, or for all."""
    for name in NETWORKS:
        if any(word in name for word in words or [""]):
            for row in measure.lines_of("tests.benchmarks.encoding", "--network", name):
                yield {"network": name} | row


def one_network(name: str) -> dict:
    """Encode one network and compare its flow."""
    import graph_encoding
    import pruning

    sys.path.insert(0, str(measure.ROOT / "tests"))
    import flow

    model, shape = network(name)
    pruning.apply_masks(model, pruning.prune("uniform", model, 0.98, input_shape=shape))
    _, before = measure.measured(lambda: None)

    def encode(wiring: str = "exact"):
        return graph_encoding.encode(model, "unrolled", shape, wiring, "tokens")

    (graph,), cost = measure.measured(encode)
    (full,) = encode("identity")
    differences, flows_by = _differences(flow, model, shape, graph, full), "uniform"
    if not np.isfinite(differences).all():
        model, _ = network(name)
        pruning.apply_masks(model, pruning.prune("erk", model, 0.98, input_shape=shape))
        graphs = (encode(wiring)[0] for wiring in ("exact", "identity"))
        differences, flows_by = _differences(flow, model, shape, *graphs), "erk"
    return {
        "network": name,
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "edges_identity": full.num_edges,
        "seconds": cost.seconds,
        "megabytes": cost.megabytes,
        "base_megabytes": before.megabytes,
        "flow_of": flows_by,
        "flow_difference": differences[0],
        "flow_difference_identity": differences[1],
    }


def _differences(flow, model, shape, graph, full) -> tuple[float, float]:
    bare = flow.without_identity_shortcuts(copy.deepcopy(model))
    return (
        flow.largest_difference(bare, graph, shape),
        flow.largest_difference(model, full, shape),
    )


def network(name: str):
    """A network of torchvision with weights at initialisation, and the shape of its input."""
    import torch
    from torch import nn

    from datasets.torchvision_import import import_torchvision

    torch.manual_seed(0)
    if name == "mlp":
        layers = [nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(100, 10)), (1, 28, 28)
    model = getattr(import_torchvision().models, name)(weights=None)
    for kind, weight in model.named_parameters():
        if kind == "heads.head.weight":
            nn.init.trunc_normal_(weight, std=0.02)
        if kind.endswith("in_proj_weight"):
            weight.data *= torch.rand(weight.shape) < 0.02
    return model, SHAPE


if __name__ == "__main__":
    main()
