"""Training with masks, and accuracy."""

import copy
import io
import math
import re

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import models
from datasets import batches
from datasets.digits import load_digits
from datasets.images import ImageDataset
from models.initialisation import initialise
from training import loop
from training.loop import TrainingError, evaluate, train

SETTINGS = {"lr": 0.1, "milestones": [2], "weight_decay": 1e-2, "progress": False}


pytestmark = pytest.mark.usefixtures("one_thread")


def small_network(seed=0):
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 5),
    )
    initialise(model, seed)
    return model


def random_masks(model, density=0.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{key}.weight": torch.rand(module.weight.shape, generator=generator) < density
        for key, module in models.prunable(model).items()
    }


def random_images(count=36, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, 8, 8, generator=generator)
    labels = torch.randint(5, (count,), generator=generator)
    return ImageDataset(images, labels, (0.5,) * 3, (0.5,) * 3)


def whole(dataset):
    """All of a dataset as one batch."""
    return dataset.__getitems__(list(range(len(dataset))))


class Watched:
    """A loader that looks at the masked weights before each batch, hence after each step."""

    def __init__(self, loader, model, masks):
        self.loader, self.model, self.masks = loader, model, masks
        self.looked = 0

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        for batch in self.loader:
            for name, mask in self.masks.items():
                assert not self.model.get_parameter(name)[~mask].any()
            self.looked += 1
            yield batch


def test_removed_weights_are_zero_after_every_step():
    model = small_network()
    masks = random_masks(model)
    assert any(model.get_parameter(name)[~mask].any() for name, mask in masks.items())
    before = {name: model.get_parameter(name).detach().clone() for name in masks}
    loader = Watched(batches(random_images(), 8), model, masks)
    train(model, masks, loader, batches(random_images(), 36), epochs=3, **SETTINGS)
    assert loader.looked == 3 * 5
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        assert not weight[~mask].any()
        assert (weight != before[name])[mask].all()


@pytest.mark.parametrize(
    ("mixed", "remedy"), [(False, "--lr$"), (True, "--lr, or --single-precision: .*65,504$")]
)
def test_the_remedy_of_a_training_that_diverges(mixed, remedy):
    """Where float16 may be to blame, that is said."""
    model, settings = small_network(), SETTINGS | {"lr": 1e30, "mixed": mixed}
    loaders = batches(random_images(), 8), [whole(random_images(8))]
    with pytest.raises(TrainingError, match=remedy):
        train(model, random_masks(model), *loaders, epochs=2, **settings)


def test_removed_weights_are_zero_even_when_training_diverges():
    model = small_network()
    masks = random_masks(model)
    settings = SETTINGS | {"lr": 1e30}
    with pytest.raises(TrainingError, match=r"diverged in epoch 1 \(loss nan\): .* smaller --lr"):
        train(
            model,
            masks,
            batches(random_images(), 8),
            [whole(random_images(8))],
            epochs=2,
            **settings,
        )
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        assert not weight[mask].isfinite().all()
        assert (weight[~mask] == 0).all()


def test_equals_descent_on_the_kept_weights_alone():
    """SGD written out on the composed function weight -> loss(weight * mask), in float64."""
    model = small_network().double()
    masks = random_masks(model)
    data = [
        (images.double(), labels) for images, labels in batches(random_images(), 12, shuffle=False)
    ]
    reference = copy.deepcopy(model)
    weights = {
        name: (value.detach() * masks.get(name, True)).requires_grad_()
        for name, value in reference.named_parameters()
        if value.requires_grad
    }
    velocity = {name: torch.zeros_like(value) for name, value in weights.items()}
    for rate in (0.1, 0.1, 0.01):
        for images, labels in data:
            kept = {name: value * masks.get(name, True) for name, value in weights.items()}
            loss = F.cross_entropy(functional_call(reference, kept, (images,)), labels)
            gradients = torch.autograd.grad(loss, list(weights.values()))
            for (name, value), gradient in zip(weights.items(), gradients, strict=True):
                velocity[name] = 0.9 * velocity[name] + gradient + 1e-2 * value.detach()
                weights[name] = (value.detach() - rate * velocity[name]).requires_grad_()

    train(model, masks, data, data, epochs=3, **SETTINGS)
    for name, value in weights.items():
        torch.testing.assert_close(model.get_parameter(name), value, rtol=1e-9, atol=1e-12)
    assert not model[4].bias.any()


