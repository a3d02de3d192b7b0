"""The explicit graph is told its size before it is written out."""

import warnings

import numpy as np
import pytest

from graph_encoding import graph as module
from graph_encoding.rolled import rolled


@pytest.mark.parametrize("library", ["scipy", "igraph", "networkx"])
def test_size_is_said_beforehand(library, monkeypatch):
    graph = rolled("layer", np.ones((20, 30), np.float32))
    write = getattr(graph, f"to_{library}")
    assert graph.explicit_size(library) == 600 * module.EXPLICIT_BYTES[library]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write()
    monkeypatch.setattr(module, "EXPLICIT_WARNING", 1000)
    with pytest.warns(UserWarning, match=f"600 edges takes about .* GB in {library}"):
        write()
