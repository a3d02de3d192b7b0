"""SNIP as the paper's released code has it: `pruning.snip`, one weight less at most.

The batch is the first of the loader, augmented where the loader augments (``batches`` of
`runs.as_released`). The number of kept weights is rounded down.
"""

from torch import nn

from pruning.masks import Masks, keep_best
from pruning.settings import Settings
from pruning.snip import worth_keeping


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
    found = worth_keeping(model, settings)
    return keep_best(found, lambda total: int(total * (1 - sparsity)), "snip")
