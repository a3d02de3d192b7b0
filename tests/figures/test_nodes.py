"""Nodes counted in bins, against the graph's arrays of all nodes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import pairs

from figures.nodes import MARKS, binned
from metrics.cuts import articulation_points
from metrics.degrees import disconnected, sinks, sources


def expected(graph) -> dict[str, np.ndarray]:
    fed, feeds = graph.in_degree > 0, graph.out_degree > 0
    sinks, sources = fed & ~feeds, feeds & ~fed
    sinks[graph.layers[-1].offset :] = False
    sources[: graph.layers[0].stop] = False
    cut = articulation_points(graph)
    return {"sinks": sinks, "sources": sources, "disconnected": ~fed & ~feeds, "cut-nodes": cut}


@settings(max_examples=30)
@given(pairs(), st.integers(1, 40))
def test_bins(pair, bins):
    """Whatever the number of bins."""
    graph = pair.graph
    found = expected(graph)
    marks = {"cut-nodes": found["cut-nodes"]}
    marks |= {mark.__name__: mark(graph) for mark in (sinks, sources, disconnected)}
    for layer in graph.layers:
        result = binned(layer, bins, marks, graph.node_strength)
        count = min(bins, layer.size)
        place = np.arange(layer.size) * count // layer.size
        assert result.sizes.tolist() == np.bincount(place, minlength=count).tolist()
        ends = np.concatenate([[0], np.cumsum(result.sizes)]).astype(int) + layer.offset
        for low, high, i in zip(ends[:-1], ends[1:], range(count), strict=True):
            for mark in MARKS:
                share = found[mark][low:high].mean()
                assert result.marked[mark][i] == pytest.approx(share)
            strength = graph.node_strength[low:high].mean()
            assert result.strength[i] == pytest.approx(strength, rel=1e-6, abs=1e-9)
        whole = slice(layer.offset, layer.stop)
        assert result.counts == {mark: found[mark][whole].sum() for mark in MARKS}
