"""Pruners of ``--as-released`` against the released code's steps, written out in a few lines."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

import models
from models import prunable
from pruning import PRUNERS, PruningError, Settings, achieved_sparsity, erk, prune
from pruning.as_released import er, grasp, prospr
from pruning.weights import prunable_shapes
from tests.pruning.small_nets import data, small_plain, small_residual

SHAPE = (3, 8, 8)


def run(name, model, sparsity, loader=None, **options):
    return prune(name, model, sparsity, loader, input_shape=SHAPE, **options, as_released=True)


def overlap(masks, expected):
    """Share of the kept weights that both keep, both keeping the same number."""
    assert masks.keys() == expected.keys()
    both = sum(int((masks[n] & expected[n]).sum()) for n in masks)
    kept = [sum(int(m.sum()) for m in one.values()) for one in (masks, expected)]
    assert kept[0] == kept[1]
    return both / kept[0]


def all_of(batches):
    return [torch.cat([batch[i] for batch in batches]) for i in (0, 1)]


def released_epsilon(shapes, density):
    """The loop of ``Masking.init`` in utils/sparselearning/core.py, mode ER."""
    target = sum(math.prod(shape) for shape in shapes) * density
    kept, epsilon, factor = 0, 10.0, 0.5
    while not (kept + 5 > target and kept - 5 < target):
        kept = sum(epsilon * sum(shape) for shape in shapes)
        epsilon *= 1.0 - factor if kept > target else 1.0 + factor
        factor *= 0.95
    return epsilon


# Model, classes, sparsity; kept weights over what the sparsity keeps: by the loop, and in the
# released CSVs (sums of `no_weights` in ramanunjan_results, the mean of three seeds).
RATIOS = [
    ("Resnet-32", 10, 0.95, 0.791, 0.791),
    ("Resnet-32", 200, 0.98, 1.131, 1.135),
    ("Resnet-20", 200, 0.98, 0.893, 0.891),
    ("Resnet-20", 10, 0.6, 0.862, 0.863),
]


@pytest.mark.parametrize(("name", "classes", "sparsity", "ratio", "released"), RATIOS)
def test_er_keeps_as_much_as_the_released_code(name, classes, sparsity, ratio, released):
    model = models.build(name, classes)
    shapes = prunable_shapes(model)
    epsilon = released_epsilon(shapes.values(), 1 - sparsity)
    target = (1 - sparsity) * sum(shape.numel() for shape in shapes.values())
    densities = {n: min(1.0, epsilon * sum(s) / s.numel()) for n, s in shapes.items()}
    found = er.layer_densities(shapes, sparsity)
    assert {n: min(1.0, d) for n, d in found.items()} == pytest.approx(densities, rel=1e-12)
    expected = sum(d * shapes[n].numel() for n, d in densities.items())
    assert round(expected / target, 3) == ratio
    deviation = math.sqrt(sum(d * (1 - d) * shapes[n].numel() for n, d in densities.items()))
    assert abs(released * target - expected) < 3 * deviation / math.sqrt(3) + 0.0005 * target
    masks = run("er", model, sparsity)
    assert abs(sum(int(m.sum()) for m in masks.values()) - expected) < 4 * deviation


@pytest.mark.parametrize("name", ["er", "erk"])
def test_layers_are_drawn_weight_by_weight(name):
    """Numbers kept over 200 seeds have the mean and the spread of a binomial."""
    model, sparsity = small_residual(), 0.8
    shapes = prunable_shapes(model)
    target = round(0.2 * sum(shape.numel() for shape in shapes.values()))
    released = er.layer_densities(shapes, sparsity)
    densities = released if name == "er" else erk.layer_densities(shapes, target)
    runs = [run(name, model, sparsity, seed=seed) for seed in range(200)]
    for layer, shape in shapes.items():
        size, density = shape.numel(), min(1.0, densities[layer])
        counts = torch.tensor([float(masks[layer].sum()) for masks in runs])
        variance = size * density * (1 - density)
        assert abs(float(counts.mean()) - size * density) <= 5 * math.sqrt(variance / 200)
        assert float(counts.var()) == pytest.approx(variance, rel=0.6)


def test_er_says_so_where_the_released_search_does_not_end():
    shapes = {"large": torch.Size((10**6, 10**6))}
    with pytest.raises(PruningError, match=r"search of epsilon does not end at sparsity 0\.5"):
        er.layer_densities(shapes, 0.5)


def test_snip_is_that_of_the_released_code():
    """Gradients of masks, over their sum; ``int(n * keep_ratio)``; down to the threshold."""
    model, loader = small_residual().double(), data(600, 50, dtype=torch.float64)
    images, labels = (each[:128] for each in all_of(loader))
    names = list(prunable_shapes(model))
    weights = {n: p.detach() for n, p in model.named_parameters() if n in names}
    ones = {n: torch.ones_like(w, requires_grad=True) for n, w in weights.items()}
    logits = functional_call(model, {n: ones[n] * weights[n] for n in names}, (images,))
    nn.functional.cross_entropy(logits, labels).backward()
    scores = {n: ones[n].grad.abs() for n in names}
    every = torch.cat([score.flatten() for score in scores.values()])
    threshold = torch.topk(every, int(len(every) * (1 - 0.7))).values[-1]
    expected = {n: score >= threshold for n, score in scores.items()}
    assert overlap(run("snip", model, 0.7, loader), expected) == 1


def test_grasp_is_that_of_the_released_code():
    """Sorted by class, two halves (37 and 38 images of 75), both gradients added, then removed."""
    model, sparsity = small_residual().double(), 0.8
    loader = data(600, 50, dtype=torch.float64)
    images, labels = all_of(loader)
    taken = torch.cat([torch.nonzero(labels == c).flatten()[:25] for c in range(3)])
    images, labels, middle = images[taken], labels[taken], 75 // 2
    net = grasp.drawn_again(model, Settings(seed=5)).train()
    weights = [module.weight for module in prunable(net).values()]

    def gradients(part, **options):
        loss = nn.functional.cross_entropy(net(images[part]) / 200, labels[part])
        return torch.autograd.grad(loss, weights, **options)

    parts = [slice(middle), slice(middle, None)]
    first = [a + b for a, b in zip(*(gradients(part) for part in parts))]
    for part in parts:
        second = gradients(part, create_graph=True)
        sum((a.data * b).sum() for a, b in zip(first, second)).backward()
    scores = [-weight.data * weight.grad for weight in weights]
    every = torch.cat([score.flatten() for score in scores])
    threshold = torch.topk(every, int(len(every) * (1 - (1 - sparsity)))).values[-1]
    expected = {n: s <= threshold for n, s in zip(prunable_shapes(model), scores)}
    assert overlap(run("grasp", model, sparsity, loader, seed=5), expected) == 1


def drawn(model):
    """All weights, each divided by the deviation that Kaiming's draw gives it."""
    weights = [module.weight.detach() for module in prunable(model).values()]
    return torch.cat([(w / math.sqrt(2 / w[0].numel())).flatten() for w in weights])


