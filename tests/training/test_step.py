"""A step of training: what stays zero, what is recorded, and that nothing waits."""

import contextlib

import pytest
import torch
from torch import nn

import models
import pruning
from datasets import batches
from datasets.augmentation import Augmentation
from datasets.images import ImageDataset
from datasets.resident import Resident
from models.initialisation import initialise
from training import loop, step
from training.loop import TrainingError, train

SETTINGS = {"lr": 0.1, "milestones": [1], "weight_decay": 1e-2, "progress": False}


def network():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 5),
    )
    initialise(model, 0)
    return model


def images(count=20):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, 8, 8), generator=generator).to(torch.uint8)
    labels = torch.randint(5, (count,), generator=generator)
    return ImageDataset(pixels, labels, (0.5,) * 3, (0.5,) * 3, Augmentation(1, True, (-1.0,) * 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_is_removed_is_zero_and_the_rest_keeps_every_bit(dtype, layout):
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 3.0])
    weight = nn.Parameter(special.repeat(4).reshape(2, 3, 2, 2).to(dtype, memory_format=layout))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    velocity = special.flip(0).repeat(4).reshape(2, 3, 2, 2).to(dtype)
    optimizer.state[weight]["momentum_buffer"] = velocity
    gone = torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    width = step.INTEGERS[weight.element_size()]
    before = [tensor.detach().clone().view(width) for tensor in (weight, velocity)]
    step.zero_removed(*step.bits([(weight, gone)], optimizer))
    for tensor, old in zip((weight, velocity), before, strict=True):
        assert torch.equal(tensor.detach().view(width), old.masked_fill(gone, 0))


@pytest.mark.parametrize("first", [1.0, float("inf")])
def test_the_fused_optimizer_is_the_other_one(first):
    """Also where the first step of scaled gradients is skipped: it would find no momentum."""
    results = []
    for fused in (False, True):
        weight = nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3))
        optimizer = torch.optim.SGD([weight], 0.1, momentum=0.9, weight_decay=0.01, fused=fused)
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        for factor in (first, 2.0, -1.0):
            optimizer.zero_grad()
            scaler.scale((weight**2).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
        results.append((weight.detach(), optimizer.state[weight]["momentum_buffer"]))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_an_epoch_waits_for_nothing(monkeypatch):
    """On torch's ``meta`` device there are no values: whoever asks for one raises."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # of no meta
    model = models.build("Resnet-20", 5)
    masks = pruning.prune("uniform", model, 0.5)
    model.to("meta", memory_format=torch.channels_last)
    dataset = images()
    trained = list(model.parameters())
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    loss, accuracy = loop._train_epoch(
        step.computing(model, optimizer, scaler),
        step.stepping(optimizer, scaler, step.bits(pruning.removed(model, masks), optimizer)),
        Resident(batches(dataset, 8), dataset, "meta"),
        torch.device("meta"),
        loop.tqdm(disable=True),
        None,
    )
    assert (loss.shape, accuracy.shape) == ((), ())
    with pytest.raises((RuntimeError, NotImplementedError)):
        loss.item()


class Graph:
    """Stands for a CUDA graph of `test_recorded_steps_are_the_steps`: its work, on its memory."""

    made = ()

    def __init__(self):
        Graph.made = (*Graph.made, self)

    def replay(self):
        images, labels, loss, count, gradient, weight = self.memory
        gradient.copy_((images * labels[:, None]).sum(0))
        loss.copy_((images @ weight * labels).sum())
        count.copy_(labels.sum())


def test_recorded_steps_are_the_steps(monkeypatch):
    """Without CUDA: when one is recorded, and what is copied to and fro."""
    weight, calls = nn.Parameter(torch.ones(3)), []

    def compute(images, labels):
        calls.append(len(images))
        weight.grad = None
        loss = (images @ weight * labels).sum()
        loss.backward()
        return loss.detach(), labels.sum()

    def remembered(images, labels):
        found = compute(images, labels)
        if Graph.made:
            Graph.made[-1].memory = (images, labels, *found, weight.grad, weight.detach())
        return found

    @contextlib.contextmanager
    def record(graph, stream):
        assert weight.grad is None
        yield

    monkeypatch.setattr(Graph, "made", ())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    run, draw = step.replayed(remembered, [weight]), torch.Generator().manual_seed(0)
    recorded = []
    for size in (5, 5, 5, 2, 5, 5, 2, 5):
        batch = torch.rand(size, 3, generator=draw), torch.rand(size, generator=draw)
        calls.clear()
        memory = [graph.memory for graph in Graph.made]
        loss, count = (value.clone() for value in run(*batch))
        recorded.append(not calls)
        for graph, held in zip(Graph.made, memory, strict=False):
            graph.memory = held  # what a step that is not recorded did is none of its
        gradient = weight.grad.clone()
        wanted = compute(*batch)
        torch.testing.assert_close((loss, count, gradient), (*wanted, weight.grad))
    assert recorded == [False] * 5 + [True, False, True]  # the fourth of five is being recorded
    assert len(Graph.made) == 1


def train_compiled(monkeypatch, backend, count=20):
    """Train with a backend of torch's compiler that needs none; the weights."""
    compile = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda model, dynamic: compile(model, dynamic=dynamic, backend=backend)
    )
    model, dataset = network(), images(count)
    torch.compiler.reset()
    train(model, {}, batches(dataset, 8), batches(dataset, 8), epochs=2, compile=True, **SETTINGS)
    return model.state_dict()


def test_a_compiled_network_is_the_same_network(monkeypatch):
    """Compiled for whole batches only: of 20 images the last 4 come as they are."""
    sizes, plain = [], network()

    def backend(module, inputs):
        return lambda *args: sizes.append(len(args[-1])) or module(*args)

    found = train_compiled(monkeypatch, backend)
    train(plain, {}, batches(images(), 8), batches(images(), 8), epochs=2, **SETTINGS)
    assert len(sizes) == 4
    assert all(torch.equal(found[key], value) for key, value in plain.state_dict().items())


def test_what_cannot_be_compiled_is_one_line(monkeypatch):
    def backend(module, inputs):
        raise RuntimeError("no compiler\nis here")

    with pytest.raises(TrainingError, match=r"^the network cannot be compiled here .*--compile$"):
        train_compiled(monkeypatch, backend)
