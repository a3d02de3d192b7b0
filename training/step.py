"""One step of training: gradients, in the fewest launches, and the bits of what stays zero."""

from __future__ import annotations

import collections
import gc
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from .error import TrainingError

Compute = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

WARM_UP = 3
"""Steps that are taken as they come before one is recorded: libraries set themselves up in them."""

INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def computing(
    network: Callable[[torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> Compute:
    """Return a function that computes the gradients of the mean cross-entropy of a batch.

    Parameters
    ----------
    network : callable
        From images to logits.
    optimizer : torch.optim.Optimizer
        Its parameters are given their gradients, times the factor of `scaler`.
    scaler : torch.amp.GradScaler
        If it is enabled the forward pass is in mixed precision.

    Returns
    -------
    callable
        From images and labels, on one device, to the loss and the number of images that are
        classified correctly: scalar tensors on that device.
    """

    def compute(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(images.device.type, torch.float16, enabled=scaler.is_enabled()):
            logits = network(images)
            loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    return compute


def compiled(model: nn.Module, loader: Iterable) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a network that `torch.compile` compiles when it first sees images.

    Parameters
    ----------
    model : torch.nn.Module
    loader : iterable
        Of the training images. Only batches of the size of its first one are computed in compiled
        code: another one for the last batch of an epoch would take longer than it saves.

    Returns
    -------
    callable
        From images to logits. It raises `TrainingError` where the network cannot be compiled.
    """
    fast = torch.compile(model, dynamic=False)
    size = None

    def forward(images: torch.Tensor) -> torch.Tensor:
        nonlocal size
        size = size or len(images)
        if len(images) != size:
            return model(images)
        try:
            return fast(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            line = str(error).strip().partition("\n")[0]
            raise TrainingError(
                f"the network cannot be compiled here ({line}): leave out --compile"
            ) from error

    return forward


def replayed(compute: Compute, parameters: Sequence[nn.Parameter]) -> Compute:
    """Return a function that computes the same from recorded CUDA graphs, one for each shape.

    A step of a small network is hundreds of kernels, and a GPU waits for Python to launch each. A
    graph is launched as a whole: the same kernels on the same numbers. See Ng et al., "Accelerating
    PyTorch with CUDA Graphs", 2021.

    Parameters
    ----------
    compute : callable
        `computing`; to be called in a stream that is not the default one.
    parameters : sequence of torch.nn.Parameter
        What it computes gradients of.

    Returns
    -------
    callable
        As `compute`. Gradients, loss and count are overwritten by the next call.
    """
    calls: collections.Counter[torch.Size] = collections.Counter()
    graphs: dict[torch.Size, Compute] = {}

    def run(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = images.shape
        if shape not in graphs:
            calls[shape] += 1
            if calls[shape] <= WARM_UP:
                return compute(images, labels)
            graphs[shape] = _recorded(compute, parameters, images, labels)
        return graphs[shape](images, labels)

    return run


def _recorded(
    compute: Compute,
    parameters: Sequence[nn.Parameter],
    images: torch.Tensor,
    labels: torch.Tensor,
) -> Compute:
    gc.collect()  # what Python would throw away meanwhile might be a recorded graph
    graph, given = torch.cuda.CUDAGraph(), (images.clone(), labels.clone())
    for parameter in parameters:
        parameter.grad = None  # so that the recorded gradients are set and not added to
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        found = compute(*given)
    gradients = [parameter.grad for parameter in parameters]

    def replay(*batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for there, new in zip(given, batch, strict=True):
            there.copy_(new)
        graph.replay()
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient  # a step of another shape has its own
        return found

    return replay


def stepping(
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    zeroed: tuple[list[torch.Tensor], list[torch.Tensor]],
) -> Callable[[], None]:
    """Return a function that takes a step with the gradients that have been computed.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    scaler : torch.amp.GradScaler
    zeroed : values, kept
        From `bits`: what is zero after each step.

    Returns
    -------
    callable
        Of no arguments.
    """

    def advance() -> None:
        scaler.step(optimizer)
        scaler.update()
        zero_removed(*zeroed)

    return advance


def zero_removed(values: list[torch.Tensor], kept: list[torch.Tensor]) -> None:
    """Zero what was removed, and its momentum: the two lists of `bits`."""
    if values:
        torch._foreach_mul_(values, kept)


def bits(
    removed: Iterable[tuple[nn.Parameter, torch.Tensor]], optimizer: torch.optim.Optimizer
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return what has to stay zero as integers, and factors that make it so.

    Multiplied as integers, all tensors in one call: nan * 0 is not 0, but its bits times 0 are.

    Parameters
    ----------
    removed : iterable of (torch.nn.Parameter, torch.Tensor)
        From `pruning.removed`.
    optimizer : torch.optim.Optimizer
        Whose momentum is zero where a weight is removed.

    Returns
    -------
    values, kept : list of torch.Tensor
        The memory of each weight and its momentum, and ones and zeros of the same type.
    """
    values, kept = [], []
    for parameter, gone in removed:
        velocity = optimizer.state.get(parameter, {}).get("momentum_buffer")
        for tensor in (parameter.detach(), velocity):
            if tensor is not None:
                whole = tensor.view(INTEGERS[tensor.element_size()])
                values.append(whole)
                kept.append(torch.empty_like(whole).copy_(~gone))
    return values, kept
