"""Training a pruned network so that what was removed stays removed, and measuring its accuracy."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from models.schedules import Schedule, paper_schedule

__all__ = ["Schedule", "evaluate", "paper_schedule", "train"]


def train(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    train_loader: Iterable,
    test_loader: Iterable,
    *,
    epochs: int,
    lr: float,
    milestones: Sequence[int],
    weight_decay: float,
    momentum: float = 0.9,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> float:
    """Train a network in place with SGD on cross-entropy, with its masks held fixed.

    Masked weights and their momentum are exactly zero from the start and after every step. Batch
    normalisation is trained too; frozen biases are not. Nothing here draws random numbers: the
    order and the augmentation of the images are the loader's, so that the same loader, model and
    settings give the same weights.

    Parameters
    ----------
    model : torch.nn.Module
        The network. It is moved to `device` and stays there.
    masks : mapping of str to torch.Tensor
        Bool tensors by parameter name, True where a weight is kept. Parameters not named are
        trained whole.
    train_loader : sized iterable
        Yields ``(images, labels)`` batches, already augmented (see `datasets.batches`). If it has
        ``set_epoch``, that is called with the number of the epoch, from 0, before each pass.
    test_loader : iterable
        Yields ``(images, labels)`` batches of the test images.
    epochs : int
        Passes over the training data; 0 only measures the accuracy.
    lr : float
        Learning rate at the start.
    milestones : sequence of int
        After that many epochs the learning rate is divided by ten.
    weight_decay, momentum : float
        As in `torch.optim.SGD`.
    device : str or torch.device
        Where to train.
    progress : bool
        Whether to show a progress bar with the remaining time, the loss, the accuracy on the
        training images so far in the epoch, and the last test accuracy.

    Returns
    -------
    float
        Accuracy on the test images after the last epoch, between 0 and 1.

    Raises
    ------
    ValueError
        If a mask fits no parameter, `epochs` is negative, or a loader is empty.
    """
    if epochs < 0:
        raise ValueError(f"epochs must not be negative, got {epochs}")
    model.to(device)
    removed = _removed(model, masks, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=lr, momentum=momentum, weight_decay=weight_decay)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(milestones), gamma=0.1)
    _zero_removed(removed, optimizer)
    accuracy = None
    # The bar is closed on any way out, so that an error message starts on a line of its own.
    with tqdm(
        total=epochs * len(train_loader), desc="training", unit="step", disable=not progress
    ) as bar:
        for epoch in range(epochs):
            if hasattr(train_loader, "set_epoch"):
                train_loader.set_epoch(epoch)
            bar.set_description(f"epoch {epoch + 1}/{epochs}")
            shown = _train_epoch(model, removed, optimizer, train_loader, device, bar, accuracy)
            scheduler.step()
            accuracy = evaluate(model, test_loader, device)
            _show(bar, *shown, accuracy)
    return evaluate(model, test_loader, device) if accuracy is None else accuracy


def _train_epoch(
    model: nn.Module,
    removed: list[tuple[nn.Parameter, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    loader: Iterable,
    device: str | torch.device,
    bar: tqdm,
    test_accuracy: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one pass over the training data and return its mean loss and accuracy.

    `test_accuracy`, that of the epoch before, is only shown.
    """
    model.train()
    seen, correct, loss_sum = 0, 0, 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        _zero_removed(removed, optimizer)
        seen += len(labels)
        # Kept on the device: reading them would make a GPU wait, so the bar does it when it draws.
        correct = correct + (logits.detach().argmax(1) == labels).sum()
        loss_sum = loss_sum + loss.detach() * len(labels)
        if bar.update():
            _show(bar, loss_sum / seen, correct / seen, test_accuracy)
    if not seen:
        raise ValueError("the training loader is empty")
    return loss_sum / seen, correct / seen


def _show(bar: tqdm, loss: torch.Tensor, accuracy: torch.Tensor, test: float | None) -> None:
    if bar.disable:
        return
    shown = {"loss": f"{float(loss):.3f}", "accuracy": f"{float(accuracy):.1%}"}
    if test is not None:
        shown["test"] = f"{test:.1%}"
    bar.set_postfix(shown)


def _removed(
    model: nn.Module, masks: Mapping[str, torch.Tensor], device: str | torch.device
) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Pair each masked parameter with a bool tensor that is True where it must be zero."""
    parameters = dict(model.named_parameters())
    removed = []
    for name, mask in masks.items():
        if name not in parameters:
            raise ValueError(f"mask {name!r} names no parameter of the model")
        if mask.shape != parameters[name].shape:
            raise ValueError(
                f"mask {name!r} has shape {tuple(mask.shape)}, "
                f"the parameter {tuple(parameters[name].shape)}"
            )
        removed.append((parameters[name], ~mask.to(device=device, dtype=torch.bool)))
    return removed


@torch.no_grad()
def _zero_removed(
    removed: list[tuple[nn.Parameter, torch.Tensor]], optimizer: torch.optim.Optimizer
) -> None:
    """Zero what was removed, and its momentum; filled, not multiplied: nan * 0 is not 0."""
    for parameter, gone in removed:
        parameter.masked_fill_(gone, 0.0)
        velocity = optimizer.state.get(parameter, {}).get("momentum_buffer")
        if velocity is not None:
            velocity.masked_fill_(gone, 0.0)


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable, device: str | torch.device | None = None) -> float:
    """Return the fraction of images that a network classifies correctly.

    Parameters
    ----------
    model : torch.nn.Module
        The network; run in evaluation mode, then put back in the mode it was in.
    loader : iterable
        Yields ``(images, labels)`` batches.
    device : str, torch.device or None
        Where to compute; the network is moved there. None is where the network is.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the loader is empty.
    """
    if device is None:
        device = next(model.parameters()).device
    model.to(device)
    was_training = model.training
    model.eval()
    seen, correct = 0, 0
    try:
        for images, labels in loader:
            predicted = model(images.to(device)).argmax(1)
            correct = correct + (predicted == labels.to(device)).sum()
            seen += len(labels)
    finally:
        model.train(was_training)
    if not seen:
        raise ValueError("the loader is empty")
    return int(correct) / seen
