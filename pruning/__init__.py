"""Pruners: one file a pruner, a registry, and masks.

To add a pruner, write ``pruning/<name>.py`` with a function
``prune(model, sparsity, settings) -> masks`` that leaves the model as it is, and add one line to
`PRUNERS`. For one whose masks change while the network is trained, write what changes them as
``pruning/in_time/<name>.py`` (see `pruning.in_time`), and name in its line what it starts from.
Importing this package imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from system.later import later
from system.text import choose

from .error import PruningError
from .pruner import CHEAP, Change, Cost, Pruner, Released

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pruning.collapse import Gaps, gaps
    from pruning.coming_back import back_again, returned
    from pruning.effective import effective_masks
    from pruning.masks import Masks, achieved_sparsity, apply_masks, removed, without_zeros
    from pruning.overlap import moved
    from pruning.settings import Settings
    from system.bars import Progress

__all__ = [
    "BASELINE",
    "CHEAP",
    "PRUNERS",
    "Change",
    "Cost",
    "Gaps",
    "Pruner",
    "PruningError",
    "Released",
    "Settings",
    "achieved_sparsity",
    "apply_masks",
    "at_initialisation",
    "back_again",
    "effective_masks",
    "gaps",
    "moved",
    "prune",
    "removed",
    "returned",
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
        "moved": "pruning.overlap",
        "removed": "pruning.masks",
        "back_again": "pruning.coming_back",
        "returned": "pruning.coming_back",
        "without_zeros": "pruning.masks",
    },
)

PRUNERS: dict[str, Pruner] = {
    "snip": Pruner(
        "pruning.snip",
        needs_data=True,
        chooses="keeps the largest |gradient x weight|, one batch of 128",
        source="Lee et al., ICLR 2019",
        cost=Cost(1.4e-5, 3600, once=True),
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
        cost=Cost(1.2e-4, 6700, once=True),
        colour="green",
        marker="D",
        as_released=Released("pruning.as_released.grasp", Cost(1.2e-4, 0, 1000, once=True)),
    ),
    "prospr": Pruner(
        "pruning.prospr",
        needs_data=True,
        chooses="keeps the largest meta-gradient through 3 steps of training, batch 512",
        source="Alizadeh et al., ICLR 2022",
        cost=Cost(9e-4, 10000, once=True),
        colour="pink",
        marker="^",
        as_released=Released("pruning.as_released.prospr", Cost(9e-4, 24000, once=True)),
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
    "set": Pruner(
        "pruning.erk",
        in_time="pruning.in_time.set",
        chooses="starts as `erk`; after each epoch every layer drops 0.3 of its weights, the "
        "smallest, and grows as many at random",
        source="Mocanu et al., Nature Communications 2018",
        cost=CHEAP,
        colour="steel",
        marker="d",
    ),
    "rigl": Pruner(
        "pruning.erk",
        in_time="pruning.in_time.rigl",
        chooses="starts as `erk`; every 100 steps of the first 75 % every layer drops its smallest "
        "weights and grows those of largest gradient: 0.3 of them, falling to 0",
        source="Evci et al., ICML 2020",
        cost=CHEAP,
        colour="forest",
        marker="H",
    ),
    "itop": Pruner(
        "pruning.erk",
        in_time="pruning.in_time.itop",
        chooses="starts as `erk`; every 1,500 steps every layer drops its smallest weights and "
        "grows as many at random: 0.5 of them, falling to 0",
        source="Liu et al., ICML 2021 (SET-ITOP)",
        cost=CHEAP,
        colour="sand",
        marker="8",
    ),
    "itop-gradient": Pruner(
        "pruning.erk",
        in_time="pruning.in_time.itop_gradient",
        chooses="as `itop`, but every 4,000 steps, and grows those of largest gradient",
        source="Liu et al., ICML 2021 (RigL-ITOP)",
        cost=CHEAP,
        colour="brown",
        marker="1",
    ),
    "snfs": Pruner(
        "pruning.uniform_by_layer",
        in_time="pruning.in_time.snfs",
        chooses="starts at random, all layers alike; after each epoch every layer drops its "
        "smallest weights, 0.5 of them, falling to 0; those of largest momentum grow, most in "
        "layers of large mean momentum",
        source="Dettmers and Zettlemoyer 2019",
        cost=CHEAP,
        colour="rose",
        marker="2",
    ),
    "dsr": Pruner(
        "pruning.uniform_by_layer",
        in_time="pruning.in_time.dsr",
        chooses="starts at random, all layers alike; every 100 to 800 steps weights below one "
        "threshold, which adapts, give way to random ones, most in layers that hold most",
        source="Mostafa and Wang, ICML 2019",
        cost=CHEAP,
        colour="purple",
        marker="+",
    ),
    "magnitude": Pruner(
        "pruning.magnitude",
        after_training=True,
        chooses="keeps the largest moduli of a network that has been trained whole",
        source="Han et al., NeurIPS 2015",
        cost=CHEAP,
        colour="crimson",
        marker="x",
    ),
}
BASELINE = next(name for name, pruner in PRUNERS.items() if pruner.is_baseline)


def at_initialisation() -> list[str]:
    """Names of the pruners that need no training: what ``--pruning all`` takes."""
    return [name for name, pruner in PRUNERS.items() if not pruner.trains]


def prune(
    name: str,
    model: nn.Module,
    sparsity: float,
    loader: Iterable | None = None,
    seed: int = 0,
    *,
    input_shape: tuple[int, int, int] = (3, 32, 32),
    device: torch.device | str | None = None,
    progress: Progress | bool | None = None,
    as_released: bool = False,
    kept: dict | None = None,
    example_input: Any = None,
) -> Masks:
    """Choose the weights of `model` to keep. The model itself is not altered in any way.

    Of a pruner whose masks change while the network is trained, these are the masks that it starts
    from; `magnitude` ranks the weights as they are. Global random state is left as it was.

    Parameters
    ----------
    name : str
        A key of `PRUNERS`.
    model : torch.nn.Module
        The network; all weights of its convolutions and Linear layers are prunable, and those of
        attention's projections.
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
    progress : callable or bool, optional
        Called as ``progress(done, total, text)``; True shows a bar.
    as_released : bool
        Whether to prune as the paper's released code does, where that departs from the pruner's
        paper (``pruning/README.md``). The number of kept weights is then that code's too.
    kept : dict, optional
        Keeps what does not depend on the sparsity (scores, random orders), so that a call that
        differs in its sparsity alone takes no time. It is added to.
    example_input : torch.Tensor, tuple or dict, optional
        What the network is called with, in place of `input_shape`: as `graph_encoding.encode` takes
        it. For pruners that need no data but do need a forward pass.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks by parameter name, in ``named_modules()`` order; True is kept.

    Raises
    ------
    ValueError
        With a one-line message: unknown name, sparsity not a number in [0, 1), no loader where one
        is needed, too few samples in it, scores that are not finite, or weights that are computed
        by a mask or a parametrization, sparse, quantised, or in a program (`torch.export`,
        TorchScript).
    """
    if name not in PRUNERS:
        raise PruningError(f"unknown pruner {name!r}, {choose(name, PRUNERS)}")
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
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from pruning.settings import Settings
    from pruning.weights import require_numbers
    from pruning.working_copy import device_of
    from system.allocation import large_given_back
    from system.bars import called
    from system.compute import repeatable

    require_numbers(model)
    where = device_of(model) if device is None else torch.device(device)
    # A loader or a model with dropout may draw from the global generators: put them back after.
    forked = torch.random.fork_rng(devices=[where] if where.type == "cuda" else [])
    attention = sdpa_kernel(SDPBackend.MATH)  # which has second derivatives
    with forked, repeatable(where), large_given_back(), attention, called(progress) as call:
        settings = Settings(loader, seed, tuple(input_shape), example_input, where, call, kept)
        torch.default_generator.manual_seed(seed)
        return pruner.function(model, fraction, settings)
