"""Training a pruned network so that what was removed stays removed, and measuring its accuracy."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

import pruning
from system.bars import tqdm
from system.compute import repeatable
from system.text import one_line

from . import checkpoints
from .changing import Changing
from .error import TrainingError
from .step import bits, compiled, computing, replayed, stepping, zero_removed

REDRAWN_SECONDS = 0.5
"""Between two looks at the loss for the bar, for each of which a GPU has to catch up."""


def train(
    model: nn.Module,
    masks: MutableMapping[str, torch.Tensor],
    train_loader: Iterable,
    test_loader: Iterable,
    *,
    epochs: int,
    until: int | None = None,
    lr: float,
    milestones: Sequence[int],
    weight_decay: float,
    momentum: float = 0.9,
    seed: int = 0,
    device: str | torch.device = "cpu",
    mixed: bool | None = None,
    graphed: bool = False,
    compile: bool = False,
    change: pruning.Change | None = None,
    checkpoint: str | Path | None = None,
    data: str = "",
    classes: int = 1,
    watch: Callable[[dict[str, float]], None] | None = None,
    progress: bool = True,
) -> float:
    """Train a network in place with SGD on cross-entropy, with its masks held fixed or changing.

    Masked weights and their momentum are exactly zero from the start and after every step. Batch
    normalisation is trained too; frozen biases are not. The order and the augmentation of the
    images are the loader's; what the network itself draws (dropout) depends on `seed` and epoch. So
    the same loader, model and settings give the same weights, also when a training goes on from its
    checkpoint. Global random state is not touched. Convolutions run channels-last.

    Parameters
    ----------
    model : torch.nn.Module
        The network. It is moved to `device` and stays there.
    masks : mapping of str to torch.Tensor
        Bool tensors by parameter name, True where a weight is kept. Parameters not named are
        trained whole. If masks change, those at the end are put in the place of these.
    train_loader : sized iterable
        Yields ``(images, labels)`` batches, already augmented (see `datasets.batches`). If it has
        ``set_epoch``, that is called with the number of the epoch, from 0, before each pass.
    test_loader : iterable
        Yields ``(images, labels)`` batches of the test images; ``set_epoch`` as above.
    epochs : int
        Passes over the training data; 0 only measures the accuracy.
    until : int, optional
        After how many of these epochs to stop, such as to look at the network: 0 only measures the
        accuracy. The same call with a later `until`, on the network and the masks as they were
        before the first one, goes on from `checkpoint`, and gives the same weights to the bit as
        a training that never stopped. By default `epochs`.
    lr : float
        Learning rate at the start.
    milestones : sequence of int
        After that many epochs the learning rate is divided by ten.
    weight_decay, momentum : float
        As in `torch.optim.SGD`.
    seed : int
        Of what the network draws while it is trained.
    device : str or torch.device
        Where to train. On CUDA the algorithms are deterministic ones.
    mixed : bool, optional
        Whether to compute in mixed precision: float16 where `torch.autocast` sees fit, with scaled
        gradients (Micikevicius et al., ICLR 2018). By default on CUDA only. The accuracy is
        always measured in float32.
    graphed : bool
        Whether steps on CUDA are recorded and replayed (`step.replayed`), which changes nothing
        but the time. The network must do the same, whatever the images.
    compile : bool
        Whether the network is compiled for training (`torch.compile`): faster after a minute, and
        rounded otherwise.
    change : pruning.Change, optional
        What changes the masks (`training.changing`); by default nothing does.
    checkpoint : str or Path, optional
        A file that is replaced after every epoch. A training that finds the checkpoint of the same
        network, masks, settings and `data` goes on from it; any other one is ignored, and one
        that is past `until`.
    data : str
        What tells the loaders' images, batches and order from all others.
    classes : int
        How many outputs the network must have at least: labels are smaller.
    watch : callable, optional
        Is given, after each epoch that was not in the checkpoint, the dictionary of ``epoch`` (from
        1), ``loss`` and ``train_accuracy`` (means over the epoch) and ``test_accuracy``; if masks
        change, also what `changing.Changing.note` returns.
    progress : bool
        Whether to show a progress bar with the remaining time, the loss, the accuracy on the
        training images so far in the epoch, and the last test accuracy.

    Returns
    -------
    float
        Accuracy on the test images after the last epoch that was asked for, between 0 and 1.

    Raises
    ------
    ValueError
        If a mask fits no parameter, `epochs` is negative, `until` is not one of them, or a loader
        is empty.
    TrainingError
        If the network does not fit the images or has too few outputs, if the training is too short
        for its masks to change, or if the loss or a weight is
        not finite at the end of an epoch; that epoch is not watched and not in the checkpoint.
    """
    if epochs < 0:
        raise ValueError(f"epochs must not be negative, got {epochs}")
    until = epochs if until is None else until
    if not 0 <= until <= epochs:
        raise ValueError(f"until must be from 0 to {epochs}, got {until}")
    device = torch.device(device)
    mixed = device.type == "cuda" if mixed is None else mixed
    model.to(device, memory_format=torch.channels_last)
    removed = pruning.removed(model, masks)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # Fused: the one that does not wait to learn whether the scaled gradients are finite.
    fused = True if device.type == "cuda" else None
    optimizer = torch.optim.SGD(
        trained, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=fused
    )
    for parameter in trained:  # a first step that is skipped would leave the fused one without
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(milestones), gamma=0.1)
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    zero_removed(*bits(removed, optimizer))
    steps = len(train_loader)
    changing = None
    if change:
        changing = Changing(change, model, masks, optimizer, scaler, epochs * steps, steps, seed)

    settings = [epochs, lr, list(milestones), weight_decay, momentum, seed, mixed, data]
    settings += [change.name, str(change.schedule)] if change else []
    purpose = {
        "settings": settings + ["compiled"] * compile + ["fused"] * bool(fused),
        "start": _digest({**model.state_dict(), **{f"{k} mask": m for k, m in masks.items()}}),
        "torch": str(torch.__version__),
    }
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
    parts |= {"changing": changing} if changing else {}
    names = {*parts, "epoch", "accuracy"}
    known = checkpoints.load(checkpoint, purpose, names) if checkpoint else None
    done, accuracy = 0, None
    if known and type(known["epoch"]) is int and until < known["epoch"] <= epochs:
        known = None
    if known:
        done, accuracy = known["epoch"], known["accuracy"]
        try:
            for name, part in parts.items():
                part.load_state_dict(known[name])
        except Exception as error:  # torch raises almost anything of what is not its own
            raise TrainingError(
                f"{checkpoint}: is not of this training ({one_line(error, 100)}): remove it"
            ) from None
        if type(done) is not int or not 0 <= done <= until:
            raise TrainingError(f"{checkpoint}: its epoch is none of this training: remove it")

    if changing:
        advance = changing.begin()
    else:
        advance = stepping(optimizer, scaler, bits(removed, optimizer))
    forward = compiled(model, train_loader) if compile else model
    compute = computing(forward, optimizer, scaler)
    if graphed and device.type == "cuda":
        compute = replayed(compute, trained)
    # The bar is closed on any way out, so that an error message starts on a line of its own.
    with (
        _deterministic(device),
        tqdm(
            total=epochs * steps,
            initial=done * steps,
            desc="training",
            unit="step",
            disable=not progress,
            mininterval=REDRAWN_SECONDS,
        ) as bar,
    ):
        _require_outputs(model, test_loader, device, classes)
        for epoch in range(done, until):
            for loader in (train_loader, test_loader):
                if hasattr(loader, "set_epoch"):
                    loader.set_epoch(epoch)
            torch.manual_seed(_seed(seed, epoch))
            bar.set_description(f"epoch {epoch + 1}/{epochs}")
            model.train()
            loss, train_accuracy = _train_epoch(
                compute, advance, train_loader, device, bar, accuracy
            )
            _require_finite(epoch, loss, trained, mixed)
            scheduler.step()
            accuracy = evaluate(model, test_loader, device)
            _show(bar, loss, train_accuracy, accuracy)
            noted = changing.note() if changing else {}
            if watch:
                watch(
                    {
                        "epoch": epoch + 1,
                        "loss": float(loss),
                        "train_accuracy": float(train_accuracy),
                        "test_accuracy": accuracy,
                        **noted,
                    }
                )
            if checkpoint:
                state = {name: part.state_dict() for name, part in parts.items()}
                checkpoints.save(
                    checkpoint, purpose | state | {"epoch": epoch + 1, "accuracy": accuracy}
                )
    model.to(memory_format=torch.contiguous_format)
    if changing:
        masks.update(changing.finish())
    return evaluate(model, test_loader, device) if accuracy is None else accuracy


@torch.no_grad()
def _require_outputs(
    model: nn.Module, loader: Iterable, device: torch.device, classes: int
) -> None:
    """Let the network answer once, in evaluation mode, before it is trained."""
    images = next((images for images, _ in loader), None)
    if images is None:
        raise ValueError("the test loader is empty")
    was_training = model.training
    model.eval()
    try:
        logits = model(_channels_last(images[:1], device))
    except Exception as error:  # the network may be the user's own
        shape = " x ".join(map(str, images.shape[1:]))
        raise TrainingError(
            f"the network cannot be trained on images of {shape}, {images.dtype}: {error}"
        ) from error
    finally:
        model.train(was_training)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        raise TrainingError("the network cannot be trained: it must give a row of numbers an image")
    if logits.shape[1] < classes:
        raise TrainingError(
            f"the network has {logits.shape[1]} outputs, too few for the {classes} classes of the "
            "images: give it as many, or take another data set"
        )


def _require_finite(
    epoch: int, loss: torch.Tensor, weights: Iterable[torch.Tensor], mixed: bool
) -> None:
    """Stop a training that has diverged."""
    finite = [tensor.isfinite().all() for tensor in (loss, *weights)]
    if not torch.stack(finite).all():
        remedy = ", or --single-precision: float16 ends at 65,504" if mixed else ""
        raise TrainingError(
            f"training diverged in epoch {epoch + 1} (loss {float(loss):.3g}): "
            f"give a smaller --lr{remedy}"
        )


def _train_epoch(
    compute: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    advance: Callable[[], None],
    loader: Iterable,
    device: torch.device,
    bar: tqdm,
    test_accuracy: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one pass over the training data and return its mean loss and accuracy.

    `compute` is `step.computing`, `advance` is `step.stepping`; `test_accuracy`, that of the epoch
    before, is only shown.
    """
    seen, correct, loss_sum = 0, 0, 0.0
    for images, labels in loader:
        loss, right = compute(_channels_last(images, device), labels.to(device))
        advance()
        seen += len(labels)
        # Kept on the device: reading them would make a GPU wait, so the bar does it when it draws.
        correct = correct + right
        loss_sum = loss_sum + loss * len(labels)
        if bar.update():
            _show(bar, loss_sum / seen, correct / seen, test_accuracy)
    if not seen:
        raise ValueError("the training loader is empty")
    return loss_sum / seen, correct / seen