def test_same_seed_same_weights_and_global_state_left_alone():
    results = []
    for seed in (1, 1, 2):
        model, test = small_network(), [whole(random_images(36))]
        state = torch.random.get_rng_state()
        loader = batches(random_images(), 8, seed=seed)
        train(model, random_masks(model), loader, test, epochs=2, **SETTINGS)
        assert torch.equal(torch.random.get_rng_state(), state)
        results.append(model.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])
    assert not torch.equal(results[0]["0.weight"], results[2]["0.weight"])


def test_epochs_are_the_same_whatever_was_read_before():
    """A pruner may have read from the loader; training still begins with epoch 0."""
    results = []
    for used in (False, True):
        model, loader = small_network(), batches(random_images(), 8)
        if used:
            next(iter(loader))
        train(model, {}, loader, [whole(random_images(36))], epochs=1, **SETTINGS)
        results.append(model.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_learns_the_digits():
    """A dense Resnet-20 is far better than chance on unseen digits after 40 steps."""
    images, labels = load_digits(train=True).__getitems__(list(range(640)))
    images = images[:, :, ::4, ::4]  # as large as the digits are
    part = ImageDataset(images, labels, (0,) * 3, (1,) * 3)
    test_images, test_labels = load_digits(train=False).__getitems__(list(range(200)))
    test_images = test_images[:, :, ::4, ::4]
    model = models.build("Resnet-20", 10)
    before = evaluate(model, [(test_images, test_labels)])
    accuracy = train(
        model,
        {},
        batches(part, 32),
        [(test_images, test_labels)],
        epochs=2,
        lr=0.05,
        milestones=[1],
        weight_decay=1e-4,
        progress=False,
    )
    assert before < 0.3
    assert accuracy > 0.6
    pieces = zip(test_images.split(70), test_labels.split(70), strict=True)
    assert accuracy == evaluate(model, pieces)


def test_evaluate_counts_and_restores_the_mode():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(3, 3))
    with torch.no_grad():
        model[2].weight.copy_(torch.eye(3))
        model[2].bias.zero_()
    images = torch.eye(3).reshape(3, 3, 1, 1)
    loader = [(images, torch.tensor([0, 1, 0])), (images[:1], torch.tensor([2]))]
    model.train()
    assert evaluate(model, loader) == 2 / 4
    assert model.training
    model.eval()
    assert evaluate(model, loader, "cpu") == 2 / 4
    assert not model.training


def test_no_epochs_only_measure():
    model = small_network()
    before = copy.deepcopy(model.state_dict())
    test_batch = whole(random_images(36))
    accuracy = train(model, {}, batches(random_images(), 8), [test_batch], epochs=0, **SETTINGS)
    assert accuracy == evaluate(model, [test_batch])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_progress_bar(capsys):
    model = small_network()
    settings = SETTINGS | {"progress": True}
    train(model, {}, batches(random_images(), 8), [whole(random_images(36))], epochs=2, **settings)
    shown = capsys.readouterr().err
    for part in ("epoch 2/2", "loss=", "accuracy=", "test="):
        assert part in shown
    assert re.search(r" 5/10 \[\d\d:\d\d<\d\d:\d\d, ", shown)  # time that it took, and that is left
    train(model, {}, batches(random_images(), 8), [whole(random_images(36))], epochs=2, **SETTINGS)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [float("nan"), float("inf")])
@pytest.mark.parametrize("spoilt", ["loss", "weight"])
def test_an_epoch_that_diverges_ends_training_unseen(tmp_path, monkeypatch, kind, spoilt):
    """The second epoch: the first one is watched and in the checkpoint."""
    model, watched, file = small_network(), [], tmp_path / "a.pt"
    train_epoch = loop._train_epoch

    def spoil(*args):
        loss, accuracy = train_epoch(*args)
        if watched and spoilt == "weight":
            with torch.no_grad():
                model[0].weight[0, 0, 0, 0] = kind
        return loss * kind if watched and spoilt == "loss" else loss, accuracy

    monkeypatch.setattr(loop, "_train_epoch", spoil)
    with pytest.raises(TrainingError, match=r"^training diverged in epoch 2 \(loss .*\): .*--lr$"):
        train(
            model,
            {},
            batches(random_images(), 8),
            [whole(random_images(8))],
            epochs=3,
            checkpoint=file,
            watch=watched.append,
            **SETTINGS,
        )
    assert [row["epoch"] for row in watched] == [1]
    state = torch.load(io.BytesIO(file.read_bytes()[32:]))
    assert state["epoch"] == 1
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


