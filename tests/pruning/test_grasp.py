import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.func import functional_call

from pruning import grasp, prune
from tests.pruning.small_nets import data, small_residual


def loss(model, weights, images, labels, size, temperature):
    """Mean cross-entropy at the given temperature, batch norm within pieces of `size`."""
    total = 0.0
    for x, y in zip(images.split(size), labels.split(size)):
        logits = functional_call(model, weights, (x,)) / temperature
        total = total + nn.functional.cross_entropy(logits, y, reduction="sum")
    return total / len(labels)


def gradients(model, weights, *rest):
    weights = {n: w.detach().requires_grad_() for n, w in weights.items()}
    return dict(
        zip(weights, torch.autograd.grad(loss(model, weights, *rest), list(weights.values())))
    )


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_scores_equal_finite_differences_of_the_gradient(temperature):
    """-w * (grad(w + h g) - grad(w - h g)) / 2h, in float64."""
    model = small_residual().double().train()
    weights = {n: p.detach() for n, p in model.named_parameters() if p.dim() > 1}
    [(images, labels)] = data(30, 30, dtype=torch.float64)
    rest = (images, labels, 12, temperature)
    g = gradients(model, weights, *rest)
    h = 1e-6 / max(float(v.abs().max()) for v in g.values())
    ahead = gradients(model, {n: w + h * g[n] for n, w in weights.items()}, *rest)
    behind = gradients(model, {n: w - h * g[n] for n, w in weights.items()}, *rest)
    got = grasp.scores(model, (images, labels), micro_batch=12, temperature=temperature)
    assert got.keys() == weights.keys()
    scale = max(float(s.abs().max()) for s in got.values())
    for name, w in weights.items():
        expected = -w * (ahead[name] - behind[name]) / (2 * h)
        assert_allclose(got[name], expected, rtol=1e-5, atol=1e-6 * scale)
        assert float(got[name].abs().max()) > 1e-4 * scale


def test_defaults_are_temperature_200_and_micro_batches_of_125():
    [batch] = data(150, 150)
    default = grasp.scores(small_residual(), batch)
    explicit = grasp.scores(small_residual(), batch, micro_batch=125, temperature=200.0)
    assert all(torch.equal(default[n], explicit[n]) for n in default)


def test_prune_removes_the_highest_scores_of_25_samples_a_class():
    model = small_residual()
    loader = data(600, 50)
    masks = prune("grasp", model, 0.8, loader, input_shape=(3, 8, 8))
    # Labels cycle 0, 1, 2, so the first 75 samples are 25 of each class, in round-robin order.
    images = torch.cat([b[0] for b in loader])[:75]
    scores = grasp.scores(model, (images, torch.arange(75) % 3))
    kept = torch.cat([scores[n][masks[n]] for n in masks])
    removed = torch.cat([scores[n][~masks[n]] for n in masks])
    assert float(kept.max()) <= float(removed.min())
    assert float(kept.min()) < 0  # signed scores, not moduli


def test_first_order_effect_on_the_gradient_norm():
    """Wang et al., eq. 8: removing weight q changes |g|^2 by about -2 w_q (H g)_q = 2 score_q."""
    model = small_residual().double().train()
    weights = {n: p.detach() for n, p in model.named_parameters() if p.dim() > 1}
    [(images, labels)] = data(30, 30, dtype=torch.float64)
    rest = (images, labels, 30, 1.0)
    scores = grasp.scores(model, (images, labels), micro_batch=30, temperature=1.0)

    def squared_norm(at):
        return sum(float((g**2).sum()) for g in gradients(model, at, *rest).values())

    name = "linear.weight"
    index = (0, 0)
    step = 1e-5  # a small part of the removal, since the statement is of first order
    at = {n: w.clone() for n, w in weights.items()}
    at[name][index] *= 1 - step
    change = (squared_norm(at) - squared_norm(weights)) / step
    assert change == pytest.approx(2 * float(scores[name][index]), rel=1e-3)
