"""ProsPr's meta-gradient, in float64, against training runs and against plain autograd."""

import copy

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.func import functional_call

from pruning import prospr, prune
from tests.pruning.small_nets import data, small_plain, small_residual

LR, MOMENTUM, SIZE = 0.05, 0.9, 8


def final_loss(model, masks, batches):
    """Train a copy from masked initial weights with torch.optim.SGD; loss of the last batch."""
    net = copy.deepcopy(model).train()
    for name, mask in masks.items():
        dict(net.named_parameters())[name].data *= mask
    optimiser = torch.optim.SGD(
        [p for p in net.parameters() if p.requires_grad], lr=LR, momentum=MOMENTUM
    )

    def loss(images, labels):
        pieces = zip(images.split(SIZE), labels.split(SIZE))
        total = sum(nn.functional.cross_entropy(net(x), y, reduction="sum") for x, y in pieces)
        return total / len(labels)

    for images, labels in batches[:-1]:
        optimiser.zero_grad()
        loss(images, labels).backward()
        optimiser.step()
    with torch.no_grad():
        return float(loss(*batches[-1]))


def unrolled(model, batches):
    """d final loss / d masks by autograd through all steps at once."""
    theta = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    masks = {n: torch.ones_like(p, requires_grad=True) for n, p in theta.items() if p.dim() > 1}
    theta = {n: p * masks[n] if n in masks else p.requires_grad_() for n, p in theta.items()}

    def loss(at, images, labels):
        pieces = zip(images.split(SIZE), labels.split(SIZE))
        return sum(
            nn.functional.cross_entropy(functional_call(model, at, (x,)), y, reduction="sum")
            for x, y in pieces
        ) / len(labels)

    velocity = dict.fromkeys(theta, 0.0)
    for batch in batches[:-1]:
        g = torch.autograd.grad(loss(theta, *batch), list(theta.values()), create_graph=True)
        velocity = {n: MOMENTUM * velocity[n] + v for n, v in zip(theta, g)}
        theta = {n: theta[n] - LR * velocity[n] for n in theta}
    return dict(zip(masks, torch.autograd.grad(loss(theta, *batches[-1]), list(masks.values()))))


@pytest.fixture(params=[small_residual, small_plain], ids=["residual", "plain"])
def setting(request):
    """A net and four different batches: three inner steps and the final loss."""
    return request.param().double().train(), data(4 * 20, 20, dtype=torch.float64)


def test_meta_gradient_equals_finite_differences_of_training_runs(setting):
    model, batches = setting
    got = prospr.meta_gradient(model, batches, lr=LR, momentum=MOMENTUM, micro_batch=SIZE)
    ones = {n: torch.ones_like(p) for n, p in model.named_parameters() if n in got}
    h = 1e-6
    for name, derivative in got.items():
        largest = int(derivative.abs().argmax())
        for index in {0, largest}:
            at = []
            for sign in (1, -1):
                masks = {n: m.clone() for n, m in ones.items()}
                masks[name].reshape(-1)[index] += sign * h
                at.append(final_loss(model, masks, batches))
            difference = (at[0] - at[1]) / (2 * h)
            value = float(derivative.reshape(-1)[index])
            assert value == pytest.approx(difference, rel=1e-4, abs=1e-7)


def test_meta_gradient_equals_autograd_through_the_unrolled_steps(setting):
    model, batches = setting
    got = prospr.meta_gradient(model, batches, lr=LR, momentum=MOMENTUM, micro_batch=SIZE)
    expected = unrolled(model, batches)
    assert got.keys() == expected.keys()
    for name, derivative in got.items():
        assert_allclose(derivative, expected[name], rtol=1e-8, atol=1e-11)


def test_the_second_order_terms_matter(setting):
    """The meta-gradient is not the first-order one, gradient at theta_K times w."""
    model, batches = setting
    full = prospr.meta_gradient(model, batches, lr=LR, momentum=MOMENTUM, micro_batch=SIZE)
    short = prospr.meta_gradient(model, batches[-1:], lr=LR, momentum=MOMENTUM, micro_batch=SIZE)
    assert any(float((full[n] - short[n]).abs().max()) > 1e-3 for n in full)


def test_prune_uses_three_steps_of_512_and_the_paper_s_optimiser():
    model = small_residual()
    loader = data(4 * 512, 100)
    masks = prune("prospr", model, 0.8, loader, input_shape=(3, 8, 8))
    images, labels = (torch.cat([b[i] for b in loader]) for i in (0, 1))
    batches = list(zip(images.split(512), labels.split(512)))
    scores = prospr.meta_gradient(model, batches, lr=0.5, momentum=0.9, micro_batch=128)
    kept = torch.cat([scores[n][masks[n]] for n in masks]).abs()
    removed = torch.cat([scores[n][~masks[n]] for n in masks]).abs()
    assert float(kept.min()) >= float(removed.max())
