"""What arrives at layers that nothing reads, by torch's own forward pass and by the graph.

Queries and keys only decide shares, so nothing of theirs arrives at an output: the flow from inputs
to outputs (`flow`) is the same without them. Here each such layer's own outputs are compared.
"""

from __future__ import annotations

import numpy as np
import torch
from flow import LinearFlow, graph_along
from torch import nn

from graph_encoding import Graph


def unread_differences(
    model: nn.Module, graph: Graph, input_shape: tuple[int, ...]
) -> dict[str, float]:
    """Largest relative difference, in order of size, for each module that has nodes which nothing
    reads; inf where numbers of nodes that are reached differ.

    Modules that end in one sum with others share their nodes and are left out.
    """
    pushed = np.random.default_rng(0).random(input_shape)
    along = graph_along(graph, [pushed])
    unread = (graph.out_degree == 0) & ~graph.is_output
    modules = dict(model.named_modules())
    names = {layer.name for layer in graph.layers if unread[layer.offset : layer.stop].any()}
    names -= {b.target.name for b in graph.blocks if b.name != b.target.name}
    found: dict[str, list[np.ndarray]] = {name: [] for name in names if name in modules}
    hooks = [
        modules[name].register_forward_hook(
            lambda _module, _given, out, of=of: of.append(out.detach().numpy().ravel())
        )
        for name, of in found.items()
    ]
    model.eval().requires_grad_(False)
    with LinearFlow():
        model(torch.from_numpy(pushed)[None].requires_grad_())
    for hook in hooks:
        hook.remove()
    arrived = {
        name: [along[a.offset : a.stop] for a in graph.layers if a.name == name] for name in found
    }
    return {name: _difference(arrived[name], found[name]) for name in found}


def _difference(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    one, other = (np.sort(np.concatenate(each)) for each in (found, expected))
    one, other = one[one > 0], other[other > 0]
    if len(one) != len(other):
        return np.inf
    return float((np.abs(one - other) / other).max(initial=0))
