"""Pruners at initialisation: one file a pruner, a registry, and masks.

To add a pruner, write ``pruning/<name>.py`` with a function
``prune(model, sparsity, settings) -> masks`` that leaves the model as it is, and add one line to
`PRUNERS`. Importing this package imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pruning.collapse import Gaps, gaps
    from pruning.masks import Masks, achieved_sparsity, apply_masks, without_zeros
    from pruning.settings import Settings

__all__ = [
    "PRUNERS",
    "Gaps",
    "Pruner",
    "Settings",
    "achieved_sparsity",
    "apply_masks",
    "gaps",
    "prune",
    "without_zeros",
]

_LATER = {
    "Gaps": "pruning.collapse",
    "Settings": "pruning.settings",
    "achieved_sparsity": "pruning.masks",
    "apply_masks": "pruning.masks",
    "gaps": "pruning.collapse",
    "without_zeros": "pruning.masks",
}


def __getattr__(name: str) -> object:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{_LATER[name]}:{name}")


@dataclass(frozen=True)
class Pruner:
    """A pruner and what is to be known of it.

    Attributes
    ----------
    module : str
        Name of the module that holds its ``prune(model, sparsity, settings) -> masks``.
    needs_data : bool
        Whether it reads `Settings.loader`.
    source : str
        Where the method was published.
    """

    module: str
    needs_data: bool
    source: str

    @property
    def function(self) -> Callable[[nn.Module, float, Settings], Masks]:
        """The pruning function; its module is imported when it is first asked for."""
        return resolve_name(f"{self.module}:prune")


PRUNERS: dict[str, Pruner] = {
    "snip": Pruner("pruning.snip", True, "Lee et al., ICLR 2019"),
    "synflow": Pruner("pruning.synflow", False, "Tanaka et al., NeurIPS 2020"),
    "grasp": Pruner("pruning.grasp", True, "Wang et al., ICLR 2020"),
    "prospr": Pruner("pruning.prospr", True, "Alizadeh et al., ICLR 2022"),
    "uniform": Pruner("pruning.uniform", False, "global random pruning"),
    "er": Pruner("pruning.er", False, "Mocanu et al., Nature Communications 2018"),
    "erk": Pruner("pruning.erk", False, "Evci et al., ICML 2020"),
    "dense": Pruner("pruning.dense", False, "no pruning"),
}


def prune(
    name: str,
    model: nn.Module,
    sparsity: float,
    loader: Iterable | None = None,
    seed: int = 0,
    *,
    input_shape: tuple[int, int, int] = (3, 32, 32),
    device: torch.device | str | None = None,
    progress: Callable[[int, int, str], object] | None = None,
) -> Masks:
    """Choose the weights of `model` to keep. The model itself is not altered in any way.

    Global random state is left as it was.

    Parameters
    ----------
    name : str
        A key of `PRUNERS`.
    model : torch.nn.Module
        The network; all its Conv2d and Linear weights are prunable.
    sparsity : float
        Fraction of the prunable weights to remove, ``0 <= sparsity < 1``. Exactly
        ``round((1 - sparsity) * total)`` are kept over all layers together; `er` may keep fewer
        (see `pruning.er`) and `dense` keeps all.
    loader : iterable or None
        Yields ``(images, labels)`` batches of any size; for pruners with ``needs_data``.
    seed : int
        Seed of the random pruners. The others depend on the model and the loader alone.
    input_shape : tuple of int
        Shape ``(C, H, W)`` of one image.
    device : torch.device, str or None
        Where to compute; the model's device if None.
    progress : callable or None
        Called as ``progress(done, total, text)``.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks by parameter name, in ``named_modules()`` order; True is kept.

    Raises
    ------
    ValueError
        With a one-line message: unknown name, sparsity not a number in [0, 1), no loader where one
        is needed, too few samples in it, scores that are not finite, or weights that are computed
        by a mask or a parametrization.
    """
    if name not in PRUNERS:
        raise ValueError(f"unknown pruner {name!r}, choose from {', '.join(PRUNERS)}")
    try:
        fraction = float(sparsity)
    except (TypeError, ValueError):
        fraction = -1.0
    if not 0.0 <= fraction < 1.0:  # also refuses nan
        raise ValueError(f"sparsity must be a number with 0 <= sparsity < 1, not {sparsity!r}")
    pruner = PRUNERS[name]
    if pruner.needs_data and loader is None:
        raise ValueError(f"{name} needs data: give it a loader of (images, labels) batches")
    import torch

    from pruning.settings import Settings
    from pruning.working_copy import device_of

    where = device_of(model) if device is None else torch.device(device)
    settings = Settings(loader, seed, tuple(input_shape), where, progress)
    # A loader or a model with dropout may draw from the global generators: put them back after.
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        return pruner.function(model, fraction, settings)
