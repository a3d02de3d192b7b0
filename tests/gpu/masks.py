"""Masks by every pruner, on either side."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait

import torch

import models
import pruning
from datasets import batches
from system.compute import threads
from tests import mask_hashes

from .data import digits
from .row import Row, guarded, taken

MODELS = ("Wide-Resnet-28-2", "CONV-6", "Resnet-32", "Resnet-20")  # the slowest first
PRUNERS = ("uniform", "er", "erk", "snip", "synflow", "grasp", "prospr")  # the slowest last
SHRUNK = {"prospr": 8}
"""Sides of images where those of 32 pixels would take a CPU minutes."""
TINY_MODELS, TINY_PRUNERS, TINY_SIZE = ("Resnet-20",), ("snip", "erk"), 8
SPARSITY = 0.9
PROCESSES = 5


def check(device: str, tiny: bool) -> Iterator[Row]:
    """Masks beside those of the CPU here, and beside fingerprints from other machines."""
    networks = ("small",) if tiny else reversed(MODELS)
    pruners = TINY_PRUNERS if tiny else PRUNERS
    yield from guarded(
        _beside_cpu(device, tiny), *(_known(network, pruners, device) for network in networks)
    )


def _known(network: str, pruners: Iterable[str], device: str) -> Iterator[Row]:
    """A row for a network: which masks are those that `tests.mask_hashes` knows."""
    known = mask_hashes.known().get(network, {})
    start = time.perf_counter()
    verdicts = {
        name: mask_hashes.fingerprint(network, name, device) == known[name]
        for name in pruners
        if name in known
    }
    unlike = ", ".join(name for name, same in verdicts.items() if not same)
    yield Row(
        f"masks: {network}, sparsity {mask_hashes.SPARSITY}: those of other machines",
        ", ".join(verdicts),
        f"{unlike or 'none'} differs, {taken(time.perf_counter() - start)}",
        all(verdicts.values()) if verdicts else None,
    )


def _beside_cpu(device: str, tiny: bool) -> Iterator[Row]:
    """A row for every model and pruner: how many weights are kept on one side only."""
    names = (TINY_PRUNERS, TINY_MODELS) if tiny else (PRUNERS, MODELS)
    tasks = [
        (model, pruner, TINY_SIZE if tiny else SHRUNK.get(pruner, 32))
        for pruner, model in itertools.product(*names)
    ]
    if not tiny:
        torch.set_num_threads(1)  # what a GPU leaves to this process; the pool has the other cores
    with _pool(tiny) as pool:
        calls = [pool.submit(masks, *task, "cpu") for task in tasks]
        if tiny:
            wait(calls)  # threads of one process share the global random state
        for (model, pruner, size), call in zip(tasks, calls):
            found, seconds_there = masks(model, pruner, size, device)
            expected, seconds = call.result()
            differ = int((expected != found).sum())
            yield Row(
                f"masks: {pruner}, {model}, {size} x {size}, sparsity {SPARSITY}",
                f"{int(expected.sum()):,} kept, {taken(seconds)}",
                f"{differ:,} differ, {taken(seconds_there)}",
                differ == 0,
            )


def masks(model: str, pruner: str, size: int, device: str) -> tuple[torch.Tensor, float]:
    """All masks in one flat tensor, and the seconds that they took."""
    network = models.build(model, 10, image_size=(size, size))
    start = time.perf_counter()
    found = pruning.prune(
        pruner,
        network,
        SPARSITY,
        batches(digits(size), 128),
        input_shape=(3, size, size),
        device=device,
    )
    return torch.cat([mask.flatten() for mask in found.values()]), time.perf_counter() - start


def _pool(tiny: bool) -> Executor:
    """Processes that share the cores among them."""
    if tiny:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(
        PROCESSES,
        multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(max(1, (threads() - 1) // PROCESSES),),
    )
