"""What every pruner is given besides the model and the sparsity."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from system import draws


@dataclass(frozen=True)
class Settings:
    """Surroundings of one pruning run.

    Attributes
    ----------
    loader : iterable or None
        Yields ``(images, labels)`` batches of any size, images of shape ``(n, C, H, W)`` and
        integer labels of shape ``(n,)``. Only pruners with ``needs_data`` look at it.
    seed : int
        Seed of the pruners that draw random numbers; the others do not use it.
    input_shape : tuple of int
        Shape ``(C, H, W)`` of one image, for pruners that need no data but do need a forward pass.
    device : torch.device
        Where the computation runs. Masks always come back on the CPU.
    progress : callable or None
        Called as ``progress(done, total, text)`` after each unit of work.
    orders : dict, optional
        Keeps what `order` has drawn, for a run that differs in its sparsity alone.
    """

    loader: Iterable | None = None
    seed: int = 0
    input_shape: tuple[int, int, int] = (3, 32, 32)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Callable[[int, int, str], object] | None = None
    orders: dict[tuple, np.ndarray] | None = None

    def report(self, done: int, total: int, text: str) -> None:
        """Tell the progress callback, if there is one, that `done` of `total` units are done."""
        if self.progress is not None:
            self.progress(done, total, text)

    def stream(self, *purpose: str) -> np.random.Generator:
        """Return fresh random numbers for masks, of `seed` and a purpose (see `system.draws`)."""
        return draws.stream(self.seed, "masks", *purpose)

    def order(self, size: int, *purpose: str) -> np.ndarray:
        """Return numbers below `size` in random order, by `stream`."""
        kept = {} if self.orders is None else self.orders
        key = (self.seed, size, *purpose)
        if key not in kept:
            kept[key] = self.stream(*purpose).permutation(size)
        return kept[key]
