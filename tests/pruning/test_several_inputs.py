"""Effective weights and SynFlow of networks with several inputs, on the graph written out."""

import networkx
import numpy as np
import pytest
import torch
from torch import nn

import pruning
from graph_encoding import WITH_SHORTCUTS, encode
from pruning import synflow
from pruning.linear import linearised, reached
from pruning.weights import prunable_weights
from tests.graph_encoding.test_inputs import EXAMPLES, IDS, built

OWN = {"keywords": {"numbers": torch.zeros(2, 5), "pixels": torch.zeros(2, 3, 6, 6)}}
"""Without a factor, which is no weight of the graph; two images."""


SIZES = {"pixels": (6, 6), "numbers": (1, 1), "words": (1, 7), "kinds": (1, 7)}


def ends(graph):
    """Which nodes are inputs, without what pads them, and which are outputs."""
    is_input, is_output = np.zeros((2, graph.num_nodes), bool)
    for layer in graph.input_layers:
        whole = layer.height, layer.width
        inside = [
            slice(more // 2, more // 2 + size)
            for size, more in zip(SIZES[layer.name], np.subtract(whole, SIZES[layer.name]))
        ]
        nodes = is_input[layer.offset : layer.stop].reshape(layer.channels, *whole)
        nodes[:, *inside] = True
    for layer in graph.output_layers:
        is_output[layer.offset : layer.stop] = True
    return is_input, is_output


def written(model, example):
    """The edges on a path from an input to an output, and all products along paths together."""
    (graph,) = encode(model, example_input=example, wiring=WITH_SHORTCUTS)
    matrix, (is_input, is_output) = graph.to_scipy().toarray(), ends(graph)
    plain = networkx.from_numpy_array(matrix, create_using=networkx.DiGraph)
    sides = []
    for each, start in ((plain, is_input), (plain.reverse(), is_output)):
        sides.append(set().union(*networkx.bfs_layers(each, np.flatnonzero(start).tolist())))
    edges = plain.edges(data="weight")
    on_paths = {edge for edge in edges if edge[0] in sides[0] and edge[1] in sides[1]}
    ways = np.linalg.inv(np.eye(len(matrix)) - matrix)
    return on_paths, ways[np.ix_(is_input, is_output)].sum()


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_a_weight_the_graph_loses_its_flow_and_if_it_is_effective_a_path(name):
    model, example = built(name)
    example = OWN.get(name, example)
    draw = torch.Generator().manual_seed(3)
    for weight in prunable_weights(model).values():  # sums of eighths are exact
        weight.copy_(torch.randint(1, 8, weight.shape, generator=draw) / 8)
        weight.mul_(torch.rand(weight.shape, generator=draw) < 0.3)
    weights = prunable_weights(model)
    weights["head.weight"][:, :3] = 0  # nothing reads the channels before it
    names = {id(weight): name for name, weight in weights.items()}
    kept = [(w, tuple(place)) for w in weights.values() for place in w.nonzero().tolist()]
    masks = pruning.effective_masks(model, example_input=example)
    scores = synflow.scores(linearised(model), (), example=example)
    for of in (masks, scores):
        assert not any(bool(of[name][weight == 0].any()) for name, weight in weights.items())
    on_paths, whole = written(model, example)
    # Some that are on no path, if there are any, and some that are on one.
    of_each = sorted(kept, key=lambda each: bool(masks[names[id(each[0])]][each[1]]))
    for weight, place in [*of_each[:4], *of_each[4::8]]:
        before, name = float(weight[place]), names[id(weight)]
        weight[place] = 0
        left, less = written(model, example)
        weight[place] = before
        assert bool(masks[name][place]) == (left != on_paths)
        assert float(scores[name][place]) == pytest.approx(whole - less, rel=1e-9, abs=1e-9 * whole)


@pytest.mark.parametrize("name", EXAMPLES)
def test_synflow_prunes_and_leaves_a_path(name):
    model, example = built(name)
    masks = pruning.prune("synflow", model, 0.9, example_input=example)
    total = sum(mask.numel() for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * total)
    pruning.apply_masks(model, masks)
    assert any(bool(mask.any()) for mask in pruning.effective_masks(model, (), example).values())


def test_it_does_not_matter_which_ids_are_given_nor_what_their_rows_hold():
    model, _ = built("tokens")
    expected = pruning.prune("synflow", model, 0.8, example_input=(IDS, IDS % 2))
    model.words.weight.data.zero_()  # as of a padding token
    nothing = torch.zeros_like(IDS)
    found = pruning.prune("synflow", model, 0.8, example_input=(nothing, nothing))
    assert all(torch.equal(mask, expected[name]) for name, mask in found.items())


class Rows(nn.Module):
    """Ids of which some are told apart by their places."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(9, 4), nn.Linear(4, 3, bias=False)

    def forward(self, ids, scale):
        ids = torch.cat([ids[:, 1:], ids[:, :1]], 1).unsqueeze(0).reshape(len(ids), -1)
        return self.head(self.table(ids.clamp(0, 8)).sum(1)) * scale


def test_numbers_without_axis_are_factors_and_ids_may_be_rearranged():
    model = Rows()
    with torch.no_grad():
        model.head.weight[1] = 0
    ids, scale = torch.tensor([[1, 2, 3]]), torch.tensor(0.5)
    scores = synflow.scores(linearised(model), (), example=(ids, scale))["head.weight"]
    # Three tokens, of one each, times half.
    assert torch.allclose(scores, 1.5 * model.head.weight.double().abs())
    assert reached(model, (), (ids, scale)).tolist() == [True, False, True]
    masks = {"head.weight": model.head.weight != 0}
    assert pruning.gaps(model, masks, (), (ids, scale)).unreached == (1,)
    precise = scale.double()
    masks = pruning.prune("synflow", model, 0.5, example_input=(ids, precise))
    assert masks["head.weight"].sum() == 6
    assert not precise.requires_grad


def endless():
    example = [torch.zeros(1, 3)]
    example.append(example)
    return (example,)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ((IDS,), "Body fails on an input of shape .*missing 1 required positional argument"),
        ((IDS, IDS), r"kinds \(Embedding\) fails on inputs of the shapes .*out of range"),
        (endless(), "the example input: .* hold themselves"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(example, said):
    model, _ = built("tokens")
    for run in (
        lambda: pruning.prune("synflow", model, 0.5, example_input=example),
        lambda: pruning.effective_masks(model, (), example),
    ):
        with pytest.raises(pruning.PruningError, match=said) as refusal:
            run()
        assert "\n" not in str(refusal.value)
