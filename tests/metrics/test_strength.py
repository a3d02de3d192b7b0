"""Strength against igraph."""

import oracle
import pytest
from hypothesis import given, settings
from pairs import pairs

from metrics.strength import strength


@settings(max_examples=30)
@given(pairs())
def test_strength(pair):
    assert strength(pair.graph)["strength"] == pytest.approx(
        oracle.strength(pair.explicit),
        rel=1e-6,  # weights that share an edge are added up in single precision
    )
