"""How far back a training in rounds goes, and where it notes how far it is. Imports no torch."""

import math
from pathlib import Path

EARLY = 0.03
"""Part of the training to whose end weights are rewound: 2,000 of the 62,560 steps in which
Resnet-20 is trained on CIFAR-10, from where Frankle et al. find it to be stable."""


def early(epochs: int) -> int:
    """The epoch to whose end weights are rewound; there is at least one after it.

    Parameters
    ----------
    epochs : int
        Of the training, at least 1.

    Returns
    -------
    int

    Examples
    --------
    >>> early(160), early(4), early(1)
    (5, 1, 0)
    """
    return min(math.ceil(EARLY * epochs), epochs - 1)


def places(checkpoint: Path, rounds: int) -> list[Path]:
    """The files in which such a training notes how far it is.

    Parameters
    ----------
    checkpoint : Path
        Their common place and name.
    rounds : int

    Returns
    -------
    list of Path
        First that of the early weights, then one for each training, from that of the whole network.
    """
    parts = ["early", *range(rounds + 1)]
    return [checkpoint.with_name(f"{checkpoint.stem}.{part}{checkpoint.suffix}") for part in parts]
