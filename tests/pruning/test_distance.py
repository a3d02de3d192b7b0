"""Distance of two wirings: against matchings by brute force, and networks that are the same."""

import copy
import itertools

import numpy as np
import pytest
import small_nets
import torch

import models
from models import saved
from pruning import distance
from pruning.distance import edit_distances, nnstd
from pruning.error import PruningError
from pruning.overlap import moved, overlaps, total
from pruning.readers import sources

SHAPES = {"a.weight": (4, 5), "b.weight": (5, 4), "c.weight": (3, 5)}


def random_masks(shapes, seed, density=0.5):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(shape, generator=generator) < density for name, shape in shapes.items()
    }


def masks_of(model, seed=0, density=0.5):
    shapes = {f"{name}.weight": m.weight.shape for name, m in models.prunable(model).items()}
    return random_masks(shapes, seed, density)


def by_brute_force(first, second):
    """What the layers' distances may be: all orders of each layer are tried, as the paper has it.

    Where several are best any of them may be taken, which the next layer sees.
    """
    chains = {(): {()}}  # distances so far: orders of the last layer
    for one, other in zip(first.values(), second.values(), strict=True):
        sets = [{i for i, kept in enumerate(row) if kept} for row in one.tolist()]
        further = {}
        for costs, orders in chains.items():
            for before in orders:
                rows = (other[:, list(before)] if before else other).tolist()
                others = [{i for i, kept in enumerate(row) if kept} for row in rows]
                tried = {}
                for order in itertools.permutations(range(len(sets))):
                    pairs = [(sets[i], others[j]) for i, j in enumerate(order)]
                    cost = sum(len(a ^ b) / len(a | b) if a | b else 0.0 for a, b in pairs)
                    tried.setdefault(round(cost / len(sets), 9), []).append(order)
                further.setdefault((*costs, min(tried)), set()).update(tried[min(tried)])
        chains = further
    return set(chains)


@pytest.mark.parametrize("seed", range(8))
def test_each_layer_is_matched_as_by_trying_all_orders(seed):
    first, second = random_masks(SHAPES, seed), random_masks(SHAPES, 100 + seed)
    found = tuple(round(each, 9) for each in nnstd(first, second).values())
    assert found in by_brute_force(first, second)
    assert 0 < max(found) <= 1


