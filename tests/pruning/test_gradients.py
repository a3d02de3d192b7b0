"""The Hessian-vector product, in float64, against differences of gradients."""

import torch
from numpy.testing import assert_allclose
from torch import nn

from pruning.gradients import gradient, hessian_vector_product
from pruning.weights import prunable_weights
from tests.pruning.small_nets import data, small_plain, small_residual


def setting(build=small_residual, samples=24):
    model = build().double().train()
    [batch] = data(samples, samples, dtype=torch.float64)
    return model, prunable_weights(model), batch


def test_gradient_is_that_of_the_weighted_micro_batches():
    model, weights, (images, labels) = setting(samples=20)
    got = gradient(model, weights, (images, labels), micro_batch=8, temperature=3.0)
    loss = 0.0
    for start, stop in ((0, 8), (8, 16), (16, 20)):
        logits = model(images[start:stop]) / 3.0
        loss = loss + nn.functional.cross_entropy(logits, labels[start:stop], reduction="sum") / 20
    expected = torch.autograd.grad(loss, list(weights.values()))
    for name, e in zip(weights, expected):
        assert_allclose(got[name], e, rtol=1e-10, atol=1e-14)


def test_without_batch_norm_micro_batches_do_not_matter():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).double()
    weights = prunable_weights(model)
    [batch] = data(20, 20, dtype=torch.float64)
    whole, cut = (gradient(model, weights, batch, micro_batch=size) for size in (20, 6))
    products = [
        hessian_vector_product(model, weights, whole, batch, micro_batch=s) for s in (20, 6)
    ]
    for name in weights:
        assert_allclose(whole[name], cut[name], rtol=1e-9, atol=1e-12)
        assert_allclose(products[0][name], products[1][name], rtol=1e-9, atol=1e-12)


def test_hessian_vector_product_equals_the_derivative_of_the_gradient():
    for build in (small_residual, small_plain):
        model, weights, batch = setting(build)
        generator = torch.Generator().manual_seed(2)
        vector = {
            n: torch.randn(w.shape, generator=generator, dtype=w.dtype) for n, w in weights.items()
        }
        product = hessian_vector_product(model, weights, vector, batch, micro_batch=8)
        h = 1e-6
        ahead, behind = (
            gradient(
                model,
                {n: w.detach() + sign * h * vector[n] for n, w in weights.items()},
                batch,
                micro_batch=8,
            )
            for sign in (1, -1)
        )
        for name in weights:
            difference = (ahead[name] - behind[name]) / (2 * h)
            assert float(difference.abs().max()) > 0
            assert_allclose(product[name], difference, rtol=1e-5, atol=1e-6)


def test_dropout_is_the_same_for_a_gradient_and_its_product_with_the_hessian():
    """So the product is the derivative of that very gradient; the noise is no constant, though."""
    torch.manual_seed(3)
    model = nn.Sequential(
        *(nn.Flatten(), nn.Linear(192, 20), nn.Tanh(), nn.Dropout(0.5), nn.Linear(20, 3))
    ).double()
    weights, [batch] = prunable_weights(model), data(20, 20, dtype=torch.float64)
    vector = {name: torch.randn_like(w) for name, w in weights.items()}
    state = torch.get_rng_state()
    product = hessian_vector_product(model, weights, vector, batch, micro_batch=8)
    h = 1e-6
    ahead, behind = (
        gradient(
            model,
            {n: w.detach() + s * h * vector[n] for n, w in weights.items()},
            batch,
            micro_batch=8,
        )
        for s in (1, -1)
    )
    for name in weights:
        assert_allclose(product[name], (ahead[name] - behind[name]) / (2 * h), rtol=1e-5, atol=1e-8)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    other = gradient(model, weights, batch, micro_batch=8)
    assert not torch.equal(
        other["1.weight"], gradient(model.eval(), weights, batch, micro_batch=8)["1.weight"]
    )