def test_grasp_scores_weights_of_another_draw():
    """Kaiming normal as the network's own, and neither these nor those of another seed."""
    model = models.build("Resnet-20", 10, seed=3)
    own = drawn(model)
    third, fourth, again = (
        drawn(grasp.drawn_again(model, Settings(seed=seed))) for seed in (3, 4, 3)
    )
    assert torch.equal(third, again)
    bound = 5 / math.sqrt(len(own))
    for weights in (third, fourth):
        assert abs(float(weights.mean())) < bound
        assert abs(float(weights.var()) - 1) < bound * math.sqrt(2)
    for one, other in ((own, third), (own, fourth), (third, fourth)):
        assert abs(float((one * other).mean())) < bound


def released_prospr(net, batches, lr, momentum):
    """``prune`` of utils/pai/Prospr/prospr.py up to its scores."""
    named = {n: p.detach().clone().requires_grad_() for n, p in net.named_parameters()}
    masks = {n: torch.ones_like(named[n], requires_grad=True) for n in prunable_shapes(net)}
    fast = {n: p * masks[n] if n in masks else p.clone() for n, p in named.items()}
    state = dict.fromkeys(fast)
    for images, labels in batches[:-1]:
        loss = nn.functional.cross_entropy(functional_call(net, fast, (images,)), labels)
        found = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
        for (name, buffer), gradient in zip(state.items(), found):
            moved = gradient.clone().detach() if buffer is None else momentum * buffer + gradient
            state[name] = moved
        fast = {n: p - lr * state[n] for n, p in fast.items()}
    images, labels = batches[-1]
    loss = nn.functional.cross_entropy(functional_call(net, fast, (images,)), labels)
    return dict(zip(masks, (g.abs() for g in torch.autograd.grad(loss, list(masks.values())))))


@pytest.mark.parametrize("build", [small_residual, small_plain])
def test_prospr_scores_are_those_of_the_released_code(build):
    model, batches = build().double().train(), data(4 * 20, 20, dtype=torch.float64)
    found = prospr.scores(model, batches, lr=0.05)
    expected = released_prospr(model, batches, 0.05, 0.9)
    for name, score in expected.items():
        torch.testing.assert_close(found[name], score, rtol=1e-8, atol=1e-12)


def test_prospr_is_that_of_the_released_code():
    model, loader = small_residual().double(), data(4 * 512, 100, dtype=torch.float64)
    batches = list(zip(*(each.split(512) for each in all_of(loader))))
    scores = released_prospr(model.train(), batches, 0.5, 0.9)
    every = torch.cat([score.flatten() for score in scores.values()])
    kept = torch.zeros(len(every), dtype=torch.bool)
    kept[torch.topk(every, math.ceil(len(every) * (1 - 0.8))).indices] = True
    parts = kept.split([score.numel() for score in scores.values()])
    expected = {n: part.reshape(s.shape) for (n, s), part in zip(scores.items(), parts)}
    assert overlap(run("prospr", model, 0.8, loader), expected) == 1


@pytest.mark.parametrize("name", PRUNERS)
def test_only_what_departs_from_its_paper_is_another(name):
    model, loader = small_plain(), data(2048, 512)
    default = prune(name, model, 0.7, loader, input_shape=SHAPE)
    released = run(name, model, 0.7, loader)
    same = all(torch.equal(default[n], released[n]) for n in default)
    assert same == (PRUNERS[name].as_released is None)
    assert abs(achieved_sparsity(released) - achieved_sparsity(default)) < 0.2
