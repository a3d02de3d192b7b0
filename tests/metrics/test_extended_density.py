"""Density, against networkx on the written-out graphs."""

import networkx
import pytest
from hypothesis import given, settings
from pairs import mixed_pairs, pairs

from metrics.extended.density import density


@settings(max_examples=20)
@given(pairs(max_nodes=300) | mixed_pairs())
def test_density_is_that_of_networkx(pair):
    plain = networkx.from_scipy_sparse_array(pair.explicit.matrix)
    assert density(pair.graph)["density"] == pytest.approx(networkx.density(plain), rel=1e-12)
