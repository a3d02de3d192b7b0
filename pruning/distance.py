"""How far two wirings of one network are from each other: sparse topology distance, and overlap.

    python -m pruning.distance A.pt B.pt        # networks that main.py saved with --save-snn

A row a layer, and one for all of them:

- ``A``, ``B``, ``both``: weights that each of the two keeps, and both;
- ``iou``: both by what either keeps; ``moved``: the share of B's weights that A does not keep;
- ``nnstd``: sparse topology distance (Liu et al., "Topological insights into sparse neural
  networks", ECML PKDD 2020), 0 for networks that are the same but for the order of their neurons, 1
  for those without an edge in common; of all layers it is the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from system.arguments import module_parser, path
from system.errors import UserError
from system.program import program, run_program
from system.text import printable

from .error import PruningError

if TYPE_CHECKING:
    import numpy as np
    import torch


def nnstd(
    first: Mapping[str, torch.Tensor],
    second: Mapping[str, torch.Tensor],
    reads: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, float]:
    """Sparse topology distance of two sets of masks, layer after layer.

    A neuron is the set of inputs that it keeps. From one neuron to another it takes so many edits
    as there are inputs that only one of them has, normalised by those that either has. The neurons
    of a layer are matched so that the sum is least, and the next layer finds its inputs in that
    order. The distance of a layer is the mean over its neurons.

    The authors' code (github.com/Shiweiliuiiiiiii/Sparse_Topology_Distance) is for linear layers in
    a row. A neuron here may also be a channel of a convolution: its inputs are then pairs of an
    input channel and a place in the kernel, and only channels are matched, not places. Channels
    that are summed (residual connections) stand for each other: the layer that runs first matches
    them all. As in that code, outputs of the last layer are matched like all others.

    Parameters
    ----------
    first, second : mapping of str to torch.Tensor
        Bool masks by parameter name, of one network: ``(out, in)`` or ``(out, in / groups, ...)``.
    reads : mapping of str to sequence of str, optional
        Names of the layers whose outputs each layer reads, summed (`readers.sources`), in the order
        in which they run. By default each reads the one before it.

    Returns
    -------
    dict of str to float
        From 0 to 1, by parameter name, in the order in which layers run.

    Raises
    ------
    PruningError
        If the masks are not of the same layers, or a layer cannot read what it is said to read.
    """
    from scipy.optimize import linear_sum_assignment

    from .overlap import require_same_layers

    require_same_layers(first, second)
    names = list(first)
    if reads is None:
        chain = zip(names, [[], *([name] for name in names)], strict=False)
    else:
        known = {name.removesuffix(".weight"): name for name in names}
        chain = ((known[name], [known[each] for each in read]) for name, read in reads.items())
    chain = [(name, read) for name, read in chain if name in first]
    tied = _tied(chain)
    order: dict[str, np.ndarray] = {}  # of the second network's neurons, by the first of a tie
    found = {}
    for name, read in chain:
        one, other = (_inputs(masks[name], _width(name, read, first)) for masks in (first, second))
        if read:
            other = other[:, order[tied[read[0]]]]
        edits = edit_distances(one.reshape(len(one), -1), other.reshape(len(other), -1))
        if tied[name] not in order:
            order[tied[name]] = linear_sum_assignment(edits)[1]
        matched = order[tied[name]]
        found[name] = float(edits[range(len(edits)), matched].mean()) if len(edits) else 0.0
    return found


def edit_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Normalised edit distance from each neuron of a layer to each of another.

    Parameters
    ----------
    one, other : numpy.ndarray of bool, shape (neurons, inputs)

    Returns
    -------
    numpy.ndarray of float64, shape (neurons, neurons)
        0 between two neurons without inputs.
    """
    import numpy as np

    both = (one.astype(np.float32) @ other.astype(np.float32).T).astype(np.float64)
    either = one.sum(1)[:, None] + other.sum(1) - both
    return np.where(either > 0, 1 - both / np.maximum(either, 1), 0.0)


