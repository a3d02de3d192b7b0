"""Networks that others wrote (`zoo`): what encoding each takes, and whether its linear flow agrees.

They are pruned by ERK to a density of 0.1; projections that are no `Linear` lose as much at random.
Weights are multiples of 1/64: sums of theirs are exact in single precision, so that what differs is
wiring. Attention is followed. Nodes and edges are of the default wiring; the flow is that of the
whole network, beside the graph with identity shortcuts.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from . import measure

if TYPE_CHECKING:
    from torch import nn
    from torch.overrides import TorchFunctionMode

DENSITY = 0.1
LARGEST_DIFFERENCE = 1e-12
"""Of a flow that is rounded; networks without a shortcut or a layer differ by 1e-9 and more."""

LIBRARIES = ("timm", "segmentation_models_pytorch", "transformers")


def rows(words: list[str]) -> Iterator[dict]:
    """A row for each network whose name holds one of the words, or for all; each in a process."""
    import importlib

    import torch

    from datasets.torchvision_import import import_torchvision

    from .zoo import networks

    torch.set_num_threads(1)  # threads do not outlive a fork
    import_torchvision()
    for library in LIBRARIES:
        importlib.import_module(library)
    sys.path.insert(0, str(measure.ROOT / "tests"))
    for name, entry in networks().items():
        if words and not any(word in name for word in words):
            continue
        known = {"library": entry.library, "family": entry.family, "network": name}
        known["input"] = " x ".join(map(str, entry.shape))
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as process:
            try:
                yield known | process.submit(_row, name).result()
            except Exception as error:  # no refusal: a fault, or a process that was killed
                yield known | {"refusal": f"({type(error).__name__}: {error})"}


def fault(row: dict) -> str | None:
    """What is wrong with a row: a network whose flow differs, or that failed to encode."""
    refusal, difference = row.get("refusal", ""), row.get("flow_difference", 0.0)
    if refusal.startswith("("):
        return f"{row['network']}: {refusal}"
    if not difference <= LARGEST_DIFFERENCE:
        return f"{row['network']}: the flow differs by {difference:.1e}, which is wiring"
    return None


def _row(name: str) -> dict:
    import flow

    from graph_encoding import UnsupportedNetwork, encode

    from .zoo import networks

    warnings.simplefilter("ignore")
    entry = networks()[name]
    model = _pruned(entry.build, entry.shape)
    _, before = measure.measured(lambda: None)
    start = time.process_time()
    try:
        (graph,), cost = measure.measured(
            lambda: encode(model, "unrolled", entry.shape, attention="tokens")
        )
    except UnsupportedNetwork as error:
        return {"refusal": str(error)}
    seconds = time.process_time() - start
    (full,) = encode(model, "unrolled", entry.shape, "identity", "tokens")
    return {
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "seconds": round(seconds, 2),
        "megabytes": round(cost.megabytes - before.megabytes),
        "flow_difference": flow.largest_difference(_linear(model), full, entry.shape),
    }


def _linear(model: nn.Module) -> nn.Module:
    """The network without norms and activations that are written out, which a flow cannot tell."""
    from torch import nn

    for name, module in list(model.named_modules()):
        if type(module).__name__.endswith(("RMSNorm", "GELUActivation")):
            model.set_submodule(name, nn.Identity())
    return model


def _undrawn() -> TorchFunctionMode:
    """While it lasts, weights are not drawn, which takes longer than all the rest."""
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func.__name__ in ("normal_", "uniform_", "erfinv_"):
                return args[0] if args else kwargs["tensor"]
            return func(*args, **kwargs or {})

    return Undrawn()


def _pruned(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> nn.Module:
    """A network whose weights are drawn and pruned."""
    import torch

    import pruning

    torch.manual_seed(0)
    with _undrawn():
        model = build().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randint(1, 64, parameter.shape) / 64
            owner = type(model.get_submodule(name.rpartition(".")[0])).__name__
            if owner == "Conv1D" and parameter.dim() > 1:
                drawn *= torch.rand(parameter.shape) < DENSITY
            parameter.copy_(drawn)
    pruning.apply_masks(model, pruning.prune("erk", model, 1 - DENSITY, input_shape=shape))
    return model
