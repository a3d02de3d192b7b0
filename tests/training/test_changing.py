"""Training with masks that change."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pruning
from datasets import batches
from pruning import PRUNERS, achieved_sparsity
from pruning.in_time.schedule import AVERAGE, GRADIENT, Schedule
from tests.training.test_checkpoints import Interrupted, Killed, equal, images, network
from training import changing, loop
from training.changing import VISIBLE, Changing
from training.loop import TrainingError, train

NAMES = [name for name, pruner in PRUNERS.items() if pruner.in_time]
EPOCHS, STEPS = 4, 3
SETTINGS = {"lr": 0.1, "milestones": [2], "weight_decay": 1e-2, "progress": False}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def steps(monkeypatch):
    """Every step of a training, looked at when it is done."""
    seen, take = [], Changing.step

    def step(self):
        before = {name: mask.clone() for name, mask in self.masks.items()}
        take(self)
        velocities = {
            name: self.optimizer.state[weight]["momentum_buffer"]
            for name, weight in self.weights.items()
        }
        for name, mask in self.masks.items():
            for tensor in (self.model.get_parameter(name).detach(), velocities[name]):
                assert not tensor[~mask].any()
                assert not tensor[mask & ~before[name]].any()  # what has grown
        seen.append((before, {name: mask.clone() for name, mask in self.masks.items()}))

    monkeypatch.setattr(Changing, "step", step)
    return seen


def trained(name, checkpoint=None, *, at=None, change=None, **options):
    """Weights, accuracy, what was watched, the masks at the end and at the start."""
    model, watched = network(), []
    masks = pruning.prune(name, model, 0.5, seed=3)
    start = dict(masks)
    accuracy = train(
        model,
        masks,
        Interrupted(batches(images(), 8), at),
        batches(images(), 24, shuffle=False),
        change=change or PRUNERS[name].change,
        checkpoint=checkpoint,
        watch=watched.append,
        seed=3,
        **({"epochs": EPOCHS} | SETTINGS | options),
    )
    return copy.deepcopy(model.state_dict()), accuracy, watched, masks, start


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_as_many_weights_are_kept_after_every_step(steps, name, mixed):
    weights, _, watched, masks, start = trained(name, mixed=mixed)
    assert len(steps) == EPOCHS * STEPS
    many = {sum(int(mask.sum()) for mask in after.values()) for _, after in steps}
    assert many == {sum(int(mask.sum()) for mask in start.values())}
    assert achieved_sparsity(masks) == achieved_sparsity(start)
    assert any(not torch.equal(masks[key], start[key]) for key in masks)
    for key, mask in masks.items():
        assert torch.equal(weights[key] != 0, mask)
        assert torch.equal(steps[-1][1][key], mask)

    ever, moved = {key: mask.clone() for key, mask in start.items()}, []
    for before, after in steps:
        moved.append(sum(int((after[key] & ~before[key]).sum()) for key in ever))
        ever = {key: ever[key] | after[key] for key in ever}
    total = sum(mask.numel() for mask in ever.values())
    assert [row["moved"] for row in watched] == [
        sum(moved[k * STEPS : (k + 1) * STEPS]) for k in range(EPOCHS)
    ]
    assert watched[-1]["ever_active"] == sum(int(m.sum()) for m in ever.values()) / total


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_stopped_and_gone_on(tmp_path, name, mixed):
    whole = trained(name, mixed=mixed)
    for at in (4, 8, 10):
        file = tmp_path / f"{at}.pt"
        with pytest.raises(Killed):
            trained(name, file, at=at, mixed=mixed)
        again = trained(name, file, mixed=mixed)
        assert equal(again, whole)
        assert again[2] == whole[2][at // STEPS :]
        assert all(torch.equal(again[3][key], mask) for key, mask in whole[3].items())
    finished = trained(name, file, mixed=mixed)
    assert equal(finished, whole) and not finished[2]
    assert all(torch.equal(finished[3][key], mask) for key, mask in whole[3].items())


def test_the_checkpoint_of_another_method_is_not_used(tmp_path):
    trained("set", tmp_path / "a.pt")
    assert equal(trained("rigl", tmp_path / "a.pt"), trained("rigl"))


def one_step(name, schedule, mixed=False):
    """A network after three steps, and the arguments and results of each update."""
    calls = []

    def update(layers, fraction, draw, carried):
        found = PRUNERS[name].change.update(layers, fraction, draw, carried)
        copied = [
            layer._replace(
                mask=layer.mask.clone(),
                weight=layer.weight.clone(),
                slope=None if layer.slope is None else layer.slope.clone(),
            )
            for layer in layers
        ]
        calls.append((copied, fraction, found[0]))
        return found

    change = pruning.Change(name, schedule, update)
    found = trained(name, change=change, epochs=1, mixed=mixed, lr=0.05)
    return found, calls


def dense_gradients(model, batch):
    """By autograd, of the composed function of all weights."""
    weights = {key: value for key, value in model.named_parameters() if value.requires_grad}
    images, labels = batch
    torch.manual_seed(loop._seed(3, 0))
    loss = F.cross_entropy(model(images), labels)
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


def pruned_network():
    model = network()
    masks = pruning.prune("rigl", model, 0.5, seed=3)
    pruning.apply_masks(model, masks)
    return model, masks


@pytest.mark.parametrize("mixed", [False, True])
def test_rigl_grows_by_the_gradient_of_the_dense_layer(mixed):
    """In the place of the first step: weights and gradients are those of the start."""
    plan = Schedule(0.4, {0: 1}, until=0.4, needs=GRADIENT, in_place_of_step=True)
    _, calls = one_step("rigl", plan, mixed)
    model, masks = pruned_network()
    loader = batches(images(), 8)
    loader.set_epoch(0)
    gradients = dense_gradients(model, next(iter(loader)))
    ((layers, fraction, found),) = calls
    assert fraction == 0.4
    for layer, mask in zip(layers, found, strict=True):
        weight = model.get_parameter(layer.name).detach()
        assert torch.equal(layer.weight, weight)
        tolerance = {"rtol": 3e-2, "atol": 1e-2} if mixed else {"rtol": 1e-5, "atol": 1e-7}
        torch.testing.assert_close(layer.slope, gradients[layer.name], **tolerance)
        flat, old = abs(layer.slope.numpy().ravel()), masks[layer.name].numpy().ravel()
        count = int(0.4 * old.sum())
        left = old.copy()
        smallest = np.argsort(np.where(old, abs(weight.numpy().ravel()), np.inf))[:count]
        left[smallest] = False
        free = np.where(left, -1, flat)
        assert set(np.argsort(-free)[:count]) == set(np.flatnonzero(mask.numpy().ravel() & ~left))


@pytest.mark.parametrize("mixed", [False, True])
def test_the_average_is_of_all_gradients_so_far(monkeypatch, mixed):
    """Also those of removed weights, and in their own units where they are scaled."""
    seen, take = [], Changing._average

    def look(self, finite):
        seen.append({name: weight.grad.clone() for name, weight in self.weights.items()})
        take(self, finite)

    monkeypatch.setattr(Changing, "_average", look)
    _, calls = one_step("snfs", Schedule(0.4, {0: 2}, needs=AVERAGE), mixed)
    ((layers, _, _),) = calls
    model = network()
    masks = pruning.prune("snfs", model, 0.5, seed=3)
    pruning.apply_masks(model, masks)
    loader = batches(images(), 8)
    loader.set_epoch(0)
    gradients = dense_gradients(model, next(iter(loader)))
    for layer in layers:
        one, two = (step[layer.name] for step in seen[:2])
        tolerance = {"rtol": 3e-2, "atol": 1e-2} if mixed else {"rtol": 1e-5, "atol": 1e-7}
        torch.testing.assert_close(one, gradients[layer.name], **tolerance)
        torch.testing.assert_close(layer.slope, 0.9 * one + two)
        assert layer.slope[~masks[layer.name]].any()


@pytest.mark.parametrize("name", ["rigl", "snfs"])
def test_gradients_that_overflow_are_not_used(name, monkeypatch):
    """A scale that is too large: the step is skipped, and no update is made of it."""
    scaled = torch.amp.GradScaler
    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda *args, **kw: scaled(*args, init_scale=2.0**120, **kw)
    )
    weights, _, watched, masks, start = trained(name, mixed=True, epochs=60, lr=0.01)
    assert all(value.isfinite().all() for value in weights.values())
    assert achieved_sparsity(masks) == achieved_sparsity(start)
    assert sum(row["moved"] for row in watched[:6]) == 0 or name == "snfs"
    assert sum(row["moved"] for row in watched) > 0


def test_a_weight_without_gradient_is_seen_in_the_end():
    """A channel that nothing reads: what grows into it stays zero, and is kept all the same."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(4 * 36, 5))
    masks = {"0.weight": torch.ones(4, 3, 3, 3) > 0, "2.weight": torch.ones(5, 144) > 0}
    masks["2.weight"][:, 36:72] = False
    masks["0.weight"][1] = False

    def update(layers, fraction, draw, carried):
        found = [layer.mask.clone() for layer in layers]
        found[0][1], found[0][2, 0] = True, False
        return found, carried

    change = pruning.Change("mine", Schedule(0.1), update)
    loader = batches(images(), 8)
    train(model, masks, loader, loader, epochs=2, change=change, **SETTINGS)
    grown = model.get_parameter("0.weight")[1]
    assert masks["0.weight"][1].all() and (grown == VISIBLE).all()
    assert torch.tensor(VISIBLE).square() > torch.finfo(torch.float32).tiny


