"""Gradients and Hessian-vector products of the training loss, in bounded memory.

The loss of a batch of n samples is *defined* here as the sum over micro-batches of
``(n_b / n) * cross_entropy(model(images_b) / temperature, labels_b)``, with batch normalisation in
training mode, each micro-batch normalised by its own statistics ("ghost" batch normalisation). The
micro-batches have a fixed size, so that the loss is well defined and does not depend on how much
memory there is; gradients and Hessian-vector products are the exact ones of this loss. Without
batch normalisation it is the plain mean cross-entropy of the batch. A network that draws random
numbers (dropout) draws the same ones for the k-th micro-batch each time: one loss, not another one
for the gradient than for the product with its Hessian.

The arithmetic is that of the parameters; images are cast to it. The pruners here differentiate in
double precision: another processor or number of threads adds in another order, which moves a sum
by about 1e-16 of its largest part, far less than neighbouring scores differ by.

Memory is that of one micro-batch, since each one's graph is freed before the next is built.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.func import functional_call

from pruning.convolutions import FewImages
from pruning.error import PruningError
from pruning.samples import Batch

Tensors = dict[str, torch.Tensor]

_REFUSAL = "the network cannot be run in {} on images of shape {}: {}; take a pruner without images"


def _nothing() -> None:
    """Default for `tick`."""


def micro_batches(batch: Batch, size: int) -> list[Batch]:
    """Cut a batch into consecutive pieces of `size` samples; the last may be smaller."""
    images, labels = batch
    return list(zip(images.split(size), labels.split(size)))


def _parts(
    model: nn.Module, batch: Batch, size: int, temperature: float, in_vain: bool = False
) -> list[Callable[[Tensors], torch.Tensor]]:
    """Return one function a micro-batch, from parameters to that part of the loss."""
    like = next(model.parameters())
    samples = len(batch[1])

    seed, few = torch.initial_seed(), FewImages(in_vain)

    def part(number: int, piece: Batch) -> Callable[[Tensors], torch.Tensor]:
        def loss(parameters: Tensors) -> torch.Tensor:
            images, labels = (tensor.to(like.device) for tensor in piece)
            if images.is_floating_point():
                images = images.to(like.dtype)
            with torch.random.fork_rng(devices=[like.device] if like.is_cuda else []), few:
                torch.manual_seed((seed + number) % 2**63)
                logits = _logits(model, parameters, images, like.dtype) / temperature
            return nn.functional.cross_entropy(logits, labels) * (len(labels) / samples)

        return loss

    return [part(number, piece) for number, piece in enumerate(micro_batches(batch, size))]


def _logits(
    model: nn.Module, parameters: Tensors, images: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    try:
        logits = functional_call(model, parameters, (images,))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # of the network's own code
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise PruningError(_REFUSAL.format(dtype, tuple(images.shape[1:]), why)) from error
    if logits.dtype != dtype:
        why = f"what it gives is {logits.dtype}"
        raise PruningError(_REFUSAL.format(dtype, tuple(images.shape[1:]), why))
    return logits


def gradient(
    model: nn.Module,
    parameters: Mapping[str, torch.Tensor],
    batch: Batch,
    *,
    micro_batch: int,
    temperature: float = 1.0,
    tick: Callable[[], object] = _nothing,
) -> Tensors:
    """Return the gradient of the loss with respect to `parameters`.

    Parameters
    ----------
    model : torch.nn.Module
        A working copy in training mode; its batch-norm running statistics are altered.
    parameters : mapping of str to torch.Tensor
        Values at which to differentiate, by parameter name; parameters not named keep the values
        they have in `model` and are constants.
    batch : (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``.
    micro_batch : int
        Samples a micro-batch.
    temperature : float
        The logits are divided by it.
    tick : callable
        Called after each micro-batch.

    Returns
    -------
    dict of str to torch.Tensor
        Gradients of the names and shapes of `parameters`.
    """
    point = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for part in _parts(model, batch, micro_batch, temperature):
        pieces = torch.autograd.grad(part(point), list(point.values()), materialize_grads=True)
        for accumulated, piece in zip(total.values(), pieces):
            accumulated += piece
        tick()
    return {name: value.detach() for name, value in total.items()}


def hessian_vector_product(
    model: nn.Module,
    parameters: Mapping[str, torch.Tensor],
    vector: Mapping[str, torch.Tensor],
    batch: Batch,
    *,
    micro_batch: int,
    temperature: float = 1.0,
    tick: Callable[[], object] = _nothing,
) -> Tensors:
    """Return the Hessian of the loss times `vector`, both over `parameters`.

    Computed as the derivative of (gradient . vector) with the vector held fixed, reverse mode over
    reverse mode (Pearlmutter, Fast Exact Multiplication by the Hessian, 1994). The Hessian is a
    sum over micro-batches, so its product is too.

    Parameters
    ----------
    model, parameters, batch, micro_batch, temperature, tick
        As for `gradient`.
    vector : mapping of str to torch.Tensor
        Of the names and shapes of `parameters`.

    Returns
    -------
    dict of str to torch.Tensor
        The product, of the names and shapes of `parameters`.
    """
    point = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    names = list(point)
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for part in _parts(model, batch, micro_batch, temperature, in_vain=True):
        first = torch.autograd.grad(
            part(point), list(point.values()), create_graph=True, materialize_grads=True
        )
        inner = sum((g * vector[name].detach()).sum() for name, g in zip(names, first))
        pieces = torch.autograd.grad(inner, list(point.values()), materialize_grads=True)
        for accumulated, piece in zip(total.values(), pieces):
            accumulated += piece
        tick()
    return {name: value.detach() for name, value in total.items()}
