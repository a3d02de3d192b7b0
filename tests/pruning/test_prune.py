"""What holds for all pruners alike."""

import copy
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import models
from models import prunable
from pruning import PRUNERS, PruningError, achieved_sparsity, prospr, prune, synflow
from pruning.as_released import prospr as released_prospr
from tests.pruning.small_nets import data, small_plain, small_residual

SHAPE = (3, 8, 8)
LOADER = data(600, 50)
PROSPR_BATCH = 160  # two micro-batches
EXACT = [name for name in PRUNERS if name not in ("er", "dense")]


@pytest.fixture(autouse=True)
def fewer_rounds_and_images(monkeypatch):
    """Nothing here depends on how many there are; `test_mask_hashes` has the masks of all."""
    monkeypatch.setattr(synflow, "ROUNDS", 10)
    for module in (prospr, released_prospr):
        monkeypatch.setattr(module, "BATCH_SIZE", PROSPR_BATCH)


def run(name, model, sparsity, **options):
    return prune(name, model, sparsity, LOADER, input_shape=SHAPE, **options)


def total_weights(model):
    return sum(module.weight.numel() for module in prunable(model).values())


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.98, 0.999])
@pytest.mark.parametrize("name", EXACT)
def test_exact_number_of_kept_weights(name, sparsity):
    model = small_residual()
    masks = run(name, model, sparsity)
    total = total_weights(model)
    assert sum(int(m.sum()) for m in masks.values()) == round((1 - sparsity) * total)
    assert abs(achieved_sparsity(masks) - sparsity) <= 0.001


@pytest.mark.parametrize("name", PRUNERS)
def test_masks_name_every_prunable_weight_in_order(name):
    model = small_plain()
    masks = run(name, model, 0.5)
    assert list(masks) == [f"{n}.weight" for n in prunable(model)]
    for layer, module in prunable(model).items():
        mask = masks[f"{layer}.weight"]
        assert mask.shape == module.weight.shape
        assert mask.dtype == torch.bool
        assert mask.device.type == "cpu"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", PRUNERS)
def test_the_model_and_the_global_generator_are_not_altered(name, training):
    model = small_residual().train(training)
    model.bn1.weight.grad = torch.full((4,), 7.0)
    before = copy.deepcopy(model.state_dict())
    random_state = torch.get_rng_state()
    run(name, model, 0.7)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training is training
    assert model.bn1.weight.grad.tolist() == [7.0] * 4
    assert all(p.grad is None for n, p in model.named_parameters() if n != "bn1.weight")
    assert all(p.requires_grad == (n != "linear.bias") for n, p in model.named_parameters())


@pytest.mark.parametrize("name", PRUNERS)
def test_same_seed_same_masks(name):
    first, second = (run(name, small_residual(), 0.8, seed=3) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("as_released", [False, True])
@pytest.mark.parametrize("name", PRUNERS)
def test_what_another_sparsity_has_kept_changes_no_mask(name, as_released):
    model, kept = small_residual(), {}
    alone = run(name, model, 0.5, seed=2, as_released=as_released)
    for sparsity in (0.9, 0.5):
        after = run(name, model, sparsity, seed=2, as_released=as_released, kept=kept)
    assert all(torch.equal(alone[key], after[key]) for key in alone)


@pytest.mark.parametrize("as_released", [False, True])
@pytest.mark.parametrize("name", [name for name, pruner in PRUNERS.items() if pruner.cost.once])
def test_what_is_said_to_be_scored_once_looks_at_its_images_once(name, as_released):
    kept = {}
    run(name, small_plain(), 0.5, as_released=as_released, kept=kept)
    prune(name, small_plain(), 0.9, [], input_shape=SHAPE, as_released=as_released, kept=kept)


@pytest.mark.parametrize("name", ["uniform", "er", "erk"])
def test_another_seed_other_masks(name):
    first, second = (run(name, small_residual(), 0.8, seed=seed) for seed in (0, 1))
    assert any(not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["snip", "grasp", "prospr", "synflow"])
def test_scores_depend_on_the_weights(name):
    first, second = (run(name, small_residual(seed), 0.8) for seed in (0, 1))
    assert any(not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", [n for n, p in PRUNERS.items() if p.needs_data])
def test_loader_batch_size_does_not_matter(name):
    model = small_residual()
    other = data(600, 600)
    first = prune(name, model, 0.8, LOADER, input_shape=SHAPE)
    second = prune(name, model, 0.8, other, input_shape=SHAPE)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["synflow", "snip", "grasp", "prospr"])
def test_progress_counts_up_to_its_total(name):
    seen = []
    run(name, small_residual(), 0.8, progress=lambda *report: seen.append(report))
    assert [done for done, _, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert len({total for _, total, _ in seen}) == 1
    assert all(text.startswith(name) for _, _, text in seen)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5, math.nan, math.inf, "much", None])