class Forward(nn.Module):
    """A network that is a function of images, with a weight to train."""

    def __init__(self, function):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.ones(5))

    def forward(self, images):
        return self.function(images, self.weight)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda images, weight: images.mean((1, 2, 3))[:, None] * weight, "has 5 outputs, too few"),
        (lambda images, weight: images[:, :, 0], "a row of numbers an image"),
        (lambda images, weight: (images.flatten(1), weight), "a row of numbers an image"),
        (
            lambda images, weight: images[0, 0] @ weight,
            "on images of 3 x 8 x 8, torch.float32: size",
        ),
    ],
)
@pytest.mark.parametrize("mode", [False, True])
def test_a_network_that_does_not_fit_is_refused_before_training(function, message, mode):
    model = Forward(function).train(mode)
    with pytest.raises(TrainingError, match=message):
        train(model, {}, [], [whole(random_images(8))], epochs=1, classes=6, **SETTINGS)
    assert model.training == mode
    assert (model.weight == 1).all()


def test_more_outputs_than_classes_are_no_fault():
    model = small_network()
    test = [whole(random_images(8))]
    train(model, {}, batches(random_images(), 8), test, epochs=1, classes=5, **SETTINGS)
    train(model, {}, batches(random_images(), 8), test, epochs=1, classes=4, **SETTINGS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.complex64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3, 2, 2)])
def test_a_fingerprint_of_tensors_of_any_type(dtype, shape):
    tensor = torch.arange(24)[: math.prod(shape)].reshape(shape).to(dtype)
    found = loop._digest({"a": tensor})
    others = [{"b": tensor}, {"a": tensor.to(torch.complex128)}, {"a": tensor[None]}]
    others += [{"a": tensor.flip(0) if shape else ~tensor.bool()}] if tensor.numel() else []
    assert found not in map(loop._digest, others)
    if len(shape) == 4:
        assert found == loop._digest({"a": tensor.to(memory_format=torch.channels_last)})


def test_a_network_of_bfloat16_is_trained_and_goes_on(tmp_path):
    """One that takes the images as they come; its checkpoint is that of its weights."""

    def network():
        return nn.Sequential(Forward(lambda images, weight: images.bfloat16()), small_network())

    results = []
    for epochs in (2, 2):
        model = network().bfloat16()
        loader, test = batches(random_images(), 8), [whole(random_images(8))]
        train(model, {}, loader, test, epochs=epochs, checkpoint=tmp_path / "a.pt", **SETTINGS)
        results.append(model.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_on_cuda_the_accuracy_is_measured_without_tf32(monkeypatch):
    """Without CUDA: what would be set there, and that it is set around the forward pass."""
    before = torch.backends.cudnn.allow_tf32
    with loop.repeatable("cuda"):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.allow_tf32 == before
    with loop.repeatable("cpu"):
        assert torch.backends.cudnn.allow_tf32 == before

    seen = []
    repeatable, model = loop.repeatable, small_network()
    monkeypatch.setattr(loop, "repeatable", lambda device: repeatable("cuda"))
    model.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    evaluate(model, [whole(random_images(8))])
    assert seen == [False]


@pytest.mark.parametrize(
    ("masks", "epochs", "count", "message"),
    [
        ({"7.weight": torch.ones(1, dtype=torch.bool)}, 1, 8, "names no parameter"),
        ({"0.weight": torch.ones(1, dtype=torch.bool)}, 1, 8, "has shape"),
        ({}, -1, 8, "must not be negative"),
        ({}, 1, 0, "empty"),
    ],
)
def test_refused(masks, epochs, count, message):
    loader = batches(random_images(count), 8) if count else []
    with pytest.raises(ValueError, match=message):
        train(small_network(), masks, loader, [whole(random_images(8))], epochs=epochs, **SETTINGS)
