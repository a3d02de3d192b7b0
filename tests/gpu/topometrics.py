"""Topometrics with the products behind the spectra on either side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

import graph_encoding
import models
import pruning
from graph_encoding import Graph
from metrics import topometrics
from metrics.lanczos import TOLERANCE
from metrics.spectra import adjacency_moduli, laplacian_radius
from system.compute import threads

from .row import Row, guarded, taken

NETWORKS = (("Resnet-20", 0.9), ("CONV-6", 0.98))
SIDES, TINY_SIDES = (224, 80), (12, 8)
"""Of the image of ResNet-50, for a product and for the spectra, which take hundreds of them."""
WEIGHTED = ("spectral-gap", "spectral-radius")


def check(device: str, tiny: bool) -> Iterator[Row]:
    """All topometrics of small networks, products and spectra of a large one."""
    device = "cpu:0" if device == "cpu" else device  # by torch as well, not by compiled code
    yield from guarded(_small(device, tiny), _large(device, tiny))


def _small(device: str, tiny: bool) -> Iterator[Row]:
    for name, sparsity in NETWORKS[: 1 if tiny else None]:
        shape = (3, TINY_SIDES[1], TINY_SIDES[1]) if tiny else (3, 32, 32)
        network = models.build(name, 10, image_size=shape[1:])
        graph = encoded(network, sparsity, shape)
        (one, seconds), (other, seconds_there) = (_all(graph, side) for side in ("cpu", device))
        counts = [column for column in one if column not in WEIGHTED]
        yield Row(
            f"topometrics: {name}, erk {sparsity}, {one['edges']:,} edges: all but the spectra",
            f"{len(counts)} columns, {taken(seconds)}",
            f"{sum(one[c] != other[c] for c in counts)} differ, {taken(seconds_there)}",
            all(one[column] == other[column] for column in counts),
        )
        allowed = 2 * TOLERANCE * one["spectral-radius"]
        for column in WEIGHTED:
            far = abs(one[column] - other[column])
            yield Row(
                f"topometrics: {name}: {column}, may differ by {allowed:.1e}",
                f"{one[column]:.9f}",
                f"{far:.1e} off",
                far <= allowed,
            )


def encoded(network: torch.nn.Module, sparsity: float, shape: tuple[int, int, int]) -> Graph:
    """The unrolled graph of a network pruned by ERK."""
    pruning.apply_masks(network, pruning.prune("erk", network, sparsity, input_shape=shape))
    (graph,) = graph_encoding.encode(network, "unrolled", shape)
    return graph


def _all(graph: Graph, device: str) -> tuple[dict, float]:
    graph = replace(graph)  # nothing of it is known yet
    start = time.perf_counter()
    return topometrics(graph, threads=threads(), device=device), time.perf_counter() - start


def _large(device: str, tiny: bool) -> Iterator[Row]:
    if tiny:
        name, network, (side, small) = "Resnet-20", models.build("Resnet-20", 10), TINY_SIDES
    else:
        from datasets.torchvision_import import import_torchvision

        torch.manual_seed(0)
        name, network, (side, small) = "ResNet-50", import_torchvision().models.resnet50(), SIDES
    graph = encoded(network, 0.9, (3, side, side))
    vector = np.random.default_rng(0).standard_normal(graph.num_nodes)
    (one, seconds), (other, seconds_there) = (
        _products(replace(graph, device=place), vector) for place in ("cpu", device)
    )
    far = float(np.abs(one - other).max() / np.abs(one).max())
    yield Row(
        f"topometrics: {name}, erk 0.9, {side} x {side}, {graph.num_edges:,} edges: a product with "
        "the adjacency matrix",
        taken(seconds),
        f"{taken(seconds_there)}, {far:.1e} off",
        far <= 1e-12,
    )
    (graph,) = graph_encoding.encode(network, "unrolled", (3, small, small))
    # The GPU first: if the CPU takes too long, it has at least been tried.
    (other, seconds_there), (one, seconds) = (
        _spectra(replace(graph, device=place)) for place in (device, "cpu")
    )
    allowed, far = 2 * TOLERANCE * one, np.abs(one - other)
    yield Row(
        f"topometrics: {name}, erk 0.9, {small} x {small}, {graph.num_edges:,} edges: both spectra "
        f"at once, may differ by {allowed.min():.1e}",
        taken(seconds),
        f"{taken(seconds_there)}, {far.max():.1e} off",
        bool((far <= allowed).all()),
    )


def _products(graph: Graph, vector: np.ndarray) -> tuple[np.ndarray, float]:
    """One product, and the seconds of the second one."""
    for _ in range(2):
        start = time.perf_counter()
        found = graph.product.symmetric(vector)
        seconds = time.perf_counter() - start
    return found, seconds


def _spectra(graph: Graph) -> tuple[np.ndarray, float]:
    """Three moduli and the radius, and the seconds that they took."""
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(function, graph) for function in (adjacency_moduli, laplacian_radius)]
        found = np.append(*(call.result() for call in calls))
    return found, time.perf_counter() - start