@pytest.mark.parametrize("name", ["dense", "snip"])
def test_sparsity_outside_its_range_is_refused_in_one_line(name, sparsity):
    with pytest.raises(ValueError, match=r"0 <= sparsity < 1") as refusal:
        run(name, small_plain(), sparsity)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", PRUNERS)
def test_data_are_read_only_where_they_are_needed(name):
    opened = []

    class Watched:
        def __iter__(self):
            opened.append(name)
            return iter(LOADER)

    prune(name, small_plain(), 0.5, Watched(), input_shape=SHAPE)
    assert bool(opened) == PRUNERS[name].needs_data


@pytest.mark.parametrize("name", PRUNERS)
def test_a_missing_loader_is_refused_only_where_data_is_needed(name):
    if PRUNERS[name].needs_data:
        with pytest.raises(ValueError, match=f"{name} needs data"):
            prune(name, small_plain(), 0.5, input_shape=SHAPE)
    else:
        prune(name, small_plain(), 0.5, input_shape=SHAPE)


def test_unknown_pruner_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"unknown pruner 'largest', choose from .*synflow"):
        prune("largest", small_plain(), 0.5)


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("snip", 100, "snip needs a batch of 128 samples, the loader has 100"),
        ("prospr", 150, f"prospr needs a batch of {PROSPR_BATCH} samples, the loader has 150"),
        ("grasp", 60, "grasp needs 25 samples of each of 3 classes"),
    ],
)
def test_too_little_data_is_refused(name, samples, message):
    with pytest.raises(ValueError, match=message):
        prune(name, small_plain(), 0.5, data(samples, 20), input_shape=SHAPE)


class Single(torch.nn.Module):
    """Puts its input into single precision, or its output."""

    def __init__(self, first):
        super().__init__()
        self.first, self.net = first, small_plain()

    def forward(self, images):
        return self.net(images.float()) if self.first else self.net(images).float()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["snip", "grasp", "prospr"])
def test_a_network_that_refuses_double_precision_is_refused_in_one_line(name, first):
    with pytest.raises(ValueError, match=r"cannot be run in torch\.float64 on images") as refusal:
        run(name, Single(first), 0.8)
    assert "\n" not in str(refusal.value)
    assert run("synflow", Single(False), 0.8)


def in_csr(model):
    model[-1].weight = torch.nn.Parameter(model[-1].weight.detach().to_sparse_csr())
    return model


IMAGES = torch.zeros(2, *SHAPE)
WITHOUT_LAYERS = {
    "scripted": (torch.jit.script, "the module that this was made of"),
    "a part": (lambda net: torch.nn.Sequential(torch.jit.script(net)), "module that this was made"),
    "a program": (lambda net: torch.export.export(net, (IMAGES,)), "module that this was made of"),
    "its module": (
        lambda net: torch.export.unflatten(torch.export.export(net, (IMAGES,))),
        "the module that this was made of",
    ),
    "quantised": (
        lambda net: torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}),
        r"9 \(Linear\) is quantised: prune what models\.plain",
    ),
    "sparse": (in_csr, r"11\.weight is sparse: prune what models\.plain"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", WITHOUT_LAYERS)
def test_networks_whose_weights_no_mask_can_set_are_refused_in_one_line(made):
    make, said = WITHOUT_LAYERS[made]
    model = make(small_plain().eval())
    for name in ("uniform", "synflow"):
        with pytest.raises(PruningError, match=said) as refusal:
            run(name, model, 0.5)
        assert "\n" not in str(refusal.value)
    if "plain" in said:
        masks = run("synflow", models.plain(model), 0.5)
        assert list(masks) == [f"{name}.weight" for name in prunable(small_plain())]


def test_prospr_reads_a_short_loader_again():
    masks = prune("prospr", small_plain(), 0.5, data(600, 64), input_shape=SHAPE)
    assert achieved_sparsity(masks) == pytest.approx(0.5, abs=0.001)


def test_dense_keeps_everything():
    masks = run("dense", small_plain(), 0.9)
    assert all(bool(m.all()) for m in masks.values())
    assert achieved_sparsity(masks) == 0.0


def test_the_registry_imports_no_torch():
    """So that --help and refusals are instant."""
    code = "import pruning, sys; assert pruning.PRUNERS; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_the_package_names_only_what_it_has():
    import pruning

    assert all(getattr(pruning, name) is not None for name in pruning.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'halving'"):
        _ = pruning.halving
