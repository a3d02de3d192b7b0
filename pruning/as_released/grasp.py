"""GraSP as the paper's released code has it: other weights, other halves.

Where `pruning.grasp` scores the network's own weights, the released code draws new ones (Kaiming
normal again) and scores these: its masks are those of another network of the same kind. It sorts
the 25 images of each class by class and splits them in two halves, each normalised as one batch, so
that each half sees half of the classes: 125 images a half for 10 classes, 1,250 for 100 and 2,500
for 200, where `pruning.grasp` takes 125 of all classes at a time. The loss is the sum of the mean
losses of both halves. It keeps the weight at the threshold, too.
"""

import torch
from torch import nn

from models.initialisation import kaiming_normal
from pruning.gradients import gradient, hessian_vector_product
from pruning.grasp import SAMPLES_PER_CLASS, TEMPERATURE, number_of_classes
from pruning.masks import Masks, keep_best
from pruning.samples import Batch, take_per_class
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy


def halves(batch: Batch) -> list[Batch]:
    """Sort a batch by class, each class in its order, and cut it in two."""
    images, labels = batch
    order = torch.argsort(labels, stable=True)
    middle = len(order) // 2
    return [(images[part], labels[part]) for part in (order[:middle], order[middle:])]


def drawn_again(model: nn.Module, settings: Settings) -> nn.Module:
    """Return a copy of `model` with other prunable weights of Kaiming's normal distribution.

    They are drawn from streams of their own, which are not those of `models.initialisation`.

    Parameters
    ----------
    model : torch.nn.Module
        Not altered.
    settings : Settings
        `seed` and `device` are used.
    """
    twin = working_copy(model, torch.device("cpu"))
    with torch.no_grad():
        for name, weight in prunable_weights(twin).items():
            weight.copy_(kaiming_normal(settings.stream("drawn again", name), weight.shape))
    return twin.to(settings.device)


def scores(
    model: nn.Module, batches: list[Batch], settings: Settings | None = None
) -> dict[str, torch.Tensor]:
    """Return ``-weight * (H g)`` of the sum of the mean losses of some batches.

    Parameters
    ----------
    model : torch.nn.Module
        The network whose weights are scored; not altered.
    batches : list of (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``; each is normalised as a whole.
    settings : Settings or None
        `device` and `progress` are used; None computes on the model's device, without progress.

    Returns
    -------
    dict of str to torch.Tensor
        Signed scores by parameter name, float64, of the weights' shapes.
    """
    settings = settings or Settings(device=device_of(model))
    twin = working_copy(model, settings.device).double().train()
    weights = prunable_weights(twin)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        text = "gradient" if done <= len(batches) else "Hessian-gradient product"
        settings.report(done, 2 * len(batches), f"grasp: {text}")

    def summed(parts: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        return {name: sum(part[name] for part in parts) for name in weights}

    options = [
        {"batch": batch, "micro_batch": len(batch[1]), "temperature": TEMPERATURE, "tick": tick}
        for batch in batches
    ]
    g = summed([gradient(twin, weights, **each) for each in options])
    hg = summed([hessian_vector_product(twin, weights, g, **each) for each in options])
    return {name: -weights[name].detach() * hg[name] for name in weights}


def worth_keeping(model: nn.Module, settings: Settings) -> dict[str, torch.Tensor]:
    """Return the negative scores of weights drawn anew, computed once for all sparsities."""

    def compute() -> dict[str, torch.Tensor]:
        classes = number_of_classes(model, settings)
        batch = take_per_class(settings.loader, SAMPLES_PER_CLASS, classes, "grasp")
        removal = scores(drawn_again(model, settings), halves(batch), settings)
        return {name: -score for name, score in removal.items()}

    return settings.scores(__name__, compute)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Remove the weights of highest score but one, as scored on weights drawn anew.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        As for `pruning.grasp.prune`; `seed` draws the weights.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        As `pruning.grasp.prune`.
    """

    def kept(total: int) -> int:
        gone = int(total * sparsity)  # the last of these stays: its score is the threshold
        return total - max(gone - 1, 0)

    return keep_best(worth_keeping(model, settings), kept, "grasp")
