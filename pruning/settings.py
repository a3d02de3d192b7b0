"""What every pruner is given besides the model and the sparsity."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
    example : torch.Tensor, tuple or dict, optional
        What the network is called with, in place of `input_shape`: see `pruning.inputs`.
    device : torch.device
        Where the computation runs. Masks always come back on the CPU.
    progress : callable or None
        Called as ``progress(done, total, text)`` after each unit of work.
    kept : dict, optional
        Keeps what `once` has computed, for a run that differs in its sparsity alone.
    """

    loader: Iterable | None = None
    seed: int = 0
    input_shape: tuple[int, int, int] = (3, 32, 32)
    example: Any = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Callable[[int, int, str], object] | None = None
    kept: dict[tuple, Any] | None = None

    def report(self, done: int, total: int, text: str) -> None:
        """Tell the progress callback, if there is one, that `done` of `total` units are done."""
        if self.progress is not None:
            self.progress(done, total, text)

    def stream(self, *purpose: str) -> np.random.Generator:
        """Return fresh random numbers for masks, of `seed` and a purpose (see `system.draws`)."""
        return draws.stream(self.seed, "masks", *purpose)

    def once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        """Return what was kept by this name, or compute and keep it.

        Parameters
        ----------
        key : tuple
            Tells it from all else that one pruner asks for.
        compute : callable
            What depends neither on the sparsity nor on anything that is not the same for all runs
            that share `kept`.
        """
        kept = {} if self.kept is None else self.kept
        if key not in kept:
            kept[key] = compute()
        return kept[key]

    def scores(
        self, pruner: str, compute: Callable[[], Mapping[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        """Return scores of weights, computed `once`: on the CPU, where they fill no GPU meanwhile.

        Parameters
        ----------
        pruner : str
            Name of its module.
        compute : callable
            As for `once`.
        """
        return self.once((pruner,), lambda: {name: s.cpu() for name, s in compute().items()})

    def order(self, size: int, *purpose: str) -> np.ndarray:
        """Return numbers below `size` in random order, by `stream`."""
        key = ("order", self.seed, size, *purpose)
        return self.once(key, lambda: self.stream(*purpose).permutation(size))
