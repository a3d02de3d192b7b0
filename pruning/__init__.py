"""Pruners at initialisation: one file a pruner, a registry, and masks.

To add a pruner, write ``pruning/<name>.py`` with a function
``prune(model, sparsity, settings) -> masks`` that leaves the model as it is, and add one line to
`PRUNERS`. Importing this package imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

from system.later import later

from .error import PruningError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pruning.collapse import Gaps, gaps
    from pruning.effective import effective_masks
    from pruning.masks import Masks, achieved_sparsity, apply_masks, removed, without_zeros
    from pruning.settings import Settings

__all__ = [
    "BASELINE",
    "CHEAP",
    "PRUNERS",
    "Cost",
    "Gaps",
    "Pruner",
    "PruningError",
    "Released",
    "Settings",
    "achieved_sparsity",
    "apply_masks",
    "effective_masks",
    "gaps",
    "prune",
    "removed",
    "without_zeros",
]

__getattr__ = later(
    __name__,
    {
        "Gaps": "pruning.collapse",
        "Settings": "pruning.settings",
        "achieved_sparsity": "pruning.masks",
        "apply_masks": "pruning.masks",
        "effective_masks": "pruning.effective",
        "gaps": "pruning.collapse",
        "removed": "pruning.masks",
        "without_zeros": "pruning.masks",
    },
)


class Cost(NamedTuple):
    """What pruning takes, as measured (tests/benchmarks).

    Attributes
    ----------
    seconds, bytes : float
        For each node of the network's unrolled graph.
    bytes_a_class : float
        More of them, for each node and each class of the images.
    """

    seconds: float
    bytes: float
    bytes_a_class: float = 0


AVERAGE = Cost(1e-5, 2000)
CHEAP = Cost(0, 0)
"""Well below a second, so that an estimate of edges can prune."""


class Released(NamedTuple):
    """A pruner as the paper's released code has it, where that departs from the pruner's paper.

    Attributes
    ----------
    module : str
        Name of the module that holds its ``prune(model, sparsity, settings) -> masks``.
    cost : Cost, optional
        By default that of the pruner.
    """

    module: str
    cost: Cost | None = None


@dataclass(frozen=True)
class Pruner:
    """A pruner and what is to be known of it.

    Attributes
    ----------
    module : str
        Name of the module that holds its ``prune(model, sparsity, settings) -> masks``.
    needs_data : bool
        Whether it reads `Settings.loader`.
    is_baseline : bool
        Whether it removes nothing: what it leaves is what the others are compared with.
    chooses : str
        How it chooses, in one line.
    source : str
        Where the method was published.
    cost : Cost
        For the estimates of ``--dry-run``.
    colour, marker : str, optional
        In all plots: a colour of `figures.style.PALETTE` and a marker of matplotlib. By default
        the next that are free.
    as_released : Released, optional
        What takes its place under ``--as-released``; by default nothing does.
    """

    module: str
    _: KW_ONLY
    needs_data: bool = False
    is_baseline: bool = False
    chooses: str = ""
    source: str = ""
    cost: Cost = AVERAGE
    colour: str | None = None
    marker: str | None = None
    as_released: Released | None = None

    @property
    def function(self) -> Callable[[nn.Module, float, Settings], Masks]:
        """The pruning function; its module is imported when it is first asked for."""
        return resolve_name(f"{self.module}:prune")

    def version(self, as_released: bool) -> Pruner:
        """The pruner, or what takes its place under ``--as-released``."""
        if not (as_released and self.as_released):
            return self
        module, cost = self.as_released
        return replace(self, module=module, cost=cost or self.cost)


PRUNERS: dict[str, Pruner] = {
    "snip": Pruner(
        "pruning.snip",
        needs_data=True,
        chooses="keeps the largest |gradient x weight|, one batch of 128",
        source="Lee et al., ICLR 2019",
        cost=Cost(1.4e-5, 3600),
        colour="blue",
        marker="o",
        as_released=Released("pruning.as_released.snip"),
    ),
    "synflow": Pruner(
        "pruning.synflow",
        chooses="keeps the largest |w dR/dw| of the all-ones input through the moduli of the "
        "weights, 100 rounds, no data",
        source="Tanaka et al., NeurIPS 2020",
        cost=Cost(3e-5, 1000),
        colour="orange",
        marker="s",
    ),
    "grasp": Pruner(
        "pruning.grasp",
        needs_data=True,
        chooses="removes the largest -w Hg, 25 images a class, temperature 200",
        source="Wang et al., ICLR 2020",
        cost=Cost(1.2e-4, 11000),
        colour="green",
        marker="D",
        as_released=Released("pruning.as_released.grasp", Cost(1.2e-4, 0, 1000)),
    ),
    "prospr": Pruner(
        "pruning.prospr",
        needs_data=True,
        chooses="keeps the largest meta-gradient through 3 steps of training, batch 512",
        source="Alizadeh et al., ICLR 2022",
        cost=Cost(9e-4, 14500),
        colour="pink",
        marker="^",
        as_released=Released("pruning.as_released.prospr", Cost(9e-4, 24000)),
    ),
    "uniform": Pruner(
        "pruning.uniform",
        chooses="random over all weights",
        source="Liu et al., ICLR 2022, over all layers together",
        cost=CHEAP,
        colour="yellow",
        marker="v",
    ),
    "er": Pruner(
        "pruning.er",
        chooses="random; expected kept weights of a layer proportional to the sum of its "
        "dimensions, then capped at the layer's size: the achieved sparsity is higher than "
        "requested where a layer saturates",
        source="Mocanu et al., Nature Communications 2018",
        cost=CHEAP,
        colour="sky",
        marker="X",
        as_released=Released("pruning.as_released.er"),
    ),
    "erk": Pruner(
        "pruning.erk",
        chooses="random; density of a layer proportional to sum / product of its dimensions, "
        "saturated layers dense and the rest rescaled",
        source="Evci et al., ICML 2020",
        cost=CHEAP,
        colour="black",
        marker="<",
        as_released=Released("pruning.as_released.erk"),
    ),
    "dense": Pruner(
        "pruning.dense",
        is_baseline=True,
        chooses="none: the baseline",
        cost=CHEAP,
        colour="grey",
        marker="P",
    ),
}
BASELINE = next(name for name, pruner in PRUNERS.items() if pruner.is_baseline)


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
    as_released: bool = False,
) -> Masks:
    """Choose the weights of `model` to keep. The model itself is not altered in any way.

    Global random state is left as it was.

    Parameters
    ----------
    name : str
        A key of `PRUNERS`.
    model : torch.nn.Module
        The network; all weights of its convolutions and Linear layers are prunable.
    sparsity : float
        Fraction of the prunable weights to remove, ``0 <= sparsity < 1``. Exactly
        ``round((1 - sparsity) * total)`` are kept over all layers together; `er` may keep fewer
        (see `pruning.er`) and `dense` keeps all.
    loader : iterable or None
        Yields ``(images, labels)`` batches of any size; for pruners with ``needs_data``.
    seed : int
        Seed of the random pruners, not negative. The others depend on model and loader alone.
    input_shape : tuple of int
        Shape ``(C, H, W)`` of one image.
    device : torch.device, str or None
        Where to compute; the model's device if None.
    progress : callable or None
        Called as ``progress(done, total, text)``.
    as_released : bool
        Whether to prune as the paper's released code does, where that departs from the pruner's
        paper (``pruning/README.md``). The number of kept weights is then that code's too.

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
        raise PruningError(f"unknown pruner {name!r}, choose from {', '.join(PRUNERS)}")
    try:
        fraction = float(sparsity)
    except (TypeError, ValueError):
        fraction = -1.0
    if not 0.0 <= fraction < 1.0:  # also refuses nan
        raise PruningError(f"sparsity must be a number with 0 <= sparsity < 1, not {sparsity!r}")
    pruner = PRUNERS[name].version(as_released)
    if pruner.needs_data and loader is None:
        raise PruningError(f"{name} needs data: give it a loader of (images, labels) batches")
    import torch

    from pruning.settings import Settings
    from pruning.working_copy import device_of
    from system.allocation import large_given_back
    from system.compute import repeatable

    where = device_of(model) if device is None else torch.device(device)
    settings = Settings(loader, seed, tuple(input_shape), where, progress)
    # A loader or a model with dropout may draw from the global generators: put them back after.
    forked = torch.random.fork_rng(devices=[where] if where.type == "cuda" else [])
    with forked, repeatable(where), large_given_back():
        torch.default_generator.manual_seed(seed)
        return pruner.function(model, fraction, settings)
