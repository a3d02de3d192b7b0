"""Masks: boolean tensors by parameter name, True where a weight is kept.

Everything here is exact and deterministic: a mask keeps precisely the number of weights asked for,
and among equal scores the weight that comes first (layers in the order of the dictionary, then
row-major within a layer) is kept first. Scores in double precision are equal within `TIE`: two that
are the same number in exact arithmetic (of the only weight into a unit and the only one out of it,
by SynFlow) may differ in their last digits, by which the processor would choose.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from pruning.error import PruningError
from pruning.weights import prunable_weights

Masks = dict[str, torch.Tensor]

TIE = 1e-12
"""Relative to the lowest score that is kept."""


def kept_count(total: int, sparsity: float) -> int:
    """Return how many of `total` weights remain at `sparsity`: ``round((1 - sparsity) * total)``.

    The achieved sparsity therefore differs from the request by at most ``0.5 / total``.

    Parameters
    ----------
    total : int
        Number of prunable weights.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.

    Returns
    -------
    int
        Number of weights to keep, between 0 and `total`.
    """
    return round((1.0 - sparsity) * total)


def keep_highest(scores: Mapping[str, torch.Tensor], keep: int) -> Masks:
    """Keep the `keep` weights of highest score over all layers together.

    Parameters
    ----------
    scores : mapping of str to torch.Tensor
        One finite score a weight, by parameter name, any real dtype.
    keep : int
        Number of weights to keep, ``0 <= keep <= total``.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks in the order and shapes of `scores`, with exactly `keep` entries True.

    Raises
    ------
    ValueError
        If `keep` is out of range or a score is not finite.
    """
    flat = torch.cat([s.detach().reshape(-1).cpu() for s in scores.values()])
    if not 0 <= keep <= flat.numel():
        raise PruningError(f"cannot keep {keep} of {flat.numel()} weights")
    lowest, highest = torch.aminmax(flat) if flat.numel() else (0, 0)
    if not math.isfinite(lowest) or not math.isfinite(highest):
        bad = [name for name, s in scores.items() if not bool(torch.isfinite(s).all())]
        raise PruningError(
            f"pruning scores are not finite in {len(bad)} of {len(scores)} layers (first: {bad[0]})"
        )
    kept = torch.zeros(flat.numel(), dtype=torch.bool)
    if keep > 0:
        # The lowest score that is kept; ties at this score are settled by position.
        # Of iterative pruners most weights are removed already, and have the lowest score of all.
        above = flat[flat > lowest]
        ranked = above if keep <= above.numel() else flat
        threshold = _in_order(ranked, ranked.numel() - keep)
        margin = abs(threshold) * TIE if flat.dtype == torch.float64 else 0
        kept = flat > threshold + margin
        missing = keep - int(kept.sum())
        equal = (flat >= threshold - margin) & ~kept
        kept[torch.nonzero(equal).reshape(-1)[:missing]] = True
    return _split(kept, scores)


def _in_order(values: torch.Tensor, place: int) -> float:
    """The value at a place of the sorted ones; NumPy finds it many times faster than torch."""
    numbers = values.float() if values.dtype == torch.bfloat16 else values
    return np.partition(numbers.numpy(), place)[place].item()


def keep_best(scores: Mapping[str, torch.Tensor], kept: Callable[[int], int], pruner: str) -> Masks:
    """Keep the weights of highest score, which may not all be zero.

    Parameters
    ----------
    scores : mapping of str to torch.Tensor
        As for `keep_highest`.
    kept : callable
        From the number of weights to how many of them to keep.
    pruner : str
        Name used in the error message.

    Returns
    -------
    dict of str to torch.Tensor
        As of `keep_highest`.

    Raises
    ------
    ValueError
        As `require_scores` and `keep_highest`.
    """
    require_scores(scores, pruner)
    return keep_highest(scores, kept(sum(score.numel() for score in scores.values())))


def require_scores(scores: Mapping[str, torch.Tensor], pruner: str) -> None:
    """Refuse scores that are all zero: they would keep whatever comes first.

    Parameters
    ----------
    scores : mapping of str to torch.Tensor
        By parameter name.
    pruner : str
        Name used in the error message.

    Raises
    ------
    ValueError
        If no score differs from zero.
    """
    if not any(bool(s.any()) for s in scores.values()):
        raise PruningError(
            f"{pruner}: every score is zero, so no weight counts more than another (a layer or a "
            "norm that is all zero cuts the network); take another pruner"
        )


def _split(flat: torch.Tensor, like: Mapping[str, torch.Tensor]) -> Masks:
    """Cut a flat tensor into tensors of the names and shapes of `like`."""
    pieces = flat.split([t.numel() for t in like.values()])
    return {name: p.reshape(t.shape).clone() for (name, t), p in zip(like.items(), pieces)}


def apply_masks(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Set the removed weights of `model` to zero, in place.

    Parameters
    ----------
    model : torch.nn.Module
        The network to prune.
    masks : mapping of str to torch.Tensor
        Boolean masks by parameter name, each of its parameter's shape.

    Raises
    ------
    ValueError
        If a mask names no parameter of the model, or has another shape; nothing is set then.
    """
    with torch.no_grad():
        for weight, gone in removed(model, masks):
            weight.masked_fill_(gone, 0.0)


def removed(
    model: nn.Module, masks: Mapping[str, torch.Tensor]
) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Pair the weights of `model` with where they are removed.

    Parameters
    ----------
    model : torch.nn.Module
    masks : mapping of str to torch.Tensor
        As for `apply_masks`.

    Returns
    -------
    list of (torch.nn.Parameter, torch.Tensor)
        Each masked weight, and a bool tensor on its device that is True where it is removed.

    Raises
    ------
    ValueError
        As `apply_masks`.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found = []
    for name, mask in masks.items():
        if name not in parameters:
            raise PruningError(f"mask {name!r} names no parameter of the model")
        weight = parameters[name]
        if mask.shape != weight.shape:
            raise PruningError(
                f"mask {name!r} has shape {tuple(mask.shape)}, its parameter {tuple(weight.shape)}"
            )
        found.append((weight, ~mask.to(device=weight.device, dtype=torch.bool)))
    return found


def without_zeros(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> Masks:
    """Return the masks, less the weights that are zero already: those are removed too.

    Parameters
    ----------
    model : torch.nn.Module
        The network that the masks are of, such as one that was pruned before.
    masks : mapping of str to torch.Tensor
        Boolean masks by parameter name.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    weights = prunable_weights(model)
    return {name: mask & (weights[name].detach() != 0).cpu() for name, mask in masks.items()}


def achieved_sparsity(masks: Mapping[str, torch.Tensor]) -> float:
    """Return the fraction of weights that the masks remove, over all layers together.

    Parameters
    ----------
    masks : mapping of str to torch.Tensor
        Boolean masks.

    Returns
    -------
    float
        Removed weights divided by all weights; nan if there are no weights.
    """
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int(mask.sum()) for mask in masks.values())
    return 1.0 - kept / total if total else math.nan