def _channels_last(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Images on the device, in the layout in which convolutions are fastest."""
    layout = torch.channels_last if images.ndim == 4 else torch.preserve_format
    return images.to(device, non_blocking=True, memory_format=layout)


def _seed(seed: int, epoch: int) -> int:
    """A seed of its own for each seed and epoch."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]) >> 1


@contextlib.contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Random draws of our own, put back afterwards; on CUDA, algorithms that can be repeated.

    There the work is in a stream of its own, since the default one cannot be recorded.
    """
    if device.type != "cuda":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    before, own = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    own.wait_stream(before)
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices), repeatable(device), torch.cuda.stream(own):
        yield
    before.wait_stream(own)


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """A fingerprint of tensors, the same wherever they are."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        # As bytes: NumPy does not have all of torch's types. Flat: a scalar has no other view.
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _show(bar: tqdm, loss: torch.Tensor, accuracy: torch.Tensor, test: float | None) -> None:
    if bar.disable:
        return
    shown = {"loss": f"{float(loss):.3f}", "accuracy": f"{float(accuracy):.1%}"}
    if test is not None:
        shown["test"] = f"{test:.1%}"
    bar.set_postfix(shown)


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable, device: str | torch.device | None = None) -> float:
    """Return the fraction of images that a network classifies correctly.

    Parameters
    ----------
    model : torch.nn.Module
        The network; run in evaluation mode, then put back in the mode it was in. On CUDA in true
        float32, without TF32.
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
    device = next(model.parameters()).device if device is None else torch.device(device)
    model.to(device)
    was_training = model.training
    model.eval()
    seen, correct = 0, 0
    try:
        with repeatable(device):
            for images, labels in loader:
                predicted = model(_channels_last(images, device)).argmax(1)
                correct = correct + (predicted == labels.to(device)).sum()
                seen += len(labels)
    finally:
        model.train(was_training)
    if not seen:
        raise ValueError("the loader is empty")
    return int(correct) / seen