def _tied(chain: Sequence[tuple[str, Sequence[str]]]) -> dict[str, str]:
    """For each layer the first one, in the order of running, whose channels stand for its own."""
    leader = {name: name for name, _ in chain}

    def first(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    place = {name: number for number, (name, _) in enumerate(chain)}
    for _, read in chain:
        firsts = sorted({first(name) for name in read}, key=place.__getitem__)
        leader.update(dict.fromkeys(firsts, firsts[0]) if firsts else {})
    return {name: first(name) for name in leader}


def _width(name: str, read: Sequence[str], masks: Mapping[str, torch.Tensor]) -> int | None:
    """Channels that a layer reads; None where it reads the network's input."""
    widths = {len(masks[each]) for each in read}
    mask = masks[name]
    fits = {(mask.shape[1] % w == 0 if mask.ndim == 2 else w % mask.shape[1] == 0) for w in widths}
    if len(widths) > 1 or False in fits:
        raise PruningError(
            f"{name} reads {mask.shape[1]} inputs of layers with {sorted(widths)} channels: these "
            "are not summed, nor a map that has been flattened"
        )
    return widths.pop() if widths else None


def _inputs(mask: torch.Tensor, width: int | None) -> np.ndarray:
    """A mask by neuron, channel that it reads, and place in the kernel or on the map."""
    import numpy as np

    kept = mask.cpu().numpy().astype(bool)
    kept = kept.reshape(len(kept), kept.shape[1], -1)
    if width is None:
        return kept
    if kept.shape[1] % width == 0:  # a flattened map has the places of a channel together
        return kept.reshape(len(kept), width, -1)
    groups = width // kept.shape[1]
    whole = np.zeros((len(kept), width, kept.shape[2]), bool)
    for group, rows in enumerate(np.array_split(np.arange(len(kept)), groups)):
        whole[rows, group * kept.shape[1] : (group + 1) * kept.shape[1]] = kept[rows]
    return whole


def table(
    first: Mapping[str, torch.Tensor],
    second: Mapping[str, torch.Tensor],
    reads: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Distances of two sets of masks: a line a layer, and one of all.

    Parameters
    ----------
    first, second, reads
        As for `nnstd`.

    Returns
    -------
    str
    """
    from .overlap import overlaps, total

    shared, far = overlaps(first, second), nnstd(first, second, reads)
    mean = sum(far.values()) / len(far) if far else 0.0
    lines = [(name, shared[name], far[name]) for name in far] + [("all", total(shared), mean)]
    names = [printable(name.removesuffix(".weight")) for name, *_ in lines]
    wide = max(map(len, ["layer", *names]))
    head = ("A", "B", "both", "iou", "moved", "nnstd")
    text = [f"{'layer':<{wide}}" + "".join(f"{name:>{w}}" for name, w in zip(head, WIDTHS))]
    for name, (_, common, distance) in zip(names, lines):
        cells = [*(f"{count:,}" for count in common), _share(common.iou), _share(common.moved)]
        cells.append(_share(distance))
        text.append(f"{name:<{wide}}" + "".join(f"{cell:>{w}}" for cell, w in zip(cells, WIDTHS)))
    return "\n".join(text)


WIDTHS = (12, 12, 12, 9, 9, 9)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


@program("pruning.distance")
def main(argv: Sequence[str]) -> None:
    """Print the distances of two saved networks.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name.
    """
    p = module_parser("pruning.distance", __doc__)
    p.add_argument("first", type=path, metavar="A.pt", help="saved by --save-snn")
    p.add_argument("second", type=path, metavar="B.pt", help="of the same model and data set")
    options = p.parse_args(argv)
    from datasets import DATASETS, about
    from models import saved

    from .readers import sources

    one, other = saved.load(options.first), saved.load(options.second)
    dataset = one.configuration.get("dataset")
    if dataset not in DATASETS:
        raise UserError(f"{options.first}: names no data set: save the network with --save-snn")
    shape = about(dataset).shape
    try:
        print(table(one.masks, other.masks, sources(one.model, shape)))
    except PruningError as error:
        raise UserError(f"{options.first} and {options.second}: {error}") from None


if __name__ == "__main__":
    run_program("pruning.distance:main")
