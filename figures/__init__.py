"""Drawings of graphs and plots of results, and the code that draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph_encoding import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graph_encoding import Graph


@shown.draws  # so that it is graph.plot(): graph_encoding stands earlier, and imports no drawing
def plot(graph: Graph, **options: object) -> Figure:
    """Draw a graph.

    Parameters
    ----------
    graph : Graph
        Of any encoding and size.
    **options
        Of `figures.multipartite.draw`: ``colour``, ``mark``, ``removed`` and so on.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it; ``savefig`` writes it.

    Examples
    --------
    >>> import figures, graph_encoding, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> graph.plot(mark=("sinks",)).savefig("graph.png")  # or figures.plot(graph, ...)
    """
    from .multipartite import draw

    return draw(graph, **options)
