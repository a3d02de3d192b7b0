"""All extended metrics at once: plain values, in order, of every encoding, whatever is left."""

import math

import pytest
import torch
from hypothesis import given, settings
from networks import sparsify
from pairs import bipartite_graph, mixed_pairs, pairs
from torch import nn

from graph_encoding import ENCODINGS, encode
from metrics import COLUMNS as TOPOMETRICS
from metrics import extended
from metrics.registry import compute


def assert_answers(graph):
    """Every metric has a plain, finite value, or none, whatever the number of threads."""
    values = compute(extended.METRICS, graph)
    assert list(values) == list(extended.COLUMNS)
    for name, value in values.items():
        assert value is None or type(value) in (int, float), name
        assert value is None or math.isfinite(value), name
    return values


def test_no_column_is_a_topometrics_name_or_there_twice():
    assert not set(extended.COLUMNS) & set(TOPOMETRICS)
    assert len(set(extended.COLUMNS)) == len(extended.COLUMNS)


@settings(max_examples=5)
@given(pairs(max_nodes=200) | mixed_pairs())
def test_values_are_plain_numbers_in_order(pair):
    assert_answers(pair.graph)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("densities", [[1.0], [0.5, 0.0, 0.5], [0.0]])
def test_extreme_networks_are_measured(encoding, densities):
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.Conv2d(3, 4, 3, 2, padding=1),
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    sparsify(model, 0, densities)
    for graph in encode(model, encoding, (2, 8, 8)):
        assert_answers(graph)


@settings(max_examples=3)
@given(pairs(max_nodes=200))
def test_values_do_not_depend_on_the_number_of_threads(pair):
    one, several = (compute(extended.METRICS, pair.graph, threads=n) for n in (1, 3))
    assert one == several


def test_a_layer_of_one_weight_is_measured():
    assert_answers(bipartite_graph(torch.ones(1, 1).numpy()))
