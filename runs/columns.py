"""The columns of result files, which follow from the registries."""

from __future__ import annotations

from collections.abc import Mapping

from graph_encoding import ENCODINGS

from .measures import MEASURES

CONFIGURATION = (
    "model",
    "dataset",
    "pruning",
    "sparsity",
    "achieved_sparsity",
    "seed",
    "as_released",
    "rounds",
    "encoding",
    "wiring",
    "training",
    "epochs",
    "batch_size",
    "lr",
    "epoch",
    "accuracy",
    "moved",
)
FOUND = ("achieved_sparsity", "accuracy", "moved")
"""Of `CONFIGURATION`, what is known when a network has been made."""

IDENTITY = tuple(name for name in CONFIGURATION if name not in FOUND)
"""What tells one run from another."""

EFFECTIVE = "+effective"
"""What a wiring ends with, in rows and names, if the network is measured without the weights that
lie on no path from an input to an output."""

BEFORE = {"as_released": "", "rounds": "", "epoch": None}
"""Columns of `IDENTITY` that files of earlier versions lack, and what their runs have there."""


def completed(said: Mapping[str, object]) -> dict[str, object]:
    """What a row says of its run, with what a row of an earlier version leaves out.

    Parameters
    ----------
    said : mapping
        Values or cells by column.

    Returns
    -------
    dict
        With all of `BEFORE`. Without an epoch, a trained network is that of its last one.

    Examples
    --------
    >>> completed({"epochs": 4})["epoch"]
    4
    """
    whole = {**BEFORE, **said}
    if whole["epoch"] in (None, ""):
        whole["epoch"] = said.get("epochs")
    return whole


LAYER = ("layer_id", "layer_name", "layer_density")
"""Of bipartite graphs, which have one row a layer."""


def columns(encoding: str, graph_metrics: str) -> tuple[str, ...]:
    """Columns of a result file, in order.

    Parameters
    ----------
    encoding : str
        A key of `graph_encoding.ENCODINGS`.
    graph_metrics : str
        A key of `measures.MEASURES`. Its columns that are layer columns already are not repeated.

    Returns
    -------
    tuple of str
    """
    head = CONFIGURATION + LAYER if ENCODINGS[encoding].bipartite else CONFIGURATION
    return head + tuple(name for name in MEASURES[graph_metrics].columns if name not in head)


TEXT = frozenset({"model", "dataset", "pruning", "as_released", "encoding", "wiring", "layer_name"})
"""Columns that hold names."""
