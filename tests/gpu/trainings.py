"""Training: how fast, and the same as ever."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import models
import pruning
import training
from datasets import batches
from datasets.resident import Resident
from system.compute import repeatable

from .data import digits, like_cifar
from .row import Row, guarded, taken

SPARSITY = 0.9
IMAGES, TINY_IMAGES = (50_000, 10_000), (150, 20)
"""To train and to test, as CIFAR has them."""
TARGET = 1.5
NOISE = 4
"""Standard errors that two accuracies of one network may be apart."""


class Killed(Exception):
    """Stands for a kill between two steps."""


class Interrupted:
    """A loader that stops a training before a step."""

    def __init__(self, loader, at: int):
        self.loader, self.left = loader, at

    def __len__(self) -> int:
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        """As that of the loader."""
        self.loader.set_epoch(epoch)

    def __iter__(self):
        for batch in self.loader:
            if not self.left:
                raise Killed
            self.left -= 1
            yield batch


class Side:
    """A device, and data sets whose batches are made there."""

    def __init__(self, device: str, tiny: bool):
        self.device, self.tiny = device, tiny
        self.size, self.count = (8, 64) if tiny else (32, None)

    def digits(self, train: bool, seed: int = 0):
        """Batches of the digits, as many as are wanted."""
        found = digits(self.size, self.count, train=train)
        loader = batches(found, 32 if train else 128, seed=seed, shuffle=train)
        return Resident(loader, found, self.device)

    def cifar(self, train: bool, resident: bool = True):
        """Batches of random images in the shape of CIFAR."""
        count = (TINY_IMAGES if self.tiny else IMAGES)[not train]
        found = like_cifar(count, seed=int(train), augment=train, size=self.size)
        loader = batches(found, 128, shuffle=train)
        return Resident(loader, found, self.device) if resident else loader

    def train(self, model: str, loaders, epochs: int, **settings):
        """State after training, accuracy, and the time at the end of each epoch."""
        network = models.build(model, 10, image_size=(self.size, self.size))
        masks = pruning.prune("erk", network, SPARSITY)
        pruning.apply_masks(network, masks)
        ends = []
        accuracy = training.train(
            network,
            masks,
            *loaders,
            epochs=epochs,
            lr=0.1,
            milestones=[max(1, epochs - 1)],
            weight_decay=1e-4,
            device=self.device,
            watch=lambda epoch: ends.append(time.perf_counter()),
            progress=False,
            **settings,
        )
        for name, mask in masks.items():
            assert not network.get_parameter(name)[~mask.to(self.device)].any(), name
        return network, accuracy, ends


def check(device: str, tiny: bool) -> Iterator[Row]:
    """Batches, seconds an epoch, and that training is the same again, and on either side."""
    here = Side(device, tiny)
    again = [("Resnet-20", True), ("CONV-6", True), ("Resnet-20", False)][: 1 if tiny else None]
    yield from guarded(
        _batches(here),
        _seconds(here),
        *(_again(here, model, graphed) for model, graphed in again),
        _beside_cpu(here),
    )


def _batches(side: Side) -> Iterator[Row]:
    """The batches of two epochs, made on the device and by the loader."""
    there, ours = side.cifar(True), side.cifar(True, resident=False)
    different = total = 0
    for _ in range(2):
        for (images, labels), (others, other_labels) in itertools.islice(zip(there, ours), 50):
            total += 1
            different += not (
                torch.equal(images.cpu(), others) and torch.equal(labels.cpu(), other_labels)
            )
    yield Row("batches: augmented, bit by bit", f"{total}", f"{different} differ", not different)


def _seconds(side: Side) -> Iterator[Row]:
    """Resnet-20 on as many images as CIFAR has: from batches of the CPU to recorded steps."""
    weights = {}
    for name, resident, graphed in (
        ("batches from the CPU, a kernel at a time", False, False),
        ("batches made there, a kernel at a time", True, False),
        ("batches made there, recorded steps", True, True),
    ):
        loaders = [side.cifar(train, resident) for train in (True, False)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "a.pt")
            network, _, ends = side.train("Resnet-20", loaders, 3, graphed=graphed, checkpoint=file)
        weights[name] = network.state_dict()
        seconds = min(later - earlier for earlier, later in itertools.pairwise(ends))
        target = f" (target {TARGET} s)" if graphed else ""
        what = f"an epoch: Resnet-20, {len(loaders[0].dataset):,} images, {name}"
        yield Row(what, "", taken(seconds) + target)
    first, *others = weights.values()
    differ = [sum(not torch.equal(first[key], other[key]) for key in first) for other in others]
    found = f"{differ[0]} and {differ[1]} tensors differ"
    yield Row("all three: weights, bit by bit", "", found, not any(differ))


def _again(side: Side, model: str, graphed: bool) -> Iterator[Row]:
    """The same training twice, and once with two interruptions."""

    def run(**settings):
        loaders = [Interrupted(side.digits(True), settings.pop("at", -1)), side.digits(False)]
        network, accuracy, _ = side.train(model, loaders, 3, graphed=graphed, **settings)
        return network.state_dict(), accuracy

    def differ(other) -> str:
        count = sum(not torch.equal(first[0][key], other[0][key]) for key in first[0])
        return f"{count} tensors differ, accuracy {first[1]:.4f} and {other[1]:.4f}"

    what = f"{model}, digits, {'recorded steps' if graphed else 'a kernel at a time'}"
    first, second = run(), run()
    same = "0 tensors differ, accuracy {0:.4f} and {0:.4f}".format(first[1])
    yield Row(f"two trainings: {what}", "", differ(second), differ(second) == same)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.pt")
        for _ in range(2):  # in the second epoch, then in the third
            try:
                run(checkpoint=file, at=len(side.digits(True)) + 1)
            except Killed:
                continue
            raise AssertionError("it was not interrupted")
        resumed = run(checkpoint=file)
    yield Row(f"interrupted and gone on: {what}", "", differ(resumed), differ(resumed) == same)


def _beside_cpu(side: Side) -> Iterator[Row]:
    """A training as long as the study's on either side; the same network on both."""
    results, epochs, test = {}, 1 if side.tiny else 4, digits(side.size, side.count, train=False)
    for here in (Side("cpu", side.tiny), side):
        start = time.perf_counter()
        loaders = [here.digits(True), here.digits(False)]
        network, accuracy, _ = here.train("Resnet-20", loaders, epochs, graphed=True)
        results[here] = accuracy, time.perf_counter() - start
    (one, seconds), (other, seconds_there) = results.values()
    mean = (one + other) / 2
    # Even where all images are classified correctly, one more or less is no difference.
    error = (2 * max(mean * (1 - mean), 0.01) / len(test)) ** 0.5
    yield Row(
        f"accuracy: Resnet-20, digits, {epochs} epochs, may differ by {NOISE * error:.3f}",
        f"{one:.4f}, {taken(seconds)}",
        f"{other:.4f}, {taken(seconds_there)}",
        abs(one - other) <= NOISE * error,
    )
    images, _ = test.__getitems__(list(range(len(test))))
    network.eval()
    with torch.no_grad(), repeatable(side.device):
        found = network(images.to(side.device)).cpu()
        wanted = network.cpu().double()(images.double())
    far = float((found - wanted).abs().max() / wanted.abs().max())
    yield Row("logits in float32, beside float64's of the CPU", "", f"{far:.1e} off", far < 1e-5)


def check_compiled(device: str, tiny: bool) -> Iterator[Row]:
    """The same with a compiled network."""
    side = Side(device, tiny)
    start = time.perf_counter()
    loaders = [side.cifar(train) for train in (True, False)]
    _, _, ends = side.train("Resnet-20", loaders, 2, graphed=True, compile=True)
    seconds = ends[1] - ends[0]
    yield Row(
        f"an epoch: Resnet-20, {len(loaders[0].dataset):,} images, --compile, recorded steps",
        "",
        f"{taken(seconds)}; the first one {taken(ends[0] - start)}",
    )