def test_frozen_layers_keep_their_masks():
    model = network()
    model.get_parameter("0.weight").requires_grad_(False)
    masks = pruning.prune("set", model, 0.5)
    start = dict(masks)
    loader = batches(images(), 8)
    train(model, masks, loader, loader, epochs=2, change=PRUNERS["set"].change, **SETTINGS)
    assert torch.equal(masks["0.weight"], start["0.weight"])
    assert not torch.equal(masks["5.weight"], start["5.weight"])


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_that_is_not_used_is_no_fault(name):
    model = network()
    model.unused = nn.Linear(6, 6)
    model.forward = nn.Sequential(*list(model)[:-1]).forward
    masks = pruning.prune(name, model, 0.5)
    before = sum(int(mask.sum()) for mask in masks.values())
    loader = batches(images(), 8)
    options = SETTINGS | {"mixed": True, "epochs": 3, "change": PRUNERS[name].change}
    train(model, masks, loader, loader, **options)
    assert sum(int(mask.sum()) for mask in masks.values()) == before


def test_too_short_a_training_is_refused():
    with pytest.raises(TrainingError, match=r"too short for its masks to change: .* --epochs"):
        trained("set", epochs=1)


def test_an_epoch_waits_for_nothing_but_an_update(monkeypatch):
    """On torch's ``meta`` device there are no values: whoever asks for one raises."""
    model = network().to("meta")
    masks = {n: torch.ones(p.shape) > 0 for n, p in model.named_parameters() if p.ndim > 1}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for weight in model.parameters():
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        weight.grad = torch.zeros_like(weight)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    change = PRUNERS["snfs"].change
    monkeypatch.setattr(Changing, "_finite", lambda self: torch.ones((), device="meta") > 0)
    step = changing.Changing(change, model, masks, optimizer, scaler, 20, 10, 0).begin()
    for _ in range(9):
        step()
    with pytest.raises((RuntimeError, NotImplementedError)):
        step()
