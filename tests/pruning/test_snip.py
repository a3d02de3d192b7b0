import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.func import functional_call

from pruning import prune, snip
from tests.pruning.small_nets import data, small_residual


def sensitivities(model, images, labels):
    """|d loss / d c| with an explicit mask c on every weight, from the definition of SNIP."""
    model.train()
    names = [n for n, p in model.named_parameters() if p.dim() > 1]
    weights = {n: p.detach() for n, p in model.named_parameters() if n in names}
    c = {n: torch.ones_like(w, requires_grad=True) for n, w in weights.items()}
    logits = functional_call(model, {n: c[n] * weights[n] for n in names}, (images,))
    nn.functional.cross_entropy(logits, labels).backward()
    return {n: c[n].grad.abs() for n in names}


def test_scores_equal_autograd_on_an_explicit_mask():
    [(images, labels)] = data(128, 128, dtype=torch.float64)
    got = snip.scores(small_residual().double(), (images, labels))
    expected = sensitivities(small_residual().double(), images, labels)
    assert got.keys() == expected.keys()
    for name, score in got.items():
        assert float(score.max()) > 0
        assert_allclose(score, expected[name], rtol=1e-9, atol=1e-12)


def test_scores_use_the_statistics_of_the_batch_whatever_the_mode_of_the_model():
    [batch] = data(128, 128)
    shifted = small_residual().eval()
    shifted.bn1.running_mean += 5.0
    first, second = snip.scores(small_residual(), batch), snip.scores(shifted, batch)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_prune_keeps_the_highest_scores_of_the_first_128_samples():
    masks = prune("snip", small_residual(), 0.8, data(600, 50), input_shape=(3, 8, 8))
    batches = data(600, 50)
    images = torch.cat([b[0] for b in batches])[:128]
    labels = torch.cat([b[1] for b in batches])[:128]
    expected = sensitivities(small_residual(), images, labels)
    kept = torch.cat([expected[n][masks[n]] for n in masks])
    removed = torch.cat([expected[n][~masks[n]] for n in masks])
    assert float(kept.min()) >= float(removed.max()) * (1 - 1e-4)
