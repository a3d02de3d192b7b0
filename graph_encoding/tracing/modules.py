"""The modules of a network that runs: which one it is, and that the run leaves all as they were."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from system import text

from .attention import REFUSED
from .network import ONE_BY_ONE, Network

CELLS = (nn.RNNBase, nn.RNNCellBase)
RECURRENT = f"it reads its own outputs again, step by step; {ONE_BY_ONE}"
DETECTION = (
    "a detector's boxes, and the sizes to which it brings images, depend on the data; its backbone "
    "(model.backbone, with its pyramid) has a fixed graph, and " + ONE_BY_ONE
)
ATTENTION = (
    nn.MultiheadAttention,
    nn.Transformer,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
)
"""Modules refused by their name, which says more than the functions that they are made of: these
unless attention is followed."""


@contextlib.contextmanager
def unchanged(
    model: nn.Module, device: torch.device
) -> Iterator[Callable[[Iterable[torch.Tensor]], None]]:
    """Leave the modules and random state as they were, whatever a forward pass does to them.

    Yields
    ------
    callable
        Remembers what weights and constants hold before the network writes to them.
    """
    before = [(module, dict(module.__dict__)) for module in model.modules()]
    held = [
        (value, copy.copy(value))
        for _module, attributes in before
        for value in attributes.values()
        if type(value) in (dict, OrderedDict, list, set)
    ]
    written: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def keep(constants: Iterable[torch.Tensor]) -> None:
        written.extend((tensor, tensor.data, tensor.detach().clone()) for tensor in constants)

    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield keep
    finally:
        for module, attributes in before:
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for value, content in held:
            value.clear()
            value.extend(content) if isinstance(value, list) else value.update(content)
        for tensor, data, content in reversed(written):
            tensor.data = data
            data.copy_(content)


@contextlib.contextmanager
def named(model: nn.Module, network: Network) -> Iterator[None]:
    """Let the network know which module runs, and refuse those that cannot be followed."""
    hooks = []

    def enter(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            network.modules.append((name, type(module).__name__))
            if isinstance(module, CELLS):
                raise network.refusal(f"has no multipartite graph: {RECURRENT}")
            if type(module).__module__.startswith("torchvision.models.detection.transform"):
                raise network.refusal(DETECTION)
            if isinstance(module, ATTENTION) and not network.attends:
                raise network.refusal(REFUSED)

        return hook

    def leave(module: nn.Module, args: Any, out: Any) -> None:
        network.modules.pop()

    for name, module in model.named_modules():
        hooks.append(
            module.register_forward_pre_hook(enter(text.name(name or type(model).__name__)))
        )
        hooks.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def eager() -> contextlib.AbstractContextManager:
    """What ``torch.compile`` was asked to compile runs as it is written."""
    if "torch._dynamo" not in sys.modules:  # nothing was; do not import the compiler
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")
