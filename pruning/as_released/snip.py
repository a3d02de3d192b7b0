"""SNIP as the paper's released code has it: `pruning.snip`, one weight less at most.

The batch is the first of the loader, augmented where the loader augments (``batches`` of
`runs.as_released`). The number of kept weights is rounded down.
"""

from torch import nn

from pruning.masks import Masks, keep_best
from pruning.samples import take_batches
from pruning.settings import Settings
from pruning.snip import BATCH_SIZE, scores


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep ``int(total * (1 - sparsity))`` weights of highest connection sensitivity.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        As for `pruning.snip.prune`.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        As `pruning.snip.prune`.
    """
    [batch] = take_batches(settings.loader, BATCH_SIZE, 1, "snip")
    result = scores(model, batch, settings.device)
    masks = keep_best(result, lambda total: int(total * (1 - sparsity)), "snip")
    settings.report(1, 1, "snip: connection sensitivity")
    return masks
