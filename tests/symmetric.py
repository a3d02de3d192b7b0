"""Networks with symmetries, exact or nearly so, whose eigenvalues are multiple or hard to see.

A start that is symmetric sees symmetric eigenvectors only, one vector sees a multiple eigenvalue
once, and two halves that hardly touch have eigenvalues that are hardly told apart.

Many more graphs than the tests try, with the largest errors, from the repository's root::

    PYTHONPATH=. python tests/symmetric.py 2000
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from networks import Residual
from torch import nn

from graph_encoding import Graph, encode
from metrics import lanczos, spectra

Draw = np.random.Generator


def equal_kernels(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Convolutions of equal weights."""
    return _convolutions(draw, lambda shape: np.ones(shape), axes=2)


def separable_kernels(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Convolutions whose kernels are products of a row and a column, often palindromes."""

    def kernel(shape):
        rows, columns = (draw.random((*shape[:2], n)) for n in shape[2:])
        if draw.random() < 0.5:
            rows, columns = rows + rows[..., ::-1], columns + columns[..., ::-1]
        return rows[..., :, None] * columns[..., None, :]

    return _convolutions(draw, kernel, axes=2)


def one_dimensional(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Convolutions along a line, of random or equal weights."""
    is_equal = draw.random() < 0.3
    return _convolutions(
        draw, lambda shape: np.ones(shape) if is_equal else draw.standard_normal(shape), axes=1
    )


def deep_and_narrow(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Many layers of few nodes, of equal weights or nearly so."""
    width, depth = int(draw.integers(1, 7)), int(draw.integers(4, 70))
    spread = draw.choice([0, 0, 1e-6, 1e-2])
    layers = [1 + spread * draw.standard_normal((width, width)) for _ in range(depth)]
    return _linear(layers)


def weak_links(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Clusters, equal, nearly equal or different, joined by small weights."""
    clusters, size = int(draw.integers(2, 12)), int(draw.integers(2, 13))
    link, differ = 10.0 ** draw.integers(-6, -2), draw.choice([0, 1e-6, 1])
    shape, kept = (size, size), draw.choice([0.5, 1])
    layers = []
    for _ in range(draw.integers(1, 4)):
        base = draw.random(shape) * (draw.random(shape) < kept)
        layer = np.zeros((clusters * size, clusters * size))
        for cluster in range(clusters):
            at = slice(cluster * size, (cluster + 1) * size)
            layer[at, at] = base * (1 + differ * draw.random(shape))
            layer[cluster * size, (cluster + 1) % clusters * size] += link
        layers.append(layer)
    return _linear(layers)


def mirrored(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Two equal halves, each joined to the other in the same way."""
    sizes = draw.integers(2, 50, size=draw.integers(2, 5))
    link = draw.choice([1, 1e-2, 1e-5])
    layers = []
    for shape in zip(sizes[1:], sizes[:-1], strict=True):
        own, other = draw.standard_normal((2, *shape)) * (draw.random((2, *shape)) < 0.4)
        layers.append(np.block([[own, link * other], [link * other, own]]))
    return _linear(layers)


def multiple(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Circulant or repeated layers: most eigenvalues come several times."""
    if draw.random() < 0.5:
        channels, kernel = int(draw.integers(1, 4)), int(draw.choice([1, 3]))
        layer = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, padding_mode="circular", bias=False
        )
        symmetric = torch.from_numpy(draw.random((channels, channels, 1, 1)).astype(np.float32))
        with torch.no_grad():
            layer.weight.copy_(symmetric.expand_as(layer.weight))
        side = int(draw.integers(3, 9))
        return nn.Sequential(layer), (channels, side, side), "exact"
    size, copies = int(draw.integers(2, 12)), int(draw.integers(2, 9))
    repeat = np.ones((copies, copies)) + np.eye(copies) * draw.choice([0, 0.5, 3])
    layers = [np.kron(repeat, draw.random((size, size))) for _ in range(draw.integers(1, 4))]
    return _linear(layers)


def residual(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Shortcuts that close odd cycles: eigenvalues that do not come in pairs."""
    channels, side = int(draw.integers(1, 4)), int(draw.integers(4, 9))
    body = [nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2)]
    wiring = str(draw.choice(["exact", "identity"]))
    shortcut = nn.Identity() if wiring == "identity" else nn.Conv2d(channels, channels, 1)
    module = nn.Sequential(Residual(nn.Sequential(*body), shortcut))
    is_equal = draw.random() < 0.5
    _fill(module, lambda shape: np.ones(shape) if is_equal else np.sign(draw.random(shape) - 0.3))
    return module, (channels, side, int(draw.choice([side, side + 1]))), wiring


def plain(draw: Draw) -> tuple[nn.Module, tuple[int, ...], str]:
    """Random sparse weights."""
    sizes, density = draw.integers(2, 120, size=draw.integers(2, 5)), draw.choice([0.03, 0.3, 1])
    return _linear(
        draw.standard_normal(shape) * (draw.random(shape) < density)
        for shape in zip(sizes[1:], sizes[:-1], strict=True)
    )


KINDS: tuple[Callable, ...] = (
    equal_kernels,
    separable_kernels,
    one_dimensional,
    deep_and_narrow,
    weak_links,
    mirrored,
    multiple,
    residual,
    plain,
)


def symmetric_graph(kind: Callable, seed: int) -> Graph:
    """A graph of this kind."""
    module, shape, wiring = kind(np.random.default_rng(seed))
    return encode(module, "unrolled", shape, wiring)[0]


def _convolutions(draw: Draw, kernel: Callable, axes: int):
    height, width = (int(n) for n in draw.integers(4, 12, size=2))
    if axes == 1:
        height, width = 1, int(draw.integers(10, 120))
    elif draw.random() < 0.4:
        width = height
    channels, modules = [int(draw.choice([1, 1, 2])) for _ in range(draw.integers(2, 4))], []
    for inputs, outputs in pairwise(channels):
        reach = [1, 2, 3][int(draw.integers(1, 3))]
        sizes = (1, 2 * reach + 1) if axes == 1 else (3, 3)
        padding = tuple(n // 2 for n in sizes)
        modules.append(nn.Conv2d(inputs, outputs, sizes, padding=padding, bias=False))
    module = nn.Sequential(*modules)
    _fill(module, kernel)
    return module, (channels[0], height, width), "exact"


def _linear(weights) -> tuple[nn.Module, tuple[int, ...], str]:
    weights = list(weights)
    module = nn.Sequential(*(nn.Linear(*w.shape[::-1], bias=False) for w in weights))
    with torch.no_grad():
        for layer, weight in zip(module, weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
    return module, (weights[0].shape[1],), "exact"


def _fill(module: nn.Module, weight: Callable) -> None:
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                value = np.ascontiguousarray(weight(tuple(layer.weight.shape)), np.float32)
                layer.weight.copy_(torch.from_numpy(value))


class Errors(NamedTuple):
    """Errors relative to the largest eigenvalue, NaN where no value was given."""

    moduli: float
    gap: float
    radius: float


@contextmanager
def iterations_only(basis: int = 100) -> Iterator[None]:
    """No dense solver, whatever the size of a component, and a basis of this size at most."""
    with (
        patch.object(spectra, "DENSE_SIZE", 0),
        patch.object(lanczos, "DENSE_SIZE", 0),
        patch.object(lanczos, "BASIS_SIZES", (20, basis)),
    ):
        yield


def errors(graph: Graph) -> Errors:
    """How far the spectra are from those of the written-out matrices."""
    matrix = graph.to_scipy().toarray().astype(np.float64)
    matrix += matrix.T
    moduli = np.sort(np.abs(np.linalg.eigvalsh(matrix)))[::-1]
    moduli = np.append(moduli, [0, 0])[:3]
    radius = np.linalg.eigvalsh(np.diag(matrix.sum(axis=0)) - matrix)[-1]
    found = spectra.adjacency_moduli(graph)
    first = moduli[0] or 1.0
    return Errors(
        float(np.abs(found - moduli).max() / first),
        float(abs((found[0] - found[2]) - (moduli[0] - moduli[2])) / first),
        float(abs(spectra.laplacian_radius(graph) - radius) / (radius or 1.0)),
    )


def main() -> None:
    """Try many graphs and print the largest errors of each kind."""
    parser = argparse.ArgumentParser(description="Spectra of symmetric graphs, by iterations only.")
    parser.add_argument("graphs", type=int)
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    worst: dict[str, list[Errors]] = {}
    for number in range(options.first, options.first + options.graphs):
        kind = KINDS[number % len(KINDS)]
        graph = symmetric_graph(kind, number)
        with iterations_only(basis=(20, 100)[number // len(KINDS) % 2]):
            found = errors(graph)
        if not np.nanmax([*found, 0]) <= 1e-8:
            print(f"{kind.__name__} {number}: {found}", file=sys.stderr, flush=True)
        worst.setdefault(kind.__name__, []).append(found)
    for name, rows in worst.items():
        table = np.array(rows)
        largest = ", ".join(
            f"{field} {value:.1e}"
            for field, value in zip(Errors._fields, np.nanmax(table, axis=0), strict=True)
        )
        empty = int(np.isnan(table).any(axis=1).sum())
        print(f"{name}: {len(rows)} graphs, {empty} left empty; largest errors: {largest}")


if __name__ == "__main__":
    main()
