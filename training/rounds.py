"""Training, pruning, and training again from early weights: once, or in rounds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from . import checkpoints
from .places import early, places


def after(sparsity: float, done: int, rounds: int) -> float:
    """The sparsity after a round: each removes the same fraction of what is left.

    Parameters
    ----------
    sparsity : float
        After the last one.
    done, rounds : int
        How many are done, and how many there are.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(after(0.99, done, 2), 6) for done in (0, 1, 2)]
    [0.0, 0.9, 0.99]
    """
    return sparsity if done == rounds else 1 - (1 - sparsity) ** (done / rounds)


def train_in_rounds(
    train: Callable[..., float],
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    prune: Callable[[float], Mapping[str, torch.Tensor]],
    *,
    sparsity: float,
    rounds: int,
    epochs: int,
    milestones: Sequence[int],
    checkpoint: Path,
    data: str,
    watch: Callable[[dict[str, float]], None],
) -> tuple[dict[str, torch.Tensor], float]:
    """Train a network whole; then, in each round, prune it, rewind what is left, and train that.

    Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020, algorithm
    2: weights are rewound to the end of epoch `early` of the first training, and trained from there
    to the end of the schedule, without momentum at first. The order of the images is that of the
    first epochs.

    Parameters
    ----------
    train : callable
        `loop.train`, with all that does not change from round to round.
    model : torch.nn.Module
        With its first weights; trained in place.
    masks : mapping of str to torch.Tensor
        What it is trained with at first, and no later mask keeps more than that.
    prune : callable
        From a sparsity to masks of the network as it is.
    sparsity : float
        At the end.
    rounds : int
        At least 1.
    epochs, milestones, data, watch
        As of `loop.train`. The epochs of later rounds are counted on.
    checkpoint : Path
        See `places.places`. A training goes on in the round in which it was killed.

    Returns
    -------
    masks : dict of str to torch.Tensor
        The last ones.
    accuracy : float
        After the last epoch.
    """
    start, (saved, *files) = early(epochs), places(checkpoint, rounds)
    purpose = {"data": data, "epoch": start, "torch": str(torch.__version__)}
    if start and checkpoints.load(saved, purpose, ["model"]) is None:
        files[0].unlink(missing_ok=True)  # which may be past the early weights
    first = copy.deepcopy(model.state_dict())

    def seen(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == start:
            checkpoints.save(saved, purpose | {"model": model.state_dict()})
        watch(epoch)

    accuracy = train(
        model,
        dict(masks),
        epochs=epochs,
        milestones=milestones,
        checkpoint=files[0],
        data=data,
        watch=seen,
    )
    rewound = checkpoints.load(saved, purpose, ["model"])["model"] if start else first
    kept, left = dict(masks), [max(0, milestone - start) for milestone in milestones]
    for done, file in enumerate(files[1:], start=1):
        found = prune(after(sparsity, done, rounds))
        kept = {name: kept[name] & mask for name, mask in found.items()}
        model.load_state_dict(rewound)
        before = epochs + (done - 1) * (epochs - start)
        accuracy = train(
            model,
            dict(kept),
            epochs=epochs - start,
            milestones=left,
            checkpoint=file,
            data=data,
            watch=lambda epoch, before=before: watch(epoch | {"epoch": before + epoch["epoch"]}),
        )
    return kept, accuracy