def test_one_neuron_to_another_in_edits():
    one = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], bool)
    other = np.array([[0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    np.testing.assert_allclose(edit_distances(one, other), [[3 / 4, 0, 1], [1, 1, 0]])


def permuted(model, masks, orders):
    """The same network with its channels in other orders, by the layers that have to share one."""
    weights = {name: (mask, model.get_parameter(name)) for name, mask in masks.items()}
    found = {}
    for name, reads in sources(model, (3, 8, 8)).items():
        mask = weights[f"{name}.weight"][0]
        mask = mask[orders[name]] if name in orders else mask
        if reads and reads[0] in orders:
            order = orders[reads[0]]
            parts = mask.reshape(len(mask), len(order), -1)
            mask = parts[:, order].reshape(mask.shape)
        found[f"{name}.weight"] = mask
    return found


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_a_network_in_another_order_of_its_channels_is_at_no_distance(kind):
    """But its masks do not overlap: behind a residual sum, a flattened map, and kernels."""
    model = small_nets.small_plain() if kind == "plain" else small_nets.small_residual()
    masks = masks_of(model, seed=3)
    reads = sources(model, (3, 8, 8))
    generator, orders = torch.Generator().manual_seed(1), {}
    tied = (
        [("conv1", "a2"), ("a1",), ("b1",), ("b2", "shortcut")]
        if kind == "residual"
        else [(name,) for name in list(reads)[:-1]]
    )
    for group in tied:
        size = len(masks[f"{group[0]}.weight"])
        order = torch.randperm(size, generator=generator)
        orders |= dict.fromkeys(group, order)
    other = permuted(model, masks, orders)
    far = nnstd(masks, other, reads)
    assert set(far) == set(masks)
    assert far == dict.fromkeys(far, 0.0)
    common = overlaps(masks, other)
    assert total(common).first == total(common).second
    assert total(common).iou < 0.8
    # In the order of the first network again, one more edge is one edit.
    name = list(masks)[-1]
    masks[name].view(-1)[(~masks[name]).flatten().nonzero()[0]] = True
    assert nnstd(masks, other, reads)[name] > 0


def test_layers_are_read_where_the_network_reads_them():
    assert sources(small_nets.small_residual(), (3, 8, 8)) == {
        "conv1": [],
        "a1": ["conv1"],
        "a2": ["a1"],
        "shortcut": ["a2", "conv1"],
        "b1": ["a2", "conv1"],
        "b2": ["b1"],
        "linear": ["b2", "shortcut"],
    }


@pytest.mark.parametrize("name", models.MODELS)
def test_networks_of_the_paper_are_at_no_distance_from_themselves(name):
    """Depthwise convolutions too, whose channels each read one."""
    model = models.build(name, 10)
    reads = sources(model, (3, 32, 32))
    masks = masks_of(model, density=0.2)
    small = {key: mask for key, mask in masks.items() if mask.numel() < 300_000}
    if len(small) < len(masks):  # of the largest network only how it is read
        assert len(reads) == len(masks)
        return
    assert set(nnstd(masks, masks, reads).values()) == {0.0}


class Dense(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 4), torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.b(torch.cat([self.a(x), x], 1))


def test_channels_beside_each_other_are_refused():
    with pytest.raises(PruningError, match="beside each other"):
        sources(Dense(), (4,))
    masks = random_masks({"a.weight": (4, 5), "b.weight": (2, 6)}, 0)
    with pytest.raises(PruningError, match=r"b\.weight reads 6 inputs"):
        nnstd(masks, masks)


def test_overlap_is_that_of_sets():
    first, second = random_masks(SHAPES, 1), random_masks(SHAPES, 2)
    sets = [
        {
            (name, place)
            for name, mask in masks.items()
            for place in map(tuple, mask.nonzero().tolist())
        }
        for masks in (first, second)
    ]
    whole = total(overlaps(first, second))
    assert whole.iou == len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert moved(first, second) == pytest.approx(len(sets[1] - sets[0]) / len(sets[1]))
    nothing = {name: torch.zeros_like(mask) for name, mask in first.items()}
    assert moved(first, nothing) is None and total(overlaps(nothing, nothing)).iou is None
    with pytest.raises(PruningError, match=r"b\.weight is 5 x 4 in .* and missing in the second"):
        overlaps(first, {name: mask for name, mask in second.items() if name != "b.weight"})


def test_the_table_of_two_saved_networks(tmp_path, capsys):
    model = models.build("Resnet-20", 10)
    made = {"model": "Resnet-20", "dataset": "CIFAR-10"}
    for name, seed in (("a", 0), ("b", 1)):
        masks, twin = masks_of(model, seed), copy.deepcopy(model)
        with torch.no_grad():
            for key, mask in masks.items():
                twin.get_parameter(key).mul_(mask)
        saved.save(tmp_path / f"{name}.pt", twin, masks, made)
    files = [str(tmp_path / f"{name}.pt") for name in "ab"]
    assert distance.main(files) == 0
    head, *lines, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["layer", "A", "B", "both", "iou", "moved", "nnstd"]
    assert len(lines) == len(models.prunable(model))
    cells = last.split()
    assert cells[0] == "all"
    assert float(cells[4]) == pytest.approx(1 / 3, abs=0.01)  # of two halves by chance
    assert float(cells[6]) == pytest.approx(
        np.mean([float(row.split()[6]) for row in lines]), abs=1e-4
    )
    assert distance.main([files[0], files[0]]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[4:] == ["1.0000", "0.0000", "0.0000"]

    other = models.build("Resnet-32", 10)
    saved.save(
        tmp_path / "c.pt",
        other,
        {k: v | True for k, v in masks_of(other).items()},
        made | {"model": "Resnet-32"},
    )
    assert distance.main([files[0], str(tmp_path / "c.pt")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "the masks are of two networks: " in error
    assert distance.main([files[0], str(tmp_path / "none.pt")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
