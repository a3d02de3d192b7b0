"""ProsPr: prospect pruning by meta-gradients.

Alizadeh, Tailor, Zintgraf, van Amersfoort, Farquhar, Lane and Gal, Prospect Pruning: Finding
Trainable Weights at Initialization using Meta-Gradients, ICLR 2022, section 3 and algorithm 1.

What is differentiated, with masks m (all one) on the prunable weights w and K = 3 inner steps:

    theta_0     = m * w                     (other trainable parameters: their own values)
    g_t         = gradient of L_t at theta_t
    v_{t+1}     = momentum * v_t + g_t,     v_0 = 0
    theta_{t+1} = theta_t - lr * v_{t+1},   t = 0 .. K - 1
    score       = abs(d L_K(theta_K) / d m)

The masks act on the initial weights only, as in the paper. L_t is the loss of the t-th batch of
512 (`pruning.gradients`), with batch normalisation in training mode over micro-batches of 128, the
batch size of the training that follows. Trainable are the prunable weights and all parameters that
require gradients; frozen biases take no step.

The derivative is complete (second order, through momentum too, where the authors' code leaves out
what passes through v_1: `pruning.as_released.prospr`) and exact, yet needs no graph
through the steps: it is their adjoint recursion, run backwards from the stored theta_t,

    a_K = gradient of L_K at theta_K,       b_K = 0
    u_t = b_{t+1} - lr * a_{t+1}            (d L_K / d v_{t+1}, via v_{t+2} and via theta_{t+1})
    a_t = a_{t+1} + H_t u_t                 (d L_K / d theta_t)
    b_t = momentum * u_t                    (the part of d L_K / d v_t that comes via v_{t+1})
    d L_K / d m = a_0 * w

where H_t is the Hessian of L_t at theta_t, met only in products that are summed over micro-batches.
Memory is that of one micro-batch.

The arithmetic is float64. Three steps at this learning rate magnify rounding: in float32, one and
two threads, which add in another order, chose 4 % of the kept weights of Resnet-20 at sparsity 0.98
differently. In float64 what they magnify is a billion times smaller.
"""

from collections.abc import Sequence

import torch
from torch import nn

from pruning.gradients import gradient, hessian_vector_product, micro_batches
from pruning.masks import Masks, keep_best, kept_count
from pruning.samples import Batch, take_batches
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy

INNER_STEPS = 3
BATCH_SIZE = 512
LEARNING_RATE = 0.5
MOMENTUM = 0.9
MICRO_BATCH = 128


def meta_gradient(
    model: nn.Module,
    batches: Sequence[Batch],
    settings: Settings | None = None,
    *,
    lr: float = LEARNING_RATE,
    momentum: float = MOMENTUM,
    micro_batch: int = MICRO_BATCH,
    detach_first: bool = False,
) -> dict[str, torch.Tensor]:
    """Return the derivative of the final loss with respect to masks on the initial weights.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    batches : sequence of (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``: one batch for each inner step, then that of the
        final loss.
    settings : Settings or None
        `device` and `progress` are used; None computes on the model's device, without progress.
    lr, momentum : float
        Of the inner SGD steps.
    micro_batch : int
        Samples a micro-batch.
    detach_first : bool
        Whether v_1 counts as a constant, so that no derivative passes through the first step
        (`pruning.as_released.prospr`).

    Returns
    -------
    dict of str to torch.Tensor
        Signed derivatives by parameter name of the prunable weights, float64, of their shapes.
    """
    settings = settings or Settings(device=device_of(model))
    twin = working_copy(model, settings.device).double().train()
    weights = prunable_weights(twin)
    theta = {
        name: parameter.detach().clone()
        for name, parameter in twin.named_parameters()
        if parameter.requires_grad or name in weights
    }
    *inner, last = batches
    pieces = [len(micro_batches(batch, micro_batch)) for batch in batches]
    first = int(detach_first)
    done, total, text = 0, sum(pieces) + sum(pieces[first:-1]), ""

    def tick() -> None:
        nonlocal done
        done += 1
        settings.report(done, total, f"prospr: {text}")

    options = {"micro_batch": micro_batch, "tick": tick}
    velocity = {name: torch.zeros_like(value) for name, value in theta.items()}
    visited = []
    for step, batch in enumerate(inner):
        text = f"inner step {step + 1} of {len(inner)}"
        visited.append(theta)
        g = gradient(twin, theta, batch, **options)
        velocity = {name: momentum * velocity[name] + g[name] for name in theta}
        theta = {name: theta[name] - lr * velocity[name] for name in theta}
    text = "final loss"
    a = gradient(twin, theta, last, **options)
    b = {name: torch.zeros_like(value) for name, value in a.items()}
    for step in reversed(range(first, len(inner))):
        text = f"meta-gradient through step {step + 1} of {len(inner)}"
        u = {name: b[name] - lr * a[name] for name in a}
        hu = hessian_vector_product(twin, visited[step], u, inner[step], **options)
        a = {name: a[name] + hu[name] for name in a}
        b = {name: momentum * u[name] for name in u}
    return {name: a[name] * weight.detach() for name, weight in weights.items()}


def worth_keeping(model: nn.Module, settings: Settings) -> dict[str, torch.Tensor]:
    """Return the moduli by the first batches of the loader, computed once for all sparsities."""

    def compute() -> dict[str, torch.Tensor]:
        batches = take_batches(settings.loader, BATCH_SIZE, INNER_STEPS + 1, "prospr")
        derivatives = meta_gradient(model, batches, settings)
        return {name: derivative.abs() for name, derivative in derivatives.items()}

    return settings.scores(__name__, compute)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep the weights of largest meta-gradient modulus: 3 inner steps, batches of 512.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        `loader` (4 * 512 samples; it is iterated again when exhausted), `device` and `progress` are
        used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        If the loader has fewer than 512 samples, all scores are zero, or the inner steps diverge to
        non-finite numbers.
    """
    found = worth_keeping(model, settings)
    return keep_best(found, lambda total: kept_count(total, sparsity), "prospr")
